//! Receiving from a queue.

use std::sync::Arc;

use super::super::message::{Message, State};
use super::super::receipt::Receipt;
use super::super::{Seq, UnixMs};
use super::settle::last_visibility_end;
use super::stock::Attempt;
use super::{Numbers, Queue};

/// Most messages in flight in one queue; beyond it a receive returns nothing (D).
pub const IN_FLIGHT_LIMIT: usize = 120_000;

/// How long a `ReceiveRequestAttemptId` is good for.
pub const ATTEMPT_INTERVAL_MS: u64 = 5 * 60 * 1000;

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
pub(in super::super) struct Ask<'a> {
    pub(in super::super) max: usize,
    pub(in super::super) visibility_s: u32,
    pub(in super::super) attempt_id: Option<&'a str>,
    /// Take out messages received this often instead of handing them out.
    pub(in super::super) max_receive_count: Option<u32>,
}

impl Queue {
    /// Hands out messages; the second list are those taken out because they were received too often already.
    pub(in super::super) fn receive(
        &mut self,
        ask: &Ask<'_>,
        numbers: &mut Numbers,
        now: UnixMs,
    ) -> (Vec<Delivery>, Vec<Message>) {
        if let Some(again) = self.receive_again(ask, now) {
            return (again, Vec::new());
        }
        let max = ask.max.min(self.room_in_flight());
        let attempt: Option<Arc<str>> = ask.attempt_id.map(Into::into);
        let until = now + u64::from(ask.visibility_s) * 1000;
        let (taken, dead) = self.pick(max, ask.max_receive_count);
        for seq in &taken {
            let receive = numbers.next_receive();
            self.stock
                .hand_out(*seq, receive, attempt.as_ref(), now, until);
        }
        let deliveries = taken.iter().filter_map(|seq| self.delivery(*seq)).collect();
        if let Some(id) = attempt
            && !taken.is_empty()
        {
            let messages = taken;
            self.stock
                .remember_attempt(id, Attempt { at: now, messages });
        }
        // With visibility 0 what was handed out is visible again from here on.
        self.advance(now);
        (deliveries, dead)
    }

    /// Whether a receive now would bring something.
    pub(in super::super) fn can_deliver(&self) -> bool {
        self.stock.can_deliver() && self.room_in_flight() > 0
    }

    fn room_in_flight(&self) -> usize {
        let in_flight = self.stock.counts().in_flight;
        self.in_flight_limit.saturating_sub(in_flight)
    }

    /// The same `ReceiveRequestAttemptId` within five minutes: the same messages and handles, their visibility
    /// timeout started anew, if none was settled, changed or visible since (M). Whether AWS counts this as a receive is
    /// not settled; here it is not.
    fn receive_again(&mut self, ask: &Ask<'_>, now: UnixMs) -> Option<Vec<Delivery>> {
        let attempt = self.stock.attempt(ask.attempt_id?)?.clone();
        if now >= attempt.at + ATTEMPT_INTERVAL_MS {
            return None;
        }
        let until = now + u64::from(ask.visibility_s) * 1000;
        for seq in &attempt.messages {
            let end = last_visibility_end(self.stock.get(*seq)?);
            let until = until.min(end);
            self.stock.set_state(*seq, State::InFlight { until });
        }
        let deliveries = attempt.messages.iter();
        let deliveries = deliveries.filter_map(|seq| self.delivery(*seq)).collect();
        self.advance(now);
        Some(deliveries)
    }

    /// Up to `max` messages to hand out. Those in front that were received too often already are taken out first, so that
    /// the messages behind them come in the same receive.
    fn pick(&mut self, max: usize, max_receive_count: Option<u32>) -> (Vec<Seq>, Vec<Message>) {
        let mut dead = Vec::new();
        loop {
            let next = self.stock.deliverable(max);
            let worn_out = |seq: &&Seq| self.is_worn_out(**seq, max_receive_count);
            let worn_out: Vec<Seq> = next.iter().filter(worn_out).copied().collect();
            if worn_out.is_empty() {
                return (next, dead);
            }
            dead.extend(worn_out.into_iter().filter_map(|seq| self.stock.take(seq)));
        }
    }

    fn is_worn_out(&self, seq: Seq, max_receive_count: Option<u32>) -> bool {
        let count = self.stock.get(seq).map(|message| message.receive_count);
        max_receive_count
            .zip(count)
            .is_some_and(|(max, count)| count >= max)
    }

    fn delivery(&self, seq: Seq) -> Option<Delivery> {
        let message = self.stock.get(seq)?.clone();
        let receipt = Receipt {
            queue: self.number,
            seq,
            receive: message.receive,
        };
        let handle = receipt.encode();
        Some(Delivery { message, handle })
    }
}
