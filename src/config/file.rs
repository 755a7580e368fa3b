//! PostgREST's configuration file: `key = value` lines, `#` comments, groups in braces.
//! Gives names and texts with their lines; does not know which names are options.
//!
//! ```text
//! db-schemas = "api, public"     # text in double quotes
//! db-pool = 10                   # numbers and booleans bare
//! jwt-role-claim-key = "$$.role" # `$$` is `$`; `$(HOME)` is the environment's
//! app { settings { key = "v" } } # app.settings.key
//! ```

use std::{collections::BTreeMap, iter::Peekable, str::CharIndices};

/// One setting of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// The full name, groups joined with dots.
    pub name: String,
    /// The value: text without its quotes, numbers and booleans as written.
    pub text: String,
    /// The line of the name, from 1.
    pub line: usize,
}

/// A file that cannot be read as a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SyntaxError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: String,
}

/// Reads all settings; where a name comes twice, the later entry comes later.
pub(super) fn parse(text: &str, environment: &BTreeMap<String, String>) -> Result<Vec<Entry>, SyntaxError> {
    let mut parser = Parser { text, chars: text.char_indices().peekable(), environment };
    let mut entries = Vec::new();
    let mut groups: Vec<String> = Vec::new();
    loop {
        parser.skip_blank();
        match parser.chars.peek() {
            None if groups.is_empty() => return Ok(entries),
            None => return Err(parser.error("a group is not closed with `}`")),
            Some((_, '}')) if !groups.is_empty() => {
                parser.chars.next();
                groups.pop();
            }
            Some(_) => {
                let line = parser.line();
                let name = parser.name()?;
                parser.skip_blank();
                match parser.chars.next() {
                    Some((_, '=')) => {
                        parser.skip_blank();
                        let text = parser.value()?;
                        let name =
                            groups.iter().map(String::as_str).chain([name]).collect::<Vec<_>>().join(".");
                        entries.push(Entry { name, text, line });
                    }
                    Some((_, '{')) => groups.push(name.to_owned()),
                    Some(_) | None => {
                        let problem = format!("expected `=` and a value after `{name}`");
                        return Err(SyntaxError { line, problem });
                    }
                }
            }
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    chars: Peekable<CharIndices<'a>>,
    environment: &'a BTreeMap<String, String>,
}

impl<'a> Parser<'a> {
    fn position(&mut self) -> usize {
        self.chars.peek().map_or(self.text.len(), |(index, _)| *index)
    }

    fn line(&mut self) -> usize {
        let position = self.position();
        1 + self.text[..position].matches('\n').count()
    }

    fn error(&mut self, problem: &str) -> SyntaxError {
        SyntaxError { line: self.line(), problem: problem.to_owned() }
    }

    /// White space and comments.
    fn skip_blank(&mut self) {
        while let Some((_, c)) = self.chars.peek() {
            match c {
                '#' => while self.chars.next_if(|(_, c)| *c != '\n').is_some() {},
                c if c.is_whitespace() => {
                    self.chars.next();
                }
                _ => return,
            }
        }
    }

    fn take_while(&mut self, holds: impl Fn(char) -> bool) -> &'a str {
        let start = self.position();
        while self.chars.next_if(|(_, c)| holds(*c)).is_some() {}
        let end = self.position();
        &self.text[start..end]
    }

    fn name(&mut self) -> Result<&'a str, SyntaxError> {
        match self.take_while(|c| c.is_alphanumeric() || "._-".contains(c)) {
            "" => Err(self.error("expected the name of an option")),
            name => Ok(name),
        }
    }

    fn value(&mut self) -> Result<String, SyntaxError> {
        if self.chars.next_if(|(_, c)| *c == '"').is_some() {
            return self.quoted();
        }
        let word = self.take_while(|c| !c.is_whitespace() && !"#{}\"".contains(c));
        match word {
            "true" | "on" => Ok("true".to_owned()),
            "false" | "off" => Ok("false".to_owned()),
            number if number.parse::<f64>().is_ok_and(f64::is_finite) => Ok(number.to_owned()),
            _ => Err(self.error("expected a value: \"text in double quotes\", a number, true or false")),
        }
    }

    /// The rest of a text after its opening quote.
    fn quoted(&mut self) -> Result<String, SyntaxError> {
        let mut value = String::new();
        loop {
            match self.chars.next() {
                None => return Err(self.error("a text is not closed with `\"`")),
                Some((_, '"')) => return Ok(value),
                Some((_, '\\')) => value.push(self.escape()?),
                Some((_, '$')) if self.chars.next_if(|(_, c)| *c == '$').is_some() => value.push('$'),
                Some((_, '$')) if self.chars.next_if(|(_, c)| *c == '(').is_some() => {
                    let name = self.take_while(|c| c != ')' && c != '"');
                    self.chars.next();
                    match self.environment.get(name) {
                        Some(text) => value.push_str(text),
                        None => return Err(self.error(&format!("there is no environment variable `{name}`"))),
                    }
                }
                Some((_, c)) => value.push(c),
            }
        }
    }

    fn escape(&mut self) -> Result<char, SyntaxError> {
        match self.chars.next() {
            Some((_, 'n')) => Ok('\n'),
            Some((_, 'r')) => Ok('\r'),
            Some((_, 't')) => Ok('\t'),
            Some((_, 'b')) => Ok('\u{8}'),
            Some((_, c @ ('"' | '\\' | '/'))) => Ok(c),
            Some((_, 'u')) => {
                let code = (0..4).try_fold(0, |code, _| Some(code * 16 + self.chars.next()?.1.to_digit(16)?));
                code.and_then(char::from_u32)
                    .ok_or_else(|| self.error("`\\u` needs the four digits of a character"))
            }
            Some(_) | None => Err(self.error("after `\\` comes one of \" \\ / n r t b u")),
        }
    }
}

/// A text in the file's quotes.
pub(super) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '$' => quoted.push_str("$$"),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Result<Vec<(String, String)>, SyntaxError> {
        let environment = BTreeMap::from([("HOME".to_owned(), "/home/me".to_owned())]);
        Ok(parse(text, &environment)?.into_iter().map(|entry| (entry.name, entry.text)).collect())
    }

    #[test]
    fn every_form_of_value_is_read() {
        for (text, expected) in [
            ("a = \"x\"", "x"),
            ("a=\"x\"# comment", "x"),
            ("# Commènt\n\na =\n  \"x\"", "x"),
            ("a = 13", "13"),
            ("a = false", "false"),
            ("a = on", "true"),
            (r#"a = "$$.user[?(@ == \"r\")]""#, r#"$.user[?(@ == "r")]"#),
            (r#"a = "$(HOME)/f""#, "/home/me/f"),
            (r#"a = "$.role""#, "$.role"),
            (r#"a = "\u00e9\\\n""#, "é\\\n"),
        ] {
            assert_eq!(pairs(text), Ok(vec![("a".into(), expected.into())]), "{text}");
        }
    }

    #[test]
    fn groups_and_dots_make_the_same_names() {
        let expected = Ok(vec![("app.settings.test".into(), "v".into()), ("b".into(), "1".into())]);
        assert_eq!(pairs("app.settings.test = \"v\"\nb = 1"), expected);
        assert_eq!(pairs("app { settings {\n test = \"v\" } }\nb = 1"), expected);
    }

    #[test]
    fn what_is_no_configuration_is_refused_with_its_line() {
        for (text, line) in [
            ("yaml:\n  is:\n", 1),
            ("a = 1\nb = unquoted", 2),
            ("a = 1\nb", 2),
            ("a = \"open", 1),
            ("a { b = 1", 1),
            ("}", 1),
            ("a = \"\\x\"", 1),
            ("a = \"\\u12\"", 1),
            ("a = \"$(NOT_SET)\"", 1),
            ("a = [1, 2]", 1),
        ] {
            assert_eq!(pairs(text).map_err(|error| error.line), Err(line), "{text}");
        }
    }

    #[test]
    fn a_quoted_text_is_read_back() {
        let text = "a \"b\" \\ $$(x) $\né";
        assert_eq!(pairs(&format!("a = {}", quote(text))), Ok(vec![("a".into(), text.into())]));
    }
}
