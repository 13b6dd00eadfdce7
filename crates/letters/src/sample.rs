//! Letters for unit tests.

use std::collections::BTreeMap;
use std::time::Duration;

use delivery::{
    Answer, Attempt, DEAD_LETTER, DeadLetter, Death, Failure, FailureKind, Origin, Outcome, Reason,
};
use event::Timestamp;
use queue::{Attribute, Received};

use crate::Letter;

/// When a sample was set aside.
pub(crate) const DEAD: Timestamp = Timestamp::from_millis(1_739_370_645_123);

/// What matters of a letter of EventSetup_7 that the worker sent.
pub(crate) struct Sample<'a> {
    pub(crate) id: &'a str,
    pub(crate) body: &'a str,
    pub(crate) callback: Option<&'a str>,
    pub(crate) outcomes: &'a [Outcome],
    pub(crate) dead_at: Timestamp,
}

impl Default for Sample<'_> {
    fn default() -> Self {
        Self {
            id: "Origin-1",
            body: "{}",
            callback: None,
            outcomes: &[],
            dead_at: DEAD,
        }
    }
}

impl Sample<'_> {
    pub(crate) fn letter(&self) -> Letter {
        let attempts = (1..).zip(self.outcomes);
        let attempts = attempts.map(|(n, o)| Attempt::new(0, n, DEAD, Duration::ZERO, o));
        let death = Death {
            reason: Reason::Exhausted,
            detail: None,
            dead_at: self.dead_at,
            callback: self.callback.map(str::to_owned),
        };
        let origin = Origin {
            message_id: self.id.to_owned(),
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
            body: self.body.to_owned().into(),
            group: Some(format!("EventSetup_7#{}", self.id)),
            deduplication_id: Some(self.id.to_owned()),
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
