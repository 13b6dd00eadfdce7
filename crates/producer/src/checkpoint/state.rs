//! What a checkpoint holds, and how it is written: a line that says what it belongs to, then one per change.

use std::collections::{BTreeMap, BTreeSet};

use event::Timestamp;
use serde::{Deserialize, Serialize};

use crate::reader::Place;

/// What a checkpoint belongs to. A send goes on from it only where all of this is the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bound {
    /// The URL of the queue.
    pub queue: String,
    /// The event setup of lines that name none.
    pub event_setup: Option<String>,
    /// The name of the events.
    pub event: Option<String>,
    /// The name by which the ids of lines without a `msg_id` are derived.
    pub input: String,
    /// Bytes of the file.
    pub size: u64,
    /// When the file was last written to, in nanoseconds since 1970.
    pub modified_ns: u64,
}

/// Why a checkpoint does not fit the send that would go on from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Difference {
    /// The file has another size or time, or other bytes where it was read already.
    #[error("the file was changed since")]
    File,
    /// Another queue.
    #[error("it was sent to another queue")]
    Queue,
    /// Another event setup for lines that name none, or another event name.
    #[error("it was sent with another --event-setup or --event")]
    Options,
    /// Another name by which ids are derived: the lines that are left would get ids of another input.
    #[error("it was sent with another --input-name, or with none")]
    InputName,
}

impl Bound {
    /// What is not as it was. A name of the input that nobody gave may differ, since what was noted stays.
    pub fn differs(&self, now: &Self) -> Option<Difference> {
        if (self.size, self.modified_ns) != (now.size, now.modified_ns) {
            Some(Difference::File)
        } else if self.queue != now.queue {
            Some(Difference::Queue)
        } else if (&self.event_setup, &self.event) != (&now.event_setup, &now.event) {
            Some(Difference::Options)
        } else {
            None
        }
    }
}

/// The first line of a checkpoint.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    hooklane_send_checkpoint: u32,
    #[serde(flatten)]
    bound: Bound,
}

/// A change; the first one of a file is the whole state.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Change {
    /// All lines before this one are settled.
    pub(crate) from: u64,
    /// Up to where the file was read.
    pub(crate) read: Place,
    /// Lines that go to the queue now, with their deduplication ids.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) out: Vec<(u64, Option<Timestamp>)>,
    /// Lines that need not go any more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) done: Vec<u64>,
}

/// How far a send is. It has as many lines as the look-ahead at most.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct State {
    /// All lines before this one are settled.
    pub(crate) from: u64,
    /// Up to where the file was read.
    pub(crate) read: Place,
    /// Lines that the queue may have or not, with their deduplication ids: by these it knows them again.
    pub(crate) out: BTreeMap<u64, Option<Timestamp>>,
    /// Settled lines from `from` on.
    pub(crate) done: BTreeSet<u64>,
}

impl State {
    pub(crate) fn apply(&mut self, change: Change) {
        (self.from, self.read) = (change.from, change.read);
        self.out.extend(change.out);
        for line in change.done {
            self.out.remove(&line);
            self.done.insert(line);
        }
        self.done = self.done.split_off(&self.from);
    }

    /// The whole of it.
    pub(crate) fn as_change(&self) -> Change {
        Change {
            from: self.from,
            read: self.read,
            out: self.out.iter().map(|(&line, &id)| (line, id)).collect(),
            done: self.done.iter().copied().collect(),
        }
    }
}

/// A line of a checkpoint, with its line end.
pub(crate) fn line(change: &Change) -> String {
    json(change) + "\n"
}

/// The first line of a checkpoint, with its line end.
pub(crate) fn header(bound: &Bound) -> String {
    let header = Header {
        hooklane_send_checkpoint: 1,
        bound: bound.clone(),
    };
    json(&header) + "\n"
}

fn json(value: &impl Serialize) -> String {
    // Neither holds a map with keys that are no text, the only thing that could fail.
    serde_json::to_string(value).unwrap_or_default()
}

/// Reads a checkpoint; none if the text is no whole one. A last line without its end was being written when the
/// machine died: it did not count yet.
pub(crate) fn parse(text: &str) -> Option<(Bound, State)> {
    let whole = &text[..text.rfind('\n')?];
    let mut lines = whole.lines();
    let header: Header = serde_json::from_str(lines.next()?).ok()?;
    if header.hooklane_send_checkpoint != 1 {
        return None;
    }
    let mut state = State::default();
    for line in lines {
        state.apply(serde_json::from_str(line).ok()?);
    }
    // Lines are counted from 1: without a single change there is no state.
    (state.from > 0).then_some((header.bound, state))
}
