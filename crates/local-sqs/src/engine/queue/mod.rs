//! One queue: messages, when they are visible, and who may settle them. Knows nothing of other queues.

mod receive;
mod send;
mod settle;
mod stock;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::attributes::QueueAttributes;
use super::dedup::{Dedup, Original};
use super::error::{ErrorKind, SqsError};
use super::ids::Ids;
use super::message::{Message, State};
use super::{Seq, UnixMs};
use stock::Stock;

pub use receive::{ATTEMPT_INTERVAL_MS, Delivery, IN_FLIGHT_LIMIT};
pub use send::Sent;
pub use settle::MAX_VISIBILITY_S;

pub(super) use receive::Ask;
pub(super) use settle::check_visibility;

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
    stock: Stock,
    /// [`IN_FLIGHT_LIMIT`]; tests lower it.
    pub(super) in_flight_limit: usize,
    purged_at: Option<UnixMs>,
}

/// Numbers an engine gives out; shared by all its queues so that they never repeat.
#[derive(Debug)]
pub(super) struct Numbers {
    pub(super) ids: Ids,
    seq: Seq,
    receive: u64,
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
        let per_group = attributes.deduplicates_per_group();
        Self {
            number,
            name: name.to_owned(),
            arn,
            created_at: now,
            modified_at: now,
            dedup: attributes.fifo.then(|| Dedup::new(per_group)),
            stock: Stock::new(attributes.fifo),
            attributes,
            in_flight_limit: IN_FLIGHT_LIMIT,
            tags: BTreeMap::new(),
            purged_at: None,
        }
    }

    /// Does what time alone does: ends invisibility and delays, drops what is past retention, forgets deduplication ids.
    pub(super) fn advance(&mut self, now: UnixMs) {
        while let Some((due, seq)) = self.stock.next_visible()
            && due <= now
        {
            self.stock.set_state(seq, State::Visible);
        }
        while let Some((enqueued_at, seq)) = self.stock.oldest()
            && enqueued_at + self.retention_ms() <= now
        {
            self.stock.take(seq);
        }
        if let Some(dedup) = &mut self.dedup {
            dedup.advance(now);
        }
    }

    /// The next moment at which time alone changes what can be received.
    pub(super) fn next_due(&self) -> Option<UnixMs> {
        let visible = self.stock.next_visible().map(|(due, _)| due);
        let expiry = self.stock.oldest().map(|(at, _)| at + self.retention_ms());
        visible.into_iter().chain(expiry).min()
    }

    /// Drops all messages, those in flight included; what was deduplicated stays so.
    pub(super) fn purge(&mut self, now: UnixMs) -> Result<(), SqsError> {
        let last = self.purged_at;
        if last.is_some_and(|at| now < at + PURGE_INTERVAL_MS) {
            let name = &self.name;
            let message =
                format!("Only one PurgeQueue operation on {name} is allowed every 60 seconds.");
            return Err(SqsError::new(ErrorKind::PurgeQueueInProgress, message));
        }
        self.purged_at = Some(now);
        self.stock = Stock::new(self.attributes.fifo);
        Ok(())
    }

    /// Puts changed attributes into force. On FIFO queues a new delay counts for messages that wait already (D).
    pub(super) fn set_attributes(&mut self, attributes: QueueAttributes, now: UnixMs) {
        let delay_changed = attributes.delay_s != self.attributes.delay_s;
        self.attributes = attributes;
        self.modified_at = now;
        if self.attributes.fifo && delay_changed {
            let delay_ms = u64::from(self.attributes.delay_s) * 1000;
            let due = |m: &Message| (m.seq, m.enqueued_at + delay_ms);
            for (seq, until) in self.stock.delayed().map(due).collect::<Vec<_>>() {
                self.stock.set_state(seq, State::Delayed { until });
            }
        }
        self.advance(now);
    }

    /// The next message that could be received and the queue it came from by redrive, for a move task.
    pub(super) fn peek_next(&self) -> Option<(Seq, Option<Arc<str>>)> {
        let seq = *self.stock.deliverable(1).first()?;
        let message = self.stock.get(seq)?;
        Some((seq, message.dead_letter_source.clone()))
    }

    /// Takes a message out.
    pub(super) fn take(&mut self, seq: Seq) -> Option<Message> {
        self.stock.take(seq)
    }

    /// Takes in a message from another queue: by redrive or by a move task. Deduplication never swallows it (nothing
    /// says that AWS would, and the message would be lost), but its id is remembered.
    pub(super) fn accept(&mut self, mut message: Message, numbers: &mut Numbers, now: UnixMs) {
        message.seq = numbers.next_seq();
        message.state = State::Visible;
        message.receive = 0;
        self.enqueue(message, now);
    }

    fn enqueue(&mut self, message: Message, now: UnixMs) {
        let original = Original {
            id: message.id,
            seq: message.seq,
        };
        let ids = (&message.group_id, &message.deduplication_id);
        if let (Some(dedup), (Some(group), Some(id))) = (&mut self.dedup, ids) {
            dedup.remember(group, id, original, now);
        }
        self.stock.put(message);
    }

    pub(super) fn counts(&self) -> Counts {
        self.stock.counts()
    }

    /// Messages and bytes that count against [`super::Limits`].
    pub(super) fn held(&self) -> (usize, usize) {
        let counts = self.stock.counts();
        let messages = counts.visible + counts.in_flight + counts.delayed;
        let remembered = self.dedup.as_ref().map_or(0, Dedup::bytes);
        (messages, self.stock.bytes() + remembered)
    }

    /// Bodies of all messages in order of arrival.
    #[cfg(test)]
    pub(super) fn bodies(&self) -> Vec<String> {
        let mut messages = self.stock.all();
        messages.sort_by_key(|message| message.seq);
        let body = |message: &&Message| message.content.body.clone();
        messages.iter().map(body).collect()
    }

    fn retention_ms(&self) -> u64 {
        u64::from(self.attributes.retention_s) * 1000
    }
}

impl Numbers {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            ids: Ids::new(seed),
            seq: 0,
            receive: 0,
        }
    }

    fn next_seq(&mut self) -> Seq {
        self.seq += 1;
        self.seq
    }

    fn next_receive(&mut self) -> u64 {
        self.receive += 1;
        self.receive
    }
}
