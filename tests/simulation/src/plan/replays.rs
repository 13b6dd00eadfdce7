//! What a seed means for a history with engineers.

use letters::Filter;

use delivery::RetrySchedule;
use queue::admin::Kind;

use super::{
    Behaviour, Counts, Group, LedgerFaults, Plan, Profile, behaviour, sqs_faults, workers,
};
use crate::dice::Dice;
use crate::engineer::{Command, CutOff, Engineer};

impl Plan {
    /// Events of which many die, once or more often, and engineers who replay and drop them meanwhile. Workers live.
    pub(crate) fn of_replays(seed: u64) -> Self {
        let dice = Dice::new(seed ^ 0x4e91_a115);
        let faults = if dice.percent(60) {
            Profile::Sqs
        } else {
            Profile::Calm
        };
        let groups = mortal_groups(&dice.fork());
        let mut sqs = sqs_faults(faults, &dice.fork());
        if faults == Profile::Sqs {
            // A command makes few calls, and most of their failures the SDK mends.
            sqs.partial = dice.within(0..=30);
        }
        Self {
            profile: Profile::Replays,
            kind: Kind::Fifo,
            delays: RetrySchedule::avionte().delays,
            drained: false,
            sessions: dice.within(1..=3),
            workers: workers(Profile::Calm, &dice.fork()),
            engineers: engineers(groups.len() as u64, &dice.fork()),
            groups,
            sqs,
            ledger: LedgerFaults::default(),
            counts: Counts::default(),
            retention: None,
            visibility: dice.seconds(20..=90),
            max_in_flight: dice.within(2..=20) as usize,
            closes: dice.one_of(&[0, 0, 30]),
            clocks: Vec::new(),
        }
    }
}

fn mortal_groups(dice: &Dice) -> Vec<Group> {
    let groups = dice.one_of(&[1, 3, 6]);
    let group = |number| {
        let upstream = dice.percent(30);
        let events = (0..dice.within(3..=30 / groups)).map(|_| match dice.within(0..=99) {
            0..=29 => Behaviour::Accept,
            30..=54 => Behaviour::Recover(dice.within(4..=5) as u32),
            55..=64 => Behaviour::Recover(8),
            65..=74 => Behaviour::Reject(500),
            _ => behaviour(upstream, dice).certain(),
        });
        Group {
            name: format!("EventSetup_{number}"),
            upstream,
            events: events.collect(),
        }
    };
    (0..groups).map(group).collect()
}

fn engineers(groups: u64, dice: &Dice) -> Vec<Engineer> {
    let engineer = |_| {
        let of_a_group = Filter {
            group: Some(format!("EventSetup_{}", dice.within(0..=groups - 1))),
            ..Filter::default()
        };
        let crossing = dice.within(1..=dice.one_of(&[10, 30, 90])) as u32;
        Engineer {
            begins: dice.seconds(60..=390),
            command: match dice.within(0..=9) {
                0 => Command::Drop(of_a_group),
                1..=5 => Command::Replay(of_a_group),
                _ => Command::Replay(Filter::default()),
            },
            cut_off: match dice.within(0..=9) {
                0..=3 => Some(CutOff::Killed(crossing)),
                4..=5 => Some(CutOff::ToldToStop(crossing)),
                _ => None,
            },
        }
    };
    (0..dice.within(1..=6)).map(engineer).collect()
}

impl Behaviour {
    /// Without what could still be accepted or refused after it was either.
    fn certain(self) -> Self {
        match self {
            Self::Whim | Self::AcceptTooLate(_) => Self::Accept,
            other => other,
        }
    }
}
