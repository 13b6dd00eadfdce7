//! What a worker does with the leases it holds: extended in time and together, hidden and given back in order, and left
//! alone once they are another's.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use local_sqs::{Limits, LocalSqs};
use queue::admin::Kind;
use rig::Switch;
use rig::network::{Call, Fault, with_faults};

use crate::world::faults::{pass, world_with};
use crate::world::{Reply, Seen, World, number};

const CHANGE: &str = "ChangeMessageVisibilityBatch";

/// The visibility calls that reached SQS: the seconds of each entry.
#[derive(Clone, Default)]
struct Changes(Arc<Mutex<Vec<Vec<u64>>>>);

impl Changes {
    fn note(&self, call: &Call) {
        if call.action == CHANGE {
            let seconds = |entry: &serde_json::Value| entry["VisibilityTimeout"].as_u64().unwrap();
            let entries = call.entries().iter().map(seconds).collect();
            self.0.lock().unwrap().push(entries);
        }
    }

    fn seen(&self) -> Vec<Vec<u64>> {
        self.0.lock().unwrap().clone()
    }
}

async fn noting(
    changes: &Changes,
    script: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
) -> World {
    let changes = changes.clone();
    let decide = move |call: &Call| {
        changes.note(call);
        Fault::None
    };
    world_with(decide, script).await
}

#[tokio::test(start_paused = true)]
async fn what_is_behind_a_failed_head_is_hidden_before_it_and_a_second_longer() {
    let changes = Changes::default();
    let world = noting(&changes, |_| Reply::Status(500)).await;
    world.send("EventSetup_1", 1..=3).await;
    let worker = world.start();
    world.until_seen(2).await;
    pass(1).await;
    assert_eq!(changes.seen(), [vec![61, 61], vec![60]]);
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_stops_gives_back_the_head_of_a_lane_last() {
    let changes = Changes::default();
    let world = noting(&changes, |_| Reply::After(Duration::from_secs(5), 200)).await;
    world.send("EventSetup_1", 1..=4).await;
    let worker = world.start();
    world.until_seen(1).await;
    pass(1).await;
    worker.stop.cancel();
    pass(5).await;
    // Were the head visible first, another worker would be given it alone.
    assert_eq!(changes.seen()[..2], [vec![0, 0], vec![0]]);
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_lane_whose_handles_have_expired_gives_back_what_is_behind_its_head_and_no_more() {
    let (changes, expired) = (Changes::default(), Switch::default());
    let (noted, switch) = (changes.clone(), expired.clone());
    let decide = move |call: &Call| {
        noted.note(call);
        match call.action.as_str() {
            "DeleteMessageBatch" if switch.is_on() => Fault::Refused("ReceiptHandleIsInvalid"),
            _ => Fault::None,
        }
    };
    let world = world_with(decide, |_| Reply::After(Duration::from_secs(2), 200)).await;
    world.send("EventSetup_1", 1..=5).await;
    expired.set(true);
    let worker = world.start();
    world.until_seen(2).await;
    pass(10).await;
    // The head may be with another worker by now.
    assert_eq!(changes.seen(), [vec![0, 0]]);
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_counted_from_before_its_extension_was_asked_for() {
    // The first extension is answered after 9 s; so much of it has passed then.
    let first = Mutex::new(true);
    let decide = move |call: &Call| match call.action.as_str() {
        CHANGE if std::mem::take(&mut *first.lock().unwrap()) => {
            Fault::AnswerLate(Duration::from_secs(9))
        }
        _ => Fault::None,
    };
    let local = LocalSqs::new(Limits::default());
    let network = with_faults(local.http_client(), decide);
    let mut world = World::on(network, Kind::Fifo, |s| match number(s) {
        2 => Reply::After(Duration::from_secs(27), 200),
        _ => Reply::After(Duration::from_secs(29), 200),
    })
    .await;
    world.settings.visibility_timeout = Duration::from_secs(60);
    world.settings.shutdown_grace = Duration::from_secs(60);
    world.send("EventSetup_1", 1..=3).await;
    let (first, second) = (world.start(), world.start());
    world.until_seen(3).await;
    // From now on only one of them receives.
    first.stop.cancel();
    second.stop.cancel();
    let third = world.start();
    pass(60).await;
    let seen: Vec<_> = world.receiver.seen().iter().map(number).collect();
    assert_eq!(
        seen,
        [1, 2, 3],
        "the lease was over before the third attempt"
    );
    for worker in [first, second, third] {
        worker.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_extension_that_is_refused_ends_the_lane_without_another_post() {
    let refused = Switch::default();
    let switch = refused.clone();
    let decide = move |call: &Call| match call.action.as_str() {
        CHANGE if switch.is_on() => Fault::Refused("ReceiptHandleIsInvalid"),
        _ => Fault::None,
    };
    let mut world = world_with(decide, |_| Reply::After(Duration::from_secs(29), 200)).await;
    world.settings.visibility_timeout = Duration::from_secs(55);
    world.send("EventSetup_1", 1..=2).await;
    refused.set(true);
    let worker = world.start();
    world.until_seen(2).await;
    let second = world.receiver.seen()[1].at;
    assert!(second >= Duration::from_secs(55), "{second:?}");
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_message_whose_delete_is_not_confirmed_is_extended_with_the_rest_of_its_lane() {
    let down = Switch::default();
    let switch = down.clone();
    let decide = move |call: &Call| match call.action.as_str() {
        "DeleteMessageBatch" if switch.is_on() => Fault::Silence,
        _ => Fault::None,
    };
    let mut world = world_with(decide, |_| Reply::After(Duration::from_secs(10), 200)).await;
    world.settings.visibility_timeout = Duration::from_secs(40);
    world.send("EventSetup_1", 1..=8).await;
    down.set(true);
    let worker = world.start();
    world.until_seen(8).await;
    let metrics = worker.health.metrics();
    assert!(
        metrics.contains("\nhooklane_messages_received_total 8\n"),
        "its lease was over while the lane went on: {metrics}"
    );
    down.set(false);
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_message_that_comes_again_during_its_attempt_waits_for_it_to_end() {
    let mut world = World::new(|_| Reply::After(Duration::from_secs(50), 200)).await;
    world.settings.visibility_timeout = Duration::from_secs(40);
    world.send("EventSetup_1", 1..=1).await;
    let worker = world.start();
    pass(100).await;
    let summary = worker.stop().await;
    assert_eq!((summary.received, summary.attempts), (2, 1));
    assert_eq!(world.counts().await.total(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_cannot_be_spent_hidden_is_kept_all_the_same() {
    let decide = |call: &Call| match call.action.as_str() {
        CHANGE => Fault::Unavailable,
        _ => Fault::None,
    };
    let mut world = world_with(decide, |_| Reply::Status(500)).await;
    // Shorter than the wait, and long enough for an attempt at the end of a long poll.
    world.settings.visibility_timeout = Duration::from_secs(55);
    world.send("EventSetup_1", 1..=1).await;
    let worker = world.start();
    world.until_seen(3).await;
    let third = world.receiver.seen()[2].at;
    assert!(third >= Duration::from_secs(60), "{third:?}");
    worker.stop().await;
}
