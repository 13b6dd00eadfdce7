//! What the lane reads from the ledger and writes to it.

use std::time::Duration;

use delivery::{Attempt, REPLAY, Record, RecordState, Replay};
use store::{LedgerError, Seen, WriteError};
use tracing::{debug, warn};

use super::visit::LONGEST_HOLD;
use super::{End, LaneRun};
use crate::memory::Unwritten;
use crate::post::Post;
use crate::report;

/// What is known of the head when its visit begins.
pub(super) struct Known {
    pub(super) record: Option<Record>,
    pub(super) seen: Option<Seen>,
    pub(super) earlier: Option<Replay>,
}

impl Known {
    /// The attempts of earlier visits, taken out.
    pub(super) fn take_attempts(mut self) -> (Self, Vec<Attempt>) {
        let attempts = self
            .record
            .take()
            .map_or_else(Vec::new, |record| record.attempts);
        (self, attempts)
    }
}

impl<P: Post> LaneRun<'_, P> {
    /// Reads what earlier visits left: nothing to read on a first receive.
    pub(super) async fn known(&self) -> Result<Known, End> {
        let message = &self.head().message;
        let earlier = message.text_attribute(REPLAY).and_then(|text| match Replay::parse(text) {
            Ok(replay) => Some(replay),
            Err(error) => {
                warn!(message_id = message.message_id, %error, "the replay attribute cannot be read; the event counts as new");
                None
            }
        });
        let mut known = Known {
            record: None,
            seen: None,
            earlier,
        };
        if message.receive_count > 1 {
            known.seen = match self.shared.ledger.read(&self.key()).await {
                Ok(seen) => seen,
                Err(error @ LedgerError::Record { .. }) => {
                    report::unreadable(message, &error);
                    return Err(End::Wait(LONGEST_HOLD));
                }
                Err(error) => return Err(self.ledger_down(&error)),
            };
            self.write_unwritten(&mut known).await?;
            known.record = known.seen.as_ref().map(|s| s.record.clone());
        }
        Ok(known)
    }

    /// Attempts that the ledger could not take count, unless another worker has written since. They are
    /// written down before anything else, since this visit may end without an attempt of its own.
    async fn write_unwritten(&self, known: &mut Known) -> Result<(), End> {
        let unwritten = self
            .shared
            .memory()
            .unwritten(&self.head().message.message_id);
        if let Some(Unwritten { record, seen }) = unwritten
            && seen == known.seen
        {
            known.seen = Some(self.write(seen.as_ref(), record).await?);
        }
        Ok(())
    }

    /// The visit is over without acceptance: its attempts are written down before the wait begins.
    pub(super) async fn record_wait(
        &self,
        known: &Known,
        attempts: Vec<Attempt>,
        wait: Duration,
    ) -> Result<(), End> {
        let record = self.waiting(attempts, wait);
        self.write(known.seen.as_ref(), record).await.map(drop)
    }

    /// The visit ends between two attempts. Those it made count: the next visit goes on from them.
    pub(super) async fn cut_short(&self, known: &Known, attempts: Vec<Attempt>, end: End) -> End {
        match end {
            End::GiveBack => match self.record_wait(known, attempts, Duration::ZERO).await {
                Ok(()) => End::GiveBack,
                Err(end) => end,
            },
            // Without a lease the ledger may be another worker's to write.
            End::Lost => {
                let record = self.waiting(attempts, Duration::ZERO);
                self.keep_unwritten(record, known.seen.as_ref());
                End::Lost
            }
            end => end,
        }
    }

    pub(super) fn waiting(&self, attempts: Vec<Attempt>, wait: Duration) -> Record {
        let not_before = self.shared.clock.now().plus(wait);
        self.record(attempts, RecordState::Waiting { not_before })
    }

    pub(super) fn record(&self, attempts: Vec<Attempt>, state: RecordState) -> Record {
        Record {
            attempts,
            state,
            receives: self.head().message.receive_count,
        }
    }

    pub(super) async fn write(&self, seen: Option<&Seen>, record: Record) -> Result<Seen, End> {
        let now = self.shared.clock.now();
        match self
            .shared
            .ledger
            .write(&self.key(), seen, &record, now)
            .await
        {
            Ok(seen) => Ok(seen),
            Err(WriteError::Lost) => {
                debug!(
                    message_id = self.head().message.message_id,
                    "another worker owns the message: the lane is left to it"
                );
                Err(End::Lost)
            }
            Err(WriteError::Ledger(error)) => {
                self.keep_unwritten(record, seen);
                Err(self.ledger_down(&error))
            }
        }
    }

    fn keep_unwritten(&self, record: Record, seen: Option<&Seen>) {
        let unwritten = Unwritten {
            record,
            seen: seen.cloned(),
        };
        let message_id = &self.head().message.message_id;
        self.shared.memory().keep_unwritten(message_id, unwritten);
    }

    fn ledger_down(&self, error: &dyn std::fmt::Display) -> End {
        self.shared.gate.close("the ledger", error);
        End::Down
    }
}
