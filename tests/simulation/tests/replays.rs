//! What engineers do to the internal queue loses nothing and duplicates nothing, wherever it is cut off.

use std::hash::{BuildHasher, RandomState};

use simulation::{Cut, Totals, check_cut_off, check_replays};

/// Cuts a command off at each of its awaits in turn.
fn cut_off_everywhere(cut: Cut, killed: bool) {
    let mut cuts = 0;
    loop {
        let report = check_cut_off(cut, killed, cuts + 1);
        if !report.found.is_empty() {
            let trace = report.trace.join("\n");
            panic!("cut {cut:?} at {}:\n{trace}\n{:#?}", cuts + 1, report.found);
        }
        if !report.was_cut {
            break;
        }
        cuts += 1;
    }
    println!("{cuts} times");
    assert!(cuts > 40, "{cuts}");
}

#[test]
fn an_engineer_who_replays_may_die_at_any_await() {
    cut_off_everywhere(Cut::Replay, true);
}

#[test]
fn an_engineer_who_drops_may_die_at_any_await() {
    cut_off_everywhere(Cut::Drop, true);
}

#[test]
fn a_replay_may_be_stopped_at_any_await_and_leaves_nothing_half_done() {
    cut_off_everywhere(Cut::Replay, false);
}

#[test]
fn a_drop_may_be_stopped_at_any_await_and_leaves_nothing_half_done() {
    cut_off_everywhere(Cut::Drop, false);
}

/// Histories of each kind that CI runs.
const SEEDS: u64 = 60;

fn assert_all_hold(seeds: std::ops::Range<u64>) {
    let mut totals = Totals::default();
    for seed in seeds {
        let report = check_replays(seed, false);
        assert!(report.violations.is_empty(), "{report}");
        totals.add(&report);
    }
    println!("{totals}");
    // They must not hold because nothing happened.
    for name in [
        "events replayed",
        "replays that SQS knew",
        "events dropped",
        "engineers killed",
        "groups noted",
    ] {
        assert!(totals.counts[name] > 0, "{name}");
    }
}

#[test]
fn replays_keep_their_promises_over_fixed_seeds() {
    assert_all_hold(0..SEEDS);
}

#[test]
fn replays_keep_their_promises_over_fresh_seeds() {
    let start = RandomState::new().hash_one("fresh") >> 16;
    println!("fresh seeds from {start}");
    assert_all_hold(start..start + SEEDS);
}

#[test]
fn a_seed_run_twice_gives_the_same_trace() {
    for seed in 0..8 {
        let (once, again) = (check_replays(seed, true), check_replays(seed, true));
        assert!(!once.trace.is_empty());
        assert_eq!(once.trace, again.trace, "seed {seed}");
    }
}
