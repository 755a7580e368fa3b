//! Password files: `host:port:database:user:password` lines, `*` for any
//! (<https://www.postgresql.org/docs/current/libpq-pgpass.html>). A file that others may
//! read is not used, as in libpq; nor is one that cannot be read.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use super::SOCKET_DIRECTORIES;
use tokio_postgres::config::Host;

/// The password of the first line that fits the connection.
pub(super) fn password(path: &Path, config: &tokio_postgres::Config) -> Option<String> {
    let metadata = fs::metadata(path).ok()?;
    if !metadata.is_file() || metadata.permissions().mode() & 0o077 != 0 {
        return None;
    }
    let user = config.get_user()?;
    let database = config.get_dbname().unwrap_or(user);
    let ports = config.get_ports();
    let text = fs::read_to_string(path).ok()?;
    hosts(config).iter().enumerate().find_map(|(index, host)| {
        let port = ports.get(index).or(ports.first()).copied().unwrap_or(5432).to_string();
        lookup(&text, [host, &port, database, user])
    })
}

/// The hosts as a password file names them: a socket directory is `localhost` there.
fn hosts(config: &tokio_postgres::Config) -> Vec<String> {
    let names = config.get_hosts().iter().map(|host| match host {
        Host::Tcp(name) => name.clone(),
        Host::Unix(path) if SOCKET_DIRECTORIES.iter().any(|directory| Path::new(directory) == path) => {
            "localhost".to_owned()
        }
        Host::Unix(path) => path.to_string_lossy().into_owned(),
    });
    names.collect()
}

fn lookup(text: &str, wanted: [&str; 4]) -> Option<String> {
    text.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let fields = fields(line)?;
        let fits = fields.iter().zip(wanted).all(|(field, wanted)| field == "*" || field == wanted);
        fits.then(|| fields[4].clone())
    })
}

/// Five fields; `\` before `:` and `\`.
fn fields(line: &str) -> Option<[String; 5]> {
    let mut fields: [String; 5] = Default::default();
    let mut index = 0;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => fields[index].extend(chars.next()),
            ':' if index < 4 => index += 1,
            c => fields[index].push(c),
        }
    }
    (index == 4).then_some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_fits_gives_the_password() {
        let text = "# comment\nh:5432:db:other:no\nh:*:db:me:pa\\:ss\n*:*:*:*:any\nbroken";
        assert_eq!(lookup(text, ["h", "5432", "db", "me"]), Some("pa:ss".into()));
        assert_eq!(lookup(text, ["x", "1", "y", "z"]), Some("any".into()));
        assert_eq!(lookup("broken", ["x", "1", "y", "z"]), None);
    }
}
