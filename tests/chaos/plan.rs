//! What happens when, and how every event is answered: all from one seed.

use std::time::Duration;

/// How much happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) name: &'static str,
    pub(crate) groups: usize,
    pub(crate) events: usize,
    pub(crate) kills: usize,
    pub(crate) stops: usize,
    pub(crate) restarts: usize,
    pub(crate) outages: usize,
    /// The wait before attempt 3.
    pub(crate) wait: Duration,
    /// One event of so many fails twice or more: its group waits, and must be done in the end.
    pub(crate) waits_every: usize,
    /// All of it happens within this time; then comes peace, until every event is somewhere.
    pub(crate) trouble: Duration,
}

impl Size {
    /// Part of the tests.
    const SHORT: Self = Self {
        name: "a short run",
        groups: 12,
        events: 300,
        kills: 8,
        stops: 3,
        restarts: 1,
        outages: 1,
        wait: Duration::from_secs(2),
        waits_every: 25,
        trouble: Duration::from_secs(6),
    };

    /// `make chaos`.
    const FULL: Self = Self {
        name: "the full run",
        groups: 50,
        events: 6_000,
        kills: 200,
        stops: 50,
        restarts: 10,
        outages: 8,
        // Longer than a lease: after a crash it is the ledger alone that keeps it.
        wait: Duration::from_secs(13),
        waits_every: 50,
        trouble: Duration::from_secs(180),
    };

    /// What `CHAOS` asks for.
    pub(crate) fn asked() -> Self {
        match std::env::var("CHAOS").as_deref() {
            Ok("full") => Self::FULL,
            Ok(other) => panic!("CHAOS={other}: only full is known"),
            Err(_) => Self::SHORT,
        }
    }

    pub(crate) fn is_full(self) -> bool {
        self == Self::FULL
    }
}

/// The seed that `CHAOS_SEED` names, else a fresh one.
pub(crate) fn seed() -> u64 {
    match std::env::var("CHAOS_SEED") {
        Ok(seed) => seed.parse().expect("CHAOS_SEED is a number"),
        Err(_) => queue::Clock::system().now().as_millis(),
    }
}

/// The workers that run at the same time.
pub(crate) const WORKERS: usize = 2;

/// How the receiver answers the requests of an event; a request whose worker is gone counts as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Accepted, after so long.
    Accepts(Duration),
    /// Never accepted.
    Fails,
    /// Accepted after so many failures.
    Recovers(usize),
    /// The first request gets no answer.
    Stalls,
    /// The first request ends with a reset.
    Resets,
    /// The first request is taken, but the connection breaks in the middle of the answer.
    Breaks,
}

/// An event to send.
#[derive(Debug, Clone)]
pub(crate) struct Planned {
    pub(crate) id: String,
    pub(crate) setup: usize,
    pub(crate) part: Part,
}

/// One thing that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    /// An event is sent; its place in the plan.
    Send(usize),
    /// SIGKILL for the worker in this place, and another takes it.
    Kill(usize),
    /// SIGTERM for the worker in this place, and another takes it.
    Stop(usize),
    ReceiverDown,
    ReceiverUp,
    SqsDown,
    SqsUp,
}

pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) size: Size,
    pub(crate) events: Vec<Planned>,
    /// In order of time.
    pub(crate) acts: Vec<(Duration, Act)>,
}

impl Plan {
    pub(crate) fn new(size: Size, seed: u64) -> Self {
        let mut dice = Dice(seed);
        let mut acts = Vec::new();
        let mut sends = sends(&mut dice, size);
        sends.sort_by_key(|(at, _)| *at);
        let mut places = vec![0; size.groups];
        let mut events = Vec::with_capacity(size.events);
        for (at, setup) in sends {
            acts.push((at, Act::Send(events.len())));
            places[setup] += 1;
            events.push(Planned {
                id: format!("{setup:02}-{:03}", places[setup]),
                setup,
                part: match (places[setup] + setup) % size.waits_every {
                    0 => waiting_part(&mut dice),
                    _ => part(&mut dice),
                },
            });
        }
        for n in 0..size.kills {
            acts.push((dice.moment(size.trouble), Act::Kill(n % WORKERS)));
        }
        for n in 0..size.stops {
            acts.push((dice.moment(size.trouble), Act::Stop(n % WORKERS)));
        }
        for n in 0..size.restarts {
            let down = dice.within(size.trouble, n, size.restarts);
            let up = down + dice.millis(200, 1_000);
            acts.extend([(down, Act::ReceiverDown), (up, Act::ReceiverUp)]);
        }
        for n in 0..size.outages {
            let down = dice.within(size.trouble, n, size.outages);
            let up = down + dice.millis(1_500, 3_500);
            acts.extend([(down, Act::SqsDown), (up, Act::SqsUp)]);
        }
        acts.sort_by_key(|(at, _)| *at);
        Self {
            seed,
            size,
            events,
            acts,
        }
    }
}

/// When which group gets an event: in bursts, so that lanes grow long.
fn sends(dice: &mut Dice, size: Size) -> Vec<(Duration, usize)> {
    let mut sends = Vec::new();
    while sends.len() < size.events {
        let (at, setup) = (dice.moment(size.trouble), dice.below(size.groups));
        let burst = (1 + dice.below(20)).min(size.events - sends.len());
        sends.extend((0..burst).map(|_| (at, setup)));
    }
    sends
}

/// Fails twice at least, so that its group waits.
fn waiting_part(dice: &mut Dice) -> Part {
    match dice.below(2) {
        0 => Part::Fails,
        _ => Part::Recovers(2 + dice.below(2)),
    }
}

fn part(dice: &mut Dice) -> Part {
    match dice.below(100) {
        0 => Part::Stalls,
        1..3 => Part::Resets,
        3..5 => Part::Breaks,
        5..8 => Part::Recovers(1),
        8..20 => Part::Accepts(dice.millis(200, 600)),
        _ => Part::Accepts(dice.millis(0, 150)),
    }
}

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }

    fn millis(&mut self, least: usize, most: usize) -> Duration {
        Duration::from_millis((least + self.below(most - least)) as u64)
    }

    fn moment(&mut self, before: Duration) -> Duration {
        self.millis(0, before.as_millis() as usize)
    }

    /// A moment in the first half of the nth of so many equal parts, so that no two windows meet.
    fn within(&mut self, all: Duration, n: usize, parts: usize) -> Duration {
        let part = all / parts as u32;
        part * n as u32 + self.moment(part / 2)
    }
}

#[test]
fn a_seed_is_a_plan() {
    let [first, same, other] = [7, 7, 8].map(|seed| Plan::new(Size::FULL, seed));
    assert_eq!(first.acts, same.acts);
    assert_ne!(first.acts, other.acts);
    let count = |is: fn(&Act) -> bool| first.acts.iter().filter(|(_, act)| is(act)).count();
    assert_eq!(count(|act| matches!(act, Act::Kill(_))), 200);
    assert_eq!(count(|act| matches!(act, Act::Stop(_))), 50);
    assert_eq!(count(|act| matches!(act, Act::Send(_))), Size::FULL.events);
}
