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

/// A mistake that a producer could make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breakage {
    /// The deduplication clock runs ahead of the wall clock.
    ClockAhead,
    /// More than one event of a group is in a batch.
    GroupInOneBatch,
    /// An event that failed is sent again with a new deduplication id.
    FreshIdOnRetry,
    /// A line is not noted in the checkpoint before it is sent.
    NotedAfterwards,
}

#[cfg(feature = "breakages")]
thread_local! {
    static ACTIVE: Cell<Option<Breakage>> = const { Cell::new(None) };
}

impl Breakage {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::ClockAhead,
        Self::GroupInOneBatch,
        Self::FreshIdOnRetry,
        Self::NotedAfterwards,
    ];

    /// From now on the producers of this thread make this mistake, or none.
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
