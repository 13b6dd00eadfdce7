//! What fails between the worker, SQS and the ledger loses nothing and repeats nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use delivery::{RetrySchedule, ScheduleSettings};
use rig::Switch;
use rig::network::Fault;

use crate::world::faults::{pass, world_at_the_end_of_a_lease, world_with};
use crate::world::ledger::Breakable;
use crate::world::{Reply, Seen, World, about, n_of, number};

#[tokio::test(start_paused = true)]
async fn an_sqs_that_is_down_for_minutes_does_not_end_the_worker() {
    let down = Switch::default();
    let switch = down.clone();
    let world = world_with(
        move |call| match call.action.as_str() {
            "ReceiveMessage" if switch.is_on() => Fault::Unavailable,
            _ => Fault::None,
        },
        |_| Reply::Status(200),
    )
    .await;
    down.set(true);
    let worker = world.start();
    pass(240).await;
    assert!(!worker.health.is_ready());
    world.send("EventSetup_1", 1..=3).await;
    down.set(false);
    world.until_seen(3).await;
    assert!(worker.health.is_ready());
    worker.stop().await;
    assert_eq!(
        world.receiver.seen().iter().map(number).collect::<Vec<_>>(),
        [1, 2, 3]
    );
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_of_a_receive_does_not_hide_its_messages_until_the_lease_ends() {
    let losses = AtomicU32::new(0);
    let world = world_with(
        move |call| match call.action.as_str() {
            "ReceiveMessage" if losses.fetch_add(1, Ordering::Relaxed) == 0 => Fault::AnswerLost,
            _ => Fault::None,
        },
        |_| Reply::Status(200),
    )
    .await;
    world.send("EventSetup_1", 1..=3).await;
    world.drain().await;
    assert!(
        world
            .receiver
            .seen()
            .iter()
            .all(|s| s.at < Duration::from_secs(10)),
        "{:?}",
        world.receiver.seen()
    );
}

#[tokio::test(start_paused = true)]
async fn a_delivered_message_whose_delete_fails_is_deleted_without_a_second_post() {
    let down = Switch::default();
    let switch = down.clone();
    let world = world_with(
        move |call| match call.action.as_str() {
            "DeleteMessageBatch" if switch.is_on() => Fault::Unavailable,
            _ => Fault::None,
        },
        |_| Reply::Status(200),
    )
    .await;
    world.send("EventSetup_1", 1..=3).await;
    down.set(true);
    let worker = world.start();
    world.until_seen(3).await;
    // Until every try of the delete is over and the lease, too: the messages come again.
    pass(150).await;
    down.set(false);
    pass(150).await;
    worker.stop().await;
    assert_eq!(world.receiver.seen().len(), 3);
    assert_eq!(world.counts().await.total(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_made_before_the_lease_was_lost_is_not_made_again() {
    let (world, down) = world_at_the_end_of_a_lease().await;
    let worker = world.start();
    world.until_seen(5).await;
    down.set(false);
    worker.stop().await;
    let seen = world.receiver.seen();
    let attempts = seen.iter().filter(|s| number(s) == 4).map(Seen::attempt);
    assert_eq!(attempts.collect::<Vec<_>>(), [1, 2]);
    assert!(seen[4].at >= Duration::from_secs(120), "{:?}", seen[4].at);
}

/// One group's second event, sent once the first is accepted, arrives as soon as the delete of the first succeeds.
async fn a_delete_that_fails_at_first(fault: fn() -> Fault, failures: u32) {
    let calls = AtomicU32::new(0);
    let world = world_with(
        move |call| match call.action.as_str() {
            "DeleteMessageBatch" if calls.fetch_add(1, Ordering::Relaxed) < failures => fault(),
            _ => Fault::None,
        },
        |_| Reply::Status(200),
    )
    .await;
    world.send("EventSetup_1", 1..=1).await;
    let worker = world.start();
    world.until_seen(1).await;
    world.send("EventSetup_1", 2..=2).await;
    world.until_seen(2).await;
    worker.stop().await;
    let second = world.receiver.seen()[1].at;
    assert!(
        second < Duration::from_secs(20),
        "its group stood still: {second:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_delete_call_that_fails_is_tried_again_before_the_lease_ends() {
    // The SDK itself tries a call three times.
    a_delete_that_fails_at_first(|| Fault::Unavailable, 4).await;
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_failed_in_a_delete_batch_is_tried_again_before_the_lease_ends() {
    a_delete_that_fails_at_first(
        || {
            Fault::Answer(
                200,
                r#"{"Successful":[],"Failed":[{"Id":"0","Code":"InternalError","SenderFault":false}]}"#.to_owned(),
            )
        },
        1,
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_lane_whose_lease_cannot_be_extended_ends_without_another_post_and_repeats_nothing() {
    let down = Switch::default();
    let switch = down.clone();
    let world = world_with(
        move |call| match call.action.as_str() {
            "ChangeMessageVisibilityBatch" if switch.is_on() => Fault::Unavailable,
            _ => Fault::None,
        },
        |_| Reply::After(Duration::from_secs(29), 200),
    )
    .await;
    world.send("EventSetup_1", 1..=6).await;
    down.set(true);
    let worker = world.start();
    // Four attempts of 29 s begin with 32 s to spare of a lease of 120 s; then it would have to be extended.
    world.until_seen(5).await;
    let fifth = world.receiver.seen()[4].at;
    assert!(
        fifth >= Duration::from_secs(120),
        "the fifth waits for a lease of its own: {fifth:?}"
    );
    down.set(false);
    world.until_seen(6).await;
    worker.stop().await;
    assert_eq!(
        world.receiver.seen().iter().map(number).collect::<Vec<_>>(),
        [1, 2, 3, 4, 5, 6]
    );
}

#[tokio::test(start_paused = true)]
async fn a_ledger_that_is_down_stops_receiving_loses_nothing_and_repeats_no_attempt() {
    let mut world = World::new(|s| {
        Reply::Status(if number(s) == 1 && s.attempt() < 3 {
            500
        } else {
            200
        })
    })
    .await;
    let ledger = Breakable::under(&mut world).await;
    world.send("EventSetup_1", 1..=3).await;
    ledger.set_broken();
    let worker = world.start();
    let health = worker.health.clone();
    world.until_seen(2).await;
    pass(200).await;
    assert!(!health.is_ready() && health.is_live());
    assert_eq!(
        world.receiver.seen().len(),
        2,
        "attempts 1 and 2 could not be written down: nothing follows them"
    );
    assert_eq!(world.counts().await.total(), 3);
    ledger.mend();
    world.until_seen(5).await;
    worker.stop().await;
    let seen: Vec<_> = world
        .receiver
        .seen()
        .iter()
        .map(|s| (number(s), s.attempt()))
        .collect();
    assert_eq!(
        seen,
        [(1, 1), (1, 2), (1, 3), (2, 1), (3, 1)],
        "no attempt is made twice"
    );
    assert!(health.is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_ledger_that_was_down_for_less_than_a_wait_makes_no_attempt_forgotten() {
    let mut world = World::new(|_| Reply::Status(500)).await;
    let ledger = Breakable::under(&mut world).await;
    world.send("EventSetup_1", 1..=1).await;
    ledger.set_broken();
    let worker = world.start();
    world.until_seen(2).await;
    pass(8).await;
    ledger.mend();
    world.until_seen(4).await;
    pass(120).await;
    worker.stop().await;
    let seen = world.receiver.seen();
    let attempts: Vec<_> = seen.iter().map(Seen::attempt).collect();
    assert_eq!(attempts, [1, 2, 3, 4]);
    assert!(about(seen[2].at, 60), "{:?}", seen[2].at);
    assert_eq!(world.dead().await[0].1.attempts.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn one_record_that_cannot_be_read_holds_its_group_and_stops_nobody_else() {
    let mut world = World::new(|s| Reply::Status(if number(s) == 1 { 500 } else { 200 })).await;
    let ledger = Breakable::under(&mut world).await;
    world.send("EventSetup_1", 1..=1).await;
    let worker = world.start();
    world.until_seen(2).await;
    pass(10).await;
    ledger.execute("UPDATE attempts SET record = '{}'");
    pass(55).await;
    assert!(worker.health.is_ready());
    world.send("EventSetup_2", 2..=2).await;
    pass(1).await;
    assert_eq!(world.receiver.seen().len(), 3);
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_event_accepted_on_its_first_receive_asks_nothing_of_the_ledger() {
    let mut world = World::new(|_| Reply::Status(200)).await;
    let ledger = Breakable::under(&mut world).await;
    ledger.set_broken();
    world.send("EventSetup_1", 1..=20).await;
    let summary = world.drain().await;
    assert_eq!(summary.delivered, 20);
}

#[tokio::test(start_paused = true)]
async fn followers_received_many_times_keep_all_their_attempts() {
    // The head fails in visit after visit, and its follower is received along with it each time.
    let mut world = World::new(|s| Reply::Status(if number(s) == 1 { 500 } else { 200 })).await;
    let schedule = ScheduleSettings {
        delays: vec![Duration::from_secs(300); 13],
        ..RetrySchedule::avionte()
    };
    world.settings.schedule = RetrySchedule::new(schedule).unwrap();
    world.send("EventSetup_1", 1..=2).await;
    let summary = world.drain().await;
    assert_eq!((summary.dead_lettered, summary.delivered), (1, 1));
    let dead = world.dead().await;
    assert_eq!(n_of(&dead[0].0.body), 1);
    assert_eq!(dead[0].1.attempts.len(), 14);
}

#[tokio::test(start_paused = true)]
async fn pollers_that_a_burst_has_brought_end_when_it_is_over() {
    let receives = Arc::new(AtomicU32::new(0));
    let count = receives.clone();
    let mut world = world_with(
        move |call| {
            if call.action == "ReceiveMessage" {
                count.fetch_add(1, Ordering::Relaxed);
            }
            Fault::None
        },
        |_| Reply::After(Duration::from_secs(1), 200),
    )
    .await;
    world.settings.max_in_flight = 100;
    for setup in 1..=60 {
        world.send(&format!("EventSetup_{setup}"), 1..=10).await;
    }
    let worker = world.start();
    world.until_seen(600).await;
    pass(60).await;
    receives.store(0, Ordering::Relaxed);
    pass(100).await;
    let idle = receives.load(Ordering::Relaxed);
    worker.stop().await;
    assert!(idle <= 6, "{idle} long polls of 20 s in 100 s");
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_stops_while_the_ledger_is_down_gives_nothing_back_at_once() {
    let mut world = World::new(|s| match s.group().as_str() {
        "EventSetup_1" => Reply::After(Duration::from_secs(1), 500),
        _ => Reply::After(Duration::from_secs(7), 200),
    })
    .await;
    let ledger = Breakable::under(&mut world).await;
    world.send("EventSetup_1", 1..=1).await;
    world.send("EventSetup_2", 2..=3).await;
    ledger.set_broken();
    let worker = world.start();
    world.until_seen(3).await;
    pass(5).await;
    assert!(!worker.health.is_ready());
    worker.stop().await;
    let counts = world.counts().await;
    assert_eq!((counts.visible, counts.not_visible), (0, 2), "{counts:?}");
}

/// A worker that cannot delete what it has delivered is replaced by one that can.
async fn a_successor_after_deletes_that_meet(fault: fn() -> Fault) -> World {
    let down = Switch::default();
    let switch = down.clone();
    let world = world_with(
        move |call| match call.action.as_str() {
            "DeleteMessageBatch" if switch.is_on() => fault(),
            _ => Fault::None,
        },
        |s| {
            Reply::Status(if number(s) == 2 && s.attempt() == 1 {
                500
            } else {
                200
            })
        },
    )
    .await;
    world.send("EventSetup_1", 1..=3).await;
    down.set(true);
    let worker = world.start();
    world.until_seen(4).await;
    worker.stop().await;
    // In a process of its own it would be gone; here its last tries of the deletes must have come to nothing.
    pass(600).await;
    down.set(false);
    world.drain().await;
    world
}

#[tokio::test(start_paused = true)]
async fn a_message_whose_delete_failed_is_deleted_without_a_post_by_the_next_worker() {
    let world = a_successor_after_deletes_that_meet(|| Fault::Unavailable).await;
    let seen: Vec<_> = world.receiver.seen().iter().map(number).collect();
    assert_eq!(seen, [1, 2, 2, 3]);
    assert_eq!(world.counts().await.total(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_message_whose_delete_was_never_answered_is_not_posted_by_the_next_worker() {
    let world = a_successor_after_deletes_that_meet(|| Fault::Silence).await;
    let seen: Vec<_> = world.receiver.seen().iter().map(number).collect();
    assert_eq!(seen, [1, 2, 2, 3]);
    assert_eq!(world.counts().await.total(), 0);
}

#[tokio::test(start_paused = true)]
async fn attempts_that_the_ledger_could_not_take_are_not_made_again_by_another_worker() {
    for outage_s in [3, 30, 100, 400] {
        let mut world = World::new(|_| Reply::Status(500)).await;
        let ledger = Breakable::under(&mut world).await;
        world.send("EventSetup_1", 1..=1).await;
        ledger.set_broken();
        let first = world.start();
        world.until_seen(2).await;
        let second = world.start();
        pass(outage_s).await;
        ledger.mend();
        world.until_seen(4).await;
        pass(600).await;
        first.stop().await;
        second.stop().await;
        let attempts: Vec<_> = world.receiver.seen().iter().map(Seen::attempt).collect();
        assert_eq!(attempts, [1, 2, 3, 4], "down for {outage_s} s");
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_may_never_delete_drives_no_receive_count_toward_the_native_backstop() {
    let world = world_with(
        |call| match call.action.as_str() {
            "DeleteMessageBatch" => Fault::error(403, "AccessDenied"),
            _ => Fault::None,
        },
        |_| Reply::Status(200),
    )
    .await;
    world.send("EventSetup_1", 1..=2).await;
    let worker = world.start();
    pass(24 * 3600).await;
    let summary = worker.stop().await;
    assert_eq!(summary.attempts, 2);
    // In 14 days, the longest that SQS keeps a message, it stays under the 1,000 of the native backstop.
    let most = 2 * (20 + 50);
    assert!(
        summary.received < most,
        "{} receives in a day",
        summary.received
    );
}

#[tokio::test(start_paused = true)]
async fn one_failed_call_of_the_ledger_stops_nobody() {
    let mut world = World::new(|s| Reply::Status(if number(s) == 1 { 500 } else { 200 })).await;
    let ledger = Breakable::under(&mut world).await;
    world.send("EventSetup_1", 1..=2).await;
    let worker = world.start();
    world.until_seen(2).await;
    pass(10).await;
    ledger.set_broken();
    pass_until_the_minute(&world).await;
    ledger.mend();
    world.until_seen(5).await;
    assert!(worker.health.is_ready());
    let seen = world.receiver.seen();
    assert!(about(seen[2].at, 61), "{:?}", seen[2].at);
    worker.stop().await;
}

/// Until half a second after the wait is over: the first read of the record has failed, the second has not begun.
async fn pass_until_the_minute(world: &World) {
    let second = world.receiver.seen()[1].at;
    let due = second + Duration::from_millis(60_500);
    tokio::time::sleep(due.saturating_sub(world.receiver.now())).await;
}

/// A world whose first attempts of every event fail, and whose machine runs out of something before the second.
async fn world_that_runs_out(short: &Switch) -> World {
    let short = short.clone();
    let world = World::new(move |seen| match seen.attempt() {
        1 => Reply::Status(500),
        _ if short.is_on() => Reply::Shortage,
        _ => Reply::Status(200),
    })
    .await;
    for group in 1..=4 {
        world.send(&format!("EventSetup_{group}"), 1..=2).await;
    }
    world
}

#[tokio::test(start_paused = true)]
async fn a_shortage_of_ours_is_no_attempt_however_long_it_lasts() {
    let short = Switch::default();
    short.set(true);
    let world = world_that_runs_out(&short).await;
    let worker = world.start();
    pass(3600).await;
    assert!(!worker.health.is_ready());
    short.set(false);
    pass(600).await;
    assert!(worker.health.is_ready());
    let summary = worker.stop().await;
    assert_eq!((summary.delivered, summary.dead_lettered), (8, 0));
    // Two attempts at each event; what the shortage prevented is none.
    assert_eq!(summary.attempts, 16);
    for (group, n) in (1..=4).flat_map(|group| [(group, 1), (group, 2)]) {
        let seen = world.receiver.seen();
        let of_one = seen
            .iter()
            .filter(|s| s.group() == format!("EventSetup_{group}") && number(s) == n);
        let mut attempts = of_one.map(Seen::attempt).collect::<Vec<_>>();
        attempts.dedup();
        assert_eq!(attempts, [1, 2], "an attempt is made once and written down");
    }
}
