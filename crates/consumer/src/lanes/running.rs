//! A lane that runs, and how a visit leaves a message that came to its verdict.

use store::Key;

use crate::lanes::lease::{Held, Lease};
use crate::lanes::settler::{Ended, Settler};
use crate::lanes::shared::Shared;

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
