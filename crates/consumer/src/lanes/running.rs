//! A lane that runs, and how a visit of its head can end.

use std::time::Duration;

use store::Key;

use crate::lanes::lease::{Held, Lease, LeaseLost};
use crate::lanes::settler::{Ended, Settler};
use crate::lanes::shared::Shared;

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

/// How a visit that came to a verdict leaves its message: to be deleted.
pub(super) struct Settled {
    /// It came to its end in this visit: the ledger does not say so (yet).
    pub(super) ended: Option<Ended>,
}

impl Settled {
    pub(super) fn now(ended: Ended) -> Self {
        Self { ended: Some(ended) }
    }

    /// The ledger, or our memory, knows already.
    pub(super) fn before() -> Self {
        Self { ended: None }
    }
}

/// A lane that runs.
pub(super) struct LaneRun<'a, P> {
    pub(super) shared: &'a Shared<P>,
    pub(super) settler: &'a Settler,
    pub(super) lease: Lease,
}

impl<P> LaneRun<'_, P> {
    pub(super) fn head(&self) -> &Held {
        self.lease
            .head()
            .expect("a visit is of the head of a lane that is not empty")
    }

    pub(super) fn key(&self) -> Key {
        let message = &self.head().message;
        Key {
            queue: self.shared.source.url().to_owned(),
            message_id: message.message_id.clone(),
            group: message.group.clone(),
        }
    }
}
