//! What is printed of dead letters: the shapes of `dlq ls` and `dlq show`.

use std::collections::HashMap;

use delivery::{DEAD_LETTER, FailureKind, Reason};
use event::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::{Filter, Letter};

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
    /// How many letters have this id, this one included: two faults at once can leave a copy.
    #[serde(skip_serializing_if = "is_single")]
    pub copies: u32,
}

fn is_single(copies: &u32) -> bool {
    *copies == 1
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
            copies: 1,
        }
    }
}

/// The lines of `dlq ls`; bodies are not kept.
#[derive(Debug, Default)]
pub struct Listing {
    filter: Filter,
    rows: Vec<((Timestamp, usize, String), Row)>,
    /// How many letters have an id, also of those that are not listed.
    copies: HashMap<String, u32>,
}

impl Listing {
    /// Lists only the letters that a filter means.
    pub fn of(filter: Filter) -> Self {
        Self {
            filter,
            ..Self::default()
        }
    }

    /// Writes a letter down if it is meant.
    pub fn add(&mut self, letter: &Letter) {
        *self.copies.entry(letter.id().to_owned()).or_default() += 1;
        if self.filter.matches(letter) {
            self.rows.push((letter.order(), Row::from(letter)));
        }
    }

    /// The lines by time of death, events that died together as they were sent.
    pub fn into_rows(mut self) -> Vec<Row> {
        self.rows.sort_by(|(a, _), (b, _)| a.cmp(b));
        let rows = self.rows.into_iter().map(|(_, row)| row);
        rows.map(|row| Row {
            copies: self.copies.get(&row.id).copied().unwrap_or(1),
            ..row
        })
        .collect()
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
    /// The present MessageIds of other letters of the same event, for the caller to fill in.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<String>,
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
            others: Vec::new(),
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::sample::{DEAD, Sample, answer};

    #[test]
    fn of_events_that_died_together_the_smaller_sequence_number_is_first_whatever_its_length() {
        let mut listing = Listing::default();
        for number in ["10", "009", "8"] {
            let mut message = Sample::default().letter().message;
            message.attributes.clear();
            message.deduplication_id = None;
            message.message_id = number.to_owned();
            message.sequence_number = Some(number.to_owned());
            listing.add(&Letter::read(message));
        }
        let ids: Vec<_> = listing.into_rows().into_iter().map(|row| row.id).collect();
        assert_eq!(ids, ["8", "009", "10"]);
    }

    #[test]
    fn attempts_that_nobody_can_have_made_are_counted_without_a_panic() {
        let mut message = Sample {
            outcomes: &[answer(500, ""), answer(500, "")],
            ..Sample::default()
        }
        .letter()
        .message;
        let record = message.text_attribute(DEAD_LETTER).unwrap();
        let mut record = delivery::DeadLetter::parse(record).unwrap();
        for (life, attempt) in (0..).zip(&mut record.attempts) {
            (attempt.life, attempt.n) = (life, u32::MAX);
        }
        let json = record.to_json_within(10_000).unwrap();
        let attribute = queue::Attribute::string(json);
        message.attributes.insert(DEAD_LETTER.to_owned(), attribute);
        assert_eq!(Row::from(&Letter::read(message)).attempts, u32::MAX);
    }

    #[test]
    fn a_copy_of_an_event_is_a_line_of_its_own_and_says_how_many_there_are() {
        let failed = [answer(500, "")];
        let status = crate::StatusFilter::Class(5);
        let mut listing = Listing::of(Filter {
            status: Some(status),
            ..Filter::default()
        });
        for (id, outcomes, after_s) in [
            ("twice", &failed[..], 2),
            ("once", &failed[..], 1),
            ("twice", &failed[..], 0),
            ("twice", &[], 0),
        ] {
            let dead_at = DEAD.plus(Duration::from_secs(after_s));
            let sample = Sample {
                id,
                outcomes,
                dead_at,
                ..Sample::default()
            };
            listing.add(&sample.letter());
        }
        let rows = listing.into_rows();
        let listed: Vec<_> = rows.iter().map(|r| (r.id.as_str(), r.copies)).collect();
        // One of the three has another status and is not listed, but is there.
        assert_eq!(listed, [("twice", 3), ("once", 1), ("twice", 3)]);
        let json = |row: &Row| serde_json::to_value(row).unwrap();
        assert_eq!(json(&rows[0])["copies"], 3);
        assert!(json(&rows[1]).get("copies").is_none());
    }
}
