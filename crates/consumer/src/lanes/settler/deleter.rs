//! Delete calls: tried again while they may still succeed, written into the ledger where they fail or take long, and hidden
//! where they never succeed.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use delivery::{LONGEST_HOLD, Record, RecordState};
use futures_util::future::join_all;
use queue::{Clock, EntryErrorKind, Queue};
use store::{Key, Ledger, Seen, WriteError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout_at};
use tracing::{debug, warn};

use crate::breakage::Breakage;
use crate::lanes::lease::Fate;
use crate::lanes::memory::Memory;
use crate::lanes::shared::Shared;
use crate::tally::InHand;

/// Delete calls at the same time.
const CALLS: usize = 16;

/// Tries of one batch, with waits that double from 100 ms: 12.7 s of them in all.
const TRIES: u32 = 8;

/// What is not answered by now, is not even in a call, or has no place yet is written down: less than what a worker that stops
/// waits for it.
pub(super) const OVERDUE: Duration = Duration::from_secs(1);

/// A message that this worker could not delete so often, all of [`TRIES`] each time, is hidden for [`LONGEST_HOLD`]: a
/// worker that may not delete at all would receive it once a lease, until the native backstop takes an event for dead that
/// was accepted. How often it was received says nothing: others may receive it too.
const OFTEN: u32 = 10;

/// Tries of such a write, should other workers write the same record.
const WRITES: u32 = 3;

/// A message to delete.
#[derive(Debug)]
pub(crate) struct Deletion {
    pub(crate) receipt_handle: String,
    pub(crate) key: Key,
    /// What to write down, should the delete fail; nothing if the ledger knows already.
    pub(crate) ended: Option<Ended>,
    /// Why it failed the last time it was tried.
    pub(crate) failed: Option<String>,
    /// Told what SQS says.
    pub(crate) fate: Arc<Fate>,
    /// Given up with the deletion itself, when it is settled or given up.
    pub(crate) _in_hand: InHand,
    /// The same; none until there is one.
    pub(crate) place: Option<OwnedSemaphorePermit>,
}

/// An event was accepted or is in the internal queue, which the ledger is told only if the message may come again.
#[derive(Debug)]
pub(crate) struct Ended {
    /// What the ledger said when it was last read.
    pub(crate) seen: Option<Seen>,
    pub(crate) record: Record,
}

impl Deletion {
    /// The ledger's record to forget once SQS confirms, if there may be one.
    fn into_record(self) -> Option<Key> {
        let is_recorded = self.ended.is_none_or(|ended| ended.seen.is_some());
        is_recorded.then_some(self.key)
    }
}

pub(super) struct Deleter {
    source: Queue,
    ledger: Ledger,
    memory: Arc<Mutex<Memory>>,
    clock: Clock,
    calls: Semaphore,
}

impl Deleter {
    pub(super) fn new<P>(shared: &Shared<P>) -> Self {
        Self {
            source: shared.source.clone(),
            ledger: shared.ledger.clone(),
            memory: shared.memory.clone(),
            clock: shared.clock.clone(),
            calls: Semaphore::new(CALLS),
        }
    }

    pub(super) async fn delete(&self, mut batch: Vec<Deletion>, overdue: Instant) {
        let mut call = pin!(self.calls.acquire());
        let _call = match timeout_at(overdue, &mut call).await {
            Ok(call) => call,
            Err(_) => {
                self.write_done(&mut batch).await;
                call.await
            }
        };
        let mut wait = Duration::from_millis(100);
        for attempt in 1..=TRIES {
            batch = self.try_delete(batch, overdue).await;
            if batch.is_empty() {
                return;
            }
            if attempt < TRIES {
                sleep(wait).await;
                wait *= 2;
            }
        }
        self.hide_what_stays(&batch).await;
        for deletion in &batch {
            warn!(
                message_id = deletion.key.message_id,
                error = deletion.failed,
                "a delete did not succeed; the message will be deleted when it comes again"
            );
        }
    }

    async fn hide_what_stays(&self, batch: &[Deletion]) {
        let mut hides = Vec::new();
        for deletion in batch {
            if self.memory().not_deleted(&deletion.key.message_id) >= OFTEN {
                hides.push((deletion.receipt_handle.as_str(), LONGEST_HOLD));
            }
        }
        if hides.is_empty() {
            return;
        }
        // That a worker may not delete was said before (see `denials`).
        warn!(
            messages = hides.len(),
            "messages that are done cannot be deleted again and again: they are hidden and their groups wait"
        );
        if let Err(error) = self.source.change_visibility_batch(&hides).await {
            debug!(%error, "what cannot be deleted could not be hidden either");
        }
    }

    /// Deletes a batch; gives back what may succeed later.
    async fn try_delete(&self, mut batch: Vec<Deletion>, overdue: Instant) -> Vec<Deletion> {
        let handles: Vec<_> = batch.iter().map(|d| d.receipt_handle.clone()).collect();
        let handles: Vec<_> = handles.iter().map(String::as_str).collect();
        let mut call = pin!(self.source.delete_batch(&handles));
        let answers = match timeout_at(overdue, &mut call).await {
            Ok(answers) => answers,
            Err(_) => {
                self.write_done(&mut batch).await;
                call.await
            }
        };
        let answers = match answers {
            Ok(answers) => answers,
            Err(error) => {
                debug!(%error, "a delete call failed");
                self.write_done(&mut batch).await;
                for deletion in &mut batch {
                    deletion.failed = Some(error.to_string());
                }
                return batch;
            }
        };
        let mut again = Vec::new();
        let mut lost = Vec::new();
        let mut records = Vec::new();
        for (mut deletion, answer) in batch.into_iter().zip(answers) {
            let message_id = &deletion.key.message_id;
            let answer = answer.or_else(|error| {
                if Breakage::FailedDeletesIgnored.is_made() {
                    Ok(())
                } else {
                    Err(error)
                }
            });
            match answer {
                Ok(()) => {
                    deletion.fate.confirm();
                    self.remember_no_longer(message_id);
                    records.extend(deletion.into_record());
                }
                Err(error) if error.kind() == EntryErrorKind::HandleLost => {
                    warn!(message_id, %error, "the lease was over before the delete; the message will be deleted when it comes again");
                    deletion.fate.lose();
                    lost.push(deletion);
                }
                Err(error) => {
                    debug!(message_id, %error, "a delete failed");
                    deletion.failed = Some(error.to_string());
                    again.push(deletion);
                }
            }
        }
        self.write_done(&mut lost).await;
        self.write_done(&mut again).await;
        if let Err(error) = self.ledger.forget(&records).await {
            // They expire by themselves.
            warn!(%error, "the ledger keeps records of events that are done");
        }
        again
    }

    /// Tells the ledger of events that have come to their end and whose messages may come again, so that no worker
    /// POSTs them or sends them to the internal queue once more.
    async fn write_done(&self, batch: &mut [Deletion]) {
        join_all(
            batch
                .iter_mut()
                .map(|deletion| self.write_done_of(deletion)),
        )
        .await;
    }

    pub(super) async fn write_done_of(&self, deletion: &mut Deletion) {
        let Some(ended) = &deletion.ended else {
            return;
        };
        if Breakage::AcceptedForgotten.is_made() {
            return;
        }
        let mut seen = ended.seen.clone();
        for _ in 0..WRITES {
            let now = self.clock.now();
            let written = self
                .ledger
                .write(&deletion.key, seen.as_ref(), &ended.record, now);
            let known = match written.await {
                Ok(_) => break,
                Err(WriteError::Lost) => self.ledger.read(&deletion.key).await,
                Err(WriteError::Ledger(error)) => Err(error),
            };
            match known {
                // Another worker has attempted it meanwhile; that it has come to its end is still true.
                Ok(Some(theirs)) if matches!(theirs.record.state, RecordState::Waiting { .. }) => {
                    seen = Some(theirs);
                }
                // It has come to its end elsewhere.
                Ok(_) => break,
                Err(error) => {
                    debug!(message_id = deletion.key.message_id, %error, "the ledger could not be told that an event is done");
                    return;
                }
            }
        }
        deletion.ended = None;
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().expect("no holder panics")
    }

    fn remember_no_longer(&self, message_id: &str) {
        self.memory().deleted(message_id);
    }
}
