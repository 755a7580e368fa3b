//! Cross-origin requests (<https://fetch.spec.whatwg.org/#http-cors-protocol>): answers to preflights, and the headers of all
//! other answers to browsers, for both protocols. Not tower-http's layer: it answers every OPTIONS by itself, which REST has a
//! use for, and PostgREST's clients and tests know these headers letter by letter, in which that layer writes them otherwise.

use crate::config::Origins;
use axum::body::Body;
use http::{HeaderMap, HeaderValue, Method, Response, header, request::Parts};

/// What browsers are told of one protocol.
#[derive(Debug)]
pub struct Policy {
    methods: &'static str,
    /// The headers that scripts may read.
    exposed: &'static str,
    /// The same of an answer that has a version.
    exposed_with_etag: &'static str,
}

/// What PostgREST tells of itself.
pub const REST: Policy = Policy {
    methods: "GET, POST, PATCH, PUT, DELETE, OPTIONS, HEAD",
    exposed: "Content-Encoding, Content-Location, Content-Range, Content-Type, Date, Location, Server, \
              Transfer-Encoding, Range-Unit",
    exposed_with_etag: "Content-Encoding, Content-Location, Content-Range, Content-Type, Date, ETag, Location, \
                        Server, Transfer-Encoding, Range-Unit",
};

/// What scripts need for gRPC-Web and Connect: how a call ended, and what to ask the operators by.
pub const GRPC: Policy =
    Policy { methods: "GET, POST", exposed: GRPC_EXPOSED, exposed_with_etag: GRPC_EXPOSED };
const GRPC_EXPOSED: &str = "grpc-status, grpc-message, grpc-status-details-bin, x-request-id";

/// Safelisted, so that a browser need not ask for them.
const SAFELISTED: &str = "Accept, Accept-Language, Content-Language";
/// A day, in seconds.
const MAX_AGE: &str = "86400";

impl Policy {
    /// The answer to a preflight; `None` if it is none, or of a foreign origin.
    pub fn preflight(&self, head: &Parts, allowed: &Origins) -> Option<Response<Body>> {
        if head.method != Method::OPTIONS {
            return None;
        }
        let method = head.headers.get(header::ACCESS_CONTROL_REQUEST_METHOD)?;
        self.methods.split(", ").find(|known| method.as_bytes() == known.as_bytes())?;
        let mut response = Response::new(Body::empty());
        let headers = response.headers_mut();
        allow_origin(&head.headers, headers, allowed)?;
        vary(headers, allowed);
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(self.methods));
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE));
        if let Some(requested) = head.headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
            let requested = String::from_utf8_lossy(requested.as_bytes());
            let names: Vec<_> = requested.split(',').map(str::trim).collect();
            let list = format!("Authorization, {}, {SAFELISTED}", names.join(", "));
            headers
                .extend(HeaderValue::try_from(list).map(|list| (header::ACCESS_CONTROL_ALLOW_HEADERS, list)));
        }
        Some(response)
    }

    /// Lets scripts of allowed origins read an answer, and tells caches what it depends on.
    pub fn expose(&self, request: &HeaderMap, response: &mut HeaderMap, allowed: &Origins) {
        vary(response, allowed);
        if allow_origin(request, response, allowed).is_some() {
            let has_etag = response.contains_key(header::ETAG);
            let exposed = if has_etag { self.exposed_with_etag } else { self.exposed };
            response.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(exposed));
        }
    }
}

/// Any origin, or the one of the request if it is among the allowed ones.
fn allow_origin(request: &HeaderMap, response: &mut HeaderMap, allowed: &Origins) -> Option<()> {
    let origin = request.get(header::ORIGIN)?;
    match allowed {
        Origins::Any => {
            response.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        }
        Origins::Listed(listed) => {
            // OPTIONS says of itself that everybody may read it.
            response.remove(header::ACCESS_CONTROL_ALLOW_ORIGIN);
            listed.iter().find(|allowed| origin.as_bytes() == allowed.as_bytes())?;
            response.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            response.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
    }
    Some(())
}

/// An answer that names the origin it is for must not be given to another, and neither must one without
/// (<https://fetch.spec.whatwg.org/#cors-protocol-and-http-caches>).
fn vary(response: &mut HeaderMap, allowed: &Origins) {
    match allowed {
        Origins::Any => {}
        Origins::Listed(_) => {
            response.append(header::VARY, HeaderValue::from_static("Origin"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, Request};

    fn head(method: &str, headers: &[(HeaderName, &str)]) -> Parts {
        let request =
            headers.iter().fold(Request::builder().method(method).uri("/"), |request, (name, value)| {
                request.header(name, *value)
            });
        request.body(()).unwrap().into_parts().0
    }

    const ORIGIN: (HeaderName, &str) = (header::ORIGIN, "http://example.com");
    const POST: (HeaderName, &str) = (header::ACCESS_CONTROL_REQUEST_METHOD, "POST");

    #[test]
    fn a_preflight_allows_what_it_asks_for() {
        let asked = (header::ACCESS_CONTROL_REQUEST_HEADERS, "Foo,Bar");
        let response = REST.preflight(&head("OPTIONS", &[ORIGIN, POST, asked]), &Origins::Any).unwrap();
        let header = |name: HeaderName| response.headers()[name].to_str().unwrap();
        assert_eq!(header(header::ACCESS_CONTROL_ALLOW_ORIGIN), "*");
        assert_eq!(
            header(header::ACCESS_CONTROL_ALLOW_HEADERS),
            "Authorization, Foo, Bar, Accept, Accept-Language, Content-Language"
        );
        assert_eq!(header(header::ACCESS_CONTROL_ALLOW_METHODS), REST.methods);
        assert_eq!(header(header::ACCESS_CONTROL_MAX_AGE), "86400");
    }

    #[test]
    fn both_protocols_answer_preflights_and_each_names_its_own_methods_and_headers() {
        let asked = (header::ACCESS_CONTROL_REQUEST_HEADERS, "x-grpc-web");
        for (policy, methods, exposed) in
            [(REST, REST.methods, "Content-Range"), (GRPC, "GET, POST", "grpc-status-details-bin")]
        {
            let request = head("OPTIONS", &[ORIGIN, POST, asked.clone()]);
            let response = policy.preflight(&request, &Origins::Any).unwrap();
            assert_eq!(response.headers()[header::ACCESS_CONTROL_ALLOW_METHODS], methods);
            let mut answer = HeaderMap::new();
            policy.expose(&request.headers, &mut answer, &Origins::Any);
            assert!(answer[header::ACCESS_CONTROL_EXPOSE_HEADERS].to_str().unwrap().contains(exposed));
        }
        let patch = (header::ACCESS_CONTROL_REQUEST_METHOD, "PATCH");
        assert!(GRPC.preflight(&head("OPTIONS", &[ORIGIN, patch]), &Origins::Any).is_none());
    }

    #[test]
    fn the_version_of_an_answer_is_exposed_where_it_has_one() {
        for (etag, expected) in [(None, REST.exposed), (Some("\"1\""), REST.exposed_with_etag)] {
            let mut response: HeaderMap =
                etag.into_iter().map(|etag| (header::ETAG, HeaderValue::from_static(etag))).collect();
            REST.expose(&head("GET", &[ORIGIN]).headers, &mut response, &Origins::Any);
            assert_eq!(response[header::ACCESS_CONTROL_EXPOSE_HEADERS], expected);
        }
    }

    #[test]
    fn options_without_a_method_to_ask_for_are_no_preflight() {
        assert!(REST.preflight(&head("OPTIONS", &[ORIGIN]), &Origins::Any).is_none());
        assert!(REST.preflight(&head("GET", &[ORIGIN, POST]), &Origins::Any).is_none());
    }

    #[test]
    fn listed_origins_are_repeated_and_others_get_nothing() {
        let allowed = Origins::Listed(vec!["http://example.com".to_owned()]);
        let mut response = HeaderMap::new();
        REST.expose(&head("GET", &[ORIGIN]).headers, &mut response, &allowed);
        assert_eq!(response[header::ACCESS_CONTROL_ALLOW_ORIGIN], "http://example.com");
        assert_eq!(response[header::ACCESS_CONTROL_ALLOW_CREDENTIALS], "true");
        let mut response = HeaderMap::new();
        REST.expose(&head("GET", &[(header::ORIGIN, "http://invalid.com")]).headers, &mut response, &allowed);
        assert_eq!(response.len(), 1);
        assert_eq!(response[header::VARY], "Origin");
    }

    #[test]
    fn what_depends_on_the_origin_says_so_with_and_without_one() {
        let allowed = Origins::Listed(vec!["http://example.com".to_owned()]);
        for request in [head("GET", &[ORIGIN]), head("GET", &[])] {
            let mut response = HeaderMap::from_iter([(header::VARY, HeaderValue::from_static("Accept"))]);
            REST.expose(&request.headers, &mut response, &allowed);
            assert_eq!(response.get_all(header::VARY).iter().collect::<Vec<_>>(), ["Accept", "Origin"]);
        }
        let preflight = REST.preflight(&head("OPTIONS", &[ORIGIN, POST]), &allowed).unwrap();
        assert_eq!(preflight.headers()[header::VARY], "Origin");
    }

    #[test]
    fn what_everybody_may_read_is_not_for_foreign_origins_where_some_are_listed() {
        let allowed = Origins::Listed(vec!["http://other.example".to_owned()]);
        let any = (header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        let mut response = HeaderMap::from_iter([any]);
        REST.expose(&head("OPTIONS", &[ORIGIN]).headers, &mut response, &allowed);
        assert!(!response.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN));
    }

    #[test]
    fn without_an_origin_there_is_nothing_to_expose() {
        let mut response = HeaderMap::new();
        REST.expose(&HeaderMap::new(), &mut response, &Origins::Any);
        assert!(response.is_empty());
    }
}
