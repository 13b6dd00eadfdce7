//! Notes: what the ledger knows of message groups of which an event died.

use std::collections::BTreeMap;

use delivery::sequence_order;
use event::Timestamp;
use serde::{Deserialize, Serialize};

/// What a note is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum NoteKey {
    /// A message group.
    Group {
        /// The URL of its source queue.
        queue: String,
        /// Its name.
        group: String,
    },
    /// The message groups of a queue that are watched.
    Watched {
        /// The URL of the source queue.
        queue: String,
    },
}

/// What is noted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub enum Note {
    /// Of a message group: what is known of its dead.
    Group(GroupNote),
    /// Of a queue: the message groups of which an event died and nothing newer has been accepted since.
    Watched(Watched),
}

/// A note and the right to replace it, as long as nobody else has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenNote {
    /// What was there.
    pub note: Note,
    /// Which write of this note it was.
    pub version: i64,
}

/// What the ledger knows of a message group of which an event died. Sequence numbers are those of first lives.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct GroupNote {
    /// The newest event that was set aside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest_dead: Option<String>,
    /// Up to which event it has been delivered, as far as anybody noted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered_up_to: Option<String>,
}

/// The groups that are watched.
pub type Watched = BTreeMap<String, Watch>;

/// Since when the next acceptance of a message group is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    /// When the first of its events died that are waited behind.
    pub since: Timestamp,
    /// When this was last made sure of, to the day.
    pub last: Timestamp,
}

impl GroupNote {
    /// What a note says of a message group.
    pub(crate) fn of(note: &Note) -> Self {
        match note {
            Note::Group(note) => note.clone(),
            Note::Watched(_) => Self::default(),
        }
    }

    /// An event was set aside.
    #[must_use]
    pub(crate) fn with_death(self, number: &str) -> Self {
        Self {
            newest_dead: Some(newer(self.newest_dead, number)),
            ..self
        }
    }

    /// An event was accepted.
    #[must_use]
    pub(crate) fn with_delivery(self, number: &str) -> Self {
        Self {
            delivered_up_to: Some(newer(self.delivered_up_to, number)),
            ..self
        }
    }

    /// Whether something newer than all its dead has been delivered: of each of them all is known.
    pub(crate) fn is_settled(&self) -> bool {
        match (&self.newest_dead, &self.delivered_up_to) {
            (Some(dead), Some(delivered)) => sequence_order(dead, delivered).is_le(),
            (dead, _) => dead.is_none(),
        }
    }
}

fn newer(known: Option<String>, number: &str) -> String {
    match known {
        Some(known) if sequence_order(&known, number).is_ge() => known,
        _ => number.to_owned(),
    }
}

/// A note as it lies in its place: in the form of a record without attempts. Versions before kept notes as records, and
/// may run beside this one.
#[derive(Serialize, Deserialize)]
struct Stored {
    #[serde(default)]
    attempts: [(); 0],
    state: State,
    #[serde(default)]
    receives: u32,
    #[serde(default)]
    begun: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Group(GroupNote),
    /// As versions before noted of a group up to which sequence number it has been delivered.
    DeliveredUpTo(String),
    Watched(Watched),
}

impl From<Stored> for Note {
    fn from(stored: Stored) -> Self {
        match stored.state {
            State::Group(note) => Self::Group(note),
            State::DeliveredUpTo(number) => Self::Group(GroupNote {
                newest_dead: None,
                delivered_up_to: Some(number),
            }),
            State::Watched(watched) => Self::Watched(watched),
        }
    }
}

impl From<Note> for Stored {
    fn from(note: Note) -> Self {
        Self {
            attempts: [],
            state: match note {
                Note::Group(note) => State::Group(note),
                Note::Watched(watched) => State::Watched(watched),
            },
            receives: 0,
            begun: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_keep_their_form() {
        let note = GroupNote::default().with_death("17").with_delivery("19");
        let noted = serde_json::json!({
            "attempts": [], "receives": 0, "begun": 0,
            "state": {"group": {"newest_dead": "17", "delivered_up_to": "19"}}
        });
        let form = |note| serde_json::to_value(note).unwrap();
        assert_eq!(form(Note::Group(note)), noted);
        let at = Timestamp::from_millis(1_000_000);
        let watch = Watch {
            since: at,
            last: at,
        };
        let watched = [("a".to_owned(), watch)].into();
        let at = "1970-01-01T00:16:40.000Z";
        let noted = serde_json::json!({
            "attempts": [], "receives": 0, "begun": 0,
            "state": {"watched": {"a": {"since": at, "last": at}}}
        });
        assert_eq!(form(Note::Watched(watched)), noted);
    }

    #[test]
    fn a_note_of_before_deaths_were_noted_is_read_and_the_record_of_a_message_is_none() {
        let earlier = r#"{"attempts":[],"state":{"delivered_up_to":"17"},"receives":0}"#;
        let note = GroupNote::default().with_delivery("17");
        assert_eq!(
            serde_json::from_str::<Note>(earlier).unwrap(),
            Note::Group(note)
        );
        let record = r#"{"attempts":[],"state":"done","receives":0,"begun":0}"#;
        assert!(serde_json::from_str::<Note>(record).is_err());
    }

    #[test]
    fn the_note_of_a_group_keeps_the_newest_and_is_settled_by_what_is_newer_than_all_its_dead() {
        let dead = GroupNote::default().with_death("9").with_death("10");
        assert_eq!(dead.clone().with_death("9"), dead);
        assert!(!dead.is_settled() && GroupNote::default().is_settled());
        for (delivered, is_settled) in [("9", false), ("10", true), ("11", true)] {
            let note = dead.clone().with_delivery(delivered);
            assert_eq!(note.is_settled(), is_settled, "{delivered}");
            assert_eq!(note.clone().with_delivery("8"), note);
        }
    }
}
