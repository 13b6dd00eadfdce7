//! How often and when an event is attempted.

use std::time::Duration;

use super::{Observed, ROUNDING, Violation, shown};
use crate::history::Request;
use crate::journal::Span;

/// Attempts of the schedule.
const ATTEMPTS: u32 = 4;

/// The attempt that has a wait before it.
const AFTER_THE_WAIT: u32 = 3;

/// No request counts itself beyond the fourth, and no record holds more.
pub(super) fn at_most_four(observed: &Observed<'_>) -> Vec<Violation> {
    let mut violations = Vec::new();
    for story in observed.stories {
        for request in &story.requests {
            if !(1..=ATTEMPTS).contains(&request.attempt) {
                let what = format!("a request says that it is attempt {}", request.attempt);
                violations.push(Violation::of(story, what));
            }
        }
        let records = story.letters.iter().filter_map(|l| l.record.as_ref());
        for recorded in records.map(|record| record.attempts.len()) {
            if recorded > ATTEMPTS as usize {
                let what = format!("its record holds {recorded} attempts");
                violations.push(Violation::of(story, what));
            }
        }
    }
    violations
}

/// The attempt of each number was preceded by one of the number before: seen, or made in vain while the receiver
/// was down.
pub(super) fn counted_as_made(observed: &Observed<'_>) -> Vec<Violation> {
    let mut violations = Vec::new();
    for story in observed.stories {
        for (place, request) in story.requests.iter().enumerate() {
            let earlier = &story.requests[..place];
            let before = |n| earlier.iter().any(|r| r.attempt == n);
            let since_sent = Span::new(story.sent.at, request.arrived);
            let in_vain = observed.history.receiver_was_down(since_sent);
            if request.attempt > 1 && !before(request.attempt - 1) && !in_vain {
                let (n, at) = (request.attempt, shown(request.arrived));
                let what = format!("attempt {n} at {at}, but no attempt {} was made", n - 1);
                violations.push(Violation::of(story, what));
            }
        }
    }
    violations
}

/// Between attempts 2 and 3 lies the wait: by what the receiver saw, and by what is recorded.
pub(super) fn waits(observed: &Observed<'_>) -> Vec<Violation> {
    let mut violations = Vec::new();
    let wait = observed.history.wait;
    for story in observed.stories {
        for (place, request) in story.requests.iter().enumerate() {
            if request.attempt != AFTER_THE_WAIT {
                continue;
            }
            let failed = story.requests[..place].iter();
            let failed = failed.rev().find(|r| r.attempt == AFTER_THE_WAIT - 1);
            let waited = failed.map(|failed| request.arrived.saturating_sub(failed_at(failed)));
            if let Some(waited) = waited.filter(|waited| *waited + ROUNDING < wait) {
                let what = format!("{} before attempt 3, by the receiver", shown(waited));
                violations.push(Violation::of(story, what));
            }
        }
        for record in story.letters.iter().filter_map(|l| l.record.as_ref()) {
            let attempt = |n| record.attempts.iter().find(|attempt| attempt.n == n);
            let (second, third) = (attempt(AFTER_THE_WAIT - 1), attempt(AFTER_THE_WAIT));
            if let (Some(second), Some(third)) = (second, third) {
                let over = second.at.plus(Duration::from_millis(second.duration_ms));
                let waited = over.until(third.at);
                if waited + ROUNDING < wait {
                    let what = format!("{} before attempt 3, by its record", shown(waited));
                    violations.push(Violation::of(story, what));
                }
            }
        }
    }
    violations
}

/// The earliest moment at which the worker can have known that it failed.
fn failed_at(request: &Request) -> Duration {
    match request.status() {
        Some(_) => request.ended_at(),
        None => request.arrived,
    }
}
