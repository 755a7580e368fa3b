//! Tokens elsewhere than in `Authorization`, and what proxies say of a request: over both protocols, with the clients and the
//! proxy that users have.

use super::{SCHEMA, serve};
use crate::support::{
    address,
    database::Database,
    http::send,
    server::Server,
    token::token,
    tools::{grpcurl, stdout, tool},
    until,
};
use serde_json::{Value, json};
use std::{
    env, fs,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

const SECRET: &str = "a secret of at least thirty-two bytes";
const CALLERS: &str = "
    CREATE VIEW api.callers AS SELECT current_user::text AS role;
    GRANT SELECT ON api.callers TO anonymous, authenticated;
    CREATE FUNCTION api.touch() RETURNS text LANGUAGE sql AS 'SELECT current_user::text';
";

fn database() -> Database {
    Database::fresh(&format!("{SCHEMA}{CALLERS}"))
}

fn carrying(database: &Database) -> Server {
    serve(
        database,
        &[
            ("PGRST_JWT_SECRET", SECRET),
            ("PGDUET_JWT_HEADER", "apikey"),
            ("PGDUET_JWT_COOKIE", "session"),
            ("PGRST_SERVER_CORS_ALLOWED_ORIGINS", "https://app.example"),
        ],
    )
}

/// A token for each of the two roles.
fn tokens() -> [String; 2] {
    ["authenticated", "anonymous"].map(|role| token(SECRET, &format!(r#"{{"role":"{role}"}}"#)))
}

#[test]
fn a_token_in_a_header_or_a_cookie_counts_over_both_protocols_and_authorization_before_it() {
    let database = database();
    let server = carrying(&database);
    let [user, anonymous] = tokens();
    let (bearer, nobody) = (format!("Bearer {user}"), format!("Bearer {anonymous}"));
    let cookie = format!("theme=dark; session={user}");
    let same = ("Sec-Fetch-Site", "same-origin");
    for (headers, role) in [
        (&[][..], "anonymous"),
        (&[("apikey", user.as_str())], "authenticated"),
        (&[("Authorization", &bearer), ("apikey", &anonymous)], "authenticated"),
        (&[("Authorization", &nobody), ("apikey", &user)], "anonymous"),
        (&[("Cookie", &cookie), same], "authenticated"),
        (&[("Cookie", &cookie), same, ("apikey", &anonymous)], "anonymous"),
    ] {
        let answer = send(server.address(), "GET", "/callers", headers, None);
        assert_eq!(answer.text(), format!(r#"[{{"role":"{role}"}}]"#), "{headers:?}");
        let metadata: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        let mut arguments: Vec<&str> = metadata.iter().flat_map(|field| ["-H", field]).collect();
        arguments.extend(["-d", "{}", server.address(), "api.v1.CallersService/ListCallers"]);
        let called = grpcurl(&arguments).unwrap();
        assert!(called.contains(&format!(r#""role": "{role}""#)), "{headers:?} {called}");
    }
    for headers in [&[("apikey", "x")][..], &[("Cookie", "session=x"), same]] {
        assert_eq!(send(server.address(), "GET", "/callers", headers, None).status, 401, "{headers:?}");
    }
    // Without the options they mean nothing.
    let plain = serve(&database, &[("PGRST_JWT_SECRET", SECRET)]);
    let answer = send(plain.address(), "GET", "/callers", &[("apikey", &user), ("Cookie", &cookie)], None);
    assert_eq!(answer.text(), r#"[{"role":"anonymous"}]"#);
}

#[test]
fn another_site_cannot_use_the_cookie() {
    let database = database();
    let server = carrying(&database);
    let [user, _] = tokens();
    let cookie = format!("session={user}");
    let post = |more: &[(&str, &str)]| {
        let form = [&[("Cookie", cookie.as_str()), ("Content-Type", "application/json")], more].concat();
        let answer = send(server.address(), "POST", "/rpc/touch", &form, Some("{}"));
        (answer.status, answer.text())
    };
    let believed = (200, r#""authenticated""#.to_owned());
    assert_eq!(post(&[("Sec-Fetch-Site", "same-origin")]), believed);
    assert_eq!(post(&[("Sec-Fetch-Site", "cross-site"), ("Origin", "https://app.example")]), believed);
    for headers in [
        &[][..],
        &[("Sec-Fetch-Site", "cross-site")],
        &[("Origin", "https://evil.example")],
        &[("Sec-Fetch-Site", "same-site"), ("Origin", "https://evil.app.example")],
    ] {
        let (status, text) = post(headers);
        assert!(status == 403 && text.contains("PGDUET22"), "{headers:?} {status} {text}");
    }
    let call = |site: &str| {
        let fields = [format!("cookie: {cookie}"), format!("sec-fetch-site: {site}")];
        let [cookie, site] = &fields;
        grpcurl(&[
            "-H",
            cookie,
            "-H",
            site,
            "-d",
            "{}",
            server.address(),
            "api.v1.CallersService/ListCallers",
        ])
    };
    assert!(call("same-origin").unwrap().contains("authenticated"));
    assert!(call("cross-site").unwrap_err().contains("PermissionDenied"));
}

#[test]
fn supabase_s_client_is_its_user_where_it_has_one_and_else_its_key() {
    let database = database();
    let server = serve(
        &database,
        &[
            ("PGDUET_SERVER_BASE_PATH", "/rest/v1"),
            ("PGRST_JWT_SECRET", SECRET),
            ("PGDUET_JWT_HEADER", "apikey"),
            ("PGRST_DB_ANON_ROLE", ""),
        ],
    );
    let [user, key] = tokens();
    let printed = stdout(
        Command::new("node")
            .arg("tests/clients/supabase_user.js")
            .args([server.url(), key, user])
            .env("NODE_PATH", tool("node_modules")),
    );
    let seen: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(seen, json!([[{"role": "authenticated"}], [{"role": "anonymous"}]]));
}

/// nginx in front of a server. It ends with this.
struct Nginx {
    child: Child,
    directory: PathBuf,
    address: String,
}

impl Nginx {
    /// Below `/rest/` is the server, which is told so by these directives.
    fn before(server: &Server, name: &str, directives: &str) -> Self {
        let directory = env::temp_dir().join(format!("pgduet-nginx-{name}-{}", std::process::id()));
        let _left = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).unwrap();
        let (at, upstream) = (address::free(), server.address());
        let paths: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .iter()
            .map(|kind| format!("{kind}_temp_path {kind};"))
            .collect();
        let configuration = format!(
            "daemon off; pid nginx.pid; error_log stderr; events {{}}
             http {{ access_log off; {paths}
               server {{ listen {at};
                 location /rest/ {{ proxy_pass http://{upstream}/; {directives} }} }} }}"
        );
        fs::write(directory.join("nginx.conf"), configuration).unwrap();
        let child = Command::new("nginx")
            .args(["-g", "user root;", "-c", "nginx.conf", "-p"])
            .arg(&directory)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let proxy = Self { child, directory, address: at.to_string() };
        until("nginx listens", || std::net::TcpStream::connect(at).is_ok().then_some(()));
        proxy
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Its workers end with it only if it is asked.
        let _ = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
        let _left = fs::remove_dir_all(&self.directory);
    }
}

#[test]
fn what_a_trusted_proxy_says_is_in_the_document_and_in_the_log() {
    const SAYS: &str = "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
         proxy_set_header X-Forwarded-Host api.example;
         proxy_set_header X-Forwarded-Proto https;
         proxy_set_header X-Forwarded-Prefix /rest;";
    const STANDARD: &str =
        "proxy_set_header Forwarded \"$http_forwarded, for=$remote_addr;host=inner.example;proto=http\";
         proxy_set_header X-Forwarded-Prefix /rest;";
    let database = database();
    // This machine is nginx and another proxy before it; beyond that one, at 192.0.2.1, somebody forges what is possible.
    let forged = [
        ("X-Forwarded-For", "203.0.113.9, 192.0.2.1"),
        ("X-Forwarded-Host", "evil.example"),
        ("Forwarded", "for=203.0.113.9;host=evil.example, for=192.0.2.1;host=api.example;proto=https"),
    ];
    let believed = ("https://api.example/rest", "192.0.2.1");
    for (name, directives, kind, (address, client)) in [
        ("customary", SAYS, "X-", believed),
        ("standard", STANDARD, "Forwarded", believed),
        // What the proxy writes cannot be told from what the client does.
        ("both", SAYS, "", ("/", "127.0.0.1")),
    ] {
        let sent: Vec<_> = forged.into_iter().filter(|(name, _)| name.starts_with(kind)).collect();
        for (trusted, address, client) in [
            (Some("127.0.0.0/8"), address, client),
            (Some("10.0.0.0/8,unix"), "/", "127.0.0.1"),
            (None, "/", "127.0.0.1"),
        ] {
            let mut variables = vec![("PGRST_LOG_LEVEL", "info")];
            variables.extend(trusted.map(|networks| ("PGDUET_SERVER_TRUSTED_PROXIES", networks)));
            let server = serve(&database, &variables);
            let proxy = Nginx::before(&server, name, directives);
            let answer = send(&proxy.address, "GET", "/rest/", &sent, None);
            let document: Value = serde_json::from_slice(&answer.body).unwrap();
            assert_eq!(document["servers"][0]["url"], address, "{name} {trusted:?}");
            let line = until("the access log has a line", || {
                Some(server.access_log()).filter(|log| log.contains("GET /"))
            });
            assert!(line.starts_with(&format!("{client} ")), "{name} {trusted:?} {line}");
        }
    }
}
