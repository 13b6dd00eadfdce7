//! Workers that are told to stop, and workers that are killed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rig::receiver::{Gate, Receiver};
use rig::request::{Request, first_attempts};
use rig::world::{World, callback, done, event, only};
use serde_json::json;

const GROUPS: u32 = 6;
const EVENTS_PER_GROUP: u32 = 25;

/// Less than one group has: every group is still at work when so many were answered.
const ANSWERED_BEFORE: usize = 20;

/// Events of several groups, mixed; an id names group and place.
fn events() -> Vec<String> {
    let places = 0..EVENTS_PER_GROUP;
    places
        .flat_map(|place| (0..GROUPS).map(move |group| event(group, &id(group, place))))
        .collect()
}

fn id(group: u32, place: u32) -> String {
    format!("{group}-{place:02}")
}

fn as_sent() -> BTreeMap<String, Vec<String>> {
    let ids = |group| {
        (0..EVENTS_PER_GROUP)
            .map(|place| id(group, place))
            .collect()
    };
    (0..GROUPS)
        .map(|group| (format!("EventSetup_{group}"), ids(group)))
        .collect()
}

/// Accepts some events at once and all others when the gate is open: a moment in the middle that lasts.
fn receiver(gate: &Arc<Gate>) -> Receiver {
    let gate = gate.clone();
    Receiver::start(move |_, before| {
        if before >= ANSWERED_BEFORE {
            gate.pass();
        }
        200
    })
}

#[test]
fn a_worker_told_to_stop_in_the_middle_finishes_what_it_began_and_leaves_the_rest_to_the_next() {
    let world = World::fifo();
    let gate = Arc::new(Gate::default());
    let receiver = receiver(&gate);
    world.configure(&callback(&receiver.url));
    world.send(&events(), &[]);

    let mut first = world.home.start(&["work", "--json"]);
    let in_the_middle = ANSWERED_BEFORE + GROUPS as usize;
    receiver.wait_for(in_the_middle);
    first.signal("TERM");
    first.wait_for_log("stopping: a receive in flight returns");
    gate.open();
    let summary = only(done(&first.wait()));
    assert_eq!(
        (
            &summary["attempts"],
            &summary["delivered"],
            receiver.requests().len()
        ),
        (&json!(in_the_middle), &json!(in_the_middle), in_the_middle),
        "{summary}"
    );

    let all = (GROUPS * EVENTS_PER_GROUP) as usize;
    let summary = world.drain();
    assert_eq!(
        (&summary["attempts"], &summary["delivered"]),
        (&json!(all - in_the_middle), &json!(all - in_the_middle)),
        "{summary}"
    );
    let requests = receiver.requests();
    assert_eq!(first_attempts(&requests), as_sent());
    assert_eq!(requests.len(), all, "an event was attempted twice");
    assert!(requests.iter().all(|request| request.attempt() == 1));
}

#[test]
fn a_stop_between_attempts_costs_the_event_none_of_its_four() {
    let mut world = World::fifo();
    world.delays(&["0s", "1s", "0s"]);
    let gate = Arc::new(Gate::default());
    let held = gate.clone();
    let receiver = Receiver::start(move |_, _| {
        held.pass();
        500
    });
    world.configure(&callback(&receiver.url));
    world.send(&[event(1, "failing")], &[]);

    let mut first = world.home.start(&["work", "--json"]);
    receiver.wait_for(1);
    first.signal("TERM");
    first.wait_for_log("stopping: a receive in flight returns");
    gate.open();
    let summary = only(done(&first.wait()));
    assert_eq!(
        (&summary["attempts"], &summary["dead_lettered"]),
        (&json!(1), &json!(0)),
        "{summary}"
    );
    let summary = world.drain();
    assert_eq!(
        (&summary["attempts"], &summary["dead_lettered"]),
        (&json!(3), &json!(1)),
        "{summary}"
    );

    let numbers: Vec<_> = receiver.requests().iter().map(Request::attempt).collect();
    assert_eq!(numbers, [1, 2, 3, 4]);
    assert_eq!(world.dead_letters()[0]["attempts"], 4);
}

#[test]
fn after_a_kill_in_the_middle_nothing_is_missing_and_only_the_newest_come_again_with_the_same_id() {
    let mut world = World::fifo();
    // What the killed worker held comes back when its lease is over.
    world
        .home
        .set("HOOKLANE_RETRY__TIMEOUT", "5s")
        .set("HOOKLANE_WORKER__VISIBILITY_TIMEOUT", "15s");
    let gate = Arc::new(Gate::default());
    let receiver = receiver(&gate);
    world.configure(&callback(&receiver.url));
    world.send(&events(), &[]);

    let first = world.home.start(&["work"]);
    receiver.wait_for(ANSWERED_BEFORE + GROUPS as usize);
    first.signal("KILL");
    assert_eq!(first.wait().code, None, "killed");
    gate.open();
    world.drain();

    let requests = receiver.requests();
    assert_eq!(first_attempts(&requests), as_sent());
    let mut seen = BTreeMap::<String, Vec<&Request>>::new();
    for request in &requests {
        let id = request.event()["msg_id"]
            .as_str()
            .expect("a text")
            .to_owned();
        seen.entry(id).or_default().push(request);
    }
    for (id, copies) in &seen {
        let same: BTreeSet<_> = copies
            .iter()
            .map(|copy| (copy.webhook_id(), &copy.body))
            .collect();
        assert_eq!(same.len(), 1, "{id} came again as another: {copies:?}");
        assert!(copies.len() <= 2, "{id} came {} times", copies.len());
    }
    // Deletes are sent ten at a time: more than those and the one in flight cannot have been lost.
    let repeated = seen.values().filter(|copies| copies.len() > 1).count();
    assert!(
        (GROUPS as usize..=GROUPS as usize * 11).contains(&repeated),
        "{repeated} came again"
    );
}
