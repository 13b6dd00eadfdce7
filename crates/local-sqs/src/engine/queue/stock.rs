//! The messages of one queue with everything that is counted or looked up about them. Messages come, go and change state
//! here and nowhere else, so order, timers, ages and counts always agree.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::super::groups::{GroupKey, Groups};
use super::super::message::{Message, State};
use super::super::{Seq, UnixMs};
use super::Counts;

#[derive(Debug)]
pub(super) struct Stock {
    fifo: bool,
    messages: HashMap<Seq, Message>,
    groups: Groups,
    /// When invisible messages become visible; one entry per invisible message.
    timers: BTreeSet<(UnixMs, Seq)>,
    /// All messages by age, for retention.
    by_age: BTreeSet<(UnixMs, Seq)>,
    in_flight: usize,
    delayed: usize,
    /// Bytes of bodies and attributes.
    bytes: usize,
    /// Receives that can be asked for again, by `ReceiveRequestAttemptId`. One ends with the first of its messages that
    /// is settled, changed or visible again, so there are never more than messages in flight.
    attempts: HashMap<Arc<str>, Attempt>,
}

#[derive(Debug, Clone)]
pub(super) struct Attempt {
    pub(super) at: UnixMs,
    pub(super) messages: Vec<Seq>,
}

impl Stock {
    pub(super) fn new(fifo: bool) -> Self {
        Self {
            fifo,
            messages: HashMap::new(),
            groups: Groups::default(),
            timers: BTreeSet::new(),
            by_age: BTreeSet::new(),
            in_flight: 0,
            delayed: 0,
            bytes: 0,
            attempts: HashMap::new(),
        }
    }

    pub(super) fn get(&self, seq: Seq) -> Option<&Message> {
        self.messages.get(&seq)
    }

    /// Up to `max` messages that may be delivered now, in order.
    pub(super) fn deliverable(&self, max: usize) -> Vec<Seq> {
        self.groups.deliverable(max)
    }

    pub(super) fn can_deliver(&self) -> bool {
        self.groups.can_deliver()
    }

    /// When the next message becomes visible.
    pub(super) fn next_visible(&self) -> Option<(UnixMs, Seq)> {
        self.timers.first().copied()
    }

    /// The message that has been here longest, and since when.
    pub(super) fn oldest(&self) -> Option<(UnixMs, Seq)> {
        self.by_age.first().copied()
    }

    pub(super) fn delayed(&self) -> impl Iterator<Item = &Message> {
        let waiting = self.timers.iter().filter_map(|(_, seq)| self.get(*seq));
        waiting.filter(|message| matches!(message.state, State::Delayed { .. }))
    }

    #[cfg(test)]
    pub(super) fn all(&self) -> Vec<&Message> {
        self.messages.values().collect()
    }

    pub(super) fn counts(&self) -> Counts {
        Counts {
            visible: self.messages.len() - self.in_flight - self.delayed,
            in_flight: self.in_flight,
            delayed: self.delayed,
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn attempt(&self, id: &str) -> Option<&Attempt> {
        self.attempts.get(id)
    }

    pub(super) fn remember_attempt(&mut self, id: Arc<str>, attempt: Attempt) {
        self.attempts.insert(id, attempt);
    }

    pub(super) fn put(&mut self, message: Message) {
        let (seq, state) = (message.seq, message.state);
        self.bytes += message.content.size();
        self.by_age.insert((message.enqueued_at, seq));
        let key = self.key(&message);
        self.groups.push(&key, seq, state == State::Visible);
        self.enter(seq, state);
        self.messages.insert(seq, message);
    }

    pub(super) fn take(&mut self, seq: Seq) -> Option<Message> {
        self.forget_attempt(seq);
        let message = self.messages.remove(&seq)?;
        self.bytes -= message.content.size();
        self.by_age.remove(&(message.enqueued_at, seq));
        let key = self.key(&message);
        self.groups.remove(&key, seq);
        self.leave(seq, message.state);
        Some(message)
    }

    pub(super) fn set_state(&mut self, seq: Seq, state: State) {
        if state == State::Visible {
            self.forget_attempt(seq);
        }
        let Some(message) = self.messages.get_mut(&seq) else {
            return;
        };
        let before = std::mem::replace(&mut message.state, state);
        let key = key(self.fifo, message);
        self.leave(seq, before);
        self.enter(seq, state);
        self.groups.set_visible(&key, seq, state == State::Visible);
    }

    /// Puts a message in flight under a new receive.
    pub(super) fn hand_out(
        &mut self,
        seq: Seq,
        receive: u64,
        attempt: Option<&Arc<str>>,
        now: UnixMs,
        until: UnixMs,
    ) {
        self.set_state(seq, State::InFlight { until });
        if let Some(message) = self.messages.get_mut(&seq) {
            message.receive = receive;
            message.receive_count += 1;
            message.received_at = now;
            message.first_received_at.get_or_insert(now);
            message.attempt = attempt.cloned();
        }
    }

    /// The receive that holds this message can no longer be asked for again.
    pub(super) fn forget_attempt(&mut self, seq: Seq) {
        let message = self.messages.get_mut(&seq);
        let Some(id) = message.and_then(|m| m.attempt.take()) else {
            return;
        };
        // The same id may have been used again for other messages, five minutes later.
        let holds = |attempt: &Attempt| attempt.messages.contains(&seq);
        if self.attempts.get(&id).is_some_and(holds) {
            self.attempts.remove(&id);
        }
    }

    fn enter(&mut self, seq: Seq, state: State) {
        match state {
            State::Visible => return,
            State::Delayed { .. } => self.delayed += 1,
            State::InFlight { .. } => self.in_flight += 1,
        }
        self.timers
            .extend(state.hidden_until().map(|until| (until, seq)));
    }

    fn leave(&mut self, seq: Seq, state: State) {
        match state {
            State::Visible => return,
            State::Delayed { .. } => self.delayed -= 1,
            State::InFlight { .. } => self.in_flight -= 1,
        }
        if let Some(until) = state.hidden_until() {
            self.timers.remove(&(until, seq));
        }
    }

    fn key(&self, message: &Message) -> GroupKey {
        key(self.fifo, message)
    }
}

/// Standard queues keep no order, even for messages with a group id (fair queues).
fn key(fifo: bool, message: &Message) -> GroupKey {
    match &message.group_id {
        Some(group) if fifo => GroupKey::Group(group.clone()),
        _ => GroupKey::Single(message.seq),
    }
}
