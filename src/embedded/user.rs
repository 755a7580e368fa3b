//! Which user the server runs as, and where that user's files belong.
//!
//! PostgreSQL refuses to run as root. When this process is root, the server and `initdb` run as another user; otherwise
//! they run as we do. This module changes no user of this process itself.

use std::{
    env,
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::Command,
};

use nix::unistd::{Gid, Uid, User, geteuid};

use super::{Context, Error};

/// Tried in this order when this process is root.
const UNPRIVILEGED: [&str; 2] = ["postgres", "nobody"];

/// The user that owns the data directory and runs the server.
#[derive(Debug, Clone)]
pub enum ServerUser {
    /// The user of this process.
    Own,
    /// Another user, because this process is root.
    Other {
        /// Its name, for messages.
        name: String,
        /// Its user id.
        uid: Uid,
        /// Its group id.
        gid: Gid,
    },
}

impl ServerUser {
    /// Decides by the user of this process.
    pub fn find() -> Result<Self, Error> {
        let own = geteuid();
        if !own.is_root() {
            let named = matches!(User::from_uid(own), Ok(Some(_)));
            return if named { Ok(Self::Own) } else { Err(Error::NamelessUser { uid: own.as_raw() }) };
        }
        UNPRIVILEGED
            .iter()
            .find_map(|name| User::from_name(name).ok().flatten())
            .map(|user| Self::Other { name: user.name, uid: user.uid, gid: user.gid })
            .ok_or(Error::NoServerUser)
    }

    /// Makes `command` run as this user, without root's supplementary groups.
    pub(super) fn run(&self, command: &mut Command) {
        match self {
            Self::Own => {}
            Self::Other { uid, gid, .. } => {
                command.uid(uid.as_raw()).gid(gid.as_raw());
            }
        }
    }

    /// Gives `path` to this user.
    pub(super) fn own(&self, path: &Path) -> Result<(), Error> {
        match self {
            Self::Own => Ok(()),
            Self::Other { name, uid, gid } => chown(path, Some(uid.as_raw()), Some(gid.as_raw()))
                .context(|| format!("give {} to user {name}", path.display())),
        }
    }

    /// Where data that is kept between runs belongs: `$XDG_DATA_HOME/pgduet`, for root `/var/lib/pgduet`.
    pub fn data_home(&self) -> Result<PathBuf, Error> {
        self.home("/var/lib", "XDG_DATA_HOME", ".local/share")
    }

    /// Where fetched files belong: `$XDG_CACHE_HOME/pgduet`, for root `/var/cache/pgduet`.
    pub(super) fn cache_home(&self) -> Result<PathBuf, Error> {
        self.home("/var/cache", "XDG_CACHE_HOME", ".cache")
    }

    /// The other user could not enter anything below root's home, so root's files go to the system's own directories.
    fn home(&self, system: &str, variable: &'static str, below_home: &str) -> Result<PathBuf, Error> {
        let base = match self {
            Self::Other { .. } => Some(PathBuf::from(system)),
            Self::Own => absolute(variable).or_else(|| Some(absolute("HOME")?.join(below_home))),
        };
        base.map(|base| base.join("pgduet")).ok_or(Error::NoHome { variable })
    }
}

/// The XDG base directory specification: a path that is not absolute is to be ignored.
fn absolute(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute())
}
