//! What makes a line an event that the queue will take.

use std::sync::Arc;

use event::{DEAD_LETTER_ROOM, Draft, Event, Fill, InvalidEvent, Timestamp, setup_of_group};
use uuid::Uuid;

use crate::ids::Ids;

/// Why a line is not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadLine {
    /// Nothing of it was kept.
    #[error("longer than {} bytes", crate::MAX_LINE_BYTES)]
    TooLong,
    /// The line is no event.
    #[error(transparent)]
    Invalid(#[from] InvalidEvent),
    /// A FIFO queue needs a message group.
    #[error(
        "names no event setup: it has no `MessageGroupId`, and no event setup is given for all lines"
    )]
    NoSetup,
    /// A group that is not named after an event setup.
    #[error("`MessageGroupId` must be `EventSetup_<id>`")]
    NotASetup,
    /// The line and the caller disagree.
    #[error(
        "`MessageGroupId` is `{own}`, but the event setup given for all lines makes it `{given}`"
    )]
    OtherSetup {
        /// The group of the line.
        own: String,
        /// The group of the event setup given.
        given: String,
    },
    /// Amazon SQS would answer `InvalidMessageContents`.
    #[error("character U+{:04X} at byte {at} cannot be sent: Amazon SQS takes the characters of XML 1.0 only, write it as a JSON escape", u32::from(*.character))]
    Character {
        /// Bytes before it.
        at: usize,
        /// The first such character.
        character: char,
    },
    /// More than the queue takes, or so much that its dead letter would not fit.
    #[error(
        "{size} bytes with its attributes, but the queue takes {limit}, of which {room} stay free for the record of a dead letter"
    )]
    TooLarge {
        /// Body and attributes.
        size: usize,
        /// The queue's `MaximumMessageSize`.
        limit: usize,
        /// Kept free.
        room: usize,
    },
}

/// What the queue and the caller ask of every line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rules {
    /// Whether events need a message group and carry the two FIFO parameters.
    pub(crate) fifo: bool,
    /// Where the `msg_id` of lines without one comes from.
    pub(crate) ids: Ids,
    /// The message group of lines that name none.
    pub(crate) group: Option<String>,
    /// The queue's `MaximumMessageSize`.
    pub(crate) limit: usize,
    /// Bytes of the attributes that go with every message.
    pub(crate) attributes_size: usize,
}

/// An event that may be sent once it has its deduplication id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ready {
    /// Its message group; none on a standard queue.
    pub(crate) group: Option<Arc<str>>,
    pub(crate) draft: Draft,
    /// The deduplication id under which an earlier send may have sent it: what the queue has, it knows again by it.
    pub(crate) sent_as: Option<Timestamp>,
    /// Body and attributes, in bytes.
    pub(crate) size: usize,
}

impl Rules {
    /// Makes an event of a line, its line end not included.
    pub(crate) fn check(&self, number: u64, line: &[u8], now: Timestamp) -> Result<Ready, BadLine> {
        let event = Event::parse(line)?;
        // Parsing has made sure of it; asking again costs less than carrying the proof along.
        let text = str::from_utf8(line).map_err(|e| InvalidEvent::NotUtf8 {
            at: e.valid_up_to(),
        })?;
        if let Some((at, character)) = event::unsendable_character(text) {
            return Err(BadLine::Character { at, character });
        }
        let group = if self.fifo {
            Some(self.group_of(&event)?)
        } else {
            None
        };
        let mut id = Uuid::encode_buffer();
        let msg_id = match event.msg_id() {
            Some(own) => own,
            None => {
                let derived = self.ids.of(group.as_deref(), number, line);
                derived.hyphenated().encode_lower(&mut id)
            }
        };
        let fill = Fill {
            msg_id,
            event_datetime: now,
            group_id: group.as_deref(),
        };
        let draft = Draft::new(text, &event, &fill);
        let size = draft.body().len() + self.attributes_size;
        self.check_size(size)?;
        Ok(Ready {
            group: group.map(Arc::from),
            draft,
            sent_as: None,
            size,
        })
    }

    fn group_of(&self, event: &Event) -> Result<String, BadLine> {
        match (event.group_id(), &self.group) {
            (None, None) => Err(BadLine::NoSetup),
            (None, Some(given)) => Ok(given.clone()),
            (Some(own), _) if setup_of_group(own).is_none() => Err(BadLine::NotASetup),
            (Some(own), Some(given)) if own != given => Err(BadLine::OtherSetup {
                own: own.to_owned(),
                given: given.clone(),
            }),
            (Some(own), _) => Ok(own.to_owned()),
        }
    }

    fn check_size(&self, size: usize) -> Result<(), BadLine> {
        // A queue made for small messages keeps a quarter: the record of its dead letters is trimmed further.
        let room = DEAD_LETTER_ROOM.min(self.limit / 4);
        if size + room > self.limit {
            return Err(BadLine::TooLarge {
                size,
                limit: self.limit,
                room,
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Rules {
        Rules {
            fifo: true,
            ids: Ids::Fresh,
            group: None,
            limit: 1 << 20,
            attributes_size: 0,
        }
    }

    fn for_setup_7() -> Rules {
        Rules {
            group: Some("EventSetup_7".to_owned()),
            ..rules()
        }
    }

    fn check(rules: &Rules, line: &str) -> Result<Ready, BadLine> {
        rules.check(1, line.as_bytes(), Timestamp::from_millis(0))
    }

    fn error(rules: &Rules, line: &str) -> String {
        check(rules, line).expect_err(line).to_string()
    }

    #[test]
    fn a_line_names_its_own_setup() {
        let ready = check(&rules(), r#"{"MessageGroupId":"EventSetup_7"}"#).unwrap();
        assert_eq!(ready.group.as_deref(), Some("EventSetup_7"));
        assert_eq!(ready.size, ready.draft.body().len());
    }

    #[test]
    fn the_given_setup_serves_lines_without_one_and_must_not_differ() {
        let group = |line| check(&for_setup_7(), line).unwrap().group.unwrap();
        assert_eq!(&*group("{}"), "EventSetup_7");
        assert_eq!(
            &*group(r#"{"MessageGroupId":"EventSetup_7"}"#),
            "EventSetup_7"
        );
        assert_eq!(
            error(&for_setup_7(), r#"{"MessageGroupId":"EventSetup_8"}"#),
            "`MessageGroupId` is `EventSetup_8`, but the event setup given for all lines makes it `EventSetup_7`"
        );
    }

    #[test]
    fn a_line_without_a_setup_is_bad_on_a_fifo_queue() {
        assert_eq!(
            error(&rules(), "{}"),
            "names no event setup: it has no `MessageGroupId`, and no event setup is given for all lines"
        );
        for group in ["", "EventSetup_", "other", "EventSetup_\u{e9}"] {
            let line = format!(r#"{{"MessageGroupId":"{group}"}}"#);
            assert_eq!(
                check(&for_setup_7(), &line),
                Err(BadLine::NotASetup),
                "{group}"
            );
        }
    }

    #[test]
    fn a_standard_queue_needs_no_setup_and_gets_no_fifo_keys() {
        let standard = Rules {
            fifo: false,
            ..rules()
        };
        let ready = check(&standard, r#"{"msg_id":"m","event_datetime":"t"}"#).unwrap();
        assert_eq!(ready.group, None);
        assert_eq!(ready.draft.body(), r#"{"msg_id":"m","event_datetime":"t"}"#);
    }

    #[test]
    fn what_is_no_event_is_told_as_such() {
        assert_eq!(
            error(&for_setup_7(), r#"{"mkt_id":"1"}"#),
            "`mkt_id` must be an integer, found a string"
        );
    }

    #[test]
    fn a_character_that_sqs_refuses_is_found_before_sending() {
        assert_eq!(
            error(&for_setup_7(), "{\"a\":\"\u{ffff}\"}"),
            "character U+FFFF at byte 6 cannot be sent: Amazon SQS takes the characters of XML 1.0 only, \
             write it as a JSON escape"
        );
        assert!(check(&for_setup_7(), r#"{"a":"\uffff\u0000"}"#).is_ok());
    }

    #[test]
    fn a_message_leaves_room_for_its_dead_letter_record() {
        let rules = Rules {
            limit: 100_000,
            attributes_size: 100,
            ..for_setup_7()
        };
        let line = |size: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(size));
        let empty = check(&rules, &line(0)).unwrap().size;
        let most = 100_000 - DEAD_LETTER_ROOM - empty;
        assert_eq!(
            check(&rules, &line(most)).unwrap().size,
            100_000 - DEAD_LETTER_ROOM
        );
        assert_eq!(
            error(&rules, &line(most + 1)),
            "83617 bytes with its attributes, but the queue takes 100000, \
             of which 16384 stay free for the record of a dead letter"
        );
    }

    #[test]
    fn a_queue_for_small_messages_still_takes_some() {
        let rules = Rules {
            limit: 1024,
            ..for_setup_7()
        };
        assert!(check(&rules, "{}").is_ok());
    }
}
