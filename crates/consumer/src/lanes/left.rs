//! What a lane leaves in the queue, for a shell that has to answer for each message.

use std::time::Duration;

/// What a lane leaves in the queue, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// The MessageIds, in the order of the lane: the head, and what is behind it. None if all are settled.
    pub message_ids: Vec<String>,
    /// Why they are left.
    pub why: Why,
}

/// Why a lane ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Everything is delivered or in the internal queue, and its deletes are on their way.
    Settled,
    /// The head waits for its next visit: so long are all of them hidden.
    Waits(Duration),
    /// The shell stops.
    GivenBack,
    /// The ledger or the internal queue is down.
    Down,
    /// This machine has run out of what a request needs.
    Short,
    /// The lease is over, or another worker wrote the ledger first: they are no longer ours.
    Lost,
    /// A defect of ours: they are left alone until their lease ends.
    Defect,
}
