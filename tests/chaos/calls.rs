//! What a delivery costs in calls to SQS, with real processes, when every event is accepted.
//!
//! How many receives and deletes there are to an event depends on how many end together, and so on how busy the machine
//! is: that is shown on virtual time (`crates/consumer/tests/worker/calls.rs`), and here only when the full size is asked for.

use std::time::Duration;

use rig::world::event;

use crate::journal::Began;
use crate::plan::Size;
use crate::receiver::{Answer, Receiver};
use crate::run;
use crate::workers::Workers;

/// How long the receiver takes to answer.
const ANSWER: Duration = Duration::from_millis(20);

/// Longer than it takes on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(180);

/// What a worker does: it opens its queues, receives and deletes.
const ACTIONS: [&str; 3] = ["GetQueueAttributes", "ReceiveMessage", "DeleteMessageBatch"];

/// Delivers so many groups of so many events with one worker, each with one POST and one delete and no call besides;
/// gives receives and deletes per event.
fn calls_per_event(groups: usize, events_per_group: usize) -> f64 {
    let began = Began::now();
    let (mut world, proxy) = run::world(began);
    let receiver = Receiver::start(began, |_, _| Answer::Status(ANSWER, 200));
    let count = groups * events_per_group;
    let events: Vec<_> = (0..count)
        .map(|n| event((n % groups) as u32, &format!("{n:05}")))
        .collect();
    world.send(&events, &[]);
    world.home.set("AWS_ENDPOINT_URL", &proxy.url);

    let from = began.elapsed();
    let workers = Workers::start(&world.home, began, receiver.address, 1);
    receiver.wait_for_accepted(count, PATIENCE);
    let took = began.elapsed() - from;
    assert_eq!(run::emptied(&world), 0, "something was not deleted");
    // Killed: nothing is left to do but a long poll.
    drop(workers);

    let calls = proxy.calls();
    let calls_of = |action: &str| calls.get(action).copied().unwrap_or(0);
    let (receives, deletes) = (calls_of("ReceiveMessage"), calls_of("DeleteMessageBatch"));
    let per_event = (receives + deletes) as f64 / count as f64;
    println!(
        "{groups} groups of {events_per_group} in {took:.1?}: {receives} receives, {deletes} deletes, {per_event:.3} calls per event; all calls: {calls:?}"
    );
    assert_eq!(receiver.seen().0.len(), count, "an event came twice");
    assert_eq!(proxy.deleted(), count, "an event was deleted twice");
    let others = calls
        .keys()
        .filter(|action| !ACTIONS.contains(&action.as_str()));
    assert_eq!(others.collect::<Vec<_>>(), [""; 0]);
    per_event
}

#[test]
fn events_of_two_hundred_groups_cost_a_real_worker_receives_and_one_delete_each_and_nothing_else() {
    if Size::asked().is_full() {
        let per_event = calls_per_event(200, 50);
        assert!(per_event <= 0.3, "{per_event:.3} calls per event");
    } else {
        calls_per_event(200, 10);
    }
}
