//! Where every event ends.

use std::collections::HashSet;

use super::{Observed, Violation, may_come_again};
use crate::history::Story;

/// Every event was accepted or is in the internal queue, where `dlq ls` lists it; nothing else is anywhere.
pub(super) fn nothing_vanishes(observed: &Observed<'_>) -> Vec<Violation> {
    let listed: HashSet<&str> = observed.history.listed.iter().map(String::as_str).collect();
    let nowhere = observed.stories.iter().filter_map(|story| {
        let is_dead = !story.letters.is_empty();
        match (story.first_delivery(), is_dead) {
            (None, false) => Some(Violation::of(
                story,
                format!(
                    "neither accepted nor in the internal queue, after {} requests",
                    story.requests.len()
                ),
            )),
            (_, true) if !listed.contains(story.sent.id.as_str()) => Some(Violation::of(
                story,
                "in the internal queue, but dlq ls does not list it",
            )),
            _ => None,
        }
    });
    nowhere.chain(never_sent(observed)).collect()
}

fn never_sent<'a>(observed: &'a Observed<'_>) -> impl Iterator<Item = Violation> + 'a {
    let sent: HashSet<&str> = observed
        .stories
        .iter()
        .map(|s| s.sent.id.as_str())
        .collect();
    let came = observed.history.requests.iter().map(|r| &r.webhook_id);
    let lies = observed.history.letters.iter().map(|letter| &letter.id);
    came.chain(lies)
        .chain(&observed.history.listed)
        .filter(move |id| !sent.contains(id.as_str()))
        .map(|id| Violation::general(format!("{id:?} was never sent")))
}

/// A dead letter is there once, and only of an event that was not accepted; or whose worker was killed before
/// anybody else could know that it was.
pub(super) fn one_copy(observed: &Observed<'_>) -> Vec<Violation> {
    let fault = |story: &Story<'_>| match (story.first_delivery(), story.letters.len()) {
        (_, 2..) => Some(format!(
            "{} copies in the internal queue",
            story.letters.len()
        )),
        (Some(accepted), 1) if !may_come_again(observed.history, accepted) => {
            Some("accepted, and in the internal queue as well".to_owned())
        }
        _ => None,
    };
    let stories = observed.stories.iter();
    stories
        .filter_map(|story| Some(Violation::of(story, fault(story)?)))
        .collect()
}

pub(super) fn nothing_left(observed: &Observed<'_>) -> Vec<Violation> {
    match observed.history.left {
        0 => Vec::new(),
        left => vec![Violation::general(format!(
            "the source queue still holds {left} messages"
        ))],
    }
}
