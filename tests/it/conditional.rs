//! Conditional reads of the REST side, as curl makes them: `ETag` and 304; and content codings of its answers.

use crate::support::{
    database::Database,
    http::send,
    server::Server,
    tools::{Answer, curl},
};
use std::io::Read;

const FIXTURE: &str = r#"
    CREATE SCHEMA api;
    CREATE TABLE api.books (id int PRIMARY KEY, title text);
    INSERT INTO api.books VALUES (1, 'Emma'), (2, 'Ulysses');
    CREATE FUNCTION api.tagged() RETURNS text STABLE LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM set_config('response.headers', '[{"ETag": "\"own\""}]', true);
        RETURN 'x';
    END $$;
    GRANT USAGE ON SCHEMA api TO anonymous;
    GRANT ALL ON api.books TO anonymous;"#;

fn serve(database: &Database, etag: &str) -> Server {
    Server::start(&[
        ("PGRST_DB_URI", &database.uri("authenticator")),
        ("PGRST_DB_SCHEMAS", "api"),
        ("PGRST_DB_ANON_ROLE", "anonymous"),
        ("PGDUET_SERVER_ETAG", etag),
    ])
}

fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer.headers.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

/// The tag as it was sent: curl's headers come in lower case here.
fn tag(url: &str) -> String {
    let head = crate::support::tools::stdout(std::process::Command::new("curl").args([
        "-sS",
        "-o",
        "/dev/null",
        "-w",
        "%header{etag}",
        url,
    ]));
    assert!(head.starts_with('"') && head.ends_with('"') && head.len() > 40, "{head}");
    head
}

#[test]
fn a_client_that_has_the_answer_is_told_so_until_it_changes() {
    let database = Database::fresh(FIXTURE);
    let server = serve(&database, "true");
    let url = format!("{}/books?order=id", server.url());
    let first = tag(&url);
    let again = |url: &str, had: &str| {
        let had = format!("If-None-Match: {had}");
        curl(&["-H", &had, url])
    };
    for had in [first.clone(), format!("\"other\", W/{first}"), "*".to_owned()] {
        let answer = again(&url, &had);
        assert_eq!((answer.status, answer.body.as_str()), (304, ""), "{had}");
        assert_eq!(header(&answer, "etag"), Some(first.to_ascii_lowercase().as_str()));
        assert_eq!([header(&answer, "content-type"), header(&answer, "content-range")], [None, None]);
    }
    assert_eq!(again(&url, "\"other\"").status, 200);
    // Another form, another page and another total are other answers.
    let tags = [first.clone(), tag(&format!("{url}&limit=1")), tag(&format!("{url}&select=id,title,n:id"))];
    assert_eq!(tags.iter().collect::<std::collections::HashSet<_>>().len(), 3);
    let csv = curl(&["-H", "Accept: text/csv", "-H", &format!("If-None-Match: {first}"), &url]);
    assert_eq!(csv.status, 200);
    let counted = curl(&["-H", "Prefer: count=exact", "-H", &format!("If-None-Match: {first}"), &url]);
    assert_eq!(counted.status, 200, "the total is a part of it");
    database.execute("UPDATE api.books SET title = 'Persuasion' WHERE id = 1");
    let changed = again(&url, &first);
    assert_eq!(changed.status, 200);
    assert!(changed.body.contains("Persuasion"), "{}", changed.body);
}

#[test]
fn only_reads_that_succeed_are_tagged_and_a_function_s_own_tag_counts() {
    let database = Database::fresh(FIXTURE);
    let server = serve(&database, "true");
    let url = |path: &str| format!("{}{path}", server.url());
    let own = curl(&[&url("/rpc/tagged")]);
    assert_eq!((own.status, header(&own, "etag")), (200, Some("\"own\"")));
    assert_eq!(curl(&["-H", "If-None-Match: \"own\"", &url("/rpc/tagged")]).status, 304);
    for arguments in [
        ["-I", &url("/books")].as_slice(),
        &[&url("/nothing")],
        &[
            "-H",
            "If-None-Match: *",
            "-H",
            "Prefer: return=representation",
            "-d",
            "{\"id\": 3}",
            &url("/books?select=id"),
        ],
    ] {
        let answer = curl(arguments);
        assert!(
            header(&answer, "etag").is_none() && answer.status != 304,
            "{arguments:?}: {}",
            answer.headers
        );
    }
    let server = serve(&database, "false");
    let answer = curl(&["-H", "If-None-Match: *", &format!("{}/books", server.url())]);
    assert_eq!((answer.status, header(&answer, "etag")), (200, None), "off by default");
}

#[test]
fn a_long_answer_is_compressed_for_who_takes_that() {
    let database = Database::fresh(FIXTURE);
    let server = serve(&database, "true");
    database.execute("INSERT INTO api.books SELECT n, repeat('Emma ', 5) FROM generate_series(3, 4000) n");
    let get = |target: &str, headers: &[(&str, &str)]| send(server.address(), "GET", target, headers, None);
    // One is compressed where the request is handled, the other beside the requests.
    for target in ["/books?limit=50", "/books"] {
        let plain = get(target, &[]);
        assert_eq!(plain.header("content-encoding"), None);
        let gzip = get(target, &[("Accept-Encoding", "gzip, deflate")]);
        let zstd = get(target, &[("Accept-Encoding", "gzip, zstd")]);
        let mut unzipped = Vec::new();
        flate2::read::GzDecoder::new(&*gzip.body).read_to_end(&mut unzipped).unwrap();
        assert_eq!((gzip.header("content-encoding").as_deref(), &unzipped), (Some("gzip"), &plain.body));
        let unpacked = zstd::bulk::decompress(&zstd.body, plain.body.len()).unwrap();
        assert_eq!((zstd.header("content-encoding").as_deref(), &unpacked), (Some("zstd"), &plain.body));
        let tag = plain.header("etag").unwrap();
        for answer in [&gzip, &zstd] {
            assert_eq!(answer.header("etag").unwrap(), format!("W/{tag}"));
            assert_eq!(answer.header("content-range"), plain.header("content-range"));
            assert!(answer.headers.iter().any(|(name, value)| name == "vary" && value == "Accept-Encoding"));
        }
        let had = format!("W/{tag}");
        let again = get(target, &[("Accept-Encoding", "gzip"), ("If-None-Match", &had)]);
        assert_eq!((again.status, again.body.len()), (304, 0));
    }
    let short = get("/books?limit=1", &[("Accept-Encoding", "gzip")]);
    assert_eq!((short.header("content-encoding"), short.text().contains("Emma")), (None, true));
    let refused = get("/books", &[("Accept-Encoding", "gzip;q=0, br")]);
    assert_eq!(refused.header("content-encoding"), None);
    let head = send(server.address(), "HEAD", "/books", &[("Accept-Encoding", "gzip")], None);
    assert_eq!((head.status, head.body.len()), (200, 0));
}

/// What a cache keeps is found again by a 304 that has the same tag and the same `Vary` (RFC 9110, section 15.4.5).
#[test]
fn a_304_has_the_tag_and_the_vary_of_the_compressed_answer() {
    let database = Database::fresh(&format!(
        "{FIXTURE} INSERT INTO api.books SELECT id, repeat('x', 20) FROM generate_series(3, 100) AS id"
    ));
    let server = serve(&database, "true");
    let get = |had: &str| {
        let headers = [("Accept-Encoding", "gzip"), ("If-None-Match", had)];
        send(server.address(), "GET", "/books", &headers, None)
    };
    let whole = get("\"none\"");
    assert_eq!((whole.status, whole.header("content-encoding").as_deref()), (200, Some("gzip")));
    let again = get(&whole.header("etag").unwrap());
    assert_eq!(again.status, 304);
    assert_eq!([again.header("etag"), again.header("vary")], [whole.header("etag"), whole.header("vary")]);
}
