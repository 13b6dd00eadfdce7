//! An internal queue that is down, denies or refuses loses no event, copies none and holds nobody else.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use delivery::Reason;
use rig::Switch;
use rig::network::Fault;

use crate::world::faults::{pass, world_with};
use crate::world::{Reply, number};

#[tokio::test(start_paused = true)]
async fn an_internal_queue_that_is_down_holds_the_event_and_costs_it_no_further_post() {
    let down = Switch::default();
    let switch = down.clone();
    let world = world_with(
        move |call| {
            if call.is_to_the_internal_queue() && switch.is_on() {
                Fault::Unavailable
            } else {
                Fault::None
            }
        },
        |s| Reply::Status(if number(s) == 1 { 500 } else { 200 }),
    )
    .await;
    world.send("EventSetup_1", 1..=2).await;
    down.set(true);
    let worker = world.start();
    world.until_seen(4).await;
    pass(300).await;
    assert!(!worker.health.is_ready());
    assert_eq!(
        world.receiver.seen().len(),
        4,
        "neither the event nor its follower is POSTed meanwhile"
    );
    assert_eq!(world.counts().await.total(), 2, "nothing is lost");
    down.set(false);
    world.until_seen(5).await;
    worker.stop().await;
    let dead = world.dead().await;
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].1.attempts.len(), 4);
    assert_eq!(number(&world.receiver.seen()[4]), 2);
}

#[tokio::test(start_paused = true)]
async fn lanes_that_go_well_are_given_back_too_while_the_internal_queue_is_down() {
    let down = Switch::default();
    let switch = down.clone();
    let world = world_with(
        move |call| {
            if call.is_to_the_internal_queue() && switch.is_on() {
                Fault::Unavailable
            } else {
                Fault::None
            }
        },
        |s| match s.group().as_str() {
            "EventSetup_1" => Reply::Status(500),
            _ => Reply::After(Duration::from_secs(19), 200),
        },
    )
    .await;
    world.send("EventSetup_1", 1..=1).await;
    world.send("EventSetup_2", 1..=10).await;
    down.set(true);
    let worker = world.start();
    // At 60 s the first group's event is exhausted and cannot be set aside; the other lane is at its fourth.
    pass(250).await;
    let of_the_other = || {
        let seen = world.receiver.seen();
        let other = seen.iter().filter(|s| s.group() == "EventSetup_2");
        other.map(number).collect::<Vec<_>>()
    };
    assert_eq!(of_the_other(), [1, 2, 3, 4]);
    down.set(false);
    world.until_seen(14).await;
    worker.stop().await;
    assert_eq!(of_the_other(), (1..=10).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn an_event_that_the_internal_queue_refuses_is_held_with_its_group_and_stops_nobody_else() {
    let refusing = Switch::default();
    let switch = refusing.clone();
    let world = world_with(
        move |call| match call.action.as_str() {
            "SendMessageBatch" if call.is_to_the_internal_queue() && switch.is_on() => Fault::Answer(
                200,
                r#"{"Failed":[{"Id":"0","Code":"InvalidMessageContents","Message":"no","SenderFault":true}]}"#.to_owned(),
            ),
            _ => Fault::None,
        },
        |s| Reply::Status(if number(s) == 1 { 500 } else { 200 }),
    )
    .await;
    world.send("EventSetup_1", 1..=2).await;
    refusing.set(true);
    let worker = world.start();
    world.until_seen(4).await;
    world.send("EventSetup_2", 3..=3).await;
    world.until_seen(5).await;
    pass(1000).await;
    assert_eq!(world.receiver.seen().len(), 5, "the follower waits");
    assert_eq!(
        world.counts().await.total(),
        2,
        "the event is never deleted"
    );
    refusing.set(false);
    world.until_seen(6).await;
    worker.stop().await;
    assert_eq!(world.dead().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_is_refused_for_long_drives_no_receive_count_toward_the_native_backstop() {
    let world = world_with(
        |call| match call.action.as_str() {
            "SendMessageBatch" if call.is_to_the_internal_queue() => Fault::Answer(
                200,
                r#"{"Failed":[{"Id":"0","Code":"InvalidMessageContents","Message":"no","SenderFault":true}]}"#.to_owned(),
            ),
            _ => Fault::None,
        },
        |s| Reply::Status(if number(s) == 1 { 500 } else { 200 }),
    )
    .await;
    world.send("EventSetup_1", 1..=2).await;
    let worker = world.start();
    world.until_seen(4).await;
    pass(12 * 3600).await;
    let summary = worker.stop().await;
    assert_eq!(summary.attempts, 4);
    assert!(
        summary.received < 2 * 30,
        "{} receives of two messages in half a day",
        summary.received
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_that_the_internal_queue_rejects_holds_that_group_and_stops_nobody_else() {
    let world = world_with(
        |call| match call.action.as_str() {
            "SendMessageBatch" if call.is_to_the_internal_queue() => {
                Fault::error(400, "BatchRequestTooLong")
            }
            _ => Fault::None,
        },
        |s| Reply::Status(if number(s) == 1 { 500 } else { 200 }),
    )
    .await;
    world.send("EventSetup_1", 1..=1).await;
    let worker = world.start();
    world.until_seen(4).await;
    pass(3).await;
    assert!(worker.health.is_ready());
    world.send("EventSetup_2", 2..=2).await;
    pass(1).await;
    assert_eq!(world.receiver.seen().len(), 5);
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_internal_queue_that_denies_us_holds_the_group_of_the_dead_and_no_receive_count_runs_up()
{
    let world = world_with(
        |call| match call.action.as_str() {
            "SendMessageBatch" if call.is_to_the_internal_queue() => {
                Fault::error(403, "AccessDenied")
            }
            _ => Fault::None,
        },
        |s| Reply::Status(if number(s) == 1 { 500 } else { 200 }),
    )
    .await;
    world.send("EventSetup_1", 1..=2).await;
    let worker = world.start();
    world.until_seen(4).await;
    pass(24 * 3600).await;
    world.send("EventSetup_2", 3..=3).await;
    world.until_seen(5).await;
    let summary = worker.stop().await;
    assert_eq!(summary.attempts, 5);
    // Within 14 days, the longest that SQS keeps a message, far from the 1,000 of the native backstop.
    assert!(
        summary.received < 2 * 55,
        "{} receives in a day",
        summary.received
    );
    assert_eq!(world.counts().await.total(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_follower_received_very_often_behind_a_held_event_still_gets_its_four_attempts() {
    let denying = Switch::default();
    let switch = denying.clone();
    let world = world_with(
        move |call| match call.action.as_str() {
            "SendMessageBatch" if call.is_to_the_internal_queue() && switch.is_on() => {
                Fault::error(403, "AccessDenied")
            }
            _ => Fault::None,
        },
        |s| Reply::Status(if number(s) < 3 { 500 } else { 200 }),
    )
    .await;
    world.send("EventSetup_1", 1..=3).await;
    const BY_OTHERS: u32 = 80;
    world.others_receive(BY_OTHERS).await;
    denying.set(true);
    let worker = world.start();
    world.until_seen(4).await;
    const HOURS: u64 = 40;
    pass(HOURS * 3600).await;
    denying.set(false);
    pass(3600).await;
    let summary = worker.stop().await;
    // The head comes twice an hour; each of the two behind it came more often than it takes to be watched.
    let of_followers = summary.received - 2 * HOURS + 2 * u64::from(BY_OTHERS);
    let suspicious = u64::from(world.settings.schedule.suspicious_receives());
    assert!(of_followers > 2 * suspicious, "{of_followers} receives");
    let seen: Vec<_> = world
        .receiver
        .seen()
        .iter()
        .skip(4)
        .map(|s| (number(s), s.attempt()))
        .collect();
    assert_eq!(seen, [(2, 1), (2, 2), (2, 3), (2, 4), (3, 1)]);
    let reasons: Vec<_> = world.dead().await.iter().map(|d| d.1.reason).collect();
    assert_eq!(reasons, [Reason::Exhausted, Reason::Exhausted]);
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_of_the_internal_queue_leaves_one_dead_letter() {
    let losses = AtomicU32::new(0);
    let world = world_with(
        move |call| match call.action.as_str() {
            "SendMessageBatch"
                if call.is_to_the_internal_queue()
                    && losses.fetch_add(1, Ordering::Relaxed) < 4 =>
            {
                Fault::AnswerLost
            }
            _ => Fault::None,
        },
        |_| Reply::Status(500),
    )
    .await;
    world.send("EventSetup_1", 1..=1).await;
    world.drain().await;
    assert_eq!(world.dead().await.len(), 1);
    assert_eq!(world.receiver.seen().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn an_answer_lost_after_a_long_outage_of_the_internal_queue_leaves_one_dead_letter_too() {
    let calls = AtomicU32::new(0);
    let world = world_with(
        move |call| match call.action.as_str() {
            "SendMessageBatch" if call.is_to_the_internal_queue() => {
                match calls.fetch_add(1, Ordering::Relaxed) {
                    // Each send is three calls; by the eighth the gate is as slow as it gets.
                    0..21 => Fault::Unavailable,
                    21..24 => Fault::AnswerLost,
                    _ => Fault::None,
                }
            }
            _ => Fault::None,
        },
        |_| Reply::Status(500),
    )
    .await;
    world.send("EventSetup_1", 1..=1).await;
    world.drain().await;
    assert_eq!(world.dead().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_whose_delete_never_came_is_repeated_in_time_by_the_next_worker_whatever_the_lease()
 {
    let down = Switch::default();
    let switch = down.clone();
    let mut world = world_with(
        move |call| match call.action.as_str() {
            "DeleteMessageBatch" if switch.is_on() => Fault::Silence,
            _ => Fault::None,
        },
        |s| Reply::Status(if number(s) == 1 { 500 } else { 200 }),
    )
    .await;
    world.settings.visibility_timeout = Duration::from_secs(600);
    world.send("EventSetup_1", 1..=2).await;
    down.set(true);
    let worker = world.start();
    world.until_seen(4).await;
    worker.stop().await;
    let next = world.start();
    pass(400).await;
    down.set(false);
    pass(1000).await;
    next.stop().await;
    assert_eq!(world.dead().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_whose_delete_fails_is_not_sent_again_by_the_next_worker() {
    let (down, sends) = (Switch::default(), Arc::new(AtomicU32::new(0)));
    let (switch, count) = (down.clone(), sends.clone());
    let world = world_with(
        move |call| match call.action.as_str() {
            "DeleteMessageBatch" if switch.is_on() => Fault::Unavailable,
            "SendMessageBatch" if call.is_to_the_internal_queue() => {
                count.fetch_add(1, Ordering::Relaxed);
                Fault::None
            }
            _ => Fault::None,
        },
        |_| Reply::Status(500),
    )
    .await;
    world.send("EventSetup_1", 1..=1).await;
    down.set(true);
    let worker = world.start();
    world.until_seen(4).await;
    worker.stop().await;
    // By now SQS has forgotten the deduplication id.
    pass(400).await;
    down.set(false);
    world.drain().await;
    assert_eq!(sends.load(Ordering::Relaxed), 1);
    assert_eq!(world.dead().await.len(), 1);
    assert_eq!(world.counts().await.total(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_waited_for_room_while_the_internal_queue_went_down_receives_nothing() {
    let mut world = world_with(
        |call| match call.action.as_str() {
            "SendMessageBatch" if call.is_to_the_internal_queue() => Fault::Unavailable,
            _ => Fault::None,
        },
        |_| Reply::Status(200),
    )
    .await;
    world.settings.max_in_flight = 1;
    world.send_body("EventSetup_1", "no event").await;
    world.send("EventSetup_2", 1..=1).await;
    let worker = world.start();
    // The only place is free again once the first event could not be set aside.
    pass(4).await;
    assert!(!worker.health.is_ready());
    let summary = worker.stop().await;
    assert_eq!(summary.received, 1);
}
