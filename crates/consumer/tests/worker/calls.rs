//! What a delivery costs in calls to SQS: receives and deletes, when every event is accepted at once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use local_sqs::{Limits, LocalSqs};
use queue::Outgoing;
use queue::admin::Kind;
use rig::network::{Call, Fault, with_faults};

use crate::world::{Reply, START, Seen, World, number};

/// How long one call to SQS takes.
const CALL: Duration = Duration::from_millis(10);

/// How many calls went to SQS, by action.
#[derive(Clone, Default)]
struct Calls(Arc<Mutex<BTreeMap<String, usize>>>);

impl Calls {
    fn count(&self, call: &Call) {
        *self
            .0
            .lock()
            .unwrap()
            .entry(call.action.clone())
            .or_default() += 1;
    }

    fn start_again(&self) {
        self.0.lock().unwrap().clear();
    }

    fn of(&self, action: &str) -> usize {
        self.0.lock().unwrap().get(action).copied().unwrap_or(0)
    }
}

/// The receiver accepts after 20 ms, give or take ten: lanes that began together do not end together.
fn accepts(seen: &Seen) -> Reply {
    let take_ms = 10 + u64::from(number(seen)) * 7919 % 21;
    Reply::After(Duration::from_millis(take_ms), 200)
}

/// Delivers so many groups of so many events and gives receives and deletes per event.
async fn calls_per_event(groups: usize, events_per_group: usize) -> f64 {
    let calls = Calls::default();
    let counting = calls.clone();
    let local = LocalSqs::new(Limits::default());
    let network = with_faults(local.http_client(), move |call| {
        counting.count(call);
        Fault::Slow(CALL)
    });
    let mut world = World::on(network, Kind::Fifo, accepts).await;
    // As the configuration has it unless told otherwise.
    world.settings.max_in_flight = 256;
    send(&world, groups, events_per_group).await;
    calls.start_again();

    let events = groups * events_per_group;
    let worker = world.start();
    world.until_seen(events).await;
    let summary = worker.stop().await;

    assert_eq!(summary.delivered, events as u64);
    assert_eq!(world.counts().await.total(), 0, "something was not deleted");
    let (receives, deletes) = (calls.of("ReceiveMessage"), calls.of("DeleteMessageBatch"));
    let per_event = (receives + deletes) as f64 / events as f64;
    println!(
        "{groups} groups of {events_per_group}: {receives} receives, {deletes} deletes, {per_event:.3} calls per event"
    );
    per_event
}

/// The groups in turn, ten events to a call.
async fn send(world: &World, groups: usize, events_per_group: usize) {
    let events: Vec<_> = (0..groups * events_per_group)
        .map(|n| Outgoing {
            body: format!("{{\"n\":{n}}}"),
            group: Some(format!("EventSetup_{}", n % groups)),
            deduplication_id: Some(
                START
                    .plus(Duration::from_millis(n as u64))
                    .deduplication_id(),
            ),
            attributes: BTreeMap::new(),
        })
        .collect();
    for batch in events.chunks(queue::MAX_BATCH) {
        world.source.send_batch(batch).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn ten_events_of_two_hundred_groups_cost_at_most_three_receives_and_deletes() {
    for events_per_group in [10, 50] {
        let per_event = calls_per_event(200, events_per_group).await;
        assert!(per_event <= 0.3, "{per_event:.3} calls per event");
    }
}

#[tokio::test(start_paused = true)]
async fn one_long_group_and_many_short_ones_cost_no_more() {
    for (groups, events_per_group) in [(1, 1_000), (1_000, 1), (50, 20), (250, 4)] {
        let per_event = calls_per_event(groups, events_per_group).await;
        assert!(per_event <= 0.3, "{per_event:.3} calls per event");
    }
}
