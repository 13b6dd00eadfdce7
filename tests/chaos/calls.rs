//! What a delivery costs in calls to SQS, with real processes: receives and deletes, when every event is accepted.

use std::time::Duration;

use crate::journal::Began;
use crate::plan::Size;
use crate::receiver::{Answer, Receiver};
use crate::run;
use crate::workers::Workers;
use crate::world::event;

/// How long the receiver takes to answer.
const ANSWER: Duration = Duration::from_millis(20);

/// Longer than it takes on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(180);

/// Delivers so many groups of so many events with one worker and gives receives and deletes per event.
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
    per_event
}

#[test]
fn ten_events_of_two_hundred_groups_cost_a_real_worker_at_most_three_receives_and_deletes() {
    let events_per_group = if Size::asked().is_full() { 50 } else { 10 };
    let per_event = calls_per_event(200, events_per_group);
    assert!(per_event <= 0.3, "{per_event:.3} calls per event");
}
