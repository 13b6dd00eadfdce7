//! What the lane reads from the ledger and writes to it.

use std::time::Duration;

use delivery::{Attempt, DeadLetter, LONGEST_HOLD, REPLAY, Record, RecordState, Replay, Target};
use store::{LedgerError, Seen, WriteError};
use tokio::time::sleep;
use tracing::{debug, warn};

use super::end::End;
use super::running::{LaneRun, Settled};
use crate::breakage::Breakage;
use crate::lanes::gate::Cause;
use crate::lanes::memory::Unwritten;
use crate::post::Post;
use crate::report;

/// Two writes of the ledger take no longer: DynamoDB's time limit is 12 s each, and SQLite waits 2 s for a lock.
const LONGEST_WRITE: Duration = Duration::from_secs(26);

/// One call that fails may be chance, two are an outage: so long after the first comes the second.
const AFTER_A_FAILURE: Duration = Duration::from_secs(1);

/// What is known of the head when its visit begins.
pub(super) struct Known {
    /// Where it goes, throughout the visit.
    pub(super) target: Target,
    pub(super) record: Option<Record>,
    pub(super) seen: Option<Seen>,
    pub(super) earlier: Option<Replay>,
    /// The ledger says that this visit began, and must be told how it ends.
    pub(super) is_watched: bool,
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
    /// Reads what earlier visits left: nothing to read on a first receive. The counts of a standard queue may lag, so
    /// there a count of 1 does not say that it is the first.
    pub(super) async fn known(&mut self) -> Result<Known, End> {
        let message = &self.head().message;
        let target = self.shared.routes.target(message);
        let earlier = message.text_attribute(REPLAY).and_then(|text| match Replay::parse(text) {
            Ok(replay) => Some(replay),
            Err(error) => {
                warn!(message_id = message.message_id, %error, "the replay attribute cannot be read; the event counts as new");
                None
            }
        });
        let mut known = Known {
            target,
            record: None,
            seen: None,
            earlier,
            is_watched: false,
        };
        let is_exact = self.shared.source.is_fifo() || Breakage::LaggingCountBelieved.is_made();
        if message.receive_count > 1 || !is_exact {
            known.seen = match self.read().await {
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

    async fn read(&self) -> Result<Option<Seen>, LedgerError> {
        let key = self.key();
        match self.shared.ledger.read(&key).await {
            Ok(seen) => Ok(seen),
            Err(error @ LedgerError::Record { .. }) => Err(error),
            Err(_) => {
                sleep(AFTER_A_FAILURE).await;
                self.shared.ledger.read(&key).await
            }
        }
    }

    /// Attempts that the ledger could not take count, unless another worker has written since. They are
    /// written down before anything else, since this visit may end without an attempt of its own.
    async fn write_unwritten(&mut self, known: &mut Known) -> Result<(), End> {
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

    /// Writes down that a visit begins, before anything is POSTed: should the event kill this worker, the next one
    /// can count.
    pub(super) async fn begin_watched(&mut self, known: Known) -> Result<Known, End> {
        let record = Record::begins(known.record.as_ref(), self.shared.clock.now());
        let seen = self.write(known.seen.as_ref(), record).await?;
        Ok(Known {
            seen: Some(seen),
            is_watched: true,
            ..known
        })
    }

    /// The visit is over without acceptance: its attempts are written down before the wait begins.
    ///
    /// Gives what is left of the wait: time passes while the ledger is down.
    pub(super) async fn record_wait(
        &mut self,
        known: &Known,
        attempts: Vec<Attempt>,
        wait: Duration,
    ) -> Result<Duration, End> {
        let ends_at = self.shared.clock.latest().plus(wait);
        let record = self.waiting(attempts, wait);
        self.write(known.seen.as_ref(), record).await?;
        Ok(self.shared.clock.earliest().until(ends_at))
    }

    /// The clock by which a wait was written was fast: what is left of the wait is written in its place, so that it
    /// is cut once.
    pub(super) async fn shorten(
        &mut self,
        known: Known,
        remaining: Duration,
        cut: Duration,
    ) -> Result<Settled, End> {
        report::wait_cut(&self.head().message, remaining, cut);
        if let Some(record) = known.record {
            let state = RecordState::waiting(self.shared.clock.latest(), remaining);
            self.write(known.seen.as_ref(), Record { state, ..record })
                .await?;
        }
        Err(End::Wait(remaining))
    }

    /// The visit ends between two attempts. Those it made count: the next visit goes on from them.
    pub(super) async fn cut_short(
        &mut self,
        known: &Known,
        attempts: Vec<Attempt>,
        end: End,
    ) -> End {
        match end {
            End::GiveBack | End::Short => {
                match self.record_wait(known, attempts, Duration::ZERO).await {
                    Ok(_) => end,
                    Err(end) => end,
                }
            }
            // The lease could not be extended: what is left of it is too short for an attempt, not for a record.
            End::Lost => {
                let record = self.waiting(attempts, Duration::ZERO);
                match self.write(known.seen.as_ref(), record).await {
                    Ok(_) => End::Lost,
                    Err(end) => end,
                }
            }
            end => end,
        }
    }

    pub(super) fn waiting(&self, attempts: Vec<Attempt>, wait: Duration) -> Record {
        let state = RecordState::waiting(self.shared.clock.latest(), wait);
        self.record(attempts, state)
    }

    pub(super) fn record(&self, attempts: Vec<Attempt>, state: RecordState) -> Record {
        Record {
            attempts,
            state,
            receives: self.head().message.receive_count,
            begun: 0,
        }
    }

    /// Writes a record. While the ledger is down the lane is held, and its lease extended: another worker
    /// that got the message would not know of the attempts made, and make them again.
    pub(super) async fn write(&mut self, seen: Option<&Seen>, record: Record) -> Result<Seen, End> {
        let key = self.key();
        let mut failures = 0;
        // A write must not come upon another worker's visit. If the lease cannot be extended, most writes are
        // still quick enough; once it is over, the ledger is another worker's to write.
        if self.lease.outlast(LONGEST_WRITE).await.is_err() && self.lease.is_over() {
            self.keep_unwritten(record, seen);
            return Err(End::Lost);
        }
        loop {
            let now = self.shared.clock.now();
            let ledger = &self.shared.ledger;
            let error = match ledger.write(&key, seen, &record, now).await {
                Ok(seen) => return Ok(seen),
                Err(WriteError::Ledger(error)) => error,
                // A write that failed may have been made nevertheless.
                Err(WriteError::Lost) if failures > 0 => match ledger.read(&key).await {
                    Ok(Some(seen)) if seen.record == record => return Ok(seen),
                    Ok(_) => return Err(self.lost()),
                    Err(error) => error,
                },
                Err(WriteError::Lost) if Breakage::LostRaceIgnored.is_made() => {
                    let theirs = ledger.read(&key).await.ok().flatten();
                    let overwritten = ledger.write(&key, theirs.as_ref(), &record, now).await;
                    return overwritten.map_err(|_| End::Lost);
                }
                Err(WriteError::Lost) => return Err(self.lost()),
            };
            failures += 1;
            if failures == 1 {
                sleep(AFTER_A_FAILURE).await;
                continue;
            }
            let end = self.ledger_down(&error);
            if Breakage::UnwrittenForgotten.is_made() {
                return Err(end);
            }
            // Nobody else knows of the attempts; one that only says that a visit begins has those of before.
            let is_news = !record.attempts.is_empty() && record.begun == 0;
            let held = if is_news {
                self.hold_until_the_gate_opens().await
            } else {
                Err(end)
            };
            if let Err(end) = held {
                self.keep_unwritten(record, seen);
                return Err(end);
            }
        }
    }

    /// Notes in the ledger that an event of its group died, before the letter is sent.
    pub(super) async fn note_death(&self, letter: &DeadLetter) -> Result<(), End> {
        let group = self.head().message.group.as_deref();
        let notes = &self.shared.notes;
        if notes.buried(group, letter).await.is_ok() {
            return Ok(());
        }
        sleep(AFTER_A_FAILURE).await;
        match notes.buried(group, letter).await {
            Ok(()) => Ok(()),
            Err(WriteError::Ledger(error)) => Err(self.ledger_down(&error)),
            // Very many bury at the same time: the ledger is up, and the next receive goes on from here.
            Err(WriteError::Lost) => Err(End::Wait(AFTER_A_FAILURE)),
        }
    }

    async fn hold_until_the_gate_opens(&mut self) -> Result<(), End> {
        let half = self.shared.limits.visibility_timeout / 2;
        loop {
            self.lease.outlast(half).await?;
            tokio::select! {
                biased;
                () = self.shared.gate.opened() => return Ok(()),
                () = self.shared.stop.cancelled() => return Err(End::Down),
                () = sleep(half / 2) => {}
            }
        }
    }

    fn lost(&self) -> End {
        debug!(
            message_id = self.head().message.message_id,
            "another worker owns the message: the lane is left to it"
        );
        End::Lost
    }

    fn keep_unwritten(&self, record: Record, seen: Option<&Seen>) {
        if record.begun > 0 {
            return;
        }
        let unwritten = Unwritten {
            record,
            seen: seen.cloned(),
        };
        let message_id = &self.head().message.message_id;
        self.shared.memory().keep_unwritten(message_id, unwritten);
    }

    fn ledger_down(&self, error: &LedgerError) -> End {
        self.shared.gate.close(Cause::Ledger, error);
        End::Down
    }
}
