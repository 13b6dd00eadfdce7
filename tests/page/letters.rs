//! Dead letters as the worker writes them, without the work: what a test is about can be said of each.

use std::collections::BTreeMap;
use std::time::Duration;

use delivery::{
    Answer, Attempt, DEAD_LETTER, DeadLetter, Death, Failure, FailureKind, Origin, Outcome, Reason,
    Replay, dead_letter_group,
};
use event::{EVENT_NAME, Timestamp};
use queue::{Attribute, MAX_BATCH, Outgoing, Queue};
use store::Ledger;

/// When the first event was sent: 2026-11-20T08:00:00Z.
pub(crate) const MORNING: Timestamp = Timestamp::from_millis(1_795_161_600_000);

/// The wait before each attempt: Avionté's, with the moments that a worker takes.
const WAITS_MS: [u64; 4] = [0, 53, 60_046, 43];

/// How long an answer took.
const DURATION: Duration = Duration::from_millis(187);

/// How long an attempt without one takes at most.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Room for any record here.
const ROOM: usize = 100_000;

/// A dead letter to be.
#[derive(Debug, Clone)]
pub(crate) struct Letter {
    /// The event's first MessageId.
    pub(crate) id: String,
    /// Its place in the order of sending.
    pub(crate) n: u32,
    pub(crate) group: String,
    pub(crate) event: Option<String>,
    pub(crate) reason: Reason,
    pub(crate) detail: Option<String>,
    pub(crate) callback: Option<String>,
    pub(crate) sent_at: Timestamp,
    /// What each attempt of the earlier life brought, if the event was replayed once.
    pub(crate) earlier: Vec<Outcome>,
    /// What each attempt of this life brought.
    pub(crate) attempts: Vec<Outcome>,
    pub(crate) body: String,
}

impl Letter {
    /// The nth: sent n minutes after the first, refused four times with 500.
    pub(crate) fn nth(n: u32) -> Self {
        Self {
            id: format!("origin-{n}"),
            n,
            group: "EventSetup_7".to_owned(),
            event: Some("talent_created".to_owned()),
            reason: Reason::Exhausted,
            detail: None,
            callback: Some("https://hooks.example.com/workn".to_owned()),
            sent_at: MORNING.plus(Duration::from_secs(60 * u64::from(n))),
            earlier: Vec::new(),
            attempts: vec![answer(500, "something broke"); 4],
            body: format!(r#"{{"msg_id":"event-{n}","mkt_id":4}}"#),
        }
    }

    /// The message that lies in the internal queue, of an event that came from `source_queue`.
    pub(crate) fn message(&self, source_queue: &str) -> Outgoing {
        let record = self.record(source_queue);
        let json = record.to_json_within(ROOM).expect("it fits");
        let group = dead_letter_group(Some(&self.group), &self.id);
        let event = self.event.iter();
        let event = event.map(|name| (EVENT_NAME.to_owned(), Attribute::string(name.clone())));
        let record = (DEAD_LETTER.to_owned(), Attribute::string(json));
        Outgoing {
            body: self.body.clone(),
            group: Some(group),
            deduplication_id: Some(self.id.clone()),
            attributes: event.chain([record]).collect::<BTreeMap<_, _>>(),
        }
    }

    fn record(&self, source_queue: &str) -> DeadLetter {
        let origin = Origin {
            message_id: self.id.clone(),
            sequence_number: Some(format!("{:020}", self.n)),
            deduplication_id: Some(self.sent_at.deduplication_id()),
            group: Some(self.group.clone()),
            sent_at: self.sent_at,
        };
        let earlier = (!self.earlier.is_empty()).then(|| Replay {
            v: 1,
            replays: 1,
            origin: origin.clone(),
            attempts: life(0, self.sent_at, &self.earlier),
            trimmed: false,
        });
        // The morning was spent on mending the receiver, they thought.
        let pause = Duration::from_secs(if earlier.is_some() { 3 * 3600 } else { 0 });
        let number = u32::from(earlier.is_some());
        let attempts = life(number, self.sent_at.plus(pause), &self.attempts);
        let dead_at = attempts.last().map_or(self.sent_at, |last| {
            last.at.plus(Duration::from_millis(last.duration_ms))
        });
        let death = Death {
            reason: self.reason,
            detail: self.detail.clone(),
            dead_at,
            callback: self.callback.clone(),
        };
        DeadLetter::new(source_queue, death, origin, earlier, attempts)
    }
}

/// Puts messages into a queue.
pub(crate) async fn put(queue: &Queue, messages: Vec<Outgoing>) {
    for batch in messages.chunks(MAX_BATCH) {
        let sent = queue.send_batch(batch).await.expect("sent");
        assert!(sent.iter().all(Result::is_ok), "{sent:?}");
    }
}

/// Notes in the ledger that these died, as the worker that buried them would have.
pub(crate) async fn note(ledger: &Ledger, source_queue: &str, letters: &[Letter]) {
    for letter in letters {
        let record = letter.record(source_queue);
        let number = record.origin.sequence_number.expect("a number");
        let noted = ledger.note_death(source_queue, &letter.group, &number, record.dead_at);
        noted.await.expect("noted");
        let deaths = BTreeMap::from([(letter.group.clone(), letter.sent_at.min(MORNING))]);
        let watched = ledger.watch(source_queue, &deaths, record.dead_at);
        watched.await.expect("watched");
    }
}

/// The attempts of one life, one after the other.
fn life(number: u32, from: Timestamp, outcomes: &[Outcome]) -> Vec<Attempt> {
    let mut now = from;
    let attempts = (1..).zip(WAITS_MS.iter().cycle()).zip(outcomes);
    let attempts = attempts.map(|((n, wait_ms), outcome)| {
        let at = now.plus(Duration::from_millis(*wait_ms));
        let duration = match outcome {
            Err(failure) if failure.kind == FailureKind::Timeout => TIMEOUT,
            _ => DURATION,
        };
        now = at.plus(duration);
        Attempt::new(number, n, at, duration, outcome)
    });
    attempts.collect()
}

pub(crate) fn answer(status: u16, excerpt: &str) -> Outcome {
    Ok(Answer {
        status,
        retry_after: None,
        excerpt: excerpt.to_owned(),
    })
}

pub(crate) fn failure(kind: FailureKind, detail: &str) -> Outcome {
    Err(Failure {
        kind,
        detail: detail.to_owned(),
    })
}
