//! Where a replay goes, and what is sent there.

use std::collections::BTreeMap;

use delivery::{DEAD_LETTER, Origin, REPLAY, Replay};
use event::{EVENT_NAME, Event};
use queue::{Attribute, Outgoing, Queue, is_same_url, with_record};
use uuid::Uuid;

use crate::breakage::Breakage;
use crate::{Fate, Letter};

/// Why a letter cannot be sent to a target. What to do about it depends on where a person is asked: each face says it
/// ([`Target::worded`]).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsendable {
    /// It is of another queue, this one, and the target takes its own only.
    #[error("it came from another queue, {0}")]
    OfAnotherQueue(String),
    /// What the worker wrote on it cannot be read, and why.
    #[error("{0}; its group and its history are unknown")]
    Unreadable(String),
    /// The target is a FIFO queue, and the letter has no group.
    #[error("it has no message group, and a FIFO queue needs one")]
    WithoutGroup,
    /// The letter alone fills a message.
    #[error(
        "body and attributes fill the {most} bytes that {queue} takes: there is no room for its history"
    )]
    WithoutRoom {
        /// The queue's `MaximumMessageSize`, in bytes.
        most: usize,
        /// The URL of the queue.
        queue: String,
    },
}

/// The queue that replayed events are sent to.
#[derive(Debug, Clone)]
pub struct Target {
    queue: Queue,
    /// Letters of other queues are refused.
    only_its_own: bool,
    /// How a person is told that a letter cannot be sent.
    words: fn(&Unsendable) -> String,
}

impl Target {
    /// The source queue. Letters that came from another queue are not sent there.
    pub fn source(queue: Queue) -> Self {
        Self {
            queue,
            only_its_own: true,
            words: Unsendable::to_string,
        }
    }

    /// A queue that the engineer names: everything goes there.
    pub fn named(queue: Queue) -> Self {
        Self {
            queue,
            only_its_own: false,
            words: Unsendable::to_string,
        }
    }

    /// The same, with a face's own words for why a letter cannot be sent: what is wrong, and the mend.
    pub fn worded(self, words: fn(&Unsendable) -> String) -> Self {
        Self { words, ..self }
    }

    pub(crate) fn in_words(&self, why: &Unsendable) -> String {
        (self.words)(why)
    }

    /// The queue.
    pub fn queue(&self) -> &Queue {
        &self.queue
    }

    /// The message that a replay of this letter sends: the same body and attributes, the group of the event, what
    /// `hooklane.replay` carries of its earlier lives, and a deduplication id that swallows a repetition of this
    /// replay but not the replay of a new death (`docs/DECISIONS.md`, "A replay keeps its first life").
    ///
    /// # Errors
    /// Why this letter cannot be sent there.
    pub fn outgoing(&self, letter: &Letter) -> Result<Outgoing, Unsendable> {
        self.takes(letter)?;
        let replay = replay_of(letter)?;
        let (group, deduplication_id) = if self.queue.is_fifo() {
            let group = letter.group().map(str::to_owned);
            let group = group.ok_or(Unsendable::WithoutGroup)?;
            let id = format!("{}~r", letter.message.message_id);
            let id = if Breakage::FreshReplayId.is_made() {
                format!("{id}{}", Uuid::new_v4())
            } else {
                id
            };
            (Some(group), Some(id))
        } else if letter.is_ordered() {
            // What kept an order means nothing there.
            (None, None)
        } else {
            // A tenant.
            (letter.group().map(str::to_owned), None)
        };
        let body = String::from_utf8_lossy(&letter.message.body).into_owned();
        Ok(Outgoing {
            attributes: self.attributes(letter, &replay, body.len())?,
            body,
            group,
            deduplication_id,
        })
    }

    fn takes(&self, letter: &Letter) -> Result<(), Unsendable> {
        match &letter.fate {
            Fate::Recorded(record)
                if self.only_its_own && !is_same_url(&record.source_queue, self.queue.url()) =>
            {
                Err(Unsendable::OfAnotherQueue(record.source_queue.clone()))
            }
            Fate::Unreadable(problem) => Err(Unsendable::Unreadable(problem.clone())),
            _ => Ok(()),
        }
    }

    fn attributes(
        &self,
        letter: &Letter,
        replay: &Replay,
        body: usize,
    ) -> Result<BTreeMap<String, Attribute>, Unsendable> {
        // Should there be one too many, the event's name is not the one that goes.
        let own = letter
            .message
            .own_attributes(&[DEAD_LETTER, REPLAY], EVENT_NAME);
        let most = self.queue.attributes().maximum_message_size;
        let carried = with_record(&own, body, most, REPLAY, |room| replay.to_json_within(room));
        carried.ok_or_else(|| Unsendable::WithoutRoom {
            most,
            queue: self.queue.url().to_owned(),
        })
    }
}

/// What the letter's next life carries of the earlier ones.
fn replay_of(letter: &Letter) -> Result<Replay, Unsendable> {
    match &letter.fate {
        Fate::Recorded(record) => Ok(Replay::of(record.clone())),
        Fate::Backstop(Some(replay)) => Ok(Replay {
            replays: replay.replays.saturating_add(1),
            ..replay.clone()
        }),
        Fate::Backstop(None) => Ok(Replay::new(1, origin_of(letter))),
        Fate::Unreadable(problem) => Err(Unsendable::Unreadable(problem.clone())),
    }
}

/// What can be known of a letter that the native redrive moved: it keeps the MessageId and the group, and the body
/// may hold the deduplication id.
pub(crate) fn origin_of(letter: &Letter) -> Origin {
    let message = &letter.message;
    let event = Event::parse(&message.body).ok();
    let deduplication_id = event.as_ref().and_then(Event::deduplication_id);
    Origin {
        message_id: message.message_id.clone(),
        sequence_number: None,
        deduplication_id: deduplication_id.map(str::to_owned),
        group: message.group.clone(),
        sent_at: message.sent_at,
    }
}
