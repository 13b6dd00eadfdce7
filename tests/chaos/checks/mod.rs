//! What is promised, each promise held against what was observed. Pure.

mod attempts;
mod dead_letters;
mod duplicates;
mod order;
mod places;
mod stops;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub(crate) use duplicates::duplicates;

use crate::history::{History, Request, Story, by_group};
use crate::journal::Span;

/// Moments that workers write down are whole milliseconds, rounded down: so much may be between two that are one.
const ROUNDING: Duration = Duration::from_millis(2);

/// A promise, and everything that breaks it, each naming its event.
pub(crate) struct Verdict {
    pub(crate) promise: &'static str,
    pub(crate) violations: Vec<Violation>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Violation {
    /// The event it is about, if it is about one.
    pub(crate) event: Option<String>,
    pub(crate) what: String,
}

/// What every check looks at.
struct Observed<'a> {
    history: &'a History,
    stories: &'a [Story<'a>],
    groups: Vec<Vec<&'a Story<'a>>>,
}

type Check = fn(&Observed<'_>) -> Vec<Violation>;

const CHECKS: [(&str, Check); 15] = [
    ("nothing vanishes", places::nothing_vanishes),
    ("one place, one copy", places::one_copy),
    ("the source queue is empty", places::nothing_left),
    ("first deliveries in order", order::first_deliveries),
    ("nobody goes ahead", order::nobody_goes_ahead),
    ("one request of a group at a time", order::one_at_a_time),
    ("at most four attempts", attempts::at_most_four),
    ("attempts are counted as made", attempts::counted_as_made),
    ("no retry before its wait", attempts::waits),
    ("dead letters tell the truth", dead_letters::truth),
    ("only crashes hide a POST", dead_letters::unrecorded),
    ("none dead without its attempts", dead_letters::attempted),
    ("silence after exhaustion", dead_letters::silence),
    (
        "duplicates only after a crash",
        duplicates::only_after_a_crash,
    ),
    ("one event, one identity", duplicates::one_identity),
];

/// Every check.
pub(crate) fn all(history: &History) -> Vec<Verdict> {
    let stories = history.stories();
    let observed = Observed {
        history,
        groups: by_group(&stories),
        stories: &stories,
    };
    let stops = Verdict {
        promise: "a stop is clean",
        violations: stops::clean(history),
    };
    let checks = CHECKS.iter().map(|(promise, check)| Verdict {
        promise,
        violations: check(&observed),
    });
    checks.chain([stops]).collect()
}

impl Violation {
    fn of(story: &Story<'_>, what: impl Into<String>) -> Self {
        Self {
            event: Some(story.sent.id.clone()),
            what: what.into(),
        }
    }

    fn general(what: impl Into<String>) -> Self {
        Self {
            event: None,
            what: what.into(),
        }
    }
}

/// How long after an answer the delete of the message is confirmed, at the very most: 200 ms of waiting for company
/// and a call, on a machine that is busy.
const DELETED_WITHIN: Duration = Duration::from_secs(1);

/// Whether an accepted event may come again: its worker was killed before SQS had the delete, or SQS refused it then.
fn may_come_again(history: &History, accepted: &Request) -> bool {
    let deleting = Span::new(
        accepted.arrived,
        accepted.ended_at().saturating_add(DELETED_WITHIN),
    );
    died_in(history, accepted.life, deleting) || history.sqs_was_down(deleting)
}

fn died_in(history: &History, life: usize, span: Span) -> bool {
    let killed = history.killed(life);
    killed.is_some_and(|at| span.meets(Span::new(at, at)))
}

/// A moment for a reader.
fn shown(at: Duration) -> String {
    format!("{:.3} s", at.as_secs_f64())
}
