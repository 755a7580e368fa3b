//! Connection strings and what becomes of them.

use super::*;

fn parse(text: &str, environment: &[(&str, &str)]) -> Result<(Connection, Vec<Warning>), Error> {
    let environment =
        environment.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    Connection::parse(text, &environment)
}

/// User, password, database, hosts, ports as one line.
fn shown(text: &str, environment: &[(&str, &str)]) -> String {
    let (connection, _) = parse(text, environment).unwrap_or_else(|error| panic!("{text}: {error}"));
    let postgres = connection.postgres;
    let hosts = postgres.get_hosts().iter().map(|host| match host {
        Host::Tcp(name) => name.clone(),
        Host::Unix(path) => path.to_string_lossy().into_owned(),
    });
    let password = postgres.get_password().map(String::from_utf8_lossy).unwrap_or_default();
    let ports: Vec<_> = postgres.get_ports().iter().map(u16::to_string).collect();
    format!(
        "{}:{password}@{} {} {}",
        postgres.get_user().unwrap_or_default(),
        hosts.collect::<Vec<_>>().join(","),
        ports.join(","),
        postgres.get_dbname().unwrap_or_default()
    )
}

#[test]
fn every_form_of_libpq_names_the_same_server() {
    for (text, expected) in [
        ("postgresql://u:p@h:1/d", "u:p@h 1 d"),
        ("postgres://u:p@h:1/d?", "u:p@h 1 d"),
        ("host=h port=1 user=u password=p dbname=d", "u:p@h 1 d"),
        ("host = h  port='1' user=u password='p' dbname=d ", "u:p@h 1 d"),
        ("postgresql://u@/d?host=/run/x&port=5", "u:@/run/x 5 d"),
        ("postgresql://u@%2Frun%2Fx/d", "u:@/run/x  d"),
        ("postgresql://?dbname=d&host=/run/x&user=u", "u:@/run/x  d"),
        ("postgresql://u:p%40%2F@h/d%20e", "u:p@/@h  d e"),
        ("postgres://u:?pass?special?@h:1/d", "u:?pass?special?@h 1 d"),
        ("postgresql://h1:1,h2,[::1]:3/d", ":@h1,h2,::1 1,5432,3 d"),
        ("postgresql://[2001:db8::1]/d", ":@2001:db8::1  d"),
        ("postgresql://h/d?user=a@b", "a@b:@h  d"),
        (r"host=h password='a b\'c\\d' user=u", r"u:a b'c\d@h  "),
        ("host=/run/a,/run/b port=1,2", ":@/run/a,/run/b 1,2 "),
    ] {
        assert_eq!(shown(text, &[]), expected, "{text}");
    }
}

#[test]
fn the_environment_fills_in_what_the_string_leaves_out() {
    let environment = [
        ("PGHOST", "/run/a,h"),
        ("PGPORT", "7"),
        ("PGUSER", "Authenticator_X"),
        ("PGPASSWORD", "pw"),
        ("PGDATABASE", "db"),
        ("PGAPPNAME", "app"),
        ("PGSSLMODE", "require"),
    ];
    for text in ["postgresql://", "postgresql://?", ""] {
        assert_eq!(shown(text, &environment), "Authenticator_X:pw@/run/a,h 7 db", "{text:?}");
    }
    assert_eq!(shown("postgresql://u@h:1/d", &environment), "u:pw@h 1 d");
    let (connection, _) = parse("postgresql://", &environment).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(connection.postgres.get_application_name(), Some("app"));
    assert_eq!(connection.postgres.get_ssl_mode(), SslMode::Require);
}

#[test]
fn a_hosted_databases_string_is_taken_as_its_console_shows_it() {
    let text = "postgresql://u:p@ep-x.neon.tech/db?sslmode=require&channel_binding=require";
    let (connection, warnings) = parse(text, &[]).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(connection.postgres.get_ssl_mode(), SslMode::Require);
    assert_eq!(connection.postgres.get_channel_binding(), ChannelBinding::Require);
    assert_eq!(
        connection.tls,
        Tls { verification: Verification::None, roots: Roots::System, revoked: Vec::new(), client: None }
    );
    assert_eq!(warnings, []);
}

#[test]
fn sslmode_says_whether_to_encrypt_and_what_to_check() {
    let file = || Roots::File("/r.pem".into());
    for (text, mode, verification, roots) in [
        ("host=h", SslMode::Prefer, Verification::None, Roots::System),
        ("sslmode=disable", SslMode::Disable, Verification::None, Roots::System),
        ("sslmode=allow", SslMode::Prefer, Verification::None, Roots::System),
        ("sslmode=prefer", SslMode::Prefer, Verification::None, Roots::System),
        ("sslmode=require", SslMode::Require, Verification::None, Roots::System),
        ("sslmode=require sslrootcert=/r.pem", SslMode::Require, Verification::Authority, file()),
        ("sslmode=verify-ca sslrootcert=/r.pem", SslMode::Require, Verification::Authority, file()),
        ("sslmode=verify-full", SslMode::Require, Verification::AuthorityAndName, Roots::System),
        ("sslmode=verify-full sslrootcert=/r.pem", SslMode::Require, Verification::AuthorityAndName, file()),
        ("sslrootcert=system", SslMode::Require, Verification::AuthorityAndName, Roots::System),
        ("postgresql://h/d?ssl=true", SslMode::Require, Verification::None, Roots::System),
    ] {
        let (connection, _) = parse(text, &[]).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(connection.postgres.get_ssl_mode(), mode, "{text}");
        assert_eq!((connection.tls.verification, connection.tls.roots), (verification, roots), "{text}");
    }
    let client = Some(ClientCertificate { certificate: "/c".into(), key: "/k".into() });
    assert_eq!(parse("sslcert=/c sslkey=/k", &[]).map(|(connection, _)| connection.tls.client), Ok(client));
}

#[test]
fn every_other_parameter_reaches_the_driver() {
    let text = "host=h connect_timeout=3 keepalives=0 keepalives_idle=4 keepalives_interval=5 keepalives_count=6 \
                tcp_user_timeout=1500 options='-c a=b' target_session_attrs=read-only load_balance_hosts=random \
                fallback_application_name=fallback client_encoding=utf8";
    let (connection, warnings) = parse(text, &[]).unwrap_or_else(|error| panic!("{error}"));
    let postgres = connection.postgres;
    assert_eq!(postgres.get_connect_timeout(), Some(&Duration::from_secs(3)));
    assert!(!postgres.get_keepalives());
    assert_eq!(postgres.get_keepalives_idle(), Duration::from_secs(4));
    assert_eq!(postgres.get_keepalives_interval(), Some(Duration::from_secs(5)));
    assert_eq!(postgres.get_keepalives_retries(), Some(6));
    assert_eq!(postgres.get_tcp_user_timeout(), Some(&Duration::from_millis(1500)));
    assert_eq!(postgres.get_options(), Some("-c a=b"));
    assert_eq!(postgres.get_target_session_attrs(), TargetSessionAttrs::ReadOnly);
    assert_eq!(postgres.get_load_balance_hosts(), LoadBalanceHosts::Random);
    assert_eq!(postgres.get_application_name(), Some("fallback"));
    assert_eq!(warnings, []);
}

#[test]
fn a_parameter_that_would_change_what_is_safe_is_not_ignored_in_silence() {
    let warnings =
        parse("host=h sslcertmode=x require_auth=scram-sha-256", &[]).map(|(_, warnings)| warnings);
    let expected =
        ["require_auth", "sslcertmode"].map(|name| Warning::IgnoredConnectionParameter(name.into()));
    assert_eq!(warnings, Ok(expected.to_vec()));
}

#[test]
fn what_is_wrong_is_named() {
    for (text, named) in [
        ("tmp_db", "missing = after tmp_db"),
        ("postgresql://h/d?nonsense=1", "nonsense"),
        ("postgresql://h/d?sslmode", "missing = after sslmode"),
        ("host=h port=abc", "port=abc"),
        ("host=h port=1,2", "2 ports for 1 hosts"),
        ("host=a,b hostaddr=::1", "2 hosts and 1 addresses"),
        ("hostaddr=h", "hostaddr=h"),
        ("sslmode=maybe", "sslmode=maybe"),
        ("sslmode=require sslrootcert=system", "verify-full"),
        ("target_session_attrs=fastest", "target_session_attrs=fastest"),
        ("sslmode=require sslcrl=/x", "sslcrl"),
        ("connect_timeout=soon", "connect_timeout=soon"),
        ("password='open", "not closed"),
        ("postgresql://u:%ff@h", "not UTF-8"),
        ("postgresql://[::1", "is no host"),
    ] {
        let message = parse(text, &[]).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(message.starts_with("Invalid db-uri: ") && message.contains(named), "{text}: {message}");
    }
}
