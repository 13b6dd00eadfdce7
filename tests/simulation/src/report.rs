//! A history, judged; and many of them, summed up.

use std::collections::BTreeMap;
use std::fmt;

use crate::history;
use crate::log::{Line, Turn};
use crate::oracles::{ORACLES, View};
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
    judge(seed, Plan::new(seed), traced)
}

/// Runs a short history in which a worker dies at its n-th await on the world, before or after a call has its effect.
/// Past the end of its work nobody is killed.
pub fn check_crash(crossing: u32) -> Report {
    judge(0, Plan::of_a_crash(crossing), true)
}

fn judge(seed: u64, plan: Plan, traced: bool) -> Report {
    let left = history::run(seed, plan);
    let (violations, counts) = {
        let seen = left.log.seen();
        let view = View {
            left: &left,
            seen: &seen,
        };
        let found = ORACLES.iter().flat_map(|(promise, oracle)| {
            oracle(&view)
                .into_iter()
                .map(|found| (*promise, found))
                .collect::<Vec<_>>()
        });
        (found.collect::<Vec<_>>(), counts(&view))
    };
    let trace = match traced || !violations.is_empty() {
        true => left.log.trace(),
        false => Vec::new(),
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
    [
        ("events", view.left.plan.events()),
        ("POSTs", requests.len()),
        ("delivered", delivered),
        ("dead letters", view.left.dead.len()),
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
        for (promise, _) in ORACLES {
            let violations = self.violations.get(promise).unwrap_or(&0);
            writeln!(f, "{violations:>10}  violations: {promise}")?;
        }
        Ok(())
    }
}
