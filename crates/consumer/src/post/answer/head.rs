//! The head of an answer: its status and those of its fields that mean something to us.

use std::time::Duration;

use super::Framing;
use super::chunks::{Chunks, quoted};

/// Left of a receiver's own limit when a connection is given up: a request is on its way for a while.
const MARGIN: Duration = Duration::from_secs(1);

/// The fields that are kept.
const KNOWN: [&str; 5] = [
    "content-length",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "retry-after",
];

/// A head that is on its way.
#[derive(Debug, Default)]
pub(super) struct Interim {
    /// The line so far, without its end.
    line: Vec<u8>,
    head: Option<Head>,
    /// Answers before the answer, such as `100 Continue`.
    earlier: usize,
}

/// A head that has arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) status: u16,
    version: Version,
    /// Names of [`KNOWN`].
    fields: Vec<(&'static str, String)>,
    /// It holds what no head should: read all the same, but its sender is not relied on.
    is_sloppy: bool,
    /// The last line was a field that is not kept.
    skipping: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    Http10,
    Http11,
    /// Nobody knows how such a receiver treats connections.
    Other,
}

impl Interim {
    /// Takes the head off `bytes`; none if it goes on.
    ///
    /// # Errors
    /// Says why this is no answer, quoting the line.
    pub(super) fn feed(&mut self, bytes: &mut &[u8]) -> Result<Option<Head>, String> {
        while let Some(end) = bytes.iter().position(|&byte| byte == b'\n') {
            self.line.extend_from_slice(&bytes[..end]);
            *bytes = &bytes[end + 1..];
            let mut line = std::mem::take(&mut self.line);
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            if let Some(head) = self.take(&line)? {
                return Ok(Some(head));
            }
        }
        self.line.extend_from_slice(bytes);
        *bytes = &[];
        Ok(None)
    }

    /// One line; the head, if this was its end.
    fn take(&mut self, line: &[u8]) -> Result<Option<Head>, String> {
        let Some(head) = &mut self.head else {
            // Some send a line end too much after an earlier answer.
            if !line.is_empty() {
                self.head = Some(Head::starting_with(line)?);
            }
            return Ok(None);
        };
        if !line.is_empty() {
            head.field(line);
            return Ok(None);
        }
        match self.head.take() {
            // 101 is the last that such a connection says in HTTP.
            Some(Head {
                status: 100 | 102..=199,
                ..
            }) => {
                self.earlier += 1;
                Ok(None)
            }
            head => Ok(head),
        }
    }

    /// The connection is at its end within the head: what it said, if that was no beginning of an answer.
    pub(super) fn closed(&self) -> Option<String> {
        match (&self.head, self.line.as_slice()) {
            (None, line) if !line.is_empty() && !begins_an_answer(line) => Some(no_answer(line)),
            _ => None,
        }
    }

    /// Where it has come to.
    pub(super) fn place(&self) -> String {
        match (&self.head, self.line.as_slice(), self.earlier) {
            (None, [], 0) => "no answer".to_owned(),
            (None, [], n) => format!("{n} interim answers and no final one"),
            (None, line, _) => format!("only {}", quoted(line)),
            (Some(head), [], _) => format!("status {} without the end of its head", head.status),
            (Some(head), line, _) => {
                format!("status {} without the end of {}", head.status, quoted(line))
            }
        }
    }
}

fn begins_an_answer(line: &[u8]) -> bool {
    let length = line.len().min(5);
    line[..length].eq_ignore_ascii_case(&b"HTTP/"[..length])
}

fn no_answer(line: &[u8]) -> String {
    format!("not an HTTP answer: {}", quoted(line))
}

impl Head {
    /// Reads a status line: `HTTP/1.1 200 OK`, the letters and the reason as they may be.
    fn starting_with(line: &[u8]) -> Result<Self, String> {
        let (version, status) = status_line(line).ok_or_else(|| no_answer(line))?;
        Ok(Self {
            status,
            version,
            fields: Vec::new(),
            is_sloppy: false,
            skipping: true,
        })
    }

    /// Reads one line of fields. A folded line belongs to the field before it; a space may stand before the colon; what is
    /// no field at all is passed over.
    fn field(&mut self, line: &[u8]) {
        if line[0] == b' ' || line[0] == b'\t' {
            self.is_sloppy = true;
            if let (false, Some((_, value))) = (self.skipping, self.fields.last_mut()) {
                value.push(' ');
                value.push_str(String::from_utf8_lossy(line).trim());
            }
            return;
        }
        self.skipping = true;
        let colon = line.iter().position(|&byte| byte == b':');
        let Some((name, value)) = colon.map(|colon| (&line[..colon], &line[colon + 1..])) else {
            self.is_sloppy = true;
            return;
        };
        let trimmed = name.trim_ascii_end();
        self.is_sloppy |= trimmed.len() < name.len() || !is_token(trimmed);
        let known = KNOWN
            .into_iter()
            .find(|known| known.as_bytes().eq_ignore_ascii_case(trimmed));
        if let Some(known) = known {
            self.skipping = false;
            let value = String::from_utf8_lossy(value).trim().to_owned();
            self.fields.push((known, value));
        }
    }

    pub(super) fn retry_after(&self) -> Option<&str> {
        self.values("retry-after").next()
    }

    fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        let of_name = self.fields.iter().filter(move |(known, _)| *known == name);
        of_name.map(|(_, value)| value.as_str())
    }

    /// The items of a field that is a list.
    fn items(&self, name: &str) -> impl Iterator<Item = &str> {
        self.values(name)
            .flat_map(|value| value.split(','))
            .map(str::trim)
    }

    fn says(&self, name: &str, item: &str) -> bool {
        self.items(name).any(|said| said.eq_ignore_ascii_case(item))
    }

    /// How the end of the body will be known (RFC 9112, section 6.3).
    pub(super) fn framing(&self) -> Result<Framing, String> {
        if matches!(self.status, 101 | 204 | 304) {
            return Ok(Framing::Length(0));
        }
        if let Some(last) = self.items("transfer-encoding").last() {
            return Ok(match last.eq_ignore_ascii_case("chunked") {
                true => Framing::Chunked(Chunks::default()),
                false if last.eq_ignore_ascii_case("identity") => self.length()?,
                false => Framing::UntilClose,
            });
        }
        self.length()
    }

    /// By `Content-Length`: once, or several times the same.
    fn length(&self) -> Result<Framing, String> {
        let mut lengths = self.items("content-length");
        let Some(first) = lengths.next() else {
            return Ok(Framing::UntilClose);
        };
        let is_number = !first.is_empty() && first.bytes().all(|byte| byte.is_ascii_digit());
        match first.parse() {
            Ok(length) if is_number && lengths.all(|other| other == first) => {
                Ok(Framing::Length(length))
            }
            _ => {
                let said = self.values("content-length").collect::<Vec<_>>().join(", ");
                Err(format!(
                    "its length is given as {}",
                    quoted(said.as_bytes())
                ))
            }
        }
    }

    /// How long the connection may be idle.
    pub(super) fn keep_for(&self, idle: Duration) -> Option<Duration> {
        let is_offered = match self.version {
            Version::Http11 => !self.says("connection", "close"),
            Version::Http10 => self.says("connection", "keep-alive"),
            Version::Other => false,
        };
        // Two ways to find its end are one too many to rely on.
        let is_ambiguous = self.items("transfer-encoding").next().is_some()
            && self.items("content-length").next().is_some();
        if !is_offered || self.is_sloppy || is_ambiguous || self.status == 101 {
            return None;
        }
        let parameters = self.items("keep-alive").flat_map(|item| item.split(';'));
        let timeouts = parameters.filter_map(|parameter| parameter.trim().split_once('='));
        let timeout_s = timeouts
            .filter(|(name, _)| name.trim().eq_ignore_ascii_case("timeout"))
            .find_map(|(_, value)| value.trim().trim_matches('"').parse().ok());
        Some(timeout_s.map_or(idle, |s| idle.min(within(Duration::from_secs(s)))))
    }
}

/// What of a receiver's limit can be used: all but a second of it, or half.
fn within(limit: Duration) -> Duration {
    limit.saturating_sub(MARGIN).max(limit / 2)
}

fn status_line(line: &[u8]) -> Option<(Version, u16)> {
    let (protocol, rest) = line.split_at_checked(b"HTTP/1.1".len())?;
    let version = match protocol {
        b"HTTP/1.1" => Version::Http11,
        b"HTTP/1.0" => Version::Http10,
        [name @ .., b'/', major, b'.', minor]
            if name.eq_ignore_ascii_case(b"HTTP")
                && major.is_ascii_digit()
                && minor.is_ascii_digit() =>
        {
            Version::Other
        }
        _ => return None,
    };
    let after_space = rest.trim_ascii_start();
    if after_space.len() == rest.len() {
        return None;
    }
    let (status, reason) = after_space.split_at_checked(3)?;
    let is_ended = matches!(reason, [] | [b' ' | b'\t', ..]);
    let is_number = status.iter().all(u8::is_ascii_digit);
    let status: u16 = std::str::from_utf8(status).ok()?.parse().ok()?;
    (is_ended && is_number && status >= 100).then_some((version, status))
}

/// Whether this can be the name of a field (RFC 9110, section 5.6.2).
pub(in crate::post) fn is_token(name: &[u8]) -> bool {
    let is_tchar = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !name.is_empty() && name.iter().all(is_tchar)
}
