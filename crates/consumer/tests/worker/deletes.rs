//! Deletes that are not answered: what was accepted is not POSTed again, and the standstill is said.

use std::collections::BTreeMap;
use std::time::Duration;

use delivery::RecordState;
use queue::Outgoing;
use rig::Switch;
use rig::network::Fault;
use store::Key;

use crate::world::faults::{pass, world_with};
use crate::world::log::Log;
use crate::world::{self, Reply, World};

/// More than the places among the deletes.
const GROUPS: usize = 120;
const EACH: usize = 10;

/// Ten events of each of many groups: one lane each. Says the ids of their messages.
async fn send_many(world: &World) -> Vec<String> {
    let mut ids = Vec::new();
    for n in 0..EACH {
        let groups: Vec<_> = (0..GROUPS).collect();
        for ten in groups.chunks(10) {
            let outgoing = |group: &usize| Outgoing {
                body: format!("{{\"group\":{group},\"n\":{n}}}"),
                group: Some(format!("EventSetup_{group}")),
                deduplication_id: Some(format!("{group}-{n}")),
                attributes: BTreeMap::new(),
            };
            let outgoing: Vec<_> = ten.iter().map(outgoing).collect();
            let sent = world.source.send_batch(&outgoing).await.unwrap();
            ids.extend(sent.into_iter().map(|sent| sent.unwrap().message_id));
        }
    }
    ids
}

/// Deletes are silent from the start; the worker stands still. What was accepted is in the ledger.
async fn world_at_a_standstill(grace: Duration) -> (World, Switch, Log, world::Running) {
    let silent = Switch::default();
    let switch = silent.clone();
    let mut world = world_with(
        move |call| match call.action.as_str() {
            "DeleteMessageBatch" if switch.is_on() => Fault::Silence,
            _ => Fault::None,
        },
        |_| Reply::Status(200),
    )
    .await;
    world.settings.max_in_flight = 2 * GROUPS;
    world.settings.shutdown_grace = grace;
    let ids = send_many(&world).await;
    silent.set(true);
    let log = Log::begin();
    let worker = world.start();
    // How many more each lane is ahead of its place depends on whose turn it was.
    world.until_seen(1_001).await;
    pass(2).await;
    let mut noted = 0;
    for message_id in ids {
        let key = Key {
            queue: world.source.url().to_owned(),
            message_id,
            group: None,
        };
        let seen = world.ledger.read(&key).await.unwrap();
        noted += usize::from(seen.is_some_and(|seen| seen.record.state == RecordState::Done));
    }
    assert_eq!(noted, world.receiver.seen().len());
    (world, silent, log, worker)
}

fn was_posted_once(world: &World) {
    let mut times = BTreeMap::<String, u32>::new();
    for seen in world.receiver.seen() {
        *times.entry(seen.body).or_default() += 1;
    }
    let repeated: Vec<_> = times.iter().filter(|(_, times)| **times > 1).collect();
    assert!(repeated.is_empty(), "{} of {}", repeated.len(), times.len());
}

#[tokio::test(start_paused = true)]
async fn lanes_that_wait_for_deletes_make_a_worker_unready_and_are_said_once() {
    let (world, silent, log, worker) = world_at_a_standstill(Duration::from_secs(25)).await;
    assert!(!worker.health.is_ready() && worker.health.is_live());
    assert_eq!(log.errors().len(), 1, "{:?}", log.errors());
    assert!(log.errors()[0].contains("SQS does not answer deletes"));
    silent.set(false);
    world.until_seen(GROUPS * EACH).await;
    pass(300).await;
    assert!(worker.health.is_ready());
    assert_eq!(log.lines("INFO", "no lane stands still").len(), 1);
    worker.stop().await;
    was_posted_once(&world);
    assert_eq!(world.counts().await.total(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_a_place_among_the_deletes_when_a_worker_stops_is_not_posted_by_the_next() {
    let (world, silent, _log, worker) = world_at_a_standstill(Duration::from_millis(500)).await;
    let before = world.receiver.seen().len();
    // Accepted so late that no second passes before the grace is over.
    for setup in 1..=5 {
        let body = format!("{{\"late\":{setup}}}");
        world
            .send_body(&format!("EventSetup_late{setup}"), &body)
            .await;
    }
    world.until_seen(before + 5).await;
    worker.stop().await;
    // In a process of its own it would be gone; here its last tries of the deletes must have come to nothing.
    pass(900).await;
    silent.set(false);
    world.drain().await;
    was_posted_once(&world);
    assert_eq!(world.counts().await.total(), 0);
}
