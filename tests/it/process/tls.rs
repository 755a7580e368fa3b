//! TLS on the listener, as real clients speak it: curl, grpcurl and Python's grpcio.

use super::{SCHEMA, ended, pgduet, serve};
use crate::support::{
    database::Database,
    server::Server,
    tools::{stdout, tool},
    until,
};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// What the transaction is told of the client's certificate.
const PEERS: &str = "
    CREATE VIEW api.peers AS SELECT coalesce(current_setting('request.tls.subject', true), '') AS subject;
    GRANT SELECT ON api.peers TO anonymous;
";

/// Certificates of one test, gone with the value.
pub(super) struct Certificates(PathBuf);

impl Certificates {
    /// An authority, and what the server and a client show.
    pub(super) fn new(name: &str) -> Self {
        let directory = env::temp_dir().join(format!("pgduet-listener-{name}-{}", std::process::id()));
        let _left = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).unwrap();
        let made = Self(directory);
        made.authority("authority");
        made.sign("server", "/CN=localhost", "authority");
        made.sign("client", "/O=Example/CN=reports", "authority");
        made
    }

    fn openssl(&self, arguments: &str) {
        let arguments = arguments.split_ascii_whitespace();
        stdout(Command::new("openssl").current_dir(&self.0).stderr(Stdio::null()).args(arguments));
    }

    pub(super) fn authority(&self, name: &str) {
        self.openssl(&format!(
            "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -x509
             -keyout {name}.key -out {name}.crt -subj /CN={name}"
        ));
    }

    fn sign(&self, name: &str, subject: &str, authority: &str) {
        fs::write(self.0.join("names"), "subjectAltName = DNS:localhost").unwrap();
        self.openssl(&format!(
            "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout {name}.key -out {name}.csr -subj {subject}"
        ));
        self.openssl(&format!(
            "x509 -req -in {name}.csr -CA {authority}.crt -CAkey {authority}.key -CAcreateserial -days 2
             -extfile names -out {name}.crt"
        ));
    }

    pub(super) fn file(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }

    fn options(&self) -> [(&'static str, String); 2] {
        [
            ("PGDUET_SERVER_TLS_CERTIFICATE", self.file("server.crt")),
            ("PGDUET_SERVER_TLS_KEY", self.file("server.key")),
        ]
    }
}

impl Drop for Certificates {
    fn drop(&mut self) {
        let _left = fs::remove_dir_all(&self.0);
    }
}

/// A server that speaks TLS, and takes the certificates of the authority's clients.
fn secured(database: &Database, certificates: &Certificates) -> Server {
    let [certificate, key] = certificates.options();
    let authority = certificates.file("authority.crt");
    serve(
        database,
        &[(certificate.0, &certificate.1), (key.0, &key.1), ("PGDUET_SERVER_TLS_CLIENT_CA", &authority)],
    )
}

fn port(server: &Server) -> &str {
    server.address().rsplit(':').next().unwrap()
}

/// What curl prints for a path of the server, trusting this authority.
fn curl(server: &Server, authority: &Path, path: &str, more: &[&str]) -> Output {
    Command::new("curl")
        .args(["-sS", "--cacert"])
        .arg(authority)
        .args(more)
        .arg(format!("https://localhost:{}{path}", port(server)))
        .output()
        .unwrap()
}

#[test]
fn curl_speaks_each_version_of_tls_and_http() {
    let database = Database::fresh(SCHEMA);
    let certificates = Certificates::new("versions");
    let server = secured(&database, &certificates);
    let authority = certificates.0.join("authority.crt");
    for (arguments, version) in [
        (&["--tls-max", "1.2", "--http1.1"][..], "1.1"),
        (&["--tls-max", "1.2", "--http2"], "2"),
        (&["--tlsv1.3", "--http1.1"], "1.1"),
        (&["--tlsv1.3", "--http2"], "2"),
        // ALPN alone decides.
        (&[], "2"),
    ] {
        let more = [arguments, &["-w", " %{http_version}"]].concat();
        let printed = curl(&server, &authority, "/items?select=id", &more);
        let text = String::from_utf8_lossy(&printed.stdout).into_owned();
        assert_eq!(text, format!(r#"[{{"id":1}}] {version}"#), "{arguments:?} {printed:?}");
    }
    let old = curl(&server, &authority, "/items", &["--tls-max", "1.1"]);
    assert!(!old.status.success(), "{old:?}");
    let plain = Command::new("curl").args(["-sS", &server.url()]).output().unwrap();
    assert!(!plain.status.success(), "{plain:?}");
    let document = curl(&server, &authority, "/", &["-H", "Accept: application/openapi+json"]);
    assert!(document.status.success());
}

#[test]
fn the_subject_of_a_client_s_certificate_is_told_to_sql_and_no_certificate_is_needed() {
    let database = Database::fresh(&format!("{SCHEMA}{PEERS}"));
    let certificates = Certificates::new("clients");
    certificates.authority("stranger");
    certificates.sign("unknown", "/CN=unknown", "stranger");
    let server = secured(&database, &certificates);
    let authority = certificates.0.join("authority.crt");
    let with = |name: &str| {
        let (certificate, key) =
            (certificates.file(&format!("{name}.crt")), certificates.file(&format!("{name}.key")));
        ["--cert".to_owned(), certificate, "--key".to_owned(), key]
    };
    let seen = |more: &[String]| {
        let more: Vec<_> = more.iter().map(String::as_str).collect();
        let printed = curl(&server, &authority, "/peers", &more);
        printed.status.success().then(|| String::from_utf8(printed.stdout).unwrap())
    };
    assert_eq!(seen(&with("client")).as_deref(), Some(r#"[{"subject":"CN=reports,O=Example"}]"#));
    assert_eq!(seen(&[]).as_deref(), Some(r#"[{"subject":""}]"#));
    assert_eq!(seen(&with("unknown")), None);
}

#[test]
fn grpcurl_and_grpcio_need_no_proxy() {
    const CALL: &str = "
import sys, grpc
address, authority, certificate, key = sys.argv[1], *(open(name, 'rb').read() for name in sys.argv[2:])
def call(*shown):
    credentials = grpc.ssl_channel_credentials(authority, *shown)
    with grpc.secure_channel(address, credentials) as channel:
        method = channel.unary_unary('/api.v1.PeersService/ListPeers')
        print(method(b'', timeout=30))
call(key, certificate)
call()
";
    let database = Database::fresh(&format!("{SCHEMA}{PEERS}"));
    let certificates = Certificates::new("grpc");
    let server = secured(&database, &certificates);
    let address = format!("localhost:{}", port(&server));
    let [authority, certificate, key] =
        ["authority.crt", "client.crt", "client.key"].map(|name| certificates.file(name));
    let list = ["-d", "{}", &address, "api.v1.PeersService/ListPeers"];
    let shown = ["-cacert", &authority, "-cert", &certificate, "-key", &key];
    let printed = stdout(Command::new(tool("bin/grpcurl")).args(shown).args(list));
    assert!(printed.contains("CN=reports,O=Example"), "{printed}");
    let printed = stdout(Command::new(tool("bin/grpcurl")).args(["-cacert", &authority]).args(list));
    assert!(!printed.contains("CN="), "{printed}");
    let printed = stdout(Command::new(tool("python/bin/python")).args([
        "-c",
        CALL,
        &address,
        &authority,
        &certificate,
        &key,
    ]));
    let answers: Vec<_> = printed.lines().collect();
    assert!(answers.len() == 2 && answers[0].contains("CN=reports,O=Example"), "{printed}");
    assert!(!answers[1].contains("CN="), "{printed}");
}

#[test]
fn a_certificate_that_changes_is_read_again_and_one_that_is_broken_is_not() {
    let database = Database::fresh(SCHEMA);
    let certificates = Certificates::new("renewal");
    let server = secured(&database, &certificates);
    let is_trusted = |authority: &str| {
        curl(&server, &certificates.0.join(format!("{authority}.crt")), "/items", &[]).status.success()
    };
    assert!(is_trusted("authority"));
    certificates.authority("next");
    certificates.authority("last");
    // By a signal.
    certificates.sign("server", "/CN=localhost", "next");
    server.signal("USR2");
    until("the new one is shown", || is_trusted("next").then_some(()));
    assert!(!is_trusted("authority"));
    // A broken one is left alone.
    fs::write(certificates.0.join("server.crt"), "-----BEGIN").unwrap();
    server.signal("HUP");
    server.says("The certificate of the server stays as it was", 1);
    assert!(is_trusted("next"));
    // Without a signal.
    certificates.sign("server", "/CN=localhost", "last");
    until("the last one is shown", || is_trusted("last").then_some(()));
}

#[test]
fn what_cannot_be_spoken_ends_the_start() {
    let database = Database::fresh(SCHEMA);
    let certificates = Certificates::new("wrong");
    let [certificate, key] = certificates.options();
    let other = (key.0, certificates.file("client.key"));
    let missing = (certificate.0, "/nowhere/server.crt".to_owned());
    for (variables, says) in [
        (vec![certificate.clone()], "server-tls-certificate needs server-tls-key"),
        (vec![key.clone()], "need server-tls-certificate"),
        (vec![missing, key.clone()], "/nowhere/server.crt"),
        (vec![certificate.clone(), other], "TLS cannot be spoken"),
        (
            vec![certificate, key, ("PGRST_SERVER_UNIX_SOCKET", certificates.file("socket"))],
            "server-unix-socket",
        ),
    ] {
        let mut command = pgduet();
        command
            .env("PGRST_DB_URI", database.uri("authenticator"))
            .env("PGRST_DB_SCHEMAS", "api")
            .envs(variables);
        let (code, text) = ended(&mut command);
        assert!(code == Some(1) && text.contains(says), "{says}: {code:?} {text}");
    }
}
