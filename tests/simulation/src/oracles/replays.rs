//! What engineers do to the internal queue.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use delivery::{Reason, sequence_order};

use super::{At, Found, View};
use crate::engineer::{Command, Ended};
use crate::log::{Event, Replayed};
use crate::plan::Behaviour;

/// How long SQS knows a deduplication id.
const DEDUPLICATION: Duration = Duration::from_secs(300);

/// After the last replays each event is in one place.
pub(super) fn conserved(view: &View<'_>) -> Found {
    let mut found = view.left.unsent.clone();
    for event in view.events() {
        let dead = view.left.dead.iter();
        let copies = dead.filter(|dead| dead.event == Some(event)).count();
        let was_dropped = view.left.dropped.contains(&event);
        let is_accepted = view.accepted(event).is_some();
        match (is_accepted, copies) {
            (true, 0) | (false, 1) => {}
            (false, 0) if was_dropped => {}
            (false, 0) => found.push(format!("{event} vanished")),
            _ => found.push(format!(
                "{event} is in the internal queue {copies} times; accepted: {is_accepted}"
            )),
        }
        let is_hopeless = matches!(
            view.behaviour(event),
            Behaviour::Reject(_) | Behaviour::Invalid
        );
        if copies > 0 && !is_hopeless {
            found.push(format!("{event} is dead after the last replays"));
        }
    }
    found
}

/// The messages of one event in the source queue that came from the internal queue, in order.
fn lives<'a>(view: &'a View<'_>, event: Event) -> Vec<&'a Replayed> {
    let replayed = view.seen.replayed.iter();
    replayed
        .filter(|replayed| replayed.event == event && replayed.is_new)
        .collect()
}

/// SQS knows for five minutes that a letter was sent. After that, what could not be deleted is sent again: nobody can
/// tell.
pub(super) fn duplicates(view: &View<'_>) -> Found {
    let mut found = Vec::new();
    for event in view.events() {
        let lives = lives(view, event);
        for (position, life) in lives.iter().enumerate() {
            let before = &lives[..position];
            let since = before.last().map_or(Duration::ZERO, |life| life.at);
            let of_letter = before.iter().rfind(|before| before.letter == life.letter);
            let has_died = view
                .seen
                .buried
                .iter()
                .any(|(dead, at)| *dead == event && since <= *at && *at <= life.at);
            let is_duplicate = match of_letter {
                Some(sent) => {
                    life.at < sent.at + DEDUPLICATION || was_told_removed(view, sent, life.run)
                }
                None => !has_died,
            };
            if is_duplicate {
                found.push(format!(
                    "{event} sent at {} by engineer {}, and at {} before",
                    At(life.at),
                    life.run,
                    At(since)
                ));
            }
        }
    }
    found
}

/// Whether a run before this one ended and said that the letter was sent and deleted.
fn was_told_removed(view: &View<'_>, sent: &Replayed, run: usize) -> bool {
    view.seen.runs[..run].iter().any(|before| {
        let Some(Ended::Told(outcome)) = &before.ended else {
            return false;
        };
        let mut left = outcome.not_removed.iter();
        outcome.moved.contains(&sent.letter) && left.all(|f| f.message_id != sent.letter)
    })
}

/// A worker may be given an event again, but never one that it saw accepted in the same life.
pub(super) fn accepted_once_a_life(view: &View<'_>) -> Found {
    let mut found = Vec::new();
    for event in view.events() {
        let requests = view.requests(event);
        let accepted = requests.iter().filter(|r| r.seen_accepted().is_some());
        let lives = 1 + lives(view, event).len();
        let times = accepted.count();
        if times > lives {
            found.push(format!("{event}: accepted {times} times in {lives} lives"));
        }
    }
    found
}

/// Each run, each group: the order in which letters came to the source queue, repetitions left out.
fn runs<'a>(view: &'a View<'_>) -> BTreeMap<(usize, usize), Vec<&'a Replayed>> {
    let mut runs: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for replayed in view.seen.replayed.iter().filter(|r| r.is_new) {
        let run = runs
            .entry((replayed.run, replayed.event.group))
            .or_default();
        run.push(replayed);
    }
    runs
}

pub(super) fn order_of_sends(view: &View<'_>) -> Found {
    let mut found = Vec::new();
    for ((run, _), sent) in runs(view) {
        for pair in sent
            .windows(2)
            .filter(|pair| pair[0].event.n >= pair[1].event.n)
        {
            let (before, after) = (pair[0].event, pair[1].event);
            found.push(format!("engineer {run} sent {before} and then {after}"));
        }
    }
    found
}

pub(super) fn order_of_deliveries(view: &View<'_>) -> Found {
    let mut found = Vec::new();
    for ((run, _), sent) in runs(view) {
        let mut last: Option<(Event, Duration)> = None;
        for replayed in sent {
            let Some(at) = delivered(view, replayed) else {
                continue;
            };
            if let Some((before, earlier)) = last.filter(|(_, earlier)| *earlier > at) {
                found.push(format!(
                    "engineer {run}: {} delivered at {}, {before} at {}",
                    replayed.event,
                    At(at),
                    At(earlier)
                ));
            }
            last = Some((replayed.event, at));
        }
    }
    found
}

/// When the event was first accepted in this life, unless it died again.
fn delivered(view: &View<'_>, replayed: &Replayed) -> Option<Duration> {
    let event = replayed.event;
    let next = lives(view, event).into_iter().map(|life| life.at);
    let until = next.filter(|at| *at > replayed.at).min();
    let until = until.unwrap_or(Duration::MAX);
    let requests = view.requests(event).into_iter();
    let accepted = requests.filter_map(|request| request.accepted);
    accepted.filter(|at| replayed.at < *at && *at < until).min()
}

pub(super) fn only_what_was_asked_for(view: &View<'_>) -> Found {
    let mut found = Vec::new();
    for Replayed { run, event, .. } in &view.seen.replayed {
        let group = &view.plan().groups[event.group].name;
        let is_asked_for = match &view.seen.runs[*run].command {
            Command::Replay(filter) => filter.group.as_ref().is_none_or(|g| g == group),
            Command::Drop(_) => false,
        };
        if !is_asked_for {
            found.push(format!("engineer {run} sent {event}"));
        }
    }
    found
}

pub(super) fn what_engineers_are_told(view: &View<'_>) -> Found {
    let mut found = Vec::new();
    let left: BTreeSet<_> = view.left.dead.iter().map(|d| &d.message_id).collect();
    for (number, run) in view.seen.runs.iter().enumerate() {
        let outcome = match &run.ended {
            Some(Ended::Told(outcome)) => outcome,
            Some(Ended::Failed(why)) if view.plan().sqs.are_none() => {
                found.push(format!("engineer {number}: {why}"));
                continue;
            }
            _ => continue,
        };
        let sent = view.seen.replayed.iter().filter(|r| r.run == number);
        let sent: BTreeSet<_> = sent.map(|r| r.event).collect();
        let not_removed = outcome.not_removed.iter().map(|f| &f.message_id);
        let not_removed: BTreeSet<_> = not_removed.collect();
        for letter in &outcome.moved {
            let event = view.seen.letters[letter];
            let is_moved = match run.command {
                Command::Replay(_) => sent.contains(&event),
                Command::Drop(_) => view.left.dropped.contains(&event),
            };
            if !is_moved {
                found.push(format!("engineer {number} did not move {event}"));
            }
            if left.contains(letter) && !not_removed.contains(letter) {
                found.push(format!("engineer {number} did not remove {event}"));
            }
        }
        let is_cut_short = run.was_cut_off || !view.plan().sqs.are_none();
        if !outcome.is_complete() && !is_cut_short {
            found.push(format!("engineer {number} ended with {outcome:?}"));
        }
    }
    found
}

/// A dead letter tells of each life; a replay is known as one, and has the body of the first life.
pub(super) fn histories(view: &View<'_>) -> Found {
    let mut found = Vec::new();
    for dead in &view.left.dead {
        let (Some(event), Some(letter)) = (dead.event, &dead.letter) else {
            found.push(format!("{:?} is dead without a record", dead.event));
            continue;
        };
        let attempts: Vec<_> = letter.attempts.iter().map(|a| (a.life, a.n)).collect();
        let in_each = if letter.reason == Reason::InvalidEvent {
            0
        } else {
            4
        };
        let expected = (0..=letter.replays).flat_map(|life| (1..=in_each).map(move |n| (life, n)));
        if attempts != expected.collect::<Vec<_>>() {
            found.push(format!(
                "{event}: {attempts:?} in {} replays",
                letter.replays
            ));
        }
    }
    for event in view.events() {
        let requests = view.requests(event);
        let first_replay = lives(view, event).first().map(|life| life.at);
        for request in &requests {
            if request.body != requests[0].body {
                found.push(format!("{event}: another body at {}", At(request.at)));
            }
            if request.webhook_id != event.to_string() {
                found.push(format!("{event}: webhook-id {:?}", request.webhook_id));
            }
            let is_replay = first_replay.is_some_and(|first| first <= request.at);
            if request.is_replay != is_replay {
                let not = if is_replay { "not " } else { "" };
                found.push(format!(
                    "{event}: {not}marked as a replay at {}",
                    At(request.at)
                ));
            }
        }
    }
    found
}

/// An event counts under its first sequence number, whichever life it was accepted in.
pub(super) fn notes(view: &View<'_>) -> Found {
    let mut found = Vec::new();
    for (group, up_to) in view.left.noted.iter().enumerate() {
        let Some(up_to) = up_to else { continue };
        let of_group = view.events().filter(|event| event.group == group);
        let mut noted = of_group.filter(|event| {
            let requests = view.requests(*event);
            let first = requests.first().map(|first| &first.sequence_number);
            first == Some(up_to) && view.accepted(*event).is_some()
        });
        if noted.next().is_none() {
            found.push(format!("group {group} is noted up to {up_to}"));
        }
    }
    found
}

/// Any worker, one that was started since as well, notes what it delivers next of the group of a dead letter, or it is
/// known already that something newer was delivered.
pub(super) fn deaths(view: &View<'_>) -> Found {
    let mut found = Vec::new();
    for (event, letter, number) in numbered(view) {
        let group = &view.plan().groups[event.group].name;
        let watch = view.left.watched.get(group);
        let is_watched = watch.is_some_and(|watch| watch.since <= letter.dead_at);
        let noted = view.left.noted[event.group].as_deref();
        let is_noted = noted.is_some_and(|noted| sequence_order(number, noted).is_le());
        if !is_watched && !is_noted {
            found.push(format!(
                "nobody knows that {event} died at {}: noted up to {noted:?}, {watch:?}",
                letter.dead_at
            ));
        }
    }
    found
}

/// Whichever worker delivered them.
pub(super) fn newer_deliveries(view: &View<'_>) -> Found {
    let mut found = Vec::new();
    for (event, _, number) in numbered(view) {
        let buried = view.seen.buried.iter().find(|buried| buried.0 == event);
        let Some((_, died)) = buried else { continue };
        let newer = view.seen.requests.iter().find(|request| {
            let is_newer = request.event.group == event.group && request.event.n > event.n;
            is_newer && request.seen_accepted().is_some_and(|at| at > *died)
        });
        let noted = view.left.noted[event.group].as_deref();
        let is_known = noted.is_some_and(|noted| sequence_order(number, noted).is_lt());
        if let Some(newer) = newer.filter(|_| !is_known) {
            found.push(format!(
                "{event} died at {}, {} was delivered at {}, and noted is {noted:?}",
                At(*died),
                newer.event,
                At(newer.at)
            ));
        }
    }
    found
}

/// The dead letters of events with a place in their group.
fn numbered<'a>(
    view: &'a View<'_>,
) -> impl Iterator<Item = (Event, &'a delivery::DeadLetter, &'a str)> {
    view.left.dead.iter().filter_map(|dead| {
        let letter = dead.letter.as_ref()?;
        let number = letter.origin.sequence_number.as_deref()?;
        Some((dead.event?, letter, number))
    })
}
