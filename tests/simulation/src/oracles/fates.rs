//! What became of every event.

use std::time::Duration;

use delivery::{DeadLetter, Reason};

use super::{At, Found, View};
use crate::log::{Event, Request};
use crate::plan::Behaviour;

/// How long SQS knows a deduplication id.
const DEDUPLICATION: Duration = Duration::from_secs(300);

pub(super) fn conserved(view: &View<'_>) -> Found {
    let mut found = view.left.unsent.clone();
    for event in view.events() {
        let copies = view
            .left
            .dead
            .iter()
            .filter(|dead| dead.event == Some(event))
            .count();
        match (view.accepted(event), copies) {
            (_, 2..) if copies > 1 + forgotten(view, event) => {
                found.push(format!("{event} is in the internal queue {copies} times"))
            }
            (None, 0) => found.push(format!("{event} vanished")),
            _ => {}
        }
    }
    found
}

/// SQS knows a deduplication id for five minutes. When an answer of the internal queue was lost, and all that was
/// tried in these minutes failed too, the next send is taken as new: nobody can tell.
fn forgotten(view: &View<'_>, event: Event) -> usize {
    let profile = view.plan().profile;
    if !profile.has_sqs_faults() && !profile.has_deaths() {
        return 0;
    }
    let mut kept: Option<Duration> = None;
    let mut forgotten = 0;
    for (_, at) in view.seen.buried.iter().filter(|buried| buried.0 == event) {
        match kept {
            Some(before) if *at - before < DEDUPLICATION => {}
            Some(_) => forgotten += 1,
            None => {}
        }
        if kept.is_none_or(|before| *at - before >= DEDUPLICATION) {
            kept = Some(*at);
        }
    }
    forgotten
}

pub(super) fn reasons(view: &View<'_>) -> Found {
    let mut found = Vec::new();
    for dead in &view.left.dead {
        let (Some(event), Some(letter)) = (dead.event, &dead.letter) else {
            found.push(format!(
                "{:?} is in the internal queue without a record",
                dead.event
            ));
            continue;
        };
        let expected = match view.behaviour(event) {
            Behaviour::Invalid => (Reason::InvalidEvent, 0),
            _ => (Reason::Exhausted, 4),
        };
        let has = (letter.reason, letter.attempts.len());
        if has != expected {
            found.push(format!("{event} is dead with {has:?}, not {expected:?}"));
        }
    }
    found
}

pub(super) fn accepted_stays_alive(view: &View<'_>) -> Found {
    let mut found = Vec::new();
    // With both down at once nobody can be told.
    let profile = view.plan().profile;
    if profile.has_sqs_faults() && profile.has_ledger_faults() {
        return found;
    }
    for event in view.events() {
        let Some(dead_at) = view.exhausted(event) else {
            continue;
        };
        for request in view.requests(event) {
            if let Some(seen) = request.seen_accepted().filter(|seen| *seen < dead_at)
                && !view.was_struck(request, dead_at)
            {
                found.push(format!(
                    "{event}: accepted at {}, exhausted at {}",
                    At(seen),
                    At(dead_at)
                ));
            }
        }
    }
    found
}

pub(super) fn dead_stays_dead(view: &View<'_>) -> Found {
    let mut found = Vec::new();
    for event in view.events() {
        let Some(dead) = view.exhausted_record(event) else {
            continue;
        };
        let late = |request: &&&Request| {
            request.at > dead.at && !request.is_stale && !view.could_not_know(request, dead)
        };
        if let Some(request) = view.requests(event).iter().find(late) {
            found.push(format!(
                "{event}: exhausted at {}, POSTed by {:?} at {}",
                At(dead.at),
                request.worker,
                At(request.at)
            ));
        }
    }
    found
}

pub(super) fn records(view: &View<'_>) -> Found {
    let mut found = Vec::new();
    for dead in &view.left.dead {
        if let (Some(event), Some(letter)) = (dead.event, &dead.letter) {
            record(view, event, letter, &mut found);
        }
    }
    found
}

fn record(view: &View<'_>, event: Event, letter: &DeadLetter, found: &mut Found) {
    let start = crate::history::START.as_millis();
    let requests = view.requests(event);
    let is_recorded = |request: &Request| {
        letter.attempts.iter().any(|attempt| {
            let at_ms = attempt.at.as_millis() - start;
            attempt.n == request.attempt && at_ms.abs_diff(request.at.as_millis() as u64) <= 1
        })
    };
    for attempt in &letter.attempts {
        let at_ms = attempt.at.as_millis() - start;
        let was_seen = requests.iter().any(|request| {
            attempt.n == request.attempt && at_ms.abs_diff(request.at.as_millis() as u64) <= 1
        });
        // One that stood still between the decision and the request has its time from before.
        if !was_seen && !requests.iter().any(|request| request.is_stale) {
            found.push(format!(
                "{event}: recorded attempt {} was never made",
                attempt.n
            ));
        }
    }
    for request in requests.iter().filter(|request| !is_recorded(request)) {
        if request.is_stale || is_excused(view, request) {
            continue;
        }
        found.push(format!(
            "{event}: attempt {} at {} is not recorded",
            request.attempt,
            At(request.at)
        ));
    }
}

/// An attempt may go unrecorded if its worker died, gave it up when it stopped, or could have lost its lease.
fn is_excused(view: &View<'_>, request: &Request) -> bool {
    let profile = view.plan().profile;
    let until = Duration::MAX;
    request.dropped.is_some()
        || view.was_struck(request, until)
        || profile.has_sqs_faults()
        || profile.has_ledger_faults()
}
