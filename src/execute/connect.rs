//! Making connections, with TLS or without, and cancelling what runs on them.
//! It keeps no connection.

mod tls;

use crate::{
    config::Connection as Target,
    error::{Error, Fault, Result},
};
use std::fmt;
use tokio_postgres::{
    CancelToken, Connection, Socket,
    config::{Host, SslMode, TargetSessionAttrs},
    tls::MakeTlsConnect,
};
use tokio_postgres_rustls::MakeRustlsConnect;

/// A connection of one's own, for those who read the catalog.
pub use tokio_postgres::Client;

/// What TLS makes of a socket.
pub(super) type Stream = <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream;

/// A client, and the connection that somebody has to poll for it.
pub type Pair = (Client, Connection<Socket, Stream>);

/// Knows how to reach the database.
#[derive(Clone)]
pub(super) struct Connector {
    postgres: tokio_postgres::Config,
    tls: MakeRustlsConnect,
}

impl fmt::Debug for Connector {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // It hides the password itself.
        self.postgres.fmt(out)
    }
}

impl Connector {
    /// Fails where certificates cannot be read.
    pub(super) fn new(target: &Target) -> Result<Self> {
        let mut postgres = target.postgres.clone();
        // As libpq: no TLS on a socket of this machine, whatever was asked for.
        let hosts = postgres.get_hosts();
        if !hosts.is_empty() && hosts.iter().all(|host| matches!(host, Host::Unix(_))) {
            postgres.ssl_mode(SslMode::Disable);
        }
        let tls = tls::client_config(&target.tls).map_err(|problem| {
            Error::new(Fault::DatabaseUnreachable, "Database connection error.").cause(problem)
        })?;
        Ok(Self { postgres, tls: MakeRustlsConnect::new(tls) })
    }

    pub(super) async fn connect(&self) -> std::result::Result<Pair, tokio_postgres::Error> {
        self.postgres.connect(self.tls.clone()).await
    }

    /// As `connect`; of several hosts, only to one that can be written to.
    pub(super) async fn connect_to_primary(&self) -> std::result::Result<Pair, tokio_postgres::Error> {
        let mut postgres = self.postgres.clone();
        if postgres.get_hosts().len() > 1 {
            postgres.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        postgres.connect(self.tls.clone()).await
    }

    /// Asks PostgreSQL, by a connection of its own, to stop what runs there.
    pub(super) async fn cancel(&self, token: &CancelToken) -> std::result::Result<(), tokio_postgres::Error> {
        token.cancel_query(self.tls.clone()).await
    }
}
