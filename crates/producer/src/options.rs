//! What the caller asks of a send.

use std::collections::BTreeMap;

use event::{DedupClock, EVENT_NAME, InvalidSetup, Scope, Share, group_of_setup, is_header_text};
use queue::limits::batch_bytes;
use queue::{Attribute, DedupScope, Queue};

use crate::ids::{Ids, InputName};
use crate::line::Rules;
use crate::plan::Limits;

/// Longest event name, in bytes: it becomes a header of the request to the callback.
const MAX_EVENT_NAME: usize = 256;

/// Lines of look-ahead: how far a busy group may hold the others back, and how much may lie sent beyond an unsent line.
const LOOK_AHEAD_LINES: usize = 10_000;

/// Bytes of look-ahead.
const LOOK_AHEAD_BYTES: usize = 16 * 1024 * 1024;

/// How to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendOptions {
    /// The id of the event setup of all lines that name none.
    pub event_setup: Option<String>,
    /// The name of the event, sent as the message attribute `event`.
    pub event_name: Option<String>,
    /// Which milliseconds this process uses for deduplication ids.
    pub share: Share,
    /// The first line to send; those before are skipped unread.
    pub from_line: u64,
    /// What the input is known by: lines without a `msg_id` get one that is the same when the input is sent again. An
    /// input without a name gets fresh ones each time.
    pub input: Option<InputName>,
}

impl Default for SendOptions {
    fn default() -> Self {
        Self {
            event_setup: None,
            event_name: None,
            share: Share::ALL,
            from_line: 1,
            input: None,
        }
    }
}

/// Options that cannot be followed, or a file that cannot be read from its start again.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The event setup given names no message group.
    #[error(transparent)]
    EventSetup(#[from] InvalidSetup),
    /// The event name cannot be a message attribute and a header.
    #[error(
        "the event name must be 1 to {MAX_EVENT_NAME} printable ASCII characters, the first and last no space"
    )]
    EventName,
    /// A strict send reads its file twice.
    #[error("the input cannot be read a second time: {0}")]
    Rewind(#[source] std::io::Error),
}

impl SendOptions {
    pub(crate) fn attributes(&self) -> Result<BTreeMap<String, Attribute>, SendError> {
        let Some(name) = &self.event_name else {
            return Ok(BTreeMap::new());
        };
        if name.len() > MAX_EVENT_NAME || !is_header_text(name) {
            return Err(SendError::EventName);
        }
        Ok(BTreeMap::from([(
            EVENT_NAME.to_owned(),
            Attribute::string(name),
        )]))
    }

    pub(crate) fn rules(&self, queue: &Queue) -> Result<Rules, SendError> {
        let group = self
            .event_setup
            .as_deref()
            .map(group_of_setup)
            .transpose()?;
        let attributes = self.attributes()?;
        Ok(Rules {
            fifo: queue.attributes().fifo,
            ids: Ids::new(self.input, self.event_name.as_deref()),
            group,
            limit: queue.attributes().maximum_message_size,
            attributes_size: attributes.iter().map(|(name, a)| a.size(name)).sum(),
        })
    }

    pub(crate) fn clock(&self, queue: &Queue) -> DedupClock {
        let scope = match queue.attributes().dedup_scope {
            DedupScope::MessageGroup => Scope::MessageGroup,
            DedupScope::Queue => Scope::Queue,
        };
        DedupClock::new(scope, self.share)
    }
}

/// The bounds of a send to this queue.
pub(crate) fn limits(queue: &Queue) -> Limits {
    Limits {
        lines: LOOK_AHEAD_LINES,
        bytes: LOOK_AHEAD_BYTES,
        batch_bytes: batch_bytes(queue.attributes().maximum_message_size),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> SendOptions {
        SendOptions {
            event_name: Some(name.to_owned()),
            ..SendOptions::default()
        }
    }

    #[test]
    fn an_event_name_becomes_a_string_attribute() {
        let attributes = named("talent_created").attributes().unwrap();
        assert_eq!(attributes["event"], Attribute::string("talent_created"));
    }

    #[test]
    fn an_event_name_that_no_header_takes_is_refused() {
        for name in ["", "a\nb", "caf\u{e9}", &"x".repeat(257)] {
            assert!(named(name).attributes().is_err(), "{name:?}");
        }
    }
}
