//! The way of an event into the internal queue.

use std::collections::BTreeMap;

use crate::breakage::Breakage;
use delivery::{
    Attempt, DEAD_LETTER, DeadLetter, Death, Origin, REPLAY, Replay, Verdict, dead_letter_group,
};
use event::EVENT_NAME;
use queue::{Attribute, Outgoing, Queue, QueueError, Received, with_record};

/// The dead-letter record of a message that is set aside.
pub(crate) fn letter(
    source_url: &str,
    message: &Received,
    verdict: Verdict,
    attempts: Vec<Attempt>,
    earlier: Option<Replay>,
    callback: Option<String>,
) -> DeadLetter {
    let death = Death {
        reason: verdict.reason,
        detail: verdict.detail,
        dead_at: verdict.dead_at,
        callback,
    };
    let origin = Origin {
        message_id: message.message_id.clone(),
        sequence_number: message.sequence_number.clone(),
        deduplication_id: message.deduplication_id.clone(),
        group: message.group.clone(),
        sent_at: message.sent_at,
    };
    DeadLetter::new(source_url, death, origin, earlier, attempts)
}

/// Why a dead letter was not sent.
#[derive(Debug)]
pub(crate) enum NotSent {
    /// The internal queue does not answer or asks us to slow down.
    Down(QueueError),
    /// It refuses this message: only a person can change that. The reason in SQS's own words.
    Refused(String),
    /// AWS refuses us: another matter for a person.
    Denied(QueueError),
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
        deduplication_id: fifo.then(|| {
            if Breakage::FreshDeadLetterId.is_made() {
                format!("{}-{}", message.message_id, message.receive_count)
            } else {
                message.message_id.clone()
            }
        }),
        attributes: attributes(message, letter, queue.attributes().maximum_message_size),
    };
    let answers = queue.send_batch(std::slice::from_ref(&outgoing)).await;
    match answers.map_err(not_sent)?.pop() {
        Some(Ok(_)) => Ok(()),
        Some(Err(error)) if error.is_transient() => Err(NotSent::Down(QueueError::Unreachable {
            action: "SendMessageBatch",
            message: error.to_string(),
        })),
        Some(Err(error)) => match queue.denial_of_send(&error) {
            Some(denied) => Err(NotSent::Denied(denied)),
            None => Err(NotSent::Refused(error.to_string())),
        },
        None => unreachable!("a batch answers for each of its entries"),
    }
}

/// The call holds one message alone, so what SQS rejects in it is that message. What waiting does not mend is no
/// outage: if it closed the gate, looks that find the queue there would open it again and again, and the receive
/// counts of all that is held would run up.
fn not_sent(error: QueueError) -> NotSent {
    match error {
        error if error.is_transient() => NotSent::Down(error),
        error if error.is_denied() => NotSent::Denied(error),
        error => NotSent::Refused(error.to_string()),
    }
}

/// The message's own attributes and the record, within what the queue takes. Where room is short the record
/// goes before the other attributes, of which the event's name goes last.
fn attributes(
    message: &Received,
    letter: &DeadLetter,
    maximum_message_size: usize,
) -> BTreeMap<String, Attribute> {
    let own = message.own_attributes(&[DEAD_LETTER, REPLAY], EVENT_NAME);
    let body = message.body.len();
    let carried = [own.len(), 1, 0].iter().find_map(|&kept| {
        let kept = &own[..kept.min(own.len())];
        let record = |room| letter.to_json_within(room);
        with_record(kept, body, maximum_message_size, DEAD_LETTER, record)
    });
    // A body that fills the queue's limit leaves no room at all: the event is kept, with the earlier lives it came
    // with, and the record is in the log.
    carried.unwrap_or_else(|| {
        let own = own.iter().map(|&(name, a)| (name.clone(), a.clone()));
        own.chain(earlier_lives(message)).collect()
    })
}

fn earlier_lives(message: &Received) -> Option<(String, Attribute)> {
    let carried = message.attributes.get(REPLAY)?;
    Some((REPLAY.to_owned(), carried.clone()))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use delivery::Reason;
    use event::Timestamp;

    use super::*;

    fn message(body: usize, attributes: usize) -> Received {
        let names = (1..attributes).map(|n| format!("a{n:02}"));
        let names = names.chain((attributes > 0).then(|| EVENT_NAME.to_owned()));
        Received {
            message_id: "m".repeat(36),
            receipt_handle: String::new(),
            body: Bytes::from(vec![b'x'; body]),
            group: Some("EventSetup_1".to_owned()),
            deduplication_id: None,
            sequence_number: None,
            receive_count: 1,
            sent_at: Timestamp::from_millis(0),
            first_received_at: None,
            redriven_from: None,
            attributes: names
                .map(|name| (name, Attribute::string("value")))
                .collect(),
            lease_until: queue::Uptime::default(),
        }
    }

    fn attributes_of(message: &Received, maximum: usize) -> BTreeMap<String, Attribute> {
        let verdict = Verdict {
            reason: Reason::NoCallback,
            detail: None,
            dead_at: Timestamp::from_millis(0),
        };
        let letter = letter("https://sqs/q.fifo", message, verdict, vec![], None, None);
        let attributes = attributes(message, &letter, maximum);
        let size: usize = attributes.iter().map(|(name, a)| a.size(name)).sum();
        assert!(
            message.body.len() + size <= maximum,
            "{size} bytes of attributes do not fit"
        );
        attributes
    }

    #[test]
    fn a_dead_letter_keeps_nine_of_ten_attributes_and_among_them_the_name_of_the_event() {
        let kept = attributes_of(&message(100, 10), 1_048_576);
        assert_eq!(kept.len(), 10);
        assert!(kept.contains_key(DEAD_LETTER) && kept.contains_key(EVENT_NAME));
    }

    #[test]
    fn where_room_is_short_the_record_goes_before_other_attributes_and_the_name_goes_last() {
        let kept = attributes_of(&message(1_000, 9), 1_000 + 400);
        assert_eq!(
            kept.keys().map(String::as_str).collect::<Vec<_>>(),
            [EVENT_NAME, DEAD_LETTER]
        );
    }

    #[test]
    fn a_body_that_fills_the_limit_is_kept_without_a_record() {
        assert!(attributes_of(&message(1_000, 0), 1_000).is_empty());
        assert_eq!(attributes_of(&message(1_000, 2), 1_030).len(), 2);
    }
}
