//! Which addresses a callback may be at. A callback URL is somebody else's text; without this it could make the worker
//! talk to its own network (server-side request forgery).
//!
//! Whatever is not known to be a public unicast address is refused, unless the operator lists it. Names are judged by
//! what they resolve to, at the moment of connecting, and only judged addresses reach the connector.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use url::{Host, Url};

/// A network that is not the public internet, and where that is written.
#[derive(Debug)]
pub(super) struct Range {
    pub(super) network: IpNet,
    pub(super) what: &'static str,
    pub(super) source: &'static str,
}

/// What is refused; the first row that holds an address names it. After the registries
/// <https://www.iana.org/assignments/iana-ipv4-special-registry> and
/// <https://www.iana.org/assignments/iana-ipv6-special-registry>.
///
/// IPv6 addresses that stand for an IPv4 one are not in the table, see [`embedded_v4`].
pub(super) const REFUSED: &[Range] = &[
    v4([0, 0, 0, 0], 8, "this network, unspecified", "RFC 791"),
    v4([10, 0, 0, 0], 8, "private", "RFC 1918"),
    // Alibaba Cloud's metadata service is at 100.100.100.200.
    v4([100, 64, 0, 0], 10, "shared, carrier-grade NAT", "RFC 6598"),
    v4([127, 0, 0, 0], 8, "loopback", "RFC 1122"),
    v4([168, 63, 129, 16], 32, "cloud metadata", "Azure WireServer"),
    v4(
        [169, 254, 169, 254],
        32,
        "cloud metadata",
        "EC2, Azure, Google Cloud",
    ),
    v4(
        [169, 254, 170, 0],
        24,
        "cloud metadata",
        "ECS and EKS credentials",
    ),
    v4([169, 254, 0, 0], 16, "link-local", "RFC 3927"),
    v4([172, 16, 0, 0], 12, "private", "RFC 1918"),
    // Oracle Cloud's metadata service is at 192.0.0.192.
    v4([192, 0, 0, 0], 24, "IETF protocol assignments", "RFC 6890"),
    v4([192, 0, 2, 0], 24, "documentation", "RFC 5737"),
    v4([192, 88, 99, 0], 24, "6to4 relay", "RFC 7526"),
    v4([192, 168, 0, 0], 16, "private", "RFC 1918"),
    v4([198, 18, 0, 0], 15, "benchmarking", "RFC 2544"),
    v4([198, 51, 100, 0], 24, "documentation", "RFC 5737"),
    v4([203, 0, 113, 0], 24, "documentation", "RFC 5737"),
    v4([224, 0, 0, 0], 4, "multicast", "RFC 5771"),
    v4([255, 255, 255, 255], 32, "broadcast", "RFC 919"),
    v4([240, 0, 0, 0], 4, "reserved", "RFC 1112"),
    v6(&[], 128, "unspecified", "RFC 4291"),
    v6(&[0, 0, 0, 0, 0, 0, 0, 1], 128, "loopback", "RFC 4291"),
    v6(&[], 96, "IPv4-compatible", "RFC 4291"),
    v6(&[0x64, 0xff9b, 1], 48, "local-use NAT64", "RFC 8215"),
    v6(&[0x100], 64, "discard-only", "RFC 6666"),
    v6(&[0x2001], 32, "Teredo", "RFC 4380"),
    v6(&[0x2001, 2], 48, "benchmarking", "RFC 5180"),
    v6(&[0x2001, 0x10], 28, "ORCHID", "RFC 4843"),
    v6(&[0x2001, 0x20], 28, "ORCHIDv2", "RFC 7343"),
    v6(&[0x2001], 23, "IETF protocol assignments", "RFC 2928"),
    v6(&[0x2001, 0xdb8], 32, "documentation", "RFC 3849"),
    v6(&[0x2002], 16, "6to4", "RFC 3056"),
    v6(&[0x3fff], 20, "documentation", "RFC 9637"),
    v6(&[0x5f00], 16, "segment routing", "RFC 9602"),
    // The metadata services of EC2 (fd00:ec2::254) and Google Cloud (fd20:ce::254) are in here.
    v6(&[0xfc00], 7, "unique local", "RFC 4193"),
    v6(&[0xfe80], 10, "link-local", "RFC 4291"),
    v6(&[0xfec0], 10, "site-local", "RFC 3879"),
    v6(&[0xff00], 8, "multicast", "RFC 4291"),
    // All that remains outside 2000::/3.
    v6(&[], 3, "not global unicast", "RFC 3587"),
    v6(&[0x4000], 2, "not global unicast", "RFC 3587"),
    v6(&[0x8000], 1, "not global unicast", "RFC 3587"),
];

const fn v4(address: [u8; 4], bits: u8, what: &'static str, source: &'static str) -> Range {
    let [a, b, c, d] = address;
    let network = IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), bits));
    Range {
        network,
        what,
        source,
    }
}

/// `first` are the address's first groups, the rest are zero.
const fn v6(first: &[u16], bits: u8, what: &'static str, source: &'static str) -> Range {
    let mut address = 0;
    let mut n = 0;
    while n < first.len() {
        address |= (first[n] as u128) << (112 - 16 * n);
        n += 1;
    }
    let network = IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::from_bits(address), bits));
    Range {
        network,
        what,
        source,
    }
}

/// The IPv4 address that is really reached through an IPv6 one: IPv4-mapped (`::ffff:0:0/96`, RFC 4291), and the
/// well-known NAT64 prefix (`64:ff9b::/96`, RFC 6052), by which IPv6-only subnets reach the IPv4 internet.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    const NAT64: u128 = 0x0064_ff9b << 96;
    let bits = address.to_bits();
    let nat64 = (bits & !u128::from(u32::MAX) == NAT64).then(|| Ipv4Addr::from_bits(bits as u32));
    address.to_ipv4_mapped().or(nat64)
}

fn reached(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => embedded_v4(v6).map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}

/// The network in terms of the addresses that are reached through it.
fn reached_network(network: IpNet) -> IpNet {
    match (network, reached(network.network())) {
        (IpNet::V6(v6), IpAddr::V4(v4)) => v6
            .prefix_len()
            .checked_sub(96)
            .and_then(|bits| Ipv4Net::new(v4, bits).ok())
            .map_or(network, IpNet::V4),
        _ => network,
    }
}

/// An address that is not to be connected to.
#[derive(Debug, Clone, Copy)]
pub(super) struct BlockedAddress {
    address: IpAddr,
    range: &'static Range,
}

impl fmt::Display for BlockedAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, range } = self;
        let Range {
            network,
            what,
            source,
        } = range;
        write!(
            f,
            "{address} is refused: {what} ({network}, {source}) and not in endpoint.allow_networks"
        )
    }
}

impl std::error::Error for BlockedAddress {}

/// Why no address of a host may be connected to.
#[derive(Debug)]
pub(super) enum Refused {
    Blocked(BlockedAddress),
    /// There is none.
    Empty,
}

/// An address that may be connected to: only the guard makes one, and only one of these is connected to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Admitted(SocketAddr);

impl Admitted {
    pub(super) fn address(&self) -> SocketAddr {
        self.0
    }
}

/// Judges addresses.
#[derive(Debug, Clone)]
pub(super) struct Guard {
    allowed: Arc<[IpNet]>,
}

impl Guard {
    /// Lets through what is in one of these networks, and whatever is public. An IPv4 network also stands for the
    /// IPv6 addresses that reach it.
    pub(super) fn new(allowed: impl IntoIterator<Item = IpNet>) -> Self {
        let allowed = allowed.into_iter().map(reached_network).collect();
        Self { allowed }
    }

    pub(super) fn check(&self, address: IpAddr) -> Result<(), BlockedAddress> {
        let reached = reached(address);
        if self
            .allowed
            .iter()
            .any(|network| network.contains(&reached))
        {
            return Ok(());
        }
        match REFUSED
            .iter()
            .find(|range| range.network.contains(&reached))
        {
            Some(range) => Err(BlockedAddress { address, range }),
            None => Ok(()),
        }
    }

    /// Checks a URL whose host is an address: such a host never sees a resolver. `url` has by then read every spelling
    /// of an address there is (`0x7f.1`, `2130706433`, a trailing dot) as one.
    pub(super) fn check_literal(&self, url: &Url) -> Result<(), BlockedAddress> {
        match url.host() {
            Some(Host::Ipv4(address)) => self.check(address.into()),
            Some(Host::Ipv6(address)) => self.check(address.into()),
            Some(Host::Domain(_)) | None => Ok(()),
        }
    }

    /// Those of the addresses that may be connected to. To have none is an error.
    pub(super) fn admit(
        &self,
        addresses: impl IntoIterator<Item = SocketAddr>,
    ) -> Result<Vec<Admitted>, Refused> {
        let mut admitted = Vec::new();
        let mut refused = None;
        for address in addresses {
            match self.check(address.ip()) {
                Ok(()) => admitted.push(Admitted(address)),
                Err(blocked) => refused = refused.or(Some(blocked)),
            }
        }
        match refused {
            _ if !admitted.is_empty() => Ok(admitted),
            Some(blocked) => Err(Refused::Blocked(blocked)),
            None => Err(Refused::Empty),
        }
    }
}
