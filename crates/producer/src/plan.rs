//! Decides which events may go next: the pure core of the producer.
//!
//! Of every group only the oldest unsent event is on its way. While a line fails, nothing later than it is sent for the
//! first time and no further line is admitted, so that little is sent beyond a line that stays unsent.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use event::{DedupClock, Slot, Timestamp};
use queue::limits::AGAIN_WITHIN;
use queue::{MAX_BATCH, QueueError};

use crate::breakage::Breakage;
use crate::line::Ready;
use crate::window::Window;

const FIRST_BACKOFF: Duration = Duration::from_millis(100);
const LONGEST_BACKOFF: Duration = Duration::from_secs(10);

/// Bounds of what is held in memory and of one call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Lines from the oldest unsent one to the newest admitted.
    pub(crate) lines: usize,
    /// Bytes of admitted, unsettled messages; the last one admitted may exceed it.
    pub(crate) bytes: usize,
    /// Bytes of all messages of one batch.
    pub(crate) batch_bytes: usize,
}

/// The present, on both clocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// The wall clock, for deduplication ids.
    pub(crate) wall: Timestamp,
    /// Time since the start on a clock that never steps, for waits.
    pub(crate) elapsed: Duration,
}

/// An event as it goes to the queue.
#[derive(Debug)]
pub(crate) struct Sendable {
    pub(crate) line: u64,
    pub(crate) body: String,
    pub(crate) group: Option<String>,
    pub(crate) deduplication_id: Option<Timestamp>,
}

/// What one attempt of one event meant.
#[derive(Debug, Clone)]
pub(crate) enum Verdict {
    /// The queue has it.
    Sent,
    /// It will never be taken; its group goes on without it.
    Refused,
    /// The call was refused as a whole, and another event may be at fault.
    RefusedTogether,
    /// It may be taken later.
    Failed {
        /// Why it was not.
        error: String,
        /// Whether it may have been nevertheless.
        in_doubt: bool,
    },
    /// Nothing more is sent, nor was this.
    Halted(Halt),
}

impl Verdict {
    /// Whether the event need not go to the queue again.
    pub(crate) const fn is_final(&self) -> bool {
        matches!(self, Self::Sent | Self::Refused)
    }
}

/// Why nothing more is sent.
#[derive(Debug, Clone)]
pub(crate) enum Halt {
    /// A line had no success for [`AGAIN_WITHIN`].
    GaveUp { line: u64, error: String },
    /// The wall clock was stepped back by more than [`AGAIN_WITHIN`].
    ClockBehind { by: Duration },
    /// The queue refuses everything.
    Queue(QueueError),
    /// What is sent could not be noted before.
    Checkpoint(String),
    /// The caller asked for it.
    Asked,
}

/// A message group, or a single line of a standard queue, where no order is kept.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Group(Arc<str>),
    Line(u64),
}

#[derive(Debug)]
struct Entry {
    line: u64,
    ready: Ready,
    /// Kept over all attempts: by it Amazon SQS recognises what it already has.
    deduplication_id: Option<Timestamp>,
    attempts: u32,
    first_attempt: Duration,
    alone: bool,
    in_doubt: bool,
}

/// Events on their way.
pub(crate) struct Plan {
    limits: Limits,
    clock: DedupClock,
    window: Window,
    /// All unsettled events, oldest first; the head of a group is in exactly one of the next three.
    groups: HashMap<Key, VecDeque<Entry>>,
    /// Heads that may go now.
    sendable: BTreeMap<u64, Key>,
    /// Heads that may go later, by the time since the start.
    timers: BTreeMap<(Duration, u64), Key>,
    in_flight: HashMap<u64, Key>,
    failing: BTreeSet<u64>,
    bytes: usize,
    halt: Option<Halt>,
}

impl Plan {
    pub(crate) fn new(limits: Limits, clock: DedupClock) -> Self {
        Self {
            limits,
            clock,
            window: Window::default(),
            groups: HashMap::new(),
            sendable: BTreeMap::new(),
            timers: BTreeMap::new(),
            in_flight: HashMap::new(),
            failing: BTreeSet::new(),
            bytes: 0,
            halt: None,
        }
    }

    /// Whether one more line may be admitted.
    pub(crate) fn has_room(&self) -> bool {
        self.halt.is_none()
            && self.failing.is_empty()
            && self.window.len() < self.limits.lines
            && self.bytes < self.limits.bytes
    }

    /// Takes in the event of a line later than all before.
    pub(crate) fn admit(&mut self, line: u64, mut ready: Ready, at: Moment) {
        let key = match &ready.group {
            Some(group) if !Breakage::GroupInOneBatch.is_made() => Key::Group(Arc::clone(group)),
            _ => Key::Line(line),
        };
        self.window.admit(line);
        self.bytes += ready.size;
        let sent_as = ready.sent_as;
        if let Some(id) = sent_as {
            ready.draft.stamp(id);
        }
        let group = self.groups.entry(key.clone()).or_default();
        group.push_back(Entry {
            line,
            ready,
            deduplication_id: sent_as,
            attempts: 0,
            first_attempt: Duration::ZERO,
            alone: false,
            in_doubt: false,
        });
        if group.len() == 1 {
            self.promote(&key, at);
        }
    }

    /// Lets heads go whose time has come.
    pub(crate) fn wake(&mut self, at: Moment) {
        while let Some(timer) = self.timers.first_entry()
            && timer.key().0 <= at.elapsed
        {
            let key = timer.remove();
            self.promote(&key, at);
        }
    }

    /// When [`Plan::wake`] has something to do, as time since the start.
    pub(crate) fn next_timer(&self) -> Option<Duration> {
        let (&(at, _), _) = self.timers.first_key_value()?;
        self.halt.is_none().then_some(at)
    }

    /// Whether the head of the group may go now, and if not, when.
    fn promote(&mut self, key: &Key, at: Moment) {
        let Some(head) = self.groups.get_mut(key).and_then(VecDeque::front_mut) else {
            self.groups.remove(key);
            return;
        };
        if let (Some(group), None) = (&head.ready.group, head.deduplication_id) {
            let mut slot = self.clock.take(group, at.wall);
            while let (Slot::WaitUntil(then), true) = (slot, Breakage::ClockAhead.is_made()) {
                slot = self.clock.take(group, then);
            }
            match slot {
                Slot::Taken(id) => {
                    head.ready.draft.stamp(id);
                    head.deduplication_id = Some(id);
                }
                Slot::WaitUntil(then) => {
                    let wait = at.wall.until(then);
                    if wait > AGAIN_WITHIN {
                        self.halt(Halt::ClockBehind { by: wait });
                    }
                    let line = self.groups[key][0].line;
                    self.timers.insert((at.elapsed + wait, line), key.clone());
                    return;
                }
            }
        }
        self.sendable.insert(head.line, key.clone());
    }

    /// Whether [`Plan::next_batch`] has a batch, full or not.
    pub(crate) fn has_batch(&self) -> bool {
        !self.choose().0.is_empty()
    }

    /// The next batch to send, in the order of lines: full, or as full as it is if `partial`.
    pub(crate) fn next_batch(&mut self, partial: bool, at: Moment) -> Option<Vec<Sendable>> {
        let (lines, full) = self.choose();
        if lines.is_empty() || !(full || partial) {
            return None;
        }
        Some(lines.into_iter().map(|line| self.start(line, at)).collect())
    }

    /// The lines of the next batch, and whether it can hold no more.
    fn choose(&self) -> (Vec<u64>, bool) {
        let mut lines = Vec::new();
        let mut bytes = 0;
        if self.halt.is_some() {
            return (lines, false);
        }
        let first_failing = self.failing.first().copied().unwrap_or(u64::MAX);
        for (&line, key) in &self.sendable {
            let head = &self.groups[key][0];
            if head.attempts == 0 && line > first_failing {
                continue;
            }
            let fits = bytes + head.ready.size <= self.limits.batch_bytes && !head.alone;
            if !fits && !lines.is_empty() {
                return (lines, true);
            }
            lines.push(line);
            bytes += head.ready.size;
            if lines.len() == MAX_BATCH || head.alone {
                return (lines, true);
            }
        }
        (lines, false)
    }

    fn start(&mut self, line: u64, at: Moment) -> Sendable {
        let key = self
            .sendable
            .remove(&line)
            .expect("a chosen line is sendable");
        let head = self.groups.get_mut(&key).and_then(VecDeque::front_mut);
        let head = head.expect("a sendable line is the head of its group");
        if head.attempts == 0 {
            head.first_attempt = at.elapsed;
        }
        head.attempts += 1;
        self.in_flight.insert(line, key);
        Sendable {
            line,
            body: head.ready.draft.body().to_owned(),
            group: head.ready.group.as_deref().map(str::to_owned),
            deduplication_id: head.deduplication_id,
        }
    }

    /// Notes what became of an event of a batch.
    pub(crate) fn settle(&mut self, line: u64, verdict: Verdict, at: Moment) {
        let Some(key) = self.in_flight.remove(&line) else {
            return;
        };
        match verdict {
            Verdict::Sent => {
                self.window.sent(line);
                self.finish(&key, line, at);
            }
            Verdict::Refused => {
                self.window.refused(line);
                self.finish(&key, line, at);
            }
            Verdict::RefusedTogether => {
                if let Some(head) = self.head(&key) {
                    head.alone = true;
                }
                self.promote(&key, at);
            }
            Verdict::Failed { error, in_doubt } => self.postpone(key, line, error, in_doubt, at),
            Verdict::Halted(why) => {
                self.halt(why);
                self.promote(&key, at);
            }
        }
    }

    fn finish(&mut self, key: &Key, line: u64, at: Moment) {
        self.failing.remove(&line);
        let group = self.groups.get_mut(key);
        if let Some(done) = group.and_then(VecDeque::pop_front) {
            self.bytes -= done.ready.size;
        }
        self.promote(key, at);
    }

    fn postpone(&mut self, key: Key, line: u64, error: String, in_doubt: bool, at: Moment) {
        let Some(head) = self.head(&key) else {
            return;
        };
        head.in_doubt |= in_doubt;
        if Breakage::FreshIdOnRetry.is_made() {
            head.deduplication_id = None;
        }
        let give_up_at = head.first_attempt + AGAIN_WITHIN;
        let doublings = head.attempts.saturating_sub(1).min(16);
        let backoff = (FIRST_BACKOFF * (1 << doublings)).min(LONGEST_BACKOFF);
        if at.elapsed >= give_up_at {
            self.halt(Halt::GaveUp { line, error });
        }
        self.failing.insert(line);
        let again_at = (at.elapsed + backoff).min(give_up_at);
        self.timers.insert((again_at, line), key);
    }

    fn head(&mut self, key: &Key) -> Option<&mut Entry> {
        self.groups.get_mut(key)?.front_mut()
    }

    /// Sends nothing more; what is in flight is still to be settled. The first reason stays.
    pub(crate) fn halt(&mut self, why: Halt) {
        self.halt.get_or_insert(why);
    }

    /// Why nothing more is sent, if so.
    pub(crate) fn halted(&self) -> Option<&Halt> {
        self.halt.as_ref()
    }

    /// Whether nothing is left to do: all admitted lines are settled, or after a halt what was in flight is.
    pub(crate) fn is_done(&self) -> bool {
        self.in_flight.is_empty() && (self.halt.is_some() || self.groups.is_empty())
    }

    /// Whether any line waits for another attempt.
    pub(crate) fn is_failing(&self) -> bool {
        !self.failing.is_empty()
    }

    /// Lines from the oldest unsent one to the newest admitted.
    pub(crate) fn look_ahead(&self) -> usize {
        self.window.len()
    }

    /// The oldest admitted line that is not settled.
    pub(crate) fn unsent_from(&self) -> Option<u64> {
        self.window.unsent_from()
    }

    /// Lines that were sent although an earlier one was not.
    pub(crate) fn sent_beyond(&self) -> Vec<u64> {
        self.window.sent_beyond()
    }

    /// Unsent lines of which an attempt ended without an answer.
    pub(crate) fn in_doubt(&self) -> Vec<u64> {
        let heads = self.groups.values().filter_map(VecDeque::front);
        let mut lines: Vec<_> = heads.filter(|e| e.in_doubt).map(|e| e.line).collect();
        lines.sort_unstable();
        lines
    }
}

#[cfg(test)]
mod tests;
