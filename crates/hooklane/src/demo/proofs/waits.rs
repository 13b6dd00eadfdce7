//! Waits: every event had the attempts that it was to have, with the waits of the schedule between them.

use std::time::Duration;

use super::{Proof, counted};
use crate::demo::observations::{Letter, Observations, Request, Sent};
use event::duration;

/// How late an attempt may be: SQS hides messages for whole seconds, and a poll has to fetch them.
const LATE: Duration = Duration::from_secs(2);

/// How early: the receivers' clock and the worker's are read a moment apart, and one counts milliseconds.
const EARLY: Duration = Duration::from_millis(20);

/// The receivers counted as many attempts as they brought about, saw the waits of the schedule between them,
/// and a dead letter records what they answered.
pub(super) fn kept(observations: &Observations) -> Proof {
    let mut faults = Vec::new();
    let mut longest: Vec<Duration> = Vec::new();
    let mut retried = 0;
    for sent in &observations.sent {
        let requests: Vec<&Request> = observations.requests_for(&sent.id).collect();
        faults.extend(count_fault(sent, &requests));
        faults.extend(
            observations
                .letters_of(&sent.id)
                .filter_map(|letter| record_fault(letter, &requests)),
        );
        retried += usize::from(requests.len() > 1);
        for (n, pair) in requests.windows(2).enumerate() {
            let gap = gap(pair[0], pair[1]);
            let due = observations.waits.get(n).copied();
            faults.extend(due.and_then(|due| gap_fault(pair[1], gap, due)));
            match longest.get_mut(n) {
                Some(longest) => *longest = gap.max(*longest),
                None => longest.push(gap),
            }
        }
    }
    let finding = finding(retried, &observations.waits, &longest);
    Proof::new("waits kept", finding, faults)
}

/// The attempts of an event, by the receiver's count, by their own header, and as they were to be.
fn count_fault(sent: &Sent, requests: &[&Request]) -> Option<String> {
    let due = sent.part.attempts();
    if requests.len() != due as usize {
        let made = counted(requests.len(), "attempt");
        return Some(format!("{}: {made}, {due} were due", sent.id));
    }
    let wrong = (1..)
        .zip(requests)
        .find(|(n, request)| request.attempt != Some(*n))?;
    let (n, Request { id, attempt, .. }) = wrong;
    let said = attempt.map_or("nothing".to_owned(), |attempt| attempt.to_string());
    Some(format!(
        "{id}: X-Hooklane-Attempt of attempt {n} says {said}"
    ))
}

/// The wait between two attempts: from the answer to the first until the second arrived.
fn gap(first: &Request, second: &Request) -> Duration {
    let answered = first.answered.map_or(first.arrived, |(at, _)| at);
    second.arrived.saturating_sub(answered)
}

fn gap_fault(request: &Request, gap: Duration, due: Duration) -> Option<String> {
    (gap + EARLY < due || gap > due + LATE).then(|| {
        format!(
            "{}: {:.1} s before attempt {}, {:.1} s were due",
            request.id,
            gap.as_secs_f64(),
            request.nth,
            due.as_secs_f64()
        )
    })
}

fn record_fault(letter: &Letter, requests: &[&Request]) -> Option<String> {
    let recorded: Vec<_> = letter.attempts.iter().map(|a| a.status).collect();
    let answered: Vec<_> = requests.iter().map(|r| r.status()).collect();
    (recorded != answered).then(|| {
        format!(
            "{}: its record says {}, the receiver answered {}",
            letter.id,
            listed(&recorded),
            listed(&answered)
        )
    })
}

fn listed(statuses: &[Option<u16>]) -> String {
    let listed: Vec<_> = statuses
        .iter()
        .map(|status| status.map_or("no answer".to_owned(), |status| status.to_string()))
        .collect();
    if listed.is_empty() {
        "nothing".to_owned()
    } else {
        listed.join(", ")
    }
}

/// The waits in the order of the schedule, with the longest that was seen.
fn finding(retried: usize, due: &[Duration], longest: &[Duration]) -> String {
    let late = due.iter().zip(longest);
    let late = late.map(|(due, seen)| seen.saturating_sub(*due)).max();
    let waits: Vec<_> = due
        .iter()
        .map(|due| {
            if due.is_zero() {
                "at once".to_owned()
            } else {
                format!("after {}", duration::format(*due))
            }
        })
        .collect();
    format!(
        "{retried} retried {}; {:.1} s late at most",
        waits.join(", "),
        late.unwrap_or_default().as_secs_f64()
    )
}
