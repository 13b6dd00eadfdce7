//! Oracles that cannot fail prove nothing: each deliberate mistake must be caught within a thousand seeds.

use simulation::check;

/// Within so many seeds.
const SEEDS: u64 = 1_000;

/// Each test has a thread of its own, and a mistake is made by the workers and producers of one thread.
fn assert_caught() {
    for seed in 0..SEEDS {
        let report = check(seed, false);
        if let Some((promise, found)) = report.violations.first() {
            println!("seed {seed} ({:?}): {promise}: {found}", report.profile);
            return;
        }
    }
    panic!("not caught within {SEEDS} seeds");
}

fn worker(mistake: consumer::Breakage) {
    consumer::Breakage::set(Some(mistake));
    assert_caught();
}

fn producer(mistake: producer::Breakage) {
    producer::Breakage::set(Some(mistake));
    assert_caught();
}

#[test]
fn deleting_before_the_dead_letter_send_is_caught() {
    worker(consumer::Breakage::DeleteBeforeDeadLetter);
}

#[test]
fn a_fresh_deduplication_id_for_a_dead_letter_is_caught() {
    worker(consumer::Breakage::FreshDeadLetterId);
}

#[test]
fn attempting_an_exhausted_event_again_is_caught() {
    worker(consumer::Breakage::ExhaustedAgain);
}

#[test]
fn a_retry_before_its_time_is_caught() {
    worker(consumer::Breakage::TooEarly);
}

#[test]
fn no_lease_check_is_caught() {
    worker(consumer::Breakage::NoLeaseCheck);
}

#[test]
fn counting_receives_as_attempts_is_caught() {
    worker(consumer::Breakage::ReceivesAsAttempts);
}

#[test]
fn not_reading_failed_of_a_delete_batch_is_caught() {
    worker(consumer::Breakage::FailedDeletesIgnored);
}

#[test]
fn forgetting_what_was_accepted_is_caught() {
    worker(consumer::Breakage::AcceptedForgotten);
}

#[test]
fn going_on_after_a_failed_event_is_caught() {
    worker(consumer::Breakage::NextAfterFailed);
}

#[test]
fn skipping_a_bad_message_is_caught() {
    worker(consumer::Breakage::BadMessageSkipped);
}

#[test]
fn giving_back_at_once_while_the_ledger_is_down_is_caught() {
    worker(consumer::Breakage::GivenBackDuringOutage);
}

#[test]
fn giving_nothing_back_on_a_stop_is_caught() {
    worker(consumer::Breakage::NothingGivenBack);
}

#[test]
fn forgetting_attempts_that_the_ledger_did_not_take_is_caught() {
    worker(consumer::Breakage::UnwrittenForgotten);
}

#[test]
fn ignoring_a_lost_race_for_the_ledger_is_caught() {
    worker(consumer::Breakage::LostRaceIgnored);
}

#[test]
fn a_deduplication_clock_ahead_of_the_wall_clock_is_caught() {
    producer(producer::Breakage::ClockAhead);
}

#[test]
fn two_events_of_a_group_in_a_batch_is_caught() {
    producer(producer::Breakage::GroupInOneBatch);
}

#[test]
fn a_fresh_deduplication_id_for_a_second_send_is_caught() {
    producer(producer::Breakage::FreshIdOnRetry);
}
