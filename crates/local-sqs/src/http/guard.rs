//! Which requests are listened to: not those of a browser. Any page of any site can make one send, and nothing here
//! asks for credentials.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri, header};

/// Says why a request is refused, if it is. `on_loopback`: whether only this machine can connect.
pub(super) fn refusal(headers: &HeaderMap, uri: &Uri, on_loopback: bool) -> Option<&'static str> {
    if is_from_a_browser(headers) {
        return Some("local-sqs answers no browsers: any web page could write to its queues\n");
    }
    // A name that strangers' DNS points here: the browser takes us for their site.
    if on_loopback && !is_this_machine(headers, uri) {
        return Some(
            "local-sqs listens on this machine only: ask for it by address, or as localhost\n",
        );
    }
    None
}

/// Browsers send `Origin` with every POST, and pages cannot take it off; no AWS client sends either of these
/// ([Fetch metadata](https://www.w3.org/TR/fetch-metadata/)).
fn is_from_a_browser(headers: &HeaderMap) -> bool {
    let mut names = headers.keys().map(header::HeaderName::as_str);
    names.any(|name| name == "origin" || name.starts_with("sec-fetch-"))
}

/// Says whether the request names us in a way that no public DNS can: an address, `localhost`, or a name without a dot
/// (a host of this machine's own table, a container). HTTP/1.0 may name nobody.
fn is_this_machine(headers: &HeaderMap, uri: &Uri) -> bool {
    let named = headers.get_all(header::HOST).iter();
    let named = named.map(|host| host.to_str().unwrap_or("not.text"));
    let named: Vec<_> = named
        .chain(uri.authority().map(Authority::as_str))
        .collect();
    named.into_iter().all(is_local_name)
}

fn is_local_name(authority: &str) -> bool {
    let host = without_port(authority);
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let address: Option<IpAddr> = match bare {
        Some(six) => six.parse::<Ipv6Addr>().ok().map(IpAddr::from),
        None => host.parse::<Ipv4Addr>().ok().map(IpAddr::from),
    };
    let host = host.to_ascii_lowercase();
    // A name may end with the root's dot. An address may not, so that what ends so is a name.
    let host = host.strip_suffix('.').unwrap_or(&host);
    address.is_some() || !host.contains('.') || host.ends_with(".localhost")
}

fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn refused(pairs: &[(&'static str, &'static str)], uri: &str, on_loopback: bool) -> bool {
        let pairs = pairs.iter().map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        });
        refusal(&pairs.collect(), &uri.parse().unwrap(), on_loopback).is_some()
    }

    #[test]
    fn whatever_a_browser_sends_is_refused_wherever_we_listen() {
        for header in [
            ("origin", "https://evil.example"),
            ("origin", "http://127.0.0.1:9324"),
            ("origin", "null"),
            ("origin", ""),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-origin"),
            ("sec-fetch-site", "none"),
            ("sec-fetch-mode", "no-cors"),
        ] {
            for on_loopback in [true, false] {
                let headers = [("host", "127.0.0.1:9324"), header];
                assert!(refused(&headers, "/", on_loopback), "{header:?}");
            }
        }
    }

    #[test]
    fn a_name_that_a_stranger_can_point_here_is_no_name_of_this_machine() {
        for ours in [
            "127.0.0.1:9324",
            "127.0.0.1",
            "[::1]:9324",
            "localhost:9324",
            "LOCALHOST",
            "localhost.:9324",
            "sqs.localhost.",
            "sqs.localhost:9324",
            "local-sqs:9324",
        ] {
            assert!(!refused(&[("host", ours)], "/", true), "{ours}");
        }
        assert!(!refused(&[], "/", true));
        for other in [
            "rebound.evil.example:9324",
            "127.0.0.1.nip.io",
            "localhost.evil.example",
            "evil.example.",
            "127.0.0.1.",
        ] {
            assert!(refused(&[("host", other)], "/", true), "{other}");
            let twice = [("host", "127.0.0.1"), ("host", other)];
            assert!(refused(&twice, "/", true), "{other}");
            let absolute = format!("http://{other}/");
            assert!(
                refused(&[("host", "127.0.0.1")], &absolute, true),
                "{other}"
            );
            // What others can reach has the names that others gave it.
            assert!(!refused(&[("host", other)], "/", false), "{other}");
        }
    }
}
