//! Nothing stands still.

use std::collections::HashMap;
use std::time::Duration;

use super::{At, Found, View};
use crate::fleet::SHUTDOWN_GRACE;
use crate::log::{Event, Receive, Request, Turn, Worker};
use crate::plan::Profile;

/// More receives of one message than any of these histories gives reason for: with so many attempts ahead of it and of
/// its own, and those of troubles.
fn many(view: &View<'_>) -> u64 {
    60 + 8 * u64::from(view.plan().attempts().saturating_sub(4))
}

/// While a ledger or the internal queue is down, what is given back stays away at least so long.
const LEAST_BACKOFF: Duration = Duration::from_millis(4_500);

/// The longest lease and the longest backoff, one after the other.
const AFTER_TROUBLE: Duration = Duration::from_secs(90 + 240);

/// What the internal queue refuses, or cannot be deleted, is held for so long at a time.
const AFTER_A_REFUSAL: Duration = Duration::from_secs(30 * 60);

const AFTER_A_RESTART: Duration = Duration::from_secs(5);

pub(super) fn receive_counts(view: &View<'_>) -> Found {
    let mut found = Vec::new();
    let mut last: HashMap<&str, &Receive> = HashMap::new();
    let (from, until) = outage(view).unwrap_or_default();
    for receive in &view.seen.receives {
        let event = view.seen.event_of(&receive.message_id);
        if receive.count > many(view) {
            found.push(format!("{event:?} received {} times", receive.count));
        }
        let Some(before) = last.insert(&receive.message_id, receive) else {
            continue;
        };
        let is_in_outage = from < before.at && receive.at < until;
        // One that stops and has not met the outage gives back at once.
        let is_excused = view.seen.was_told_to_stop(before.worker, receive.at);
        if is_in_outage && !is_excused && receive.at - before.at < LEAST_BACKOFF {
            let (before, at) = (At(before.at), At(receive.at));
            found.push(format!(
                "{event:?} received at {before} and at {at} during an outage"
            ));
        }
    }
    found
}

/// The span of an outage of the ledger in a history without other trouble.
fn outage(view: &View<'_>) -> Option<(Duration, Duration)> {
    let is_alone = view.plan().profile == Profile::LedgerDown;
    view.plan().ledger.outage.filter(|_| is_alone)
}

/// A group whose next event could go waits for a restart from the end of its last attempt to the next one.
pub(super) fn restarts(view: &View<'_>) -> Found {
    let (mut found, plan) = (Vec::new(), view.plan());
    if plan.profile != Profile::Calm {
        return found;
    }
    for (told_at, worker, turn) in &view.seen.turns {
        if *turn != Turn::ToldToStop {
            continue;
        }
        for group in 0..view.plan().groups.len() {
            let requests: Vec<&Request> = view
                .seen
                .requests
                .iter()
                .filter(|request| request.event.group == group)
                .collect();
            for pair in requests.windows(2) {
                let Some(over) = pair[0].over() else { continue };
                let was_interrupted =
                    pair[0].worker == *worker && pair[0].at <= *told_at && over >= *told_at;
                let waits_for_its_retry = !plan.wait_before(pair[1].attempt).is_zero();
                let was_queued = queued(view, pair[1]) <= over;
                let waited = pair[1].at.saturating_sub(over);
                if was_interrupted && !waits_for_its_retry && was_queued && waited > AFTER_A_RESTART
                {
                    found.push(format!(
                        "{} waited {} after {worker:?} was told to stop at {}",
                        pair[1].event,
                        At(waited),
                        At(*told_at)
                    ));
                }
            }
        }
    }
    found
}

/// An event whose predecessor is done with is attempted soon: without trouble at once, but for a busy worker; with
/// trouble within a lease and the longest backoff of its end.
pub(super) fn turns(view: &View<'_>) -> Found {
    let mut found = Vec::new();
    let plan = view.plan();
    if plan.profile == Profile::Calm && plan.max_in_flight < plan.groups.len() {
        // Without a place for each group, events wait for the slow ones of others.
        return found;
    }
    let (trouble, longest) = match plan.profile {
        Profile::Calm => (Duration::ZERO, Duration::from_secs(30)),
        Profile::Refusals => (plan.trouble(), AFTER_TROUBLE + AFTER_A_REFUSAL),
        _ => (plan.trouble().max(last_death(view)), AFTER_TROUBLE),
    };
    for event in view.events() {
        let requests = view.requests(event);
        let Some(first) = requests.first() else {
            continue;
        };
        let before = Event {
            n: event.n - 1,
            ..event
        };
        let ended = view.ended(before).unwrap_or_default();
        let waited = first
            .at
            .saturating_sub(ended.max(queued(view, first)).max(trouble));
        if waited > longest {
            let (waited, until) = (At(waited), At(first.at));
            found.push(format!("{event} waited {waited} until {until}"));
        }
    }
    found
}

/// When a worker was last killed, or went on after it stood still.
fn last_death(view: &View<'_>) -> Duration {
    let deaths = view
        .seen
        .turns
        .iter()
        .filter(|turn| matches!(turn.2, Turn::Killed | Turn::Resumed));
    deaths.map(|turn| turn.0).max().unwrap_or_default()
}

fn queued(view: &View<'_>, request: &Request) -> Duration {
    let queued = view.seen.queued.get(&request.event);
    queued.copied().unwrap_or(Duration::MAX)
}

/// Whether a worker stopped because its time was up, while the ledger let it wait. What it holds comes again when its
/// lease ends.
fn ran_out_of_grace(view: &View<'_>, worker: Worker, stopped: Duration) -> bool {
    let mut turns = view.seen.turns.iter();
    let told = turns.find(|(_, who, turn)| *who == worker && *turn == Turn::ToldToStop);
    told.is_some_and(|(told, ..)| {
        stopped >= *told + SHUTDOWN_GRACE && view.met_a_ledger_fault(worker, *told, stopped)
    })
}

pub(super) fn all_done(view: &View<'_>) -> Found {
    let mut found = Vec::new();
    if view.left.counts.total() > 0 {
        found.push(format!("the source queue holds {:?}", view.left.counts));
    }
    for (at, worker, turn) in &view.seen.turns {
        if let Turn::Stopped(in_hand @ 1..) = turn
            && !ran_out_of_grace(view, *worker, *at)
            && !view.plan().profile.has_sqs_faults()
            && !view.plan().profile.has_deaths()
            && view.plan().profile != Profile::Refusals
        {
            found.push(format!(
                "{worker:?} stopped at {} with {in_hand} messages in hand",
                At(*at)
            ));
        }
    }
    found
}
