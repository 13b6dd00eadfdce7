//! A deploy costs no event an attempt, and what was held is given back.

use std::time::Duration;

use local_sqs::{Limits, LocalSqs};
use queue::admin::Kind;
use rig::network::{Fault, with_faults};

use crate::world::{self, Reply, World, about, number};

#[tokio::test(start_paused = true)]
async fn a_stopped_worker_finishes_its_attempt_and_gives_the_rest_back_at_once() {
    let world = World::new(|_| Reply::After(Duration::from_secs(5), 200)).await;
    world.send("EventSetup_1", 1..=10).await;
    let worker = world.start();
    world.until_seen(1).await;
    let summary = worker.stop().await;
    // The receive in flight may bring what the lane has just given back; it is given back again.
    assert_eq!((summary.delivered, summary.held), (1, summary.received - 1));
    let counts = world.counts().await;
    assert_eq!((counts.visible, counts.not_visible), (9, 0));

    world.drain().await;
    assert_eq!(
        world.receiver.seen().iter().map(number).collect::<Vec<_>>(),
        (1..=10).collect::<Vec<_>>()
    );
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_outlasts_the_grace_is_dropped_and_not_counted() {
    let world = World::new(|s| match s.at.as_secs() {
        0..=40 => Reply::After(Duration::from_secs(29), 200),
        _ => Reply::Status(500),
    })
    .await;
    world.send("EventSetup_1", 1..=1).await;
    let worker = world.start();
    world.until_seen(1).await;
    worker.stop().await;
    assert_eq!(world.counts().await.visible, 1);
    tokio::time::advance(Duration::from_secs(60)).await;
    world.drain().await;
    let attempts: Vec<_> = world
        .receiver
        .seen()
        .iter()
        .map(world::Seen::attempt)
        .collect();
    assert_eq!(
        attempts,
        [1, 1, 2, 3, 4],
        "the dropped attempt cost the event none of its four"
    );
}

#[tokio::test(start_paused = true)]
async fn a_worker_stopped_between_two_attempts_leaves_the_next_one_to_its_successor() {
    let world = World::new(|_| Reply::After(Duration::from_secs(1), 500)).await;
    world.send("EventSetup_1", 1..=1).await;
    let worker = world.start();
    world.until_seen(1).await;
    worker.stop().await;
    world.drain().await;
    let attempts: Vec<_> = world
        .receiver
        .seen()
        .iter()
        .map(world::Seen::attempt)
        .collect();
    assert_eq!(attempts, [1, 2, 3, 4]);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_dropped_at_the_end_of_the_grace_does_not_make_those_before_it_forgotten() {
    let world = World::new(|s| match (s.attempt(), s.at.as_secs()) {
        (2, 0..=1) => Reply::After(Duration::from_secs(29), 500),
        _ => Reply::Status(500),
    })
    .await;
    world.send("EventSetup_1", 1..=1).await;
    let worker = world.start();
    world.until_seen(2).await;
    worker.stop().await;
    world.drain().await;
    let attempts: Vec<_> = world
        .receiver
        .seen()
        .iter()
        .map(world::Seen::attempt)
        .collect();
    assert_eq!(attempts, [1, 2, 2, 3, 4]);
    assert_eq!(world.dead().await[0].1.attempts.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn the_wait_survives_the_worker_and_is_not_shortened_by_another() {
    let world = World::new(|s| Reply::Status(if s.attempt() < 3 { 500 } else { 200 })).await;
    world.send("EventSetup_1", 1..=3).await;
    let worker = world.start();
    world.until_seen(2).await;
    worker.stop().await;
    // Another worker, at once: all three messages are hidden, so it finds nothing until the minute is over.
    world.drain().await;
    let seen = world.receiver.seen();
    assert_eq!(seen[2].attempt(), 3);
    assert!(about(seen[2].at, 60), "{:?}", seen[2].at);
    let numbers: Vec<_> = seen
        .iter()
        .filter(|s| s.attempt() == 3)
        .map(number)
        .collect();
    assert_eq!(numbers, [1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn an_idle_worker_stops_when_its_receive_returns() {
    let world = World::new(|_| Reply::Status(200)).await;
    let worker = world.start();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let stopping = tokio::time::Instant::now();
    let summary = worker.stop().await;
    assert_eq!(summary.received, 0);
    assert!(stopping.elapsed() <= Duration::from_secs(20));
}

#[tokio::test(start_paused = true)]
async fn what_a_receive_brings_after_the_stop_is_given_back_untouched() {
    let world = World::new(|_| Reply::Status(200)).await;
    let worker = world.start();
    tokio::time::sleep(Duration::from_secs(3)).await;
    worker.stop.cancel();
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.send("EventSetup_1", 1..=2).await;
    worker.task.await.unwrap();
    assert!(world.receiver.seen().is_empty());
    assert_eq!(world.counts().await.visible, 2);
}

#[tokio::test(start_paused = true)]
async fn a_receive_that_never_returns_does_not_keep_a_worker_from_stopping() {
    let local = LocalSqs::new(Limits::default());
    let network = with_faults(local.http_client(), |call| match call.action.as_str() {
        "ReceiveMessage" => Fault::Silence,
        _ => Fault::None,
    });
    let world = World::on(network, Kind::Fifo, |_| Reply::Status(200)).await;
    let worker = world.start();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let stopping = tokio::time::Instant::now();
    worker.stop().await;
    assert!(
        stopping.elapsed() <= Duration::from_secs(25 + 10),
        "{:?}",
        stopping.elapsed()
    );
}
