//! The two schemas whose documents others have to read: the demo's, and one that is as awkward as PostgreSQL allows.

use crate::{
    demo::given,
    support::{database::Database, http::send, server::Server, token::token},
};
use pgduet::demo::JWT_SECRET;
use std::{
    fs,
    path::{Path, PathBuf},
};

pub(super) const AWKWARD: &str = include_str!("../../fixtures/awkward.sql");
const SECRET: &str = "the secret of the awkward schema, in public";

/// A schema, served.
pub(super) struct Described {
    /// What it is called in `tests/clients/openapi`.
    pub(super) name: &'static str,
    pub(super) server: Server,
    pub(super) token: String,
    pub(super) database: Database,
}

/// The demo.
pub(super) fn demo() -> Described {
    let database = Database::fresh("");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let demo = runtime.block_on(pgduet::demo::prepare(given(&database))).unwrap();
    served("demo", database, JWT_SECRET, demo.token().to_owned())
}

/// The awkward schema.
pub(super) fn awkward() -> Described {
    let token = token(SECRET, r#"{"role":"authenticated"}"#);
    served("awkward", Database::fresh(AWKWARD), SECRET, token)
}

fn served(name: &'static str, database: Database, secret: &str, token: String) -> Described {
    let server = Server::start(&[
        ("PGRST_DB_URI", &database.uri("authenticator")),
        ("PGRST_DB_SCHEMAS", "api"),
        ("PGRST_DB_ANON_ROLE", "anonymous"),
        ("PGRST_JWT_SECRET", secret),
        ("PGDUET_OPENAPI_LICENSE", "Apache-2.0"),
        ("PGDUET_OPENAPI_CONTACT", "Team <team@example.com>"),
    ]);
    Described { name, server, token, database }
}

/// A directory that is gone when this is.
pub(super) struct Scratch(pub(super) PathBuf);

impl Scratch {
    pub(super) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("pgduet-openapi-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Described {
    /// Its document, as the role of the token may use it.
    pub(super) fn document(&self) -> String {
        let authorization = format!("Bearer {}", self.token);
        let answer =
            send(self.server.address(), "GET", "/", &[("Authorization", authorization.as_str())], None);
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.text()
    }

    /// Writes its document to `openapi.json` in a directory.
    pub(super) fn written(&self, directory: &Path) -> PathBuf {
        fs::create_dir_all(directory).unwrap();
        let path = directory.join("openapi.json");
        fs::write(&path, self.document()).unwrap();
        path
    }
}
