//! Why a lane ends before it is empty, as long as it runs; what a shell is told of it is `left::Why`.

use std::time::Duration;

use crate::lanes::lease::LeaseLost;

/// Why a lane ends before it is empty.
#[derive(Debug)]
pub(super) enum End {
    /// Its head waits for its next visit.
    Wait(Duration),
    /// The worker stops.
    GiveBack,
    /// The ledger or the internal queue is down.
    Down,
    /// This machine has run out of what a request needs.
    Short,
    /// A lease is over, or another worker wrote the ledger first: the messages are no longer ours.
    Lost,
}

impl From<LeaseLost> for End {
    fn from(_: LeaseLost) -> Self {
        Self::Lost
    }
}
