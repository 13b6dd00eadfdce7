//! What a seed means: events, callbacks, faults and the lives of workers. Nothing happens here.

mod faults;
mod replays;

use std::time::Duration;

use delivery::RetrySchedule;
use queue::admin::Kind;

use crate::dice::Dice;
use crate::engineer::Engineer;
pub(crate) use faults::{Counts, How, LedgerFaults, SqsFaults};
use faults::{counts, ledger_faults, silent_deletes, sqs_faults};

/// Which faults a history has. Some promises are exact only where some faults are absent, so most histories
/// have few kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Profile {
    /// None; workers are replaced gracefully.
    Calm,
    /// Calls to SQS fail.
    Sqs,
    /// The ledger is down for a while.
    LedgerDown,
    /// The internal queue is down for a while.
    InternalQueueDown,
    /// Workers are killed.
    Crashes,
    /// Workers stand still until their leases are over.
    Pauses,
    /// A permission is missing for hours.
    Refusals,
    /// The queues are standard ones, and calls to SQS fail.
    Standard,
    /// The source queue drops what is an hour old or so, and events may wait for longer.
    Expiry,
    /// All of those before the last three.
    Everything,
    /// Calls to SQS may fail, and engineers replay and drop what is dead; some are killed. A history of its own for
    /// each seed.
    Replays,
}

impl Profile {
    /// The profiles of histories without engineers, in the order in which they take them.
    pub const ALL: [Self; 10] = [
        Self::Calm,
        Self::Sqs,
        Self::LedgerDown,
        Self::InternalQueueDown,
        Self::Crashes,
        Self::Pauses,
        Self::Everything,
        Self::Refusals,
        Self::Standard,
        Self::Expiry,
    ];

    fn of(seed: u64) -> Self {
        // Everything at once is two in eleven.
        *Self::ALL
            .get(seed as usize % 11)
            .unwrap_or(&Self::Everything)
    }

    fn has(self, fault: Self) -> bool {
        self == fault || self == Self::Everything || (self, fault) == (Self::Standard, Self::Sqs)
    }

    /// Whether a worker may end, or lose its leases, without having settled what it did.
    pub(crate) fn has_deaths(self) -> bool {
        self.has(Self::Crashes) || self.has(Self::Pauses)
    }

    /// Whether a call to SQS may fail.
    pub(crate) fn has_sqs_faults(self) -> bool {
        self.has(Self::Sqs) || self == Self::Replays
    }
}

/// A history as its seed has it.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) profile: Profile,
    /// Of both queues.
    pub(crate) kind: Kind,
    /// The waits between attempts.
    pub(crate) delays: Vec<Duration>,
    pub(crate) groups: Vec<Group>,
    /// The producer runs so many times, one after the other.
    pub(crate) sessions: u64,
    /// One entry a worker: its lives, one after the other; the last one lasts.
    pub(crate) workers: Vec<Vec<Life>>,
    /// When all is sent, one more worker begins, which ends when the queue is empty.
    pub(crate) drained: bool,
    /// At the end another one sends back whatever is still dead.
    pub(crate) engineers: Vec<Engineer>,
    pub(crate) sqs: SqsFaults,
    pub(crate) ledger: LedgerFaults,
    pub(crate) counts: Counts,
    /// How long the source queue keeps a message, if not for two weeks.
    pub(crate) retention: Option<Duration>,
    pub(crate) visibility: Duration,
    pub(crate) max_in_flight: usize,
    /// How often a callback has closed a connection that is used again, in per cent.
    pub(crate) closes: u64,
    /// The clocks of workers' machines, one entry a worker; none if all are right.
    pub(crate) clocks: Vec<WrongClock>,
}

/// A wall clock that is wrong until it is set right.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WrongClock {
    /// So much more than SQS's does it show, or less.
    pub(crate) ahead_ms: i64,
    pub(crate) until: Duration,
}

#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) name: String,
    /// Its events go to the queue by an upstream system of its own, which may send what is no event.
    pub(crate) upstream: bool,
    pub(crate) events: Vec<Behaviour>,
}

/// What a callback does with one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behaviour {
    Accept,
    AcceptAfter(Duration),
    Reject(u16),
    /// Accepts after so many rejections.
    Recover(u32),
    /// Rejects every other time or so.
    Whim,
    /// Does not answer so many times, then accepts.
    Stall(u32),
    /// The connection breaks so many times before the request is read, then it accepts.
    Reset(u32),
    /// It accepts, but at first the answer gets lost.
    LoseTheAnswer,
    /// So many times it accepts when nobody waits for its answer any more.
    AcceptTooLate(u32),
    /// The body is no event: it must never get here.
    Invalid,
    /// Whoever POSTs it dies of it.
    Kills,
}

/// One run of a worker.
#[derive(Debug)]
pub(crate) struct Life {
    pub(crate) end: End,
    /// Stands still from a moment of its life on, for so long.
    pub(crate) pause: Option<(Moment, Duration)>,
    /// From its end to the next one's start.
    pub(crate) gap: Duration,
}

/// A moment in the life of a worker.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Moment {
    After(Duration),
    /// The n-th time it waits for the world: before or after a call has its effect.
    Crossing(u32),
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum End {
    Never,
    Killed(Moment),
    /// Stopped; its successor starts so much before.
    Stopped(Duration, Duration),
}

impl Plan {
    pub(crate) fn new(seed: u64) -> Self {
        let dice = Dice::new(seed);
        let profile = Profile::of(seed);
        let delays = delays(&dice.fork());
        let (retention, delays) = match profile {
            Profile::Expiry => too_long_waits(&dice.fork()),
            _ => (None, delays),
        };
        // A worker that drains polls every second: it is not asked to wait for hours.
        let is_short = waits(&delays) < LONG && profile != Profile::Refusals;
        let mut plan = Self {
            profile,
            kind: match profile {
                Profile::Standard => Kind::Standard,
                _ => Kind::Fifo,
            },
            groups: groups(&delays, &dice.fork()),
            delays,
            sessions: dice.within(1..=3),
            workers: workers(profile, &dice.fork()),
            drained: dice.percent(25) && is_short,
            engineers: Vec::new(),
            sqs: sqs_faults(profile, &dice.fork()),
            ledger: ledger_faults(profile, &dice.fork()),
            retention,
            visibility: dice.seconds(20..=90),
            max_in_flight: dice.within(2..=20) as usize,
            counts: counts(profile, &dice.fork()),
            closes: dice.fork().one_of(&[0, 0, 30]),
            clocks: Vec::new(),
        };
        plan.clocks = clocks(plan.workers.len(), &dice.fork());
        plan
    }

    /// A short history without chance in which a worker is killed at its n-th crossing, and another goes on.
    pub(crate) fn of_a_crash(crossing: u32) -> Self {
        let fails = Behaviour::Reject(500);
        Self::without_chance(
            vec![
                group(0, false, &[Behaviour::Accept, fails, Behaviour::Recover(2)]),
                group(1, true, &[Behaviour::Invalid, Behaviour::Accept]),
            ],
            vec![
                life(End::Killed(Moment::Crossing(crossing))),
                life(End::Never),
            ],
        )
    }

    /// A short history without chance in which an event kills whoever attempts it, and was received very often before.
    pub(crate) fn of_a_killer() -> Self {
        const LIVES: usize = 20;
        let mut lives: Vec<_> = (0..LIVES)
            .map(|_| life(End::Killed(Moment::Crossing(u32::MAX))))
            .collect();
        lives.push(life(End::Never));
        let events = [Behaviour::Accept, Behaviour::Kills, Behaviour::Accept];
        let mut plan = Self::without_chance(vec![group(0, false, &events)], lives);
        plan.counts = Counts {
            others: 100,
            times: 100,
            ..Counts::default()
        };
        plan
    }

    /// A history in which deletes hang while more events are accepted than may wait for one, and the worker is told to
    /// stop meanwhile.
    pub(crate) fn of_a_full_settler() -> Self {
        const GROUPS: usize = 120;
        let groups = (0..GROUPS).map(|number| group(number, false, &[Behaviour::Accept; 10]));
        // All is sent before the first worker that lives begins: a receive brings a whole group.
        let dead = Life {
            gap: Duration::from_secs(30),
            ..life(End::Killed(Moment::Crossing(1)))
        };
        let stopped = life(End::Stopped(Duration::from_secs(50), Duration::ZERO));
        let lives = vec![dead, stopped, life(End::Never)];
        Self {
            profile: Profile::Refusals,
            sqs: silent_deletes(Duration::from_secs(200)),
            visibility: Duration::from_secs(120),
            max_in_flight: GROUPS,
            ..Self::without_chance(groups.collect(), lives)
        }
    }

    /// With one worker and no faults but those of its lives.
    fn without_chance(groups: Vec<Group>, lives: Vec<Life>) -> Self {
        Self {
            profile: Profile::Crashes,
            kind: Kind::Fifo,
            delays: RetrySchedule::avionte().delays,
            groups,
            sessions: 1,
            workers: vec![lives],
            drained: false,
            engineers: Vec::new(),
            sqs: SqsFaults::default(),
            ledger: LedgerFaults::default(),
            retention: None,
            visibility: Duration::from_secs(40),
            max_in_flight: 4,
            counts: Counts::default(),
            closes: 0,
            clocks: Vec::new(),
        }
    }

    pub(crate) fn events(&self) -> usize {
        self.groups.iter().map(|group| group.events.len()).sum()
    }

    pub(crate) fn is_fifo(&self) -> bool {
        self.kind == Kind::Fifo
    }

    /// How many attempts an event has.
    pub(crate) fn attempts(&self) -> u32 {
        self.delays.len() as u32 + 1
    }

    /// The wait before the n-th attempt.
    pub(crate) fn wait_before(&self, attempt: u32) -> Duration {
        let before = (attempt as usize).checked_sub(2);
        let wait = before.and_then(|before| self.delays.get(before));
        wait.copied().unwrap_or_default()
    }

    /// When faults end; what is left must then come to its end by itself.
    pub(crate) fn trouble(&self) -> Duration {
        let outage = self.sqs.outage.as_ref().map(|outage| outage.until);
        TROUBLE.max(outage.unwrap_or_default())
    }

    /// No history lasts longer, unless a lane stands still.
    pub(crate) fn deadline(&self) -> Duration {
        let longest = self.groups.iter().map(|group| group.events.len()).max();
        self.trouble()
            + Duration::from_secs(4 * 3600)
            + waits(&self.delays) * longest.unwrap_or(0) as u32
    }
}

fn group(number: usize, upstream: bool, events: &[Behaviour]) -> Group {
    Group {
        name: format!("EventSetup_{number}"),
        upstream,
        events: events.to_vec(),
    }
}

fn life(end: End) -> Life {
    Life {
        end,
        pause: None,
        gap: Duration::from_secs(1),
    }
}

/// In half of the histories every worker's machine has a clock of its own, off by up to a minute either way. Some are set
/// right while there is trouble, the others long after all is over.
fn clocks(workers: usize, dice: &Dice) -> Vec<WrongClock> {
    if dice.percent(50) {
        return Vec::new();
    }
    let clock = |_| {
        let ahead_ms = dice.within(0..=120_000) as i64 - 60_000;
        let until = if dice.percent(50) {
            dice.seconds(0..=400)
        } else {
            Duration::from_secs(365 * 24 * 3_600)
        };
        WrongClock { ahead_ms, until }
    };
    (0..workers).map(clock).collect()
}

const TROUBLE: Duration = Duration::from_secs(400);

/// Mostly Avionté's schedule. Else Avaza's, two minutes of it in a second; some other; or one with a wait that is longer
/// than SQS hides a message.
fn delays(dice: &Dice) -> Vec<Duration> {
    match dice.within(0..=99) {
        0..=79 => RetrySchedule::avionte().delays,
        80..=88 => {
            let avaza = RetrySchedule::avaza().delays;
            avaza.iter().map(|delay| *delay / 120).collect()
        }
        89..=97 => {
            let delay = |_| Duration::from_secs(dice.one_of(&[0, 0, 1, 20, 100, 400]));
            (0..dice.within(0..=5)).map(delay).collect()
        }
        _ => [0, 45_000, 0].map(Duration::from_secs).to_vec(),
    }
}

/// A queue that keeps messages for an hour or so, and a schedule that takes as long, or a good deal less: then it is what
/// waits behind others that does not live.
fn too_long_waits(dice: &Dice) -> (Option<Duration>, Vec<Duration>) {
    let retention = dice.seconds(1_800..=5_400);
    let part = retention / dice.one_of(&[2, 4, 10]);
    let delays = [Duration::ZERO, part, part, part];
    (
        Some(retention),
        delays[..dice.within(2..=4) as usize].to_vec(),
    )
}

/// Histories whose events may wait for so long have few of them.
const LONG: Duration = Duration::from_secs(1_000);

/// All waits of one event.
fn waits(delays: &[Duration]) -> Duration {
    delays.iter().sum()
}

/// So many events are sent, or a few if they may wait for long.
fn groups(delays: &[Duration], dice: &Dice) -> Vec<Group> {
    let (groups, most) = match waits(delays) {
        waits if waits < LONG => {
            let groups = dice.one_of(&[2, 4, 8, 12, 24]);
            (groups, 60 / groups)
        }
        waits if waits < 10 * LONG => (dice.one_of(&[2, 4, 8]), 6),
        _ => (2, 2),
    };
    let group = |number| {
        let upstream = dice.percent(20);
        let events = (0..dice.within(1..=most)).map(|_| behaviour(upstream, dice));
        Group {
            name: format!("EventSetup_{number}"),
            upstream,
            events: events.collect(),
        }
    };
    (0..groups).map(group).collect()
}

fn behaviour(upstream: bool, dice: &Dice) -> Behaviour {
    if upstream && dice.percent(15) {
        return Behaviour::Invalid;
    }
    match dice.within(0..=99) {
        0..=54 => Behaviour::Accept,
        55..=64 => Behaviour::AcceptAfter(dice.millis(1..=9_000)),
        65..=74 => Behaviour::Reject(dice.one_of(&[500, 404, 302, 202])),
        75..=84 => Behaviour::Recover(dice.within(1..=4) as u32),
        85..=88 => Behaviour::Whim,
        89..=92 => Behaviour::Stall(dice.within(1..=5) as u32),
        93..=95 => Behaviour::Reset(dice.within(1..=5) as u32),
        96..=97 => Behaviour::AcceptTooLate(dice.within(1..=5) as u32),
        _ => Behaviour::LoseTheAnswer,
    }
}

fn workers(profile: Profile, dice: &Dice) -> Vec<Vec<Life>> {
    let workers = match profile {
        Profile::Pauses => dice.within(2..=3),
        _ => dice.within(1..=3),
    };
    let life = |end| Life {
        end,
        pause: (profile.has(Profile::Pauses) && dice.percent(50))
            .then(|| (moment(dice), dice.seconds(1..=200))),
        gap: dice.millis(0..=dice.one_of(&[10, 5_000, 60_000])),
    };
    let lives = |_| {
        let mut lives: Vec<_> = (0..dice.within(0..=4))
            .map(|_| life(end(profile, dice)))
            .collect();
        lives.push(life(End::Never));
        lives
    };
    (0..workers).map(lives).collect()
}

fn end(profile: Profile, dice: &Dice) -> End {
    if profile.has(Profile::Crashes) && dice.percent(70) {
        return End::Killed(moment(dice));
    }
    End::Stopped(dice.millis(1_000..=100_000), dice.millis(0..=2_000))
}

fn moment(dice: &Dice) -> Moment {
    if dice.percent(25) {
        Moment::After(dice.millis(0..=90_000))
    } else {
        Moment::Crossing(dice.within(1..=dice.one_of(&[20, 100, 400])) as u32)
    }
}
