//! Calls that AWS refuses us. Each is said once, as an error that names the permission, wherever in the worker it is
//! met: what follows from it is said by others, as a warning.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use queue::{Queue, QueueError};
use store::{Ledger, LedgerError};
use tokio::time::Instant;
use tracing::error;

use crate::lanes::gate::{Cause, Gate};

/// What is refused again after so long without a refusal is said again. Longer than anything is held before it is
/// tried again, so that what goes on all the time is said once.
const CALM: Duration = Duration::from_secs(3600);

/// When each call was last refused. As many as there are places and actions: a dozen.
#[derive(Debug, Default)]
pub(crate) struct Denials(Mutex<BTreeMap<(String, &'static str), Instant>>);

impl Denials {
    /// The source queue, watched. A worker that cannot hide messages stops receiving while an event waits: the wait
    /// would be no longer than the lease, and receives would run up without a visit.
    pub(crate) fn watch_source(self: &Arc<Self>, queue: Queue, gate: Arc<Gate>) -> Queue {
        let denials = self.clone();
        queue.watched(move |error| {
            denials.note_queue(error);
            if error.action() == Some("ChangeMessageVisibilityBatch") {
                gate.close(Cause::Hiding, error);
            }
        })
    }

    /// Another queue, watched.
    pub(crate) fn watch(self: &Arc<Self>, queue: Queue) -> Queue {
        let denials = self.clone();
        queue.watched(move |error| denials.note_queue(error))
    }

    /// The ledger, watched.
    pub(crate) fn watch_ledger(self: &Arc<Self>, ledger: Ledger) -> Ledger {
        let denials = self.clone();
        ledger.watched(move |error| {
            if let LedgerError::Denied { ledger, action, .. } = error {
                denials.note(ledger, action, error);
            }
        })
    }

    fn note_queue(&self, error: &QueueError) {
        if let QueueError::Denied { queue, action, .. } = error {
            self.note(queue, action, error);
        }
    }

    fn note(&self, place: &str, action: &'static str, error: &dyn Display) {
        let key = (place.to_owned(), action);
        let last = self
            .0
            .lock()
            .expect("no holder panics")
            .insert(key, Instant::now());
        if last.is_none_or(|last| last.elapsed() >= CALM) {
            error!(%error, "AWS refuses a call of this worker");
        }
    }
}
