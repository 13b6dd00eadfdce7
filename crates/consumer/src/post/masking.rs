//! Secrets that a receiver sends back must not be kept: they are found however they are escaped, and masked.

use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use delivery::Authentication;
use url::Url;

use super::Request;

/// What stands in a secret's place.
const MASK: &[u8] = b"***";

/// Shorter values of a query are no secrets, and occur everywhere.
const SHORTEST: usize = 4;

/// Fewer characters of base64 are found by chance.
const SHORTEST_BASE64: usize = 6;

/// The longest sequence that stands for one character, so that no text is read without end.
const LONGEST_ESCAPE: usize = 32;

/// The secrets of one request, unescaped; the longest first, since one may be a part of another.
pub(super) struct Secrets(Vec<Vec<u8>>);

impl Secrets {
    /// What proves who sends, and the values of the URL's query.
    pub(super) fn of(request: &Request) -> Self {
        let headers = request.headers.iter().filter(|(name, value)| {
            let mut known = Authentication::HEADERS.iter();
            known.any(|known| known.eq_ignore_ascii_case(name)) && !value.is_empty()
        });
        let mut secrets: Vec<Vec<u8>> = headers.map(|(_, value)| value.clone().into()).collect();
        secrets.extend(query_values(&request.url).filter(|value| value.len() >= SHORTEST));
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets.dedup();
        Self(secrets)
    }

    /// The text with every secret masked.
    pub(super) fn masked(&self, text: &[u8]) -> Vec<u8> {
        // No form of a secret is shorter, but for what is around its base64. Most answers are shorter than that.
        let shortest = self.0.last().map_or(usize::MAX, Vec::len);
        if text.len().saturating_add(2) < shortest {
            return text.to_vec();
        }
        let base64: Vec<String> = self.0.iter().flat_map(|secret| base64_of(secret)).collect();
        let mut masked = Vec::with_capacity(text.len());
        let mut at = 0;
        while at < text.len() {
            match self.at_start_of(&text[at..], &base64) {
                Some(length) => {
                    masked.extend_from_slice(MASK);
                    at += length;
                }
                None => {
                    masked.push(text[at]);
                    at += 1;
                }
            }
        }
        masked
    }

    /// How long the secret is with which the text begins, if it begins with one.
    fn at_start_of(&self, text: &[u8], base64: &[String]) -> Option<usize> {
        let escaped = |secret: &Vec<u8>| escaped_length(text, secret);
        let encoded = |core: &String| text.starts_with(core.as_bytes()).then_some(core.len());
        let plain = self.0.iter().find_map(escaped);
        plain.or_else(|| base64.iter().find_map(encoded))
    }
}

/// What may be secret in a query: the values, and what has no name. Unescaped.
fn query_values(url: &Url) -> impl Iterator<Item = Vec<u8>> {
    let parts = url.query().unwrap_or_default().split('&');
    parts.map(|part| {
        let value = part.split_once('=').map_or(part, |(_, value)| value);
        percent_encoding::percent_decode_str(value).collect()
    })
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
    let mut cores: Vec<String> = cores
        .flatten()
        .filter(|core| core.len() >= SHORTEST_BASE64)
        .collect();
    cores.sort_by_key(|core| std::cmp::Reverse(core.len()));
    cores.dedup();
    cores
}

/// How much of the text is this secret, each of its characters as it is or escaped in any way, in any case of letters.
/// None if the text begins otherwise.
fn escaped_length(text: &[u8], secret: &[u8]) -> Option<usize> {
    let (first, meant) = (text.first()?, secret.first()?);
    if !first.eq_ignore_ascii_case(meant) && !ESCAPES.contains(first) {
        return None;
    }
    // Places in the text and in the secret up to which they are the same.
    let mut places = vec![(0, 0)];
    let mut seen = HashSet::new();
    while let Some((at, of)) = places.pop() {
        let Some(meant) = secret.get(of) else {
            return Some(at);
        };
        if !seen.insert((at, of)) {
            continue;
        }
        let text = &text[at..];
        if text
            .first()
            .is_some_and(|byte| byte.eq_ignore_ascii_case(meant))
        {
            places.push((at + 1, of + 1));
        }
        let fitting = escapes(text).into_iter().filter(|escape| {
            let start = secret[of..].get(..escape.meant.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(&escape.meant))
        });
        places.extend(fitting.map(|escape| (at + escape.length, of + escape.meant.len())));
    }
    None
}

/// What begins an escape.
const ESCAPES: &[u8] = b"\\%&+";

/// A part of a text that stands for something else.
struct Escape {
    meant: Vec<u8>,
    length: usize,
}

/// What the start of the text may stand for, if it is an escape of JSON (`\/`, `\u0022`), of URLs (`%22`, `+`) or of HTML
/// (`&quot;`, `&#34;`, `&#x22;`), once or several times over.
fn escapes(text: &[u8]) -> Vec<Escape> {
    let text = &text[..text.len().min(LONGEST_ESCAPE)];
    match text.first() {
        Some(b'\\') => backslash(text),
        Some(b'%') => percent(text),
        Some(b'&') => entity(text),
        Some(b'+') => vec![Escape::of(b' ', 1)],
        _ => Vec::new(),
    }
}

impl Escape {
    fn of(byte: u8, length: usize) -> Self {
        let meant = vec![byte];
        Self { meant, length }
    }

    fn of_char(char: char, length: usize) -> Self {
        let meant = char.to_string().into();
        Self { meant, length }
    }
}

fn backslash(text: &[u8]) -> Vec<Escape> {
    let slashes = slashes(text);
    let byte = |byte| Some(Escape::of(byte, slashes + 1));
    let after = match text.get(slashes) {
        Some(b'u') => unicode(text, slashes),
        Some(b'n') => byte(b'\n'),
        Some(b'r') => byte(b'\r'),
        Some(b't') => byte(b'\t'),
        Some(b'b') => byte(8),
        Some(b'f') => byte(12),
        Some(&other @ (b'"' | b'\'' | b'/')) => byte(other),
        _ => None,
    };
    let themselves = (2..=slashes).map(|length| Escape::of(b'\\', length));
    themselves.chain(after).collect()
}

fn slashes(text: &[u8]) -> usize {
    text.iter().take_while(|&&byte| byte == b'\\').count()
}

/// `\u00e9`, or two of them for what is beyond the first plane.
fn unicode(text: &[u8], slashes_before: usize) -> Option<Escape> {
    let unit = |at: usize| {
        let digits = std::str::from_utf8(text.get(at..at + 4)?).ok()?;
        u16::from_str_radix(digits, 16).ok()
    };
    let first = unit(slashes_before + 1)?;
    let end = slashes_before + 5;
    if !(0xD800..0xDC00).contains(&first) {
        return Some(Escape::of_char(char::from_u32(first.into())?, end));
    }
    let second = end + slashes(&text[end..]);
    let units = [first, unit(second + 1)?];
    let char = char::decode_utf16(units).next()?.ok()?;
    Some(Escape::of_char(char, second + 5))
}

fn percent(text: &[u8]) -> Vec<Escape> {
    let mut found = Vec::new();
    let mut at = 1;
    while text.get(at..at + 2) == Some(b"25") {
        at += 2;
        found.push(Escape::of(b'%', at));
    }
    let digits = text
        .get(at..at + 2)
        .and_then(|digits| std::str::from_utf8(digits).ok());
    let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
    found.extend(byte.map(|byte| Escape::of(byte, at + 2)));
    found
}

fn entity(text: &[u8]) -> Vec<Escape> {
    let mut found = Vec::new();
    let mut at = 1;
    while text.get(at..at + 4) == Some(b"amp;") {
        at += 4;
        found.push(Escape::of(b'&', at));
    }
    let end = text[at..].iter().position(|&byte| byte == b';');
    let name = end.and_then(|end| std::str::from_utf8(&text[at..at + end]).ok());
    let char = match name {
        Some("lt") => Some('<'),
        Some("gt") => Some('>'),
        Some("quot") => Some('"'),
        Some("apos") => Some('\''),
        Some("nbsp") => Some('\u{A0}'),
        Some(name) => number(name),
        None => None,
    };
    found.extend(char.map(|char| Escape::of_char(char, at + name.map_or(0, str::len) + 1)));
    found
}

fn number(name: &str) -> Option<char> {
    let number = name.strip_prefix('#')?;
    let code = match number.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => number.parse(),
    };
    char::from_u32(code.ok()?)
}

#[cfg(test)]
mod tests;
