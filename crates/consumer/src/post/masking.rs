//! Secrets that a receiver sends back must not be kept: they are found however they are escaped, and masked.

mod escapes;

use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use delivery::Authentication;
use url::Url;

use super::Request;
use escapes::{ESCAPES, LONGEST_OPEN, escapes};

/// What stands in a secret's place.
const MASK: &[u8] = b"***";

/// Shorter values of a query are no secrets, and occur everywhere.
const SHORTEST: usize = 4;

/// Fewer characters of base64 or hexadecimal digits are found by chance.
const SHORTEST_ENCODED: usize = 6;

/// A shorter part of a header's value is no digest.
const SHORTEST_PART: usize = 16;

/// Fewer characters of a secret, where a text was cut off in it, are no secret.
const SHORTEST_START: usize = 4;

/// The secrets of one request, unescaped; the longest first, since one may be a part of another.
#[derive(Default)]
pub(super) struct Secrets(Vec<Vec<u8>>);

/// What a text begins with.
enum Found {
    /// A secret of this length, as it is written there.
    Whole(usize),
    /// The start of a secret, then the text is over.
    Start,
}

impl Secrets {
    /// What proves who sends, and the values of the URL's query.
    pub(super) fn of(request: &Request) -> Self {
        let headers = request.headers.iter().filter(|(name, value)| {
            let mut known = Authentication::HEADERS.iter();
            known.any(|known| known.eq_ignore_ascii_case(name)) && !value.is_empty()
        });
        let mut plain: Vec<Vec<u8>> = headers
            .flat_map(|(_, value)| with_its_parts(value))
            .collect();
        plain.extend(query_values(&request.url).filter(|value| value.len() >= SHORTEST));
        Self(longest_first(plain))
    }

    /// What base64 and hexadecimal digits make of them.
    fn encoded(&self) -> Vec<String> {
        let encoded = self.0.iter().flat_map(|secret| {
            let hex = hex_of(secret);
            let encoded = base64_of(secret).into_iter().chain(hex);
            encoded.filter(|text| text.len() >= SHORTEST_ENCODED)
        });
        longest_first(encoded.collect())
    }

    /// The text with every secret masked. `is_cut` says that the text went on: then it may end in the midst of a secret,
    /// and what it has of it is masked too.
    pub(super) fn masked(&self, text: &[u8], is_cut: bool) -> Vec<u8> {
        // No form of a secret is shorter, but for what is around its base64. Most answers are shorter than that.
        let shortest = self.0.last().map_or(usize::MAX, Vec::len);
        let shortest = if is_cut { SHORTEST_START } else { shortest };
        if text.len().saturating_add(2) < shortest {
            return text.to_vec();
        }
        let encoded = self.encoded();
        let mut masked = Vec::with_capacity(text.len());
        let mut at = 0;
        while at < text.len() {
            match self.at_start_of(&text[at..], &encoded, is_cut) {
                Some(Found::Whole(length)) => {
                    masked.extend_from_slice(MASK);
                    at += length;
                }
                Some(Found::Start) => {
                    masked.extend_from_slice(MASK);
                    break;
                }
                None => {
                    masked.push(text[at]);
                    at += 1;
                }
            }
        }
        masked
    }

    /// The secret with which the text begins, if it begins with one.
    fn at_start_of(&self, text: &[u8], encoded: &[String], is_cut: bool) -> Option<Found> {
        let mut start = None;
        let plain = self.0.iter().filter_map(|secret| starts(text, secret));
        let encoded = encoded.iter().map(String::as_bytes);
        for found in plain.chain(encoded.filter_map(|encoded| starts_encoded(text, encoded))) {
            match found {
                Found::Whole(_) => return Some(found),
                Found::Start => start = Some(found),
            }
        }
        start.filter(|_| is_cut && text.len() >= SHORTEST_START)
    }
}

fn longest_first<T: AsRef<[u8]> + Ord>(mut texts: Vec<T>) -> Vec<T> {
    texts.sort();
    texts.dedup();
    texts.sort_by_key(|text| std::cmp::Reverse(text.as_ref().len()));
    texts
}

/// A header's value, and what stands in it behind the names of methods: of `sha256=…` and `v1,… v1,…` the digests are
/// as secret without them.
fn with_its_parts(value: &str) -> Vec<Vec<u8>> {
    let parts = value.split([' ', ',']);
    let parts = parts.map(|part| part.strip_prefix("sha256=").unwrap_or(part));
    let parts = parts.filter(|part| part.len() >= SHORTEST_PART);
    std::iter::once(value)
        .chain(parts)
        .map(|text| text.as_bytes().to_vec())
        .collect()
}

/// What may be secret in a query: the values, and what has no name. Unescaped, in each way in which a receiver may read
/// it: `;` may separate like `&`, and `+` may be a space.
fn query_values(url: &Url) -> impl Iterator<Item = Vec<u8>> {
    let parts = url.query().unwrap_or_default().split('&');
    let parts = parts.flat_map(|part| {
        let pieces = part.split(';').filter(move |_| part.contains(';'));
        std::iter::once(part).chain(pieces)
    });
    parts.flat_map(|part| {
        let value = part.split_once('=').map_or(part, |(_, value)| value);
        let unescaped = |value: &str| percent_encoding::percent_decode_str(value).collect();
        let spaced = value.contains('+').then(|| value.replace('+', " "));
        [Some(unescaped(value)), spaced.as_deref().map(unescaped)]
            .into_iter()
            .flatten()
    })
}

fn hex_of(secret: &[u8]) -> [String; 2] {
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    [hex.to_ascii_uppercase(), hex]
}

/// The characters of a secret's base64 that depend on nothing else, for each of the three places at which it can begin
/// in what is encoded.
fn base64_of(secret: &[u8]) -> Vec<String> {
    let cores = (0..3).flat_map(|before| {
        let text = [&vec![0; before], secret].concat();
        // The first characters hold bits of what is before it, and the last one of what is behind.
        let start = (before * 8).div_ceil(6);
        let end = text.len() * 8 / 6;
        let core = |encoded: String| encoded.get(start..end).map(str::to_owned);
        [STANDARD_NO_PAD.encode(&text), URL_SAFE_NO_PAD.encode(&text)].map(core)
    });
    cores.flatten().collect()
}

/// Whether the text begins with this, or ends in it.
fn starts_encoded(text: &[u8], encoded: &[u8]) -> Option<Found> {
    if text.starts_with(encoded) {
        Some(Found::Whole(encoded.len()))
    } else {
        encoded.starts_with(text).then_some(Found::Start)
    }
}

/// Whether the text begins with this secret, or ends in it: each of its characters as it is or escaped in any way, in any
/// case of letters.
fn starts(text: &[u8], secret: &[u8]) -> Option<Found> {
    let (first, meant) = (text.first()?, secret.first()?);
    if !first.eq_ignore_ascii_case(meant) && !ESCAPES.contains(first) {
        return None;
    }
    // Places in the text and in the secret up to which they are the same.
    let mut places = vec![(0, 0)];
    let mut seen = HashSet::new();
    let mut found = None;
    while let Some((at, of)) = places.pop() {
        let Some(meant) = secret.get(of) else {
            return Some(Found::Whole(at));
        };
        if !seen.insert((at, of)) {
            continue;
        }
        let rest = &text[at..];
        let Some(byte) = rest.first() else {
            found = Some(Found::Start);
            continue;
        };
        // An escape may be cut off as well.
        if of > 0 && ESCAPES.contains(byte) && rest.len() < LONGEST_OPEN {
            found = Some(Found::Start);
        }
        if byte.eq_ignore_ascii_case(meant) {
            places.push((at + 1, of + 1));
        }
        let fitting = escapes(rest).into_iter().filter(|escape| {
            let start = secret[of..].get(..escape.meant.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(&escape.meant))
        });
        places.extend(fitting.map(|escape| (at + escape.length, of + escape.meant.len())));
    }
    found
}

#[cfg(test)]
mod tests;
