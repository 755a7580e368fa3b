//! The database that everything is measured on: a throw-away PostgreSQL of our own, or one that is there.
//!
//! All subjects use the same server with the same settings, fsync among them.

use std::path::{Path, PathBuf};

use anyhow::Context;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use pgduet::embedded::{Binaries, Cluster, Durability, Location};
use tokio_postgres::{Client, NoTls};

use super::caller::Caller;

/// The exposed schema.
pub(crate) const SCHEMA: &str = "bench";

/// The role that connects; it may become a caller's.
const AUTHENTICATOR: &str = "bench_authenticator";

/// The database of the cluster that `initdb` makes.
const DATABASE: &str = "postgres";

/// A database with the schema of the benchmark, and a connection of its owner.
#[derive(Debug)]
pub(crate) struct Database {
    client: Client,
    serving_uri: String,
    pgbench: PathBuf,
    version: String,
    fsync: String,
    // Last: it stops when nobody is connected any more.
    cluster: Option<Cluster>,
}

impl Database {
    /// A PostgreSQL of our own, or the one at `uri`, with the schema loaded.
    pub(crate) async fn prepare(uri: Option<&str>) -> anyhow::Result<Self> {
        let binaries = Binaries::find(None)?;
        let pgbench = binaries.program("pgbench");
        let (cluster, owner_uri, serving_uri) = match uri {
            Some(uri) => (None, uri.to_owned(), uri.to_owned()),
            None => {
                let cluster = Cluster::open(&binaries, Location::Temporary, Durability::Throwaway)?;
                let owner_uri = cluster.uri("postgres", DATABASE);
                let serving_uri = cluster.uri(AUTHENTICATOR, DATABASE);
                (Some(cluster), owner_uri, serving_uri)
            }
        };
        let (client, connection) = tokio_postgres::connect(&owner_uri, NoTls).await?;
        // It ends with its client; errors reach the client's own calls.
        tokio::spawn(connection);
        let mut database =
            Self { client, serving_uri, pgbench, version: String::new(), fsync: String::new(), cluster };
        database.execute(include_str!("schema.sql")).await.context("the schema cannot be loaded")?;
        // Visibility maps and statistics as in a database that has been there for a while. Each by itself: VACUUM
        // cannot be part of a transaction, and several statements at once are one.
        for statement in ["VACUUM ANALYZE", "CHECKPOINT", "NOTIFY pgrst, 'reload schema'"] {
            database.execute(statement).await?;
        }
        database.version =
            database.text("SELECT split_part(current_setting('server_version'), ' ', 1)").await?;
        database.fsync = database.text("SHOW fsync").await?;
        Ok(database)
    }

    /// Where servers connect to; their role may become every caller's.
    pub(crate) fn serving_uri(&self) -> &str {
        &self.serving_uri
    }

    /// Where the socket of a PostgreSQL of our own is.
    pub(crate) fn socket_directory(&self) -> Option<&Path> {
        self.cluster.as_ref().map(Cluster::socket_dir)
    }

    /// A PostgreSQL of our own as servers see it through a socket in this directory.
    pub(crate) fn uri_through(directory: &Path) -> String {
        let host = directory.display().to_string();
        format!(
            "postgresql://{AUTHENTICATOR}@/{DATABASE}?host={}",
            utf8_percent_encode(&host, NON_ALPHANUMERIC)
        )
    }

    /// Where `pgbench` is.
    pub(crate) fn pgbench(&self) -> PathBuf {
        self.pgbench.clone()
    }

    /// PostgreSQL's version.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// Whether it waits for the disk: `on` or `off`.
    pub(crate) fn fsync(&self) -> &str {
        &self.fsync
    }

    /// Runs SQL.
    pub(crate) async fn execute(&self, sql: &str) -> anyhow::Result<()> {
        self.client.batch_execute(sql).await.map_err(explain)
    }

    /// The one text value that a query gives.
    pub(crate) async fn text(&self, sql: &str) -> anyhow::Result<String> {
        let row = self.client.query_one(sql, &[]).await.map_err(explain)?;
        Ok(row.try_get(0)?)
    }

    /// The same as a caller: what it may see, and nothing of it stays.
    pub(crate) async fn text_as(&self, caller: Caller, sql: &str) -> anyhow::Result<String> {
        let (role, claims) = (caller.role(), caller.claims());
        let begin = format!("BEGIN; SET LOCAL ROLE {role}; SET LOCAL request.jwt.claims = '{claims}'");
        self.execute(&begin).await?;
        let text = self.text(sql).await?;
        self.execute("ROLLBACK").await?;
        Ok(text)
    }
}

/// The database's own words: the driver's error only says that there was one.
fn explain(error: tokio_postgres::Error) -> anyhow::Error {
    match error.as_db_error() {
        Some(said) => anyhow::anyhow!("{said}"),
        None => error.into(),
    }
}
