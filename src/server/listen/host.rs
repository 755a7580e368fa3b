//! The forms of `server-host`. No address is bound here.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// Which of the machine's addresses to listen on: PostgREST's special values, an address or a host name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostPreference {
    /// `*`: every address, IPv6 and IPv4.
    Any,
    /// `*4`: every IPv4 address, or IPv6 where there is no IPv4.
    PreferIpv4,
    /// `!4`, the default: every IPv4 address.
    OnlyIpv4,
    /// `*6`: every IPv6 address, or IPv4 where there is no IPv6.
    PreferIpv6,
    /// `!6`: every IPv6 address; whether IPv4 clients reach it is up to the system, as with PostgREST.
    OnlyIpv6,
    /// An address, or a name that is looked up when the socket is bound.
    Named(String),
}

/// The special values and their spelling.
const SPECIAL: [(&str, HostPreference); 5] = [
    ("*", HostPreference::Any),
    ("*4", HostPreference::PreferIpv4),
    ("!4", HostPreference::OnlyIpv4),
    ("*6", HostPreference::PreferIpv6),
    ("!6", HostPreference::OnlyIpv6),
];

const ANY_IPV4: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
const ANY_IPV6: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

impl HostPreference {
    /// The addresses to try, best first.
    pub(super) async fn addresses(&self, port: u16) -> io::Result<Vec<SocketAddr>> {
        let wildcards: &[IpAddr] = match self {
            HostPreference::Any | HostPreference::PreferIpv6 => &[ANY_IPV6, ANY_IPV4],
            HostPreference::PreferIpv4 => &[ANY_IPV4, ANY_IPV6],
            HostPreference::OnlyIpv4 => &[ANY_IPV4],
            HostPreference::OnlyIpv6 => &[ANY_IPV6],
            HostPreference::Named(host) => {
                return Ok(tokio::net::lookup_host((host.as_str(), port)).await?.collect());
            }
        };
        Ok(wildcards.iter().map(|&address| SocketAddr::new(address, port)).collect())
    }

    /// The name by which a client on this machine finds it; `None` for the special values, which name no host.
    pub fn name(&self) -> Option<&str> {
        match self {
            HostPreference::Named(name) => Some(name),
            HostPreference::Any
            | HostPreference::PreferIpv4
            | HostPreference::OnlyIpv4
            | HostPreference::PreferIpv6
            | HostPreference::OnlyIpv6 => None,
        }
    }
}

impl FromStr for HostPreference {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let special = SPECIAL.into_iter().find(|(spelling, _)| *spelling == text);
        Ok(special.map_or_else(|| HostPreference::Named(text.to_owned()), |(_, preference)| preference))
    }
}

impl fmt::Display for HostPreference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let special = SPECIAL.iter().find(|(_, preference)| preference == self);
        formatter.write_str(special.map_or_else(|| self.name().unwrap_or_default(), |(spelling, _)| spelling))
    }
}

/// The address at which a client on this machine reaches one that may stand for all.
pub(super) fn reachable(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        IpAddr::V4(_) | IpAddr::V6(_) => address,
    }
}
