//! Whether a source queue and an internal queue can be worked with: what would lose or reorder events.

use std::time::Duration;

use crate::Queue;
use crate::admin::{Backstop, Keeping, backstop, keeping};
use crate::limits::MAX_RETENTION_S;

/// Why a pair cannot be worked with. Whoever says so words the mend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotUsable {
    /// The internal queue is the source queue.
    OneQueue,
    /// The internal queue's native redrive leads to the source queue: each is named as the other.
    Swapped,
    /// One is FIFO, the other standard.
    TwoKinds,
    /// The native redrive takes a message after so many receives, which is too soon ([`Backstop::TooLow`]).
    TakenAway(u32),
    /// The source drops a message before an event has had all its attempts ([`Keeping::TooShort`]).
    Dropped,
}

/// What is amiss with a pair that can be worked with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Warning {
    /// The native redrive takes a message after so many receives ([`Backstop::Low`]).
    TakenAway(u32),
    /// The source keeps a message shorter than it could ([`Keeping::Short`]).
    SourceKeepsShort,
    /// The internal queue keeps a dead letter for less than 14 days.
    InternalKeepsShort,
}

/// For how long an event or its dead letter may lie in one of the two, and a note on its group is of use.
pub fn retention(source: &Queue, dead_letters: &Queue) -> Duration {
    let [source, dead_letters] = [source, dead_letters].map(|queue| queue.attributes().retention());
    source.max(dead_letters)
}

/// Says whether the two are a pair at all, for whoever only looks and sends letters back.
///
/// # Errors
/// One of the first three of [`NotUsable`].
pub fn is_pair(source: &Queue, dead_letters: &Queue) -> Result<(), NotUsable> {
    if source.is_same(dead_letters) {
        return Err(NotUsable::OneQueue);
    }
    let moves_to = dead_letters.attributes().redrive.as_ref();
    if moves_to.is_some_and(|(_, target)| *target == source.attributes().arn) {
        return Err(NotUsable::Swapped);
    }
    if source.is_fifo() != dead_letters.is_fifo() {
        return Err(NotUsable::TwoKinds);
    }
    Ok(())
}

/// Says whether a pair can be worked with for events that may need `needed` for all their attempts, and what is amiss then.
///
/// # Errors
/// What would lose or reorder events.
pub fn usable_pair(
    source: &Queue,
    dead_letters: &Queue,
    needed: Duration,
) -> Result<Vec<Warning>, NotUsable> {
    is_pair(source, dead_letters)?;
    let mut warnings = Vec::new();
    match backstop(source.attributes()) {
        Backstop::TooLow(count) => return Err(NotUsable::TakenAway(count)),
        Backstop::Low(count) => warnings.push(Warning::TakenAway(count)),
        Backstop::Absent | Backstop::Fits => {}
    }
    match keeping(source.attributes(), needed) {
        Keeping::TooShort => return Err(NotUsable::Dropped),
        Keeping::Short => warnings.push(Warning::SourceKeepsShort),
        Keeping::Fits => {}
    }
    if dead_letters.attributes().retention_s < MAX_RETENTION_S {
        warnings.push(Warning::InternalKeepsShort);
    }
    Ok(warnings)
}
