//! Which dead letters somebody means: criteria as they are typed on a command line or stand in an address.

use std::collections::BTreeSet;
use std::fmt;

use delivery::{Attempt, FailureKind, Reason};
use event::Timestamp;

use crate::Letter;
use crate::moment;
use crate::text::{lower_case, unescaped};

/// The longest text of a criterion, in characters. A message group has at most 128, an event's name 256.
pub const MAX_TEXT_CHARS: usize = 512;

/// The most ids a selection names.
pub const MAX_IDS: usize = 10_000;

/// What stands for letters of which no callback is known.
pub const NO_HOST: &str = "none";

/// Which letters somebody means. Every criterion that is given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// The message group in the source queue, exactly: `EventSetup_42`.
    pub group: Option<String>,
    /// The event's name, exactly.
    pub event: Option<String>,
    /// Why it is in the internal queue.
    pub reason: Option<Reason>,
    /// How its last attempt ended.
    pub status: Option<StatusFilter>,
    /// The host of the callback, with its port unless that is the usual one; `none`: no callback is known.
    pub host: Option<String>,
    /// Set aside at this moment or later. Of letters that do not say when, the time they were sent counts.
    pub since: Option<Timestamp>,
    /// Set aside before this moment.
    pub until: Option<Timestamp>,
    /// Stands in the body, an id or an answer's excerpt; letters' case is ignored.
    pub contains: Option<String>,
}

/// How the last attempt of a letter ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusFilter {
    /// With this HTTP status: `500`.
    Status(u16),
    /// With a status of this class, 1 to 9: `5xx`.
    Class(u16),
    /// Without an answer, so: `timeout`, `connect`, ….
    Failure(FailureKind),
    /// There is none: `none`.
    NoAttempt,
}

/// What a command is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Ids, each the event's first MessageId or the present one; at most [`MAX_IDS`]. If there are any, the
    /// filter is not looked at. A set, so that many ids are looked up in a large queue at no cost.
    pub ids: BTreeSet<String>,
    /// Whether the ids are present ones alone. One letter's present id can be another's first: when the native
    /// redrive moved an event of which the worker had written a record before.
    pub present_ids: bool,
    /// Which letters, if there are no ids.
    pub filter: Filter,
    /// Only the first so many, in the order of a replay, and what else there is of their events.
    pub limit: Option<usize>,
}

/// A criterion that cannot be used, told by its name and what may stand there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// There is no criterion of this name.
    #[error(
        "{0:?} is no criterion: there are group, event, reason, status, host, since, until and contains"
    )]
    Unknown(String),
    /// No such value can stand there.
    #[error("{name}: {given:?} cannot stand here: write {expected}")]
    Value {
        /// The criterion.
        name: &'static str,
        /// What was given.
        given: String,
        /// What may stand there.
        expected: String,
    },
    /// The text is too long.
    #[error("{name}: longer than {MAX_TEXT_CHARS} characters: write less of it")]
    TooLong {
        /// The criterion.
        name: &'static str,
    },
    /// No moment is both.
    #[error("since: {since} is not before {until}, the until: nothing can match")]
    Backwards {
        /// The first moment.
        since: Timestamp,
        /// The moment after the last.
        until: Timestamp,
    },
    /// Too many ids.
    #[error("{0} ids: give at most {MAX_IDS} at once")]
    TooManyIds(usize),
}

impl Filter {
    /// Says whether this letter is meant.
    pub fn matches(&self, letter: &Letter) -> bool {
        let at = letter.at();
        let group = self.group.as_deref();
        let event = self.event.as_deref();
        group.is_none_or(|group| letter.group() == Some(group))
            && event.is_none_or(|event| letter.event() == Some(event))
            && self.reason.is_none_or(|reason| letter.reason() == reason)
            && (self.status).is_none_or(|status| status.matches(letter.attempts().last()))
            && (self.host.as_deref()).is_none_or(|host| is_at(letter, host))
            && self.since.is_none_or(|since| at >= since)
            && self.until.is_none_or(|until| at < until)
            && (self.contains.as_deref()).is_none_or(|text| contains(letter, text))
    }

    /// Says whether every letter is meant.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The criteria as they stand in an address and on the command line, name and text; [`Filter::set`] reads
    /// them back. Moments are written out.
    pub fn to_pairs(&self) -> Vec<(&'static str, String)> {
        let pairs = [
            ("group", self.group.clone()),
            ("event", self.event.clone()),
            ("reason", self.reason.map(|r| r.as_str().to_owned())),
            ("status", self.status.map(|status| status.to_string())),
            ("host", self.host.clone()),
            ("since", self.since.map(|at| at.to_string())),
            ("until", self.until.map(|at| at.to_string())),
            ("contains", self.contains.clone()),
        ];
        let given = pairs.into_iter();
        given
            .filter_map(|(name, text)| Some((name, text?)))
            .collect()
    }

    /// Sets the criterion of this name; an empty text clears it.
    ///
    /// # Errors
    /// When there is no such criterion, or the text is no value of it; what may stand there is told.
    pub fn set(&mut self, name: &str, text: &str, now: Timestamp) -> Result<(), FilterError> {
        match name {
            // Neither begins or ends with a space, what is pasted does.
            "group" => self.group = given(text.trim(), |text| bounded("group", text))?,
            "event" => self.event = given(text.trim(), |text| bounded("event", text))?,
            "reason" => self.reason = given(text, parse_reason)?,
            "status" => self.status = given(text, StatusFilter::parse)?,
            "host" => self.host = given(text.trim(), |text| bounded("host", text))?,
            "since" => self.since = given(text, |text| moment("since", text, now))?,
            "until" => self.until = given(text, |text| moment("until", text, now))?,
            "contains" => self.contains = given(text, |text| bounded("contains", text))?,
            _ => return Err(FilterError::Unknown(name.chars().take(40).collect())),
        }
        Ok(())
    }

    /// Says whether the criteria fit together.
    ///
    /// # Errors
    /// When `since` is not before `until`.
    pub fn check(&self) -> Result<(), FilterError> {
        match (self.since, self.until) {
            (Some(since), Some(until)) if since >= until => {
                Err(FilterError::Backwards { since, until })
            }
            _ => Ok(()),
        }
    }
}

impl Selection {
    /// Names letters by their ids.
    ///
    /// # Errors
    /// When there are more than [`MAX_IDS`].
    pub fn of_ids(ids: impl IntoIterator<Item = String>) -> Result<Self, FilterError> {
        let ids: BTreeSet<_> = ids.into_iter().collect();
        if ids.len() > MAX_IDS {
            return Err(FilterError::TooManyIds(ids.len()));
        }
        Ok(Self {
            ids,
            ..Self::default()
        })
    }

    /// Says whether this letter is meant, the limit aside.
    pub fn selects(&self, letter: &Letter) -> bool {
        if self.ids.is_empty() {
            return self.filter.matches(letter);
        }
        self.ids.contains(&letter.message.message_id)
            || (!self.present_ids && self.ids.contains(letter.id()))
    }
}

impl StatusFilter {
    /// Reads `500`, `5xx`, the name of a failure, or `none`.
    ///
    /// # Errors
    /// When it is none of them.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        let small = text.trim().to_ascii_lowercase();
        let class = small
            .strip_suffix("xx")
            .and_then(|class| match *class.as_bytes() {
                [digit @ b'1'..=b'9'] => Some(u16::from(digit - b'0')),
                _ => None,
            });
        let failure = FailureKind::ALL.iter().find(|kind| kind.as_str() == small);
        match (small.parse(), class, failure) {
            // Receivers answer with 600 and 999 too: whatever has three digits is a status of HTTP.
            (Ok(status @ 100..=999), _, _) => Ok(Self::Status(status)),
            (_, Some(class), _) => Ok(Self::Class(class)),
            (_, _, Some(failure)) => Ok(Self::Failure(*failure)),
            _ if small == "none" => Ok(Self::NoAttempt),
            _ => Err(FilterError::Value {
                name: "status",
                given: shortened(text),
                expected: format!(
                    "a status (500), a class (5xx), none for no attempt at all, or {}",
                    one_of(FailureKind::ALL.iter().map(|kind| kind.as_str()))
                ),
            }),
        }
    }

    fn matches(self, last: Option<&Attempt>) -> bool {
        let status = last.and_then(|attempt| attempt.status);
        match self {
            Self::Status(wanted) => status == Some(wanted),
            Self::Class(wanted) => status.is_some_and(|status| status / 100 == wanted),
            Self::Failure(wanted) => last.is_some_and(|attempt| attempt.error == Some(wanted)),
            Self::NoAttempt => last.is_none(),
        }
    }
}

/// As it is typed.
impl fmt::Display for StatusFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "{status}"),
            Self::Class(class) => write!(f, "{class}xx"),
            Self::Failure(kind) => write!(f, "{kind}"),
            Self::NoAttempt => f.write_str("none"),
        }
    }
}

/// Reads a moment: `2026-11-20T10:00:00Z`, without an offset UTC, without seconds or time of day their beginning;
/// or how long ago: `30m`, `2h`, `3d`.
///
/// # Errors
/// When it is neither.
pub fn parse_moment(text: &str, now: Timestamp) -> Result<Timestamp, FilterError> {
    moment("moment", text, now)
}

fn moment(name: &'static str, text: &str, now: Timestamp) -> Result<Timestamp, FilterError> {
    moment::read(text.trim(), now).ok_or_else(|| FilterError::Value {
        name,
        given: shortened(text),
        expected: moment::EXPECTED.to_owned(),
    })
}

fn parse_reason(text: &str) -> Result<Reason, FilterError> {
    let small = text.trim().to_ascii_lowercase();
    let reason = Reason::ALL.iter().find(|reason| reason.as_str() == small);
    reason.copied().ok_or_else(|| FilterError::Value {
        name: "reason",
        given: shortened(text),
        expected: one_of(Reason::ALL.iter().map(|reason| reason.as_str())),
    })
}

/// An empty text is none.
fn given<T>(
    text: &str,
    parse: impl FnOnce(&str) -> Result<T, FilterError>,
) -> Result<Option<T>, FilterError> {
    (!text.is_empty()).then(|| parse(text)).transpose()
}

fn bounded(name: &'static str, text: &str) -> Result<String, FilterError> {
    match text.chars().nth(MAX_TEXT_CHARS) {
        None => Ok(text.to_owned()),
        Some(_) => Err(FilterError::TooLong { name }),
    }
}

fn shortened(text: &str) -> String {
    let mut shown: String = text.chars().take(40).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

fn one_of<'a>(names: impl Iterator<Item = &'a str>) -> String {
    match names.collect::<Vec<_>>().split_last() {
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}

fn is_at(letter: &Letter, wanted: &str) -> bool {
    match letter.callback_host() {
        Some(host) => host.eq_ignore_ascii_case(wanted),
        None => wanted == NO_HOST,
    }
}

/// Looks where people look: in the body, the ids, the receivers' words. Takes time in proportion to the letter.
fn contains(letter: &Letter, text: &str) -> bool {
    let wanted = lower_case(text);
    let holds = |text: &str| lower_case(text).contains(&wanted);
    let body = String::from_utf8_lossy(&letter.message.body);
    holds(letter.id())
        || holds(&letter.message.message_id)
        || letter.attempts().iter().any(|a| holds(&a.excerpt))
        || holds(&body)
        // What JSON writes as `\u00fc` or `\/`, people type as it reads; msg_id among it.
        || unescaped(&body).is_some_and(|body| holds(&body))
}

#[cfg(test)]
mod tests;
