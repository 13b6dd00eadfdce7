//! A receive is not an attempt, and one that no visit followed says nothing against an event.

use std::time::Duration;

use delivery::{Reason, RetrySchedule, ScheduleSettings};
use rig::Switch;
use rig::network::Fault;

use crate::world::faults::{pass, world_with};
use crate::world::{Reply, World, number};

fn attempts(world: &World) -> Vec<(u32, u32)> {
    let seen = world.receiver.seen();
    seen.iter().map(|s| (number(s), s.attempt())).collect()
}

#[tokio::test(start_paused = true)]
async fn an_event_with_a_record_that_others_received_very_often_gets_its_attempts_3_and_4() {
    let world = World::new(|_| Reply::Status(500)).await;
    world.send("EventSetup_1", 1..=1).await;
    let worker = world.start();
    world.until_seen(2).await;
    worker.stop().await;
    pass(61).await;
    world.others_receive(150).await;
    world.drain().await;
    assert_eq!(attempts(&world), [(1, 1), (1, 2), (1, 3), (1, 4)]);
    let dead = world.dead().await;
    assert_eq!(dead[0].1.reason, Reason::Exhausted);
    assert_eq!(dead[0].1.attempts.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_others_received_very_often_before_its_first_visit_gets_all_its_attempts() {
    let world = World::new(|_| Reply::Status(500)).await;
    world.send("EventSetup_1", 1..=2).await;
    world.others_receive(150).await;
    world.drain().await;
    let of_each = |n| [(n, 1), (n, 2), (n, 3), (n, 4)];
    assert_eq!(attempts(&world), [of_each(1), of_each(2)].concat());
    let dead = world.dead().await;
    assert!(dead.iter().all(|d| d.1.reason == Reason::Exhausted));
}

#[tokio::test(start_paused = true)]
async fn a_long_wait_of_many_leases_costs_no_event_of_the_group_an_attempt() {
    // Nothing can be hidden, so all come again with every lease.
    let mut world = world_with(
        |call| match call.action.as_str() {
            "ChangeMessageVisibilityBatch" => Fault::Unavailable,
            _ => Fault::None,
        },
        |_| Reply::Status(500),
    )
    .await;
    world.settings.schedule = RetrySchedule::new(ScheduleSettings {
        delays: [0, 2_400, 0].map(Duration::from_secs).to_vec(),
        timeout: Duration::from_secs(1),
        ..RetrySchedule::avionte()
    })
    .unwrap();
    world.settings.visibility_timeout = Duration::from_secs(11);
    world.send("EventSetup_1", 1..=2).await;
    let summary = world.drain().await;
    let of_each = |n| [(n, 1), (n, 2), (n, 3), (n, 4)];
    assert_eq!(attempts(&world), [of_each(1), of_each(2)].concat());
    let dead = world.dead().await;
    assert!(dead.iter().all(|d| d.1.reason == Reason::Exhausted));
    assert!(
        summary.received > 4 * u64::from(world.settings.schedule.suspicious_receives()),
        "{} receives",
        summary.received
    );
}

#[tokio::test(start_paused = true)]
async fn a_delete_that_fails_holds_no_group_for_long_because_others_received_its_event_often() {
    let down = Switch::default();
    let switch = down.clone();
    let world = world_with(
        move |call| match call.action.as_str() {
            "DeleteMessageBatch" if switch.is_on() => Fault::Unavailable,
            _ => Fault::None,
        },
        |_| Reply::Status(200),
    )
    .await;
    world.send("EventSetup_1", 1..=1).await;
    world.others_receive(30).await;
    down.set(true);
    let worker = world.start();
    world.until_seen(1).await;
    // Longer than the tries of one delete, then than its lease.
    pass(60).await;
    worker.stop().await;
    pass(120).await;
    // Once more after it was accepted.
    world.others_receive(30).await;
    let worker = world.start();
    pass(60).await;
    down.set(false);
    let since = world.receiver.now();
    world.send("EventSetup_1", 2..=2).await;
    world.until_seen(2).await;
    let waited = world.receiver.now() - since;
    worker.stop().await;
    // The lease that the last failed delete has left.
    let lease = world.settings.visibility_timeout;
    assert!(waited <= lease, "{waited:?}");
    assert_eq!(attempts(&world), [(1, 1), (2, 1)]);
}
