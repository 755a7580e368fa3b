//! What the requests of several users share is one connection, and nothing else: each of these tests serves a database
//! by a pool of one, and looks at what one request leaves for the next.

mod dates;
mod rights;
mod statements;
mod traces;
mod types;

use crate::support::{
    database::Database,
    grpc::{Client, Options},
    http::Connection,
    server::Server,
};
use serde_json::{Value, json};
use std::cell::RefCell;
use tonic::Status;

const SECRET: &str = "reallyreallyreallyreallyverysafe";

/// A database of its own, and what serves it.
struct Served {
    database: Database,
    server: Server,
    connection: RefCell<Connection>,
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Anonymous,
    Authenticated,
}

impl Who {
    fn token(self) -> Option<String> {
        let role = match self {
            Who::Anonymous => return None,
            Who::Authenticated => "authenticated",
        };
        let key = jsonwebtoken::EncodingKey::from_secret(SECRET.as_bytes());
        Some(jsonwebtoken::encode(&jsonwebtoken::Header::default(), &json!({"role": role}), &key).unwrap())
    }
}

fn served(sql: &str) -> Served {
    served_with(sql, &[])
}

fn served_with(sql: &str, environment: &[(&str, &str)]) -> Served {
    let database = Database::fresh(sql);
    let uri = database.uri("authenticator");
    let mut variables = vec![
        ("PGRST_DB_URI", uri.as_str()),
        ("PGRST_DB_SCHEMAS", "api"),
        ("PGRST_DB_ANON_ROLE", "anonymous"),
        ("PGRST_DB_POOL", "1"),
        ("PGRST_DB_CHANNEL_ENABLED", "false"),
        ("PGRST_JWT_SECRET", SECRET),
    ];
    variables.extend_from_slice(environment);
    let server = Server::start(&variables);
    let connection = RefCell::new(Connection::open(server.address()));
    Served { database, server, connection }
}

impl Served {
    /// Asks, and gives status, headers in lower case and body.
    fn ask(&self, who: Who, method: &str, target: &str, body: Option<&str>) -> crate::support::http::Answer {
        let bearer = who.token().map(|token| format!("Bearer {token}"));
        let mut headers = vec![("Prefer", "return=representation"), ("Content-Type", "application/json")];
        headers.extend(bearer.as_deref().map(|bearer| ("Authorization", bearer)));
        self.connection.borrow_mut().send(method, target, &headers, body.map(str::as_bytes)).unwrap()
    }

    /// The body of an answer to nobody in particular, which has to be a success.
    fn get(&self, target: &str) -> String {
        let answer = self.ask(Who::Anonymous, "GET", target, None);
        assert!((200..300).contains(&answer.status), "{target}: {} {}", answer.status, answer.text());
        answer.text()
    }

    fn client(&self) -> Client {
        Client::new(&self.server, &self.database, "api", &[])
    }
}

fn call(client: &Client, who: Who, method: &str, request: Value) -> Result<Value, Status> {
    client.call_with(method, request, &Options { token: who.token(), ..Options::default() })
}
