//! What an answer says: pure.
//!
//! A status whose head has arrived is believed, whatever becomes of the body.

use std::time::{Duration, SystemTime};

use delivery::EXCERPT_CHARS;
use http::header::{CONNECTION, HeaderName, RETRY_AFTER};
use httparse::{EMPTY_HEADER, ParserConfig, Status};

use super::masking::Secrets;
use super::retry_after::retry_after;

/// At most this much of a body is read. A connection with more to come is closed.
pub(super) const BODY_BYTES: usize = 64 * 1024;

/// What is kept of it: twice what an excerpt can need.
const KEPT_BYTES: usize = EXCERPT_CHARS * 4 * 2;

/// Left of a receiver's own limit when a connection is given up: a request is on its way for a while.
const MARGIN: Duration = Duration::from_secs(1);

/// So much of a stranger's line is quoted.
const QUOTED_BYTES: usize = 80;

/// So many fields are looked through for the one that cannot be read.
const FIELDS: usize = 128;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");

/// An answer whose head has arrived.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answered {
    pub(super) status: u16,
    retry_after: Option<String>,
    /// How long the receiver keeps an idle connection.
    limit: Option<Duration>,
    /// Whether it says that it closes the connection.
    closes: bool,
    data: usize,
    kept: Vec<u8>,
    body: Body,
}

/// What became of a body.
#[derive(Debug, PartialEq, Eq)]
enum Body {
    /// More is to come.
    Coming,
    /// It arrived whole.
    Whole,
    /// Its first [`BODY_BYTES`] arrived; the rest is not wanted.
    Enough,
    /// It did not: the text says what happened.
    Spoilt(String),
}

impl Answered {
    pub(super) fn new(head: &http::response::Parts) -> Self {
        let text = |name| {
            let values = head.headers.get_all(name).into_iter();
            values.filter_map(|value| std::str::from_utf8(value.as_bytes()).ok())
        };
        Self {
            retry_after: text(RETRY_AFTER).next().map(str::to_owned),
            limit: text(KEEP_ALIVE).find_map(idle_limit),
            closes: text(CONNECTION).any(|value| lists(value, "close")),
            ..Self::of_status(head.status.as_u16())
        }
    }

    /// A status of which nothing else is known.
    fn of_status(status: u16) -> Self {
        Self {
            status,
            retry_after: None,
            limit: None,
            closes: false,
            data: 0,
            kept: Vec::new(),
            body: Body::Coming,
        }
    }

    /// Whether the receiver says with it that it has waited long enough for a request, and closes the connection.
    pub(super) fn is_farewell(&self) -> bool {
        self.status == 408 && self.closes
    }

    pub(super) fn wants_more(&self) -> bool {
        self.body == Body::Coming
    }

    /// More of the body has come.
    pub(super) fn take(&mut self, data: &[u8]) {
        self.data += data.len();
        let room = KEPT_BYTES - self.kept.len();
        self.kept.extend_from_slice(&data[..data.len().min(room)]);
        if self.data >= BODY_BYTES {
            self.body = Body::Enough;
        }
    }

    /// The body is over.
    pub(super) fn end(&mut self) {
        self.body = Body::Whole;
    }

    /// No more of it will come, for this reason.
    pub(super) fn spoil(&mut self, why: &str) {
        if self.wants_more() {
            self.body = Body::Spoilt(why.to_owned());
        }
    }

    /// How long the connection may be kept for another request, as far as the answer says; `idle` at most. None if it may
    /// not.
    pub(super) fn keep_for(&self, idle: Duration) -> Option<Duration> {
        let idle = self.limit.map_or(idle, |limit| idle.min(within(limit)));
        (self.body == Body::Whole && !idle.is_zero()).then_some(idle)
    }

    pub(super) fn retry_after(&self, now: SystemTime) -> Option<Duration> {
        retry_after(self.retry_after.as_deref()?, now)
    }

    /// The first bytes of the body, after what became of it if it is not whole; no secret of the request is in them.
    pub(super) fn said(&self, secrets: &Secrets) -> Vec<u8> {
        let note = match &self.body {
            Body::Spoilt(why) => format!("[the body is not whole: {why}] "),
            _ => String::new(),
        };
        let is_cut = self.body != Body::Whole || self.data > self.kept.len();
        let kept = secrets.masked(&self.kept, is_cut);
        [&secrets.masked(note.as_bytes(), false), &kept[..]].concat()
    }
}

/// Whether a word is in a list.
fn lists(value: &str, word: &str) -> bool {
    let mut words = value.split(',');
    words.any(|listed| listed.trim().eq_ignore_ascii_case(word))
}

/// The limit in `timeout=5, max=100`.
fn idle_limit(value: &str) -> Option<Duration> {
    let parameters = value.split([',', ';']);
    let mut named = parameters.filter_map(|parameter| parameter.split_once('='));
    let (_, limit) = named.find(|(name, _)| name.trim().eq_ignore_ascii_case("timeout"))?;
    let limit_s = limit.trim().trim_matches('"').parse().ok()?;
    Some(Duration::from_secs(limit_s))
}

/// What of a receiver's limit can be used: all but a second of it, or half.
fn within(limit: Duration) -> Duration {
    limit.saturating_sub(MARGIN).max(limit / 2)
}

/// What the start of an answer says that hyper cannot read, or that is not whole.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unread {
    /// Its status, if it can be told.
    status: Option<u16>,
    /// Whether its head is there up to the end.
    is_whole: bool,
    /// The line that is wrong, or the last.
    line: String,
    /// Answers before the answer, such as `100 Continue`.
    interim: usize,
}

impl Unread {
    /// Reads the first bytes of what came.
    pub(super) fn of(mut start: &[u8]) -> Self {
        let mut interim = 0;
        loop {
            let mut fields = [EMPTY_HEADER; FIELDS];
            let mut response = httparse::Response::new(&mut fields);
            let parsed = lenient().parse_response(&mut response, start);
            let status = status_of(start);
            if let (Ok(Status::Complete(length)), Some(100 | 102..=199)) = (parsed, status) {
                interim += 1;
                start = &start[length..];
                continue;
            }
            return Self {
                status,
                is_whole: head_end(start).is_some(),
                line: line_of(start, status.is_some(), parsed.is_err()),
                interim,
            };
        }
    }

    /// The answer that it is, if its status and the end of its head are there: only what stands between cannot be read.
    pub(super) fn into_answered(self, why: &str) -> Option<Answered> {
        let mut answered = Answered::of_status(self.status.filter(|_| self.is_whole)?);
        answered.spoil(&format!("{why}: {}", self.line));
        Some(answered)
    }

    /// How far it came, for people.
    pub(super) fn place(&self) -> String {
        match (self.status, self.line.as_str(), self.interim) {
            (Some(status), line, _) => {
                format!("status {status} without the end of its head, which stops at {line}")
            }
            (None, "", 0) => "no answer".to_owned(),
            (None, "", n) => format!("{n} interim answers and no final one"),
            (None, line, _) => format!("only {line}"),
        }
    }

    /// Whether what came cannot become an answer.
    pub(super) fn is_no_answer(&self) -> bool {
        let line = self.line.trim_start_matches('"').as_bytes();
        let length = line.len().min(5);
        self.status.is_none() && !line[..length].eq_ignore_ascii_case(&b"HTTP/"[..length])
    }

    pub(super) fn status(&self) -> Option<u16> {
        self.status
    }

    /// The line that is wrong, or the last, quoted.
    pub(super) fn line(&self) -> &str {
        &self.line
    }
}

/// As hyper is told to read.
fn lenient() -> ParserConfig {
    let mut config = ParserConfig::default();
    config
        .allow_spaces_after_header_name_in_responses(true)
        .allow_obsolete_multiline_headers_in_responses(true)
        .ignore_invalid_headers_in_responses(true);
    config
}

/// The status, if the whole of its line can be read.
fn status_of(start: &[u8]) -> Option<u16> {
    let mut response = httparse::Response::new(&mut []);
    let begins = start.iter().position(|byte| !byte.is_ascii_whitespace())?;
    let length = start[begins..].iter().position(|&byte| byte == b'\n')?;
    let line = &start[begins..begins + length];
    let head = [line.trim_ascii_end(), b"\r\n\r\n"].concat();
    response.parse(&head).ok()?;
    response.code.filter(|status| *status >= 100)
}

/// Where the head's empty line ends.
fn head_end(start: &[u8]) -> Option<usize> {
    let ends: [&[u8]; 2] = [b"\r\n\r\n", b"\n\n"];
    let found = ends.into_iter().filter_map(|end| {
        let at = start.windows(end.len()).position(|window| window == end)?;
        Some(at + end.len())
    });
    found.min()
}

/// The line to show, quoted: the first that cannot be read, else the last.
fn line_of(start: &[u8], has_status: bool, is_wrong: bool) -> String {
    let head = &start[..head_end(start).unwrap_or(start.len())];
    let mut lines = head
        .split(|&byte| byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .filter(|line| !line.is_empty());
    let line = match (has_status, is_wrong) {
        (false, _) => lines.next(),
        (true, true) => lines.find(|line| !is_field(line)),
        // What hyper refuses in a head that can be parsed is how it gives the length of the body.
        (true, false) => lines
            .clone()
            .find(|line| is_about_length(line))
            .or_else(|| lines.next_back()),
    };
    line.map_or_else(String::new, quoted)
}

fn is_field(line: &[u8]) -> bool {
    let is_status = line.len() >= 5 && line[..5].eq_ignore_ascii_case(b"HTTP/");
    let mut fields = [EMPTY_HEADER; 1];
    is_status || httparse::parse_headers(&[line, b"\r\n\r\n"].concat(), &mut fields).is_ok()
}

fn is_about_length(line: &[u8]) -> bool {
    let names: [&[u8]; 2] = [b"content-length", b"transfer-encoding"];
    names.into_iter().any(|name| {
        line.get(..name.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(name))
    })
}

/// As much of a stranger's line as says what it is; whoever shows it cleans it.
fn quoted(line: &[u8]) -> String {
    let start = &line[..line.len().min(QUOTED_BYTES)];
    format!("\"{}\"", String::from_utf8_lossy(start))
}

#[cfg(test)]
mod tests;
