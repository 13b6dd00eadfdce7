//! What a worker does when little is left of a lease: nobody else gets the message before its attempts are written
//! down.

use std::time::Duration;

use rig::Switch;
use rig::ledger;
use rig::network::Fault;

use crate::world::faults::{pass, world_at_the_end_of_a_lease, world_with};
use crate::world::log::Log;
use crate::world::{Reply, Seen, World, about, number};

#[tokio::test(start_paused = true)]
async fn a_ledger_that_is_slow_to_write_at_the_end_of_a_lease_makes_no_attempt_twice() {
    // The receiver does not answer: the second attempt ends with ten seconds left of the lease.
    let mut world = World::new(|_| Reply::After(Duration::from_secs(30), 500)).await;
    world.settings.visibility_timeout = Duration::from_secs(40);
    // As when DynamoDB answers only the second try.
    world.ledger = ledger::breakable(|call| match call {
        ledger::Call::Write(_) | ledger::Call::WriteNote(_) => {
            ledger::Fault::Slow(Duration::from_secs(11))
        }
        _ => ledger::Fault::None,
    });
    world.send("EventSetup_1", 1..=1).await;
    let (first, second) = (world.start(), world.start());
    pass(400).await;
    first.stop().await;
    second.stop().await;
    let attempts: Vec<_> = world.receiver.seen().iter().map(Seen::attempt).collect();
    assert_eq!(attempts, [1, 2, 3, 4]);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_made_before_an_extension_was_refused_is_not_made_again_by_another_worker() {
    let (world, down) = world_at_the_end_of_a_lease().await;
    let worker = world.start();
    world.until_seen(4).await;
    pass(30).await;
    worker.stop().await;
    down.set(false);
    world.drain().await;
    let seen = world.receiver.seen();
    let attempts = seen.iter().filter(|s| number(s) == 4).map(Seen::attempt);
    assert_eq!(attempts.collect::<Vec<_>>(), [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_stood_still_until_its_lease_was_over_writes_nothing_into_anothers_visit() {
    let mut world = World::new(|s| match (s.attempt(), s.at.as_secs()) {
        (1, 0..=30) => Reply::Status(500),
        // It goes on ten seconds after its lease, while the other one has the message.
        (2, 0..=30) => Reply::After(Duration::from_secs(50), 500),
        (1 | 2, _) => Reply::After(Duration::from_secs(20), 500),
        _ => Reply::Status(200),
    })
    .await;
    world.settings.visibility_timeout = Duration::from_secs(40);
    world.send("EventSetup_1", 1..=1).await;
    let (first, second) = (world.start(), world.start());
    pass(300).await;
    first.stop().await;
    second.stop().await;
    let seen = world.receiver.seen();
    let attempts: Vec<_> = seen.iter().map(Seen::attempt).collect();
    assert_eq!(attempts, [1, 2, 1, 2, 3]);
    assert!(about(seen[4].at, 40 + 2 * 20 + 60), "{:?}", seen[4].at);
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_that_cannot_be_deleted_is_repeated_in_time_although_its_lane_goes_on() {
    let down = Switch::default();
    let switch = down.clone();
    let world = world_with(
        move |call| match call.action.as_str() {
            "DeleteMessageBatch" if switch.is_on() => Fault::Unavailable,
            _ => Fault::None,
        },
        |s| match number(s) {
            1 => Reply::Status(500),
            _ => Reply::After(Duration::from_secs(29), 200),
        },
    )
    .await;
    world.send("EventSetup_1", 1..=10).await;
    down.set(true);
    let worker = world.start();
    world.until_seen(4 + 9).await;
    worker.stop().await;
    let next = world.start();
    pass(200).await;
    down.set(false);
    pass(300).await;
    next.stop().await;
    assert_eq!(world.dead().await.len(), 1);
    assert_eq!(world.counts().await.total(), 0);
}

#[tokio::test(start_paused = true)]
async fn deletes_that_wait_for_others_without_an_answer_are_noted_too() {
    let down = Switch::default();
    let switch = down.clone();
    let mut world = world_with(
        move |call| match call.action.as_str() {
            "DeleteMessageBatch" if switch.is_on() => Fault::Silence,
            _ => Fault::None,
        },
        |_| Reply::Status(200),
    )
    .await;
    world.settings.max_in_flight = 400;
    for setup in 1..=300 {
        world.send(&format!("EventSetup_{setup}"), 1..=1).await;
    }
    down.set(true);
    let worker = world.start();
    world.until_seen(300).await;
    pass(3).await;
    worker.stop().await;
    // Until the leases are over and everything comes again.
    let next = world.start();
    pass(150).await;
    down.set(false);
    next.stop().await;
    assert_eq!(world.receiver.seen().len(), 300);
}

#[tokio::test(start_paused = true)]
async fn a_delete_that_meets_an_expired_handle_ends_the_lane_without_another_post() {
    let expired = Switch::default();
    let switch = expired.clone();
    let world = world_with(
        move |call| match call.action.as_str() {
            "DeleteMessageBatch" if switch.is_on() => Fault::Answer(
                200,
                r#"{"Failed":[{"Id":"0","Code":"ReceiptHandleIsInvalid","Message":"no","SenderFault":true}]}"#.to_owned(),
            ),
            _ => Fault::None,
        },
        |_| Reply::After(Duration::from_secs(2), 200),
    )
    .await;
    world.send("EventSetup_1", 1..=5).await;
    expired.set(true);
    let worker = world.start();
    world.until_seen(2).await;
    pass(30).await;
    // The second was on its way when the answer to the delete of the first came.
    assert_eq!(world.receiver.seen().len(), 2);
    expired.set(false);
    pass(300).await;
    worker.stop().await;
    let seen: Vec<_> = world.receiver.seen().iter().map(number).collect();
    assert_eq!(seen, [1, 2, 3, 4, 5]);
}

#[tokio::test(start_paused = true)]
async fn a_defect_leaves_its_group_alone_until_the_lease_ends_and_holds_up_no_other() {
    let mut world = World::new(|seen| match seen.group().as_str() {
        "EventSetup_1" if seen.at.as_secs() < 60 => panic!("unheard of"),
        _ => Reply::Status(200),
    })
    .await;
    world.settings.visibility_timeout = Duration::from_secs(90);
    let body = r#"{"msg_id":"event-1","n":1}"#;
    let message_id = world.send_body("EventSetup_1", body).await;
    world.send("EventSetup_1", 2..=2).await;
    world.send("EventSetup_2", 1..=3).await;
    let log = Log::begin();
    let worker = world.start();
    // The one that met the defect, three of the other group, and the two of its own group again.
    world.until_seen(6).await;
    let metrics = worker.health.metrics();
    let summary = worker.stop().await;
    let seen = world.receiver.seen();
    let of_first: Vec<_> = seen
        .iter()
        .filter(|s| s.group() == "EventSetup_1")
        .collect();
    let numbers: Vec<_> = of_first.iter().map(|s| number(s)).collect();
    assert_eq!(numbers, [1, 1, 2]);
    assert!(about(of_first[1].at, 90), "{:?}", of_first[1].at);
    assert_eq!((summary.delivered, summary.held), (5, 2));
    assert!(
        metrics.contains("\nhooklane_lanes_panicked_total 1\n"),
        "{metrics}"
    );
    let errors = log.errors();
    assert_eq!(errors.len(), 1, "{errors:?}");
    for said in [
        "event-1",
        &message_id,
        "EventSetup_1",
        "unheard of",
        "until their lease ends",
    ] {
        assert!(errors[0].contains(said), "{said}: {errors:?}");
    }
}
