//! Whom the API belongs to, as its document says: the licence of its use and whom to ask.

use super::value::{Problem, Rendered, Value};

/// A licence: `Apache-2.0`, or a name and an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct License {
    /// Its SPDX identifier, or its name.
    pub name: String,
    /// Where it can be read.
    pub url: Option<String>,
}

/// Whom to ask: a name, an e-mail address, the address of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// The name.
    pub name: Option<String>,
    /// The e-mail address.
    pub email: Option<String>,
    /// The page.
    pub url: Option<String>,
}

/// The words of a text that are addresses of pages, those that are of people, and the rest.
struct Words {
    urls: Vec<String>,
    emails: Vec<String>,
    name: Option<String>,
}

impl Words {
    fn of(text: &str) -> Self {
        let is_url = |word: &str| word.starts_with("https://") || word.starts_with("http://");
        let (mut urls, mut emails, mut rest) = (Vec::new(), Vec::new(), Vec::new());
        for word in text.split_whitespace() {
            let bare = word.trim_start_matches('<').trim_end_matches('>');
            if is_url(bare) {
                urls.push(bare.to_owned());
            } else if bare.contains('@') {
                emails.push(bare.to_owned());
            } else {
                rest.push(word);
            }
        }
        Self { urls, emails, name: Some(rest.join(" ")).filter(|name| !name.is_empty()) }
    }
}

/// The only one, if there is one; an error if there are several.
fn one(mut words: Vec<String>) -> Result<Option<String>, Problem> {
    let word = words.pop();
    if words.is_empty() { Ok(word) } else { Err(Problem::Form) }
}

impl Value for License {
    const FORM: &'static str = "an SPDX identifier, or a name and an address, like `Apache-2.0` or `Terms of use https://example.com/terms`";

    fn parse(text: &str) -> Result<Self, Problem> {
        let Words { urls, emails, name } = Words::of(text);
        let url = one(urls)?;
        match (name, emails.is_empty()) {
            (Some(name), true) if url.is_some() || !name.contains(' ') => Ok(Self { name, url }),
            _ => Err(Problem::Form),
        }
    }

    fn render(&self) -> Rendered {
        let words: Vec<_> = [Some(self.name.as_str()), self.url.as_deref()].into_iter().flatten().collect();
        Rendered::Quoted(words.join(" "))
    }
}

impl Value for Contact {
    const FORM: &'static str = "a name, an e-mail address, the address of a page or several of them, like `Library team <team@example.com>`";

    fn parse(text: &str) -> Result<Self, Problem> {
        let Words { urls, emails, name } = Words::of(text);
        let contact = Self { name, email: one(emails)?, url: one(urls)? };
        match &contact {
            Contact { name: None, email: None, url: None } => Err(Problem::Form),
            _ => Ok(contact),
        }
    }

    fn render(&self) -> Rendered {
        let email = self.email.as_ref().map(|email| format!("<{email}>"));
        let words: Vec<_> = [self.name.clone(), email, self.url.clone()].into_iter().flatten().collect();
        Rendered::Quoted(words.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_told_apart_by_what_they_look_like() {
        let contact = Contact::parse("Library team <team@example.com> https://example.com").unwrap();
        assert_eq!(contact.name.as_deref(), Some("Library team"));
        assert_eq!(contact.email.as_deref(), Some("team@example.com"));
        assert_eq!(contact.render().text(), "Library team <team@example.com> https://example.com");
        let license = License::parse("Terms of use https://example.com/terms").unwrap();
        assert_eq!((license.name.as_str(), license.url.is_some()), ("Terms of use", true));
        for text in ["Terms of use", "https://example.com", "a@example.com", "MIT https://a https://b"] {
            assert!(License::parse(text).is_err(), "{text}");
        }
        assert!(Contact::parse("a@example.com b@example.com").is_err());
    }
}
