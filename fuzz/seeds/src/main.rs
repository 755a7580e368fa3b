//! Makes the seeds of the fuzz targets, below `corpus/`, from the cases of `tests/spec`.

use serde_yaml_ng::Value;
use std::{fs, path::Path};

fn main() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let corpus = here.join("../corpus");
    let mut count = 0;
    let mut keep = |target: &str, bytes: &[u8]| {
        let folder = corpus.join(target);
        fs::create_dir_all(&folder).expect("the corpus can be written");
        count += 1;
        fs::write(folder.join(format!("seed-{count}")), bytes).expect("the corpus can be written");
    };
    for file in fs::read_dir(here.join("../../tests/spec")).expect("tests/spec is there").flatten() {
        let text = fs::read_to_string(file.path()).expect("a file of cases");
        let Ok(root) = serde_yaml_ng::from_str::<Value>(&text) else { continue };
        cases(&root, &mut |case| {
            let request = case.get("request").and_then(Value::as_str).unwrap_or_default();
            let body = case.get("body").and_then(Value::as_str).unwrap_or_default();
            let headers: Vec<_> =
                case.get("headers").and_then(Value::as_mapping).into_iter().flatten().collect();
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let lines: String =
                headers.iter().map(|(name, value)| format!("\n{}: {}", text(name), text(value))).collect();
            keep("request", format!("{request}{lines}\n\n{body}").as_bytes());
            if !body.is_empty() {
                let is_csv = headers.iter().any(|(_, value)| text(value) == "text/csv");
                keep(if is_csv { "csv" } else { "json" }, body.as_bytes());
            }
            // The same grammar over gRPC: `filter` is field 4, `order_by` field 5.
            let query = request.split_once('?').map_or("", |(_, query)| query);
            for (pair, number) in
                query.split('&').map(|pair| (pair, if pair.starts_with("order=") { 5 } else { 4 }))
            {
                let value = if number == 5 { &pair[6..] } else { pair };
                if let Ok(length) = u8::try_from(value.len())
                    && length < 0x80
                    && !value.is_empty()
                {
                    for method in 0..40 {
                        if (usize::from(length) + method) % 8 == 0 {
                            keep(
                                "call",
                                &[&[method as u8, number << 3 | 2, length][..], value.as_bytes()].concat(),
                            );
                        }
                    }
                }
            }
        });
    }
    for which in 0..8 {
        keep("wire", &[vec![which], conversation()].concat());
    }
    keep("page_token", br#"{"k":["a",null]}"#);
    keep("page_token", br#"{"o":7}"#);
    let options = include_str!("../../../CONFIG.md")
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let values = [
        "\"\"",
        "1",
        "\"$.a[?(@ == \\\"b\\\")]\"",
        "\"postgresql://a:b@c,d:1/e?sslmode=require\"",
        "\"{}\"",
        "true",
        "\"a,b\"",
    ];
    for (at, (option, _)) in options.enumerate() {
        for value in [values[at % values.len()], values[(at + 3) % values.len()]] {
            keep("configuration", format!("{option} = {value}\n").as_bytes());
        }
    }
    println!("{count} seeds");
}

/// Every mapping with a `request`, however deep.
fn cases(value: &Value, found: &mut impl FnMut(&Value)) {
    match value {
        Value::Mapping(mapping) if mapping.contains_key("request") => found(value),
        Value::Mapping(mapping) => mapping.values().for_each(|value| cases(value, found)),
        Value::Sequence(values) => values.iter().for_each(|value| cases(value, found)),
        _ => {}
    }
}

/// What PostgreSQL says to somebody who connects and runs a unit of one row.
fn conversation() -> Vec<u8> {
    let row = |columns: &[&str]| {
        let mut body = (columns.len() as u16).to_be_bytes().to_vec();
        for column in columns {
            body.extend((column.len() as u32).to_be_bytes());
            body.extend(column.as_bytes());
        }
        message(b'D', &body)
    };
    let done = |command: &str| message(b'C', &[command.as_bytes(), b"\0"].concat());
    let ran = |command: &str| [message(b'1', b""), message(b'2', b""), done(command)].concat();
    let ready = message(b'Z', b"I");
    let described = message(b'T', b"\0\x01column\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\x01");
    [
        message(b'R', &[0; 4]),
        message(b'S', b"client_encoding\0UTF8\0"),
        message(b'K', &[0, 0, 0, 1, 0, 0, 0, 2]),
        ready.clone(),
        // Who answers there.
        [
            message(b'1', b""),
            message(b'2', b""),
            row(&["1", "off", "t"]),
            done("SELECT 1"),
            message(b'3', b""),
        ]
        .concat(),
        ready.clone(),
        ran("BEGIN"),
        ran("SELECT 0"),
        [message(b'1', b""), described, message(b'2', b""), row(&["1", "t"]), done("SELECT 1")].concat(),
        ran("SELECT 0"),
        ran("COMMIT"),
        ready,
    ]
    .concat()
}

fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    [&[tag][..], &(4 + body.len() as u32).to_be_bytes(), body].concat()
}
