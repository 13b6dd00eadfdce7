//! What the attempt ledger remembers of one message, and what a new receive of it may do.

use std::collections::BTreeMap;
use std::time::Duration;

use event::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{FailureKind, Lifetime, Outcome, Reason, RetrySchedule, sequence_order};

/// One HTTP request of ours and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// 0 in the event's first life, 1 after its first replay, ….
    pub life: u32,
    /// The number within its life, from 1.
    pub n: u32,
    /// When it began.
    pub at: Timestamp,
    /// How long it took.
    pub duration_ms: u64,
    /// The HTTP status, if a complete answer came.
    pub status: Option<u16>,
    /// Why none came.
    pub error: Option<FailureKind>,
    /// The first 512 characters of the answer, cleaned; of a failure, what it was in one line.
    #[serde(default)]
    pub excerpt: String,
}

impl Attempt {
    /// Writes an attempt down.
    pub fn new(life: u32, n: u32, at: Timestamp, duration: Duration, outcome: &Outcome) -> Self {
        let (status, error, excerpt) = match outcome {
            Ok(answer) => (Some(answer.status), None, &answer.excerpt),
            Err(failure) => (None, Some(failure.kind), &failure.detail),
        };
        Self {
            life,
            n,
            at,
            duration_ms: duration.as_millis() as u64,
            status,
            error,
            excerpt: excerpt.clone(),
        }
    }
}

/// The ledger's record of one message: written whenever a visit ends without acceptance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The attempts of the present life, oldest first.
    pub attempts: Vec<Attempt>,
    /// What is to happen next.
    pub state: RecordState,
    /// How often SQS had handed the message out when a visit last came to its end.
    #[serde(default)]
    pub receives: u32,
    /// How many visits of a watched event have begun since, each written down before its first request: more is not
    /// known of them, so any of them may have killed its worker.
    #[serde(default)]
    pub begun: u32,
}

impl Record {
    /// The same record with one more visit begun; of an event without a record, the first.
    pub fn begins(record: Option<&Self>, now: Timestamp) -> Self {
        let record = record.cloned();
        let mut record = record.unwrap_or(Self {
            attempts: Vec::new(),
            state: RecordState::waiting(now, Duration::ZERO),
            receives: 0,
            begun: 0,
        });
        record.begun = record.begun.saturating_add(1);
        record
    }

    /// Whether it is too early at `now`. No more seems to be left of a wait than it was long, unless clocks are off:
    /// then no more than that is waited. What would not live to see the end of its wait is set aside instead.
    fn too_early(
        &self,
        schedule: &RetrySchedule,
        life: &Lifetime,
        now: Timestamp,
    ) -> Option<Visit> {
        let RecordState::Waiting {
            not_before,
            wait_ms,
        } = self.state
        else {
            return None;
        };
        let longest = match wait_ms {
            Some(wait_ms) => Duration::from_millis(wait_ms),
            None => schedule.longest_wait_after(self.attempts.len() as u32),
        };
        let left = now.until(not_before);
        let (remaining, cut) = match left > longest + CLOCKS_DIFFER {
            true => (longest, left - longest),
            false => (left, Duration::ZERO),
        };
        if remaining.is_zero() {
            return None;
        }
        Some(match life.allows_visit(now.plus(remaining), now) {
            true => Visit::TooEarly { remaining, cut },
            false => Visit::SetAside {
                reason: Reason::Expiring,
            },
        })
    }
}

/// What is to happen next to a message that was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordState {
    /// It waits for its next visit.
    Waiting {
        /// Not to be attempted before this moment.
        not_before: Timestamp,
        /// How long that was when it was written: whoever finds it early waits no longer than that, whatever the
        /// clocks say. Records of before have none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        wait_ms: Option<u64>,
    },
    /// It is never attempted again, only sent to the internal queue and deleted.
    Exhausted(Verdict),
    /// It was accepted, or lies in the internal queue, and its delete failed: it is only deleted.
    Done,
    /// Of a message group, not of a message, as versions before wrote it: its events have been delivered up to this
    /// sequence number.
    DeliveredUpTo(String),
    /// Of a message group: what is known of its dead.
    Group(GroupNote),
    /// Of a queue: the message groups of which an event died and nothing newer has been accepted since.
    Watched(BTreeMap<String, Watch>),
}

/// What the ledger knows of a message group of which an event died. Sequence numbers are those of first lives.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct GroupNote {
    /// The newest event that was set aside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest_dead: Option<String>,
    /// Up to which event it has been delivered, as far as anybody noted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered_up_to: Option<String>,
}

impl GroupNote {
    /// The note of a group in its record.
    pub fn of(record: &Record) -> Self {
        match &record.state {
            RecordState::Group(note) => note.clone(),
            RecordState::DeliveredUpTo(number) => Self {
                newest_dead: None,
                delivered_up_to: Some(number.clone()),
            },
            _ => Self::default(),
        }
    }

    /// An event was set aside.
    #[must_use]
    pub fn with_death(self, number: &str) -> Self {
        Self {
            newest_dead: Some(newer(self.newest_dead, number)),
            ..self
        }
    }

    /// An event was accepted.
    #[must_use]
    pub fn with_delivery(self, number: &str) -> Self {
        Self {
            delivered_up_to: Some(newer(self.delivered_up_to, number)),
            ..self
        }
    }

    /// Whether something newer than all its dead has been delivered: of each of them all is known.
    pub fn is_settled(&self) -> bool {
        match (&self.newest_dead, &self.delivered_up_to) {
            (Some(dead), Some(delivered)) => sequence_order(dead, delivered).is_le(),
            (dead, _) => dead.is_none(),
        }
    }
}

fn newer(known: Option<String>, number: &str) -> String {
    match known {
        Some(known) if sequence_order(&known, number).is_ge() => known,
        _ => number.to_owned(),
    }
}

/// Since when the next acceptance of a message group is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    /// When the first of its events died that are waited behind.
    pub since: Timestamp,
    /// When this was last made sure of, to the day.
    pub last: Timestamp,
}

impl RecordState {
    /// A wait that begins now.
    pub fn waiting(now: Timestamp, wait: Duration) -> Self {
        Self::Waiting {
            not_before: now.plus(wait),
            wait_ms: Some(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
        }
    }
}

/// Why an event is set aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Why.
    pub reason: Reason,
    /// The reason in words, where there is more to say.
    pub detail: Option<String>,
    /// When that was decided.
    pub dead_at: Timestamp,
}

/// So many visits of a watched event may begin and come to no end: a worker may die for another reason than the
/// event, ten in a row hardly.
pub const MOST_BEGUN: u32 = 10;

/// What a receive of a message may do with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Visit {
    /// Attempt it; the number of the next attempt in this life, from 1.
    Attempt {
        /// From 1.
        n: u32,
    },
    /// It was received very often without a visit that came to its end, perhaps only because others ahead of it
    /// were held, perhaps because it kills whoever attempts it: write down that a visit begins
    /// ([`Record::begins`]), then attempt it.
    Watch {
        /// The number of the next attempt in this life, from 1.
        n: u32,
    },
    /// It came before its time: hide it again.
    TooEarly {
        /// For so long.
        remaining: Duration,
        /// So much was cut: the wait would have been longer than the schedule has it, since the clock by which it
        /// was written was fast. What remains is to be written down in its place.
        cut: Duration,
    },
    /// Its attempts are used up, or it never gets a verdict: set it aside.
    SetAside {
        /// Why.
        reason: Reason,
    },
    /// It was set aside already: send it to the internal queue (again) and delete it.
    Decided {
        /// What was decided.
        verdict: Verdict,
    },
    /// It has come to its end already: delete it.
    Done,
}

/// Clocks that are right differ by less.
const CLOCKS_DIFFER: Duration = Duration::from_secs(1);

impl Visit {
    /// Opens a visit at `now`. A receive is not an attempt, so the attempts come from the record, never from the
    /// receive count. Nor does a receive that no visit followed say anything against an event: very many of them
    /// only have it watched, and what sets it aside is [`MOST_BEGUN`] visits that began and came to no end.
    ///
    /// What the queue would drop before its visit is set aside while there is time.
    pub fn open(
        schedule: &RetrySchedule,
        record: Option<&Record>,
        receive_count: u32,
        life: &Lifetime,
        now: Timestamp,
    ) -> Self {
        let made = record.map_or(0, |r| r.attempts.len() as u32);
        let receives = receive_count.saturating_sub(record.map_or(0, |r| r.receives));
        let settled = match record.map(|r| &r.state) {
            Some(RecordState::Exhausted(verdict)) => Some(Self::Decided {
                verdict: verdict.clone(),
            }),
            Some(RecordState::Done) => Some(Self::Done),
            // The schedule was made shorter while the event waited.
            _ if made >= schedule.attempts() => Some(Self::SetAside {
                reason: Reason::Exhausted,
            }),
            _ => record.and_then(|record| record.too_early(schedule, life, now)),
        };
        settled.unwrap_or_else(|| match record {
            _ if !life.allows_attempt(now) => Self::SetAside {
                reason: Reason::Expiring,
            },
            Some(record) if record.begun >= MOST_BEGUN => Self::SetAside {
                reason: Reason::ReceiveCountExceeded,
            },
            _ if receives >= schedule.suspicious_receives() => Self::Watch { n: made + 1 },
            _ => Self::Attempt { n: made + 1 },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    /// A visit of a message that was sent an hour of Unix time ago, whose queue keeps it for two weeks.
    fn open(record: Option<&Record>, receive_count: u32, now: Timestamp) -> Visit {
        let retention = Duration::from_secs(14 * 24 * 3600);
        let life = Lifetime::new(
            Timestamp::from_millis(0),
            retention,
            Duration::from_secs(30),
        );
        Visit::open(&schedule(), record, receive_count, &life, now)
    }

    fn schedule() -> RetrySchedule {
        RetrySchedule::new(RetrySchedule::avionte()).unwrap()
    }

    fn record(attempts: u32, state: RecordState) -> Record {
        let refused = Err(crate::Failure {
            kind: FailureKind::Connect,
            detail: "refused".to_owned(),
        });
        Record {
            attempts: (1..=attempts)
                .map(|n| Attempt::new(0, n, NOW, Duration::ZERO, &refused))
                .collect(),
            state,
            receives: 0,
            begun: 0,
        }
    }

    fn waiting(attempts: u32, not_before_ms: u64) -> Record {
        let not_before = Timestamp::from_millis(not_before_ms);
        let wait_ms = None;
        record(
            attempts,
            RecordState::Waiting {
                not_before,
                wait_ms,
            },
        )
    }

    #[test]
    fn a_receive_is_not_an_attempt() {
        assert_eq!(open(None, 99, NOW), Visit::Attempt { n: 1 });
        assert_eq!(open(Some(&waiting(2, 0)), 3, NOW), Visit::Attempt { n: 3 });
    }

    #[test]
    fn a_message_that_comes_before_its_time_is_hidden_for_the_remainder() {
        let early = open(Some(&waiting(2, 1_000_500)), 2, NOW);
        let remaining = Duration::from_millis(500);
        let cut = Duration::ZERO;
        assert_eq!(early, Visit::TooEarly { remaining, cut });
        assert_eq!(
            open(Some(&waiting(2, 1_000_000)), 2, NOW),
            Visit::Attempt { n: 3 }
        );
    }

    #[test]
    fn no_wait_is_longer_than_it_was_meant_to_be_whatever_the_clocks_say() {
        let found = |wait_s: Option<u64>, left_ms: u64| {
            let not_before = NOW.plus(Duration::from_millis(left_ms));
            let wait_ms = wait_s.map(|s| s * 1_000);
            let state = RecordState::Waiting {
                not_before,
                wait_ms,
            };
            match open(Some(&record(2, state)), 2, NOW) {
                Visit::TooEarly { remaining, cut } => (remaining.as_millis(), cut.as_millis()),
                Visit::Attempt { n: 3 } => (0, 0),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(found(Some(60), 60_000), (60_000, 0));
        assert_eq!(found(Some(60), 61_000), (61_000, 0));
        assert_eq!(found(Some(60), 105_000), (60_000, 45_000));
        // A `Retry-After` that was accepted, and a record that does not say how long its wait was.
        assert_eq!(found(Some(900), 800_000), (800_000, 0));
        assert_eq!(found(None, 800_000), (60_000, 740_000));
        // A visit that was cut short had no wait.
        assert_eq!(found(Some(0), 700), (700, 0));
        assert_eq!(found(Some(0), 45_000), (0, 0));
    }

    #[test]
    fn an_exhausted_event_is_never_attempted_again() {
        let verdict = Verdict {
            reason: Reason::Exhausted,
            detail: None,
            dead_at: NOW,
        };
        let record = record(4, RecordState::Exhausted(verdict.clone()));
        let visit = open(Some(&record), 200, NOW);
        assert_eq!(visit, Visit::Decided { verdict });
    }

    #[test]
    fn an_event_that_has_come_to_its_end_is_only_deleted() {
        for attempts in [1, 4] {
            let record = record(attempts, RecordState::Done);
            let visit = open(Some(&record), 200, NOW);
            assert_eq!(visit, Visit::Done);
        }
    }

    #[test]
    fn records_keep_their_form() {
        let verdict = Verdict {
            reason: Reason::NoCallback,
            detail: None,
            dead_at: NOW,
        };
        let state = |state| serde_json::to_value(state).unwrap();
        let exhausted = serde_json::json!({"exhausted": {
            "reason": "no-callback", "detail": null, "dead_at": "1970-01-01T00:16:40.000Z"
        }});
        assert_eq!(state(RecordState::Exhausted(verdict)), exhausted);
        assert_eq!(state(RecordState::Done), "done");
        let noted = serde_json::json!({"delivered_up_to": "17"});
        assert_eq!(state(RecordState::DeliveredUpTo("17".to_owned())), noted);
        let note = GroupNote::default().with_death("17").with_delivery("19");
        let noted = serde_json::json!({"group": {"newest_dead": "17", "delivered_up_to": "19"}});
        assert_eq!(state(RecordState::Group(note)), noted);
        let watch = Watch {
            since: NOW,
            last: NOW,
        };
        let watched = [("a".to_owned(), watch)].into();
        let at = "1970-01-01T00:16:40.000Z";
        let noted = serde_json::json!({"watched": {"a": {"since": at, "last": at}}});
        assert_eq!(state(RecordState::Watched(watched)), noted);
        let waiting = serde_json::json!({"waiting": {"not_before": "1970-01-01T00:16:40.000Z"}});
        let of_before = RecordState::Waiting {
            not_before: NOW,
            wait_ms: None,
        };
        assert_eq!(state(of_before.clone()), waiting);
        assert_eq!(
            serde_json::from_value::<RecordState>(waiting).ok(),
            Some(of_before)
        );
        let waiting = serde_json::json!({"waiting": {
            "not_before": "1970-01-01T00:16:40.000Z", "wait_ms": 60_000
        }});
        let begun = Timestamp::from_millis(940_000);
        let minute = Duration::from_secs(60);
        assert_eq!(state(RecordState::waiting(begun, minute)), waiting);
    }

    #[test]
    fn the_note_of_a_group_keeps_the_newest_and_is_settled_by_what_is_newer_than_all_its_dead() {
        let dead = GroupNote::default().with_death("9").with_death("10");
        assert_eq!(dead.clone().with_death("9"), dead);
        assert!(!dead.is_settled() && GroupNote::default().is_settled());
        for (delivered, is_settled) in [("9", false), ("10", true), ("11", true)] {
            let note = dead.clone().with_delivery(delivered);
            assert_eq!(note.is_settled(), is_settled, "{delivered}");
            assert_eq!(note.clone().with_delivery("8"), note);
        }
        let earlier = record(0, RecordState::DeliveredUpTo("17".to_owned()));
        assert_eq!(
            GroupNote::of(&earlier),
            GroupNote::default().with_delivery("17")
        );
        assert_eq!(GroupNote::of(&waiting(2, 0)), GroupNote::default());
    }

    #[test]
    fn a_schedule_made_shorter_ends_an_event_that_has_had_its_attempts() {
        let visit = open(Some(&waiting(4, 0)), 2, NOW);
        let reason = Reason::Exhausted;
        assert_eq!(visit, Visit::SetAside { reason });
    }

    #[test]
    fn an_event_that_never_gets_a_verdict_is_watched_from_a_hundred_receives_on_and_set_aside_after_ten_visits()
     {
        assert_eq!(open(None, 100, NOW), Visit::Watch { n: 1 });
        let mut record = Record::begins(None, NOW);
        for receive_count in 101..110 {
            let visit = open(Some(&record), receive_count, NOW);
            assert_eq!(visit, Visit::Watch { n: 1 }, "receive {receive_count}");
            record = Record::begins(Some(&record), NOW);
        }
        let reason = Reason::ReceiveCountExceeded;
        let visit = open(Some(&record), 110, NOW);
        assert_eq!(visit, Visit::SetAside { reason });
    }

    #[test]
    fn receives_that_no_visit_followed_cost_an_event_no_attempt_with_a_record_too() {
        let after_two = Record {
            receives: 700,
            ..waiting(2, 0)
        };
        for (receive_count, visit) in [
            (701, Visit::Attempt { n: 3 }),
            (799, Visit::Attempt { n: 3 }),
            (800, Visit::Watch { n: 3 }),
            (9_000, Visit::Watch { n: 3 }),
        ] {
            let opened = open(Some(&after_two), receive_count, NOW);
            assert_eq!(opened, visit, "receive {receive_count}");
        }
        let begun = Record::begins(Some(&after_two), NOW);
        assert_eq!(
            (begun.attempts.len(), begun.receives, begun.begun),
            (2, 700, 1)
        );
    }

    #[test]
    fn what_comes_before_its_time_is_hidden_however_often_it_came() {
        let watched = Record {
            begun: MOST_BEGUN,
            ..waiting(2, 1_000_500)
        };
        let (remaining, cut) = (Duration::from_millis(500), Duration::ZERO);
        for record in [waiting(2, 1_000_500), watched] {
            let visit = open(Some(&record), 5_000, NOW);
            assert_eq!(visit, Visit::TooEarly { remaining, cut });
        }
    }

    #[test]
    fn a_record_of_before_visits_were_counted_is_still_read() {
        let text = r#"{"attempts":[],"state":"done","receives":7}"#;
        let record: Record = serde_json::from_str(text).unwrap();
        assert_eq!((record.receives, record.begun), (7, 0));
    }

    #[test]
    fn what_the_queue_would_drop_before_its_visit_is_set_aside_and_what_has_ended_is_not_asked() {
        let retention = Duration::from_secs(14 * 24 * 3600);
        let life = Lifetime::new(NOW, retention, Duration::from_secs(30));
        let before_end = |s: u64| NOW.plus(retention - Duration::from_secs(s));
        let open = |record: Option<&Record>, now| Visit::open(&schedule(), record, 2, &life, now);
        let expiring = Visit::SetAside {
            reason: Reason::Expiring,
        };
        let waiting_until = |not_before: Timestamp| {
            let wait_ms = Some(7_200_000);
            let state = RecordState::Waiting {
                not_before,
                wait_ms,
            };
            record(2, state)
        };
        // It would wait too long, it comes too late, or its turn comes in time.
        for (record, now, visit) in [
            (
                waiting_until(before_end(1_000)),
                before_end(7_200),
                &expiring,
            ),
            (
                waiting_until(before_end(7_200)),
                before_end(1_000),
                &expiring,
            ),
            (
                waiting_until(before_end(7_200)),
                before_end(1_801),
                &Visit::Attempt { n: 3 },
            ),
        ] {
            assert_eq!(&open(Some(&record), now), visit);
        }
        assert_eq!(open(None, before_end(1_000)), expiring);
        assert_eq!(
            open(Some(&record(2, RecordState::Done)), before_end(1)),
            Visit::Done
        );
    }
}
