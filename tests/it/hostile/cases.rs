//! The cases: what is wrong, the request as bytes, the status and the code of its answer.

use super::token::{Flaw, token};

/// A bad request.
pub(super) struct Case {
    pub(super) wrong: &'static str,
    pub(super) request: Vec<u8>,
    pub(super) status: u16,
    /// None where the answer is no error of pgduet's or of PostgreSQL's.
    pub(super) code: Option<&'static str>,
}

/// All of them.
pub(super) fn all() -> Vec<Case> {
    let parts = [
        bodies(),
        queries(),
        ranges(),
        sizes(),
        encodings(),
        resources(),
        headers(),
        identities(),
        tokens(),
        messages(),
    ];
    parts
        .into_iter()
        .flatten()
        .map(|(wrong, request, status, code)| Case { wrong, request, status, code })
        .collect()
}

type Row = (&'static str, Vec<u8>, u16, Option<&'static str>);

fn bodies() -> Vec<Row> {
    let item = |members: &str| post("/items", format!("{{\"id\":3,{members}}}"));
    let deep = "[".repeat(20_000) + &"]".repeat(20_000);
    vec![
        ("no body", post("/items", ""), 400, Some("PGRST102")),
        ("half an object", post("/items", "{\"id\": 3"), 400, Some("PGRST102")),
        ("two objects", post("/items", "{\"id\":3} {\"id\":4}"), 400, Some("PGRST102")),
        ("a number", post("/items", "5"), 201, None),
        ("an array of arrays", post("/items", "[[1]]"), 400, Some("PGRST102")),
        ("keys that differ", post("/items", "[{\"id\":3},{\"name\":\"x\"}]"), 400, Some("PGRST102")),
        ("an unknown column", item("\"nope\":1"), 400, Some("PGRST204")),
        ("an unknown column in columns", post("/items?columns=nope", "{\"id\":3}"), 400, Some("PGRST204")),
        ("a value of another type", post("/items", "{\"id\":\"x\"}"), 400, Some("22P02")),
        ("a number out of range", post("/items", "{\"id\":99999999999}"), 400, Some("22003")),
        ("a huge exponent", post("/items", "{\"id\":1e999999}"), 400, Some("22P02")),
        ("a lone surrogate", item("\"name\":\"\\ud800\""), 400, Some("22P02")),
        ("NUL as an escape", item("\"name\":\"a\\u0000b\""), 400, Some("22P05")),
        ("NUL as an escape in a key", post("/items", "{\"i\\u0000d\":3}"), 400, Some("PGRST204")),
        ("NUL as a byte", item("\"name\":\"a\0b\""), 400, Some("PGRST102")),
        ("bytes that are not UTF-8", post("/items", b"{\"id\":3,\"name\":\"\xff\"}"), 400, Some("PGRST102")),
        ("a deep value", item(&format!("\"data\":{deep}")), 500, Some("54001")),
        ("a deep array for rows", post("/items", &deep), 400, Some("PGRST102")),
        ("a deep argument", post("/rpc/raw", format!("{{\"a\":{deep}}}")), 500, Some("54001")),
        ("CSV with too many fields", typed("/items", "text/csv", "id,name\n3,x,y\n"), 400, Some("PGRST102")),
        (
            "CSV with an open quote",
            typed("/items", "text/csv", "id,name\n3,\"x\n4,y\n"),
            400,
            Some("PGRST102"),
        ),
        (
            "CSV with text behind a quote",
            typed("/items", "text/csv", "id,name\n3,\"a\"b\n"),
            400,
            Some("PGRST102"),
        ),
        ("CSV with a bare quote", typed("/items", "text/csv", "id,name\n3,a\"b\n"), 400, Some("PGRST102")),
        (
            "CSV with JSON that is not quoted",
            typed("/items", "text/csv", "id,data\n3,{\"a\":213,\"b\":2}\n"),
            400,
            Some("PGRST102"),
        ),
        ("CSV that is not UTF-8", typed("/items", "text/csv", b"id,name\n3,\xff\n"), 400, Some("PGRST102")),
        ("another type of body", typed("/items", "image/png", "x"), 400, Some("PGRST102")),
        ("a type that is none", typed("/items", ";;;", "{\"id\":3}"), 400, Some("PGRST102")),
        ("a form that is not UTF-8", typed("/items", FORM, b"id=3&name=%ff\xff"), 400, Some("PGRST102")),
        ("a form with NUL", typed("/items", FORM, "id=3&name=%00"), 400, Some("22P05")),
        ("a body for GET that is no JSON", body("GET", "/items", JSON, "{{{"), 200, None),
    ]
}

fn queries() -> Vec<Row> {
    vec![
        ("an unknown column in a filter", get("/items?nope=eq.1"), 400, Some("42703")),
        ("an unknown column in select", get("/items?select=nope"), 400, Some("42703")),
        ("an unknown column in order", get("/items?order=nope"), 400, Some("42703")),
        ("an unknown relationship", get("/items?select=nope(*)"), 400, Some("PGRST200")),
        ("an unknown operator", get("/items?id=is_about.1"), 400, Some("PGRST100")),
        ("no operator", get("/items?id=1"), 400, Some("PGRST100")),
        ("a value of another type", get("/items?id=eq.x"), 400, Some("22P02")),
        ("no value", get("/items?id=eq."), 400, Some("22P02")),
        ("an open list", get("/items?id=in.(1,2"), 400, Some("PGRST100")),
        ("an open quote, which is a value", get("/items?name=in.(\"a)"), 200, None),
        ("an open tree", get("/items?or=(id.eq.1"), 400, Some("PGRST100")),
        ("an open embed", get("/items?select=items("), 400, Some("PGRST100")),
        ("an unknown direction", get("/items?order=id.sideways"), 400, Some("PGRST100")),
        ("a broken pattern", get("/items?name=match.%5B"), 400, Some("2201B")),
        ("a broken text search", get("/items?name=fts(klingon).x"), 400, Some("42704")),
        ("SQL for a name", get("/items?id;drop+table+api.items=eq.1"), 400, Some("PGRST108")),
        ("SQL for a quoted name", get("/items?select=%22id%22%22;--%22"), 400, Some("PGRST100")),
        ("SQL for a cast", get("/items?select=id::int);drop+table+api.items;--"), 200, None),
        ("an unknown type for a cast", get("/items?select=id::nope"), 400, Some("42704")),
        ("SQL for a value", get("/items?name=eq.';drop+table+api.items;--"), 200, None),
        ("SQL for a text search", get("/items?name=fts(a'b).x"), 400, Some("PGRST100")),
        ("an unknown conflict target", post("/items?on_conflict=nope", "{\"id\":3}"), 201, None),
        (
            "an unknown conflict target with a resolution",
            with("POST", "/items?on_conflict=nope", "Prefer: resolution=merge-duplicates", "{\"id\":3}"),
            400,
            Some("42703"),
        ),
    ]
}

fn ranges() -> Vec<Row> {
    let ranged = |range: &str| with("GET", "/items", &format!("Range: {range}"), "");
    vec![
        ("a negative limit", get("/items?limit=-1"), 416, Some("PGRST103")),
        ("a limit beyond 64 bits", get("/items?limit=99999999999999999999"), 200, None),
        ("the largest limit and offset", get(format!("/items?limit={0}&offset={0}", i64::MAX)), 200, None),
        (
            "the largest unsigned limit and offset",
            get(format!("/items?limit={0}&offset={0}", u64::MAX)),
            200,
            None,
        ),
        ("an offset beyond 64 bits", get("/items?offset=99999999999999999999"), 200, None),
        (
            "an offset beyond the rows",
            with("GET", "/items?offset=9", "Prefer: count=exact", ""),
            416,
            Some("PGRST103"),
        ),
        ("no range at all", ranged("what?"), 200, None),
        ("a range of bytes", ranged("bytes=0-9"), 200, None),
        ("a range backwards", ranged("5-1"), 416, Some("PGRST103")),
        ("a range beyond 64 bits", ranged("0-99999999999999999999"), 200, None),
        ("a range that starts beyond 64 bits", ranged("99999999999999999999-"), 200, None),
        ("the largest range", ranged(&format!("{0}-{0}", u64::MAX)), 200, None),
    ]
}

fn sizes() -> Vec<Row> {
    let embeds = |depth| get(format!("/items?select={}id{}", "items(".repeat(depth), ")".repeat(depth)));
    let trees = |depth| get(format!("/items?or=({}id.eq.1{})", "and(".repeat(depth), ")".repeat(depth)));
    let many = |separator: &str, part: &str, count| vec![part; count].join(separator);
    vec![
        ("embeds too deep", embeds(30), 400, Some("PGDUET09")),
        ("embeds much too deep", embeds(9000), 400, Some("PGDUET09")),
        ("trees too deep", trees(60), 400, Some("PGDUET09")),
        ("trees much too deep", trees(12_000), 400, Some("PGDUET09")),
        (
            "parentheses without an end",
            get(format!("/items?or={}", "(".repeat(60_000))),
            400,
            Some("PGRST100"),
        ),
        (
            "negations without an end",
            get(format!("/items?id={}", "not.".repeat(15_000))),
            400,
            Some("PGRST100"),
        ),
        ("a long path", get(format!("/items?select=data{}", "->a".repeat(100))), 200, None),
        ("a path too long", get(format!("/items?select=data{}", "->a".repeat(101))), 400, Some("PGDUET09")),
        ("too many fields", get(format!("/items?select={}", many(",", "id", 20_000))), 400, Some("PGDUET09")),
        ("too many filters", get(format!("/items?{}", many("&", "id=eq.1", 8000))), 400, Some("PGDUET09")),
        ("too many orders", get(format!("/items?order={}", many(",", "id", 20_000))), 400, Some("PGDUET09")),
        ("many values", get(format!("/items?id=in.({})", many(",", "1", 30_000))), 200, None),
        ("a long name", get(format!("/{}", "x".repeat(60_000))), 404, Some("PGRST205")),
        ("a long column", get(format!("/items?{}=eq.1", "x".repeat(60_000))), 400, Some("42703")),
        ("a target beyond 16 bits", get(format!("/items?id=eq.{}", "1".repeat(66_000))), 414, None),
        (
            "headers beyond the limit",
            with("GET", "/items", &format!("X-Pad: {}", "x".repeat(71_000)), ""),
            431,
            Some("PGDUET02"),
        ),
        (
            "more headers than hyper reads",
            with("GET", "/items", &many("\r\n", "X-Pad: x", 150), ""),
            431,
            None,
        ),
        ("eighty headers", with("GET", "/items", &many("\r\n", "X-Pad: x", 77), ""), 200, None),
        (
            "eighty headers and one",
            with("GET", "/items", &many("\r\n", "X-Pad: x", 78), ""),
            431,
            Some("PGDUET02"),
        ),
        ("headers without an end", with("GET", "/items", &many("\r\n", "X-Pad: x", 5000), ""), 431, None),
        (
            "headers far beyond the limit",
            with("GET", "/items", &format!("X-Pad: {}", "x".repeat(900_000)), ""),
            431,
            None,
        ),
        ("a body that is announced beyond the limit", announced(100_001), 413, Some("PGDUET01")),
        ("a body that is announced beyond all limits", announced(u64::MAX >> 1), 413, Some("PGDUET01")),
        ("a body beyond the limit", post("/items", "x".repeat(100_001)), 413, Some("PGDUET01")),
        ("chunks beyond the limit", chunked("/items", "x".repeat(100_001)), 413, Some("PGDUET01")),
    ]
}

fn encodings() -> Vec<Row> {
    vec![
        ("a raw byte in the path", get(b"/items\xff"), 404, Some("PGRST205")),
        ("an escaped byte in the path", get("/items%ff"), 404, Some("PGRST205")),
        ("NUL in the path", get("/items%00"), 404, Some("PGRST205")),
        ("NUL in a function's name", post("/rpc/e%00cho", "{}"), 404, Some("PGRST202")),
        ("a raw byte in a value", get(b"/items?name=eq.\xff"), 400, Some("PGRST100")),
        ("an escaped byte in a value", get("/items?name=eq.%ff"), 400, Some("PGRST100")),
        ("half an escape", get("/items?name=eq.%f"), 200, None),
        ("an escape of no byte", get("/items?name=eq.%zz"), 200, None),
        ("NUL in a value", get("/items?name=eq.a%00b"), 400, Some("22021")),
        ("NUL in a list", get("/items?name=in.(a%00b)"), 400, Some("22021")),
        ("NUL in a pattern", get("/items?name=like.a%00b"), 400, Some("22021")),
        ("NUL in an argument", get("/rpc/echo?value=a%00b"), 400, Some("22021")),
        ("NUL in a name", get("/items?select=a%00b"), 400, Some("PGRST100")),
        ("NUL in a quoted name", get("/items?select=%22a%00b%22"), 400, Some("PGRST100")),
        ("NUL in a quoted alias", get("/items?select=%22a%00b%22:id"), 400, Some("PGRST100")),
        ("NUL in a quoted filter", get("/items?%22a%00b%22=eq.1"), 400, Some("PGRST100")),
        ("NUL in a quoted order", get("/items?order=%22a%00b%22"), 400, Some("PGRST100")),
        ("NUL in a quoted tree", get("/items?or=(%22a%00b%22.eq.1)"), 400, Some("PGRST100")),
        ("NUL in a quoted embed", get("/items?select=%22a%00b%22(id)"), 400, Some("PGRST100")),
        ("NUL in a quoted path", get("/items?select=data->%22a%00b%22"), 400, Some("PGRST100")),
        ("NUL in a path", get("/items?select=data->a%00b"), 400, Some("PGRST100")),
        ("NUL in columns", post("/items?columns=%22a%00b%22", "{}"), 400, Some("PGRST100")),
        (
            "NUL in a conflict target",
            with(
                "POST",
                "/items?on_conflict=%22a%00b%22",
                "Prefer: resolution=merge-duplicates",
                "{\"id\":3}",
            ),
            400,
            Some("PGRST100"),
        ),
        ("NUL in a text search", get("/items?name=fts(a%00b).x"), 400, Some("PGRST100")),
    ]
}

fn resources() -> Vec<Row> {
    vec![
        ("an unknown relation", get("/nope"), 404, Some("PGRST205")),
        ("an unknown function", post("/rpc/nope", "{}"), 404, Some("PGRST202")),
        ("an unknown argument", get("/rpc/echo?nope=1"), 404, Some("PGRST202")),
        ("a path below a relation", get("/items/1"), 404, Some("PGRST125")),
        ("a path below a function", get("/rpc/echo/1"), 404, Some("PGRST125")),
        ("a path up", get("/../items"), 404, Some("PGRST125")),
        ("a method that nothing has", body("TRACE", "/items", JSON, ""), 405, Some("PGRST117")),
        ("a method that nobody knows", body("BREW", "/items", JSON, ""), 405, Some("PGRST117")),
        ("a method that functions do not have", body("DELETE", "/rpc/echo", JSON, ""), 405, Some("PGRST101")),
        ("a method that the root does not have", post("/", "{}"), 405, Some("PGRST117")),
        ("PUT without a key", body("PUT", "/items", JSON, "{\"id\":3}"), 405, Some("PGRST105")),
        ("PUT with another key", body("PUT", "/items?id=eq.4", JSON, "{\"id\":3}"), 400, Some("PGRST115")),
        (
            "PUT with a limit",
            body("PUT", "/items?id=eq.3&limit=1", JSON, "{\"id\":3}"),
            400,
            Some("PGRST114"),
        ),
    ]
}

fn headers() -> Vec<Row> {
    let headed = |header: &str| with("GET", "/items", header, "");
    vec![
        ("a media type that cannot be made", headed("Accept: image/png"), 406, Some("PGRST107")),
        ("a media type that is none", headed("Accept: ;;;"), 406, Some("PGRST107")),
        ("an unknown schema to read", headed("Accept-Profile: nope"), 406, Some("PGRST106")),
        (
            "an unknown schema to write",
            with("POST", "/items", "Content-Profile: nope", "{}"),
            406,
            Some("PGRST106"),
        ),
        ("an unknown time zone", headed("Prefer: timezone=Nowhere"), 400, Some("22023")),
        ("unknown preferences", headed("Prefer: handling=strict, nonsense"), 400, Some("PGRST122")),
        ("preferences that are none", headed("Prefer: ,,=;=,"), 200, None),
        ("a header that is not UTF-8", header_of_bytes(b"X-Name: \xff\xfe"), 200, None),
        ("a preference that is not UTF-8", header_of_bytes(b"Prefer: \xff\xfe"), 200, None),
        ("a cookie that is not UTF-8", header_of_bytes(b"Cookie: \xff=\xfe"), 200, None),
        ("a schema that is not UTF-8", header_of_bytes(b"Accept-Profile: \xff"), 406, Some("PGRST106")),
        ("a media type that is not UTF-8", header_of_bytes(b"Accept: \xff"), 406, Some("PGRST107")),
    ]
}

/// What has to be there once.
fn identities() -> Vec<Row> {
    let head =
        |headers: &str| format!("GET /items HTTP/1.1\r\n{headers}Connection: close\r\n\r\n").into_bytes();
    let refused = Some("PGDUET14");
    vec![
        ("no host", head(""), 400, refused),
        ("two hosts", head("Host: x\r\nHost: y\r\n"), 400, refused),
        ("the same host twice", head("Host: x\r\nHost: x\r\n"), 400, refused),
        ("a list of hosts", head("Host: x, y\r\n"), 400, refused),
        ("a host with a user", head("Host: me@x\r\n"), 400, refused),
        ("no host, as it was once", b"GET /items HTTP/1.0\r\n\r\n".to_vec(), 200, None),
        ("an empty host", head("Host:\r\n"), 200, None),
        (
            "two tokens",
            head("Host: x\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b\r\n"),
            400,
            refused,
        ),
        (
            "a token and a password",
            head("Host: x\r\nAuthorization: Basic a\r\nAuthorization: Bearer b\r\n"),
            400,
            refused,
        ),
    ]
}

fn tokens() -> Vec<Row> {
    let bearer = |token: &str| with("GET", "/items", &format!("Authorization: Bearer {token}"), "");
    let flawed = |flaw| bearer(&token(flaw));
    vec![
        ("a token of nothing", bearer(""), 401, Some("PGRST301")),
        ("a token of one part", bearer("abc"), 401, Some("PGRST301")),
        ("a token of four parts", bearer("a.b.c.d"), 401, Some("PGRST301")),
        ("a token of no base64", bearer("?.?.?"), 401, Some("PGRST301")),
        ("a long token", bearer(&"x.".repeat(30_000)), 401, Some("PGRST301")),
        (
            "a token that is not UTF-8",
            header_of_bytes(b"Authorization: Bearer \xff.\xff.\xff"),
            401,
            Some("PGRST301"),
        ),
        ("a forged token", flawed(Flaw::Forged), 401, Some("PGRST301")),
        ("a token with other claims", flawed(Flaw::ClaimsReplaced), 401, Some("PGRST301")),
        ("a token without a signature", flawed(Flaw::AlgorithmNone), 401, Some("PGRST301")),
        ("a token with an algorithm of other keys", flawed(Flaw::AlgorithmRs256), 401, Some("PGRST301")),
        (
            "an expired token",
            flawed(Flaw::Claims(r#"{"role":"authenticated","exp":1}"#)),
            401,
            Some("PGRST303"),
        ),
        (
            "a token of the future",
            flawed(Flaw::Claims(r#"{"role":"authenticated","nbf":99999999999}"#)),
            401,
            Some("PGRST303"),
        ),
        (
            "a token issued in the future",
            flawed(Flaw::Claims(r#"{"role":"authenticated","iat":99999999999}"#)),
            401,
            Some("PGRST303"),
        ),
        (
            "a token for others",
            flawed(Flaw::Claims(r#"{"role":"authenticated","aud":"them"}"#)),
            401,
            Some("PGRST303"),
        ),
        (
            "a time that is no number",
            flawed(Flaw::Claims(r#"{"role":"authenticated","exp":"soon"}"#)),
            401,
            Some("PGRST303"),
        ),
        (
            "a time beyond all times",
            flawed(Flaw::Claims(r#"{"role":"authenticated","exp":1e300}"#)),
            200,
            None,
        ),
        ("claims that are no object", flawed(Flaw::Claims("[]")), 401, Some("PGRST303")),
        ("claims that are no JSON", flawed(Flaw::Claims("{")), 401, Some("PGRST303")),
        ("an unknown role", flawed(Flaw::Claims(r#"{"role":"nobody_at_all"}"#)), 401, Some("22023")),
        ("a role that is not granted", flawed(Flaw::Claims(r#"{"role":"postgres"}"#)), 403, Some("42501")),
        ("no role, in PostgreSQL's words", flawed(Flaw::Claims(r#"{"role":"none"}"#)), 401, Some("PGRST303")),
        ("the login role", flawed(Flaw::Claims(r#"{"role":"authenticator"}"#)), 401, Some("PGRST303")),
        ("an empty role", flawed(Flaw::Claims(r#"{"role":""}"#)), 401, Some("22023")),
        (
            "a role that would be another's default",
            flawed(Flaw::Claims(r#"{"role":"default"}"#)),
            401,
            Some("22023"),
        ),
        ("a role in capitals", flawed(Flaw::Claims(r#"{"role":"NONE"}"#)), 401, Some("22023")),
        ("a role in quotes", flawed(Flaw::Claims(r#"{"role":"\"none\""}"#)), 401, Some("22023")),
        ("a role that is no text", flawed(Flaw::Claims(r#"{"role":{"a":1}}"#)), 401, Some("22023")),
        ("a role with NUL", flawed(Flaw::Claims("{\"role\":\"a\\u0000b\"}")), 400, Some("22021")),
    ]
}

fn messages() -> Vec<Row> {
    let raw = |text: &str| text.as_bytes().to_vec();
    vec![
        ("no HTTP", raw("hello\r\n\r\n"), 400, None),
        ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec(), 400, None),
        (
            "a length that is no number",
            raw("POST /items HTTP/1.1\r\nHost: x\r\nContent-Length: ten\r\n\r\n"),
            400,
            None,
        ),
        (
            "two lengths",
            raw("POST /items HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx"),
            400,
            None,
        ),
        (
            "an unknown encoding",
            raw("POST /items HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: zip\r\n\r\n"),
            400,
            None,
        ),
        (
            "a chunk without a size",
            raw("POST /items HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"),
            400,
            Some("PGRST102"),
        ),
        ("a header without a colon", raw("GET /items HTTP/1.1\r\nHost: x\r\nnonsense\r\n\r\n"), 400, None),
        ("a header with NUL", raw("GET /items HTTP/1.1\r\nHost: x\r\nX-A: a\0b\r\n\r\n"), 400, None),
        ("a blank in the target", raw("GET /items?name=eq.a b HTTP/1.1\r\nHost: x\r\n\r\n"), 400, None),
        ("another version", raw("GET /items HTTP/3.0\r\nHost: x\r\n\r\n"), 400, None),
        (
            "the target of a proxy",
            raw("GET http://elsewhere/nope HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
            404,
            Some("PGRST205"),
        ),
        (
            "a tunnel",
            raw("CONNECT elsewhere:443 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
            405,
            Some("PGRST117"),
        ),
        ("no target", raw("GET * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), 404, Some("PGRST205")),
    ]
}

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

fn get(target: impl AsRef<[u8]>) -> Vec<u8> {
    [b"GET ", target.as_ref(), b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"].concat()
}

fn post(target: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    typed(target, JSON, body)
}

fn typed(target: &str, content_type: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    self::body("POST", target, content_type, body)
}

fn body(method: &str, target: &str, content_type: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    with(method, target, &format!("Content-Type: {content_type}"), body)
}

fn with(method: &str, target: &str, header: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let length = body.len();
    let head = format!(
        "{method} {target} HTTP/1.1\r\nHost: x\r\n{header}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// The head of a request whose client waits for leave to send a body.
fn announced(length: u64) -> Vec<u8> {
    let head = "POST /items HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nConnection: close\r\n";
    format!("{head}Content-Length: {length}\r\n\r\n").into_bytes()
}

fn header_of_bytes(header: &[u8]) -> Vec<u8> {
    [b"GET /items HTTP/1.1\r\nHost: x\r\nConnection: close\r\n", header, b"\r\n\r\n"].concat()
}

fn chunked(target: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let head = format!(
        "POST {target} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n{:x}\r\n",
        body.len()
    );
    [head.as_bytes(), body, b"\r\n0\r\n\r\n"].concat()
}
