//! The gRPC contract by behaviour, over the built server and a real client.

mod aggregates;
mod batch;
mod change;
mod conflict;
mod errors;
mod functions;
mod gate;
mod generated;
mod neighbours;
mod package;
mod page;
mod read;
mod related;
mod serve;
mod stream;
mod texts;
mod types;
mod write;

use crate::support::{database::Database, grpc::Client, server::Server};
use serde_json::Value;
use tonic::Status;

const FIXTURE: &str = include_str!("../fixtures/grpc.sql");

/// A database of its own, what serves it and who asks.
struct Served {
    client: Client,
    server: Server,
    database: Database,
}

fn served() -> Served {
    served_with(FIXTURE, &[])
}

fn served_with(fixture: &str, environment: &[(&str, &str)]) -> Served {
    served_from(Database::fresh(fixture), environment)
}

fn served_from(database: Database, environment: &[(&str, &str)]) -> Served {
    let uri = database.uri("authenticator");
    let mut variables = vec![
        ("PGRST_DB_URI", uri.as_str()),
        ("PGRST_DB_SCHEMAS", "api"),
        ("PGRST_DB_ANON_ROLE", "anonymous"),
    ];
    variables.extend_from_slice(environment);
    let server = Server::start(&variables);
    let client = Client::new(&server, &database, "api", environment);
    Served { client, server, database }
}

impl Served {
    fn call(&self, path: &str, request: Value) -> Result<Value, Status> {
        self.client.call(path, request)
    }

    /// One value that SQL gives, as text.
    fn sql(&self, query: &str) -> String {
        value(&self.database, query)
    }
}

fn value(database: &Database, query: &str) -> String {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let client = database.client().await;
        let row = client.query_one(&format!("SELECT ({query})::text"), &[]).await.unwrap();
        row.get::<_, Option<String>>(0).unwrap_or_default()
    })
}

/// What an error says: its code and message.
fn said<T: std::fmt::Debug>(answer: Result<T, Status>) -> (tonic::Code, String) {
    let status = answer.expect_err("this fails");
    (status.code(), status.message().to_owned())
}
