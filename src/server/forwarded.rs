//! What trusted proxies say of a request: which client sent it, and at which address it reached the first of them. They say
//! so in `Forwarded` (RFC 7239), or in `X-Forwarded-For`, `-Host`, `-Proto` and `-Prefix`. Where both are there, and from
//! anybody else, these headers mean nothing. It changes no request and decides nothing about what a client may do.

use std::net::{IpAddr, SocketAddr};

use http::uri::{Authority, Parts as UriParts, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Uri, header, request::Parts};

use super::listen::Peer;
use crate::config::{BasePath, Config, Networks, value::Value};

const FORWARDED: HeaderName = header::FORWARDED;
const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// What the proxies in front of this process say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forwarded {
    /// The client, or the last proxy on the way to it that is known.
    pub client: Option<IpAddr>,
    /// The address of the server as the client knows it, without a slash at its end.
    pub address: Option<Uri>,
}

impl Forwarded {
    /// Reads the headers of a request from `peer`; none where it is not to be believed.
    pub fn of(head: &Parts, peer: Peer, config: &Config) -> Option<Forwarded> {
        let trusted = config.server_trusted_proxies.as_ref()?;
        let (nearest, is_trusted) = match peer {
            Peer::Ip(address) => (Some(address), trusted.contain(address)),
            Peer::Local => (None, trusted.contain_unix()),
        };
        if !is_trusted {
            return None;
        }
        let headers = &head.headers;
        let is_customary = [FOR, HOST, PROTO].iter().any(|name| headers.contains_key(name));
        let hops = match (headers.contains_key(FORWARDED), is_customary) {
            // A proxy writes one kind, and the other one may be the client's.
            (true, true) => return None,
            (true, false) => standard(headers),
            (false, _) => customary(headers),
        };
        let (client, hop) = client(nearest, &hops, trusted);
        Some(Forwarded { client, address: hop.and_then(|hop| hop.address(head, config)) })
    }
}

/// What one proxy says of whoever it was called by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Hop {
    client: Option<IpAddr>,
    host: Option<Authority>,
    scheme: Option<Scheme>,
    prefix: Option<BasePath>,
}

impl Hop {
    /// The address at which the proxy was called, if it says anything of it.
    fn address(&self, head: &Parts, config: &Config) -> Option<Uri> {
        let Hop { host, scheme, prefix, .. } = self;
        if host.is_none() && scheme.is_none() && prefix.is_none() {
            return None;
        }
        let own = || head.headers.get(header::HOST).and_then(|host| authority(host.to_str().ok()?));
        let path =
            [prefix, &config.server_base_path].map(|path| path.as_deref().unwrap_or_default()).concat();
        let mut parts = UriParts::default();
        parts.scheme = Some(match (scheme, &config.server_tls_certificate) {
            (Some(scheme), _) => scheme.clone(),
            (None, Some(_)) => Scheme::HTTPS,
            (None, None) => Scheme::HTTP,
        });
        parts.authority = Some(host.clone().or_else(|| head.uri.authority().cloned()).or_else(own)?);
        parts.path_and_query = Some(PathAndQuery::try_from(if path.is_empty() { "/" } else { &path }).ok()?);
        Uri::from_parts(parts).ok()
    }
}

/// The first address from this end that is no trusted proxy's, and what the proxy that it called says.
fn client<'a>(
    nearest: Option<IpAddr>,
    hops: &'a [Hop],
    trusted: &Networks,
) -> (Option<IpAddr>, Option<&'a Hop>) {
    let (mut client, mut last) = (nearest, None);
    for hop in hops.iter().rev() {
        last = Some(hop);
        match hop.client {
            Some(address) => client = Some(address),
            // It is hidden, or was forged: what is further away cannot be known.
            None => break,
        }
        if !client.is_some_and(|address| trusted.contain(address)) {
            break;
        }
    }
    (client, last)
}

/// The values of a header, all lists in one.
fn items(headers: &HeaderMap, name: HeaderName) -> Vec<&str> {
    let values = headers.get_all(name).into_iter().filter_map(|value: &HeaderValue| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).collect()
}

fn standard(headers: &HeaderMap) -> Vec<Hop> {
    let mut hops = Vec::new();
    for item in items(headers, FORWARDED) {
        let mut hop = Hop::default();
        for pair in item.split(';') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = value.trim().trim_matches('"');
            match name.trim().to_ascii_lowercase().as_str() {
                "for" => hop.client = node(value),
                "host" => hop.host = authority(value),
                "proto" => hop.scheme = spoken(value),
                _ => {}
            }
        }
        hops.push(hop);
    }
    // The standard has no name for it.
    let prefix = items(headers, PREFIX).last().and_then(|prefix| path(prefix));
    for hop in &mut hops {
        hop.prefix.clone_from(&prefix);
    }
    hops
}

/// Each list may be shorter than that of the addresses, where a proxy replaces what it was told.
fn customary(headers: &HeaderMap) -> Vec<Hop> {
    let [clients, hosts, schemes, prefixes] = [FOR, HOST, PROTO, PREFIX].map(|name| items(headers, name));
    let count = clients.len().max(1);
    let of = |list: &[&str], place: usize| -> Option<String> {
        let from_the_end = (count - place).min(list.len());
        list.get(list.len() - from_the_end).map(|item| (*item).to_owned())
    };
    let hop = |place: usize| Hop {
        client: clients.get(place).and_then(|text| node(text)),
        host: of(&hosts, place).and_then(|text| authority(&text)),
        scheme: of(&schemes, place).and_then(|text| spoken(&text)),
        prefix: of(&prefixes, place).and_then(|text| path(&text)),
    };
    (0..count).map(hop).collect()
}

/// An address, with a port or without.
fn node(text: &str) -> Option<IpAddr> {
    let address = text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let address = address.or_else(|_| text.parse::<SocketAddr>().map(|socket| socket.ip()));
    address.ok().map(|address| address.to_canonical())
}

fn authority(text: &str) -> Option<Authority> {
    let authority: Authority = text.parse().ok()?;
    (!authority.as_str().contains('@') && !authority.host().is_empty()).then_some(authority)
}

fn spoken(text: &str) -> Option<Scheme> {
    match text.to_ascii_lowercase().as_str() {
        "https" => Some(Scheme::HTTPS),
        "http" => Some(Scheme::HTTP),
        _ => None,
    }
}

fn path(text: &str) -> Option<BasePath> {
    BasePath::parse(text.trim_end_matches('/')).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Sources;

    type Fields<'a> = &'a [(&'a str, &'a str)];

    fn said(peer: &str, fields: Fields) -> Option<(String, String)> {
        said_to(&[("PGDUET_SERVER_TRUSTED_PROXIES", "10.0.0.0/8,::1")], peer, fields)
    }

    fn said_to(options: Fields, peer: &str, fields: Fields) -> Option<(String, String)> {
        let mut sources = Sources::default();
        sources.environment =
            options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let (config, _) = Config::load(&sources).unwrap();
        let mut request = http::Request::builder().uri("/items").header("host", "inside:3000");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        let peer = match peer {
            "unix" => Peer::Local,
            address => Peer::Ip(address.parse().unwrap()),
        };
        let said = Forwarded::of(&head, peer, &config)?;
        let text = |shown: Option<String>| shown.unwrap_or_default();
        Some((
            text(said.client.map(|client| client.to_string())),
            text(said.address.map(|address| address.to_string())),
        ))
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let fields = &[("x-forwarded-for", "192.0.2.1"), ("x-forwarded-host", "api.example")];
        assert_eq!(said("192.0.2.7", fields), None);
        assert_eq!(said("unix", fields), None);
        assert_eq!(said_to(&[], "10.0.0.1", fields), None);
        let local = said_to(&[("PGDUET_SERVER_TRUSTED_PROXIES", "unix")], "unix", fields);
        assert_eq!(local, Some(("192.0.2.1".into(), "http://api.example/".into())));
        assert_eq!(said("10.0.0.1", &[]), Some(("10.0.0.1".into(), String::new())));
        assert_eq!(said("10.0.0.1", fields), Some(("192.0.2.1".into(), "http://api.example/".into())));
    }

    #[test]
    fn the_client_is_the_first_that_is_no_trusted_proxy() {
        for (field, client) in [
            ("192.0.2.1", "192.0.2.1"),
            ("192.0.2.9, 192.0.2.1", "192.0.2.1"),
            ("192.0.2.9, 192.0.2.1, 10.0.0.2", "192.0.2.1"),
            ("10.0.0.3, 10.0.0.2", "10.0.0.3"),
            ("192.0.2.9, unknown, 10.0.0.2", "10.0.0.2"),
            ("192.0.2.9, x", "10.0.0.1"),
            ("192.0.2.1:4711", "192.0.2.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("", "10.0.0.1"),
        ] {
            let (found, _) = said("10.0.0.1", &[("x-forwarded-for", field)]).unwrap();
            assert_eq!(found, client, "{field}");
        }
        for (field, client) in [
            ("for=192.0.2.1", "192.0.2.1"),
            ("for=192.0.2.9, FOR=\"192.0.2.1:80\";proto=https", "192.0.2.1"),
            ("for=\"[2001:db8::1]:4711\"", "2001:db8::1"),
            ("for=192.0.2.9, for=_hidden", "10.0.0.1"),
            ("for=192.0.2.1, for=10.0.0.2", "192.0.2.1"),
            ("proto=https", "10.0.0.1"),
        ] {
            assert_eq!(said("10.0.0.1", &[("forwarded", field)]).unwrap().0, client, "{field}");
            // One of both is somebody else's.
            assert_eq!(said("10.0.0.1", &[("forwarded", field), ("x-forwarded-for", "192.0.2.8")]), None);
        }
    }

    #[test]
    fn the_address_is_the_one_that_the_client_called() {
        let (host, proto) = (("x-forwarded-host", "api.example"), ("x-forwarded-proto", "https"));
        let client = ("x-forwarded-for", "192.0.2.1");
        for (fields, address) in [
            (&[][..], ""),
            (&[client], ""),
            (&[client, host, proto], "https://api.example/"),
            (&[client, proto], "https://inside:3000/"),
            (&[host, proto, ("x-forwarded-prefix", "/rest/v1/")], "https://api.example/rest/v1"),
            (&[("x-forwarded-prefix", "/rest")], "http://inside:3000/rest"),
            (&[client, host, ("x-forwarded-prefix", "//evil")], "http://api.example/"),
            (&[client, ("x-forwarded-host", "me@evil.example")], ""),
            (&[client, ("x-forwarded-host", "a b")], ""),
            (&[client, host, ("x-forwarded-proto", "javascript")], "http://api.example/"),
            // What the client wrote before the first proxy did does not count.
            (
                &[
                    ("x-forwarded-for", "192.0.2.9, 192.0.2.1"),
                    ("x-forwarded-host", "evil.example, api.example"),
                ],
                "http://api.example/",
            ),
            (
                &[("x-forwarded-for", "192.0.2.1, 10.0.0.2"), ("x-forwarded-host", "api.example, inner")],
                "http://api.example/",
            ),
            (
                &[("forwarded", "for=192.0.2.1;host=api.example:8443;proto=https")],
                "https://api.example:8443/",
            ),
            (
                &[("forwarded", "for=192.0.2.9;host=evil.example, for=192.0.2.1;host=\"api.example\"")],
                "http://api.example/",
            ),
        ] {
            assert_eq!(said("10.0.0.1", fields).unwrap().1, address, "{fields:?}");
        }
        let options = [("PGDUET_SERVER_TRUSTED_PROXIES", "::1"), ("PGDUET_SERVER_BASE_PATH", "/v1")];
        let based = said_to(&options, "::1", &[host, ("x-forwarded-prefix", "/rest")]).unwrap();
        assert_eq!(based.1, "http://api.example/rest/v1");
    }
}
