//! What goes wrong on a connection: what PostgreSQL reports, and everything else.

use crate::{error::Severity, memory::Full};
use fallible_iterator::FallibleIterator;
use postgres_protocol::message::backend::ErrorFields;
use std::{fmt, io};

/// Why a connection gave no answer.
#[derive(Debug)]
pub(in crate::execute) enum Error {
    /// PostgreSQL reports it.
    Server(Box<ServerError>),
    /// The way to it broke.
    Io(io::Error),
    /// It does not keep to the protocol, or to what was configured.
    Protocol(String),
    /// It says more than there is memory for.
    Memory(Full),
}

/// An error as PostgreSQL reports it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::execute) struct ServerError {
    pub(in crate::execute) sqlstate: String,
    pub(in crate::execute) severity: Severity,
    pub(in crate::execute) message: String,
    pub(in crate::execute) detail: Option<String>,
    pub(in crate::execute) hint: Option<String>,
    pub(in crate::execute) table: Option<String>,
    pub(in crate::execute) column: Option<String>,
    pub(in crate::execute) constraint: Option<String>,
}

impl ServerError {
    /// Reads the fields of ErrorResponse. Before the session has an encoding, texts may be in any.
    pub(super) fn read(mut fields: ErrorFields<'_>) -> io::Result<Self> {
        let mut error = Self::default();
        while let Some(field) = fields.next()? {
            let text = || String::from_utf8_lossy(field.value_bytes()).into_owned();
            match field.type_() {
                b'C' => error.sqlstate = text(),
                // In English, whatever language PostgreSQL speaks.
                b'V' if matches!(field.value_bytes(), b"FATAL" | b"PANIC") => {
                    error.severity = Severity::Fatal
                }
                b'M' => error.message = text(),
                b'D' => error.detail = Some(text()),
                b'H' => error.hint = Some(text()),
                b't' => error.table = Some(text()),
                b'c' => error.column = Some(text()),
                b'n' => error.constraint = Some(text()),
                _ => {}
            }
        }
        Ok(error)
    }
}

impl Error {
    pub(super) fn protocol(problem: impl Into<String>) -> Self {
        Self::Protocol(problem.into())
    }

    /// Whether PostgreSQL is there, and has no more connections to give: `too_many_connections`, or a limit of the role's or
    /// the database's.
    pub(in crate::execute) fn is_full(&self) -> bool {
        match self {
            Self::Server(report) => matches!(report.sqlstate.as_str(), "53300" | "53400"),
            Self::Io(_) | Self::Protocol(_) | Self::Memory(_) => false,
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(error) => write!(out, "{}: {}", error.sqlstate, error.message),
            Self::Io(error) => error.fmt(out),
            Self::Protocol(problem) => out.write_str(problem),
            Self::Memory(full) => full.fmt(out),
        }
    }
}

impl std::error::Error for Error {}
