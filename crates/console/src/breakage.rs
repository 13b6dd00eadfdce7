//! Deliberate mistakes, which the simulation must catch, each of them. They exist only with the feature `breakages`,
//! which nothing but the simulation asks for.

#![cfg_attr(
    not(feature = "breakages"),
    allow(
        dead_code,
        unreachable_pub,
        reason = "the mistakes are named where they could be made"
    )
)]

#[cfg(feature = "breakages")]
use std::cell::Cell;

/// A mistake that a replay or a drop could make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breakage {
    /// A letter is deleted before it is in its new place.
    DeleteFirst,
    /// A letter gets a new deduplication id each time it is sent.
    FreshReplayId,
    /// The next letter of a group goes while one ahead of it has to be tried again.
    NextAfterFailed,
    /// `Failed` of a batch of sends is not read.
    FailedSendsIgnored,
    /// `Failed` of a batch of deletes is not read.
    FailedDeletesIgnored,
    /// Letters go back in the order in which they died.
    OrderOfDeath,
    /// Two letters of one event are both sent.
    CopiesSent,
}

#[cfg(feature = "breakages")]
thread_local! {
    static ACTIVE: Cell<Option<Breakage>> = const { Cell::new(None) };
}

impl Breakage {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::DeleteFirst,
        Self::FreshReplayId,
        Self::NextAfterFailed,
        Self::FailedSendsIgnored,
        Self::FailedDeletesIgnored,
        Self::OrderOfDeath,
        Self::CopiesSent,
    ];

    /// From now on the commands of this thread make this mistake, or none.
    #[cfg(feature = "breakages")]
    pub fn set(mistake: Option<Self>) {
        ACTIVE.set(mistake);
    }

    #[cfg(feature = "breakages")]
    pub(crate) fn is_made(self) -> bool {
        ACTIVE.get() == Some(self)
    }

    #[cfg(not(feature = "breakages"))]
    pub(crate) const fn is_made(self) -> bool {
        false
    }
}
