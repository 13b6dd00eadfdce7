//! What a dead letter says of itself: the record in the message attribute [`DEAD_LETTER`], and how it is trimmed
//! to fit.

use event::Timestamp;
use serde::{Deserialize, Serialize};

use crate::named::named;

use crate::{Attempt, Replay};

/// The message attribute that holds a [`DeadLetter`] as JSON.
pub const DEAD_LETTER: &str = "hooklane.dead_letter";

/// The version of a dead letter's record and of a replay's.
pub(crate) const VERSION: u32 = 1;

named! {
    /// Why an event is in the internal queue.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub enum Reason {
        /// Every attempt of the schedule failed.
        Exhausted = "exhausted",
        /// The body is no event: see [`event::InvalidEvent`].
        InvalidEvent = "invalid-event",
        /// No callback URL is configured for it.
        NoCallback = "no-callback",
        /// It was received again and again without a verdict, by us or by the native redrive.
        ReceiveCountExceeded = "receive-count-exceeded",
        /// The queue would have dropped it before its next visit: see [`crate::Lifetime`].
        Expiring = "expiring",
        /// A reason written by another version of this program.
        #[serde(other)]
        Other = "other",
    }
}

/// Who the event was when it first came to the source queue. Replays keep it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Its first MessageId.
    pub message_id: String,
    /// Its first sequence number (FIFO).
    pub sequence_number: Option<String>,
    /// Its first deduplication id (FIFO).
    pub deduplication_id: Option<String>,
    /// Its message group: what keeps an order on a FIFO queue, a tenant on a standard queue.
    pub group: Option<String>,
    /// When it was sent.
    pub sent_at: Timestamp,
}

impl Origin {
    /// Whether its group kept an order: it came to a FIFO queue, as far as is known.
    pub fn is_ordered(&self) -> bool {
        self.sequence_number.is_some() || self.deduplication_id.is_some()
    }
}

/// The record of one dead letter (`docs/DECISIONS.md`, "A dead letter is a group of one").
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// The version of this format, 1.
    pub v: u32,
    /// Why it is here.
    pub reason: Reason,
    /// The reason in words, where there is more to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The URL of the queue it came from.
    pub source_queue: String,
    /// When it was set aside.
    pub dead_at: Timestamp,
    /// Where it was to go; the values of a query are masked.
    pub callback: Option<String>,
    /// How many lives it had before this one.
    pub replays: u32,
    /// Who it was at first.
    pub origin: Origin,
    /// Every attempt of every life, oldest first.
    pub attempts: Vec<Attempt>,
    /// Whether excerpts or attempts were left out so that the message fits its queue.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub trimmed: bool,
}

/// The history of one event as it dies: everything [`DeadLetter`] needs beside the attempts of its last life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Death {
    /// Why.
    pub reason: Reason,
    /// The reason in words, where there is more to say.
    pub detail: Option<String>,
    /// When that was decided.
    pub dead_at: Timestamp,
    /// Where it was to go, masked.
    pub callback: Option<String>,
}

impl DeadLetter {
    /// Writes down the death of an event of `origin`, with its earlier lives if it had any.
    pub fn new(
        source_queue: &str,
        death: Death,
        origin: Origin,
        earlier: Option<Replay>,
        attempts: Vec<Attempt>,
    ) -> Self {
        let mut life = earlier.unwrap_or_else(|| Replay::new(0, origin));
        life.attempts.extend(attempts);
        Self {
            v: VERSION,
            reason: death.reason,
            detail: death.detail,
            source_queue: source_queue.to_owned(),
            dead_at: death.dead_at,
            callback: death.callback,
            replays: life.replays,
            origin: life.origin,
            attempts: life.attempts,
            trimmed: life.trimmed,
        }
    }

    /// Reads a record.
    ///
    /// # Errors
    /// When the text is not such a record.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// The record as JSON of at most `room` bytes: trimmed where it must be, oldest excerpts first, then
    /// the detail and the callback, then whole attempts, oldest first. None if not even what is left fits.
    pub fn to_json_within(&self, room: usize) -> Option<String> {
        json_within(self.clone(), room, Self::shed)
    }

    /// Gives up the next thing it can do without, if there is one left.
    fn shed(&mut self) -> bool {
        self.trimmed = true;
        shed_excerpt(&mut self.attempts)
            || self.detail.take().is_some()
            || self.callback.take().is_some()
            || shed_attempt(&mut self.attempts)
    }
}

/// The record as JSON of at most `room` bytes; `shed` gives up one thing after the other, and says when nothing
/// is left.
pub(crate) fn json_within<T: Serialize>(
    mut record: T,
    room: usize,
    shed: impl Fn(&mut T) -> bool,
) -> Option<String> {
    loop {
        let text = json(&record);
        if text.len() <= room {
            return Some(text);
        }
        if !shed(&mut record) {
            return None;
        }
    }
}

/// As SQS takes it: the two characters that JSON allows and SQS refuses, which only text of strangers holds, are
/// written as escapes.
fn json(record: &impl Serialize) -> String {
    let text = serde_json::to_string(record).expect("a record has only string keys");
    if !text.contains(['\u{fffe}', '\u{ffff}']) {
        return text;
    }
    text.replace('\u{fffe}', "\\ufffe")
        .replace('\u{ffff}', "\\uffff")
}

/// Gives up the oldest excerpt that is left.
pub(crate) fn shed_excerpt(attempts: &mut [Attempt]) -> bool {
    let oldest = attempts.iter_mut().find(|a| !a.excerpt.is_empty());
    oldest.map(|attempt| attempt.excerpt.clear()).is_some()
}

/// Gives up the oldest attempt.
pub(crate) fn shed_attempt(attempts: &mut Vec<Attempt>) -> bool {
    if attempts.is_empty() {
        return false;
    }
    attempts.remove(0);
    true
}

/// The message group of a dead letter: a group of its own, since a FIFO queue shows only the first ten
/// messages of one. 91 characters of the group, `#`, and the MessageId (36) make the 128 that SQS allows.
pub fn dead_letter_group(group: Option<&str>, message_id: &str) -> String {
    const OF_THE_GROUP: usize = 91;
    let group: String = group
        .unwrap_or_default()
        .chars()
        .take(OF_THE_GROUP)
        .collect();
    format!("{group}#{message_id}")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::Answer;

    const AT: Timestamp = Timestamp::from_millis(1_739_370_645_123);

    fn origin() -> Origin {
        Origin {
            message_id: "m-1".to_owned(),
            sequence_number: Some("00000000000000000001".to_owned()),
            deduplication_id: Some("2025-02-12T14:30:45.123".to_owned()),
            group: Some("EventSetup_7".to_owned()),
            sent_at: AT,
        }
    }

    fn attempts(count: u32) -> Vec<Attempt> {
        let outcome = Ok(Answer {
            status: 500,
            retry_after: None,
            excerpt: "x".repeat(512),
        });
        (1..=count)
            .map(|n| Attempt::new(0, n, AT, Duration::from_millis(8), &outcome))
            .collect()
    }

    fn record() -> DeadLetter {
        let death = Death {
            reason: Reason::Exhausted,
            detail: None,
            dead_at: AT,
            callback: Some("https://hooks.example.com/workn".to_owned()),
        };
        DeadLetter::new("https://sqs/q.fifo", death, origin(), None, attempts(4))
    }

    #[test]
    fn the_record_reads_as_the_contract_says() {
        let json: serde_json::Value =
            serde_json::from_str(&record().to_json_within(9000).unwrap()).unwrap();
        assert_eq!(json["v"], 1);
        assert_eq!(json["reason"], "exhausted");
        assert_eq!(json["dead_at"], "2025-02-12T14:30:45.123Z");
        assert_eq!(json["origin"]["group"], "EventSetup_7");
        assert_eq!(json["attempts"][3]["n"], 4);
        assert_eq!(json["attempts"][3]["status"], 500);
        assert_eq!(json["attempts"][3]["error"], serde_json::Value::Null);
        assert!(json.get("trimmed").is_none());
    }

    #[test]
    fn a_record_that_does_not_fit_loses_its_oldest_excerpts_first_and_says_so() {
        let full = record().to_json_within(usize::MAX).unwrap();
        let trimmed = record().to_json_within(full.len() - 1).unwrap();
        let trimmed = DeadLetter::parse(&trimmed).unwrap();
        assert!(trimmed.trimmed);
        assert_eq!(trimmed.attempts[0].excerpt, "");
        assert_eq!(trimmed.attempts[1].excerpt.len(), 512);
    }

    #[test]
    fn a_trimmed_record_fits_whatever_the_room_or_there_is_none() {
        for room in 0..3_000 {
            match record().to_json_within(room) {
                Some(text) => assert!(text.len() <= room),
                None => assert!(
                    room < 500,
                    "{room} bytes are enough for a record without attempts"
                ),
            }
        }
    }

    #[test]
    fn what_a_stranger_wrote_is_kept_in_characters_that_sqs_takes() {
        let mut hostile = record();
        hostile.origin.message_id = "a\u{fffe}b\u{ffff}\\c".to_owned();
        let text = hostile.to_json_within(9000).unwrap();
        assert!(!text.contains(['\u{fffe}', '\u{ffff}']), "{text}");
        assert_eq!(DeadLetter::parse(&text).unwrap(), hostile);
    }

    #[test]
    fn a_reason_or_error_of_a_newer_version_is_still_read() {
        let text = record()
            .to_json_within(9000)
            .unwrap()
            .replace("\"exhausted\"", "\"moon-phase\"");
        assert_eq!(DeadLetter::parse(&text).unwrap().reason, Reason::Other);
    }

    #[test]
    fn a_reason_has_one_name_in_logs_and_records() {
        for &reason in Reason::ALL {
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
        }
    }

    #[test]
    fn the_group_of_a_dead_letter_is_its_own_and_never_too_long() {
        let id = "a".repeat(36);
        assert_eq!(dead_letter_group(Some(&"g".repeat(128)), &id).len(), 128);
        assert_eq!(
            dead_letter_group(Some("EventSetup_7"), "m"),
            "EventSetup_7#m"
        );
        assert_eq!(dead_letter_group(None, "m"), "#m");
    }
}
