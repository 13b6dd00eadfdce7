//! Which requests are listened to at all: those that name us, and changes that our own pages ask for.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use axum::http::HeaderMap;
use axum::http::header::{HOST, ORIGIN};

/// Says whether the `Host` of a request is this machine, by a name that no DNS server can point here.
pub(super) fn names_loopback(headers: &HeaderMap) -> bool {
    let Some(host) = text(headers, HOST.as_str()).map(without_port) else {
        return false;
    };
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let address: Option<IpAddr> = match bare {
        Some(six) => six.parse::<Ipv6Addr>().ok().map(IpAddr::from),
        None => host.parse::<Ipv4Addr>().ok().map(IpAddr::from),
    };
    host == "localhost" || address.is_some_and(|address| address.to_canonical().is_loopback())
}

/// The port at which the request was asked for, if its `Host` names one.
pub(super) fn port(headers: &HeaderMap) -> Option<u16> {
    let (_, port) = text(headers, HOST.as_str())?.rsplit_once(':')?;
    port.parse().ok()
}

/// Says whether a proxy passed the request on.
pub(super) fn was_forwarded(headers: &HeaderMap) -> bool {
    let names = [
        "forwarded",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
    ];
    names.iter().any(|name| headers.contains_key(*name))
}

/// Says whether the browser came over https, as the proxy before us tells.
pub(super) fn is_https(headers: &HeaderMap) -> bool {
    text(headers, "x-forwarded-proto").is_some_and(|proto| proto.eq_ignore_ascii_case("https"))
}

/// Says whether another site made the browser send this.
pub(super) fn is_cross_site(headers: &HeaderMap) -> bool {
    matches!(
        text(headers, "sec-fetch-site"),
        Some("cross-site" | "same-site")
    )
}

/// Says whether a change was asked for by a page of ours, as far as the browser tells. Old browsers, and all of
/// them over plain http to another machine, tell nothing: the token in the form decides then.
pub(super) fn is_from_our_page(headers: &HeaderMap) -> bool {
    if let Some(site) = text(headers, "sec-fetch-site") {
        return site == "same-origin";
    }
    match text(headers, ORIGIN.as_str()) {
        // What our Referrer-Policy makes browsers say of our own forms.
        None | Some("null") => true,
        Some(origin) => {
            let authority = origin.split_once("://").map(|(_, authority)| authority);
            let host = text(headers, "x-forwarded-host").or(text(headers, HOST.as_str()));
            authority.is_some() && authority == host
        }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
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

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter().map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        });
        pairs.collect()
    }

    #[test]
    fn only_names_of_this_machine_are_answered_on_loopback() {
        for ours in [
            "localhost",
            "localhost:9465",
            "127.0.0.1:9465",
            "[::1]:9465",
            "[::1]",
        ] {
            assert!(names_loopback(&headers(&[("host", ours)])), "{ours}");
        }
        for other in [
            "evil.example:9465",
            "localhost.evil.example",
            "127.0.0.1.nip.io",
            "",
            "::1",
        ] {
            assert!(!names_loopback(&headers(&[("host", other)])), "{other}");
        }
        assert!(!names_loopback(&headers(&[])));
    }

    #[test]
    fn a_change_that_another_site_asks_for_is_refused() {
        for ours in [
            &[("sec-fetch-site", "same-origin"), ("origin", "null")][..],
            &[
                ("origin", "http://localhost:9465"),
                ("host", "localhost:9465"),
            ],
            &[
                ("origin", "https://a.example"),
                ("host", "x"),
                ("x-forwarded-host", "a.example"),
            ],
            &[("origin", "null")],
            &[],
        ] {
            assert!(is_from_our_page(&headers(ours)), "{ours:?}");
        }
        for other in [
            &[("sec-fetch-site", "cross-site")][..],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "none")],
            &[
                ("origin", "http://evil.example"),
                ("host", "localhost:9465"),
            ],
            &[("origin", "http://localhost:1"), ("host", "localhost:9465")],
            &[("origin", "garbage"), ("host", "garbage")],
        ] {
            assert!(!is_from_our_page(&headers(other)), "{other:?}");
        }
    }
}
