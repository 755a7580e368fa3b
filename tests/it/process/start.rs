//! Starting: where the connection is taken from, and what is wrong enough to end at once.

use super::{SCHEMA, answers, ended, pgduet, serve, until_answering};
use crate::support::{database::Database, http::send, server::Server, tools::stdout, until};
use std::{env, fs, net::TcpListener, path::PathBuf, process::Command};
use tokio_postgres::config::Host;

/// A directory of one test, gone with the value.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("pgduet-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _left = fs::remove_dir_all(&self.0);
    }
}

/// Host and port of the test's server, as libpq's variables have them.
fn place(database: &Database) -> (String, String) {
    let config: tokio_postgres::Config = database.uri("authenticator").parse().unwrap();
    let host = match &config.get_hosts()[0] {
        Host::Tcp(name) => name.clone(),
        Host::Unix(path) => path.display().to_string(),
    };
    (host, config.get_ports().first().unwrap_or(&5432).to_string())
}

#[test]
fn every_form_of_libpq_leads_to_the_database() {
    let database = Database::fresh(SCHEMA);
    let directory = Directory::new("forms");
    let (host, port) = place(&database);
    let name = database.name();
    let query = format!("host={}&port={port}&user=authenticator&dbname={name}", host.replace('/', "%2F"));
    let uri = database.uri("authenticator");
    let (bare, ended) = (directory.file("bare"), directory.file("ended"));
    fs::write(&bare, &uri).unwrap();
    fs::write(&ended, format!("{uri}\n")).unwrap();
    let variables = [
        ("PGHOST", &host),
        ("PGPORT", &port),
        ("PGUSER", &"authenticator".into()),
        ("PGDATABASE", &name.into()),
    ]
    .map(|(name, value)| (name, value.to_owned()));
    let place = [("PGHOST", host.clone()), ("PGPORT", port.clone())];
    let only = |uri: String| vec![("PGRST_DB_URI", uri)];
    for environment in [
        variables.to_vec(),
        [variables.to_vec(), only("postgresql://".into())].concat(),
        [variables.to_vec(), only("postgresql://?".into())].concat(),
        [place.to_vec(), only(format!("postgresql://authenticator@/{name}"))].concat(),
        only(uri.clone()),
        only(format!("postgresql://?{query}")),
        only(format!("postgres:///?{query}")),
        only(format!("host='{host}' port={port} user=authenticator dbname={name}")),
        only(format!("@{bare}")),
        only(format!("@{ended}")),
    ] {
        let mut command = pgduet();
        command
            .env("PGRST_DB_SCHEMAS", "api")
            .env("PGRST_DB_ANON_ROLE", "anonymous")
            .envs(environment.clone());
        assert!(answers(&Server::run(command)), "{environment:?}");
    }
}

/// What is wrong, arguments, variables, and what the message has to name.
type Case<'c> = (&'c str, &'c [&'c str], &'c [(&'c str, &'c str)], &'c str);

const PEM: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEANURoJTlSNWDcMGWi2XTWytMTfie1LA03kRuFU4Wr64Y=";
const CUT_OFF: &str =
    r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"NURoJTlSNWDcMGWi2XTWytMTfie1LA03kRuFU4Wr64Y"}"#;

#[test]
fn what_is_wrong_for_good_ends_the_start_with_status_1_and_a_word_about_it() {
    let database = Database::fresh(SCHEMA);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let uri = database.uri("authenticator");
    let (host, server_port) = place(&database);
    let missing = format!("host={host} port={server_port} user=authenticator dbname=not_there");
    let nobody = database.uri("nobody_at_all");
    let directory = Directory::new("keys");
    let in_file = format!("@{}", directory.file("keys"));
    fs::write(directory.file("keys"), format!("\n{CUT_OFF}\n")).unwrap();
    let cases: &[Case<'_>] = &[
        ("a taken port", &[], &[("PGRST_SERVER_PORT", &port)], &port),
        ("a port that is no number", &[], &[("PGRST_SERVER_PORT", "abc")], "PGRST_SERVER_PORT"),
        ("a port beyond all ports", &[], &[("PGRST_SERVER_PORT", "70000")], "PGRST_SERVER_PORT"),
        ("a pool of nothing", &[], &[("PGRST_DB_POOL", "0")], "PGRST_DB_POOL"),
        ("a switch that is neither", &[], &[("PGRST_DB_CONFIG", "maybe")], "PGRST_DB_CONFIG"),
        ("a level that is none", &[], &[("PGRST_LOG_LEVEL", "loud")], "PGRST_LOG_LEVEL"),
        ("a flag of no option", &["--nonsense"], &[], "--nonsense"),
        ("a flag with a wrong value", &["--db-pool", "many"], &[], "db-pool"),
        ("a file that is not there", &["/nowhere/pgduet.conf"], &[], "/nowhere/pgduet.conf"),
        ("a short secret", &[], &[("PGRST_JWT_SECRET", "short")], "32"),
        ("keys that are not in JSON", &[], &[("PGRST_JWT_SECRET", PEM)], "jwt-secret is in PEM"),
        ("keys that are cut off", &[], &[("PGRST_JWT_SECRET", CUT_OFF)], "jwt-secret is no valid JSON"),
        (
            "keys in a file that are cut off",
            &[],
            &[("PGRST_JWT_SECRET", &in_file)],
            "jwt-secret is no valid JSON",
        ),
        (
            "keys elsewhere",
            &[],
            &[("PGRST_JWT_SECRET", "http://issuer.example/the/keys/of/it")],
            "jwt-secret-allow-http",
        ),
        ("a short secret for pages", &[], &[("PGDUET_PAGE_TOKEN_SECRET", "short")], "page-token-secret"),
        ("nobody for everybody", &[], &[("PGRST_DB_ANON_ROLE", "none")], "db-anon-role"),
        ("a secret of a missing file", &[], &[("PGRST_JWT_SECRET", "@/nowhere/secret")], "/nowhere/secret"),
        ("a connection that is none", &[], &[("PGRST_DB_URI", "mysql://here")], "db-uri"),
        ("a role that is not there", &[], &[("PGRST_DB_URI", &nobody)], "nobody_at_all"),
        (
            "a database that is not there, without recovery",
            &[],
            &[("PGRST_DB_URI", &missing), ("PGRST_DB_POOL_AUTOMATIC_RECOVERY", "false")],
            "not_there",
        ),
        (
            "a server that is not there, without recovery",
            &[],
            &[("PGRST_DB_URI", "postgresql://127.0.0.1:1/x"), ("PGRST_DB_POOL_AUTOMATIC_RECOVERY", "0")],
            "refused",
        ),
        (
            "a socket in no directory",
            &[],
            &[("PGRST_SERVER_UNIX_SOCKET", "/nowhere/socket")],
            "/nowhere/socket",
        ),
        ("the schema of the catalog", &[], &[("PGRST_DB_SCHEMAS", "pg_catalog")], "pg_catalog"),
    ];
    let mut wrong = Vec::new();
    for (case, arguments, environment, says) in cases {
        let mut command = pgduet();
        command.env("PGRST_DB_URI", &uri).env("PGRST_DB_SCHEMAS", "api").envs(environment.iter().copied());
        let (code, text) = ended(command.args(*arguments));
        if code != Some(1) || !text.contains(says) {
            wrong.push(format!("{case}: {code:?} {text}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn settings_in_the_database_that_cannot_be_used_end_the_start_too() {
    let database = Database::fresh(&format!(
        "{SCHEMA} CREATE FUNCTION settings() RETURNS void LANGUAGE sql AS
            $$ SELECT set_config('pgrst.db_max_rows', 'plenty', true) $$"
    ));
    let mut command = pgduet();
    command
        .env("PGRST_DB_URI", database.uri("authenticator"))
        .env("PGRST_DB_SCHEMAS", "api")
        .env("PGRST_DB_PRE_CONFIG", "public.settings");
    let (code, text) = ended(&mut command);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("db_max_rows") && text.contains("plenty"), "{text}");
}

#[test]
fn a_schema_that_is_not_there_is_waited_for() {
    let database = Database::fresh("");
    let server = serve(&database, &[]);
    let answer = send(server.address(), "GET", "/items", &[], None);
    assert_eq!((answer.status, answer.code().as_deref()), (503, Some("PGRST002")));
    assert!(answer.header("retry-after").is_some());
    let call = [("Content-Type", "application/grpc")];
    let answer = send(server.address(), "POST", "/api.v1.ItemsService/ListItems", &call, Some(""));
    assert_eq!((answer.status, answer.header("grpc-status").as_deref()), (200, Some("14")));
    database.execute(SCHEMA);
    until_answering(&server);
}

#[test]
fn a_socket_file_serves_and_its_removal_is_noticed() {
    let database = Database::fresh(SCHEMA);
    let directory = Directory::new("sockets");
    let (main, admin) = (directory.file("main"), directory.file("admin"));
    let more =
        [("PGRST_SERVER_UNIX_SOCKET", main.as_str()), ("PGRST_ADMIN_SERVER_UNIX_SOCKET", admin.as_str())];
    let server = serve(&database, &[&more[..], &[("PGRST_LOG_LEVEL", "info")]].concat());
    let curl = |socket: &str, path: &str| {
        let url = format!("http://localhost{path}");
        stdout(Command::new("curl").args(["-s", "-w", "%{http_code}", "--unix-socket", socket, &url]))
    };
    let ready = || ended(pgduet().envs(more).arg("--ready"));
    assert_eq!(curl(&main, "/items?select=id"), r#"[{"id":1}]200"#);
    until("the access log has a line", || server.access_log().starts_with("- - anonymous [").then_some(()));
    assert_eq!((curl(&admin, "/live"), curl(&admin, "/ready")), ("200".to_owned(), "loaded\n200".to_owned()));
    assert_eq!(ready(), (Some(0), format!("OK: unix:{admin}:/ready\n")));
    fs::remove_file(&main).unwrap();
    assert_eq!((curl(&admin, "/live"), curl(&admin, "/ready")), ("500".to_owned(), "loaded\n500".to_owned()));
    assert_eq!(ready(), (Some(1), format!("ERROR: unix:{admin}:/ready\n")));
}
