//! What the document says of itself, against a server: its formats and codings, 304, when it is made anew, and the
//! `.proto` files that it links.

use super::{described::Scratch, pgduet};
use crate::support::{
    database::Database,
    http::{Answer, send},
    server::Server,
    token::token,
    tools::stdout,
};
use flate2::read::GzDecoder;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use std::{collections::BTreeMap, fs, io::Read, process::Command};

const SECRET: &str = "a secret of more than thirty-two bytes";
const SCHEMA: &str = r#"
    CREATE SCHEMA api;
    CREATE TABLE api.items (id int PRIMARY KEY, name text NOT NULL DEFAULT 'no', day date);
    CREATE TABLE api.hidden (id int PRIMARY KEY);
    COMMENT ON COLUMN api.items.name IS E'off: 2024-01-01\n# "quoted"';
    GRANT USAGE ON SCHEMA api TO anonymous;
    GRANT SELECT ON api.items TO anonymous;
"#;

fn served(database: &Database, environment: &[(&str, &str)]) -> Server {
    let uri = database.uri("authenticator");
    let own = [
        ("PGRST_DB_URI", uri.as_str()),
        ("PGRST_DB_SCHEMAS", "api"),
        ("PGRST_DB_ANON_ROLE", "anonymous"),
        ("PGRST_JWT_SECRET", SECRET),
    ];
    Server::start(&[own.as_slice(), environment].concat())
}

fn get(server: &Server, target: &str, headers: &[(&str, &str)]) -> Answer {
    send(server.address(), "GET", target, headers, None)
}

fn etag(answer: &Answer) -> String {
    answer.header("etag").unwrap()
}

fn gunzipped(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut plain).unwrap();
    plain
}

#[test]
fn a_document_is_compressed_for_who_takes_that_and_not_sent_to_who_has_it() {
    let database = Database::fresh(SCHEMA);
    let server = served(&database, &[]);
    let plain = get(&server, "/", &[]);
    assert_eq!((plain.status, plain.header("content-encoding")), (200, None));
    assert_eq!(plain.header("cache-control").unwrap(), "no-cache");
    assert_eq!(plain.header("vary").unwrap(), "Accept, Accept-Encoding, Accept-Profile, Authorization");

    let gzip = get(&server, "/", &[("Accept-Encoding", "gzip")]);
    assert_eq!(gzip.header("content-encoding").unwrap(), "gzip");
    assert_eq!(gunzipped(&gzip.body), plain.body);
    let zstd = get(&server, "/", &[("Accept-Encoding", "gzip, deflate, br, zstd")]);
    assert_eq!(zstd.header("content-encoding").unwrap(), "zstd");
    assert_eq!(zstd::bulk::decompress(&zstd.body, plain.body.len()).unwrap(), plain.body);
    assert!(etag(&plain) != etag(&gzip) && etag(&gzip) != etag(&zstd), "bytes that differ have tags that do");

    for answer in [&plain, &gzip] {
        let tag = etag(answer);
        let coding = if answer.header("content-encoding").is_some() { "gzip" } else { "identity" };
        let sent = [("If-None-Match", tag.as_str()), ("Accept-Encoding", coding)];
        let again = get(&server, "/", &sent);
        assert_eq!((again.status, again.body.len(), etag(&again)), (304, 0, tag.clone()));
        assert_eq!(again.header("vary"), plain.header("vary"));
    }
    assert_eq!(get(&server, "/", &[("If-None-Match", "\"other\"")]).status, 200);
    let head = send(server.address(), "HEAD", "/", &[], None);
    assert_eq!((head.status, head.body.len(), etag(&head)), (200, 0, etag(&plain)));
}

#[test]
fn a_document_is_as_the_privileges_are_now_and_differs_by_role() {
    let database = Database::fresh(SCHEMA);
    let server = served(&database, &[]);
    let first = get(&server, "/", &[]);
    assert!(!first.text().contains("/hidden"));
    let authorization = format!("Bearer {}", token(SECRET, r#"{"role":"authenticated"}"#));
    let other = get(&server, "/", &[("Authorization", &authorization), ("If-None-Match", &etag(&first))]);
    assert_eq!(other.status, 200, "the tag is of a document that this role does not get");
    assert!(!other.text().contains("/items"));

    database.execute("GRANT SELECT ON api.hidden TO anonymous");
    let second = get(&server, "/", &[("If-None-Match", &etag(&first))]);
    assert_eq!(second.status, 200);
    assert!(second.text().contains("/hidden"));
    database.execute("REVOKE SELECT ON api.hidden FROM anonymous");
    assert_eq!(get(&server, "/", &[("If-None-Match", &etag(&first))]).status, 304);
}

#[test]
fn a_document_follows_each_kind_of_grant_at_once() {
    let database = Database::fresh(SCHEMA);
    database.execute("CREATE FUNCTION api.f() RETURNS int STABLE LANGUAGE sql AS 'SELECT 1'");
    database.execute("REVOKE EXECUTE ON FUNCTION api.f() FROM public");
    let server = served(&database, &[]);
    let role = format!("{}_granted", database.name());
    let mut former = etag(&get(&server, "/", &[]));
    for change in [
        "GRANT SELECT (id) ON api.hidden TO anonymous",
        "GRANT UPDATE (id) ON api.hidden TO anonymous",
        "REVOKE SELECT (id) ON api.hidden FROM anonymous",
        "GRANT EXECUTE ON FUNCTION api.f() TO anonymous",
        "ALTER TABLE api.hidden OWNER TO anonymous",
        &format!("CREATE ROLE {role}; GRANT ALL ON api.items TO {role}; GRANT {role} TO anonymous"),
        &format!("REVOKE {role} FROM anonymous"),
        "REVOKE USAGE ON SCHEMA api FROM anonymous",
    ] {
        assert_eq!(get(&server, "/", &[("If-None-Match", &former)]).status, 304, "before {change}");
        database.execute(change);
        let answer = get(&server, "/", &[("If-None-Match", &former)]);
        assert_eq!(answer.status, 200, "{change}");
        former = etag(&answer);
    }
    database.execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

#[test]
fn whoever_the_function_before_requests_refuses_gets_no_document() {
    let database = Database::fresh(SCHEMA);
    database.execute(
        r#"
        CREATE FUNCTION api.before() RETURNS void LANGUAGE plpgsql AS $$ BEGIN
            IF current_setting('request.headers')::json->>'x-refused' IS NOT NULL THEN
                RAISE insufficient_privilege USING message = current_setting('request.path');
            END IF;
            IF current_setting('request.headers')::json->>'x-role' IS NOT NULL THEN
                SET LOCAL ROLE authenticated;
            END IF;
        END $$;
        GRANT authenticated TO authenticator;
        "#,
    );
    let before = ("PGRST_DB_PRE_REQUEST", "api.before");
    for mode in ["follow-privileges", "ignore-privileges"] {
        let server = served(&database, &[before, ("PGRST_OPENAPI_MODE", mode)]);
        let first = get(&server, "/", &[]);
        assert_eq!(first.status, 200, "{}", first.text());
        let known = etag(&first);
        let refused = get(&server, "/openapi.json", &[("X-Refused", "1"), ("If-None-Match", &known)]);
        assert_eq!((refused.status, refused.code().as_deref()), (401, Some("42501")), "{mode}");
        assert!(refused.text().contains("/openapi.json"), "{}", refused.text());
    }
    // The document is that of the role which the function has chosen.
    let server = served(&database, &[before]);
    for _ in 0..2 {
        assert!(get(&server, "/", &[]).text().contains("\"/items\""));
        assert!(!get(&server, "/", &[("X-Role", "1")]).text().contains("\"/items\""));
    }
}

#[test]
fn examples_of_arguments_in_a_query_are_taken() {
    let database = Database::fresh(super::described::AWKWARD);
    database.execute(
        r#"
        CREATE FUNCTION api.dated(days date[], keys uuid[], points api.nested[], spans interval[], yes bool[])
            RETURNS int STABLE LANGUAGE sql AS 'SELECT cardinality(days)';
        CREATE FUNCTION api.held(everything api.nested) RETURNS boolean STABLE LANGUAGE sql AS 'SELECT true';
        "#,
    );
    let server = served(&database, &[]);
    let document: Value = serde_json::from_slice(&get(&server, "/", &[]).body).unwrap();
    let mut count = 0;
    for name in ["with_array", "with_composite", "with_json", "dated", "held"] {
        let parameters = document["paths"][format!("/rpc/{name}")]["get"]["parameters"].as_array().unwrap();
        let given = parameters.iter().filter_map(|parameter| {
            Some((parameter["name"].as_str()?, parameter["schema"]["examples"][0].as_str()?))
        });
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let given: Vec<_> =
            given.map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
        count += given.len();
        let query = given.join("&");
        let answer = get(&server, &format!("/rpc/{name}?{query}"), &[]);
        assert_eq!(answer.status, 200, "{name}?{query}: {}", answer.text());
    }
    assert_eq!(count, 11);
}

#[test]
fn versions_of_answers_are_described_and_exposed_where_they_are_sent() {
    let database = Database::fresh(SCHEMA);
    database.execute("CREATE FUNCTION api.f() RETURNS int STABLE LANGUAGE sql AS 'SELECT 1'");
    let exposed = |answer: &Answer| answer.header("access-control-expose-headers").unwrap();
    for (option, is_sent) in [("true", true), ("false", false)] {
        let server = served(&database, &[("PGDUET_SERVER_ETAG", option)]);
        let document: Value = serde_json::from_slice(&get(&server, "/", &[]).body).unwrap();
        for path in ["/items", "/rpc/f"] {
            let get = &document["paths"][path]["get"];
            assert_eq!(get["responses"].get("304").is_some(), is_sent, "{path}");
            assert_eq!(get["parameters"].to_string().contains("if_none_match"), is_sent, "{path}");
            let answer = get["responses"]["200"]["$ref"].as_str().unwrap().trim_start_matches('#');
            assert_eq!(document.pointer(answer).unwrap()["headers"].get("ETag").is_some(), is_sent, "{path}");
            let head = &document["paths"][path]["head"];
            assert_eq!(head["responses"].get("304"), None, "HEAD has no version");
        }
        let answer = get(&server, "/items", &[("Origin", "http://example.com")]);
        assert_eq!(answer.header("etag").is_some(), is_sent);
        assert_eq!(exposed(&answer).contains("ETag"), is_sent);
        assert!(exposed(&get(&server, "/", &[("Origin", "http://example.com")])).contains("ETag"));
    }
}

#[test]
fn examples_of_refusals_are_what_the_server_answers() {
    let database = Database::fresh(SCHEMA);
    let server = served(&database, &[]);
    let document: Value = serde_json::from_slice(&get(&server, "/", &[]).body).unwrap();
    for (refusal, target, header, status) in [
        ("401", "/items", ("Authorization", "Bearer eyJhbGciOiJIUzI1NiJ9.e30.AAAA"), 401),
        ("406", "/items", ("Accept", "application/vnd.pgrst.object+json"), 406),
    ] {
        let response = &document["components"]["responses"][refusal];
        let example = &response["content"]["application/json"]["examples"]["error"]["value"];
        let answer = get(&server, target, &[header]);
        assert_eq!(answer.status, status);
        assert_eq!(serde_json::from_slice::<Value>(&answer.body).unwrap(), *example);
    }
}

#[test]
fn a_document_is_yaml_where_that_is_asked_for_and_at_addresses_of_files() {
    let database = Database::fresh(SCHEMA);
    let server = served(&database, &[]);
    let json = get(&server, "/", &[]);
    let yaml = get(&server, "/", &[("Accept", "application/yaml")]);
    assert_eq!((yaml.status, yaml.header("content-type").as_deref()), (200, Some("application/yaml")));
    let document: Value = serde_json::from_slice(&json.body).unwrap();
    assert_eq!(serde_yaml_ng::from_slice::<Value>(&yaml.body).unwrap(), document);
    assert_eq!(get(&server, "/openapi.json", &[]).body, json.body);
    let file = get(&server, "/openapi.yaml", &[]);
    assert_eq!((&file.body, file.header("content-type")), (&yaml.body, yaml.header("content-type")));
    let preferred = get(&server, "/", &[("Accept", "application/yaml;q=0.5, application/json")]);
    assert_eq!(preferred.header("content-type").unwrap(), "application/openapi+json; charset=utf-8");
    for refused in ["text/html", "application/*"] {
        let answer = get(&server, "/", &[("Accept", refused)]);
        assert_eq!((answer.status, answer.code().as_deref()), (406, Some("PGRST107")), "{refused}");
    }
}

#[test]
fn a_relation_comes_before_a_file_of_its_name_and_a_disabled_document_is_nowhere() {
    let database = Database::fresh(
        r#"
        CREATE SCHEMA api;
        CREATE TABLE api."openapi.json" (id int PRIMARY KEY);
        GRANT USAGE ON SCHEMA api TO anonymous;
        GRANT SELECT ON api."openapi.json" TO anonymous;
        "#,
    );
    let server = served(&database, &[]);
    assert_eq!(get(&server, "/openapi.json", &[]).text(), "[]");
    assert_eq!(get(&server, "/openapi.yaml", &[]).status, 200);
    let silent = served(&database, &[("PGRST_OPENAPI_MODE", "disabled")]);
    assert_eq!(get(&silent, "/openapi.yaml", &[]).status, 404);
}

#[test]
fn the_proto_files_are_those_that_the_command_writes() {
    let database = Database::fresh(SCHEMA);
    let server = served(&database, &[]);
    let document: Value = serde_json::from_slice(&get(&server, "/", &[]).body).unwrap();
    let described = document["tags"].to_string();
    assert!(described.contains("(/docs/proto.zip)"), "{described}");
    let answer = get(&server, "/docs/proto.zip", &[]);
    assert_eq!((answer.status, answer.header("content-type").as_deref()), (200, Some("application/zip")));
    let again = get(&server, "/docs/proto.zip", &[("If-None-Match", &etag(&answer))]);
    assert_eq!((again.status, again.body.len()), (304, 0));

    let scratch = Scratch::new("proto-zip");
    let (out, archive) = (scratch.0.join("written"), scratch.0.join("proto.zip"));
    let uri = database.uri("authenticator");
    pgduet(
        &["proto", "--out", out.to_str().unwrap()],
        &[("PGRST_DB_URI", uri.as_str()), ("PGRST_DB_SCHEMAS", "api")],
    );
    fs::write(&archive, &answer.body).unwrap();
    // Somebody else's reader of archives.
    let unzipped = scratch.0.join("unzipped");
    stdout(Command::new("python3").args(["-m", "zipfile", "-e"]).args([&archive, &unzipped]));
    let mut written = files(&out);
    written.retain(|path, _| !path.ends_with("lock.json"));
    assert_eq!(files(&unzipped), written);
}

/// The files below a directory, by their paths in it.
fn files(directory: &std::path::Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            found.extend(files(&path).into_iter().map(|(below, bytes)| (format!("{name}/{below}"), bytes)));
        } else {
            found.insert(name, fs::read(&path).unwrap());
        }
    }
    found
}

#[test]
fn the_page_is_found_without_its_last_slash_unless_a_relation_is_called_so() {
    let database = Database::fresh(SCHEMA);
    let server = served(&database, &[]);
    let answer = get(&server, "/docs", &[]);
    assert_eq!((answer.status, answer.header("location").as_deref()), (307, Some("docs/")));
    assert_eq!(send(server.address(), "POST", "/docs", &[], Some("{}")).status, 404);
    let without = served(&database, &[("PGDUET_DOCS_ENABLED", "false")]);
    assert_eq!(get(&without, "/docs", &[]).status, 404);
    database.execute("CREATE TABLE api.docs (id int); GRANT SELECT ON api.docs TO anonymous");
    assert_eq!(get(&served(&database, &[]), "/docs", &[]).text(), "[]");
}

#[test]
fn whoever_may_not_ask_reflection_gets_no_proto_files_and_no_link() {
    let database = Database::fresh(SCHEMA);
    for withheld in [("PGDUET_GRPC_REFLECTION", "authenticated"), ("PGRST_DB_ANON_ROLE", "")] {
        let server = served(&database, &[withheld]);
        assert_eq!(get(&server, "/docs/proto.zip", &[]).status, 404, "{withheld:?}");
        assert_eq!(get(&server, "/docs/grpc.json", &[]).status, 404, "{withheld:?}");
        assert!(!get(&server, "/", &[]).text().contains("proto.zip"), "{withheld:?}");
    }
}

#[test]
fn the_page_is_compressed_and_kept_by_browsers() {
    let database = Database::fresh(SCHEMA);
    let server = served(&database, &[]);
    let script = "/docs/swagger-ui-bundle.js";
    let (plain, gzip) = (get(&server, script, &[]), get(&server, script, &[("Accept-Encoding", "gzip")]));
    assert_eq!(
        (plain.header("content-encoding"), gzip.header("content-encoding").as_deref()),
        (None, Some("gzip"))
    );
    assert_eq!(gunzipped(&gzip.body), plain.body);
    let again = get(&server, script, &[("Accept-Encoding", "gzip"), ("If-None-Match", &etag(&gzip))]);
    assert_eq!((again.status, again.body.len()), (304, 0));
    assert_eq!(get(&server, "/docs/nothing.js", &[]).status, 404);
    assert_eq!(send(server.address(), "POST", "/docs/", &[], None).status, 405);
}
