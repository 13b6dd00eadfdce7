//! Changes of the ledger that wait for its connection.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use event::Timestamp;
use serde::Serialize;
use tokio::sync::oneshot;

use crate::slot::Slot;
use crate::{Key, LedgerError};

/// The most changes made together.
const MOST: usize = 256;

/// One change.
pub(super) enum Change {
    /// Write a record or a note, if the version that is there is the one to replace (`None`: if there is none).
    Put {
        slot: Slot,
        replaces: Option<i64>,
        text: String,
        now: Timestamp,
    },
    /// Remove what is there.
    Forget(Vec<Slot>),
}

impl Change {
    pub(super) fn put(
        slot: impl Into<Slot>,
        replaces: Option<i64>,
        kept: &impl Serialize,
        now: Timestamp,
    ) -> Self {
        Self::Put {
            slot: slot.into(),
            replaces,
            text: serde_json::to_string(kept).expect("what is kept has only string keys"),
            now,
        }
    }

    pub(super) fn forget(keys: &[Key]) -> Self {
        Self::Forget(keys.iter().map(Slot::from).collect())
    }
}

/// A change and who waits for it. The answer to a put is the version written, or `None` if it was not
/// written.
pub(super) struct Pending {
    pub(super) change: Change,
    pub(super) answer: oneshot::Sender<Result<Option<i64>, LedgerError>>,
}

/// Changes in the order in which they were asked for; no more than there are callers.
#[derive(Default)]
pub(super) struct Waiting(Mutex<VecDeque<Pending>>);

impl Waiting {
    pub(super) fn add(&self, pending: Pending) {
        self.lock().push_back(pending);
    }

    /// The next changes to make, without those that nobody waits for any more.
    pub(super) fn take(&self) -> Vec<Pending> {
        let mut waiting = self.lock();
        waiting.retain(|pending| !pending.answer.is_closed());
        let size = waiting.len().min(MOST);
        waiting.drain(..size).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Pending>> {
        // Nothing in here can be left half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
