//! What is in hand has a bound in bytes.

use std::time::Duration;

use crate::world::faults::pass;
use crate::world::{Reply, World};

const MIB: usize = 1024 * 1024;

/// A little less than the largest that SQS takes.
const LARGE: usize = 1_000_000;

/// Twelve events of a group each, to a receiver that takes ten seconds for each.
async fn world_of_large_events(max_bytes_in_flight: usize) -> World {
    let mut world = World::new(|_| Reply::After(Duration::from_secs(10), 200)).await;
    world.settings.max_bytes_in_flight = max_bytes_in_flight;
    for setup in 1..=12 {
        let body = format!("{{\"n\":{setup},\"filling\":\"{}\"}}", "x".repeat(LARGE));
        world.send_body(&format!("EventSetup_{setup}"), &body).await;
    }
    world
}

#[tokio::test(start_paused = true)]
async fn nothing_is_received_that_there_may_be_no_room_for() {
    let world = world_of_large_events(4 * MIB).await;
    let worker = world.start();
    for received in [4, 8, 12] {
        world.until_seen(received).await;
        pass(5).await;
        let seen = world.receiver.seen().len();
        assert_eq!(seen, received, "four at a time");
        let metrics = worker.health.metrics();
        assert!(
            metrics.contains("hooklane_messages_in_hand 4\n"),
            "{metrics}"
        );
    }
    pass(30).await;
    assert_eq!(worker.stop().await.delivered, 12);
}

#[tokio::test(start_paused = true)]
async fn small_events_leave_room_for_many_although_each_might_have_been_large() {
    let mut world = World::new(|_| Reply::After(Duration::from_secs(10), 200)).await;
    world.settings.max_bytes_in_flight = 4 * MIB;
    for setup in 1..=16 {
        world
            .send(&format!("EventSetup_{setup}"), setup..=setup)
            .await;
    }
    let worker = world.start();
    world.until_seen(16).await;
    assert!(world.receiver.now() < Duration::from_secs(10));
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_event_larger_than_all_the_room_is_delivered_alone() {
    let world = world_of_large_events(MIB / 2).await;
    assert_eq!(world.drain().await.delivered, 12);
}
