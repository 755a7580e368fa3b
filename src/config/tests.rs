//! Sources against values, and the generated pages against the table.

use super::*;

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

fn from_environment(pairs: &[(&str, &str)]) -> Result<Config, Error> {
    Config::load(&Sources::new(None, map(pairs), BTreeMap::new())).map(|(config, _)| config)
}

/// A file that is removed with the value.
struct TempFile(PathBuf);

impl TempFile {
    fn new(name: &str, content: impl AsRef<[u8]>) -> TempFile {
        let path = std::env::temp_dir().join(format!("pgduet-config-{}-{name}", std::process::id()));
        std::fs::write(&path, content).unwrap_or_else(|error| panic!("{error}"));
        TempFile(path)
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn from_file(name: &str, content: &str) -> Result<(Config, Vec<Warning>), Error> {
    let file = TempFile::new(name, content);
    Config::load(&Sources::new(Some(file.0.clone()), BTreeMap::new(), BTreeMap::new()))
}

fn dump(config: Result<Config, Error>) -> String {
    config.unwrap_or_else(|error| panic!("{error}")).dump()
}

#[test]
fn names_in_the_table_are_unique_and_spell_as_their_fields() {
    let mut names: Vec<_> = OPTIONS.iter().map(|row| row.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), OPTIONS.len());
    let fields = format!("{:?}", from_environment(&[]));
    for row in OPTIONS {
        assert!(fields.contains(&format!("{}: ", row.name.replace('-', "_"))), "{}", row.name);
        assert!(row.summary().ends_with('.'), "{}", row.name);
    }
}

#[test]
fn the_defaults_dump_in_the_form_of_postgrest() {
    let expected = r#"admin-server-host = "!4"
admin-server-port = ""
admin-server-unix-socket = ""
admin-server-unix-socket-mode = "660"
client-error-verbosity = "verbose"
db-aggregates-enabled = false
db-anon-role = ""
db-channel = "pgrst"
db-channel-enabled = true
db-config = true
db-extra-search-path = "public"
db-hoisted-tx-settings = "statement_timeout,plan_filter.statement_cost_limit,default_transaction_isolation"
db-max-rows = ""
db-plan-enabled = false
db-pool = 10
db-pool-acquisition-timeout = 10
db-pool-automatic-recovery = true
db-pool-max-idletime = 30
db-pool-max-lifetime = 1800
db-pre-config = ""
db-pre-request = ""
db-prepared-statements = true
db-root-spec = ""
db-schemas = "public"
db-tx-end = "commit"
db-uri = "postgresql://"
jwt-aud = ""
jwt-cache-max-entries = 1000
jwt-role-claim-key = "$$.role"
jwt-secret = ""
jwt-secret-is-base64 = false
log-level = "error"
log-query = false
openapi-mode = "follow-privileges"
openapi-security-active = false
openapi-server-proxy-uri = ""
server-cors-allowed-origins = ""
server-host = "!4"
server-port = 3000
server-reuseport = false
server-timing-enabled = false
server-trace-header = ""
server-unix-socket = ""
server-unix-socket-mode = "660"
url-use-legacy-target-names = true
"#;
    assert_eq!(dump(from_environment(&[])), expected);
}

#[test]
fn a_dump_read_again_dumps_the_same() {
    let content = r#"
        db-schemas = "multi,   tenant,setup"
        db-uri = "postgresql://u:a$$b\\\"@h/d"
        jwt-role-claim-key = ".roles[?(@ == \"role1\")]"
        jwt-secret = "c2VjdXJpdHl0aHJvdWdob2JzY3VyaXR5aW5iYXNlNjQ="
        jwt-secret-is-base64 = "1"
        openapi-version = "2.0"
        server-trace-header = "X-Request-Id"
        openapi-server-proxy-uri = "https://example.com"
        app.settings.test = "x"
    "#;
    let first = dump(from_file("first", content).map(|(config, _)| config));
    assert_eq!(dump(from_file("second", &first).map(|(config, _)| config)), first);
    for line in [
        r#"app.settings.test = "x""#,
        r#"db-schemas = "multi,tenant,setup""#,
        r#"db-uri = "postgresql://u:a$$b\\\"@h/d""#,
        r#"jwt-role-claim-key = ".\"roles\"[?(@ == \"role1\")]""#,
        "jwt-secret-is-base64 = true",
        r#"openapi-server-proxy-uri = "https://example.com""#,
        r#"openapi-version = "2.0""#,
        r#"server-trace-header = "X-Request-Id""#,
    ] {
        assert!(first.lines().any(|dumped| dumped == line), "{line} in\n{first}");
    }
}

#[test]
fn an_alias_counts_where_the_name_is_not_set() {
    let content = r#"
        db-schema = "aliased"
        db-pool-timeout = 5
        max-rows = 1000
        pre-request = "check_alias"
        role-claim-key = "$$.aliased"
        root-spec = "open_alias"
        secret-is-base64 = true
    "#;
    let (config, warnings) = from_file("aliases", content).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(warnings, []);
    assert_eq!(config.db_schemas.default_schema(), "aliased");
    assert_eq!(config.db_pool_max_idletime, Duration::from_secs(5));
    assert_eq!(config.db_max_rows, Some(1000));
    assert_eq!(config.jwt_role_claim_key.to_string(), "$.aliased");
    assert!(config.jwt_secret_is_base64);

    let both = from_environment(&[
        ("PGRST_DB_SCHEMA", "alias"),
        ("PGRST_DB_SCHEMAS", "name"),
        ("PGRST_DB_POOL_TIMEOUT", "1"),
        ("PGRST_DB_POOL_MAX_IDLETIME", "2"),
        ("PGRST_SERVER_HOST", "::1"),
    ]);
    let both = both.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(both.db_schemas.default_schema(), "name");
    assert_eq!(both.db_pool_max_idletime, Duration::from_secs(1));
    assert_eq!(both.admin_server_host, ListenHost::Named("::1".into()));
}

#[test]
fn the_stronger_source_wins() {
    let file = TempFile::new("order", "db-anon-role = \"file\"\nlog-level = \"info\"\nserver-port = 1");
    let mut sources = Sources::new(Some(file.0.clone()), BTreeMap::new(), BTreeMap::new());
    let role = |sources: &Sources| {
        let (config, _) = Config::load(sources).unwrap_or_else(|error| panic!("{error}"));
        config.db_anon_role.unwrap_or_default()
    };
    assert_eq!(role(&sources), "file");
    sources.environment = map(&[("PGRST_DB_ANON_ROLE", "pgrst")]);
    assert_eq!(role(&sources), "pgrst");
    sources.environment = map(&[("PGRST_DB_ANON_ROLE", "pgrst"), ("PGDUET_DB_ANON_ROLE", "pgduet")]);
    assert_eq!(role(&sources), "pgduet");
    sources.flags = map(&[("db-anon-role", "flag")]);
    assert_eq!(role(&sources), "flag");
    sources.database = map(&[("pgrst.db_anon_role", "database"), ("pgrst.log_level", "crit")]);
    assert_eq!(role(&sources), "database");
    let (config, warnings) = Config::load(&sources).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(config.log_level, LogLevel::Info, "log-level cannot be set in the database");
    assert_eq!(warnings, [Warning::NotInDatabase(Origin::Database("pgrst.log_level".into()))]);
}

#[test]
fn an_empty_text_undoes_weaker_sources_and_means_the_default() {
    let file = TempFile::new("empty", "log-level = \"crit\"\ndb-max-rows = 5");
    let environment =
        map(&[("PGRST_LOG_LEVEL", ""), ("PGRST_DB_MAX_ROWS", ""), ("PGRST_DB_EXTRA_SEARCH_PATH", "")]);
    let config = Config::load(&Sources::new(Some(file.0.clone()), environment, BTreeMap::new()));
    let (config, _) = config.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((config.log_level, config.db_max_rows), (LogLevel::Error, None));
    assert_eq!(config.db_extra_search_path, Vec::<String>::new());
}

#[test]
fn application_settings_come_from_everywhere_and_keep_their_case() {
    let file = TempFile::new("app", "app.settings.a = \"file\"\napp.settings.b = \"file\"");
    let environment = map(&[("PGRST_APP_SETTINGS_b", "env"), ("PGRST_APP_SETTINGS_cC", "env")]);
    let sources = Sources::new(Some(file.0.clone()), environment, map(&[("app.settings.d", "flag")]));
    let (config, warnings) = Config::load(&sources).unwrap_or_else(|error| panic!("{error}"));
    let expected = [("a", "file"), ("b", "env"), ("cC", "env"), ("d", "flag")];
    let expected: BTreeMap<_, _> =
        expected.into_iter().map(|(name, text)| (format!("app.settings.{name}"), text.to_owned())).collect();
    assert_eq!((config.app_settings, warnings), (expected, vec![]));
}

#[test]
fn unknown_names_are_warnings() {
    let (_, warnings) = from_file("unknown", "db-config = false\nnot-existing = \"x\"")
        .unwrap_or_else(|error| panic!("{error}"));
    let [Warning::Unknown(Origin::File { line: 2, name, .. })] = &warnings[..] else {
        panic!("{warnings:?}")
    };
    assert_eq!(name, "not-existing");
    let sources =
        Sources::new(None, map(&[("PGRST_DB_USE_LEGACY_GUCS", "false"), ("PGHOST", "h")]), BTreeMap::new());
    let (config, warnings) = Config::load(&sources).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(warnings, [Warning::Unknown(Origin::Environment("PGRST_DB_USE_LEGACY_GUCS".into()))]);
    assert_eq!(config.libpq_environment, map(&[("PGHOST", "h")]));
}

#[test]
fn an_invalid_value_is_told_with_option_source_and_form() {
    for (variable, text, message) in [
        (
            "PGRST_SERVER_PORT",
            "abc",
            "Invalid server-port. Check your configuration. PGRST_SERVER_PORT=abc: expected a port number from 0 to 65535",
        ),
        (
            "PGRST_OPENAPI_MODE",
            "follow-",
            "Invalid openapi-mode. Check your configuration. PGRST_OPENAPI_MODE=follow-: \
             expected follow-privileges, ignore-privileges or disabled",
        ),
        (
            "PGDUET_DB_POOL",
            "0",
            "Invalid db-pool. Check your configuration. PGDUET_DB_POOL=0: expected a whole number from 1 up",
        ),
        ("PGRST_JWT_AUD", "foo://%%$$^^.com", "jwt-aud should be a string or a valid URI (PGRST_JWT_AUD)"),
        (
            "PGRST_DB_SCHEMAS",
            "public, pg_catalog",
            "db-schemas does not allow schema: 'pg_catalog' (PGRST_DB_SCHEMAS)",
        ),
        (
            "PGRST_JWT_ROLE_CLAIM_KEY",
            "role.other",
            "failed to parse role-claim-key value (role.other) (PGRST_JWT_ROLE_CLAIM_KEY)",
        ),
        ("PGRST_JWT_SECRET", "short_secret", "The JWT secret must be at least 32 characters long."),
        ("PGRST_ADMIN_SERVER_PORT", "3000", "admin-server-port cannot be the same as server-port"),
        (
            "PGRST_DB_URI",
            "@/no/such/file",
            "cannot read /no/such/file for PGRST_DB_URI: No such file or directory (os error 2)",
        ),
    ] {
        let error = from_environment(&[(variable, text)]).err().map(|error| error.to_string());
        assert_eq!(error.as_deref(), Some(message));
    }
    for (variable, text) in [
        ("PGRST_SERVER_UNIX_SOCKET_MODE", "800"),
        ("PGRST_LOG_LEVEL", "never"),
        ("PGRST_DB_TX_END", "random"),
        ("PGRST_OPENAPI_SERVER_PROXY_URI", "htp:/@@localhorst.invalid"),
    ] {
        assert!(from_environment(&[(variable, text)]).is_err(), "{variable}={text}");
    }
    let not_base64 = [("PGRST_JWT_SECRET", "no base-64!"), ("PGRST_JWT_SECRET_IS_BASE64", "true")];
    assert!(from_environment(&not_base64).is_err());
}

#[test]
fn a_broken_file_is_told_with_its_line() {
    let error = from_file("broken", "db-pool = 5\nyaml:\n  is: not").err().map(|error| error.to_string());
    assert!(
        error.as_deref().is_some_and(|error| error.ends_with(":2: expected `=` and a value after `yaml`")),
        "{error:?}"
    );
    let missing = Sources::new(Some("/no/such.conf".into()), BTreeMap::new(), BTreeMap::new());
    assert!(matches!(Config::load(&missing), Err(Error::Unreadable { .. })));
}

#[test]
fn a_secret_and_a_connection_are_read_from_a_file_without_its_last_line_break() {
    let secret = TempFile::new("secret", b"\xff\xfe secret of more than 32 bytes, not UTF-8\n");
    let uri = TempFile::new("uri", "postgresql://h/d\n");
    let at = |file: &TempFile| format!("@{}", file.0.display());
    let config = from_environment(&[("PGRST_JWT_SECRET", &at(&secret)), ("PGRST_DB_URI", &at(&uri))]);
    let config = config.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(config.jwt_key(), Ok(Some(b"\xff\xfe secret of more than 32 bytes, not UTF-8".to_vec())));
    assert_eq!(config.db_uri.0, "postgresql://h/d");
}

#[test]
fn a_reload_changes_what_it_may_and_says_what_it_may_not() {
    let running = from_environment(&[("PGRST_DB_POOL", "5")]).unwrap_or_else(|error| panic!("{error}"));
    let environment = map(&[("PGRST_DB_POOL", "6"), ("PGRST_DB_SCHEMAS", "new")]);
    let reloaded = running.reload(&Sources::new(None, environment, BTreeMap::new()));
    let (config, warnings) = reloaded.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((config.db_pool.get(), config.db_schemas.default_schema()), (5, "new"));
    assert_eq!(warnings, [Warning::NeedsRestart("db-pool")]);
}

#[test]
fn the_settings_asked_of_the_database_are_those_that_the_table_allows() {
    let names: Vec<_> = Config::database_settings().collect();
    assert!(names.contains(&"pgrst.db_schemas".to_owned()) && names.contains(&"pgrst.jwt_secret".to_owned()));
    assert!(!names.contains(&"pgrst.db_uri".to_owned()) && !names.contains(&"pgrst.server_port".to_owned()));
}

#[test]
fn the_example_is_a_file_that_changes_nothing() {
    let live = example().replace("\n# ", "\n");
    let (config, warnings) = from_file("example", &live).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(warnings, []);
    assert_eq!(config.dump(), dump(from_environment(&[])));
}

#[test]
fn config_md_is_generated_from_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/CONFIG.md");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, markdown()).unwrap_or_else(|error| panic!("{error}"));
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == markdown(),
        "CONFIG.md is not what the table says: run UPDATE=1 cargo test --lib config"
    );
}
