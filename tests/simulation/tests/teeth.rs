//! Oracles that cannot fail prove nothing: each deliberate mistake must be caught within a thousand seeds, or by the short
//! histories that were made for it.

use std::fmt::Debug;
use std::sync::Mutex;
use std::thread;

use simulation::{
    Cut, Report, check, check_cut_off, check_full_settler, check_killer, check_producers,
    check_replays,
};

/// Within so many seeds.
const SEEDS: u64 = 1_000;

/// Where a mistake comes to light: what was seen of it there, if anything.
type Tooth = fn() -> Option<String>;

#[test]
fn every_mistake_of_a_worker_is_caught() {
    use consumer::Breakage;
    assert_all_caught(Breakage::ALL, Breakage::set, |mistake| match mistake {
        Breakage::BeginningsForgotten => &[of_a_killer],
        Breakage::NotNotedWithoutPlace => &[of_a_full_settler],
        Breakage::PresentNumberNoted => &[of_engineers],
        // By what is remembered of a burial, and by what others delivered since.
        Breakage::BurialNotNoted => &[of_workers, of_engineers],
        _ => &[of_workers],
    });
}

#[test]
fn every_mistake_of_a_producer_is_caught() {
    use producer::Breakage;
    assert_all_caught(Breakage::ALL, Breakage::set, |mistake| match mistake {
        Breakage::ClockAhead => &[of_workers],
        Breakage::NotedAfterwards => &[of_producers],
        _ => &[of_workers, of_producers],
    });
}

#[test]
fn every_mistake_of_a_replay_or_a_drop_is_caught() {
    use letters::Breakage;
    assert_all_caught(Breakage::ALL, Breakage::set, |mistake| match mistake {
        Breakage::DeleteFirst => &[of_a_replay_cut_off, of_a_drop_cut_off],
        Breakage::FreshReplayId | Breakage::OrderOfDeath | Breakage::CopiesSent => {
            &[of_a_replay_cut_off]
        }
        _ => &[of_engineers],
    });
}

/// Makes every mistake, as many at the same time as there are cores: one is made by the workers, producers and engineers of
/// one thread.
fn assert_all_caught<M: Copy + Debug + Send + Sync>(
    mistakes: &[M],
    set: fn(Option<M>),
    teeth: fn(M) -> &'static [Tooth],
) {
    let (rest, missed) = (Mutex::new(mistakes.iter()), Mutex::new(Vec::new()));
    let next = || rest.lock().expect("no thread panics").next().copied();
    let work = || {
        while let Some(mistake) = next() {
            set(Some(mistake));
            for tooth in teeth(mistake) {
                match tooth() {
                    Some(seen) => println!("{mistake:?}: {seen}"),
                    None => missed.lock().expect("no thread panics").push(mistake),
                }
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let missed = missed.into_inner().expect("no thread panics");
    assert!(missed.is_empty(), "not caught: {missed:?}");
}

fn of_workers() -> Option<String> {
    first_of_seeds(|seed| broken(&check(seed, false)))
}

fn of_engineers() -> Option<String> {
    first_of_seeds(|seed| broken(&check_replays(seed, false)))
}

fn of_producers() -> Option<String> {
    first_of_seeds(|seed| check_producers(seed).found.into_iter().next())
}

fn of_a_killer() -> Option<String> {
    broken(&check_killer())
}

fn of_a_full_settler() -> Option<String> {
    broken(&check_full_settler())
}

fn of_a_replay_cut_off() -> Option<String> {
    cut_off(Cut::Replay)
}

fn of_a_drop_cut_off() -> Option<String> {
    cut_off(Cut::Drop)
}

fn first_of_seeds(found: impl Fn(u64) -> Option<String>) -> Option<String> {
    (0..SEEDS).find_map(|seed| Some(format!("seed {seed}: {}", found(seed)?)))
}

fn broken(report: &Report) -> Option<String> {
    let (promise, found) = report.violations.first()?;
    Some(format!("{promise}: {found}"))
}

/// The mistake comes to light wherever a command is cut off, or where it is cut off before it has an answer.
fn cut_off(cut: Cut) -> Option<String> {
    let mut reports = (1..).map(|crossing| check_cut_off(cut, true, crossing));
    let ended = reports.find(|report| !report.found.is_empty() || !report.was_cut);
    ended?.found.into_iter().next()
}
