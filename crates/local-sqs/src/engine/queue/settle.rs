//! Settling a receive: delete the message or change how long it stays invisible.

use super::super::UnixMs;
use super::super::error::SqsError;
use super::super::message::{Message, State};
use super::super::receipt::Receipt;
use super::Queue;

/// Longest time in seconds that a message can stay in flight after one receive, extensions included.
pub const MAX_VISIBILITY_S: i64 = 43_200;

impl Queue {
    /// Deletes the message of a handle. Deleting what is gone succeeds. On a FIFO queue a handle is good only
    /// while its receive holds the message (V); on a standard queue it deletes a message visible again too (V), and a
    /// stale one does nothing (D).
    pub(in super::super) fn delete(&mut self, handle: &str) -> Result<(), SqsError> {
        let receipt = self.read(handle)?;
        let Some(message) = self.stock.get(receipt.seq) else {
            return Ok(());
        };
        let newest = message.receive == receipt.receive;
        match (self.attributes.fifo, newest, is_in_flight(message)) {
            (true, true, true) | (false, true, _) => {
                self.stock.take(receipt.seq);
                Ok(())
            }
            (false, false, _) => Ok(()),
            (true, _, _) => {
                let reason = "The receipt handle has expired.";
                Err(SqsError::invalid_value(handle, "ReceiptHandle", reason))
            }
        }
    }

    /// Makes the message of a handle invisible for so many seconds from now; 0 makes it visible at once.
    pub(in super::super) fn change_visibility(
        &mut self,
        handle: &str,
        visibility_s: i64,
        now: UnixMs,
    ) -> Result<(), SqsError> {
        let until = now + check_visibility(visibility_s)? * 1000;
        let receipt = self.read(handle)?;
        // An expired handle is accepted on a standard queue (V). For FIFO queues nothing says; they refuse it for a delete.
        let held = |m: &&Message| {
            m.receive == receipt.receive && (is_in_flight(m) || !self.attributes.fifo)
        };
        let Some(message) = self.stock.get(receipt.seq).filter(held) else {
            let reason =
                "Message does not exist or is not available for visibility timeout change.";
            return Err(SqsError::invalid_value(handle, "ReceiptHandle", reason));
        };
        if until > last_visibility_end(message) {
            let reason = format!(
                "Total VisibilityTimeout for the message is beyond the limit [{MAX_VISIBILITY_S} seconds]"
            );
            return Err(SqsError::invalid_value(
                visibility_s,
                "VisibilityTimeout",
                &reason,
            ));
        }
        self.stock.forget_attempt(receipt.seq);
        self.stock.set_state(receipt.seq, State::InFlight { until });
        self.advance(now);
        Ok(())
    }

    fn read(&self, handle: &str) -> Result<Receipt, SqsError> {
        let receipt = Receipt::decode(handle)?;
        if receipt.queue != self.number {
            return Err(Receipt::invalid(handle));
        }
        Ok(receipt)
    }
}

/// Milliseconds since the Unix epoch after which a message cannot stay invisible: 12 hours from its receive.
pub(super) fn last_visibility_end(message: &Message) -> UnixMs {
    message.received_at + MAX_VISIBILITY_S as u64 * 1000
}

/// 0 to 43,200 seconds.
pub(in super::super) fn check_visibility(visibility_s: i64) -> Result<u64, SqsError> {
    let seconds = u64::try_from(visibility_s).ok();
    seconds
        .filter(|_| visibility_s <= MAX_VISIBILITY_S)
        .ok_or_else(|| {
            let reason = format!("Must be >= 0 and <= {MAX_VISIBILITY_S}, if provided.");
            SqsError::invalid_value(visibility_s, "VisibilityTimeout", &reason)
        })
}

fn is_in_flight(message: &Message) -> bool {
    matches!(message.state, State::InFlight { .. })
}
