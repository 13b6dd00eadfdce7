//! What comes more than once.

use super::{Observed, Violation, may_come_again, shown};
use crate::history::{Request, Story};

/// The requests that came although one of their event was accepted before, each with the newest that was.
pub(crate) fn duplicates<'a>(
    story: &'a Story<'_>,
) -> impl Iterator<Item = (&'a Request, &'a Request)> {
    let requests = story.requests.iter().enumerate();
    requests.filter_map(|(place, request)| {
        let earlier = story.requests[..place].iter().rev();
        let accepted = earlier.copied().find(|r| r.is_accepted())?;
        Some((*request, accepted))
    })
}

/// What was accepted comes again only if its worker was killed or lost SQS before the delete was confirmed.
pub(super) fn only_after_a_crash(observed: &Observed<'_>) -> Vec<Violation> {
    let mut violations = Vec::new();
    for story in observed.stories {
        for (request, accepted) in duplicates(story) {
            if !may_come_again(observed.history, accepted) {
                let what = format!(
                    "accepted at {} for worker {}, which was well, and POSTed again at {} by worker {}",
                    shown(accepted.ended_at()),
                    accepted.life,
                    shown(request.arrived),
                    request.life
                );
                violations.push(Violation::of(story, what));
            }
        }
    }
    violations
}

/// Every request of an event carries its group, its bytes, and its id: the bytes name the same event.
pub(super) fn one_identity(observed: &Observed<'_>) -> Vec<Violation> {
    let mut violations = Vec::new();
    for story in observed.stories {
        let first = story.requests.first();
        for request in &story.requests {
            let named = format!("\"msg_id\":\"{}\"", request.webhook_id);
            let same_body = first.is_some_and(|first| first.body == request.body);
            if !same_body || !request.body.contains(&named) || request.group != story.sent.group {
                let what = format!(
                    "a request of group {} with the body {}",
                    request.group, request.body
                );
                violations.push(Violation::of(story, what));
            }
        }
    }
    violations
}
