//! What the attempt ledger remembers of one message, and what a new receive of it may do.

use std::time::Duration;

use event::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{FailureKind, Outcome, Reason, RetrySchedule};

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
    /// How often SQS had handed the message out when this was written; later receives are its own, since
    /// nothing is ahead of it any more.
    #[serde(default)]
    pub receives: u32,
}

/// What is to happen next to a message that was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordState {
    /// It waits for its next visit.
    Waiting {
        /// Not to be attempted before this moment.
        not_before: Timestamp,
    },
    /// It is never attempted again, only sent to the internal queue and deleted.
    Exhausted(Verdict),
    /// It was accepted, or lies in the internal queue, and its delete failed: it is only deleted.
    Done,
    /// Of a message group, not of a message: its events have been delivered up to this sequence number.
    DeliveredUpTo(String),
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

/// What a receive of a message may do with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Visit {
    /// Attempt it; the number of the next attempt in this life, from 1.
    Attempt {
        /// From 1.
        n: u32,
    },
    /// It was received very often and never attempted, perhaps only because others ahead of it were held:
    /// write a record, from which its own receives are counted, and attempt it.
    Watch,
    /// It came before its time: hide it again.
    TooEarly {
        /// For so long.
        remaining: Duration,
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

impl Visit {
    /// Opens a visit at `now`: a receive is not an attempt, so the attempts come from the record, never
    /// from the receive count, which only stops what never got a verdict. Before it does, a record tells
    /// the message's own receives from those behind others: no follower is set aside unattempted.
    pub fn open(
        schedule: &RetrySchedule,
        record: Option<&Record>,
        receive_count: u32,
        now: Timestamp,
    ) -> Self {
        let made = record.map_or(0, |r| r.attempts.len() as u32);
        let receives = receive_count.saturating_sub(record.map_or(0, |r| r.receives));
        match record.map(|r| (r, &r.state)) {
            Some((_, RecordState::Exhausted(verdict))) => Self::Decided {
                verdict: verdict.clone(),
            },
            Some((_, RecordState::Done)) => Self::Done,
            // The schedule was made shorter while the event waited.
            _ if made >= schedule.attempts() => Self::SetAside {
                reason: Reason::Exhausted,
            },
            None if receives >= schedule.suspicious_receives() => Self::Watch,
            Some(_) if receives >= schedule.suspicious_receives() => Self::SetAside {
                reason: Reason::ReceiveCountExceeded,
            },
            Some((_, RecordState::Waiting { not_before })) if *not_before > now => Self::TooEarly {
                remaining: now.until(*not_before),
            },
            _ => Self::Attempt { n: made + 1 },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

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
        }
    }

    fn waiting(attempts: u32, not_before_ms: u64) -> Record {
        let not_before = Timestamp::from_millis(not_before_ms);
        record(attempts, RecordState::Waiting { not_before })
    }

    #[test]
    fn a_receive_is_not_an_attempt() {
        assert_eq!(
            Visit::open(&schedule(), None, 49, NOW),
            Visit::Attempt { n: 1 }
        );
        assert_eq!(
            Visit::open(&schedule(), Some(&waiting(2, 0)), 3, NOW),
            Visit::Attempt { n: 3 }
        );
    }

    #[test]
    fn a_message_that_comes_before_its_time_is_hidden_for_the_remainder() {
        let early = Visit::open(&schedule(), Some(&waiting(2, 1_000_500)), 2, NOW);
        let remaining = Duration::from_millis(500);
        assert_eq!(early, Visit::TooEarly { remaining });
        assert_eq!(
            Visit::open(&schedule(), Some(&waiting(2, 1_000_000)), 2, NOW),
            Visit::Attempt { n: 3 }
        );
    }

    #[test]
    fn an_exhausted_event_is_never_attempted_again() {
        let verdict = Verdict {
            reason: Reason::Exhausted,
            detail: None,
            dead_at: NOW,
        };
        let record = record(4, RecordState::Exhausted(verdict.clone()));
        let visit = Visit::open(&schedule(), Some(&record), 200, NOW);
        assert_eq!(visit, Visit::Decided { verdict });
    }

    #[test]
    fn an_event_that_has_come_to_its_end_is_only_deleted() {
        for attempts in [1, 4] {
            let record = record(attempts, RecordState::Done);
            let visit = Visit::open(&schedule(), Some(&record), 200, NOW);
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
        let waiting = serde_json::json!({"waiting": {"not_before": "1970-01-01T00:16:40.000Z"}});
        assert_eq!(state(RecordState::Waiting { not_before: NOW }), waiting);
    }

    #[test]
    fn a_schedule_made_shorter_ends_an_event_that_has_had_its_attempts() {
        let visit = Visit::open(&schedule(), Some(&waiting(4, 0)), 2, NOW);
        let reason = Reason::Exhausted;
        assert_eq!(visit, Visit::SetAside { reason });
    }

    #[test]
    fn an_event_that_never_gets_a_verdict_is_watched_at_fifty_receives_and_set_aside_at_fifty_more()
    {
        let reason = Reason::ReceiveCountExceeded;
        let first = |receive_count| Visit::open(&schedule(), None, receive_count, NOW);
        assert_eq!(first(49), Visit::Attempt { n: 1 });
        assert_eq!(first(50), Visit::Watch);
        let watched = Record {
            receives: 50,
            ..waiting(0, 0)
        };
        let next = |receive_count| Visit::open(&schedule(), Some(&watched), receive_count, NOW);
        assert_eq!(next(99), Visit::Attempt { n: 1 });
        assert_eq!(next(100), Visit::SetAside { reason });
    }

    #[test]
    fn receives_behind_others_cost_an_event_no_attempt() {
        let after_two = Record {
            receives: 700,
            ..waiting(2, 0)
        };
        let visit = Visit::open(&schedule(), Some(&after_two), 701, NOW);
        assert_eq!(visit, Visit::Attempt { n: 3 });
    }
}
