//! Inputs of REST: targets, headers and bodies.

use super::{Input, Request, filled};

/// Of targets, which HTTP/1.1 limits.
const TARGET: usize = 7_900;
/// Of targets with characters that are no URL's, each of which counts thrice.
const ESCAPED: usize = TARGET / 3;
/// Of headers.
const HEADER: usize = 15_000;
/// Of bodies.
const BODY: usize = 20_000;

const fn row(name: &'static str, size: usize, status: u16, request: fn(usize) -> Request) -> Input {
    Input { name, size, request, status }
}

/// All of them.
pub(super) const ALL: &[Input] = &[
    // The path
    row("a name that no table has", TARGET, 404, |n| get(format!("/{}", "abcdefgh".repeat(n / 8)))),
    row("a name of escapes", TARGET, 404, |n| get(format!("/{}", "%C3%A4".repeat(n / 6)))),
    row("a name like those of tables", TARGET, 404, |n| {
        get(format!("/{}", "a_table_with_number_".repeat(n / 20)))
    }),
    row("a path of many parts", TARGET, 404, |n| get("/a".repeat(n / 2))),
    row("a function that is not there", TARGET, 404, |n| get(format!("/rpc/{}", "abcdefgh".repeat(n / 8)))),
    // The query string
    row("keys without a value", TARGET, 404, |n| {
        get(format!("/nope?{}", filled(n, "&", |k| format!("k{k}"))))
    }),
    row("many filters", TARGET, 404, |n| get(format!("/nope?{}", filled(n, "&", |k| format!("k{k}=eq.1"))))),
    row("many filters by one column", TARGET, 404, |n| {
        get(format!("/nope?{}", filled(n, "&", |_| "k=eq.1".into())))
    }),
    row("nothing between ampersands", TARGET, 404, |n| get(format!("/nope?{}", "&".repeat(n)))),
    row("limits of many embeds", TARGET, 404, |n| {
        get(format!("/nope?{}", filled(n, "&", |k| format!("k{k}.limit=1"))))
    }),
    row("offsets of one deep embed", TARGET, 404, |n| get(format!("/nope?{}offset=1", "k.".repeat(n / 2)))),
    row("a filter of one deep embed", TARGET, 404, |n| get(format!("/nope?{}k=eq.1", "k.".repeat(n / 2)))),
    row("many orders", TARGET, 404, |n| {
        get(format!("/nope?{}", filled(n, "&", |k| format!("k{k}.order=id"))))
    }),
    row("arguments of a call", TARGET, 404, |n| {
        get(format!("/rpc/f?{}", filled(n, "&", |k| format!("k{k}=1"))))
    }),
    row("one argument again and again", TARGET, 200, |n| {
        get(format!("/rpc/f?more=x&{}", filled(n, "&", |_| "a=1".into())))
    }),
    row("a variadic argument", TARGET, 200, |n| {
        get(format!("/rpc/f?a=1&{}", filled(n, "&", |_| "more=1".into())))
    }),
    // select
    row("many fields", TARGET, 404, |n| get(format!("/nope?select={}", filled(n, ",", |k| format!("k{k}"))))),
    row("many columns", TARGET / 8, 400, |n| {
        get(format!("/items?select={},x(y)", filled(n, ",", |k| format!("c{}", k % 40))))
    }),
    row("every column again and again", 40, 400, |n| {
        get(format!("/items?select={},x(y)", filled(n, ",", |_| "*".into())))
    }),
    row("many embeds", TARGET, 404, |n| {
        get(format!("/nope?select={}", filled(n, ",", |k| format!("k{k}(*)"))))
    }),
    row("embeds that are not there", TARGET, 400, |n| {
        get(format!("/items?select={}", filled(n, ",", |k| format!("k{k}(*)"))))
    }),
    row("an embed's long name", TARGET, 400, |n| get(format!("/items?select={}(*)", "items".repeat(n / 5)))),
    row("embeds that do not end", 60, 400, |n| get(format!("/nope?select={}", "a(".repeat(n / 2 / 8)))),
    row("spreads with hints", TARGET, 404, |n| {
        get(format!("/nope?select={}", filled(n, ",", |_| "...a!b!inner(c)".into())))
    }),
    row("a long path into JSON", ESCAPED, 404, |n| get(format!("/nope?select=a{}", "->b".repeat(n / 3)))),
    row("a path of positions", ESCAPED, 404, |n| get(format!("/nope?select=a{}", "->1".repeat(n / 3)))),
    row("aliases, casts and aggregates", ESCAPED, 404, |n| {
        get(format!("/nope?select={}", filled(n, ",", |_| "a:b->>c::text.sum()::int".into())))
    }),
    row("a quoted name of escapes", TARGET, 404, |n| {
        get(format!("/nope?select=%22{}%22", "\\a".repeat(n / 2)))
    }),
    row("quotes that do not end", TARGET, 400, |n| get(format!("/nope?select=a,%22{}", "\\a".repeat(n / 2)))),
    row("dashes", TARGET, 404, |n| get(format!("/nope?select=a{}", "-a".repeat(n / 2)))),
    row("blanks", TARGET, 400, |n| get(format!("/nope?select=a,{}", "+".repeat(n)))),
    row("colons", TARGET, 400, |n| get(format!("/nope?select=a{}", ":".repeat(n)))),
    row("a select list with a fault at its end", ESCAPED, 400, |n| {
        get(format!("/nope?select={},(", filled(n, ",", |k| format!("a{k}:b{k}->c"))))
    }),
    // Filters and logic
    row("a list of values", TARGET, 404, |n| {
        get(format!("/nope?id=in.({})", filled(n, ",", |k| k.to_string())))
    }),
    row("a list of quoted values", ESCAPED, 404, |n| {
        get(format!("/nope?id=in.({})", filled(n, ",", |_| "\"a\\\"b\"".into())))
    }),
    row("a list of half quoted values", ESCAPED, 404, |n| {
        get(format!("/nope?id=in.({})", filled(n, ",", |_| "\"a\"b".into())))
    }),
    row("a list of open quotes", ESCAPED, 404, |n| {
        get(format!("/nope?id=in.({})", filled(n, ",", |_| "\"".into())))
    }),
    row("a list that does not end", TARGET, 400, |n| {
        get(format!("/nope?id=in.({}", filled(n, ",", |k| k.to_string())))
    }),
    row("negations", TARGET, 400, |n| get(format!("/nope?id={}", "not.".repeat(n / 4)))),
    row("a flat tree", TARGET, 404, |n| get(format!("/nope?or=({})", filled(n, ",", |_| "a.eq.1".into())))),
    row("a flat tree of negations", TARGET, 404, |n| {
        get(format!("/nope?or=({})", filled(n, ",", |_| "not.and(a.not.eq.1,b.in.(1,2))".into())))
    }),
    row("a tree of open braces", TARGET, 404, |n| {
        get(format!("/nope?or=({})", filled(n, ",", |_| "a.cs.{b".into())))
    }),
    row("a tree of open lists", TARGET, 400, |n| {
        get(format!("/nope?or=({}", filled(n, ",", |_| "a.in.(b".into())))
    }),
    row("a tree with a fault at its end", TARGET, 400, |n| {
        get(format!("/nope?and=({},b)", filled(n, ",", |_| "a.eq.1".into())))
    }),
    row("parentheses", TARGET, 400, |n| get(format!("/nope?or={}", "(".repeat(n)))),
    row("negations of a tree", TARGET, 404, |n| get(format!("/nope?{}or=(a.eq.1)x", "not.".repeat(n / 4)))),
    row("a pattern of stars", TARGET, 404, |n| get(format!("/nope?a=like.{}", "*".repeat(n)))),
    row("columns and filters by them", TARGET / 16, 400, |n| {
        let filters = filled(n, "&", |k| format!("c{}=eq.1", k % 40));
        get(format!("/items?select={},x(y)&{filters}", filled(n, ",", |k| format!("c{}", k % 40))))
    }),
    // Orders and lists of columns
    row("many order terms", TARGET, 404, |n| {
        get(format!("/nope?order={}", filled(n, ",", |k| format!("a{k}.desc.nullslast"))))
    }),
    row("order terms of embeds", ESCAPED, 404, |n| {
        get(format!("/nope?order={}", filled(n, ",", |_| "a(b->c).asc".into())))
    }),
    row("an order with a fault at its end", TARGET, 400, |n| {
        get(format!("/nope?order={},a.b", filled(n, ",", |_| "a.desc".into())))
    }),
    row("columns", TARGET, 404, |n| post("/nope?columns=", filled(n, ",", |k| format!("c{k}")))),
    row("conflict targets", TARGET, 404, |n| post("/nope?on_conflict=", filled(n, ",", |k| format!("c{k}")))),
    // Headers
    row("preferences", HEADER, 404, |n| header("Prefer", filled(n, ",", |k| format!("odd={k}")))),
    row("one preference again and again", HEADER, 404, |n| {
        header("Prefer", filled(n, ",", |_| "count=exact".into()))
    }),
    row("media types", HEADER, 404, |n| header("Accept", filled(n, ",", |k| format!("a/b{k};q=0.{k}")))),
    row("a media type of parameters", HEADER, 404, |n| {
        header("Accept", format!("a/b{}", ";c=d".repeat(n / 4)))
    }),
    row("a media type of quotes", HEADER, 404, |n| header("Accept", format!("a/b{}", ";c=\"".repeat(n / 4)))),
    row("plans of plans", HEADER, 404, |n| {
        header(
            "Accept",
            format!("application/vnd.pgrst.plan{}", ";for=\"application/vnd.pgrst.plan".repeat(n / 32)),
        )
    }),
    row("options of a plan", HEADER, 404, |n| {
        header("Accept", format!("application/vnd.pgrst.plan;options={}", "analyze|".repeat(n / 8)))
    }),
    row("cookies", HEADER, 404, |n| header("Cookie", filled(n, ";", |k| format!("c{k}=1")))),
    row("a profile that is not there", HEADER, 406, |n| header("Accept-Profile", "a".repeat(n))),
    row("a range of digits", HEADER, 404, |n| header("Range", format!("{}-", "9".repeat(n)))),
    row("headers of a preflight", HEADER, 200, |n| Request::Rest {
        method: "OPTIONS",
        target: "/nope".into(),
        headers: vec![
            ("Origin", "http://a".into()),
            ("Access-Control-Request-Method", "GET".into()),
            ("Access-Control-Request-Headers", filled(n, ",", |k| format!("x-{k}"))),
        ],
        body: Vec::new(),
    }),
    row("media types that nobody makes", HEADER, 406, |n| Request::Rest {
        method: "GET",
        target: "/items".into(),
        headers: vec![("Accept", filled(n, ",", |k| format!("a/b{k}")))],
        body: Vec::new(),
    }),
    // Bodies
    row("an object of many keys", BODY, 404, |n| {
        body(JSON, format!("{{{}}}", filled(n, ",", |k| format!("\"k{k}\":1"))))
    }),
    row("one key again and again", BODY, 404, |n| {
        body(JSON, format!("{{{}}}", filled(n, ",", |_| "\"k\":1".into())))
    }),
    row("many objects", BODY, 404, |n| {
        body(JSON, format!("[{}]", filled(n, ",", |_| "{\"a\":1,\"b\":2}".into())))
    }),
    row("many objects in turns", BODY, 404, |n| {
        let rows = ["{\"a\":1,\"b\":2}", "{\"b\":1,\"a\":2}"];
        body(JSON, format!("[{}]", filled(n, ",", |k| rows[k % 2].into())))
    }),
    row("two objects whose keys are in opposite orders", BODY, 404, |n| {
        let keys: Vec<_> = (0..n / 20).map(|k| format!("\"k{k}\":1")).collect();
        let back: Vec<_> = keys.iter().rev().cloned().collect();
        body(JSON, format!("[{{{}}},{{{}}}]", keys.join(","), back.join(",")))
    }),
    row("one object of many keys and many of few", BODY, 400, |n| {
        let keys = filled(n / 2, ",", |k| format!("\"k{k}\":1"));
        body(JSON, format!("[{{{keys}}},{}]", filled(n / 2, ",", |_| "{\"k1\":1}".into())))
    }),
    row("a deep value", BODY, 404, |n| {
        body(JSON, format!("{{\"a\":{}{}}}", "[".repeat(n / 2), "]".repeat(n / 2)))
    }),
    row("a value of escapes", BODY, 404, |n| {
        body(JSON, format!("{{\"a\":\"{}\"}}", "\\u00e4".repeat(n / 6)))
    }),
    row("keys of escapes", BODY, 404, |n| {
        body(JSON, format!("{{{}}}", filled(n, ",", |k| format!("\"\\n{k}\":1"))))
    }),
    row("a body that ends in a fault", BODY, 400, |n| {
        body(JSON, format!("[{},", filled(n, ",", |_| "{\"a\":1}".into())))
    }),
    row("an unknown column among many", BODY, 400, |n| Request::Rest {
        method: "POST",
        target: "/items".into(),
        headers: vec![("Content-Type", JSON.into())],
        body: format!("{{{}}}", filled(n, ",", |k| format!("\"k{k}\":1"))).into(),
    }),
    row("arguments as JSON", BODY, 404, |n| {
        call(JSON, format!("{{{}}}", filled(n, ",", |k| format!("\"k{k}\":1"))))
    }),
    row("arguments as a form", BODY, 404, |n| call(FORM, filled(n, "&", |k| format!("k{k}=1")))),
    row("one argument of a form again and again", BODY, 404, |n| {
        call(FORM, filled(n, "&", |_| "a=%20&z=1".into()))
    }),
    row("rows of CSV", BODY, 404, |n| {
        body(CSV, format!("a,b\n{}", filled(n, "\n", |k| format!("{k},\"x\"\"y\""))))
    }),
    row("columns of CSV", BODY, 404, |n| {
        let fields = filled(n / 2, ",", |k| format!("c{k}"));
        body(CSV, format!("{fields}\n{fields}\n"))
    }),
    row("the longest name and many rows of CSV", BODY, 404, |n| {
        body(CSV, format!("{}\n{}\n", "a".repeat(63), filled(n, "\n", |_| "1".into())))
    }),
    row("a name longer than the longest, and many rows of CSV", BODY, 400, |n| {
        body(CSV, format!("{}\n{}\n", "a".repeat(n / 2), filled(n / 2, "\n", |_| "1".into())))
    }),
    row("an open quote in CSV", BODY, 400, |n| body(CSV, format!("a,b\n1,\"{}", "x,y\n".repeat(n / 4)))),
    row("quotes in CSV", BODY, 404, |n| body(CSV, format!("a\n\"{}\"\n", "\"\"".repeat(n / 2)))),
    row("a form", BODY, 404, |n| body(FORM, filled(n, "&", |k| format!("k{k}=%C3%A4")))),
    row("a body of small chunks", BODY, 404, |n| {
        let head = "POST /nope HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        Request::Raw(format!("{head}1\r\n[\r\n{}1\r\n]\r\n0\r\n\r\n", "1\r\n \r\n".repeat(n / 6)).into())
    }),
    row("operations of a transaction", BODY / 5, 404, |n| {
        let operations = filled(n, ",", |_| r#"{"method":"DELETE","path":"/items?id=eq.1"}"#.into());
        transaction(format!(r#"[{operations},{{"method":"DELETE","path":"/nope"}}]"#))
    }),
    row("what are no operations of a transaction", BODY, 400, |n| {
        transaction(format!("[{}]", filled(n, ",", |_| "1".into())))
    }),
    row("references of an operation", BODY, 404, |n| {
        let references = filled(n, ",", |k| format!(r#""k{k}":{{"from":0,"field":"id"}}"#));
        transaction(format!(
            r#"[{{"method":"DELETE","path":"/items"}},{{"method":"POST","path":"/nope","references":{{{references}}}}}]"#
        ))
    }),
    row("objects that a reference fills", BODY, 404, |n| {
        let objects = filled(n, ",", |_| "{}".into());
        transaction(format!(
            r#"[{{"method":"DELETE","path":"/items"}},
                {{"method":"POST","path":"/nope","body":[{objects}],"references":{{"a":{{"from":0}}}}}}]"#
        ))
    }),
    row("one key of a form again and again", BODY, 404, |n| body(FORM, filled(n, "&", |_| "k=1".into()))),
];

const JSON: &str = "application/json";
const CSV: &str = "text/csv";
const FORM: &str = "application/x-www-form-urlencoded";

fn get(target: String) -> Request {
    Request::Rest { method: "GET", target, headers: Vec::new(), body: Vec::new() }
}

fn post(target: &str, rest: String) -> Request {
    Request::Rest {
        method: "POST",
        target: target.to_owned() + &rest,
        headers: Vec::new(),
        body: b"[]".to_vec(),
    }
}

fn header(name: &'static str, value: String) -> Request {
    Request::Rest {
        method: "GET",
        target: "/nope".to_owned(),
        headers: vec![(name, value)],
        body: Vec::new(),
    }
}

fn body(kind: &str, text: String) -> Request {
    Request::Rest {
        method: "POST",
        target: "/nope".to_owned(),
        headers: vec![("Content-Type", kind.to_owned())],
        body: text.into(),
    }
}

fn transaction(list: String) -> Request {
    Request::Rest {
        method: "POST",
        target: "/".to_owned(),
        headers: vec![("Content-Type", "application/vnd.pgduet.transaction+json".to_owned())],
        body: list.into(),
    }
}

fn call(kind: &str, text: String) -> Request {
    Request::Rest {
        method: "POST",
        target: "/rpc/f".to_owned(),
        headers: vec![("Content-Type", kind.to_owned())],
        body: text.into(),
    }
}
