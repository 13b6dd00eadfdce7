//! What the attempt ledger remembers of one message, and what a new receive of it may do.

use std::time::Duration;

use event::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{FailureKind, Lifetime, Outcome, Reason, RetrySchedule};

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
        let (remaining, cut) = if left > longest + CLOCKS_DIFFER {
            (longest, left - longest)
        } else {
            (left, Duration::ZERO)
        };
        if remaining.is_zero() {
            return None;
        }
        Some(if life.allows_visit(now.plus(remaining), now) {
            Visit::TooEarly { remaining, cut }
        } else {
            Visit::SetAside {
                reason: Reason::Expiring,
            }
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
mod tests;
