//! Order: in every group the receivers saw the events as they were sent, one after the other.

use std::collections::HashMap;

use super::{Proof, counted};
use crate::demo::observations::{Observations, Request, Sent};

/// An event is not POSTed before the one ahead of it is done: later requests of a group are for the same
/// event or a later one, and none arrives while another one is unanswered.
pub(super) fn kept(observations: &Observations) -> Proof {
    let sent: HashMap<&str, (usize, &Sent)> = observations
        .sent
        .iter()
        .enumerate()
        .map(|(position, sent)| (sent.id.as_str(), (position, sent)))
        .collect();
    let mut furthest: HashMap<&str, (usize, &Request)> = HashMap::new();
    let mut faults = Vec::new();
    for request in &observations.requests {
        // What was never sent has no place in the order; `missing` tells of it.
        let Some(&(position, sent)) = sent.get(request.id.as_str()) else {
            continue;
        };
        if request.group != sent.group {
            faults.push(format!(
                "{}: sent in group {}, came as one of group {}",
                request.id, sent.group, request.group
            ));
        }
        let Some(&(before, ahead)) = furthest.get(sent.group.as_str()) else {
            furthest.insert(&sent.group, (position, request));
            continue;
        };
        if position < before {
            faults.push(format!(
                "{}: overtaken by {}, which was sent after it",
                request.id, ahead.id
            ));
            continue;
        }
        if ahead.answered.is_none_or(|(at, _)| request.arrived < at) {
            faults.push(format!(
                "{}: POSTed before {} was answered",
                request.id, ahead.id
            ));
        }
        furthest.insert(&sent.group, (position, request));
    }
    let groups = counted(furthest.len(), "group");
    let finding = format!("{groups}: every event waited for the one ahead of it");
    Proof::new("order kept", finding, faults)
}
