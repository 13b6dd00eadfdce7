//! The order within a group.

use std::collections::HashMap;
use std::time::Duration;

use super::{Observed, ROUNDING, Violation, shown};
use crate::history::{Ending, Request};

/// In each group the first deliveries happen in the order of sending, leaving out what was never accepted.
pub(super) fn first_deliveries(observed: &Observed<'_>) -> Vec<Violation> {
    let mut violations = Vec::new();
    for group in &observed.groups {
        let mut ahead = None;
        for story in group {
            let Some(delivery) = story.first_delivery() else {
                continue;
            };
            match ahead {
                Some((at, id)) if delivery.arrived < at => violations.push(Violation::of(
                    story,
                    format!("first delivered before {id}, which was sent before it"),
                )),
                _ => ahead = Some((delivery.arrived, &story.sent.id)),
            }
        }
    }
    violations
}

/// No event is POSTed before the one ahead of it was accepted or set aside.
pub(super) fn nobody_goes_ahead(observed: &Observed<'_>) -> Vec<Violation> {
    let mut violations = Vec::new();
    for pair in observed.groups.iter().flat_map(|group| group.windows(2)) {
        let (ahead, story) = (pair[0], pair[1]);
        let Some(first) = story.requests.first() else {
            continue;
        };
        let done = ahead.done_at();
        if done.is_none_or(|done| first.arrived + ROUNDING < done) {
            let done = done.map_or("never".to_owned(), shown);
            let at = shown(first.arrived);
            violations.push(Violation::of(
                story,
                format!(
                    "POSTed at {at}, {} ahead of it was done: {done}",
                    ahead.sent.id
                ),
            ));
        }
    }
    violations
}

/// How long the receiver may take to see that a worker has closed a connection.
const NOTICED_WITHIN: Duration = Duration::from_millis(100);

/// No two requests of a group overlap. Not even after a kill: the request of a worker that is no more ends within
/// the timeout, and its lease outlasts that, so nobody else can have the group sooner.
pub(super) fn one_at_a_time(observed: &Observed<'_>) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut before: HashMap<&str, &Request> = HashMap::new();
    for request in &observed.history.requests {
        let other = before.insert(&request.group, request);
        if let Some(other) = other.filter(|other| request.arrived + slack(other) < other.ended_at())
        {
            violations.push(Violation {
                event: Some(request.webhook_id.clone()),
                what: format!(
                    "POSTed at {} by worker {}, while {} was with the receiver from {} to {} for worker {}",
                    shown(request.arrived),
                    request.life,
                    other.webhook_id,
                    shown(other.arrived),
                    shown(other.ended_at()),
                    other.life
                ),
            });
        }
    }
    violations
}

fn slack(request: &Request) -> Duration {
    match request.ended {
        Some((_, Ending::Gone)) => NOTICED_WITHIN,
        _ => ROUNDING,
    }
}
