//! What is printed of dead letters: the shapes of `dlq ls`, `dlq groups` and `dlq show`.

use std::collections::BTreeMap;

use delivery::{DEAD_LETTER, FailureKind, Reason};
use event::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::Letter;

/// One line of `dlq ls`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The event's first MessageId.
    pub id: String,
    /// Why it is in the internal queue.
    pub reason: Reason,
    /// The message group in the source queue.
    pub group: Option<String>,
    /// The event's name.
    pub event: Option<String>,
    /// The event's own id.
    pub msg_id: Option<String>,
    /// How many attempts there were, over all lives.
    pub attempts: u32,
    /// The status of the last attempt, if an answer came.
    pub last_status: Option<u16>,
    /// What the last attempt failed with, if none came.
    pub last_error: Option<FailureKind>,
    /// When the event was first sent, if that is known.
    pub sent_at: Option<Timestamp>,
    /// When it was set aside, if that is known.
    pub dead_at: Option<Timestamp>,
    /// Where it was to go.
    pub callback: Option<String>,
    /// What is wrong with the letter itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl From<&Letter> for Row {
    fn from(letter: &Letter) -> Self {
        let last = letter.attempts().last();
        Self {
            id: letter.id().to_owned(),
            reason: letter.reason(),
            group: letter.group().map(str::to_owned),
            event: letter.event().map(str::to_owned),
            msg_id: letter.msg_id(),
            attempts: letter.attempts_made(),
            last_status: last.and_then(|attempt| attempt.status),
            last_error: last.and_then(|attempt| attempt.error),
            sent_at: letter.sent_at(),
            dead_at: letter.dead_at(),
            callback: letter.callback().map(str::to_owned),
            problem: letter.problem().map(str::to_owned),
        }
    }
}

/// The lines of `dlq ls`; bodies are not kept.
#[derive(Debug, Default)]
pub struct Listing {
    rows: Vec<((Timestamp, String), Row)>,
}

impl Listing {
    /// Writes a letter down.
    pub fn add(&mut self, letter: &Letter) {
        self.rows.push((letter.order(), Row::from(letter)));
    }

    /// The lines by time of death, events that died together as they were sent.
    pub fn into_rows(mut self) -> Vec<Row> {
        self.rows.sort_by(|(a, _), (b, _)| a.cmp(b));
        self.rows.into_iter().map(|(_, row)| row).collect()
    }
}

/// One line of `dlq groups`: how many letters of a group ended in one way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Group {
    /// Why they are in the internal queue.
    pub reason: Reason,
    /// The status of the last attempt, if an answer came.
    pub status: Option<u16>,
    /// What the last attempt failed with, if none came.
    pub error: Option<FailureKind>,
    /// The message group in the source queue.
    pub group: Option<String>,
    /// How many.
    pub count: u64,
    /// When the first of them was set aside, if that is known.
    pub oldest: Option<Timestamp>,
    /// When the last of them was.
    pub newest: Option<Timestamp>,
}

/// The lines of `dlq groups`.
#[derive(Debug, Default)]
pub struct Groups {
    counted: BTreeMap<Ending, Group>,
}

type Ending = (Reason, Option<u16>, Option<&'static str>, Option<String>);

impl Groups {
    /// Counts a letter.
    pub fn add(&mut self, letter: &Letter) {
        let last = letter.attempts().last();
        let status = last.and_then(|attempt| attempt.status);
        let error = last.and_then(|attempt| attempt.error);
        let group = letter.group().map(str::to_owned);
        let ending = (
            letter.reason(),
            status,
            error.map(FailureKind::as_str),
            group.clone(),
        );
        let counted = self.counted.entry(ending).or_insert(Group {
            reason: letter.reason(),
            status,
            error,
            group,
            count: 0,
            oldest: None,
            newest: None,
        });
        counted.count += 1;
        if let Some(at) = letter.dead_at() {
            counted.oldest = Some(counted.oldest.map_or(at, |oldest| oldest.min(at)));
            counted.newest = Some(counted.newest.map_or(at, |newest| newest.max(at)));
        }
    }

    /// The lines, the most frequent first.
    pub fn into_rows(self) -> Vec<Group> {
        let mut rows: Vec<_> = self.counted.into_values().collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.count));
        rows
    }
}

/// What `dlq show --json` prints.
#[derive(Debug, Serialize)]
pub struct Shown {
    /// The event's first MessageId.
    pub id: String,
    /// The MessageId in the internal queue.
    pub message_id: String,
    /// Why it is there.
    pub reason: Reason,
    /// The message group in the source queue.
    pub group: Option<String>,
    /// The event's name.
    pub event: Option<String>,
    /// How often SQS has handed it out, views included.
    pub receive_count: u32,
    /// What is wrong with the letter itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// The record exactly as it is on the message; text if it is no JSON, null if there is none.
    pub record: Option<Exact>,
    /// The body exactly as it is; text if it is no JSON.
    pub body: Exact,
}

impl From<&Letter> for Shown {
    fn from(letter: &Letter) -> Self {
        let message = &letter.message;
        Self {
            id: letter.id().to_owned(),
            message_id: message.message_id.clone(),
            reason: letter.reason(),
            group: letter.group().map(str::to_owned),
            event: letter.event().map(str::to_owned),
            receive_count: message.receive_count,
            problem: letter.problem().map(str::to_owned),
            record: message.text_attribute(DEAD_LETTER).map(Exact::of),
            body: Exact::of(&String::from_utf8_lossy(&message.body)),
        }
    }
}

/// JSON with its digits, order and repetitions as they are, or a text that is no JSON.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Exact {
    /// JSON.
    Json(Box<RawValue>),
    /// Anything else.
    Text(String),
}

impl Exact {
    fn of(text: &str) -> Self {
        match RawValue::from_string(text.to_owned()) {
            Ok(json) => Self::Json(json),
            Err(_) => Self::Text(text.to_owned()),
        }
    }
}
