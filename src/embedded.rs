//! A PostgreSQL server of our own: what `pgduet demo` and the tests run on.
//!
//! Real PostgreSQL binaries ([`Binaries`], installed or fetched with npm), a data directory made by `initdb`, and one
//! `postgres` process ([`Cluster`]) that listens on a unix socket only and stops when this process stops, however that
//! happens.
//!
//! What this module does not do: it never listens on TCP, never uses a server that it did not start, and knows nothing
//! of schemas, roles or SQL. Everything here blocks; call it before serving, or from a blocking task.

mod binaries;
mod cluster;
mod npm;
mod process;
mod user;

use std::{fmt, io, path::PathBuf};

pub use binaries::Binaries;
pub use cluster::{Cluster, Durability, Location, initialise};
pub use user::ServerUser;

/// Why there is no local PostgreSQL.
#[derive(Debug)]
pub enum Error {
    /// No usable binaries on this system, and npm could not bring them.
    NoBinaries {
        /// Why npm was of no help.
        npm: Box<Error>,
        /// The command that installs PostgreSQL here.
        install: &'static str,
    },
    /// npm could not bring PostgreSQL's binaries.
    Npm {
        /// Why, in npm's own words where it has some.
        reason: String,
    },
    /// A directory was named, or fetched, that holds no binaries that run here.
    UnusableBinaries {
        /// The directory.
        directory: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// `initdb` asks the system for the name of its user, and this one has none.
    NamelessUser {
        /// The numeric user id.
        uid: u32,
    },
    /// This process is root, and the system has no user that the server could run as.
    NoServerUser,
    /// Neither the XDG variable nor `HOME` says where files of this kind belong.
    NoHome {
        /// The XDG variable that was looked at first.
        variable: &'static str,
    },
    /// Another process works with this directory.
    Held {
        /// The directory.
        directory: PathBuf,
        /// The process that holds it, as far as it left its name.
        holder: String,
    },
    /// The data directory was made by another major version of PostgreSQL.
    OtherMajor {
        /// The data directory.
        directory: PathBuf,
        /// What it was made by.
        data: String,
        /// What the binaries are.
        binaries: u32,
    },
    /// `initdb` failed.
    Initdb {
        /// What it wrote.
        output: String,
    },
    /// The server ended before it was ready.
    ServerEnded {
        /// Its log.
        log: String,
    },
    /// The system refused something.
    Io {
        /// What was tried, in words that complete "cannot …".
        action: String,
        /// The system's answer.
        source: io::Error,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoBinaries { npm, install } => write!(
                f,
                "there is no PostgreSQL on this system; install it with: {install}\n(npm could have fetched it, but: {npm})"
            ),
            Self::Npm { reason } => f.write_str(reason),
            Self::UnusableBinaries { directory, reason } => {
                write!(f, "{} holds no usable PostgreSQL: {reason}", directory.display())
            }
            Self::NamelessUser { uid } => write!(
                f,
                "user id {uid} has no entry in the system's user database, and PostgreSQL's initdb needs one; \
                 run as a user that has a name"
            ),
            Self::NoServerUser => f.write_str(
                "PostgreSQL refuses to run as root, and there is neither a user `postgres` nor a user `nobody`",
            ),
            Self::NoHome { variable } => write!(f, "neither {variable} nor HOME is set to an absolute path"),
            Self::Held { directory, holder } => write!(f, "{} is in use by {holder}", directory.display()),
            Self::OtherMajor { directory, data, binaries } => write!(
                f,
                "the data in {} belongs to PostgreSQL {data}, and these binaries are PostgreSQL {binaries}",
                directory.display()
            ),
            Self::Initdb { output } => write!(f, "initdb failed:\n{output}"),
            Self::ServerEnded { log } => write!(f, "PostgreSQL ended before it was ready:\n{log}"),
            Self::Io { action, source } => write!(f, "cannot {action}: {source}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::NoBinaries { .. }
            | Self::Npm { .. }
            | Self::UnusableBinaries { .. }
            | Self::NamelessUser { .. }
            | Self::NoServerUser
            | Self::NoHome { .. }
            | Self::Held { .. }
            | Self::OtherMajor { .. }
            | Self::Initdb { .. }
            | Self::ServerEnded { .. } => None,
        }
    }
}

/// Says what was tried when the system refuses it.
trait Context<T> {
    /// `action` completes the sentence "cannot …".
    fn context(self, action: impl FnOnce() -> String) -> Result<T, Error>;
}

impl<T> Context<T> for io::Result<T> {
    fn context(self, action: impl FnOnce() -> String) -> Result<T, Error> {
        self.map_err(|source| Error::Io { action: action(), source })
    }
}
