//! What the log says of an event: one line per attempt, never a body, a secret or a signature.

use std::any::Any;
use std::time::Duration;

use delivery::{DeadLetter, Decision, Outcome, Posting};
use event::Event;
use queue::{QueueError, Received};
use store::LedgerError;
use tracing::{error, info, warn};

/// One attempt and what follows from it.
pub(crate) fn attempt(
    n: u32,
    posting: &Posting<'_>,
    message: &Received,
    duration: Duration,
    outcome: &Outcome,
    decision: Decision,
) {
    let (status, error, detail) = match outcome {
        Ok(answer) => (Some(answer.status), None, None),
        Err(failure) => (
            None,
            Some(failure.kind.as_str()),
            Some(failure.detail.as_str()),
        ),
    };
    info!(
        event = posting.webhook_id,
        group = message.group,
        sequence = message.sequence_number,
        attempt = n,
        receive_count = message.receive_count,
        status,
        error,
        detail,
        duration_ms = duration.as_millis() as u64,
        decision = decision.as_str(),
        "attempt"
    );
}

/// An event was moved to the internal queue.
pub(crate) fn dead_letter(message: &Received, letter: &DeadLetter) {
    // What is no event has no id of its own: it is known by its MessageId.
    let event = Event::parse(&message.body).unwrap_or_default();
    let origin = letter.origin.message_id.as_str();
    warn!(
        event = delivery::webhook_id(event.msg_id(), Some(origin), &message.message_id),
        message_id = message.message_id,
        group = message.group,
        sequence = message.sequence_number,
        reason = letter.reason.as_str(),
        detail = letter.detail,
        attempts = letter.attempts.len(),
        "dead letter"
    );
}

/// AWS does not let us send to the internal queue, which is said once (see `denials`). Here it is said of each event
/// that it is held for that.
pub(crate) fn denied(message: &Received, why: &QueueError) {
    warn!(
        message_id = message.message_id,
        group = message.group,
        error = %why,
        "an event cannot go into the internal queue: it is held in the source queue and its group waits"
    );
}

/// The internal queue refuses an event. The event is held and its group waits: this needs a
/// person.
pub(crate) fn refused(message: &Received, why: &str) {
    error!(
        message_id = message.message_id,
        group = message.group,
        error = why,
        "the internal queue refuses this event: it is held in the source queue and its group waits; see what the queue takes with: hooklane queues check"
    );
}

/// A visit met a defect of ours: the lane is left alone until its lease ends. Said with the event's identity, since it
/// may be the event that brings it about.
pub(crate) fn panicked(head: Option<&Received>, panic: &(dyn Any + Send)) {
    let said = panic.downcast_ref::<&str>().map(|said| (*said).to_owned());
    let said = said.or_else(|| panic.downcast_ref::<String>().cloned());
    let event = head.map(|message| Event::parse(&message.body).unwrap_or_default());
    let id = head.zip(event.as_ref());
    error!(
        event = id.map(|(message, event)| delivery::webhook_id(
            event.msg_id(),
            None,
            &message.message_id
        )),
        message_id = head.map(|message| message.message_id.as_str()),
        group = head.and_then(|message| message.group.as_deref()),
        receive_count = head.map(|message| message.receive_count),
        error = said.unwrap_or_else(|| "a panic without a text".to_owned()),
        "a defect of Hooklane: this event and those behind it are left alone until their lease ends; please report it"
    );
}

/// A wait was written by a clock that was fast, and would have been longer than it was meant to be.
pub(crate) fn wait_cut(message: &Received, remaining: Duration, cut: Duration) {
    warn!(
        message_id = message.message_id,
        group = message.group,
        remaining_s = remaining.as_secs_f64(),
        cut_s = cut.as_secs_f64(),
        "the clock by which this event's wait was written was fast, or ours is slow: the wait is cut to the length it was meant to have"
    );
}

/// The ledger's record of an event cannot be read. It is held and its group waits: this needs a person.
pub(crate) fn unreadable(message: &Received, why: &LedgerError) {
    error!(
        message_id = message.message_id,
        group = message.group,
        error = %why,
        "nobody knows which attempts this event has had: it is held in the source queue and its group waits; without that record it starts from its first attempt"
    );
}
