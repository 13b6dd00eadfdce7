//! An internal queue on virtual time: `local-sqs` in process, the real SDK.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use delivery::{
    Answer, Attempt, DEAD_LETTER, DeadLetter, Death, Origin, Reason, dead_letter_group,
};
use event::Timestamp;
use local_sqs::{Limits, LocalSqs};
use queue::admin::{Kind, create_pair};
use queue::{Attribute, Counts, Outgoing, Queue, Sqs};

use crate::network::{Call, Fault, with_faults};

/// 2025-02-12T14:30:45.000Z, when the first of them died.
pub const START: Timestamp = Timestamp::from_millis(1_739_370_645_000);

/// A queue pair on a `local-sqs` of its own.
pub struct World {
    /// Where events come from, and go back to.
    pub source: Queue,
    /// The internal queue.
    pub dead: Queue,
    local: LocalSqs,
}

impl World {
    /// A pair of FIFO queues.
    pub async fn new() -> Self {
        Self::of(Kind::Fifo).await
    }

    /// A pair of queues.
    pub async fn of(kind: Kind) -> Self {
        let local = LocalSqs::seeded(Limits::default(), 7);
        let sqs = Sqs::in_process(local.http_client());
        let pair = create_pair(&sqs, "events", kind).await.unwrap();
        Self {
            source: Queue::open(&sqs, &pair.source_url).await.unwrap(),
            dead: Queue::open(&sqs, &pair.dead_letter_url).await.unwrap(),
            local,
        }
    }

    /// The internal queue through a connection whose calls of `action` break after the first `good` ones.
    pub async fn breaking(&self, action: &'static str, good: u32) -> Queue {
        self.breaking_way_to(&self.dead, action, good).await
    }

    /// The same for the source queue.
    pub async fn breaking_source(&self, action: &'static str, good: u32) -> Queue {
        self.breaking_way_to(&self.source, action, good).await
    }

    async fn breaking_way_to(&self, queue: &Queue, action: &'static str, good: u32) -> Queue {
        let broken = Broken {
            action,
            calls: good..u32::MAX,
            how: Fault::Lost,
        };
        self.broken_way_to(queue, broken).await
    }

    /// The internal queue through a connection on which calls of `action` are not answered, after the first.
    pub async fn silent(&self, action: &'static str) -> Queue {
        let broken = Broken {
            action,
            calls: 1..u32::MAX,
            how: Fault::Silence,
        };
        self.broken_way_to(&self.dead, broken).await
    }

    /// The queue through a connection of which these calls break.
    pub async fn broken_way_to(&self, queue: &Queue, broken: Broken) -> Queue {
        let calls = AtomicU32::new(0);
        let decide = move |call: &Call| {
            let is_meant =
                call.action == broken.action && broken.calls.contains(&calls.fetch_add(1, Relaxed));
            if is_meant {
                broken.how.clone()
            } else {
                Fault::None
            }
        };
        let sqs = Sqs::in_process(with_faults(self.local.http_client(), decide));
        Queue::open(&sqs, queue.url()).await.unwrap()
    }

    /// How many letters there are.
    pub async fn counts(&self) -> Counts {
        self.dead.counts().await.unwrap()
    }

    /// Puts messages into the internal queue, and fails unless all are there.
    pub async fn send(&self, messages: Vec<Outgoing>) {
        for batch in messages.chunks(10) {
            for sent in self.dead.send_batch(batch).await.unwrap() {
                sent.unwrap();
            }
        }
    }

    /// Dead letters of one event setup as the worker writes them, the last one to die first.
    pub async fn send_dead_events(&self, count: u32) {
        let letters = (0..count)
            .rev()
            .map(|n| letter(&record(n), &format!(r#"{{"msg_id":"e-{n}"}}"#)));
        self.send(letters.collect()).await;
    }
}

/// The record of event `n` of a group, dead `n` seconds after the start.
pub fn record(n: u32) -> DeadLetter {
    let at = START.plus(Duration::from_secs(n.into()));
    let outcome = Ok(Answer {
        status: 500,
        retry_after: None,
        excerpt: "no".to_owned(),
    });
    let attempts = (1..=4).map(|n| Attempt::new(0, n, at, Duration::from_millis(8), &outcome));
    let death = Death {
        reason: Reason::Exhausted,
        detail: None,
        dead_at: at,
        callback: Some("https://hooks.example.com/workn".to_owned()),
    };
    let origin = Origin {
        message_id: format!("origin-{n}"),
        sequence_number: Some(format!("{n:020}")),
        deduplication_id: Some(START.deduplication_id()),
        group: Some("EventSetup_7".to_owned()),
        sent_at: START,
    };
    DeadLetter::new(
        "https://sqs/events.fifo",
        death,
        origin,
        None,
        attempts.collect(),
    )
}

/// A letter as the worker sends it: this event with this record.
pub fn letter(record: &DeadLetter, body: &str) -> Outgoing {
    let json = record.to_json_within(10_000).unwrap();
    let origin = &record.origin;
    Outgoing {
        group: Some(dead_letter_group(
            origin.group.as_deref(),
            &origin.message_id,
        )),
        deduplication_id: Some(origin.message_id.clone()),
        attributes: BTreeMap::from([
            (DEAD_LETTER.to_owned(), Attribute::string(json)),
            ("event".to_owned(), Attribute::string("talent_created")),
        ]),
        body: body.to_owned(),
    }
}

/// A letter as the native redrive leaves it: without a record, in the group of its event.
pub fn native(group: &str, n: u32) -> Outgoing {
    Outgoing {
        body: format!(r#"{{"msg_id":"n-{n}"}}"#),
        group: Some(group.to_owned()),
        deduplication_id: Some(format!("{group}-{n}")),
        attributes: BTreeMap::new(),
    }
}

/// Calls that break, the SDK's own retries counted.
#[derive(Debug, Clone)]
pub struct Broken {
    /// As AWS names it: `DeleteMessageBatch`.
    pub action: &'static str,
    /// Which of the calls of this action, counted from 0.
    pub calls: Range<u32>,
    /// What happens to those.
    pub how: Fault,
}
