//! Where no request goes.

use std::net::{IpAddr, SocketAddr};
use std::process::Command;

use super::*;
use crate::post::guard::{Admitted, REFUSED, Range, Refused};

fn strict() -> Guard {
    Guard::new([])
}

fn allowing(network: &str) -> Guard {
    Guard::new([network.parse().unwrap()])
}

fn ip(address: &str) -> IpAddr {
    address.parse().unwrap()
}

#[test]
fn every_range_is_refused_from_its_first_address_to_its_last_and_says_why() {
    for Range {
        network,
        what,
        source,
    } in REFUSED
    {
        for address in [network.network(), network.broadcast()] {
            let blocked = strict().check(address).unwrap_err().to_string();
            assert!(
                blocked.contains(&address.to_string()),
                "{network}: {blocked}"
            );
        }
        let first = network.network();
        let blocked = strict().check(first).unwrap_err().to_string();
        let named = blocked.contains(what) && blocked.contains(source);
        // Only ranges that lie across narrower ones of the table begin with an address of another row.
        let covers = REFUSED.iter().any(|other| {
            other.network != *network
                && network.contains(&other.network)
                && other.network.contains(&first)
        });
        assert!(named || covers, "{network}: {blocked}");
    }
}

#[test]
fn no_range_is_hidden_by_one_before_it() {
    for (n, Range { network, .. }) in REFUSED.iter().enumerate() {
        for earlier in &REFUSED[..n] {
            assert!(
                !earlier.network.contains(network),
                "{network} can never be named after {}",
                earlier.network
            );
        }
    }
}

#[test]
fn addresses_that_are_not_public_are_refused() {
    for address in [
        "0.0.0.0",
        "0.1.2.3",
        "10.1.2.3",
        "100.64.0.1",
        "100.100.100.200",
        "127.0.0.1",
        "127.255.255.254",
        "168.63.129.16",
        "169.254.0.1",
        "169.254.169.254",
        "169.254.170.2",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.192",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.19.255.255",
        "198.51.100.7",
        "203.0.113.9",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::8.8.8.8",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:0:127.0.0.1",
        "64:ff9b::127.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b:1::8.8.8.8",
        "100::1",
        "100:0:0:1::1",
        "2001:0:102:304::1",
        "2001:2::1",
        "2001:10::1",
        "2001:20::1",
        "2001:1ff::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:808:808::1",
        "3fff:fff::1",
        "4000::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fd20:ce::254",
        "fe80::1",
        "fec0::1",
        "ff02::1",
    ] {
        assert!(strict().check(ip(address)).is_err(), "{address}");
    }
}

#[test]
fn public_addresses_pass() {
    for address in [
        "1.1.1.1",
        "8.8.8.8",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "168.63.129.15",
        "169.253.255.255",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.0",
        "192.167.255.255",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "2001:200::1",
        "2001:4860:4860::8888",
        "2600:9000::1",
        "2606:4700:4700::1111",
        "2a00:1450:4001::1",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
    ] {
        assert!(strict().check(ip(address)).is_ok(), "{address}");
    }
}

#[test]
fn a_listed_network_passes_and_nothing_beside_it() {
    let guard = allowing("10.1.0.0/16");
    for address in [
        "10.1.0.0",
        "10.1.255.255",
        "::ffff:10.1.2.3",
        "64:ff9b::10.1.2.3",
        "8.8.8.8",
    ] {
        assert!(guard.check(ip(address)).is_ok(), "{address}");
    }
    for address in [
        "10.2.0.0",
        "10.0.255.255",
        "::ffff:10.2.0.0",
        "::10.1.2.3",
        "2002:a01:203::",
        "::1",
    ] {
        assert!(guard.check(ip(address)).is_err(), "{address}");
    }
}

#[test]
fn an_ipv4_network_may_be_listed_in_its_mapped_form() {
    let guard = allowing("::ffff:10.1.0.0/112");
    assert!(guard.check(ip("10.1.2.3")).is_ok());
    assert!(guard.check(ip("::ffff:10.1.2.3")).is_ok());
    assert!(guard.check(ip("10.2.2.3")).is_err());
}

#[test]
fn to_list_all_of_ipv6_is_not_to_list_what_it_maps_to() {
    let guard = allowing("::/0");
    assert!(guard.check(ip("fd00::1")).is_ok());
    assert!(guard.check(ip("::ffff:127.0.0.1")).is_err());
    assert!(guard.check(ip("127.0.0.1")).is_err());
}

fn sockets(addresses: &[&str]) -> Vec<SocketAddr> {
    addresses
        .iter()
        .map(|address| SocketAddr::new(ip(address), 443))
        .collect()
}

#[test]
fn of_a_name_with_addresses_of_both_kinds_only_the_public_ones_are_used() {
    let mixed = sockets(&["127.0.0.1", "8.8.8.8", "fe80::1", "2606:4700:4700::1111"]);
    let admitted = strict().admit(mixed).unwrap();
    let admitted: Vec<SocketAddr> = admitted.iter().map(Admitted::address).collect();
    assert_eq!(admitted, sockets(&["8.8.8.8", "2606:4700:4700::1111"]));
}

#[test]
fn a_name_with_refused_addresses_alone_or_with_none_is_refused() {
    let blocked = strict().admit(sockets(&["127.0.0.1", "::1"])).unwrap_err();
    assert!(matches!(blocked, Refused::Blocked(_)));
    let empty = strict().admit([]).unwrap_err();
    assert!(matches!(empty, Refused::Empty));
}

/// Spellings of this machine's own address that have been used to get past guards.
const LOOPBACK: [&str; 17] = [
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "0x7f.1",
    "0x7f000001",
    "0177.0.0.01",
    "2130706433",
    "017700000001",
    "127.0.0.1.",
    "%31%32%37.0.0.1",
    "１２７.０.０.１",
    "127。0。0。1",
    "0",
    "[::1]",
    "[::]",
    "[::ffff:7f00:1]",
    "[0:0:0:0:0:ffff:127.0.0.1]",
];

#[tokio::test]
async fn loopback_is_refused_however_it_is_spelled() {
    let (receiver, _) = Receiver::recording().await;
    let post = HttpPost::new(EndpointPolicy {
        allow_http: true,
        ..EndpointPolicy::default()
    })
    .unwrap();
    let port = receiver.address.port();
    let names = ["localhost", "LOCALHOST"];
    for host in LOOPBACK.into_iter().chain(names) {
        let failure = failing(&post, &format!("http://{host}:{port}/"), AMPLE).await;
        assert_eq!(
            failure.kind,
            FailureKind::BlockedAddress,
            "{host}: {}",
            failure.detail
        );
    }
    assert_eq!(receiver.accepts(), 0);
}

#[tokio::test]
async fn an_allowed_name_is_reached() {
    let (receiver, _) = Receiver::recording().await;
    let url = format!("http://localhost:{}/", receiver.address.port());
    assert_eq!(answer(&local_post(), &url).await.status, 200);
}

#[tokio::test]
async fn plain_http_is_refused_unless_allowed() {
    let (receiver, _) = Receiver::recording().await;
    let post = HttpPost::new(EndpointPolicy {
        allow_http: false,
        ..local()
    })
    .unwrap();
    let failure = failing(&post, &receiver.url(), AMPLE).await;
    assert_eq!(failure.kind, FailureKind::BlockedAddress);
    assert!(
        failure.detail.contains("endpoint.allow_http"),
        "{}",
        failure.detail
    );
    assert_eq!(receiver.accepts(), 0);
}

#[tokio::test]
async fn other_schemes_are_refused() {
    for url in [
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
    ] {
        let kind = kind_of_failure(&local_post(), url, AMPLE).await;
        assert_eq!(kind, FailureKind::Protocol, "{url}");
    }
}

/// Says to a second run of the proxy test where to post to.
const CHILD: &str = "HOOKLANE_TEST_POST_TO";

/// The environment of a running process is not to be changed, so this test runs itself in one of its own.
#[tokio::test]
async fn a_proxy_in_the_environment_is_ignored() {
    if let Ok(url) = std::env::var(CHILD) {
        assert_eq!(answer(&local_post(), &url).await.status, 200);
        return;
    }
    let (receiver, _) = Receiver::recording().await;
    let (proxy, _) = Receiver::recording().await;
    let mut child = Command::new(std::env::current_exe().unwrap());
    let test = "post::tests::guarding::a_proxy_in_the_environment_is_ignored";
    child.args([test, "--exact"]).env(CHILD, receiver.url());
    for name in [
        "http_proxy",
        "HTTP_PROXY",
        "https_proxy",
        "HTTPS_PROXY",
        "all_proxy",
        "ALL_PROXY",
    ] {
        child.env(name, proxy.url());
    }
    for name in ["no_proxy", "NO_PROXY"] {
        child.env_remove(name);
    }
    let output = tokio::task::spawn_blocking(move || child.output().unwrap());
    let output = output.await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}"
    );
    assert_eq!((receiver.accepts(), proxy.accepts()), (1, 0));
}
