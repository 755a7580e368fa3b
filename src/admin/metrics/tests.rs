//! The page's forms and its names, and the table of the documentation.

use super::*;
use crate::metrics::{Code, MOST_ROUTES, Method, Subject};
use std::{env, fs};

const DOCUMENT: &str = "docs/metrics.md";

fn page(metrics: Metrics, accept: &str) -> (&'static str, String) {
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT, accept.parse().unwrap());
    metrics.page(&headers)
}

fn text(metrics: Metrics) -> String {
    page(metrics, "*/*").1
}

#[test]
fn numbers_have_postgrests_names_labels_and_form() {
    let mut metrics = Metrics::default();
    metrics.schema_cache.loads_succeeded = 2;
    metrics.schema_cache.query_time = Duration::from_millis(125);
    metrics.pool.max = 10;
    let page = text(metrics.clone());
    for line in [
        "# TYPE pgrst_schema_cache_query_time_seconds gauge\npgrst_schema_cache_query_time_seconds 0.125\n",
        "pgrst_schema_cache_loads_total{status=\"SUCCESS\"} 2.0\n",
        "pgrst_schema_cache_loads_total{status=\"FAIL\"} 0.0\n",
        "# TYPE pgduet_schema_cache_stale gauge\npgduet_schema_cache_stale 0.0\n",
        "# TYPE pgrst_db_pool_timeouts_total counter\npgrst_db_pool_timeouts_total 0.0\n",
        "pgrst_db_pool_max 10.0\n",
    ] {
        assert!(page.contains(line), "{line} in {page}");
    }
    assert!(!page.contains("jwt"), "there is no such cache: {page}");
    metrics.jwt_cache = Some(JwtCacheMetrics { requests: 3, hits: 1, evictions: 0 });
    assert!(text(metrics).contains("\npgrst_jwt_cache_requests_total 3.0\n"));
}

#[test]
fn open_metrics_is_for_whoever_asks_for_it() {
    let prometheus =
        "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1";
    for (accept, format) in [
        ("*/*", Format::Unversioned),
        ("text/plain", Format::Unversioned),
        ("application/openmetrics-text;q=0", Format::Unversioned),
        ("text/plain;version=0.0.4;q=0.5,*/*;q=0.1", Format::Text),
        (prometheus, Format::OpenMetrics),
        ("text/html, Application/OpenMetrics-Text", Format::OpenMetrics),
    ] {
        let (content_type, page) = page(Metrics::default(), accept);
        assert_eq!(content_type, format.content_type(), "{accept}");
        let is_open = format == Format::OpenMetrics;
        assert_eq!(page.ends_with("# EOF\n"), is_open, "{accept}");
        let counter =
            if is_open { "# TYPE pgduet_rows counter\n" } else { "# TYPE pgduet_rows_total counter\n" };
        assert!(page.contains(counter) && page.contains("\npgduet_rows_total 0.0\n"), "{page}");
        assert_eq!(page.contains("# UNIT pgduet_encode_seconds seconds\n"), is_open, "{page}");
    }
    assert_eq!(Metrics::default().page(&HeaderMap::new()).0, Format::Unversioned.content_type());
}

#[test]
fn names_of_the_catalog_are_escaped() {
    let metrics = Metrics::default();
    let route = metrics.meters.routes.of(Subject::Relation("api", "a\"b\\c\nd"));
    route.observe(Method::HttpGet, Code::Success, Duration::from_millis(3));
    let page = text(metrics);
    let count = "pgduet_request_duration_seconds_count{protocol=\"rest\",route=\"api.a\\\"b\\\\c\\nd\",method=\"GET\",code=\"2xx\"} 1\n";
    assert!(page.contains(count), "{page}");
}

/// The table, as the documentation has it.
fn table() -> String {
    let mut table =
        String::from("| Name | Type | Unit | Labels | Meaning | Samples |\n|---|---|---|---|---|---|\n");
    for family in FAMILIES {
        let kind = match family.kind() {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let unit = family.unit_name().unwrap_or("");
        let Family { name, help, labels, bound, .. } = family;
        table.push_str(&format!("| `{name}` | {kind} | {unit} | {labels} | {help} | {bound} |\n"));
    }
    table.replace("|  |", "| |")
}

#[test]
fn the_documentation_has_the_table() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(DOCUMENT);
    let document = fs::read_to_string(&path).unwrap();
    let (before, rest) = document.split_once("<!-- table -->\n").unwrap();
    let (found, after) = rest.split_once("<!-- end of the table -->\n").unwrap();
    let table = table();
    if env::var_os("UPDATE").is_some() {
        fs::write(&path, format!("{before}<!-- table -->\n{table}<!-- end of the table -->\n{after}"))
            .unwrap();
    } else {
        assert_eq!(found, table, "UPDATE=1 writes {DOCUMENT} anew");
    }
    assert!(document.contains(&format!("{MOST_ROUTES} relations and functions")), "the bound has changed");
    for code in Code::ALL {
        assert!(document.contains(&format!("`{}`", code.name())), "{}", code.name());
    }
    for method in Method::ALL {
        assert!(document.contains(&format!("`{}`", method.name())), "{}", method.name());
    }
}
