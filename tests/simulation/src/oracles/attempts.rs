//! How often and when each event is attempted.

use std::time::Duration;

use delivery::RecordState;

use super::{At, Found, View};
use crate::history::START;
use crate::log::Request;
use crate::plan::Profile;

const MINUTE: Duration = Duration::from_secs(60);

/// What calls, polls and places in a busy worker may add to a wait.
const SLACK: Duration = Duration::from_secs(25);

pub(super) fn four(view: &View<'_>) -> Found {
    let mut found = Vec::new();
    for written in &view.seen.written {
        let event = view.seen.event_of(&written.message_id);
        if written.record.attempts.len() > 4 {
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
            if !(1..=4).contains(&n) {
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

pub(super) fn never_early(view: &View<'_>) -> Found {
    let mut found = Vec::new();
    for written in &view.seen.written {
        let RecordState::Waiting { not_before } = written.record.state else {
            continue;
        };
        let not_before = Duration::from_millis(not_before.as_millis() - START.as_millis());
        let Some(event) = view.seen.event_of(&written.message_id) else {
            continue;
        };
        let early = |request: &&&Request| {
            request.at > written.at
                && request.at + Duration::from_millis(1) < not_before
                && !request.is_stale
                && !view.could_not_know(request, written)
        };
        if let Some(request) = view.requests(event).iter().find(early) {
            found.push(format!(
                "{event}: POSTed at {}, not before {}",
                At(request.at),
                At(not_before)
            ));
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
            let (least, most) = match pair[1].attempt {
                3 => (MINUTE, MINUTE + SLACK),
                // A worker that stops leaves the second attempt to its successor.
                _ if pair[0].worker != pair[1].worker => (Duration::ZERO, SLACK),
                _ => (Duration::ZERO, Duration::from_secs(1)),
            };
            if waited + Duration::from_millis(1) < least || waited > most {
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
            let is_excused =
                again.is_stale || nobody_can_be_told || view.was_struck(first, again.at);
            if !is_excused {
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
