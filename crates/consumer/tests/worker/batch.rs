//! Batches: the lanes without a worker around them.

use std::collections::BTreeMap;
use std::time::Duration;

use consumer::{Batches, Why};
use queue::{ReceiveOptions, Received};
use rig::network::{Call, Fault};

use crate::world::faults::world_with;
use crate::world::{self, Receiver, Reply, World, number};

impl World {
    async fn receive(&self) -> Vec<Received> {
        let options = ReceiveOptions {
            max: 10,
            wait: Duration::ZERO,
            visibility: self.settings.visibility_timeout,
        };
        self.source.receive(options).await.unwrap()
    }

    fn batches(&self) -> Batches<Receiver> {
        Batches::new(self.settings.clone(), self.wiring())
    }
}

#[tokio::test(start_paused = true)]
async fn ten_messages_of_three_groups_are_answered_each_without_a_worker() {
    let world = World::new(|seen| match seen.group().as_str() {
        "EventSetup_2" if number(seen) == 2 => Reply::Status(500),
        _ => Reply::Status(200),
    })
    .await;
    for (group, last) in [("EventSetup_1", 4), ("EventSetup_2", 4)] {
        world.send(group, 1..=last).await;
    }
    world.send_body("EventSetup_3", "no event").await;
    world.send("EventSetup_3", 2..=2).await;
    let messages = world.receive().await;
    assert_eq!(messages.len(), 10);
    let ids: BTreeMap<_, _> = messages
        .iter()
        .map(|m| (m.message_id.clone(), (m.group.clone(), m.body.clone())))
        .collect();
    let left = world.batches().deliver(messages).await;

    // The first group is delivered, of the third what is no event is in the internal queue.
    let [waiting] = &left[..] else {
        panic!("{left:?}")
    };
    assert_eq!(waiting.why, Why::Waits(Duration::from_secs(60)));
    let left: Vec<_> = waiting.message_ids.iter().map(|id| &ids[id]).collect();
    assert!(
        left.iter()
            .all(|(group, _)| group.as_deref() == Some("EventSetup_2"))
    );
    let numbers: Vec<_> = left.iter().map(|(_, body)| world::n_of(body)).collect();
    assert_eq!(numbers, [2, 3, 4]);
    let dead = world.dead().await;
    assert_eq!(dead.len(), 1);
    assert_eq!(&*dead[0].0.body, b"no event");
    // Nothing goes on: what is left is all that the queue has, and hidden.
    let counts = world.counts().await;
    assert_eq!((counts.visible, counts.not_visible), (0, 3));
    assert_eq!(world.receiver.seen().len(), 4 + 1 + 2 + 1);
}

#[tokio::test(start_paused = true)]
async fn the_next_batch_goes_on_where_the_last_one_left() {
    let world = World::new(|seen| match seen.attempt() {
        1..=3 => Reply::Status(500),
        _ => Reply::Status(200),
    })
    .await;
    world.send("EventSetup_1", 1..=2).await;
    let batches = world.batches();
    let mut attempts = Vec::new();
    while world.counts().await.total() > 0 {
        let left = batches.deliver(world.receive().await).await;
        let waits = left.iter().map(|left| match left.why {
            Why::Waits(wait) => wait,
            ref other => panic!("{other:?}"),
        });
        let wait = waits.max().unwrap_or_default();
        // Those behind it are hidden for a second more.
        tokio::time::advance(wait + Duration::from_secs(2)).await;
        attempts = world
            .receiver
            .seen()
            .iter()
            .map(world::Seen::attempt)
            .collect();
        assert!(attempts.len() < 20, "{attempts:?}");
    }
    assert_eq!(attempts, [1, 2, 3, 4, 1, 2, 3, 4]);
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_over_when_its_deletes_are() {
    let slow = |call: &Call| match call.action.as_str() {
        "DeleteMessageBatch" => Fault::Slow(Duration::from_millis(800)),
        _ => Fault::None,
    };
    let world = world_with(slow, |_| Reply::Status(200)).await;
    world.send("EventSetup_1", 1..=3).await;
    let left = world.batches().deliver(world.receive().await).await;
    assert_eq!(left, []);
    assert_eq!(world.counts().await.total(), 0);
}

#[tokio::test(start_paused = true)]
async fn no_more_lanes_of_a_batch_run_at_the_same_time_than_max_in_flight() {
    let mut world = World::new(|_| Reply::After(Duration::from_secs(2), 200)).await;
    world.settings.max_in_flight = 3;
    for setup in 1..=8 {
        world.send(&format!("EventSetup_{setup}"), 1..=1).await;
    }
    let messages = world.receive().await;
    assert_eq!(messages.len(), 8);
    assert_eq!(world.batches().deliver(messages).await, []);
    let starts: Vec<_> = world.receiver.seen().iter().map(|seen| seen.at).collect();
    let after: Vec<_> = starts
        .iter()
        .map(|at| (*at - starts[0]).as_secs())
        .collect();
    assert_eq!(after, [0, 0, 0, 2, 2, 2, 4, 4]);
}
