//! What goes wrong between a history's programs, SQS and the ledger: as data.

use std::time::Duration;

use super::Profile;
use crate::dice::Dice;

/// Faults of calls to SQS, in percent of all calls while there is trouble.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct SqsFaults {
    pub(crate) request_lost: u64,
    pub(crate) answer_lost: u64,
    pub(crate) delayed: u64,
    pub(crate) throttled: u64,
    pub(crate) unavailable: u64,
    pub(crate) partial: u64,
    pub(crate) silent: u64,
    /// Has its effect at once, and its answer comes up to 25 s late.
    pub(crate) late: u64,
    /// Receives that bring fewer messages than there are; no trouble, so they never end.
    pub(crate) fewer: u64,
    /// One action is down for a while.
    pub(crate) outage: Option<Outage>,
    /// Ordinary calls take this long at most, in milliseconds.
    pub(crate) latency_ms: u64,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Outage {
    /// Every action, unless one is named.
    pub(crate) action: Option<&'static str>,
    pub(crate) internal_queue_only: bool,
    pub(crate) how: How,
    pub(crate) from: Duration,
    pub(crate) until: Duration,
}

/// What comes of a call in an outage.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum How {
    Unavailable,
    /// Refused, as only a person can change it.
    Denied,
    /// No answer.
    Silent,
}

/// Faults of calls to the ledger.
#[derive(Debug, Clone, Default)]
pub(crate) struct LedgerFaults {
    pub(crate) failing: u64,
    pub(crate) answer_lost: u64,
    pub(crate) slow: u64,
    pub(crate) too_late: u64,
    pub(crate) outage: Option<(Duration, Duration)>,
}

/// What the receive counts that workers are told of have in them besides workers' receives.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    /// In percent of all receives of a message: somebody else received it before, and did nothing with it.
    pub(crate) others: u64,
    /// Each time so often.
    pub(crate) times: u64,
    /// In percent of all receives of a message: an earlier count, the first at the earliest, is told.
    pub(crate) lagging: u64,
}

impl SqsFaults {
    pub(crate) fn are_none(&self) -> bool {
        let none = Self {
            latency_ms: self.latency_ms,
            fewer: self.fewer,
            ..Self::default()
        };
        *self == none
    }
}

const ACTIONS: [&str; 4] = [
    "ReceiveMessage",
    "DeleteMessageBatch",
    "ChangeMessageVisibilityBatch",
    "SendMessageBatch",
];

pub(super) fn sqs_faults(profile: Profile, dice: &Dice) -> SqsFaults {
    let mut faults = SqsFaults {
        latency_ms: dice.one_of(&[0, 0, 5, 30]),
        fewer: dice.one_of(&[0, 0, 0, 50]),
        ..SqsFaults::default()
    };
    let outage = |action, internal_queue_only| {
        let from = dice.seconds(0..=120);
        let until = from + dice.seconds(1..=200);
        Some(Outage {
            action,
            internal_queue_only,
            how: How::Unavailable,
            from,
            until,
        })
    };
    if profile.has(Profile::Sqs) {
        let most = dice.one_of(&[1, 4, 10]);
        let rate = || dice.within(0..=most);
        faults.request_lost = rate();
        faults.answer_lost = rate();
        faults.delayed = rate();
        faults.throttled = rate();
        faults.unavailable = rate();
        faults.partial = rate();
        faults.silent = rate() / 4;
        faults.late = rate();
        if dice.percent(60) {
            faults.outage = outage(Some(dice.one_of(&ACTIONS)), false);
        }
    }
    if profile.has(Profile::InternalQueueDown) {
        // All of it is down, or only what it is for: a look at it succeeds.
        faults.outage = outage(dice.one_of(&[None, Some("SendMessageBatch")]), true);
    }
    if profile == Profile::Refusals {
        faults.outage = Some(refusal(dice));
    }
    faults
}

/// A permission that is missing for hours.
fn refusal(dice: &Dice) -> Outage {
    let (action, internal_queue_only) = dice.one_of(&[
        ("DeleteMessageBatch", false),
        ("ChangeMessageVisibilityBatch", false),
        ("SendMessageBatch", true),
        ("SendMessageBatch", true),
    ]);
    let from = dice.seconds(0..=60);
    Outage {
        action: Some(action),
        internal_queue_only,
        how: How::Denied,
        from,
        until: from + dice.seconds(60..=2 * 3600),
    }
}

/// Deletes that are never answered, until then.
pub(super) fn silent_deletes(until: Duration) -> SqsFaults {
    SqsFaults {
        outage: Some(Outage {
            action: Some("DeleteMessageBatch"),
            internal_queue_only: false,
            how: How::Silent,
            from: Duration::ZERO,
            until,
        }),
        ..SqsFaults::default()
    }
}

/// In one history of three others receive what they do nothing with. The counts of a standard queue may lag.
pub(super) fn counts(profile: Profile, dice: &Dice) -> Counts {
    let lagging = match profile {
        Profile::Standard => dice.one_of(&[0, 20, 100]),
        _ => 0,
    };
    if dice.percent(33) {
        Counts {
            others: dice.one_of(&[2, 10, 50]),
            times: dice.within(1..=300),
            lagging,
        }
    } else {
        Counts {
            lagging,
            ..Counts::default()
        }
    }
}

pub(super) fn ledger_faults(profile: Profile, dice: &Dice) -> LedgerFaults {
    if !profile.has(Profile::LedgerDown) {
        return LedgerFaults::default();
    }
    let from = dice.seconds(0..=70);
    let most = dice.one_of(&[0, 3, 15]);
    LedgerFaults {
        failing: dice.within(0..=most),
        answer_lost: dice.within(0..=most),
        slow: dice.within(0..=most),
        too_late: dice.within(0..=most),
        outage: dice
            .percent(80)
            .then(|| (from, from + dice.seconds(1..=300))),
    }
}
