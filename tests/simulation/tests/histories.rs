//! Seeds that must hold, and that a seed is a history.

use std::hash::{BuildHasher, RandomState};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use simulation::{Report, check, check_crash, check_full_settler, check_killer};

/// Histories of each kind that CI runs.
const SEEDS: u64 = 250;

/// Runs histories on all cores; gives those that broke a promise.
fn failures(seeds: std::ops::Range<u64>) -> Vec<Report> {
    let next = AtomicU64::new(seeds.start);
    let failures = Mutex::new(Vec::new());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while let seed = next.fetch_add(1, Relaxed)
                    && seeds.contains(&seed)
                {
                    let report = check(seed, false);
                    if !report.violations.is_empty() {
                        failures.lock().unwrap().push(report);
                    }
                }
            });
        }
    });
    failures.into_inner().unwrap()
}

fn assert_all_hold(seeds: std::ops::Range<u64>) {
    let failures = failures(seeds.clone());
    if let Some(first) = failures.first() {
        println!("{first}");
        panic!("{} of the seeds {seeds:?} break a promise", failures.len());
    }
}

#[test]
fn the_promises_hold_over_fixed_seeds() {
    assert_all_hold(0..SEEDS);
}

#[test]
fn the_promises_hold_over_fresh_seeds() {
    // Each run of the tests looks at histories nobody has seen yet; a failing one says its number.
    let start = RandomState::new().hash_one("fresh") >> 16;
    println!("fresh seeds from {start}");
    assert_all_hold(start..start + SEEDS);
}

#[test]
fn a_worker_may_die_at_any_await() {
    let mut deaths = 0;
    loop {
        let report = check_crash(deaths + 1);
        assert!(report.violations.is_empty(), "{report}");
        if report.counts["workers killed"] == 0 {
            break;
        }
        deaths += 1;
    }
    println!("{deaths} deaths");
    assert!(deaths > 40, "{deaths}");
}

#[test]
fn an_event_that_kills_every_worker_is_set_aside_in_the_end_and_what_is_behind_it_delivered() {
    let report = check_killer();
    assert!(report.violations.is_empty(), "{report}");
    assert_eq!(report.counts["workers killed"], 10);
    assert_eq!(report.counts["delivered"], 2);
}

#[test]
fn what_is_accepted_while_deletes_hang_is_noted_even_if_it_finds_no_place() {
    let report = check_full_settler();
    let found = &report.violations;
    assert!(found.is_empty(), "{found:#?}");
    assert_eq!(report.counts["delivered"], 120 * 10);
}

#[test]
fn a_seed_run_twice_gives_the_same_trace() {
    for seed in 0..40 {
        let (once, again) = (check(seed, true), check(seed, true));
        assert!(!once.trace.is_empty());
        let differs = once
            .trace
            .iter()
            .zip(&again.trace)
            .position(|(a, b)| a != b);
        let lines = differs.map(|at| (&once.trace[at], &again.trace[at]));
        assert_eq!(lines, None, "seed {seed}");
        assert_eq!(once.trace.len(), again.trace.len(), "seed {seed}");
    }
}
