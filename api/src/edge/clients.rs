//! Which address a request comes from: the peer's, or what a proxy says that is trusted.

use std::net::IpAddr;
use std::str::FromStr;

use poem::Addr;
use poem::http::HeaderMap;
use poem::web::RemoteAddr;

/// The header in which each proxy appends the address that it was asked from.
const FORWARDED: &str = "x-forwarded-for";

/// Addresses that begin with the same bits: `10.0.0.0/8`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Network, String> {
        let refused = || "a network is written as 10.0.0.0/8, or as one address".to_owned();
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address.parse().map_err(|_| refused())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(longest), str::parse).map_err(|_| refused())?;
        if prefix > longest { Err(refused()) } else { Ok(Network { address, prefix }) }
    }
}

impl Network {
    fn has(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(address)) => {
                (own.to_bits() ^ address.to_bits()).leading_zeros() >= u32::from(self.prefix)
            }
            (IpAddr::V6(own), IpAddr::V6(address)) => {
                (own.to_bits() ^ address.to_bits()).leading_zeros() >= u32::from(self.prefix)
            }
            _ => false,
        }
    }
}

/// Whom a request from this peer is from: the last address that is none of `proxies`, going back from the peer. What an untrusted peer
/// says of others counts for nothing.
pub(crate) fn address(RemoteAddr(peer): &RemoteAddr, headers: &HeaderMap, proxies: &[Network]) -> Option<IpAddr> {
    let Addr::SocketAddr(peer) = peer else { return None };
    let is_proxy = |address: &IpAddr| proxies.iter().any(|network| network.has(*address));
    let mut address = peer.ip();
    if proxies.is_empty() || !is_proxy(&address) {
        return Some(address);
    }
    let told: Vec<&str> = headers.get_all(FORWARDED).iter().filter_map(|value| value.to_str().ok()).collect();
    for hop in told.iter().rev().flat_map(|list| list.rsplit(',')) {
        // Whoever writes what is no address is as far as the trust goes.
        let Ok(hop) = hop.trim().parse() else { break };
        address = hop;
        if !is_proxy(&address) {
            break;
        }
    }
    Some(address)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use poem::http::HeaderValue;

    use super::*;

    fn from(peer: &str, forwarded: &[&str], proxies: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(FORWARDED, HeaderValue::from_str(value).unwrap());
        }
        let peer = RemoteAddr(SocketAddr::new(peer.parse().unwrap(), 1).into());
        let proxies: Vec<Network> = proxies.iter().map(|text| text.parse().unwrap()).collect();
        address(&peer, &headers, &proxies).unwrap().to_string()
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        assert_eq!(from("192.0.2.1", &["198.51.100.7"], &[]), "192.0.2.1");
        assert_eq!(from("192.0.2.1", &["198.51.100.7"], &["10.0.0.0/8"]), "192.0.2.1");
        assert_eq!(from("10.1.2.3", &["198.51.100.7"], &["10.0.0.0/8"]), "198.51.100.7");
        assert_eq!(
            from("10.1.2.3", &["1.1.1.1, 198.51.100.7"], &["10.0.0.0/8"]),
            "198.51.100.7",
            "the rest is hearsay"
        );
        assert_eq!(from("10.1.2.3", &["1.1.1.1", "198.51.100.7, 10.9.9.9"], &["10.0.0.0/8"]), "198.51.100.7");
        assert_eq!(from("10.1.2.3", &["nonsense"], &["10.0.0.0/8"]), "10.1.2.3");
        assert_eq!(from("::ffff:10.1.2.3", &["2001:db8::1"], &["10.0.0.0/8"]), "2001:db8::1");
    }

    #[test]
    fn a_network_is_read_as_it_is_written() {
        for wrong in ["", "10.0.0.0/33", "10.0.0", "ten", "::/129", "10.0.0.0/x"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
        assert!("::1".parse::<Network>().unwrap().has("::1".parse().unwrap()));
        assert!("0.0.0.0/0".parse::<Network>().unwrap().has("192.0.2.1".parse().unwrap()));
    }
}
