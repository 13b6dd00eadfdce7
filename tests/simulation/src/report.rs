//! A history, judged; and many of them, summed up.

use std::collections::BTreeMap;
use std::fmt;

use delivery::Reason;

use crate::engineer::{Command, Ended};
use crate::history;
use crate::log::{Line, Turn};
use crate::oracles::{ORACLES, Oracle, REPLAY_ORACLES, View};
use crate::plan::{Plan, Profile};

/// What came of one seed.
#[derive(Debug)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// Which faults it had.
    pub profile: Profile,
    /// Promises broken, each with what was found.
    pub violations: Vec<(&'static str, String)>,
    /// What was done and seen, by name.
    pub counts: BTreeMap<&'static str, u64>,
    /// Everything that happened, in order; a line each.
    pub trace: Vec<String>,
}

/// Runs one history and judges it. The trace is made only if it is asked for, or if something is wrong.
pub fn check(seed: u64, traced: bool) -> Report {
    judge(seed, Plan::new(seed), &ORACLES, traced)
}

/// The same for a history with engineers who replay and drop what is dead; each seed has one of its own.
pub fn check_replays(seed: u64, traced: bool) -> Report {
    judge(seed, Plan::of_replays(seed), &REPLAY_ORACLES, traced)
}

/// Runs a short history in which a worker dies at its n-th await on the world, before or after a call has its effect.
/// Past the end of its work nobody is killed.
pub fn check_crash(crossing: u32) -> Report {
    judge(0, Plan::of_a_crash(crossing), &ORACLES, true)
}

/// Runs a short history in which an event kills every worker that attempts it.
pub fn check_killer() -> Report {
    judge(0, Plan::of_a_killer(), &ORACLES, true)
}

/// Runs a history in which deletes hang while more events are accepted than may wait for one.
pub fn check_full_settler() -> Report {
    judge(0, Plan::of_a_full_settler(), &ORACLES, true)
}

fn judge(seed: u64, plan: Plan, oracles: &[(&'static str, Oracle)], traced: bool) -> Report {
    let left = history::run(seed, plan);
    let (violations, counts) = {
        let seen = left.log.seen();
        let view = View {
            left: &left,
            seen: &seen,
        };
        let found = oracles.iter().flat_map(|(promise, oracle)| {
            oracle(&view)
                .into_iter()
                .map(|found| (*promise, found))
                .collect::<Vec<_>>()
        });
        (found.collect::<Vec<_>>(), counts(&view))
    };
    let trace = if traced || !violations.is_empty() {
        left.log.trace()
    } else {
        Vec::new()
    };
    Report {
        seed,
        profile: left.plan.profile,
        violations,
        counts,
        trace,
    }
}

fn counts(view: &View<'_>) -> BTreeMap<&'static str, u64> {
    let turns = |is: fn(&Turn) -> bool| view.seen.turns.iter().filter(|turn| is(&turn.2)).count();
    let faults = view
        .seen
        .lines
        .iter()
        .filter(|line| matches!(line.1, Line::Call(..) | Line::Ledger(..)));
    let requests = &view.seen.requests;
    let accepted = requests
        .iter()
        .filter(|request| request.accepted.is_some())
        .count();
    let delivered = requests
        .iter()
        .filter(|request| request.accepted.is_some())
        .map(|request| request.event)
        .collect::<std::collections::BTreeSet<_>>()
        .len();
    let letters = view
        .left
        .dead
        .iter()
        .filter_map(|dead| dead.letter.as_ref());
    let expiring = letters.filter(|letter| letter.reason == Reason::Expiring);
    let expiring = expiring.count();
    let runs = |is: fn(&Command, &Ended) -> bool| {
        let ended = view.seen.runs.iter();
        let ended = ended.filter_map(|run| Some((&run.command, run.ended.as_ref()?)));
        ended.filter(|(command, ended)| is(command, ended)).count()
    };
    let replayed = view.seen.replayed.iter();
    let replays = replayed.clone().filter(|replayed| replayed.is_new).count();
    [
        ("events replayed", replays),
        ("replays that SQS knew", replayed.len() - replays),
        ("events dropped", view.left.dropped.len()),
        ("groups noted", view.left.noted.iter().flatten().count()),
        ("commands", runs(|_, ended| !matches!(ended, Ended::Killed))),
        (
            "engineers killed",
            runs(|_, ended| matches!(ended, Ended::Killed)),
        ),
        ("events", view.left.plan.events()),
        ("POSTs", requests.len()),
        ("delivered", delivered),
        ("dead letters", view.left.dead.len()),
        ("dead letters that would have expired", expiring),
        ("duplicates", accepted - delivered),
        ("workers killed", turns(|turn| *turn == Turn::Killed)),
        (
            "workers that stood still",
            turns(|turn| *turn == Turn::Paused),
        ),
        (
            "graceful stops",
            turns(|turn| matches!(turn, Turn::Stopped(_))),
        ),
        ("calls with a fault", faults.count()),
        (
            "calls of workers to SQS",
            view.seen.calls.values().sum::<u64>() as usize,
        ),
    ]
    .map(|(name, count)| (name, count as u64))
    .into()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {} ({:?})", self.seed, self.profile)?;
        for line in &self.trace {
            writeln!(f, "{line}")?;
        }
        for (promise, found) in &self.violations {
            writeln!(f, "VIOLATED: {promise}: {found}")?;
        }
        write!(f, "again: make sim SEEDS=1 FROM={}", self.seed)
    }
}

/// Many histories.
#[derive(Debug, Default)]
pub struct Totals {
    /// How many histories of each profile.
    pub seeds: BTreeMap<Profile, u64>,
    /// The sum of their counts.
    pub counts: BTreeMap<&'static str, u64>,
    /// Violations by promise.
    pub violations: BTreeMap<&'static str, u64>,
}

impl Totals {
    /// Adds a history.
    pub fn add(&mut self, report: &Report) {
        *self.seeds.entry(report.profile).or_default() += 1;
        for (name, count) in &report.counts {
            *self.counts.entry(name).or_default() += count;
        }
        for (promise, _) in &report.violations {
            *self.violations.entry(promise).or_default() += 1;
        }
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:>10}  seeds", self.seeds.values().sum::<u64>())?;
        for (profile, seeds) in &self.seeds {
            writeln!(f, "{seeds:>10}    {profile:?}")?;
        }
        for (name, count) in &self.counts {
            writeln!(f, "{count:>10}  {name}")?;
        }
        for (promise, _) in ORACLES.iter().chain(&REPLAY_ORACLES) {
            let violations = self.violations.get(promise).unwrap_or(&0);
            writeln!(f, "{violations:>10}  violations: {promise}")?;
        }
        Ok(())
    }
}
