//! The path below which everything is served: taken off what comes in, and put before the addresses that go out. It does
//! not know what is served.

use http::header::{CONTENT_LOCATION, LOCATION};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};

/// The target as it is below `base`; none if it is elsewhere.
pub fn below(base: &str, target: &Uri) -> Option<Uri> {
    let rest = target.path_and_query()?.as_str().strip_prefix(base)?;
    let rest = match rest.as_bytes().first() {
        None => "/".to_owned(),
        Some(b'/') => rest.to_owned(),
        Some(b'?') => format!("/{rest}"),
        Some(_) => return None,
    };
    let mut parts = target.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(rest).ok()?);
    Uri::from_parts(parts).ok()
}

/// Names what is below `base` as clients have to. Who has done so already, such as code of the database's authors, is right.
pub fn restore(base: &str, headers: &mut HeaderMap) {
    const ADDRESSES: [HeaderName; 2] = [LOCATION, CONTENT_LOCATION];
    for name in ADDRESSES {
        let Some(value) = headers.get_mut(name) else { continue };
        if value.as_bytes().starts_with(b"/")
            && !value.as_bytes().starts_with(base.as_bytes())
            && let Ok(whole) = HeaderValue::from_bytes(&[base.as_bytes(), value.as_bytes()].concat())
        {
            *value = whole;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_path_is_taken_off_and_nothing_else_is() {
        for (target, expected) in [
            ("/rest/v1/items?select=id", Some("/items?select=id")),
            ("/rest/v1", Some("/")),
            ("/rest/v1/", Some("/")),
            ("/rest/v1?x=1", Some("/?x=1")),
            ("/rest/v1//a", Some("//a")),
            ("/rest/v10/items", None),
            ("/rest/items", None),
            ("/", None),
            ("http://a.example/rest/v1/items", Some("http://a.example/items")),
        ] {
            let target: Uri = target.parse().unwrap();
            assert_eq!(
                below("/rest/v1", &target).map(|uri| uri.to_string()).as_deref(),
                expected,
                "{target}"
            );
        }
    }

    #[test]
    fn addresses_that_go_out_are_those_that_clients_know() {
        let mut headers = HeaderMap::new();
        headers.insert(LOCATION, HeaderValue::from_static("/items?id=eq.1"));
        headers.insert(CONTENT_LOCATION, HeaderValue::from_static("https://a.example/"));
        restore("/rest/v1", &mut headers);
        restore("/rest/v1", &mut headers);
        assert_eq!(headers[LOCATION], "/rest/v1/items?id=eq.1");
        assert_eq!(headers[CONTENT_LOCATION], "https://a.example/");
    }
}
