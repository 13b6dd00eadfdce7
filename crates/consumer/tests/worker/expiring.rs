//! What the source queue would drop is set aside in time: nothing vanishes without a trace.
//!
//! Minutes are seconds here, so a queue keeps an event for 5.6 hours instead of two weeks.

use std::time::Duration;

use delivery::{DeadLetter, Reason, RetrySchedule, ScheduleSettings};
use event::Timestamp;
use local_sqs::{Limits, LocalSqs};
use serde_json::json;

use crate::world::faults::{pass, world_of_that_keeps, world_that_keeps};
use crate::world::{Reply, SQS_START, World, n_of, number};

/// Two weeks of minutes.
const RETENTION_S: u64 = 14 * 24 * 60;

fn ends() -> Timestamp {
    SQS_START.plus(Duration::from_secs(RETENTION_S))
}

/// Avaza's schedule in seconds: an event that always fails takes 5,650 of them.
fn avaza_in_seconds() -> RetrySchedule {
    let avaza = RetrySchedule::avaza();
    RetrySchedule::new(ScheduleSettings {
        delays: avaza.delays.iter().map(|delay| *delay / 60).collect(),
        ..avaza
    })
    .unwrap()
}

/// The dead letters by the numbers of their events, none of them later than the queue would have dropped it.
async fn dead(world: &World) -> Vec<(u32, DeadLetter)> {
    let dead = world.dead().await;
    let mut dead: Vec<_> = dead.into_iter().map(|(m, l)| (n_of(&m.body), l)).collect();
    dead.sort_by_key(|(n, _)| *n);
    assert!(dead.iter().all(|(_, letter)| letter.dead_at < ends()));
    dead
}

#[tokio::test(start_paused = true)]
async fn of_eight_events_of_a_group_whose_receiver_is_down_for_two_weeks_none_vanishes_and_each_was_attempted()
 {
    let mut world = world_that_keeps(RETENTION_S, |_| Reply::Status(500)).await;
    world.settings.schedule = avaza_in_seconds();
    world.send("EventSetup_1", 1..=8).await;
    let worker = world.start();
    pass(RETENTION_S).await;
    let summary = worker.stop().await;
    assert_eq!((summary.dead_lettered, summary.expiring), (8, 5));
    let dead = dead(&world).await;
    let numbers: Vec<_> = dead.iter().map(|(n, _)| *n).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7, 8]);
    for (n, letter) in &dead {
        let (reason, attempts) = match n {
            1..=3 => (Reason::Exhausted, 14..=14),
            _ => (Reason::Expiring, 1..=13),
        };
        assert_eq!(letter.reason, reason, "event {n}");
        assert!(attempts.contains(&letter.attempts.len()), "{letter:?}");
        let detail = letter.detail.as_deref();
        assert_eq!(detail.is_some(), reason == Reason::Expiring, "{detail:?}");
    }
    // The record is told in whole, and what is behind an event that is set aside comes after it.
    let seen = world.receiver.seen();
    assert!(seen.is_sorted_by_key(number));
    let recorded: usize = dead.iter().map(|(_, letter)| letter.attempts.len()).sum();
    assert_eq!(recorded, seen.len());
}

#[tokio::test(start_paused = true)]
async fn a_long_group_that_is_found_at_the_end_of_its_time_is_set_aside_whole_though_nobody_answers()
 {
    let world = world_that_keeps(RETENTION_S, |_| Reply::After(Duration::from_secs(29), 500)).await;
    world.send("EventSetup_1", 1..=100).await;
    pass(RETENTION_S - 500).await;
    let summary = world.drain().await;
    assert_eq!((summary.dead_lettered, summary.expiring), (100, 100));
    let dead = dead(&world).await;
    assert_eq!(dead.len(), 100);
    assert!(!dead[0].1.attempts.is_empty() && dead[99].1.attempts.is_empty());
    assert!(world.receiver.seen().is_sorted_by_key(number));
}

#[tokio::test(start_paused = true)]
async fn an_event_near_the_end_of_its_time_is_delivered_if_an_attempt_can_still_be_made() {
    let world = world_that_keeps(RETENTION_S, |_| Reply::Status(200)).await;
    world.send("EventSetup_1", 1..=3).await;
    pass(RETENTION_S - 500).await;
    let summary = world.drain().await;
    assert_eq!((summary.delivered, summary.dead_lettered), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn an_event_that_waits_for_a_retry_beyond_its_time_is_set_aside_before_it() {
    // The worker that waited did so by an older, longer retention.
    let mut world = world_that_keeps(RETENTION_S, |_| Reply::Status(500)).await;
    world.settings.schedule = avaza_in_seconds();
    world.send("EventSetup_1", 1..=1).await;
    let worker = world.start();
    pass(5_000).await;
    worker.stop().await;
    // Nobody works until it would be too late for the visit that it waits for.
    pass(RETENTION_S - 5_000 - 400).await;
    let made = world.receiver.seen().len();
    let summary = world.drain().await;
    assert_eq!((summary.attempts, summary.expiring), (0, 1));
    let dead = dead(&world).await;
    assert_eq!(dead[0].1.attempts.len(), made);
}

#[tokio::test(start_paused = true)]
async fn a_retention_that_is_shortened_under_a_running_worker_is_what_its_visits_go_by() {
    let local = LocalSqs::seeded(Limits::default(), 1);
    let mut world = world_of_that_keeps(&local, RETENTION_S, |_| Reply::Status(500)).await;
    world.settings.schedule = avaza_in_seconds();
    world.send("EventSetup_1", 1..=4).await;
    let worker = world.start();
    pass(1_000).await;
    let shorter = json!({"QueueUrl": world.source.url(),
        "Attributes": {"MessageRetentionPeriod": "10000"}});
    local.ask("SetQueueAttributes", &shorter.to_string()).await;
    pass(9_000).await;
    let summary = worker.stop().await;
    assert_eq!((summary.dead_lettered, summary.expiring), (4, 3));
    let ends = SQS_START.plus(Duration::from_secs(10_000));
    let dead = dead(&world).await;
    assert!(dead.iter().all(|(_, letter)| letter.dead_at < ends));
}

#[tokio::test(start_paused = true)]
async fn a_replay_has_the_time_of_its_own_message() {
    let world = world_that_keeps(RETENTION_S, |_| Reply::Status(500)).await;
    pass(2 * RETENTION_S).await;
    let replay = r#"{"v":1,"replays":1,"origin":{"message_id":"first","sequence_number":"1",
        "deduplication_id":"d","group":"EventSetup_1","sent_at":"2025-01-01T00:00:00.000Z"},"attempts":[]}"#;
    let attributes = [(delivery::REPLAY, replay)];
    world
        .send_with("EventSetup_1", "{\"n\":1}", &attributes)
        .await;
    let summary = world.drain().await;
    assert_eq!((summary.attempts, summary.expiring), (4, 0));
}
