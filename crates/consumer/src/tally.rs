//! Counts what happens: for the summary, the metrics, and to know when nothing is in hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::settings::Summary;

/// The counters of one worker.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) received: AtomicU64,
    pub(crate) attempts: AtomicU64,
    pub(crate) delivered: AtomicU64,
    pub(crate) dead_lettered: AtomicU64,
    pub(crate) expiring: AtomicU64,
    pub(crate) in_hand: AtomicU64,
    /// Lanes that ended by a defect of ours.
    pub(crate) panics: AtomicU64,
}

impl Tally {
    pub(crate) fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn read(counter: &AtomicU64) -> u64 {
        counter.load(Ordering::Relaxed)
    }

    pub(crate) fn summary(&self, duration_s: f64) -> Summary {
        let received = Self::read(&self.received);
        let delivered = Self::read(&self.delivered);
        let dead_lettered = Self::read(&self.dead_lettered);
        Summary {
            received,
            attempts: Self::read(&self.attempts),
            delivered,
            held: received.saturating_sub(delivered + dead_lettered),
            dead_lettered,
            expiring: Self::read(&self.expiring),
            duration_s,
        }
    }
}

/// One received message that is not settled yet; settled when this is dropped.
#[derive(Debug)]
pub(crate) struct InHand(Arc<Tally>);

impl InHand {
    pub(crate) fn new(tally: &Arc<Tally>) -> Self {
        Tally::count(&tally.received);
        tally.in_hand.fetch_add(1, Ordering::Relaxed);
        Self(tally.clone())
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        self.0.in_hand.fetch_sub(1, Ordering::Relaxed);
    }
}
