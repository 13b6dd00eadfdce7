//! What a dead letter says, held against what the receiver saw.

use std::time::Duration;

use delivery::{Attempt, DeadLetter, Reason};

use super::{Observed, ROUNDING, Violation, died_in, shown};
use crate::history::{Request, Story};
use crate::journal::Span;
use crate::run::TIMEOUT;

/// Every dead letter carries its record, and every attempt of the record was seen, or failed while the receiver was
/// down.
pub(super) fn truth(observed: &Observed<'_>) -> Vec<Violation> {
    let mut violations = Vec::new();
    for story in observed.stories {
        for letter in &story.letters {
            let Some(record) = &letter.record else {
                violations.push(Violation::of(story, "a dead letter without a record"));
                continue;
            };
            let unseen = record.attempts.iter();
            let unseen = unseen.filter(|attempt| !was_made(observed, story, attempt));
            violations.extend(unseen.map(|attempt| Violation::of(story, told(observed, attempt))));
        }
    }
    violations
}

/// A worker notes the moment of an attempt first and takes its time from just before the POST: on a machine that is
/// busy it may have to wait in between, and again before it sees the answer.
const PAUSED: Duration = Duration::from_millis(250);

/// When an attempt was made, by its record.
fn made(observed: &Observed<'_>, attempt: &Attempt) -> Span {
    let from = observed.history.began.since(attempt.at);
    let took = Duration::from_millis(attempt.duration_ms);
    Span::new(from.saturating_sub(ROUNDING), from + took + PAUSED)
}

fn was_made(observed: &Observed<'_>, story: &Story<'_>, attempt: &Attempt) -> bool {
    let was_seen = story.requests.iter().any(|r| is(observed, r, attempt));
    let in_vain =
        attempt.error.is_some() && observed.history.receiver_was_down(made(observed, attempt));
    was_seen || in_vain
}

/// Whether this request is that recorded attempt: an answer is recorded as it was given; a failure as one that got
/// none in time.
fn is(observed: &Observed<'_>, request: &Request, attempt: &Attempt) -> bool {
    let span = made(observed, attempt);
    let arrived = Span::new(request.arrived, request.arrived);
    let same_end = match attempt.status {
        Some(status) => request.status() == Some(status) && request.ended_at() <= span.until,
        None => {
            request.status().is_none()
                || request.ended_at() >= span.until.saturating_sub(2 * PAUSED)
        }
    };
    request.attempt == attempt.n && span.meets(arrived) && same_end
}

fn told(observed: &Observed<'_>, attempt: &Attempt) -> String {
    let at = shown(observed.history.began.since(attempt.at));
    let end = match (attempt.status, attempt.error) {
        (Some(status), _) => status.to_string(),
        (None, error) => error.map_or("nothing", |error| error.as_str()).to_owned(),
    };
    format!(
        "attempt {} at {at} ({end}) is recorded, but the receiver saw none",
        attempt.n
    )
}

/// What follows an attempt before it is written down: the second one of its visit, and the write.
const WRITTEN_WITHIN: Duration = TIMEOUT.saturating_add(Duration::from_secs(1));

/// A POST that the record of its event does not tell of was made on a visit that was never written down: its worker
/// was killed, or SQS refused to extend its lease.
pub(super) fn unrecorded(observed: &Observed<'_>) -> Vec<Violation> {
    let mut violations = Vec::new();
    for story in observed.stories {
        let records = story.letters.iter().filter_map(|l| l.record.as_ref());
        let recorded: Vec<&Attempt> = records.flat_map(|record| &record.attempts).collect();
        if recorded.is_empty() {
            continue;
        }
        for request in &story.requests {
            let until = request.ended_at().saturating_add(WRITTEN_WITHIN);
            let visit = Span::new(request.arrived, until);
            let excused = died_in(observed.history, request.life, visit)
                || observed.history.sqs_was_down(visit);
            if !excused
                && !recorded
                    .iter()
                    .any(|attempt| is(observed, request, attempt))
            {
                let (n, at) = (request.attempt, shown(request.arrived));
                let what = format!(
                    "attempt {n} at {at} is not on its record, and worker {} was well",
                    request.life
                );
                violations.push(Violation::of(story, what));
            }
        }
    }
    violations
}

/// A dead letter has had all its attempts, in their order: no follower dies of a failure ahead of it.
pub(super) fn attempted(observed: &Observed<'_>) -> Vec<Violation> {
    let records = observed.stories.iter().flat_map(|story| {
        let records = story.letters.iter().filter_map(|l| l.record.as_ref());
        records.map(move |record| (story, record))
    });
    let unattempted = records.filter(|(_, record)| !is_exhausted(record));
    unattempted
        .map(|(story, record)| {
            let numbers: Vec<_> = record.attempts.iter().map(|attempt| attempt.n).collect();
            let reason = record.reason.as_str();
            Violation::of(
                story,
                format!("dead of {reason} with the attempts {numbers:?}"),
            )
        })
        .collect()
}

fn is_exhausted(record: &DeadLetter) -> bool {
    let numbers = record.attempts.iter().map(|attempt| attempt.n);
    record.reason == Reason::Exhausted && numbers.eq(1..=4)
}

/// An event is never POSTed again after it was recorded as exhausted.
pub(super) fn silence(observed: &Observed<'_>) -> Vec<Violation> {
    let dead = observed.stories.iter();
    let dead = dead.filter_map(|story| Some((story, story.dead_at?)));
    dead.flat_map(|(story, dead_at)| {
        let later = story.requests.iter();
        let later = later.filter(move |request| request.arrived > dead_at + ROUNDING);
        later.map(move |request| {
            let (at, dead_at) = (shown(request.arrived), shown(dead_at));
            Violation::of(story, format!("POSTed at {at}, exhausted since {dead_at}"))
        })
    })
    .collect()
}
