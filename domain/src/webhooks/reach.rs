//! Which addresses the service connects to for its users: public ones. What a user names must not lead it into its own network.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use url::{Host, Url};

use crate::error::FieldError;

/// How long an address of an endpoint may be, in bytes.
pub const URL_BYTES_MAX: usize = 2_000;

/// A network, such as `10.0.0.0/8` or `::1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    const fn v4(a: u8, b: u8, c: u8, prefix: u8) -> Network {
        Network { address: IpAddr::V4(Ipv4Addr::new(a, b, c, 0)), prefix }
    }

    const fn v6(a: u16, b: u16, prefix: u8) -> Network {
        Network { address: IpAddr::V6(Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0)), prefix }
    }

    /// Whether the address lies in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let shift = 32 - u32::from(self.prefix);
                u32::from(network).checked_shr(shift) == u32::from(address).checked_shr(shift)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let shift = 128 - u32::from(self.prefix);
                u128::from(network).checked_shr(shift) == u128::from(address).checked_shr(shift)
            }
            _ => false,
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Network, String> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address.parse().map_err(|_| format!("{address} is no address"))?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix =
            prefix.map_or(Ok(longest), |prefix| prefix.parse().map_err(|_| format!("{prefix} is no prefix")))?;
        if prefix > longest {
            return Err(format!("a prefix is at most {longest}"));
        }
        Ok(Network { address, prefix })
    }
}

/// The networks of IANA's registry of special-purpose addresses, and multicast: nobody's public address is in them.
const SPECIAL_V4: [Network; 16] = [
    Network::v4(0, 0, 0, 8),
    Network::v4(10, 0, 0, 8),
    Network::v4(100, 64, 0, 10),
    Network::v4(127, 0, 0, 8),
    Network::v4(169, 254, 0, 16),
    Network::v4(172, 16, 0, 12),
    Network::v4(192, 0, 0, 24),
    Network::v4(192, 0, 2, 24),
    Network::v4(192, 31, 196, 24),
    Network::v4(192, 88, 99, 24),
    Network::v4(192, 168, 0, 16),
    Network::v4(198, 18, 0, 15),
    Network::v4(198, 51, 100, 24),
    Network::v4(203, 0, 113, 24),
    Network::v4(224, 0, 0, 4),
    Network::v4(240, 0, 0, 4),
];

/// What IPv6 has in use for everybody.
const GLOBAL_V6: Network = Network::v6(0x2000, 0, 3);

/// What of that is special, or carries an IPv4 address that nobody has looked at.
const SPECIAL_V6: [Network; 4] = [
    Network::v6(0x2001, 0, 23),
    Network::v6(0x2001, 0x0db8, 32),
    Network::v6(0x2002, 0, 16),
    Network::v6(0x3fff, 0, 20),
];

/// Whether it is an address of the public internet. One of IPv4 that is written as IPv6 is judged as what it is.
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        address @ IpAddr::V4(_) => !SPECIAL_V4.iter().any(|network| network.contains(address)),
        address @ IpAddr::V6(_) => {
            GLOBAL_V6.contains(address) && !SPECIAL_V6.iter().any(|network| network.contains(address))
        }
    }
}

/// Where endpoints may be: at public addresses by TLS, and besides in the networks that whoever runs the service allows, also without.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    allowed: Vec<Network>,
}

impl Reach {
    /// Also these networks.
    pub fn with(allowed: Vec<Network>) -> Reach {
        Reach { allowed }
    }

    /// Everywhere: for what an operator names, and no user.
    pub fn everywhere() -> Reach {
        Reach { allowed: vec![Network::v4(0, 0, 0, 0), Network::v6(0, 0, 0)] }
    }

    /// Whether the service connects to this address, by TLS or without it.
    pub fn allows(&self, address: IpAddr, by_tls: bool) -> bool {
        let canonical = address.to_canonical();
        self.allowed.iter().any(|network| network.contains(canonical)) || (by_tls && is_public(canonical))
    }

    /// Reads the address of an endpoint. Which addresses its name has is looked at with each delivery, not here.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn check(&self, url: &str) -> Result<Url, FieldError> {
        let refused =
            |code, detail: &str| Err(FieldError { pointer: "/url".to_owned(), code, detail: detail.to_owned() });
        let Ok(url) = Url::parse(url) else { return refused("invalid_url", "must be an absolute URL") };
        let is_plain = url.scheme() == "http" && !self.allowed.is_empty();
        if url.scheme() != "https" && !is_plain {
            return refused("https_needed", "must begin with https://");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return refused("has_credentials", "must have no user and no password; deliveries are signed");
        }
        if url.fragment().is_some() {
            return refused("has_fragment", "must have no fragment");
        }
        if url.as_str().len() > URL_BYTES_MAX {
            return refused("too_long", "must have at most 2,000 bytes");
        }
        if url.port() == Some(0) {
            return refused("invalid_url", "must not name port 0");
        }
        let literal = match url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            _ => None,
        };
        if literal.is_some_and(|address| !self.allows(address, url.scheme() == "https")) {
            return refused("address_not_allowed", "must be a public address");
        }
        Ok(url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_public_is_public() {
        let private = [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.19.255.255",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::7f00:1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "3fff::1",
            "5f00::1",
        ];
        for address in private {
            assert!(!is_public(address.parse().unwrap()), "{address}");
            assert!(!Reach::default().allows(address.parse().unwrap(), true), "{address}");
        }
        let public =
            ["1.1.1.1", "100.128.0.1", "172.32.0.1", "192.0.1.1", "::ffff:8.8.8.8", "2606:4700::1111", "2a00::1"];
        for address in public {
            assert!(is_public(address.parse().unwrap()), "{address}");
            assert!(!Reach::default().allows(address.parse().unwrap(), false), "without TLS: {address}");
        }
    }

    #[test]
    fn a_network_is_allowed_by_name() {
        let reach = Reach::with(vec!["127.0.0.0/8".parse().unwrap(), "::1".parse().unwrap()]);
        for (address, allowed) in
            [("127.0.0.1", true), ("::ffff:127.1.1.1", true), ("::1", true), ("::2", false), ("10.0.0.1", false)]
        {
            assert_eq!(reach.allows(address.parse().unwrap(), false), allowed, "{address}");
        }
        assert!(Reach::with(vec!["0.0.0.0/0".parse().unwrap()]).allows("10.0.0.1".parse().unwrap(), false));
        for wrong in ["", "10.0.0.0/33", "::/129", "10.0.0", "10.0.0.0/-1", "localhost"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_endpoint_is_an_address_on_the_internet() {
        let refused = |url: &str| Reach::default().check(url).err().map(|error| error.code);
        assert_eq!(refused("https://example.org/hooks?a=b"), None);
        assert_eq!(refused("https://[2606:4700::1111]:8443/"), None);
        let table = [
            ("hooks", "invalid_url"),
            ("https://", "invalid_url"),
            ("https://example.org:0/", "invalid_url"),
            ("http://example.org", "https_needed"),
            ("ftp://example.org", "https_needed"),
            ("file:///etc/passwd", "https_needed"),
            ("https://user@example.org", "has_credentials"),
            ("https://example.org/#here", "has_fragment"),
            // The same address, however it is spelt.
            ("https://127.0.0.1", "address_not_allowed"),
            ("https://2130706433", "address_not_allowed"),
            ("https://0x7f000001", "address_not_allowed"),
            ("https://0177.0.0.1", "address_not_allowed"),
            ("https://127.1", "address_not_allowed"),
            ("https://0", "address_not_allowed"),
            ("https://%31%32%37.0.0.1", "address_not_allowed"),
            ("https://\u{ff11}27.0.0.1", "address_not_allowed"),
            ("https://127.0.0.1.", "address_not_allowed"),
            ("https://[::ffff:127.0.0.1]", "address_not_allowed"),
            ("https://[::ffff:7f00:1]", "address_not_allowed"),
            ("https://[::1]", "address_not_allowed"),
            ("https://169.254.169.254/latest/meta-data", "address_not_allowed"),
            ("https://[fd00:ec2::254]", "address_not_allowed"),
        ];
        for (url, code) in table {
            assert_eq!(refused(url), Some(code), "{url}");
        }
    }
}
