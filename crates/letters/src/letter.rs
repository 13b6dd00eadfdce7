//! One dead letter: the message as it lies in the internal queue, and what it says of itself.

use delivery::{Attempt, DEAD_LETTER, DeadLetter, REPLAY, Reason, Replay};
use event::{Event, Timestamp};
use queue::Received;
use url::Url;

/// A dead letter, read. Whatever its attributes hold, it is shown: nothing is lost by being malformed.
#[derive(Debug, Clone)]
pub struct Letter {
    /// The message, held by the scan.
    pub message: Received,
    /// How it came here.
    pub fate: Fate,
}

/// How an event came to the internal queue.
#[derive(Debug, Clone)]
pub enum Fate {
    /// The worker sent it, with its record.
    Recorded(DeadLetter),
    /// The native redrive moved it: no reason, no attempts. A replayed one still carries its earlier lives; one that
    /// was exported and put back, who it was, with no replays.
    Backstop(Option<Replay>),
    /// It has no record that can be read; why.
    Unreadable(String),
}

impl Letter {
    /// Reads what a message says of itself.
    pub fn read(message: Received) -> Self {
        let fate = match message.attributes.get(DEAD_LETTER) {
            Some(attribute) => match attribute.as_str().map(DeadLetter::parse) {
                Some(Ok(record)) => Fate::Recorded(record),
                Some(Err(error)) => {
                    Fate::Unreadable(format!("{DEAD_LETTER} cannot be read: {error}"))
                }
                None => Fate::Unreadable(format!("{DEAD_LETTER} is not text")),
            },
            None if is_own_group(&message) => Fate::Unreadable(
                "it was sent without its record: its body left no room for one".to_owned(),
            ),
            None => Fate::Backstop(replay(&message)),
        };
        Self { message, fate }
    }

    /// The event's first MessageId, under which people know it.
    pub fn id(&self) -> &str {
        match &self.fate {
            Fate::Recorded(record) => &record.origin.message_id,
            Fate::Backstop(Some(replay)) => &replay.origin.message_id,
            // The native redrive keeps the MessageId.
            Fate::Backstop(None) | Fate::Unreadable(_) => &self.message.message_id,
        }
    }

    /// Says whether this is the letter somebody asks for, by the event's first MessageId or the present one.
    pub fn is(&self, id: &str) -> bool {
        [self.id(), &self.message.message_id].contains(&id)
    }

    /// Why it is here.
    pub fn reason(&self) -> Reason {
        match &self.fate {
            Fate::Recorded(record) => record.reason,
            Fate::Backstop(_) => Reason::ReceiveCountExceeded,
            Fate::Unreadable(_) => Reason::Other,
        }
    }

    /// What is wrong with the letter itself.
    pub fn problem(&self) -> Option<&str> {
        match &self.fate {
            Fate::Unreadable(problem) => Some(problem),
            _ => None,
        }
    }

    /// The message group of the event in its source queue.
    pub fn group(&self) -> Option<&str> {
        match &self.fate {
            Fate::Recorded(record) => record.origin.group.as_deref(),
            Fate::Backstop(Some(replay)) => replay.origin.group.as_deref(),
            Fate::Backstop(None) | Fate::Unreadable(_) => self.message.group.as_deref(),
        }
    }

    /// The same, where the group keeps an order: on a standard queue it is a tenant.
    pub fn ordered_group(&self) -> Option<&str> {
        self.group().filter(|_| self.is_ordered())
    }

    /// Whether the event came from a FIFO queue, or lies in one.
    pub(crate) fn is_ordered(&self) -> bool {
        let was_ordered = match &self.fate {
            Fate::Recorded(record) => record.origin.is_ordered(),
            Fate::Backstop(replay) => replay.as_ref().is_some_and(|r| r.origin.is_ordered()),
            Fate::Unreadable(_) => false,
        };
        was_ordered || self.message.is_ordered()
    }

    /// The group that the native redrive left it in, where a FIFO queue shows only the first ten.
    pub fn shared_group(&self) -> Option<&str> {
        match &self.fate {
            Fate::Backstop(_) if self.message.is_ordered() => self.message.group.as_deref(),
            _ => None,
        }
    }

    /// The attempts of all its lives that are still on record, oldest first.
    pub fn attempts(&self) -> &[Attempt] {
        match &self.fate {
            Fate::Recorded(record) => &record.attempts,
            Fate::Backstop(Some(replay)) => &replay.attempts,
            Fate::Backstop(None) | Fate::Unreadable(_) => &[],
        }
    }

    /// How many attempts there were. Each carries its number, so those that were trimmed from a life count too.
    pub fn attempts_made(&self) -> u32 {
        let attempts = self.attempts();
        let last_of_life = attempts.iter().enumerate().filter(|(at, attempt)| {
            let next = attempts.get(at + 1);
            next.is_none_or(|next| next.life != attempt.life)
        });
        // Upstream systems can write such a record too: whatever it says is no reason to panic.
        last_of_life.fold(0, |made, (_, attempt)| made.saturating_add(attempt.n))
    }

    /// How many lives it had before this one.
    pub fn replays(&self) -> u32 {
        match &self.fate {
            Fate::Recorded(record) => record.replays,
            Fate::Backstop(Some(replay)) => replay.replays,
            Fate::Backstop(None) | Fate::Unreadable(_) => 0,
        }
    }

    /// Which of the letters of one event is the newer: the latest life, and of one life the last to be set aside.
    pub fn life(&self) -> (u32, Timestamp) {
        (self.replays(), self.at())
    }

    /// What it holds, in bytes: body and attributes.
    pub fn size(&self) -> usize {
        let attributes = self.message.attributes.iter();
        self.message.body.len() + attributes.map(|(name, a)| a.size(name)).sum::<usize>()
    }

    /// When the event was first sent. Unknown if the native redrive moved it within FIFO queues: that starts
    /// its time anew.
    pub fn sent_at(&self) -> Option<Timestamp> {
        match &self.fate {
            Fate::Recorded(record) => Some(record.origin.sent_at),
            Fate::Backstop(Some(replay)) if replay.replays > 0 => Some(replay.origin.sent_at),
            Fate::Backstop(_) if !self.message.is_ordered() => Some(self.moved_at()),
            Fate::Backstop(_) | Fate::Unreadable(_) => None,
        }
    }

    /// When it was set aside. Unknown if the native redrive moved it within standard queues.
    pub fn dead_at(&self) -> Option<Timestamp> {
        match &self.fate {
            Fate::Recorded(record) => Some(record.dead_at),
            Fate::Backstop(_) if !self.message.is_ordered() => None,
            Fate::Backstop(_) => Some(self.moved_at()),
            Fate::Unreadable(_) => Some(self.message.sent_at),
        }
    }

    /// The moment by which it is ordered and filtered: when it was set aside, or where that is unknown, when its
    /// message was sent.
    pub fn at(&self) -> Timestamp {
        self.dead_at().unwrap_or(self.moved_at())
    }

    /// When the message was sent here, the time before an import included.
    pub(crate) fn moved_at(&self) -> Timestamp {
        match &self.fate {
            Fate::Backstop(Some(replay)) if replay.replays == 0 => replay.origin.sent_at,
            _ => self.message.sent_at,
        }
    }

    /// The place in the order of people: by time of death, then as they were sent; numbers of more digits later.
    pub fn order(&self) -> (Timestamp, usize, String) {
        let sequence_number = match &self.fate {
            Fate::Recorded(record) => record.origin.sequence_number.clone(),
            _ => self.message.sequence_number.clone(),
        };
        let number = sequence_number.unwrap_or_default();
        let number = number.trim_start_matches('0');
        (self.at(), number.len(), number.to_owned())
    }

    /// The event's own id, if the body has one.
    pub fn msg_id(&self) -> Option<String> {
        let event = Event::parse(&self.message.body).ok()?;
        event.msg_id().map(str::to_owned)
    }

    /// The event's name.
    pub fn event(&self) -> Option<&str> {
        self.message.text_attribute(event::EVENT_NAME)
    }

    /// Where it was to go.
    pub fn callback(&self) -> Option<&str> {
        match &self.fate {
            Fate::Recorded(record) => record.callback.as_deref(),
            _ => None,
        }
    }

    /// The host of [`Letter::callback`], with its port unless that is the usual one of its scheme.
    pub fn callback_host(&self) -> Option<String> {
        let url = Url::parse(self.callback()?).ok()?;
        let host = url.host_str()?;
        Some(match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        })
    }
}

/// A group of one that the worker made: it ends in the deduplication id the worker gave.
fn is_own_group(message: &Received) -> bool {
    let stem = match (&message.group, &message.deduplication_id) {
        (Some(group), Some(id)) => group.strip_suffix(first_id(id)),
        _ => None,
    };
    stem.is_some_and(|stem| stem.ends_with('#'))
}

/// What stands between the deduplication id of a letter in a group of its own and what was added when it was put
/// back. A MessageId has no such character.
const PUT_BACK: &str = "~i";

/// The deduplication id with which a letter was sent by the worker.
fn first_id(id: &str) -> &str {
    id.split_once(PUT_BACK).map_or(id, |(first, _)| first)
}

/// A deduplication id for a letter that is put back: a fresh one, of which it can still be told that the group is
/// the letter's own.
pub(crate) fn put_back_id(message: &Received, fresh_id: &str) -> String {
    match &message.deduplication_id {
        Some(id) if is_own_group(message) => format!("{}{PUT_BACK}{fresh_id}", first_id(id)),
        _ => fresh_id.to_owned(),
    }
}

fn replay(message: &Received) -> Option<Replay> {
    Replay::parse(message.text_attribute(REPLAY)?).ok()
}
