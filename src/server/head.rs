//! What HTTP itself asks of a request's head, whatever is served: that it is clear which host is meant and who asks,
//! and that there are not more fields than anybody needs. Two readers of a head that is not clear may read it in two
//! ways, and one of them may be the proxy that lets it pass. It answers nothing.

use std::fmt;

use http::header::{AUTHORIZATION, COOKIE, HOST};
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderValue, Version};

/// Header fields that a request may have. Over HTTP/2 cookies, which may be split into a field each (RFC 9113, section
/// 8.2.3), do not count. Over HTTP/1 hyper reads 100, and answers what has more by 431 without a body; to read another number
/// it would take memory for each request.
pub const MAX_FIELDS: usize = 80;

/// What is wrong with a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// More fields than [`MAX_FIELDS`].
    TooManyFields,
    /// HTTP/1.1 without `Host` (RFC 9112, section 3.2).
    HostMissing,
    /// More than one `Host`.
    HostTwice,
    /// A `Host` that is none.
    HostInvalid,
    /// More than one `Authorization`: whose request it is would depend on the reader.
    AuthorizationTwice,
}

/// Looks for the first flaw.
pub fn check(head: &Parts) -> Result<(), Flaw> {
    let is_http1 = head.version < Version::HTTP_2;
    let uncounted = if is_http1 { 0 } else { head.headers.get_all(COOKIE).iter().count() };
    if head.headers.len() - uncounted > MAX_FIELDS {
        return Err(Flaw::TooManyFields);
    }
    let mut hosts = head.headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) if head.version == Version::HTTP_11 => return Err(Flaw::HostMissing),
        (_, Some(_)) => return Err(Flaw::HostTwice),
        (Some(host), None) if !is_host(host) => return Err(Flaw::HostInvalid),
        (None | Some(_), None) => {}
    }
    match head.headers.get_all(AUTHORIZATION).iter().nth(1) {
        Some(_) => Err(Flaw::AuthorizationTwice),
        None => Ok(()),
    }
}

/// A host and, at most, a port; empty where the target has no authority.
fn is_host(value: &HeaderValue) -> bool {
    is_name(value.as_bytes())
        || Authority::try_from(value.as_bytes()).is_ok_and(|authority| !authority.as_str().contains('@'))
}

/// Most hosts are a name or numbers with dots, and perhaps a port: there the grammar need not be asked, which takes memory.
fn is_name(host: &[u8]) -> bool {
    let mut parts = host.splitn(2, |byte| *byte == b':');
    let mut all = |of: fn(&u8) -> bool| parts.next().unwrap_or_default().iter().all(of);
    all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-')) && all(u8::is_ascii_digit)
}

impl fmt::Display for Flaw {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Flaw::TooManyFields => write!(out, "The request has more than {MAX_FIELDS} header fields"),
            Flaw::HostMissing => out.write_str("The request has no Host header"),
            Flaw::HostTwice => out.write_str("The request has more than one Host header"),
            Flaw::HostInvalid => out.write_str("The Host header is no host"),
            Flaw::AuthorizationTwice => out.write_str("The request has more than one Authorization header"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(version: Version, headers: &[(&str, &str)]) -> Result<Result<(), Flaw>, http::Error> {
        let request =
            headers.iter().fold(http::Request::builder().version(version), |request, (name, value)| {
                request.header(*name, *value)
            });
        Ok(check(&request.body(())?.into_parts().0))
    }

    #[test]
    fn a_head_says_once_which_host_is_meant_and_who_asks() -> Result<(), http::Error> {
        let host = ("host", "a.example:3000");
        let token = ("authorization", "Bearer x");
        for (version, headers, expected) in [
            (Version::HTTP_11, &[host][..], Ok(())),
            (Version::HTTP_11, &[("host", "[::1]:3000")], Ok(())),
            (Version::HTTP_11, &[("host", "")], Ok(())),
            (Version::HTTP_11, &[("host", "127.0.0.1")], Ok(())),
            (Version::HTTP_11, &[], Err(Flaw::HostMissing)),
            (Version::HTTP_10, &[], Ok(())),
            (Version::HTTP_2, &[], Ok(())),
            (Version::HTTP_11, &[host, host], Err(Flaw::HostTwice)),
            (Version::HTTP_10, &[host, host], Err(Flaw::HostTwice)),
            (Version::HTTP_2, &[host, host], Err(Flaw::HostTwice)),
            (Version::HTTP_11, &[("host", "a, b")], Err(Flaw::HostInvalid)),
            (Version::HTTP_11, &[("host", "me@a.example")], Err(Flaw::HostInvalid)),
            (Version::HTTP_11, &[("host", "a.example/path")], Err(Flaw::HostInvalid)),
            (Version::HTTP_11, &[host, token], Ok(())),
            (Version::HTTP_11, &[host, token, token], Err(Flaw::AuthorizationTwice)),
            (Version::HTTP_2, &[token, ("authorization", "Basic x")], Err(Flaw::AuthorizationTwice)),
        ] {
            assert_eq!(checked(version, headers)?, expected, "{version:?} {headers:?}");
        }
        let padding = vec![("x-pad", "x"); MAX_FIELDS];
        assert_eq!(checked(Version::HTTP_10, &padding)?, Ok(()));
        assert_eq!(checked(Version::HTTP_11, &[&padding[..], &[host]].concat())?, Err(Flaw::TooManyFields));
        assert_eq!(checked(Version::HTTP_2, &[&padding[..], &[host]].concat())?, Err(Flaw::TooManyFields));
        let cookies = vec![("cookie", "a=b"); 2 * MAX_FIELDS];
        assert_eq!(checked(Version::HTTP_2, &[&padding[..], &cookies].concat())?, Ok(()));
        Ok(())
    }
}
