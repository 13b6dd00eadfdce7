//! Producers that are killed at any await leave nothing lost, nothing twice and nothing out of order, over many seeds.

use std::hash::{BuildHasher, RandomState};

use simulation::{ProducersReport, check_producers};

/// Histories of each kind that CI runs.
const SEEDS: u64 = 150;

fn assert_all_hold(seeds: std::ops::Range<u64>) {
    let (mut events, mut deaths) = (0, 0);
    for seed in seeds {
        let report = check_producers(seed);
        assert!(report.found.is_empty(), "seed {seed}: {:?}", report.found);
        events += report.events;
        deaths += report.deaths;
    }
    println!("{events} events, {deaths} deaths");
    // It must not hold because nothing happened.
    assert!(events > 0 && deaths > 0);
}

#[test]
fn producers_keep_their_promises_over_fixed_seeds() {
    assert_all_hold(0..SEEDS);
}

#[test]
fn producers_keep_their_promises_over_fresh_seeds() {
    let start = RandomState::new().hash_one("fresh") >> 16;
    println!("fresh seeds from {start}");
    assert_all_hold(start..start + SEEDS);
}

fn assert_caught(mistake: producer::Breakage) {
    producer::Breakage::set(Some(mistake));
    let found = |report: ProducersReport| report.found.into_iter().next();
    let caught = (0..1_000).find_map(|seed| Some((seed, found(check_producers(seed))?)));
    println!("{:?}", caught.expect("caught within 1,000 seeds"));
}

#[test]
fn noting_a_line_after_it_was_sent_is_caught() {
    assert_caught(producer::Breakage::NotedAfterwards);
}

#[test]
fn two_events_of_a_group_in_a_batch_is_caught_among_producers() {
    assert_caught(producer::Breakage::GroupInOneBatch);
}

#[test]
fn a_fresh_deduplication_id_for_a_second_send_is_caught_among_producers() {
    assert_caught(producer::Breakage::FreshIdOnRetry);
}
