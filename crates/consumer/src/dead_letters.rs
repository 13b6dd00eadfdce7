//! The way of an event into the internal queue.

use delivery::{
    DEAD_LETTER, DeadLetter, Death, Origin, REPLAY, Reason, Record, RecordState, Replay,
    dead_letter_group,
};
use event::Timestamp;
use queue::{Attribute, EntryError, Outgoing, Queue, QueueError, Received};

/// Why an event is set aside.
#[derive(Debug)]
pub(crate) struct Verdict {
    reason: Reason,
    detail: Option<String>,
}

impl Verdict {
    pub(crate) fn new(reason: Reason, detail: Option<String>) -> Self {
        Self { reason, detail }
    }

    pub(crate) fn into_state(self, dead_at: Timestamp) -> RecordState {
        RecordState::Exhausted {
            reason: self.reason,
            detail: self.detail,
            dead_at,
        }
    }
}

/// The dead-letter record of a message whose ledger record says that it is exhausted.
pub(crate) fn letter(
    source_url: &str,
    message: &Received,
    record: Record,
    earlier: Option<Replay>,
    callback: Option<String>,
) -> DeadLetter {
    let (reason, detail, dead_at) = match record.state {
        RecordState::Exhausted {
            reason,
            detail,
            dead_at,
        } => (reason, detail, dead_at),
        RecordState::Waiting { not_before } => (Reason::Exhausted, None, not_before),
    };
    let death = Death {
        reason,
        detail,
        dead_at,
        callback,
    };
    let origin = Origin {
        message_id: message.message_id.clone(),
        sequence_number: message.sequence_number.clone(),
        deduplication_id: message.deduplication_id.clone(),
        group: message.group.clone(),
        sent_at: message.sent_at,
    };
    DeadLetter::new(source_url, death, origin, earlier, record.attempts)
}

/// Why a dead letter was not sent.
#[derive(Debug)]
pub(crate) enum NotSent {
    /// The internal queue does not answer or asks us to slow down.
    Down(QueueError),
    /// It refuses this message; the reason in SQS's own words.
    Refused(EntryError),
}

/// Sends a message to the internal queue: a group of its own, deduplicated by its MessageId as AWS's own
/// redrive does it.
pub(crate) async fn send(
    queue: &Queue,
    message: &Received,
    letter: &DeadLetter,
) -> Result<(), NotSent> {
    let fifo = queue.is_fifo();
    let outgoing = Outgoing {
        body: String::from_utf8_lossy(&message.body).into_owned(),
        group: fifo.then(|| dead_letter_group(message.group.as_deref(), &message.message_id)),
        deduplication_id: fifo.then(|| message.message_id.clone()),
        attributes: attributes(message, letter, queue.attributes().maximum_message_size),
    };
    let answers = queue.send_batch(std::slice::from_ref(&outgoing)).await;
    match answers.map_err(NotSent::Down)?.pop() {
        Some(Ok(_)) => Ok(()),
        Some(Err(error)) if error.is_transient() => Err(NotSent::Down(QueueError::Unreachable {
            action: "SendMessageBatch",
            message: error.to_string(),
        })),
        Some(Err(error)) => Err(NotSent::Refused(error)),
        None => unreachable!("a batch answers for each of its entries"),
    }
}

/// SQS takes ten message attributes; the record is one.
const OTHERS: usize = 9;

/// The message's own attributes and the record, within what the queue takes. The record goes before the
/// other attributes, and the body before both.
fn attributes(
    message: &Received,
    letter: &DeadLetter,
    maximum_message_size: usize,
) -> std::collections::BTreeMap<String, Attribute> {
    let overhead = Attribute::string("").size(DEAD_LETTER);
    let room = maximum_message_size.saturating_sub(message.body.len());
    let own = || {
        message
            .attributes
            .iter()
            .filter(|(name, _)| ![DEAD_LETTER, REPLAY].contains(&name.as_str()))
    };
    let own_size: usize = own().map(|(name, attribute)| attribute.size(name)).sum();
    let with_own = letter.to_json_within(room.saturating_sub(overhead + own_size));
    let keeps_own = with_own.is_some();
    let record = with_own.or_else(|| letter.to_json_within(room.saturating_sub(overhead)));
    let kept = own().take(if keeps_own || record.is_none() {
        OTHERS
    } else {
        0
    });
    let mut all: std::collections::BTreeMap<_, _> =
        kept.map(|(name, a)| (name.clone(), a.clone())).collect();
    // A body that fills the queue's limit leaves no room at all: the event is kept, the record is in the log.
    all.extend(record.map(|json| (DEAD_LETTER.to_owned(), Attribute::string(json))));
    all
}
