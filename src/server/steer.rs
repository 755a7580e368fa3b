//! Which branch of the house a request belongs to. It looks at the head alone and answers nothing.
//!
//! | first match | branch |
//! |---|---|
//! | `content-type` is `application/grpc`, `application/grpc-web` or one of their `+` forms | gRPC |
//! | the path's first segment is the name of a known service, whatever the content type: Connect and plain `curl` | gRPC |
//! | a CORS preflight that asks for `x-grpc-web` | gRPC |
//! | the path is one of the pages: the documentation, the files of the document | pages |
//! | everything else | REST |

use http::header::{ACCESS_CONTROL_REQUEST_HEADERS, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, Method};

/// The three things on the one port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Branch {
    /// PostgREST's interface.
    Rest,
    /// gRPC, gRPC-Web and Connect.
    Grpc,
    /// What has a path of its own, and is no resource of the database.
    Pages,
}

/// Tells the branch of a request; `is_service` says whether a full name, `package.Service`, is served at present, and
/// `is_page` the same of a path.
pub fn steer(request: &Parts, is_service: impl Fn(&str) -> bool, is_page: impl Fn(&str) -> bool) -> Branch {
    let path = request.uri.path();
    if is_grpc(&request.headers)
        || names_service(path, is_service)
        || is_grpc_web_preflight(&request.method, &request.headers)
    {
        Branch::Grpc
    } else if is_page(path) {
        Branch::Pages
    } else {
        Branch::Rest
    }
}

fn is_grpc(headers: &HeaderMap) -> bool {
    const GRPC: &[u8] = b"application/grpc";
    let content_type = headers.get(CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
    content_type.split_at_checked(GRPC.len()).is_some_and(|(kind, rest)| {
        // So that `application/grpcfoo` is somebody else's.
        kind.eq_ignore_ascii_case(GRPC) && !rest.first().is_some_and(u8::is_ascii_alphanumeric)
    })
}

fn names_service(path: &str, is_service: impl Fn(&str) -> bool) -> bool {
    let first = path.strip_prefix('/').and_then(|path| path.split('/').next());
    // Each service is of a package. Most paths are of REST, and are told by this without a look-up.
    first.is_some_and(|name| name.contains('.') && is_service(name))
}

fn is_grpc_web_preflight(method: &Method, headers: &HeaderMap) -> bool {
    method == Method::OPTIONS
        && headers.get_all(ACCESS_CONTROL_REQUEST_HEADERS).iter().any(|value| {
            let mut names = value.as_bytes().split(|&byte| byte == b',');
            names.any(|name| name.trim_ascii().eq_ignore_ascii_case(b"x-grpc-web"))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    type Headers<'a> = &'a [(&'a str, &'a str)];

    fn branch(method: &str, path: &str, headers: Headers) -> Result<Branch, http::Error> {
        let mut request = http::Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(())?.into_parts();
        Ok(steer(&parts, |name| name == "api.v1.StudentsService", |path| path.starts_with("/docs/")))
    }

    #[test]
    fn requests_go_to_the_branch_the_table_says() -> Result<(), http::Error> {
        let list = "/api.v1.StudentsService/ListStudents";
        let content_type = |value| [("content-type", value)];
        let preflight = |value| [("access-control-request-headers", value)];
        let cases: &[(&str, &str, Headers, Branch)] = &[
            ("POST", "/students", &content_type("application/json"), Branch::Rest),
            ("GET", "/students", &[], Branch::Rest),
            ("GET", "/", &[], Branch::Rest),
            ("OPTIONS", "*", &[], Branch::Rest),
            ("POST", list, &content_type("application/grpc"), Branch::Grpc),
            ("POST", list, &content_type("application/grpc+proto"), Branch::Grpc),
            ("POST", list, &content_type("Application/GRPC; charset=utf-8"), Branch::Grpc),
            ("POST", list, &content_type("application/grpc-web-text+proto"), Branch::Grpc),
            ("POST", list, &content_type("application/json"), Branch::Grpc),
            ("GET", list, &[], Branch::Grpc),
            ("GET", "/api.v1.StudentsService", &[], Branch::Grpc),
            ("POST", "/gone.v1.Service/Get", &content_type("application/grpc"), Branch::Grpc),
            ("POST", "/gone.v1.Service/Get", &content_type("application/json"), Branch::Rest),
            ("POST", "/students", &content_type("application/grpcfoo"), Branch::Rest),
            ("POST", "/students", &content_type("application/grp"), Branch::Rest),
            ("OPTIONS", "/gone.v1.Service/Get", &preflight("content-type,X-Grpc-Web"), Branch::Grpc),
            ("OPTIONS", list, &preflight("content-type"), Branch::Grpc),
            ("OPTIONS", "/students", &preflight("x-grpc-web-not"), Branch::Rest),
            ("GET", "/students", &preflight("x-grpc-web"), Branch::Rest),
            ("GET", "/docs/", &[], Branch::Pages),
            ("GET", "/docs/swagger-ui.css", &[], Branch::Pages),
            ("GET", "/docs", &[], Branch::Rest),
            ("GET", "/docs?select=id", &[], Branch::Rest),
            ("GET", "/docsearch", &[], Branch::Rest),
            ("GET", "//api.v1.StudentsService/ListStudents", &[], Branch::Rest),
        ];
        for (method, path, headers, expected) in cases {
            assert_eq!(branch(method, path, headers)?, *expected, "{method} {path} {headers:?}");
        }
        Ok(())
    }
}
