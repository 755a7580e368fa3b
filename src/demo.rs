//! `pgduet demo`: a sample database to try both APIs on, and the text that says how.
//!
//! It prepares and explains; serving is left to the caller. The secret and the token are public, as everything here:
//! serve a demo on the loopback address only.

use std::{fmt, path::PathBuf};

use jsonwebtoken::{EncodingKey, Header};
use serde::Serialize;
use tokio_postgres::{Client, NoTls};

use crate::embedded::{self, Binaries, Cluster, Durability, Location, ServerUser};

/// The schema to expose.
pub const SCHEMA: &str = "api";

/// The role of requests without a token.
pub const ANONYMOUS_ROLE: &str = "anonymous";

/// What the demo's tokens are signed with. It is the same everywhere, so that a token works again after a restart.
pub const JWT_SECRET: &str = "the-secret-of-the-pgduet-demo-is-public";

/// The login role that may become every role of the sample.
const LOGIN_ROLE: &str = "authenticator";

const DATABASE: &str = "demo";

const SAMPLE: &str = include_str!("demo/sample.sql");

/// The claims of the ready-made token.
#[derive(Serialize)]
struct Claims {
    role: &'static str,
    /// A member who has borrowed something.
    sub: &'static str,
    /// In seconds since 1970.
    exp: u64,
}

const CLAIMS: Claims = Claims { role: "authenticated", sub: "ada", exp: 4_102_444_800 /* 2100-01-01 */ };

/// What becomes of the data of an earlier run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// It is there again.
    Continue,
    /// It is deleted, and the sample loaded again.
    Fresh,
}

/// Which database the demo uses.
#[derive(Debug, Clone)]
pub enum Source {
    /// One of our own.
    Local {
        /// The directory of PostgreSQL's binaries; none: wherever they are found.
        pg_bin: Option<PathBuf>,
        /// Where the data is kept; none: among the user's data, see [`ServerUser::data_home`].
        data_dir: Option<PathBuf>,
        /// Whether to go on with the data of an earlier run.
        start: Start,
    },
    /// One that runs already, as a superuser: the sample is loaded into it, unless it is there. Without TLS.
    Given {
        /// What the configuration says of it.
        uri: String,
        /// What that means.
        database: Box<tokio_postgres::Config>,
    },
}

/// A database that is ready to be served. A local server stops when this is dropped.
#[derive(Debug)]
pub struct Demo {
    cluster: Option<Cluster>,
    uri: String,
    token: String,
}

/// Why there is no demo.
#[derive(Debug)]
pub enum Error {
    /// There is no local PostgreSQL.
    Embedded(embedded::Error),
    /// The sample cannot be loaded.
    Database(tokio_postgres::Error),
    /// The token cannot be signed.
    Token(jsonwebtoken::errors::Error),
    /// The task that starts PostgreSQL was cancelled.
    Cancelled(tokio::task::JoinError),
}

/// Starts PostgreSQL if it is ours to start, and loads the sample if it is not there yet.
pub async fn prepare(source: Source) -> Result<Demo, Error> {
    let token =
        jsonwebtoken::encode(&Header::default(), &CLAIMS, &EncodingKey::from_secret(JWT_SECRET.as_bytes()))
            .map_err(Error::Token)?;
    match source {
        Source::Local { pg_bin, data_dir, start } => {
            let start = move || start_cluster(pg_bin, data_dir, start);
            let cluster = tokio::task::spawn_blocking(start).await.map_err(Error::Cancelled)?;
            let cluster = cluster.map_err(Error::Embedded)?;
            let superuser = |database: &str| cluster.uri("postgres", database).parse();
            let postgres = superuser("postgres").map_err(Error::Database)?;
            create_database(&connect(&postgres).await?).await?;
            load(&mut connect(&superuser(DATABASE).map_err(Error::Database)?).await?).await?;
            Ok(Demo { uri: cluster.uri(LOGIN_ROLE, DATABASE), cluster: Some(cluster), token })
        }
        Source::Given { uri, database } => {
            load(&mut connect(&database).await?).await?;
            Ok(Demo { uri, cluster: None, token })
        }
    }
}

impl Demo {
    /// The database to serve, as a role that may become the roles of the sample.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// A token of the member `ada`, signed with [`JWT_SECRET`].
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Stops a local server and tells whether that worked; dropping does the same and only logs.
    pub fn stop(self) -> Result<(), Error> {
        self.cluster.map_or(Ok(()), |cluster| cluster.stop().map_err(Error::Embedded))
    }
}

/// What to try, for a server at `base_url`, such as `http://localhost:3000`.
pub fn guide(demo: &Demo, base_url: &str) -> String {
    let base_url = base_url.trim_end_matches('/');
    let address = base_url.split_once("://").map_or(base_url, |(_, address)| address);
    let token = demo.token();
    format!(
        r#"
A small library is served at {base_url}

A token of its member ada:
  TOKEN={token}

REST
  curl '{base_url}/books?select=title,author:authors(name)&genre=eq.mystery&order=title'
  curl '{base_url}/rpc/search_books?query=moon'
  curl '{base_url}/loans?select=due_on,book:books(title)' -H "Authorization: Bearer $TOKEN"

gRPC
  grpcurl -plaintext -d '{{"page_size": 3}}' {address} api.v1.BooksService/ListBooks
  grpcurl -plaintext -d '{{"query": "moon"}}' {address} api.v1.FunctionsService/SearchBooks
  grpcurl -plaintext -H "Authorization: Bearer $TOKEN" -d '{{}}' {address} api.v1.LoansService/ListLoans

Documentation, to read and to try out
  {base_url}/docs/
"#
    )
}

fn start_cluster(
    pg_bin: Option<PathBuf>,
    data_dir: Option<PathBuf>,
    start: Start,
) -> Result<Cluster, embedded::Error> {
    let directory = match data_dir {
        Some(directory) => directory,
        None => ServerUser::find()?.data_home()?.join("demo"),
    };
    let location = match start {
        Start::Continue => Location::Kept(directory),
        Start::Fresh => Location::Fresh(directory),
    };
    Cluster::open(&Binaries::find(pg_bin.as_deref())?, location, Durability::Durable)
}

async fn connect(database: &tokio_postgres::Config) -> Result<Client, Error> {
    let (client, connection) = database.connect(NoTls).await.map_err(Error::Database)?;
    // It ends with its client; errors reach the client's own calls.
    tokio::spawn(connection);
    Ok(client)
}

async fn create_database(client: &Client) -> Result<(), Error> {
    let found = client.query_opt("SELECT FROM pg_database WHERE datname = $1", &[&DATABASE]).await;
    if found.map_err(Error::Database)?.is_none() {
        client.batch_execute("CREATE DATABASE demo").await.map_err(Error::Database)?;
    }
    Ok(())
}

/// All or nothing: a load that was interrupted leaves an empty database.
async fn load(client: &mut Client) -> Result<(), Error> {
    let transaction = client.transaction().await.map_err(Error::Database)?;
    let loaded = transaction.query_one("SELECT to_regclass('api.books') IS NOT NULL", &[]).await;
    if !loaded.and_then(|row| row.try_get::<_, bool>(0)).map_err(Error::Database)? {
        transaction.batch_execute(SAMPLE).await.map_err(Error::Database)?;
    }
    transaction.commit().await.map_err(Error::Database)
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded(error @ embedded::Error::Held { .. }) => {
                write!(
                    f,
                    "{error}. Stop that one, or give this one another --data-dir and another --server-port."
                )
            }
            Self::Embedded(error @ embedded::Error::OtherMajor { .. }) => {
                write!(f, "{error}. Name the right binaries with --pg-bin, or begin anew with --fresh.")
            }
            Self::Embedded(error) => error.fmt(f),
            Self::Database(error) => match error.as_db_error() {
                Some(reason) => write!(f, "the sample cannot be loaded: {reason}"),
                None => write!(f, "the sample cannot be loaded: {error}"),
            },
            Self::Token(error) => write!(f, "the sample's token cannot be signed: {error}"),
            Self::Cancelled(error) => write!(f, "PostgreSQL was not started: {error}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Embedded(error) => Some(error),
            Self::Database(error) => Some(error),
            Self::Token(error) => Some(error),
            Self::Cancelled(error) => Some(error),
        }
    }
}
