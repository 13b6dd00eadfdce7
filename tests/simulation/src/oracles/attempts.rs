//! How often and when each event is attempted.

use std::time::Duration;

use super::{At, Found, View};
use crate::log::Request;
use crate::plan::Profile;

/// What calls, polls and places in a busy worker may add to a wait.
const SLACK: Duration = Duration::from_secs(25);

/// An event that was accepted is POSTed again only if its worker died, or stood still, this soon after: a delete is on
/// its way within 200 ms, and noted when it has taken a second.
const NOTED_WITHIN: Duration = Duration::from_secs(3);

pub(super) fn as_many_as_planned(view: &View<'_>) -> Found {
    let (mut found, most) = (Vec::new(), view.plan().attempts());
    for written in &view.seen.written {
        let event = view.seen.event_of(&written.message_id);
        if written.record.attempts.len() > most as usize {
            found.push(format!(
                "{event:?}: {} attempts recorded",
                written.record.attempts.len()
            ));
        }
    }
    for event in view.events() {
        let requests = view.requests(event);
        for (position, request) in requests.iter().enumerate() {
            let n = request.attempt;
            if !(1..=most).contains(&n) {
                found.push(format!("{event}: attempt {n}"));
            }
            let before = &requests[..position];
            let again = before.iter().find(|earlier| earlier.attempt >= n);
            if let Some(earlier) = again.filter(|earlier| !is_excused(view, earlier, request)) {
                found.push(format!(
                    "{event}: attempt {} of {:?} at {}, attempt {n} of {:?} at {}",
                    earlier.attempt,
                    earlier.worker,
                    At(earlier.at),
                    request.worker,
                    At(request.at)
                ));
            }
        }
    }
    found
}

/// An attempt may be made again if nobody could write it down: its worker died, gave it up when it stopped, or
/// stopped or could not extend its lease while the ledger was down.
fn is_excused(view: &View<'_>, earlier: &Request, again: &Request) -> bool {
    let over = earlier.over().unwrap_or(again.at);
    again.is_stale
        || earlier.dropped.is_some()
        || view.was_struck(earlier, again.at)
        || view.lost_to_a_late_record(earlier)
        || (view.plan().profile.has_sqs_faults()
            || view.seen.was_told_to_stop(earlier.worker, again.at))
            && view.met_a_ledger_fault(earlier.worker, over, again.at)
}

fn has_dropped(view: &View<'_>) -> bool {
    view.seen
        .requests
        .iter()
        .any(|request| request.dropped.is_some())
}

/// From what the receiver saw and the schedule: whatever the ledger says of it.
pub(super) fn never_early(view: &View<'_>) -> Found {
    let mut found = Vec::new();
    for event in view.events() {
        let requests = view.requests(event);
        for (position, request) in requests.iter().enumerate() {
            let wait = view.plan().wait_before(request.attempt);
            if wait.is_zero() || request.is_stale {
                continue;
            }
            let before = requests[..position].iter();
            let before = before.filter(|earlier| earlier.attempt + 1 == request.attempt);
            if before.clone().next().is_none() {
                found.push(format!(
                    "{event}: attempt {} without the one before",
                    request.attempt
                ));
            }
            // Nobody knows of the others.
            let known =
                before.filter(|earlier| !earlier.is_stale && !is_excused(view, earlier, request));
            let over = known.filter_map(|earlier| earlier.over()).max();
            if let Some(over) = over.filter(|over| request.at + view.clock_error() < *over + wait) {
                found.push(format!(
                    "{event}: attempt {} at {}, the one before was over at {}",
                    request.attempt,
                    At(request.at),
                    At(over)
                ));
            }
        }
    }
    found
}

pub(super) fn schedule(view: &View<'_>) -> Found {
    let mut found = Vec::new();
    if !matches!(view.plan().profile, Profile::Calm) || has_dropped(view) {
        return found;
    }
    for event in view.events() {
        let requests = view.requests(event);
        for pair in requests.windows(2) {
            let Some(over) = pair[0].over() else { continue };
            let waited = pair[1].at.saturating_sub(over);
            let wait = view.plan().wait_before(pair[1].attempt);
            let (least, most) = match wait {
                Duration::ZERO if pair[0].worker == pair[1].worker => {
                    (wait, Duration::from_secs(1))
                }
                // A worker that stops leaves the second attempt to its successor.
                _ => (wait, wait + SLACK),
            };
            if waited + view.clock_error() < least || waited > most {
                found.push(format!(
                    "{event}: attempt {} came after {}",
                    pair[1].attempt,
                    At(waited)
                ));
            }
        }
    }
    found
}

pub(super) fn duplicates(view: &View<'_>) -> Found {
    let mut found = Vec::new();
    for event in view.events() {
        let requests = view.requests(event);
        for request in &requests {
            if request.webhook_id != event.to_string() {
                found.push(format!("{event}: webhook-id {:?}", request.webhook_id));
            }
        }
        let first = requests
            .iter()
            .find_map(|r| r.seen_accepted().map(|at| (*r, at)));
        let Some((first, accepted)) = first else {
            continue;
        };
        for again in requests.iter().filter(|request| request.at > accepted) {
            let nobody_can_be_told = view.met_a_ledger_fault(first.worker, accepted, again.at);
            let until = again.at.min(accepted + NOTED_WITHIN);
            if !(again.is_stale || nobody_can_be_told || view.was_struck(first, until)) {
                found.push(format!(
                    "{event}: {:?} saw it accepted at {}, {:?} POSTed it at {}",
                    first.worker,
                    At(accepted),
                    again.worker,
                    At(again.at)
                ));
            }
        }
    }
    found
}
