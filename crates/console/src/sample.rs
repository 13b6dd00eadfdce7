//! A letter for unit tests.

use std::collections::BTreeMap;
use std::time::Duration;

use delivery::{
    Answer, Attempt, DEAD_LETTER, DeadLetter, Death, Failure, FailureKind, Origin, Outcome, Reason,
};
use event::Timestamp;
use letters::Letter;
use queue::{Attribute, Received};

/// When it was set aside.
pub(crate) const DEAD: Timestamp = Timestamp::from_millis(1_739_370_645_123);

/// A letter of EventSetup_7 that the worker sent, the MessageId of its event, and what came of its attempts.
pub(crate) fn letter(id: &str, body: &str, outcomes: &[Outcome]) -> Letter {
    let attempts = (1..).zip(outcomes);
    let attempts = attempts.map(|(n, o)| Attempt::new(0, n, DEAD, Duration::ZERO, o));
    let death = Death {
        reason: Reason::Exhausted,
        detail: None,
        dead_at: DEAD,
        callback: None,
    };
    let origin = Origin {
        message_id: id.to_owned(),
        sequence_number: None,
        deduplication_id: None,
        group: Some("EventSetup_7".to_owned()),
        sent_at: Timestamp::default(),
    };
    let record = DeadLetter::new("q", death, origin, None, attempts.collect());
    let json = record.to_json_within(100_000).unwrap();
    Letter::read(Received {
        message_id: "present-1".to_owned(),
        receipt_handle: String::new(),
        body: body.to_owned().into(),
        group: Some(format!("EventSetup_7#{id}")),
        deduplication_id: Some(id.to_owned()),
        sequence_number: None,
        receive_count: 1,
        sent_at: Timestamp::default(),
        first_received_at: None,
        redriven_from: None,
        attributes: BTreeMap::from([
            (DEAD_LETTER.to_owned(), Attribute::string(json)),
            ("event".to_owned(), Attribute::string("talent_created")),
        ]),
        lease_until: queue::Uptime::default(),
    })
}

pub(crate) fn answer(status: u16, excerpt: &str) -> Outcome {
    Ok(Answer {
        status,
        retry_after: None,
        excerpt: excerpt.to_owned(),
    })
}

pub(crate) fn failure(kind: FailureKind) -> Outcome {
    let detail = "no answer".to_owned();
    Err(Failure { kind, detail })
}
