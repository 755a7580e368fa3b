//! Whether somebody between pgduet and the database could stand in for it, as the connection string says. It connects
//! to nothing.

use crate::config::{Connection, connection::Verification};
use tokio_postgres::config::{Host, SslMode};

/// Whether all of the way to the database is inside this machine, or is encrypted to a server that proves its name.
pub(super) fn is_verified(connection: &Connection) -> bool {
    let encrypted = match connection.postgres.get_ssl_mode() {
        SslMode::Require => true,
        SslMode::Disable | SslMode::Prefer => false,
        // An open enumeration: what it will hold is not known to be safe.
        _ => false,
    };
    let proven = connection.tls.verification == Verification::AuthorityAndName;
    let addresses = connection.postgres.get_hostaddrs();
    let inside = match addresses.is_empty() {
        true => connection.postgres.get_hosts().iter().all(is_inside),
        false => addresses.iter().all(std::net::IpAddr::is_loopback),
    };
    inside || encrypted && proven
}

fn is_inside(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost" || name.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
        }
    }
}
