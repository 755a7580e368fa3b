//! An address that keys are fetched from: `https`, or `http` where the operator accepts it. Parses and compares addresses;
//! connects to nothing.

use std::{fmt, net::IpAddr};

use http::Uri;

/// Below an issuer's address (OpenID Connect Discovery 1.0, section 4).
const DISCOVERY: &str = "/.well-known/openid-configuration";

/// Where plain `http` is accepted. Whoever can change an answer on its way can sign tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlainHttp {
    /// On this machine.
    Loopback,
    /// On every machine.
    Anywhere,
}

/// The address of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyAddress(Uri);

impl KeyAddress {
    /// Parses an address. The error is the end of a sentence.
    pub fn parse(text: &str, plain: PlainHttp) -> Result<KeyAddress, &'static str> {
        let uri: Uri = text.parse().map_err(|_| "is no valid address")?;
        let address = KeyAddress(uri);
        let authority = address.0.authority().ok_or("is an address without a host")?;
        if authority.as_str().contains('@') {
            return Err("is an address with a user name, which is not sent");
        }
        let has_port = authority.as_str() != authority.host();
        if has_port && authority.port_u16().is_none_or(|port| port == 0) {
            return Err("is an address without a valid port");
        }
        match (address.0.scheme_str(), plain) {
            (Some("https"), _) | (Some("http"), PlainHttp::Anywhere) => Ok(address),
            (Some("http"), PlainHttp::Loopback) if address.is_loopback() => Ok(address),
            (Some("http"), PlainHttp::Loopback) => {
                Err("is an address of http on another machine, which needs jwt-secret-allow-http")
            }
            (Some(_) | None, _) => Err("is an address of neither https nor http"),
        }
    }

    /// The address that an answer from this one points to. The error is the end of a sentence.
    pub fn follow(&self, target: &str, plain: PlainHttp) -> Result<KeyAddress, &'static str> {
        let scheme = self.0.scheme_str().unwrap_or_default();
        let authority = self.0.authority().map_or("", |authority| authority.as_str());
        let text = match target {
            _ if target.starts_with("//") => format!("{scheme}:{target}"),
            _ if target.starts_with('/') => format!("{scheme}://{authority}{target}"),
            _ => target.to_owned(),
        };
        let next = KeyAddress::parse(&text, plain)?;
        match self.is_encrypted() && !next.is_encrypted() {
            true => Err("leads from https to http"),
            false => Ok(next),
        }
    }

    /// The address of the discovery document, if this can be the address of an issuer.
    pub fn discovery(&self) -> Option<KeyAddress> {
        let path = self.0.path().trim_end_matches('/');
        let authority = self.0.authority()?;
        let text = format!("{}://{authority}{path}{DISCOVERY}", self.0.scheme_str()?);
        let can_be_issuer = self.0.query().is_none() && !path.contains("/.well-known/");
        can_be_issuer.then(|| text.parse().map(KeyAddress).ok())?
    }

    /// Whether an issuer of this name has this address.
    pub fn is_issuer(&self, issuer: &str) -> bool {
        self.0.to_string().trim_end_matches('/') == issuer.trim_end_matches('/')
    }

    /// Whether the connection is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.0.scheme_str() == Some("https")
    }

    /// The host, an IPv6 address without its brackets.
    pub fn host(&self) -> &str {
        self.0.host().unwrap_or_default().trim_matches(['[', ']'])
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.0.port_u16().unwrap_or(if self.is_encrypted() { 443 } else { 80 })
    }

    /// Host and, where one is written, port: the value of `Host`.
    pub fn authority(&self) -> &str {
        self.0.authority().map_or("", |authority| authority.as_str())
    }

    /// Path and query.
    pub fn target(&self) -> &str {
        self.0.path_and_query().map_or("/", |target| target.as_str())
    }

    fn is_loopback(&self) -> bool {
        let host = self.host();
        host.eq_ignore_ascii_case("localhost")
            || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
    }
}

/// Without the query, which may hold a secret.
impl fmt::Display for KeyAddress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}://{}{}", self.0.scheme_str().unwrap_or_default(), self.authority(), self.0.path())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> KeyAddress {
        KeyAddress::parse(text, PlainHttp::Anywhere).unwrap()
    }

    #[test]
    fn plain_http_needs_this_machine_or_the_operator_s_word() {
        for (text, loopback, anywhere) in [
            ("https://issuer.example/keys", true, true),
            ("HTTPS://issuer.example/keys?tenant=1", true, true),
            ("http://localhost:8080/keys", true, true),
            ("http://127.0.0.1/keys", true, true),
            ("http://[::1]:8080/keys", true, true),
            ("http://issuer.example/keys", false, true),
            ("http://localhost.example/keys", false, true),
            ("http://10.0.0.1/keys", false, true),
            ("https://me@issuer.example/keys", false, false),
            ("https://issuer.example:x/keys", false, false),
            ("https://issuer.example:0/keys", false, false),
            ("https:///keys", false, false),
            ("https://", false, false),
            ("https://issuer example/keys", false, false),
            ("ftp://issuer.example/keys", false, false),
        ] {
            assert_eq!(KeyAddress::parse(text, PlainHttp::Loopback).is_ok(), loopback, "{text}");
            assert_eq!(KeyAddress::parse(text, PlainHttp::Anywhere).is_ok(), anywhere, "{text}");
        }
    }

    #[test]
    fn a_redirect_never_leaves_https() {
        let (from, plain) = (parsed("https://issuer.example/a/b?c"), parsed("http://issuer.example/"));
        let followed = |from: &KeyAddress, target: &str| {
            from.follow(target, PlainHttp::Anywhere).ok().map(|next| next.0.to_string())
        };
        for (target, next) in [
            ("/keys?x=1", Some("https://issuer.example/keys?x=1")),
            ("//other.example/keys", Some("https://other.example/keys")),
            ("https://other.example:8443/", Some("https://other.example:8443/")),
            ("http://issuer.example/keys", None),
            ("http://localhost/keys", None),
            ("keys", None),
            ("", None),
        ] {
            assert_eq!(followed(&from, target).as_deref(), next, "{target}");
        }
        assert!(followed(&plain, "https://issuer.example/").is_some());
        assert_eq!(followed(&plain, "/keys").as_deref(), Some("http://issuer.example/keys"));
        assert!(plain.follow("/keys", PlainHttp::Loopback).is_err());
    }

    #[test]
    fn an_issuer_is_described_below_its_address() {
        let discovery = |text: &str| parsed(text).discovery().map(|address| address.0.to_string());
        let of = |issuer: &str| format!("{issuer}/.well-known/openid-configuration");
        for (address, issuer) in [
            ("https://issuer.example", Some("https://issuer.example")),
            ("https://issuer.example/", Some("https://issuer.example")),
            ("https://issuer.example/realms/a/", Some("https://issuer.example/realms/a")),
            ("https://issuer.example/.well-known/jwks.json", None),
            ("https://issuer.example/keys?tenant=1", None),
        ] {
            assert_eq!(discovery(address), issuer.map(of), "{address}");
        }
        let is_issuer = |address: &str, issuer: &str| parsed(address).is_issuer(issuer);
        assert!(is_issuer("https://issuer.example/", "https://issuer.example"));
        assert!(is_issuer("https://issuer.example/a", "https://issuer.example/a/"));
        assert!(!is_issuer("https://issuer.example/a", "https://issuer.example/b"));
        assert!(!is_issuer("https://issuer.example/a", ""));
    }
}
