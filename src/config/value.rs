//! What an option's value can be: reading it from text, writing it back.
//! Every type says the form it expects, for error messages and for CONFIG.md.
//! Nothing here knows which option or which source a text came from.

use std::{num::NonZeroUsize, path::PathBuf, time::Duration};

/// A type that an option can have.
pub trait Value: Sized {
    /// The expected form as a noun phrase: "a whole number".
    const FORM: &'static str;

    /// Reads the value from text. White space around it counts where it can be meant: a secret
    /// may end with it, a number not.
    fn parse(text: &str) -> Result<Self, Problem>;

    /// Writes the value so that `parse` reads it again.
    fn render(&self) -> Rendered;

    /// Reads the value from the bytes of a file (`@path`). Only secrets may be other than UTF-8.
    fn from_bytes(bytes: &[u8]) -> Result<Self, Problem> {
        Self::parse(std::str::from_utf8(bytes).map_err(|_| Problem::Form)?)
    }
}

/// Why a text is not a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// It has not the expected form; [`Value::FORM`] says all there is to say.
    Form,
    /// It has the form and still cannot stand. A whole sentence.
    Because(String),
}

/// A value as the configuration file writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rendered {
    /// A number or a boolean.
    Bare(String),
    /// Anything else, not yet quoted or escaped.
    Quoted(String),
}

impl Rendered {
    /// The value without quotes.
    pub fn text(&self) -> &str {
        match self {
            Rendered::Bare(text) | Rendered::Quoted(text) => text,
        }
    }
}

/// The empty text is "not set".
impl<T: Value> Value for Option<T> {
    const FORM: &'static str = T::FORM;

    fn parse(text: &str) -> Result<Self, Problem> {
        match text {
            "" => Ok(None),
            text => T::parse(text).map(Some),
        }
    }

    fn render(&self) -> Rendered {
        match self {
            None => Rendered::Quoted(String::new()),
            Some(value) => value.render(),
        }
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, Problem> {
        match bytes {
            [] => Ok(None),
            bytes => T::from_bytes(bytes).map(Some),
        }
    }
}

impl Value for bool {
    const FORM: &'static str = "true or false";

    /// Any case, quoted once more or not, or a number: positive is true, as PostgREST reads it.
    fn parse(text: &str) -> Result<Self, Problem> {
        let word = text.trim_matches(['"', '\'', ' ']);
        if word.eq_ignore_ascii_case("true") {
            Ok(true)
        } else if word.eq_ignore_ascii_case("false") {
            Ok(false)
        } else {
            word.parse::<i64>().map(|number| number > 0).map_err(|_| Problem::Form)
        }
    }

    fn render(&self) -> Rendered {
        Rendered::Bare(self.to_string())
    }
}

macro_rules! whole_numbers {
    ($($type:ty: $form:literal),+ $(,)?) => {$(
        impl Value for $type {
            const FORM: &'static str = $form;

            fn parse(text: &str) -> Result<Self, Problem> {
                text.trim().parse().map_err(|_| Problem::Form)
            }

            fn render(&self) -> Rendered {
                Rendered::Bare(self.to_string())
            }
        }
    )+};
}

whole_numbers! {
    u16: "a port number from 0 to 65535",
    u64: "a whole number",
    usize: "a whole number",
    NonZeroUsize: "a whole number from 1 up",
}

impl Value for Duration {
    const FORM: &'static str = "a whole number of seconds";

    fn parse(text: &str) -> Result<Self, Problem> {
        text.trim().parse().map(Duration::from_secs).map_err(|_| Problem::Form)
    }

    fn render(&self) -> Rendered {
        Rendered::Bare(self.as_secs().to_string())
    }
}

impl Value for String {
    const FORM: &'static str = "text";

    fn parse(text: &str) -> Result<Self, Problem> {
        Ok(text.to_owned())
    }

    fn render(&self) -> Rendered {
        Rendered::Quoted(self.clone())
    }
}

impl Value for PathBuf {
    const FORM: &'static str = "a path";

    fn parse(text: &str) -> Result<Self, Problem> {
        Ok(PathBuf::from(text))
    }

    fn render(&self) -> Rendered {
        Rendered::Quoted(self.to_string_lossy().into_owned())
    }
}

/// Names separated by commas, white space around them ignored; empty text is an empty list.
impl Value for Vec<String> {
    const FORM: &'static str = "a list separated by commas";

    fn parse(text: &str) -> Result<Self, Problem> {
        Ok(text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect())
    }

    fn render(&self) -> Rendered {
        Rendered::Quoted(self.join(","))
    }
}

/// Implements [`Value`] for a closed set of words. The first argument is the form.
macro_rules! words {
    ($(#[$meta:meta])* $type:ident, $form:literal, $($(#[$variant_meta:meta])* $variant:ident = $word:literal),+ $(,)?) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $type {
            $($(#[$variant_meta])* $variant),+
        }

        impl $type {
            /// The word for it in a configuration.
            pub fn word(self) -> &'static str {
                match self {
                    $($type::$variant => $word),+
                }
            }
        }

        impl $crate::config::value::Value for $type {
            const FORM: &'static str = $form;

            fn parse(text: &str) -> Result<Self, $crate::config::value::Problem> {
                match text {
                    $($word => Ok($type::$variant),)+
                    _ => Err($crate::config::value::Problem::Form),
                }
            }

            fn render(&self) -> $crate::config::value::Rendered {
                $crate::config::value::Rendered::Quoted(self.word().to_owned())
            }
        }
    };
}
pub(crate) use words;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boolean_is_read_in_every_spelling_that_postgrest_reads() {
        for (text, expected) in [
            ("true", true),
            ("TRUE", true),
            ("False", false),
            ("\"true\"", true),
            ("1", true),
            ("0", false),
            ("2", true),
            ("13", true),
            ("-1", false),
        ] {
            assert_eq!(bool::parse(text), Ok(expected), "{text}");
        }
        for text in ["yes", "", "tru", "1.5"] {
            assert_eq!(bool::parse(text), Err(Problem::Form), "{text}");
        }
    }

    #[test]
    fn empty_text_is_no_value_of_an_optional_type() {
        assert_eq!(<Option<u16>>::parse(""), Ok(None));
        assert_eq!(<Option<u16>>::parse("3001"), Ok(Some(3001)));
        assert_eq!(<Option<u16>>::parse("65536"), Err(Problem::Form));
        assert_eq!(None::<u16>.render(), Rendered::Quoted(String::new()));
    }

    #[test]
    fn a_list_ignores_white_space_and_empty_names() {
        assert_eq!(
            <Vec<String>>::parse("multi,   tenant,setup,"),
            Ok(vec!["multi".into(), "tenant".into(), "setup".into()])
        );
        assert_eq!(<Vec<String>>::parse(""), Ok(vec![]));
    }
}
