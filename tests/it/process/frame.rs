//! What holds for every request, whichever protocol it is in and whoever answers it: its id, what browsers are told, and
//! what HTTP says of methods and lengths at paths that are no resource of the database.

use super::{SCHEMA, logs::lines, serve};
use crate::support::{
    address,
    database::Database,
    http::send,
    server::Server,
    tools::{curl, grpcurl},
};
use std::{collections::HashSet, io::Read};

const LIST: &str = "api.v1.ItemsService/ListItems";
const ID: &str = "x-request-id: ";

/// The value of a header in what curl, in small letters, or grpcurl print.
fn header(printed: &str, name: &str) -> Option<String> {
    printed.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim().to_owned())
}

/// The ids that each protocol answers a request with that has this id.
fn ids(server: &Server, sent: Option<&str>) -> Vec<String> {
    let sent = sent.map(|id| format!("X-Request-Id: {id}"));
    let more: Vec<&str> = sent.iter().flat_map(|sent| ["-H", sent.as_str()]).collect();
    let at = |path: &str| format!("{}/{path}", server.url());
    let items = at("items");
    let (missing, page, call) = (at("nope"), at("docs/"), at(LIST));
    let json = ["-d", "{}", "-H", "content-type: application/json"];
    let http: [&[&str]; 6] = [
        &[&items],
        &["--http2-prior-knowledge", &items],
        &["-I", &items],
        &[&missing],
        &[&page],
        &[json.as_slice(), &[&call]].concat(),
    ];
    let over_http = http.iter().map(|arguments| curl(&[arguments, more.as_slice()].concat()).headers);
    let call = ["-v", "-d", "{}", server.address(), LIST];
    // What was sent is printed before.
    let printed = grpcurl(&[more.as_slice(), &call].concat()).unwrap();
    let over_grpc = printed.split_once("Response headers received:").unwrap().1.to_owned();
    over_http.chain([over_grpc]).map(|told| header(&told, ID).unwrap_or_else(|| panic!("{told}"))).collect()
}

fn is_made(id: &str) -> bool {
    id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[test]
fn each_request_has_an_id_which_the_answer_and_the_log_tell() {
    let database = Database::fresh(SCHEMA);
    let server = serve(&database, &[("PGRST_LOG_LEVEL", "info"), ("PGDUET_LOG_FORMAT", "json")]);
    let made = ids(&server, None);
    assert!(made.iter().all(|id| is_made(id)), "{made:?}");
    assert_eq!(made.iter().collect::<HashSet<_>>().len(), made.len());
    let longest = "a".repeat(128);
    for sent in ["r-1", &longest] {
        assert!(ids(&server, Some(sent)).iter().all(|id| id == sent), "{sent}");
    }
    let mut told = made;
    for refused in [format!("{longest}a"), "two words".to_owned()] {
        let ids = ids(&server, Some(&refused));
        assert!(ids.iter().all(|id| is_made(id)), "{refused}: {ids:?}");
        told.extend(ids);
    }
    let logged = lines(&server, told.len() + 14);
    let logged: HashSet<_> = logged.iter().filter_map(|line| line["request_id"].as_str()).collect();
    assert!(told.iter().all(|id| logged.contains(id.as_str())), "{told:?} in {logged:?}");
    assert!(logged.contains("r-1") && !logged.contains("two words"));
}

#[test]
fn sql_is_told_the_id_that_was_sent_and_its_own_goes_before() {
    let database = Database::fresh(&format!(
        "{SCHEMA}
         CREATE FUNCTION api.sent() RETURNS text LANGUAGE sql STABLE AS
             $$ SELECT current_setting('request.headers')::json->>'x-request-id' $$;
         CREATE FUNCTION api.own() RETURNS int LANGUAGE sql AS
             $$ SELECT set_config('response.headers', '[{{\"X-Request-Id\": \"own\"}}]', true); SELECT 1 $$;"
    ));
    let server = serve(&database, &[("PGRST_SERVER_TRACE_HEADER", "X-Request-Id")]);
    let call =
        |function: &str, sent: &[(&str, &str)]| send(server.address(), "POST", function, sent, Some("{}"));
    for sent in ["r-1", "two words"] {
        let answer = call("/rpc/sent", &[("X-Request-Id", sent)]);
        // PostgREST's option repeats whatever was sent.
        assert_eq!(
            (answer.text(), answer.header("x-request-id").unwrap()),
            (format!("\"{sent}\""), sent.into())
        );
    }
    let answer = call("/rpc/sent", &[]);
    assert_eq!(answer.text(), "null");
    assert!(is_made(&answer.header("x-request-id").unwrap()));
    let other = serve(&database, &[]);
    assert_eq!(
        send(other.address(), "POST", "/rpc/own", &[], Some("{}")).header("x-request-id").unwrap(),
        "own"
    );
    let own = grpcurl(&["-v", "-d", "{}", other.address(), "api.v1.FunctionsService/Own"]).unwrap();
    assert_eq!(header(&own, ID).unwrap(), "own");
}

#[test]
fn browsers_are_told_the_same_of_both_protocols() {
    let database = Database::fresh(SCHEMA);
    let server = serve(&database, &[("PGRST_SERVER_CORS_ALLOWED_ORIGINS", "https://app.example")]);
    let sent = |method: &str, path: &str, headers: &[&str]| {
        let url = format!("{}/{path}", server.url());
        let headers: Vec<&str> = headers.iter().flat_map(|header| ["-H", header]).collect();
        curl(&[&["-X", method, &url], headers.as_slice()].concat())
    };
    let (allowed, foreign) = ("origin: https://app.example", "origin: https://other.example");
    let asked = ["access-control-request-method: POST", "access-control-request-headers: x-grpc-web"];
    let origin = |answer: &str| header(answer, "access-control-allow-origin: ");
    let expected = Some("https://app.example".to_owned());
    for (path, methods, exposed) in [
        ("items", "get, post, patch, put, delete, options, head", "content-range"),
        (LIST, "get, post", "grpc-status-details-bin"),
        ("docs/", "get, post, patch, put, delete, options, head", "etag"),
        ("openapi.json", "get, post, patch, put, delete, options, head", "etag"),
    ] {
        // The header that only gRPC-Web asks for leads to gRPC.
        let asked = if path == LIST { &asked[..] } else { &asked[..1] };
        let told = sent("OPTIONS", path, &[&[allowed], asked].concat());
        assert_eq!((told.status, origin(&told.headers)), (200, expected.clone()), "{path}");
        for (name, value) in [
            ("access-control-allow-methods: ", methods),
            ("access-control-allow-credentials: ", "true"),
            ("access-control-max-age: ", "86400"),
            ("vary: ", "origin"),
        ] {
            assert_eq!(header(&told.headers, name).as_deref(), Some(value), "{path}");
        }
        assert_eq!(origin(&sent("OPTIONS", path, &[&[foreign], asked].concat()).headers), None, "{path}");
        let json = ["content-type: application/json"];
        let method = if path == LIST { "POST" } else { "GET" };
        let answer = sent(method, path, &[&[allowed], &json[..]].concat());
        let told = header(&answer.headers, "access-control-expose-headers: ").unwrap();
        assert!(told.contains(exposed), "{path}: {told}");
        assert_eq!(origin(&sent(method, path, &[&[foreign], &json[..]].concat()).headers), None, "{path}");
    }
    // What is refused before anybody looks at it can be read too.
    let twice = ["authorization: Bearer a", "authorization: Bearer b"];
    for path in ["items", LIST] {
        let answer = sent("POST", path, &[&[allowed, "content-type: application/json"], &twice[..]].concat());
        assert_eq!(answer.status, 400, "{path}");
        assert_eq!(origin(&answer.headers), expected, "{path}: {}", answer.headers);
    }
}

#[test]
fn the_admin_server_takes_any_method_and_knows_its_paths() {
    let database = Database::fresh(SCHEMA);
    let admin = address::free();
    let server = serve(&database, &[("PGRST_ADMIN_SERVER_PORT", &admin.port().to_string())]);
    let ask = |method: &str, path: &str, headers: &[(&str, &str)]| {
        send(&admin.to_string(), method, path, headers, (method == "POST").then_some("{}"))
    };
    for path in ["/", "/config", "/live/", "/ready/x", "/LIVE", "/items", "/%6Cive", "//live"] {
        for method in ["GET", "HEAD", "POST", "OPTIONS"] {
            assert_eq!(ask(method, path, &[]).status, 404, "{method} {path}");
        }
    }
    for path in ["/live", "/ready", "/metrics", "/schema_cache", "/live?x=1"] {
        let whole = ask("GET", path, &[]);
        for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"] {
            assert_eq!(ask(method, path, &[]).status, 200, "{method} {path}");
        }
        let head = ask("HEAD", path, &[]);
        let length = head.header("content-length").unwrap().parse::<usize>().unwrap();
        assert_eq!(head.body.len(), 0);
        assert!(length.abs_diff(whole.body.len()) < 64, "{path}: {length} for {}", whole.body.len());
    }
    let plain = ask("GET", "/schema_cache", &[]).body;
    let packed = ask("GET", "/schema_cache", &[("Accept-Encoding", "gzip")]);
    assert_eq!(packed.header("content-encoding").unwrap(), "gzip");
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(packed.body.as_slice()).read_to_end(&mut unpacked).unwrap();
    assert_eq!(unpacked, plain);
    drop(server);
}

#[test]
fn pages_take_get_and_head_and_tell_their_length() {
    let database = Database::fresh(SCHEMA);
    let server = serve(&database, &[]);
    let ask = |method: &str, path: &str, headers: &[(&str, &str)]| {
        send(server.address(), method, path, headers, None)
    };
    for path in ["/docs/", "/docs/page.js", "/docs/proto.zip", "/docs/grpc.json"] {
        let whole = ask("GET", path, &[]);
        assert_eq!((whole.status, whole.header("vary").as_deref()), (200, Some("Accept-Encoding")), "{path}");
        let head = ask("HEAD", path, &[]);
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
        assert_eq!(head.header("content-length").unwrap(), whole.body.len().to_string(), "{path}");
        let again = ask("GET", path, &[("If-None-Match", &whole.header("etag").unwrap())]);
        assert_eq!((again.status, again.header("content-length")), (304, None), "{path}");
        for method in ["POST", "PUT", "DELETE"] {
            let refused = ask(method, path, &[]);
            assert_eq!(
                (refused.status, refused.header("allow").as_deref()),
                (405, Some("GET,HEAD")),
                "{path}"
            );
        }
    }
    assert_eq!(ask("GET", "/docs/nothing", &[]).status, 404);
    let head = ask("HEAD", "/openapi.json", &[]);
    assert_eq!((head.status, head.header("content-length")), (200, None));
    // What REST has at these paths is its own affair.
    for (method, path) in [("PATCH", "/openapi.json"), ("DELETE", "/openapi.yaml"), ("POST", "/docs")] {
        let answer = send(server.address(), method, path, &[], (method != "DELETE").then_some("{}"));
        assert_eq!(answer.code().as_deref(), Some("PGRST205"), "{method} {path}");
    }
    assert_eq!(ask("GET", "/docsx", &[]).code().as_deref(), Some("PGRST205"));
    assert_eq!(ask("GET", "/openapi.txt", &[]).code().as_deref(), Some("PGRST205"));
}
