//! What became of every event.

use std::time::Duration;

use delivery::{Attempt, DeadLetter, Reason};

use super::{At, Found, View};
use crate::fleet::TIMEOUT;
use crate::log::{Event, Request};
use crate::plan::Behaviour;

/// What was sent and what was decided are noted in whole milliseconds.
const ROUNDING: Duration = Duration::from_secs(1);

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
            // A standard queue knows no deduplication ids.
            (_, 2..) if view.plan().is_fifo() && copies > 1 + forgotten(view, event) => {
                found.push(format!("{event} is in the internal queue {copies} times"));
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
            Behaviour::Kills => (Reason::ReceiveCountExceeded, 0),
            _ => (Reason::Exhausted, view.plan().attempts() as usize),
        };
        let has = (letter.reason, letter.attempts.len());
        if view.plan().retention.is_some() && letter.reason == Reason::Expiring {
            found.extend(too_soon(view, event, letter));
            continue;
        }
        if has != expected {
            found.push(format!("{event} is dead with {has:?}, not {expected:?}"));
        }
    }
    found
}

/// What the queue would drop before its next attempt is set aside, and nothing else: no wait goes beyond the last 24th
/// part of the retention.
fn too_soon(view: &View<'_>, event: Event, letter: &DeadLetter) -> Option<String> {
    let retention = view.plan().retention?;
    let ends = *view.seen.queued.get(&event)? + retention;
    let start = crate::history::START.as_millis();
    let dead_at = Duration::from_millis(letter.dead_at.as_millis() - start);
    let next = letter.attempts.len() as u32 + 1;
    let needed = view.plan().wait_before(next) + retention / 24 + TIMEOUT;
    let is_told = dead_at < ends && dead_at + needed + ROUNDING >= ends;
    (!is_told).then(|| {
        let (dead_at, ends) = (At(dead_at), At(ends));
        format!(
            "{event} is set aside as expiring at {dead_at} before attempt {next}, dropped at {ends}"
        )
    })
}

pub(super) fn accepted_stays_alive(view: &View<'_>) -> Found {
    let mut found = Vec::new();
    for event in view.events() {
        let Some(dead_at) = view.exhausted(event) else {
            continue;
        };
        for request in view.requests(event) {
            if let Some(seen) = request.seen_accepted().filter(|seen| *seen < dead_at)
                && !view.was_struck(request, dead_at)
                && !view.met_a_ledger_fault(request.worker, seen, dead_at)
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

/// Were it otherwise, a crash in between would let it be POSTed again although it lies in the internal queue.
pub(super) fn recorded_before_set_aside(view: &View<'_>) -> Found {
    let mut found = Vec::new();
    for event in view.events() {
        let Some(set_aside) = view.set_aside(event) else {
            continue;
        };
        if view
            .exhausted(event)
            .is_none_or(|dead_at| dead_at > set_aside)
        {
            found.push(format!(
                "{event} sent to the internal queue at {}",
                At(set_aside)
            ));
        }
    }
    found
}

pub(super) fn invalid_is_never_posted(view: &View<'_>) -> Found {
    let invalid = |event: &Event| view.behaviour(*event) == Behaviour::Invalid;
    let posted = view
        .events()
        .filter(invalid)
        .filter(|event| !view.requests(*event).is_empty());
    posted.map(|event| format!("{event} POSTed")).collect()
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
    let error_of = |request: &Request| view.error_of(request.worker, request.decided);
    let is_of = |attempt: &Attempt, request: &Request| {
        let at_ms = (start + request.decided.as_millis() as u64).abs_diff(attempt.at.as_millis());
        attempt.n == request.attempt && u128::from(at_ms) <= error_of(request).as_millis()
    };
    let largest_error = requests.iter().map(|request| error_of(request)).max();
    let largest_error = largest_error.unwrap_or_default();
    let is_recorded = |request: &Request| letter.attempts.iter().any(|a| is_of(a, request));
    let numbers: Vec<_> = letter.attempts.iter().map(|attempt| attempt.n).collect();
    if !numbers.iter().copied().eq(1..=numbers.len() as u32)
        || !letter
            .attempts
            .is_sorted_by(|a, b| a.at <= b.at.plus(largest_error))
    {
        found.push(format!("{event}: attempts {numbers:?} recorded"));
    }
    for attempt in &letter.attempts {
        let of_attempt = requests.iter().filter(|request| is_of(attempt, request));
        // Two workers may have made it at the same moment, one of them without a lease.
        let request = of_attempt.max_by_key(|request| request.status == attempt.status);
        if let Some(request) = request
            && request.status != attempt.status
        {
            found.push(format!(
                "{event}: attempt {} recorded with {:?}, answered {:?}",
                attempt.n, attempt.status, request.status
            ));
        }
        if !requests.iter().any(|request| is_of(attempt, request)) {
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

/// An attempt may go unrecorded if its worker died, gave it up when it stopped, or stopped or could not extend its
/// lease while the ledger was down.
fn is_excused(view: &View<'_>, request: &Request) -> bool {
    let until = Duration::MAX;
    let over = request.over().unwrap_or(until);
    request.dropped.is_some()
        || view.was_struck(request, until)
        || view.lost_to_a_late_record(request)
        || (view.plan().profile.has_sqs_faults()
            || view.seen.was_told_to_stop(request.worker, until))
            && view.met_a_ledger_fault(request.worker, over, until)
}
