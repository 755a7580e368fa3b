//! Connections over TLS: how far `sslmode` trusts the server, and what it takes
//! to be trusted by it.

use super::*;
use crate::support::{address, tools::stdout};
use pgduet::embedded::{Binaries, Durability, initialise};
use std::{
    env, fs,
    os::unix::{
        fs::{MetadataExt, PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Weak,
        atomic::{AtomicU32, Ordering},
    },
};
use tokio::sync::Mutex;
use tokio_postgres::NoTls;

/// Plain connections are refused but for the superuser's; `certified` shows a certificate, others know a password.
const RULES: &str = "
    local all postgres trust
    hostssl all plain 127.0.0.1/32 reject
    hostnossl all plain 127.0.0.1/32 scram-sha-256
    hostssl all certified 127.0.0.1/32 cert
    hostssl all all 127.0.0.1/32 scram-sha-256";

const ROLES: &str = "
    CREATE ROLE authenticator LOGIN NOINHERIT PASSWORD 'secret';
    CREATE ROLE certified LOGIN;
    CREATE ROLE plain LOGIN PASSWORD 'secret';
    CREATE ROLE anonymous;
    GRANT anonymous TO authenticator, certified";

const ENCRYPTED: &str = "SELECT ssl::text FROM pg_stat_ssl WHERE pid = pg_backend_pid()";

/// A server that speaks TLS on a port of its own, with a certificate for `localhost`.
struct Server {
    process: Child,
    directory: PathBuf,
    port: u16,
}

/// Who signed the server's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Signature {
    /// An authority.
    Authority,
    /// Itself, as in PostgreSQL's manual, section 19.9.5.
    Itself,
    /// An authority, in the first version of certificates, which cannot say for which names they are.
    FirstVersion,
}

impl Server {
    /// The one that an authority has signed, shared by the tests that need it at the same time.
    async fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Server>> = Mutex::const_new(Weak::new());
        let mut shared = SHARED.lock().await;
        if let Some(running) = shared.upgrade() {
            return running;
        }
        let server = Arc::new(Self::start(Signature::Authority).await);
        *shared = Arc::downgrade(&server);
        server
    }

    async fn start(signature: Signature) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let directory = env::temp_dir().join(format!("pgduet-tls-{}-{number}", std::process::id()));
        fs::create_dir(&directory).unwrap();
        let explicit = env::var_os("PGDUET_TEST_PG_BIN").map(PathBuf::from);
        let binaries = Binaries::find(explicit.as_deref()).unwrap();
        let data = directory.join("data");
        initialise(&binaries, &data, Durability::Throwaway).unwrap();
        let owner = fs::metadata(&data).unwrap();
        certificates(&directory, signature);
        fs::write(data.join("pg_hba.conf"), RULES).unwrap();
        let key = directory.join("server.key");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        chown(&key, Some(owner.uid()), Some(owner.gid())).unwrap();

        let port = address::free().port();
        let mut postgres = Command::new(binaries.program("postgres"));
        postgres.arg("-D").arg(&data).arg("-k").arg(&data).arg("-p").arg(port.to_string());
        for setting in ["listen_addresses=127.0.0.1", "ssl=on", "fsync=off"] {
            postgres.args(["-c", setting]);
        }
        for (setting, file) in [
            ("ssl_cert_file", "server.crt"),
            ("ssl_key_file", "server.key"),
            ("ssl_ca_file", "authority.crt"),
        ] {
            postgres.arg("-c").arg(format!("{setting}={}", directory.join(file).display()));
        }
        postgres.current_dir(&data).stdin(Stdio::null()).stdout(Stdio::null());
        postgres.stderr(fs::File::create(directory.join("log")).unwrap());
        if fs::metadata(&directory).unwrap().uid() != owner.uid() {
            postgres.uid(owner.uid()).gid(owner.gid());
        }
        let mut server = Self { process: postgres.spawn().unwrap(), directory, port };
        server.fill(&data).await;
        server
    }

    /// Creates the roles as soon as it answers.
    async fn fill(&mut self, data: &Path) {
        let uri = format!("host={} port={} user=postgres", data.display(), self.port);
        loop {
            if let Ok((client, connection)) = tokio_postgres::connect(&uri, NoTls).await {
                tokio::spawn(connection);
                client.batch_execute(ROLES).await.unwrap();
                return;
            }
            if self.process.try_wait().unwrap().is_some() {
                panic!("{}", fs::read_to_string(self.directory.join("log")).unwrap());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn file(&self, name: &str) -> String {
        self.directory.join(name).display().to_string()
    }

    /// A connection with these parameters besides where the server is and who logs in.
    fn pool(&self, parameters: &str) -> Result<Pool> {
        let given = format!("hostaddr=127.0.0.1 port={} dbname=postgres {parameters}", self.port);
        let (target, _) = Connection::parse(&given, &BTreeMap::new()).unwrap();
        Pool::new(&target, options(), Arc::default())
    }

    /// Whether a connection with these parameters is encrypted, or what the client is told.
    async fn encrypted(&self, parameters: &str) -> Result<String> {
        let unit = Unit { settings: Vec::new(), ..show(ENCRYPTED) };
        Ok(run(&self.pool(parameters)?, unit).await?.0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A fast shutdown.
        let stopped = Command::new("kill").args(["-INT", &self.process.id().to_string()]).status().unwrap();
        assert!(stopped.success());
        self.process.wait().unwrap();
        fs::remove_dir_all(&self.directory).unwrap();
    }
}

/// Makes `authority`, another one that signed nothing, and what `server` and the role `certified` show.
fn certificates(directory: &Path, signature: Signature) {
    let openssl = |arguments: &str| {
        let arguments = arguments.split_ascii_whitespace();
        stdout(Command::new("openssl").current_dir(directory).stderr(Stdio::null()).args(arguments));
    };
    const NEW: &str = "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2";
    for authority in ["authority", "stranger"] {
        openssl(&format!("{NEW} -x509 -keyout {authority}.key -out {authority}.crt -subj /CN={authority}"));
    }
    fs::write(directory.join("names"), "subjectAltName = DNS:localhost").unwrap();
    for (name, subject) in [("server", "localhost"), ("certified", "certified")] {
        match (name, signature) {
            ("server", Signature::Itself) => openssl(&format!(
                "{NEW} -x509 -keyout server.key -out server.crt -subj /CN=localhost -addext subjectAltName=DNS:localhost"
            )),
            _ => {
                openssl(&format!("{NEW} -keyout {name}.key -out {name}.csr -subj /CN={subject}"));
                if (name, signature) == ("server", Signature::FirstVersion) {
                    openssl(
                        "x509 -req -in server.csr -CA authority.crt -CAkey authority.key -CAcreateserial -days 2
                         -out server.crt",
                    );
                    continue;
                }
                openssl(&format!(
                    "x509 -req -in {name}.csr -CA authority.crt -CAkey authority.key -CAcreateserial -days 2
                     -extfile names -out {name}.crt"
                ));
            }
        }
    }
}

const LOGIN: &str = "user=authenticator password=secret";

#[tokio::test]
async fn sslmode_says_how_far_a_server_is_trusted() {
    let server = Server::shared().await;
    let (authority, stranger) = (server.file("authority.crt"), server.file("stranger.crt"));
    let (ours, theirs) = (format!("sslrootcert={authority}"), format!("sslrootcert={stranger}"));
    let (here, elsewhere) = ("host=localhost", "host=elsewhere.example");
    for (mode, host, roots, is_trusted) in [
        ("prefer", here, "", true),
        ("require", here, "", true),
        ("require", elsewhere, "", true),
        // As libpq: a file of roots makes it verify-ca.
        ("require", elsewhere, &ours, true),
        ("require", here, &theirs, false),
        ("verify-ca", here, &ours, true),
        ("verify-ca", elsewhere, &ours, true),
        ("verify-ca", here, &theirs, false),
        ("verify-full", here, &ours, true),
        ("verify-full", elsewhere, &ours, false),
        ("verify-full", here, &theirs, false),
        // The server takes none without.
        ("disable", here, "", false),
    ] {
        let found = server.encrypted(&format!("{LOGIN} {host} sslmode={mode} {roots}")).await;
        match (found, is_trusted) {
            (Ok(found), true) => assert_eq!(found, r#""true""#, "{mode} {host} {roots}"),
            (Err(error), false) => {
                assert_eq!(
                    (error.code(), error.message.as_str()),
                    ("PGRST000", "Database connection error."),
                    "{mode} {host} {roots}"
                );
            }
            (found, _) => panic!("{mode} {host} {roots}: {found:?}"),
        }
    }
}

#[tokio::test]
async fn a_password_can_be_bound_to_the_channel() {
    let server = Server::shared().await;
    let bound = |rest: &str| format!("{LOGIN} host=localhost channel_binding=require {rest}");
    assert_eq!(server.encrypted(&bound("sslmode=require")).await.unwrap(), r#""true""#);
    let full = format!("sslmode=verify-full sslrootcert={}", server.file("authority.crt"));
    assert_eq!(server.encrypted(&bound(&full)).await.unwrap(), r#""true""#);
    // Nothing to bind it to.
    assert_eq!(server.encrypted(&bound("sslmode=disable")).await.unwrap_err().code(), "PGRST000");
    // A wrong password is told to whoever starts pgduet, and not to a client.
    let wrong = "user=authenticator password=guess host=localhost channel_binding=require sslmode=require";
    assert_eq!(server.encrypted(wrong).await.unwrap_err().code(), "PGRST000");
    let refused = server.pool(wrong).unwrap().lend().await.map(drop).unwrap_err();
    assert_eq!(refused.code(), "28P01");
}

#[tokio::test]
async fn a_certificate_can_stand_for_a_password() {
    let server = Server::shared().await;
    let shown = |name: &str| {
        let (certificate, key) = (server.file(&format!("{name}.crt")), server.file(&format!("{name}.key")));
        format!("user=certified host=localhost sslmode=require sslcert={certificate} sslkey={key}")
    };
    assert_eq!(server.encrypted(&shown("certified")).await.unwrap(), r#""true""#);
    assert_eq!(server.encrypted(&shown("stranger")).await.unwrap_err().code(), "PGRST000");
}

#[tokio::test]
async fn a_query_is_cancelled_over_tls_too() {
    let server = Server::shared().await;
    let full =
        format!("{LOGIN} host=localhost sslmode=verify-full sslrootcert={}", server.file("authority.crt"));
    let (pool, other) = (server.pool(&full).unwrap(), server.pool(&full).unwrap());
    let sleeping = async || {
        let sleepers = show("SELECT count(*)::text FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
        body(&other, Unit { settings: Vec::new(), ..sleepers }).await
    };
    let under_way = tokio::spawn(async move {
        let unit = Unit { settings: Vec::new(), ..show("SELECT pg_sleep(600)::text") };
        run(&pool, unit).await.map(drop)
    });
    while sleeping().await != r#""1""# {}
    under_way.abort();
    while sleeping().await != r#""0""# {}
}

/// PostgreSQL's manual tells how to make such a certificate, and libpq trusts it when it is the root.
#[tokio::test]
async fn a_certificate_that_signed_itself_is_trusted_where_it_is_the_root() {
    let server = Server::start(Signature::Itself).await;
    let with = |rest: String| format!("{LOGIN} host=localhost channel_binding=require {rest}");
    assert_eq!(server.encrypted(&with("sslmode=require".to_owned())).await.unwrap(), r#""true""#);
    for mode in ["require", "verify-ca", "verify-full"] {
        let trusted = with(format!("sslmode={mode} sslrootcert={}", server.file("server.crt")));
        assert_eq!(server.encrypted(&trusted).await.unwrap(), r#""true""#);
        let strange = with(format!("sslmode={mode} sslrootcert={}", server.file("stranger.crt")));
        assert_eq!(server.encrypted(&strange).await.unwrap_err().code(), "PGRST000");
    }
    let elsewhere = format!(
        "{LOGIN} host=elsewhere.example sslmode=verify-full sslrootcert={}",
        server.file("server.crt")
    );
    assert_eq!(server.encrypted(&elsewhere).await.unwrap_err().code(), "PGRST000");
}

#[tokio::test]
async fn a_certificate_of_the_first_version_is_taken_where_none_is_checked() {
    let server = Server::start(Signature::FirstVersion).await;
    for mode in ["prefer", "require"] {
        let found = server.encrypted(&format!("{LOGIN} host=localhost sslmode={mode}")).await;
        assert_eq!(found.unwrap(), r#""true""#, "{mode}");
    }
    // The password is bound to it: the server has shown that it has the key.
    let bound = format!("{LOGIN} host=localhost sslmode=require channel_binding=require");
    assert_eq!(server.encrypted(&bound).await.unwrap(), r#""true""#);
    let checked =
        format!("{LOGIN} host=localhost sslmode=verify-full sslrootcert={}", server.file("authority.crt"));
    assert_eq!(server.encrypted(&checked).await.unwrap_err().code(), "PGRST000");
}

#[tokio::test]
async fn prefer_goes_on_without_tls_where_the_server_refuses_it() {
    let server = Server::shared().await;
    let login = "user=plain password=secret host=localhost";
    assert_eq!(server.encrypted(&format!("{login} sslmode=prefer")).await.unwrap(), r#""false""#);
    assert_eq!(server.encrypted(&format!("{login} sslmode=require")).await.unwrap_err().code(), "PGRST000");
    // What is not a request connects in the same way.
    server.pool(&format!("{login} sslmode=prefer")).unwrap().lend().await.unwrap().give_back();
}

#[tokio::test]
async fn a_certificate_that_was_revoked_is_refused() {
    let server = Server::start(Signature::Authority).await;
    let directory = &server.directory;
    fs::write(directory.join("index.txt"), "").unwrap();
    fs::write(directory.join("crlnumber"), "01").unwrap();
    fs::write(
        directory.join("ca.conf"),
        "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\ncrlnumber=crlnumber\ndefault_md=sha256\ndefault_crl_days=2\n",
    )
    .unwrap();
    let ca = |arguments: &str| {
        let arguments = format!("ca -config ca.conf -keyfile authority.key -cert authority.crt {arguments}");
        let arguments = arguments.split_ascii_whitespace();
        stdout(Command::new("openssl").current_dir(directory).stderr(Stdio::null()).args(arguments));
    };
    let list = server.file("revoked.crl");
    let asked = format!(
        "{LOGIN} host=localhost sslmode=verify-full sslrootcert={} sslcrl={list}",
        server.file("authority.crt")
    );
    ca("-gencrl -out revoked.crl");
    assert_eq!(server.encrypted(&asked).await.unwrap(), r#""true""#);
    ca("-revoke server.crt");
    ca("-gencrl -out revoked.crl");
    assert_eq!(server.encrypted(&asked).await.unwrap_err().code(), "PGRST000");
    fs::remove_file(&list).unwrap();
    assert!(server.encrypted(&asked).await.is_err(), "a list that is not there is not an empty one");
}
