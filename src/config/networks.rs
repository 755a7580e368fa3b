//! Networks of IP addresses, in CIDR notation, and the Unix socket among them. It resolves no names.

use super::value::{Problem, Rendered, Value};
use std::{fmt, net::IpAddr};

/// Whom an option names by address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Networks(Vec<Network>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Network {
    /// Clients of the Unix socket.
    Unix,
    /// The addresses that begin with so many bits of this one.
    Ip(IpAddr, u8),
}

impl Networks {
    /// Whether this address is in one of them.
    pub fn contain(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| match *network {
            Network::Unix => false,
            Network::Ip(base, prefix) => match (base, address) {
                (IpAddr::V4(base), IpAddr::V4(address)) => {
                    let ignored = 32 - u32::from(prefix);
                    (base.to_bits() ^ address.to_bits()).checked_shr(ignored).is_none_or(|bits| bits == 0)
                }
                (IpAddr::V6(base), IpAddr::V6(address)) => {
                    let ignored = 128 - u32::from(prefix);
                    (base.to_bits() ^ address.to_bits()).checked_shr(ignored).is_none_or(|bits| bits == 0)
                }
                (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
            },
        })
    }

    /// Whether clients of the Unix socket are among them.
    pub fn contain_unix(&self) -> bool {
        self.0.contains(&Network::Unix)
    }
}

impl Network {
    fn parse(text: &str) -> Option<Network> {
        if text == "unix" {
            return Some(Network::Unix);
        }
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let whole = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(digits) => digits.parse().ok().filter(|prefix| *prefix <= whole)?,
            None => whole,
        };
        Some(Network::Ip(address, prefix))
    }
}

impl fmt::Display for Network {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Network::Unix => out.write_str("unix"),
            Network::Ip(address, prefix) => write!(out, "{address}/{prefix}"),
        }
    }
}

impl Value for Networks {
    const FORM: &'static str = "a list of networks separated by commas, like 10.0.0.0/8,::1,unix";

    fn parse(text: &str) -> Result<Self, Problem> {
        let networks: Option<Vec<_>> = text.split(',').map(|item| Network::parse(item.trim())).collect();
        networks.map(Networks).ok_or(Problem::Form)
    }

    fn render(&self) -> Rendered {
        Rendered::Quoted(self.0.iter().map(Network::to_string).collect::<Vec<_>>().join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_the_addresses_that_begin_like_its_own() {
        for (networks, address, is_in) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.1.2.3", "10.1.2.3", true),
            ("10.1.2.3", "10.1.2.2", false),
            ("10.1.2.3/31", "10.1.2.2", true),
            ("0.0.0.0/0", "192.0.2.1", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("10.0.0.0/8", "::ffff:10.0.0.1", true),
            ("::/0", "2001:db8::1", true),
            ("2001:db8::/32", "2001:db8:1::", true),
            ("2001:db8::/32", "2001:db9::", false),
            ("10.0.0.0/8, ::1, unix", "::1", true),
            ("unix", "127.0.0.1", false),
        ] {
            assert_eq!(
                Networks::parse(networks).unwrap().contain(address.parse().unwrap()),
                is_in,
                "{networks}"
            );
        }
        assert!(Networks::parse("::1,unix").unwrap().contain_unix());
        assert!(!Networks::parse("::1").unwrap().contain_unix());
        for text in
            ["", "10.0.0.0/33", "::/129", "10.0.0/8", "proxy", "10.0.0.0/", "10.0.0.1,", "10.0.0.0/-1"]
        {
            assert_eq!(Networks::parse(text), Err(Problem::Form), "{text}");
        }
        let networks = Networks::parse("10.0.0.0/8,::1,unix").unwrap();
        assert_eq!(networks.render().text(), "10.0.0.0/8,::1/128,unix");
    }
}
