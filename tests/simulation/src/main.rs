//! `make sim SEEDS=10000`: runs the two histories of each seed, one with engineers and one without, on all cores; prints
//! those that break a promise and a table.

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use simulation::{Totals, check, check_replays};

/// Histories that break a promise are printed with their traces, so many of them.
const MOST_PRINTED: usize = 3;

fn main() -> ExitCode {
    let setting = |name: &str, otherwise| match std::env::var(name) {
        Ok(number) => number
            .parse()
            .unwrap_or_else(|_| panic!("{name} is no number: {number}")),
        Err(_) => otherwise,
    };
    let (from, seeds) = (setting("FROM", 0), setting("SEEDS", 1_000));
    let traced = std::env::var_os("TRACE").is_some();
    let (next, began) = (AtomicU64::new(from), Instant::now());
    let outcome = Mutex::new((Totals::default(), Vec::new()));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Relaxed);
                    if seed >= from + seeds {
                        return;
                    }
                    for report in [check(seed, traced), check_replays(seed, traced)] {
                        let mut outcome = outcome.lock().expect("no history panics");
                        outcome.0.add(&report);
                        if traced || !report.violations.is_empty() && outcome.1.len() < MOST_PRINTED
                        {
                            outcome.1.push(report);
                        }
                    }
                }
            });
        }
    });
    let (totals, reports) = outcome.into_inner().expect("no history panics");
    for report in &reports {
        println!("{report}\n");
    }
    println!("{totals}{:>10.1}  seconds", began.elapsed().as_secs_f64());
    if totals.violations.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
