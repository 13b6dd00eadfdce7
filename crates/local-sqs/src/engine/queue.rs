//! One queue: messages, when they are visible, and who may settle them. Knows nothing of other queues.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::attributes::QueueAttributes;
use super::dedup::{Dedup, Original};
use super::error::SqsError;
use super::groups::{Groups, Lane};
use super::ids::Ids;
use super::message::{Message, Outgoing, State, hex, md5_of_attributes};
use super::receipt::Receipt;
use super::{Id, Seq, UnixMs};

/// Most messages in flight in one queue; beyond it a receive returns nothing.
pub const IN_FLIGHT_LIMIT: usize = 120_000;
/// Longest time a message can stay in flight after one receive, extensions included.
pub const MAX_VISIBILITY_S: i64 = 43_200;
/// How long a `ReceiveRequestAttemptId` is good for.
pub const ATTEMPT_INTERVAL_MS: u64 = 5 * 60 * 1000;
/// Shortest time between two purges of a queue.
pub const PURGE_INTERVAL_MS: u64 = 60 * 1000;

#[derive(Debug)]
pub(super) struct Queue {
    /// Unlike the name never used again.
    pub(super) number: u64,
    pub(super) name: String,
    pub(super) arn: Arc<str>,
    pub(super) created_at: UnixMs,
    pub(super) modified_at: UnixMs,
    pub(super) attributes: QueueAttributes,
    pub(super) tags: BTreeMap<String, String>,
    /// FIFO queues only.
    dedup: Option<Dedup>,
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
    /// Receives that can be asked for again. An entry lives while all its messages are in flight and untouched, so
    /// there are never more than messages in flight.
    attempts: HashMap<Arc<str>, Attempt>,
    purged_at: Option<UnixMs>,
}

#[derive(Debug)]
struct Attempt {
    at: UnixMs,
    messages: Vec<Seq>,
}

/// Numbers an engine gives out; shared by all its queues so that they never repeat.
#[derive(Debug)]
pub(super) struct Numbers {
    pub(super) ids: Ids,
    pub(super) seq: Seq,
    pub(super) receive: u64,
}

/// What a sender is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// `MessageId`; of the first message when this one was a duplicate.
    pub id: Id,
    /// `SequenceNumber`, FIFO queues only.
    pub seq: Option<Seq>,
    /// Digest of the body that was sent.
    pub md5_of_body: String,
    /// Digest of the message attributes that were sent.
    pub md5_of_attributes: Option<String>,
    /// Digest of the system attributes that were sent.
    pub md5_of_system_attributes: Option<String>,
}

/// One message handed out by a receive.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The message as it was at the receive.
    pub message: Message,
    /// `ReceiptHandle`.
    pub handle: String,
}

/// What a receive asks for, checked.
#[derive(Debug, Clone)]
pub(super) struct Ask<'a> {
    pub(super) max: usize,
    pub(super) visibility_s: u32,
    pub(super) attempt_id: Option<&'a str>,
    /// Move messages received this often instead of handing them out.
    pub(super) max_receive_count: Option<u32>,
}

/// `ApproximateNumberOfMessages` and its companions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Neither in flight nor delayed; messages behind a locked group count here.
    pub visible: usize,
    /// In flight.
    pub in_flight: usize,
    /// Waiting for their delay to end.
    pub delayed: usize,
}

impl Queue {
    pub(super) fn new(
        number: u64,
        name: &str,
        arn: Arc<str>,
        attributes: QueueAttributes,
        now: UnixMs,
    ) -> Self {
        Self {
            number,
            name: name.to_owned(),
            arn,
            created_at: now,
            modified_at: now,
            dedup: attributes
                .fifo
                .then(|| Dedup::new(attributes.deduplicates_per_group())),
            attributes,
            tags: BTreeMap::new(),
            messages: HashMap::new(),
            groups: Groups::default(),
            timers: BTreeSet::new(),
            by_age: BTreeSet::new(),
            in_flight: 0,
            delayed: 0,
            bytes: 0,
            attempts: HashMap::new(),
            purged_at: None,
        }
    }

    // ---- time -------------------------------------------------------------------------------------------------------

    /// Does what time alone does: ends invisibility and delays, drops what is past retention, forgets deduplication ids.
    pub(super) fn advance(&mut self, now: UnixMs) {
        while let Some(&(due, seq)) = self.timers.first()
            && due <= now
        {
            self.set_state(seq, State::Visible);
        }
        while let Some(&(enqueued_at, seq)) = self.by_age.first()
            && enqueued_at + self.retention_ms() <= now
        {
            self.take(seq);
        }
        if let Some(dedup) = &mut self.dedup {
            dedup.advance(now);
        }
    }

    /// The next moment at which time alone changes what can be received.
    pub(super) fn next_due(&self) -> Option<UnixMs> {
        let timer = self.timers.first().map(|(due, _)| *due);
        let expiry = self
            .by_age
            .first()
            .map(|(enqueued_at, _)| enqueued_at + self.retention_ms());
        timer.into_iter().chain(expiry).min()
    }

    fn retention_ms(&self) -> u64 {
        u64::from(self.attributes.retention_s) * 1000
    }

    // ---- send -------------------------------------------------------------------------------------------------------

    pub(super) fn send(
        &mut self,
        outgoing: Outgoing,
        numbers: &mut Numbers,
        now: UnixMs,
    ) -> Result<Sent, SqsError> {
        outgoing.check_content()?;
        self.check_size(&outgoing)?;
        let delay_s = self.delay_of(&outgoing)?;
        let deduplication_id = self.deduplication_id_of(&outgoing)?;

        let group_id: Option<Arc<str>> = outgoing.group_id.as_deref().map(Into::into);
        let content = Arc::new(outgoing.into_content());
        let original = match (&self.dedup, &group_id, &deduplication_id) {
            (Some(dedup), Some(group), Some(id)) => dedup.find(group, id),
            _ => None,
        };
        let Original { id, seq } = original.unwrap_or_else(|| {
            let original = Original {
                id: numbers.ids.next(),
                seq: numbers.next_seq(),
            };
            let state = match delay_s {
                0 => State::Visible,
                delay_s => State::Delayed {
                    until: now + u64::from(delay_s) * 1000,
                },
            };
            let message = Message {
                id: original.id,
                seq: original.seq,
                group_id,
                deduplication_id,
                content: content.clone(),
                enqueued_at: now,
                receive_count: 0,
                first_received_at: None,
                dead_letter_source: None,
                state,
                receive: 0,
                received_at: 0,
                attempt: None,
            };
            self.enqueue(message, now);
            original
        });
        Ok(Sent {
            id,
            seq: self.attributes.fifo.then_some(seq),
            md5_of_body: content.md5_of_body.clone(),
            md5_of_attributes: md5_of_attributes(content.attributes.iter()),
            md5_of_system_attributes: md5_of_attributes(content.system_attributes.iter()),
        })
    }

    /// Takes in a message from another queue: by redrive or by a move task. Deduplication never swallows it (nothing
    /// says that AWS would, and the message would be lost), but its id is remembered.
    pub(super) fn accept(&mut self, mut message: Message, numbers: &mut Numbers, now: UnixMs) {
        message.seq = numbers.next_seq();
        message.state = State::Visible;
        message.receive = 0;
        message.attempt = None;
        self.enqueue(message, now);
    }

    /// Checks what fails a whole batch when one entry lacks it (recorded from AWS).
    pub(super) fn check_ids(&self, outgoing: &Outgoing) -> Result<(), SqsError> {
        if self.attributes.fifo && outgoing.group_id.is_none() {
            return Err(SqsError::missing("MessageGroupId"));
        }
        if self.attributes.fifo
            && outgoing.deduplication_id.is_none()
            && !self.attributes.content_based_deduplication
        {
            let message = "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly";
            return Err(SqsError::new(
                super::ErrorKind::InvalidParameterValue,
                message,
            ));
        }
        Ok(())
    }

    fn check_size(&self, outgoing: &Outgoing) -> Result<(), SqsError> {
        let limit = self.attributes.maximum_message_size;
        if outgoing.size() > limit as usize {
            let message = format!(
                "One or more parameters are invalid. Reason: Message must be shorter than {limit} bytes."
            );
            return Err(SqsError::new(
                super::ErrorKind::InvalidParameterValue,
                message,
            ));
        }
        Ok(())
    }

    /// A FIFO queue has no delay per message; 0 is accepted and means the queue's own (recorded from AWS).
    fn delay_of(&self, outgoing: &Outgoing) -> Result<u32, SqsError> {
        let Some(delay_s) = outgoing.delay_s else {
            return Ok(self.attributes.delay_s);
        };
        let refuse = |reason| Err(SqsError::invalid_value(delay_s, "DelaySeconds", reason));
        match (self.attributes.fifo, u32::try_from(delay_s)) {
            (true, Ok(0)) => Ok(self.attributes.delay_s),
            (true, _) => {
                refuse("The request include parameter that is not valid for this queue type.")
            }
            (false, Ok(delay_s @ 0..=900)) => Ok(delay_s),
            (false, _) => refuse("DelaySeconds must be >= 0 and <= 900."),
        }
    }

    fn deduplication_id_of(&self, outgoing: &Outgoing) -> Result<Option<Arc<str>>, SqsError> {
        self.check_ids(outgoing)?;
        match (self.attributes.fifo, outgoing.deduplication_id.as_deref()) {
            (true, Some(id)) => Ok(Some(id.into())),
            (true, None) => Ok(Some(hex(&sha256(outgoing.body.as_bytes())).into())),
            (false, None) => Ok(None),
            (false, Some(id)) => {
                let reason =
                    "The request includes a parameter that is not valid for this queue type.";
                Err(SqsError::invalid_value(
                    id,
                    "MessageDeduplicationId",
                    reason,
                ))
            }
        }
    }

    // ---- receive ----------------------------------------------------------------------------------------------------

    /// Hands out messages, and takes out those that were received too often already.
    pub(super) fn receive(
        &mut self,
        ask: &Ask<'_>,
        numbers: &mut Numbers,
        now: UnixMs,
    ) -> (Vec<Delivery>, Vec<Message>) {
        if let Some(again) = ask
            .attempt_id
            .and_then(|id| self.receive_again(id, ask.visibility_s, now))
        {
            return (again, Vec::new());
        }
        let max = ask.max.min(IN_FLIGHT_LIMIT.saturating_sub(self.in_flight));
        let attempt: Option<Arc<str>> = ask.attempt_id.map(Into::into);
        // A receive with visibility 0 hides what it takes until it ends, lest it take a message twice.
        let until = now + u64::from(ask.visibility_s) * 1000;
        let (mut taken, mut dead) = (Vec::new(), Vec::new());
        while taken.len() < max {
            let next = self.groups.deliverable(max - taken.len());
            if next.is_empty() {
                break;
            }
            for seq in next {
                let too_often = |m: &Message| {
                    ask.max_receive_count
                        .is_some_and(|max| m.receive_count >= max)
                };
                if self.messages.get(&seq).is_some_and(too_often) {
                    dead.extend(self.take(seq));
                    continue;
                }
                self.set_state(seq, State::InFlight { until });
                if let Some(message) = self.messages.get_mut(&seq) {
                    numbers.receive += 1;
                    message.receive = numbers.receive;
                    message.receive_count += 1;
                    message.received_at = now;
                    message.first_received_at.get_or_insert(now);
                    message.attempt = attempt.clone();
                    taken.push(seq);
                }
            }
        }
        let deliveries = taken.iter().filter_map(|seq| self.delivery(*seq)).collect();
        if let Some(id) = attempt
            && !taken.is_empty()
        {
            self.attempts.insert(
                id,
                Attempt {
                    at: now,
                    messages: taken,
                },
            );
        }
        self.advance(now);
        (deliveries, dead)
    }

    /// The same `ReceiveRequestAttemptId` within five minutes: the same messages and handles, their visibility
    /// timeout started anew, if none was settled, changed or visible since.
    fn receive_again(
        &mut self,
        attempt_id: &str,
        visibility_s: u32,
        now: UnixMs,
    ) -> Option<Vec<Delivery>> {
        let attempt = self
            .attempts
            .get(attempt_id)
            .filter(|a| now < a.at + ATTEMPT_INTERVAL_MS)?;
        let messages = attempt.messages.clone();
        for seq in &messages {
            let received_at = self.messages.get(seq)?.received_at;
            let limit = received_at + MAX_VISIBILITY_S as u64 * 1000;
            let until = (now + u64::from(visibility_s) * 1000).min(limit);
            self.hide(*seq, until);
        }
        let deliveries = messages
            .iter()
            .filter_map(|seq| self.delivery(*seq))
            .collect();
        self.advance(now);
        Some(deliveries)
    }

    fn delivery(&self, seq: Seq) -> Option<Delivery> {
        let message = self.messages.get(&seq)?.clone();
        let handle = Receipt {
            queue: self.number,
            seq,
            receive: message.receive,
        }
        .encode();
        Some(Delivery { message, handle })
    }

    /// Whether a receive now would bring something.
    pub(super) fn can_deliver(&self) -> bool {
        self.in_flight < IN_FLIGHT_LIMIT && self.groups.can_deliver()
    }

    // ---- settle -----------------------------------------------------------------------------------------------------

    /// Deletes the message of a handle. Deleting what is gone succeeds. On a FIFO queue a handle is good only
    /// while its receive holds the message (recorded from AWS); on a standard queue it deletes a message visible again
    /// too, and a stale one does nothing.
    pub(super) fn delete(&mut self, handle: &str) -> Result<(), SqsError> {
        let receipt = self.read(handle)?;
        let Some(message) = self.messages.get(&receipt.seq) else {
            return Ok(());
        };
        let newest = message.receive == receipt.receive;
        let in_flight = matches!(message.state, State::InFlight { .. });
        match (self.attributes.fifo, newest, in_flight) {
            (true, true, true) | (false, true, _) => {
                self.take(receipt.seq);
                Ok(())
            }
            (false, false, _) => Ok(()),
            (true, _, _) => Err(SqsError::invalid_value(
                handle,
                "ReceiptHandle",
                "The receipt handle has expired.",
            )),
        }
    }

    /// Makes the message of a handle invisible for so many seconds from now; 0 makes it visible at once.
    pub(super) fn change_visibility(
        &mut self,
        handle: &str,
        visibility_s: i64,
        now: UnixMs,
    ) -> Result<(), SqsError> {
        let visibility_ms = check_visibility(visibility_s)? * 1000;
        let receipt = self.read(handle)?;
        let held = |m: &&Message| {
            // Recorded from AWS for standard queues; for FIFO queues nothing says so, and a delete is refused.
            let in_reach = matches!(m.state, State::InFlight { .. }) || !self.attributes.fifo;
            m.receive == receipt.receive && in_reach
        };
        let Some(message) = self.messages.get(&receipt.seq).filter(held) else {
            let reason =
                "Message does not exist or is not available for visibility timeout change.";
            return Err(SqsError::invalid_value(handle, "ReceiptHandle", reason));
        };
        if now + visibility_ms > message.received_at + MAX_VISIBILITY_S as u64 * 1000 {
            let reason = format!(
                "Total VisibilityTimeout for the message is beyond the limit [{MAX_VISIBILITY_S} seconds]"
            );
            return Err(SqsError::invalid_value(
                visibility_s,
                "VisibilityTimeout",
                &reason,
            ));
        }
        self.forget_attempt(receipt.seq);
        self.hide(receipt.seq, now + visibility_ms);
        self.advance(now);
        Ok(())
    }

    fn hide(&mut self, seq: Seq, until: UnixMs) {
        self.set_state(seq, State::InFlight { until });
    }

    fn read(&self, handle: &str) -> Result<Receipt, SqsError> {
        let receipt = Receipt::decode(handle)?;
        if receipt.queue != self.number {
            return Err(Receipt::invalid(handle));
        }
        Ok(receipt)
    }

    // ---- the whole queue --------------------------------------------------------------------------------------------

    /// Drops all messages, those in flight included; what was deduplicated stays so.
    pub(super) fn purge(&mut self, now: UnixMs) -> Result<(), SqsError> {
        if self
            .purged_at
            .is_some_and(|at| now < at + PURGE_INTERVAL_MS)
        {
            let message = format!(
                "Only one PurgeQueue operation on {} is allowed every 60 seconds.",
                self.name
            );
            return Err(SqsError::new(
                super::ErrorKind::PurgeQueueInProgress,
                message,
            ));
        }
        self.purged_at = Some(now);
        self.messages.clear();
        self.groups = Groups::default();
        self.timers.clear();
        self.by_age.clear();
        self.attempts.clear();
        (self.in_flight, self.delayed, self.bytes) = (0, 0, 0);
        Ok(())
    }

    /// Puts changed attributes into force. A new delay counts for messages that wait already on FIFO queues only (D).
    pub(super) fn set_attributes(&mut self, attributes: QueueAttributes, now: UnixMs) {
        let delay_changed = attributes.delay_s != self.attributes.delay_s;
        self.attributes = attributes;
        self.modified_at = now;
        if self.attributes.fifo && delay_changed {
            let delay_ms = u64::from(self.attributes.delay_s) * 1000;
            let waiting = self
                .timers
                .iter()
                .filter_map(|(_, seq)| self.messages.get(seq));
            let delayed: Vec<(Seq, UnixMs)> = waiting
                .filter(|m| matches!(m.state, State::Delayed { .. }))
                .map(|m| (m.seq, m.enqueued_at + delay_ms))
                .collect();
            for (seq, until) in delayed {
                self.set_state(seq, State::Delayed { until });
            }
        }
        self.advance(now);
    }

    /// The next message that could be received and the queue it came from by redrive, for a move task.
    pub(super) fn peek_next(&self) -> Option<(Seq, Option<Arc<str>>)> {
        let seq = *self.groups.deliverable(1).first()?;
        let message = self.messages.get(&seq)?;
        Some((seq, message.dead_letter_source.clone()))
    }

    pub(super) fn counts(&self) -> Counts {
        let visible = self.messages.len() - self.in_flight - self.delayed;
        Counts {
            visible,
            in_flight: self.in_flight,
            delayed: self.delayed,
        }
    }

    /// Messages and bytes that count against [`super::Limits`].
    pub(super) fn held(&self) -> (usize, usize) {
        (
            self.messages.len(),
            self.bytes + self.dedup.as_ref().map_or(0, Dedup::bytes),
        )
    }

    // ---- the one place where messages come, go and change state -----------------------------------------------------

    fn enqueue(&mut self, message: Message, now: UnixMs) {
        if let (Some(dedup), Some(group), Some(id)) = (
            &mut self.dedup,
            &message.group_id,
            &message.deduplication_id,
        ) {
            dedup.remember(
                group,
                id,
                Original {
                    id: message.id,
                    seq: message.seq,
                },
                now,
            );
        }
        let (seq, state) = (message.seq, message.state);
        self.bytes += message.content.size();
        self.by_age.insert((message.enqueued_at, seq));
        self.groups
            .push(&self.lane(&message), seq, state == State::Visible);
        self.count(state, true);
        self.timers
            .extend(state.hidden_until().map(|until| (until, seq)));
        self.messages.insert(seq, message);
    }

    /// Takes a message out.
    pub(super) fn take(&mut self, seq: Seq) -> Option<Message> {
        self.forget_attempt(seq);
        let message = self.messages.remove(&seq)?;
        self.bytes -= message.content.size();
        self.by_age.remove(&(message.enqueued_at, seq));
        self.groups.remove(&self.lane(&message), seq);
        self.count(message.state, false);
        if let Some(until) = message.state.hidden_until() {
            self.timers.remove(&(until, seq));
        }
        Some(message)
    }

    fn set_state(&mut self, seq: Seq, state: State) {
        if state == State::Visible {
            self.forget_attempt(seq);
        }
        let Some(message) = self.messages.get_mut(&seq) else {
            return;
        };
        let before = std::mem::replace(&mut message.state, state);
        if let Some(until) = before.hidden_until() {
            self.timers.remove(&(until, seq));
        }
        self.timers
            .extend(state.hidden_until().map(|until| (until, seq)));
        self.count(before, false);
        self.count(state, true);
        if let Some(message) = self.messages.get(&seq) {
            let lane = self.lane(message);
            self.groups.set_visible(&lane, seq, state == State::Visible);
        }
    }

    fn count(&mut self, state: State, comes: bool) {
        let counter = match state {
            State::Visible => return,
            State::Delayed { .. } => &mut self.delayed,
            State::InFlight { .. } => &mut self.in_flight,
        };
        *counter = if comes { *counter + 1 } else { *counter - 1 };
    }

    fn forget_attempt(&mut self, seq: Seq) {
        if let Some(attempt) = self.messages.get_mut(&seq).and_then(|m| m.attempt.take()) {
            self.attempts.remove(&attempt);
        }
    }

    fn lane(&self, message: &Message) -> Lane {
        match &message.group_id {
            Some(group) if self.attributes.fifo => Lane::Group(group.clone()),
            _ => Lane::Single(message.seq),
        }
    }
}

impl Numbers {
    fn next_seq(&mut self) -> Seq {
        self.seq += 1;
        self.seq
    }
}

/// 0 to 43,200 seconds, in seconds.
pub(super) fn check_visibility(visibility_s: i64) -> Result<u64, SqsError> {
    u64::try_from(visibility_s)
        .ok()
        .filter(|_| visibility_s <= MAX_VISIBILITY_S)
        .ok_or_else(|| {
            let reason = format!("Must be >= 0 and <= {MAX_VISIBILITY_S}, if provided.");
            SqsError::invalid_value(visibility_s, "VisibilityTimeout", &reason)
        })
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    use sha2::Digest;
    sha2::Sha256::digest(bytes).into()
}
