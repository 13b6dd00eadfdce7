//! What the lanes and pollers of one worker share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use queue::{Clock, Queue};
use store::Ledger;
use tokio::sync::OwnedMutexGuard;
use tokio_util::sync::CancellationToken;

use crate::gate::Gate;
use crate::memory::Memory;
use crate::settings::Settings;
use crate::tally::Tally;

pub(crate) struct Shared<P> {
    pub(crate) settings: Settings,
    pub(crate) source: Queue,
    pub(crate) dead_letters: Queue,
    pub(crate) ledger: Ledger,
    pub(crate) post: P,
    pub(crate) clock: Clock,
    pub(crate) memory: Arc<Mutex<Memory>>,
    pub(crate) tally: Arc<Tally>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) turns: Turns,
    /// No new attempts: what is held is given back after the attempt in hand.
    pub(crate) stop: CancellationToken,
    /// The grace is over: attempts in hand are dropped.
    pub(crate) abort: CancellationToken,
}

impl<P> Shared<P> {
    pub(crate) fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().expect("no holder panics")
    }
}

/// One lane of a group at a time within this worker. SQS sees to that while leases hold; this covers the
/// moment in which one ran out and the group came again.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<HashMap<String, Weak<tokio::sync::Mutex<()>>>>);

/// Swept when it holds this many groups, so that past groups do not pile up.
const SWEEP_AT: usize = 1_024;

impl Turns {
    /// Waits for the group's turn, which lasts until the guard is dropped.
    pub(crate) async fn take(&self, group: &str) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.0.lock().expect("no holder panics");
            if turns.len() >= SWEEP_AT {
                turns.retain(|_, turn| turn.strong_count() > 0);
            }
            let known = turns.get(group).and_then(Weak::upgrade);
            known.unwrap_or_else(|| {
                let turn = Arc::default();
                turns.insert(group.to_owned(), Arc::downgrade(&turn));
                turn
            })
        };
        turn.lock_owned().await
    }
}
