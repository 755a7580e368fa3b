//! What can be wrong with a configuration, in words that name the option, the source and
//! the expected form. Errors keep the process from starting; warnings are logged.

use std::{fmt, path::PathBuf};

use super::value::Problem;

/// Where a text was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A line of the configuration file.
    File {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The name as it stands there.
        name: String,
    },
    /// An environment variable.
    Environment(String),
    /// A flag, without its dashes.
    Flag(String),
    /// A setting in the database, with its prefix.
    Database(String),
    /// The option table.
    Default(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::File { path, line, name } => write!(f, "{}:{line} {name}", path.display()),
            Origin::Environment(name) | Origin::Database(name) => f.write_str(name),
            Origin::Default(name) => f.write_str(name),
            Origin::Flag(name) => write!(f, "--{name}"),
        }
    }
}

/// An option's text that is not a value of its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// The option's name.
    pub option: &'static str,
    /// Where the text is.
    pub origin: Origin,
    /// The text, where it may be shown.
    pub text: Option<String>,
    /// The expected form.
    pub form: &'static str,
    /// What is wrong with it.
    pub problem: Problem,
}

/// A configuration that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// An option's text is not a value of its type.
    Invalid(Box<Invalid>),
    /// A file cannot be read.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What asks for it: an option's origin, or "the configuration file".
        wanted_by: String,
        /// The operating system's words.
        problem: String,
    },
    /// The configuration file is not of its grammar.
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// Options that cannot stand together, or a value that only a later stage can judge.
    /// A whole sentence.
    Unusable(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Invalid(invalid) => invalid.fmt(f),
            Error::Unreadable { path, wanted_by, problem } => {
                write!(f, "cannot read {} for {wanted_by}: {problem}", path.display())
            }
            Error::Syntax { path, line, problem } => write!(f, "{}:{line}: {problem}", path.display()),
            Error::Unusable(sentence) => f.write_str(sentence),
        }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Invalid { option, origin, text, form, problem } = self;
        match (problem, text) {
            (Problem::Because(sentence), _) => write!(f, "{sentence} ({origin})"),
            (Problem::Form, Some(text)) => {
                write!(f, "Invalid {option}. Check your configuration. {origin}={text}: expected {form}")
            }
            (Problem::Form, None) => {
                write!(f, "Invalid {option}. Check your configuration. {origin}: expected {form}")
            }
        }
    }
}

impl std::error::Error for Error {}

/// Something in a configuration that has no effect, or soon will have none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// No option has this name.
    Unknown(Origin),
    /// The option cannot be set inside the database.
    NotInDatabase(Origin),
    /// A reload changed an option that takes effect at the next start.
    NeedsRestart(&'static str),
    /// The role claim's path is in the older language; shown as it is dumped.
    LegacyClaimPath(String),
    /// A connection parameter that pgduet does not act upon.
    IgnoredConnectionParameter(String),
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::Unknown(origin) => write!(f, "{origin} is not an option and has no effect"),
            Warning::NotInDatabase(origin) => {
                write!(f, "{origin} cannot be set in the database and has no effect")
            }
            Warning::NeedsRestart(option) => {
                write!(f, "{option} has changed; it takes effect at the next start")
            }
            Warning::LegacyClaimPath(path) => write!(
                f,
                "WARNING: The config `jwt-role-claim-key={path}` is using the deprecated JSPath syntax. \
                 Write it as a JSON Path (RFC 9535), which begins with `$`"
            ),
            Warning::IgnoredConnectionParameter(name) => {
                write!(f, "the connection parameter {name} is not supported and has no effect")
            }
        }
    }
}
