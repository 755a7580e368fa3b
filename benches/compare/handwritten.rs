//! The handler that one would write by hand for two of the cases: axum on deadpool-postgres, with the SQL of each
//! route in it. PostgreSQL makes the JSON, a statement is prepared once on each connection, and there is no
//! transaction; the connections have the role from the beginning.

use std::str::FromStr;

use anyhow::Context;
use axum::{
    Router,
    extract::{RawQuery, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
    serve::ListenerExt,
};
use deadpool_postgres::{Manager, ManagerConfig, Pool, PoolError, RecyclingMethod, Runtime};
use tokio::{net::TcpListener, runtime};
use tokio_postgres::{Config, NoTls};

use super::caller::Caller;

/// The cases that it answers.
pub(crate) const CASES: [&str; 2] = ["key", "page"];

/// The name of its threads.
pub(crate) const THREADS: &str = "handwritten";

const ROW: &str =
    "SELECT coalesce(json_agg(item), '[]')::text FROM (SELECT * FROM bench.items WHERE id = $1) AS item";
const PAGE: &str = "SELECT coalesce(json_agg(item), '[]')::text \
                    FROM (SELECT * FROM bench.items WHERE id > $1 ORDER BY id LIMIT 100) AS item";

/// The server, on threads of its own; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct HandWritten {
    /// `host:port`.
    pub(crate) authority: String,
    _runtime: runtime::Runtime,
}

impl HandWritten {
    /// Starts it on the database at `uri` with a pool of `size` connections.
    pub(crate) fn start(uri: &str, size: usize) -> anyhow::Result<Self> {
        let mut config = Config::from_str(uri)?;
        config.options(format!("-c role={}", Caller::Anonymous.role()));
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(config, NoTls, recycling);
        let pool = Pool::builder(manager).max_size(size).runtime(Runtime::Tokio1).build()?;
        let runtime = runtime::Builder::new_multi_thread().thread_name(THREADS).enable_all().build()?;
        let listener = runtime
            .block_on(TcpListener::bind("127.0.0.1:0"))
            .context("no port for the hand-written server")?;
        let authority = listener.local_addr()?.to_string();
        let router = Router::new().route("/items", get(items)).with_state(pool);
        let listener = listener.tap_io(|stream| {
            let _it_ends_soon = stream.set_nodelay(true);
        });
        runtime.spawn(async move { axum::serve(listener, router).await });
        Ok(Self { authority, _runtime: runtime })
    }
}

/// `/items?id=eq.1` and `/items?id=gt.1&order=id&limit=100`.
async fn items(State(pool): State<Pool>, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let page = query.strip_prefix("id=gt.").and_then(|rest| rest.strip_suffix("&order=id&limit=100"));
    let (sql, key) = match page {
        Some(key) => (PAGE, key),
        None => (ROW, query.strip_prefix("id=eq.").unwrap_or_default()),
    };
    let Ok(key) = key.parse() else { return StatusCode::BAD_REQUEST.into_response() };
    match rows(&pool, sql, key).await {
        Ok(json) => ([(header::CONTENT_TYPE, "application/json; charset=utf-8")], json).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn rows(pool: &Pool, sql: &str, key: i32) -> Result<String, PoolError> {
    let client = pool.get().await?;
    let statement = client.prepare_cached(sql).await?;
    Ok(client.query_one(&statement, &[&key]).await?.try_get(0)?)
}
