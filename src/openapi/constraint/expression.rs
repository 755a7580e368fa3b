//! The few SQL expressions that constraints and defaults are mostly made of, as PostgreSQL writes them: comparisons of a
//! column or its length with literals, joined by AND. Casts are dropped; everything else is [`Expression::Other`].

use serde_json::{Number, Value};

/// How deep an expression may nest.
const DEEPEST: usize = 32;

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    Match,
}

impl Comparison {
    fn of(operator: &str) -> Option<Self> {
        Some(match operator {
            "=" => Comparison::Eq,
            "<>" => Comparison::Ne,
            "<" => Comparison::Lt,
            "<=" => Comparison::Le,
            ">" => Comparison::Gt,
            ">=" => Comparison::Ge,
            "~" => Comparison::Match,
            _ => return None,
        })
    }

    /// The same with its sides exchanged.
    pub(super) fn turned(self) -> Option<Self> {
        Some(match self {
            Comparison::Eq => Comparison::Eq,
            Comparison::Ne => Comparison::Ne,
            Comparison::Lt => Comparison::Gt,
            Comparison::Le => Comparison::Ge,
            Comparison::Gt => Comparison::Lt,
            Comparison::Ge => Comparison::Le,
            Comparison::Match => return None,
        })
    }
}

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expression {
    Name(String),
    Number(f64),
    Text(String),
    Call(String, Vec<Expression>),
    Any(Vec<Expression>),
    Array(Vec<Expression>),
    Compare(Box<Expression>, Comparison, Box<Expression>),
    And(Vec<Expression>),
    Other,
}

impl Expression {
    /// The number that it is; `'-1'::integer` is one.
    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Expression::Number(number) => Some(*number),
            Expression::Text(text) => text.parse().ok().filter(|number: &f64| number.is_finite()),
            _ => None,
        }
    }

    /// The literal that it is.
    pub(super) fn value(&self) -> Option<Value> {
        match self {
            #[allow(clippy::cast_possible_truncation, reason = "it is whole, and in range")]
            Expression::Number(number) if number.fract() == 0.0 && number.abs() < 1e15 => {
                Some(Value::Number(Number::from(*number as i64)))
            }
            Expression::Number(number) => Number::from_f64(*number).map(Value::Number),
            Expression::Text(text) => Some(Value::String(text.clone())),
            _ => None,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Quoted(String),
    Number(f64),
    Text(String),
    Operator(String),
    Open,
    Close,
    OpenArray,
    CloseArray,
    Comma,
    Cast,
}

/// The expression that this text is; `None` if it cannot be read.
pub(super) fn parse(text: &str) -> Option<Expression> {
    let mut tokens = Tokens { all: tokens(text)?, at: 0 };
    let found = tokens.sequence(0)?;
    (tokens.at == tokens.all.len()).then_some(found)
}

fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '\'' | '"' => {
                let (inside, length) = quoted(rest, first)?;
                found.push(if first == '"' { Token::Quoted(inside) } else { Token::Text(inside) });
                length
            }
            '(' => single(&mut found, Token::Open),
            ')' => single(&mut found, Token::Close),
            '[' => single(&mut found, Token::OpenArray),
            ']' => single(&mut found, Token::CloseArray),
            ',' => single(&mut found, Token::Comma),
            ':' if rest.starts_with("::") => {
                found.push(Token::Cast);
                2
            }
            first if first.is_ascii_digit() => {
                let length = span(rest, |c| c.is_ascii_alphanumeric() || c == '.');
                found.push(Token::Number(rest.get(..length)?.parse().ok()?));
                length
            }
            first if is_word(first) => {
                let length = span(rest, is_word);
                let word = rest.get(..length)?;
                // `E'…'` has escapes of its own.
                if rest.get(length..)?.starts_with('\'') {
                    return None;
                }
                found.push(Token::Word(word.to_owned()));
                length
            }
            _ => {
                let length = span(rest, |c| "+-*/<>=~!@#%^&|`?".contains(c));
                if length == 0 {
                    return None;
                }
                found.push(Token::Operator(rest.get(..length)?.to_owned()));
                length
            }
        };
        rest = rest.get(length..)?.trim_start();
    }
    Some(found)
}

fn single(found: &mut Vec<Token>, token: Token) -> usize {
    found.push(token);
    1
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '$' | '.')
}

fn span(text: &str, accept: impl Fn(char) -> bool) -> usize {
    text.find(|c| !accept(c)).unwrap_or(text.len())
}

/// What is between quotes, which are doubled inside, and its length with them.
fn quoted(text: &str, quote: char) -> Option<(String, usize)> {
    let mut inside = String::new();
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = characters.next() {
        if c != quote {
            inside.push(c);
        } else if characters.next_if(|(_, next)| *next == quote).is_some() {
            inside.push(quote);
        } else {
            return Some((inside, at + 1));
        }
    }
    None
}

struct Tokens {
    all: Vec<Token>,
    at: usize,
}

impl Tokens {
    fn next(&mut self) -> Option<Token> {
        let token = self.all.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn next_if(&mut self, wanted: &Token) -> bool {
        let is_next = self.all.get(self.at) == Some(wanted);
        self.at += usize::from(is_next);
        is_next
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.all.get(self.at), Some(Token::Word(found)) if found == word)
    }

    /// Operands with operators between them, up to where a parenthesis, a bracket or an item ends.
    fn sequence(&mut self, depth: usize) -> Option<Expression> {
        if depth > DEEPEST {
            return None;
        }
        let mut operands = vec![self.operand(depth)?];
        let mut operators = Vec::new();
        while let Some(token) = self.all.get(self.at) {
            match token {
                Token::Close | Token::CloseArray | Token::Comma => break,
                Token::Operator(operator) => operators.push(operator.clone()),
                Token::Word(word) => operators.push(word.clone()),
                _ => return None,
            }
            self.at += 1;
            operands.push(self.operand(depth)?);
        }
        let is_and = !operators.is_empty() && operators.iter().all(|operator| operator == "AND");
        Some(match (operands.len(), operators.as_slice()) {
            (1, _) => operands.pop()?,
            (_, _) if is_and => Expression::And(operands),
            (2, [operator]) => match Comparison::of(operator) {
                Some(comparison) => {
                    let right = operands.pop()?;
                    Expression::Compare(Box::new(operands.pop()?), comparison, Box::new(right))
                }
                None => Expression::Other,
            },
            _ => Expression::Other,
        })
    }

    fn operand(&mut self, depth: usize) -> Option<Expression> {
        let found = match self.next()? {
            Token::Open => {
                let inside = self.sequence(depth + 1)?;
                self.next_if(&Token::Close).then_some(inside)?
            }
            Token::Number(number) => Expression::Number(number),
            Token::Operator(sign) if sign == "-" => match self.operand(depth + 1)? {
                Expression::Number(number) => Expression::Number(-number),
                _ => Expression::Other,
            },
            Token::Text(text) => Expression::Text(text),
            Token::Quoted(name) => Expression::Name(name),
            Token::Word(word) => self.word(word, depth)?,
            Token::Operator(_)
            | Token::Close
            | Token::OpenArray
            | Token::CloseArray
            | Token::Comma
            | Token::Cast => return None,
        };
        self.casts()?;
        Some(found)
    }

    fn word(&mut self, word: String, depth: usize) -> Option<Expression> {
        if word == "NOT" {
            self.operand(depth + 1)?;
            return Some(Expression::Other);
        }
        if word == "ARRAY" && self.next_if(&Token::OpenArray) {
            return Some(Expression::Array(self.items(&Token::CloseArray, depth)?));
        }
        if !self.next_if(&Token::Open) {
            return Some(Expression::Name(word));
        }
        let mut arguments = self.items(&Token::Close, depth)?;
        Some(match (word.as_str(), arguments.as_mut_slice()) {
            ("ANY", [Expression::Array(items)]) => Expression::Any(std::mem::take(items)),
            _ => Expression::Call(word, arguments),
        })
    }

    fn items(&mut self, end: &Token, depth: usize) -> Option<Vec<Expression>> {
        let mut items = Vec::new();
        while !self.next_if(end) {
            items.push(self.sequence(depth + 1)?);
            if !self.next_if(&Token::Comma) && self.all.get(self.at) != Some(end) {
                return None;
            }
        }
        Some(items)
    }

    /// `::character varying(20)[]`, as many as there are.
    fn casts(&mut self) -> Option<()> {
        while self.next_if(&Token::Cast) {
            match self.next()? {
                Token::Word(_) | Token::Quoted(_) => {}
                _ => return None,
            }
            while ["varying", "precision", "with", "without", "time", "zone"]
                .iter()
                .any(|word| self.is_word(word))
            {
                self.at += 1;
            }
            if self.next_if(&Token::Open) {
                self.items(&Token::Close, 0)?;
            }
            while self.next_if(&Token::OpenArray) {
                self.next_if(&Token::CloseArray).then_some(())?;
            }
        }
        Some(())
    }
}
