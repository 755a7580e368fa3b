//! The addresses behind `server-host`. No address is bound here.

use crate::config::ListenHost;
use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

const ANY_IPV4: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
const ANY_IPV6: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

/// The addresses to try, best first.
pub(super) async fn addresses(host: &ListenHost, port: u16) -> io::Result<Vec<SocketAddr>> {
    let wildcards: &[IpAddr] = match host {
        ListenHost::Any | ListenHost::PreferIpv6 => &[ANY_IPV6, ANY_IPV4],
        ListenHost::PreferIpv4 => &[ANY_IPV4, ANY_IPV6],
        ListenHost::OnlyIpv4 => &[ANY_IPV4],
        ListenHost::OnlyIpv6 => &[ANY_IPV6],
        ListenHost::Named(host) => {
            return Ok(tokio::net::lookup_host((host.as_str(), port)).await?.collect());
        }
    };
    Ok(wildcards.iter().map(|&address| SocketAddr::new(address, port)).collect())
}

/// The address at which a client on this machine reaches one that may stand for all.
pub(super) fn reachable(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        IpAddr::V4(_) | IpAddr::V6(_) => address,
    }
}
