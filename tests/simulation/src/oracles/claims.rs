//! What a worker says of itself: its summary, its readiness, and its end when it drains.

use std::time::Duration;

use consumer::Summary;

use super::{At, Found, View};
use crate::log::{Turn, Worker};
use crate::plan::Profile;

/// The summary of a worker that came to its end counts what was seen of it.
pub(super) fn summaries(view: &View<'_>) -> Found {
    let mut found = Vec::new();
    for (ended, worker, summary) in &view.seen.summaries {
        let Summary {
            received,
            attempts,
            delivered,
            held,
            dead_lettered,
            ..
        } = *summary;
        if received != delivered + dead_lettered + held {
            found.push(format!("{worker:?}: {summary:?} does not add up"));
        }
        if view.seen.was_struck(*worker, Duration::ZERO, *ended) {
            continue;
        }
        let (made, accepted) = counted(view, *worker, *ended);
        if (attempts, delivered) != (made, accepted) {
            found.push(format!(
                "{worker:?} says {attempts} attempts and {delivered} delivered at {}, of {made} and {accepted}",
                At(*ended)
            ));
        }
        let handed_out = view.seen.receives.iter().filter(|r| r.worker == *worker);
        let handed_out = handed_out.count() as u64;
        if view.plan().sqs.are_none() && received != handed_out {
            found.push(format!(
                "{worker:?} says {received} received, of {handed_out}"
            ));
        }
    }
    found
}

/// How many requests a worker made until its end, and how many of them it saw accepted.
fn counted(view: &View<'_>, worker: Worker, ended: Duration) -> (u64, u64) {
    let made = view.seen.requests.iter();
    let made = made.filter(|r| r.worker == worker && r.at <= ended);
    let accepted = made
        .clone()
        .filter(|r| r.seen_accepted().is_some_and(|at| at <= ended));
    (made.count() as u64, accepted.count() as u64)
}

/// A worker that met an outage of the ledger, or of the whole internal queue, is not ready before it is over; long
/// after all trouble each of them is.
pub(super) fn readiness(view: &View<'_>) -> Found {
    let unready = view.left.unready.iter();
    let mut found: Vec<_> = unready
        .map(|worker| format!("{worker:?} is not ready"))
        .collect();
    let Some((from, until)) = outage(view) else {
        return found;
    };
    let is_in = |at: &Duration| from <= *at && *at < until;
    for (at, worker, turn) in view.seen.turns.iter().filter(|turn| is_in(&turn.0)) {
        // One that begins has met nothing yet.
        let before = view
            .seen
            .turns
            .iter()
            .filter(|turn| turn.1 == *worker && is_in(&turn.0));
        let was_unready = before
            .clone()
            .any(|turn| turn.0 < *at && turn.2 == Turn::Ready(false));
        if *turn == Turn::Ready(true) && was_unready {
            found.push(format!("{worker:?} is ready at {}, in an outage", At(*at)));
        }
    }
    found
}

/// The span of an outage, in a history without other trouble, that every look meets.
fn outage(view: &View<'_>) -> Option<(Duration, Duration)> {
    let plan = view.plan();
    match plan.profile {
        Profile::LedgerDown => plan.ledger.outage,
        Profile::InternalQueueDown => {
            let outage = plan
                .sqs
                .outage
                .as_ref()
                .filter(|outage| outage.action.is_none());
            outage.map(|outage| (outage.from, outage.until))
        }
        _ => None,
    }
}

pub(super) fn drained(view: &View<'_>) -> Found {
    let mut found = Vec::new();
    if !view.left.drained {
        found.push("the worker that drains does not end".to_owned());
    }
    for (at, worker, turn) in &view.seen.turns {
        if let Turn::Drained(left @ 1..) = turn {
            found.push(format!("{worker:?} ended at {} with {left} left", At(*at)));
        }
    }
    found
}
