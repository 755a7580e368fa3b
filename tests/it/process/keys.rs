//! Keys that an issuer publishes: fetched, kept, renewed and withdrawn, and what becomes of tokens while the issuer
//! misbehaves.

use super::{SCHEMA, ended, pgduet, serve, tls::Certificates};
use crate::support::{
    database::Database,
    grpc,
    http::{Answer, send},
    issuer::{Issuer, Reply, Signer, answer, publishes, set},
    server::Server,
    until,
};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};
use tonic::Code;

const CALLERS: &str = "
    CREATE VIEW api.callers AS SELECT current_user::text AS role;
    GRANT SELECT ON api.callers TO anonymous, authenticated;
";
const CLAIMS: &str = r#"{"role":"authenticated"}"#;

fn database() -> Database {
    Database::fresh(&format!("{SCHEMA}{CALLERS}"))
}

fn trusting(database: &Database, address: &str, more: &[(&str, &str)]) -> Server {
    let variables = [&[("PGRST_JWT_SECRET", address)], more].concat();
    serve(database, &variables)
}

fn ask(server: &Server, bearer: &str) -> Answer {
    send(server.address(), "GET", "/callers", &[("Authorization", bearer)], None)
}

fn is_believed(server: &Server, bearer: &str) -> bool {
    let answer = ask(server, bearer);
    match answer.status {
        200 => assert_eq!(answer.text(), r#"[{"role":"authenticated"}]"#),
        _ => assert!(matches!(answer.status, 401 | 503), "{answer:?}"),
    }
    answer.status == 200
}

#[test]
fn keys_are_fetched_and_follow_the_issuer_when_it_changes_them() {
    let (database, first, second) = (database(), Signer::new("first"), Signer::new("second"));
    let issuer = Issuer::start(publishes(&set(&[&first])));
    let server = trusting(&database, &issuer.url("/keys"), &[]);
    assert!(is_believed(&server, &first.bearer(CLAIMS)));
    assert_eq!(issuer.asked(), ["/keys"]);
    let client = grpc::Client::new(&server, &database, "api", &[]);
    let listed = |signer: &Signer| {
        let token = signer.bearer(CLAIMS).strip_prefix("Bearer ").map(str::to_owned);
        let options = grpc::Options { token, ..Default::default() };
        client.call_with("CallersService/ListCallers", serde_json::json!({}), &options)
    };
    assert!(listed(&first).is_ok());

    // The token that names the new key is believed at once, and the one of the withdrawn key, though remembered, no more.
    issuer.replies(publishes(&set(&[&second])));
    assert!(listed(&second).is_ok());
    assert!(is_believed(&server, &second.bearer(CLAIMS)));
    assert_eq!(issuer.asked().len(), 2);
    assert_eq!(ask(&server, &first.bearer(CLAIMS)).code().as_deref(), Some("PGRST301"));
    assert_eq!(listed(&first).map_err(|status| status.code()).err(), Some(Code::Unauthenticated));
    // That one is known to be unknown for a while.
    assert_eq!(issuer.asked().len(), 2);

    // Whoever reloads the configuration need not wait.
    issuer.replies(publishes(&set(&[&first])));
    server.signal("USR2");
    until("the keys are fetched again", || is_believed(&server, &first.bearer(CLAIMS)).then_some(()));
    assert!(!is_believed(&server, &second.bearer(CLAIMS)));
}

#[test]
fn a_herd_of_unknown_keys_makes_one_fetch_and_known_keys_wait_for_none() {
    const HERD: usize = 64;
    let (database, known) = (database(), Signer::new("known"));
    let issuer = Issuer::start(publishes(&set(&[&known])));
    let server = Arc::new(trusting(&database, &issuer.url("/keys"), &[]));
    issuer.replies(Reply::Silence);
    let herd: Vec<_> = (0..HERD)
        .map(|number| {
            let server = server.clone();
            let bearer = Signer::new(&format!("unknown-{number}")).bearer(CLAIMS);
            thread::spawn(move || ask(&server, &bearer))
        })
        .collect();
    until("the keys are fetched", || (issuer.asked().len() == 2).then_some(()));
    for _ in 0..10 {
        assert!(is_believed(&server, &known.bearer(CLAIMS)));
    }
    // They still wait for the issuer that hangs, so nothing waited for it above.
    assert!(herd.iter().any(|request| !request.is_finished()));
    for request in herd {
        let answer = request.join().unwrap();
        assert_eq!((answer.status, answer.code().as_deref()), (401, Some("PGRST301")));
    }
    // More of them within the window are told at once.
    let began = Instant::now();
    assert_eq!(ask(&server, &Signer::new("another").bearer(CLAIMS)).status, 401);
    assert!(began.elapsed() < Duration::from_secs(4));
    let by_tokens = issuer.asked().len() - 1;
    // The one that failed is tried again by itself.
    assert!(by_tokens <= 2, "{:?}", issuer.asked());
}

#[test]
fn an_issuer_that_misbehaves_at_the_start_refuses_tokens_until_it_comes_back() {
    let (database, signer) = (database(), Signer::new("key"));
    let good = set(&[&signer]);
    let json = "Content-Type: application/json\r\n";
    let lies = |announced: usize| {
        Reply::Bytes(format!("HTTP/1.1 200 OK\r\nContent-Length: {announced}\r\n\r\n{good}").into_bytes())
    };
    let huge = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    let chunk = [b"10000\r\n".to_vec(), vec![b' '; 0x10000], b"\r\n".to_vec()].concat();
    let symmetric = r#"{"keys":[{"kty":"oct","k":"cmVhbGx5cmVhbGx5cmVhbGx5cmVhbGx5dmVyeXNhZmU"}]}"#;
    let cases: Vec<(Reply, &str)> = vec![
        (Reply::Silence, "there is no answer within 5 s"),
        (Reply::Bytes(Vec::new()), "cannot be reached"),
        (Reply::Bytes(b"SSH-2.0-OpenSSH\r\n".to_vec()), "cannot be reached"),
        (Reply::Endless(b"HTTP/1.1 200 OK\r\n".to_vec(), b"X: y\r\n".to_vec()), "cannot be reached"),
        (lies(good.len() + 1), "stops in the middle of its answer"),
        (lies(good.len() - 1), "neither a set of keys nor a discovery document"),
        (lies(1 << 40), "answers with more than 262144 bytes"),
        (Reply::Endless(huge, chunk), "answers with more than 262144 bytes"),
        (answer("200 OK", "Content-Type: text/html\r\n", "<!doctype html>"), "neither a set of keys"),
        (answer("200 OK", "Content-Encoding: gzip\r\n", &good), "in a content coding"),
        (answer("503 Service Unavailable", json, &good), "answers with status 503"),
        (answer("204 No Content", "", ""), "answers with status 204"),
        (answer("302 Found", "Location: /keys.json\r\n", ""), "more than 3 redirects"),
        (answer("302 Found", "Location: http://192.0.2.1/\r\n", ""), "needs jwt-secret-allow-http"),
        (answer("302 Found", "", ""), "redirects to what is no valid address"),
        (publishes(r#"{"keys":[]}"#), "no JSON Web Key"),
        (publishes(symmetric), "no JSON Web Key"),
        (publishes(r#"{"jwks_uri":"file:///etc/passwd"}"#), "has a jwks_uri that"),
    ];
    let running: Vec<_> = cases
        .into_iter()
        .map(|(reply, says)| {
            let issuer = Issuer::start(reply);
            let server =
                trusting(&database, &issuer.url("/.well-known/jwks.json"), &[("PGRST_DB_POOL", "1")]);
            server.says(says, 1);
            assert!(server.log().contains("tokens are refused until there are keys"));
            (issuer, server)
        })
        .collect();
    for (_, server) in &running {
        let refused = ask(server, &signer.bearer(CLAIMS));
        let told = (refused.status, refused.code(), refused.header("retry-after"));
        assert_eq!(told, (503, Some("PGDUET21".to_owned()), Some("1".to_owned())), "{refused:?}");
        assert!(!refused.text().contains("localhost"), "{refused:?}");
        let anonymous = send(server.address(), "GET", "/callers", &[], None);
        assert_eq!((anonymous.status, anonymous.text().as_str()), (200, r#"[{"role":"anonymous"}]"#));
    }
    let client = grpc::Client::new(&running[0].1, &database, "api", &[]);
    let options = grpc::Options { token: Some("a.b.c".to_owned()), ..Default::default() };
    let status = client.call_with("CallersService/ListCallers", serde_json::json!({}), &options).unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    for (issuer, _) in &running {
        issuer.replies(publishes(&good));
    }
    for (_, server) in &running {
        until("the issuer is back", || is_believed(server, &signer.bearer(CLAIMS)).then_some(()));
    }
}

#[test]
fn the_last_good_keys_stay_while_the_issuer_is_away() {
    let (database, signer) = (database(), Signer::new("key"));
    let issuer = Issuer::start(publishes(&set(&[&signer])));
    let server = trusting(&database, &issuer.url("/keys"), &[]);
    assert!(is_believed(&server, &signer.bearer(CLAIMS)));
    for reply in [
        answer("502 Bad Gateway", "Content-Type: text/html\r\n", "<html>"),
        publishes(r#"{"keys":[]}"#),
        publishes(&set(&[])),
        Reply::Bytes(Vec::new()),
    ] {
        issuer.replies(reply);
        let failures = server.log().matches("the keys from before stay in use").count();
        server.signal("USR2");
        server.says("the keys from before stay in use", failures + 1);
        assert!(is_believed(&server, &signer.bearer(CLAIMS)));
    }
    // A reload of the schema cache keeps them too.
    let loads = server.log().matches("Schema cache loaded").count();
    server.signal("USR1");
    server.says("Schema cache loaded", loads + 1);
    assert!(is_believed(&server, &signer.bearer(CLAIMS)));
}

#[test]
fn an_issuer_is_found_by_its_discovery_document_and_tokens_have_to_name_it() {
    let (database, signer) = (database(), Signer::new("key"));
    let issuer = Issuer::start(Reply::Silence);
    let (realm, other) = (issuer.url("/realms/a"), issuer.url("/realms/b"));
    let document = format!(r#"{{"issuer":"{realm}","jwks_uri":"{}"}}"#, issuer.url("/certs"));
    let keys = set(&[&signer]);
    issuer.behaves(move |path| match path {
        "/realms/a/.well-known/openid-configuration" | "/realms/b/.well-known/openid-configuration" => {
            publishes(&document)
        }
        "/certs" => publishes(&keys),
        _ => answer("200 OK", "Content-Type: text/html\r\n", "<!doctype html>"),
    });
    let server = trusting(&database, &realm, &[]);
    let named = |issuer: &str| signer.bearer(&format!(r#"{{"role":"authenticated","iss":"{issuer}"}}"#));
    assert!(is_believed(&server, &named(&realm)));
    assert!(!is_believed(&server, &named(&other)));
    assert!(!is_believed(&server, &signer.bearer(CLAIMS)));
    let expected = ["/realms/a", "/realms/a/.well-known/openid-configuration", "/certs"];
    assert_eq!(issuer.asked()[..3], expected);

    // The address of the document itself will do, and an option may name another issuer.
    let server = trusting(
        &database,
        &issuer.url("/realms/a/.well-known/openid-configuration"),
        &[("PGDUET_JWT_ISSUER", &other)],
    );
    assert!(is_believed(&server, &named(&other)));
    assert!(!is_believed(&server, &named(&realm)));

    // Nobody speaks for another issuer.
    let server = trusting(&database, &other, &[]);
    server.says("is the discovery document of another issuer", 1);
    assert_eq!(ask(&server, &named(&realm)).status, 503);
}

#[test]
fn https_needs_a_certificate_of_a_trusted_authority_and_never_becomes_http() {
    let (database, signer) = (database(), Signer::new("key"));
    let certificates = Certificates::new("issuer");
    certificates.authority("stranger");
    let chain = CertificateDer::from_pem_file(certificates.file("server.crt")).unwrap();
    let key = PrivateKeyDer::from_pem_file(certificates.file("server.key")).unwrap();
    let tls = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![chain], key)
        .unwrap();
    let keys = publishes(&set(&[&signer]));
    let issuer = Issuer::secured(tls, keys.clone());
    let plain = Issuer::start(keys.clone());
    let trusts = |authority: &str, address: &str| {
        trusting(&database, address, &[("SSL_CERT_FILE", &certificates.file(&format!("{authority}.crt")))])
    };
    let server = trusts("authority", &issuer.url("/keys"));
    assert!(is_believed(&server, &signer.bearer(CLAIMS)));
    let wary = trusts("stranger", &issuer.url("/keys"));
    wary.says("cannot be reached: invalid peer certificate", 1);
    assert_eq!(ask(&wary, &signer.bearer(CLAIMS)).status, 503);
    // By its number it has no certificate.
    let numbered = trusts("authority", &issuer.url("/keys").replace("localhost", "127.0.0.1"));
    numbered.says("cannot be reached: invalid peer certificate", 1);

    let elsewhere = format!("Location: {}\r\n", plain.url("/keys"));
    issuer.replies(answer("302 Found", &elsewhere, ""));
    let led = trusts("authority", &issuer.url("/keys"));
    led.says("redirects to what leads from https to http", 1);
    assert_eq!(ask(&led, &signer.bearer(CLAIMS)).status, 503);
    assert_eq!(plain.asked().len(), 0);
    // Within https it may lead elsewhere.
    issuer.behaves(move |path| match path {
        "/moved" => keys.clone(),
        _ => answer("307 Temporary Redirect", "Location: /moved\r\n", ""),
    });
    until("the redirect is followed", || is_believed(&led, &signer.bearer(CLAIMS)).then_some(()));
}

#[test]
fn plain_http_on_another_machine_takes_the_operator_s_word() {
    let database = Database::fresh(SCHEMA);
    let mut command = pgduet();
    command
        .env("PGRST_DB_URI", database.uri("authenticator"))
        .env("PGRST_DB_SCHEMAS", "api")
        .env("PGRST_JWT_SECRET", "http://192.0.2.1/keys");
    let (code, text) = ended(&mut command);
    assert!(code == Some(1) && text.contains("needs jwt-secret-allow-http"), "{code:?} {text}");
    let server = trusting(&database, "http://192.0.2.1/keys", &[("PGDUET_JWT_SECRET_ALLOW_HTTP", "true")]);
    server.says("tokens are refused until there are keys", 1);
}
