//! Completeness: every event that was sent is in one place, and nowhere else is anything.

use std::collections::HashSet;

use super::Proof;
use crate::demo::observations::{Observations, Request, Sent};

/// Every event was accepted exactly once or is in the internal queue, as exactly one copy.
pub(super) fn nothing(observations: &Observations) -> Proof {
    let Observations {
        sent,
        requests,
        letters,
        left,
        ..
    } = observations;
    let mut faults: Vec<String> = sent.iter().filter_map(|s| fault(observations, s)).collect();
    faults.extend(never_sent(observations));
    if *left > 0 {
        faults.push(format!("the source queue still holds {left}"));
    }
    if sent.is_empty() {
        faults.push("nothing was sent".to_owned());
    }
    let accepted = requests.iter().filter(|r| r.is_accepted()).count();
    let finding = format!(
        "{} sent = {accepted} accepted once + {} in the internal queue",
        sent.len(),
        letters.len()
    );
    Proof::new("nothing missing", finding, faults)
}

fn fault(observations: &Observations, sent: &Sent) -> Option<String> {
    let requests = observations.requests_for(&sent.id);
    let accepted = requests.filter(|request| request.is_accepted()).count();
    let copies = observations.letters_of(&sent.id).count();
    let what = match (accepted, copies) {
        (1, 0) | (0, 1) => return None,
        (0, 0) => "neither accepted nor in the internal queue".to_owned(),
        (accepted, 0) => format!("accepted {accepted} times"),
        (0, copies) => format!("{copies} copies in the internal queue"),
        (_, _) => "accepted, and in the internal queue as well".to_owned(),
    };
    Some(format!("{}: {what}", sent.id))
}

fn never_sent(observations: &Observations) -> impl Iterator<Item = String> {
    let sent: HashSet<&str> = observations.sent.iter().map(|s| s.id.as_str()).collect();
    let came = observations
        .requests
        .iter()
        .map(|Request { id, .. }| (id, "came"));
    let lies = observations
        .letters
        .iter()
        .map(|l| (&l.id, "is in the internal queue"));
    came.chain(lies)
        .filter(move |(id, _)| !sent.contains(id.as_str()))
        .map(|(id, what)| format!("{id}: {what}, but was never sent"))
}
