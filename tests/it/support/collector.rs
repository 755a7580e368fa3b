//! A collector of traces: the OTLP receiver of the OpenTelemetry Collector (`tests/clients/collector`), which tells what it
//! has received.

use super::{tools::tool, until};
use serde_json::{Map, Value, json};
use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
};

/// A running collector. It ends when this is dropped.
pub(crate) struct Collector {
    child: Child,
    grpc: String,
    http: String,
    exports: Arc<Mutex<Vec<Value>>>,
}

/// A span as it was received, and whose it is.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) parent: String,
    pub(crate) trace: String,
    pub(crate) state: String,
    /// 1 is internal, 2 a server's, 3 a client's.
    pub(crate) kind: u64,
    /// 2 is an error.
    pub(crate) status: u64,
    /// Nanoseconds.
    pub(crate) times: (u64, u64),
    pub(crate) attributes: Value,
    pub(crate) resource: Value,
}

impl Collector {
    pub(crate) fn start() -> Self {
        let mut child = Command::new(tool("bin/otlp-collector"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the collector starts");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let first = lines.next().expect("the collector says where it listens");
        let (grpc, http) = first.split_once(' ').unwrap();
        let exports = Arc::<Mutex<Vec<Value>>>::default();
        let (grpc, http, kept) = (grpc.to_owned(), http.to_owned(), exports.clone());
        thread::spawn(move || {
            for line in lines {
                kept.lock().unwrap().push(serde_json::from_str(&line).unwrap());
            }
        });
        Self { child, grpc, http, exports }
    }

    /// Where it takes OTLP over gRPC.
    pub(crate) fn grpc(&self) -> String {
        format!("http://{}", self.grpc)
    }

    /// Where it takes OTLP over HTTP.
    pub(crate) fn http(&self) -> String {
        format!("http://{}", self.http)
    }

    /// All spans so far.
    pub(crate) fn spans(&self) -> Vec<Span> {
        let exports = self.exports.lock().unwrap();
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let resources = exports.iter().flat_map(|export| list(&export["resourceSpans"]));
        resources
            .flat_map(|resource| {
                let of = attributes(&resource["resource"]["attributes"]);
                let scopes = list(&resource["scopeSpans"]).into_iter();
                scopes
                    .flat_map(move |scope| list(&scope["spans"]))
                    .map(move |span| Span::read(&span, of.clone()))
            })
            .collect()
    }

    /// Waits for the spans of a trace: that of the request first, the others as they began.
    pub(crate) fn trace(&self, id: &str) -> Vec<Span> {
        until(&format!("the trace {id}"), || {
            let mut spans: Vec<_> = self.spans().into_iter().filter(|span| span.trace == id).collect();
            spans.sort_by_key(|span| (span.kind != 2, span.times));
            (!spans.is_empty()).then_some(spans)
        })
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Span {
    fn read(span: &Value, resource: Value) -> Self {
        let text = |name: &str| span[name].as_str().unwrap_or_default().to_owned();
        let time = |name: &str| text(name).parse().unwrap();
        Self {
            name: text("name"),
            id: text("spanId"),
            parent: text("parentSpanId"),
            trace: text("traceId"),
            state: text("traceState"),
            kind: span["kind"].as_u64().unwrap_or_default(),
            status: span["status"]["code"].as_u64().unwrap_or_default(),
            times: (time("startTimeUnixNano"), time("endTimeUnixNano")),
            attributes: attributes(&span["attributes"]),
            resource,
        }
    }
}

/// Attributes by their names; whole numbers, which OTLP's JSON has as text, as numbers.
fn attributes(list: &Value) -> Value {
    let list = list.as_array().cloned().unwrap_or_default();
    let pairs = list.iter().map(|pair| {
        let value = &pair["value"];
        let number = value["intValue"].as_str().and_then(|text| text.parse::<i64>().ok());
        let value = number.map_or_else(|| value["stringValue"].clone(), |number| json!(number));
        (pair["key"].as_str().unwrap().to_owned(), value)
    });
    Value::Object(pairs.collect::<Map<_, _>>())
}
