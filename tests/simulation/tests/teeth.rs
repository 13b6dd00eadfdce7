//! Oracles that cannot fail prove nothing: each deliberate mistake must be caught within a thousand seeds.

use simulation::{
    Cut, Report, check, check_cut_off, check_full_settler, check_killer, check_replays,
};

/// Within so many seeds.
const SEEDS: u64 = 1_000;

/// Each test has a thread of its own, and a mistake is made by the workers and producers of one thread.
fn assert_caught(check: fn(u64, bool) -> Report) {
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
    assert_caught(check);
}

fn producer(mistake: producer::Breakage) {
    producer::Breakage::set(Some(mistake));
    assert_caught(check);
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
fn holding_receives_that_no_visit_followed_against_an_event_is_caught() {
    worker(consumer::Breakage::UnvisitedReceivesCount);
}

#[test]
fn not_writing_down_that_a_watched_visit_begins_is_caught() {
    consumer::Breakage::set(Some(consumer::Breakage::BeginningsForgotten));
    let report = check_killer();
    println!("{:?}", report.violations);
    assert!(!report.violations.is_empty());
}

#[test]
fn believing_a_count_that_lags_is_caught() {
    worker(consumer::Breakage::LaggingCountBelieved);
}

#[test]
fn leaving_events_to_a_queue_that_drops_them_is_caught() {
    worker(consumer::Breakage::LeftToExpire);
}

#[test]
fn not_noting_what_finds_no_place_among_the_deletes_is_caught() {
    consumer::Breakage::set(Some(consumer::Breakage::NotNotedWithoutPlace));
    let report = check_full_settler();
    println!("{:?}", report.violations.first());
    assert!(!report.violations.is_empty());
}

#[test]
fn noting_a_replay_under_its_present_number_is_caught() {
    consumer::Breakage::set(Some(consumer::Breakage::PresentNumberNoted));
    assert_caught(check_replays);
}

#[test]
fn a_burial_that_only_its_worker_knows_of_is_caught() {
    worker(consumer::Breakage::BurialNotNoted);
}

#[test]
fn a_burial_that_only_its_worker_knows_of_is_caught_by_what_others_delivered_since() {
    consumer::Breakage::set(Some(consumer::Breakage::BurialNotNoted));
    assert_caught(check_replays);
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

fn engineer(mistake: console::Breakage) {
    console::Breakage::set(Some(mistake));
    assert_caught(check_replays);
}

/// The mistake comes to light wherever a command is cut off, or where it is cut off before it has an answer.
fn cut_off(mistake: console::Breakage, cut: Cut) {
    console::Breakage::set(Some(mistake));
    let mut reports = (1..).map(|crossing| check_cut_off(cut, true, crossing));
    let caught = reports.find(|report| !report.found.is_empty() || !report.was_cut);
    let found = caught.map(|report| report.found).unwrap_or_default();
    println!("{found:#?}");
    assert!(!found.is_empty(), "not caught wherever it is cut off");
}

#[test]
fn a_request_lost_with_a_closed_connection_and_not_sent_again_is_caught() {
    worker(consumer::Breakage::NeverSentAgain);
}

#[test]
fn a_request_sent_again_more_than_once_is_caught() {
    worker(consumer::Breakage::SentAgainAndAgain);
}

#[test]
fn a_request_sent_again_after_a_timeout_is_caught() {
    worker(consumer::Breakage::SentAgainAfterTimeout);
}

#[test]
fn a_request_sent_again_on_another_old_connection_is_caught() {
    worker(consumer::Breakage::SentAgainOnAnyConnection);
}

#[test]
fn deleting_a_letter_before_it_is_sent_is_caught() {
    cut_off(console::Breakage::DeleteFirst, Cut::Replay);
}

#[test]
fn deleting_a_letter_before_it_is_in_the_file_is_caught() {
    cut_off(console::Breakage::DeleteFirst, Cut::Drop);
}

#[test]
fn a_fresh_deduplication_id_for_a_repeated_replay_is_caught() {
    cut_off(console::Breakage::FreshReplayId, Cut::Replay);
}

#[test]
fn replaying_in_the_order_of_death_is_caught() {
    cut_off(console::Breakage::OrderOfDeath, Cut::Replay);
}

#[test]
fn sending_both_letters_of_one_event_is_caught() {
    cut_off(console::Breakage::CopiesSent, Cut::Replay);
}

#[test]
fn sending_the_next_letter_after_a_failed_one_is_caught() {
    engineer(console::Breakage::NextAfterFailed);
}

#[test]
fn not_reading_failed_of_a_batch_of_sends_is_caught() {
    engineer(console::Breakage::FailedSendsIgnored);
}

#[test]
fn not_reading_failed_of_a_batch_of_letters_to_delete_is_caught() {
    engineer(console::Breakage::FailedDeletesIgnored);
}
