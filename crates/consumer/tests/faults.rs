//! What fails between the worker, SQS, the ledger and the internal queue loses nothing and repeats nothing.

mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use delivery::{Reason, RetrySchedule, ScheduleSettings};
use local_sqs::{Limits, LocalSqs};
use queue::admin::Kind;
use world::faults::{Call, Fault, with_faults};
use world::ledger::Breakable;
use world::{Reply, Seen, World, about, number};

/// A switch that a test throws while the world runs.
#[derive(Clone, Default)]
struct Switch(Arc<AtomicBool>);

impl Switch {
    fn set(&self, on: bool) {
        self.0.store(on, Ordering::Relaxed);
    }

    fn is_on(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

async fn world_with(
    decide: impl Fn(&Call) -> Fault + Send + Sync + 'static,
    script: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
) -> World {
    let local = LocalSqs::new(Limits::default());
    World::on(with_faults(local.http_client(), decide), Kind::Fifo, script).await
}

async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

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
    let worker = world.worker();
    let health = worker.health();
    let stop = tokio_util::sync::CancellationToken::new();
    let task = tokio::spawn(worker.run(consumer::Mode::Serve, stop.clone()));
    pass(240).await;
    assert!(!health.is_ready());
    world.send("EventSetup_1", 1..=3).await;
    down.set(false);
    world.until_seen(3).await;
    assert!(health.is_ready());
    stop.cancel();
    task.await.unwrap();
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
async fn an_internal_queue_that_is_down_holds_the_event_and_costs_it_no_further_post() {
    let down = Switch::default();
    let switch = down.clone();
    let world = world_with(
        move |call| match call.is_to_the_internal_queue() && switch.is_on() {
            true => Fault::Unavailable,
            false => Fault::None,
        },
        |s| Reply::Status(if number(s) == 1 { 500 } else { 200 }),
    )
    .await;
    world.send("EventSetup_1", 1..=2).await;
    down.set(true);
    let worker = world.worker();
    let health = worker.health();
    let stop = tokio_util::sync::CancellationToken::new();
    let task = tokio::spawn(worker.run(consumer::Mode::Serve, stop.clone()));
    world.until_seen(4).await;
    pass(300).await;
    assert!(!health.is_ready());
    assert_eq!(
        world.receiver.seen().len(),
        4,
        "neither the event nor its follower is POSTed meanwhile"
    );
    assert_eq!(world.counts().await.total(), 2, "nothing is lost");
    down.set(false);
    world.until_seen(5).await;
    stop.cancel();
    task.await.unwrap();
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
        move |call| match call.is_to_the_internal_queue() && switch.is_on() {
            true => Fault::Unavailable,
            false => Fault::None,
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
                r#"{"Failed":[{"Id":"0","Code":"InvalidMessageContents","Message":"no","SenderFault":true}]}"#,
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
                r#"{"Failed":[{"Id":"0","Code":"InvalidMessageContents","Message":"no","SenderFault":true}]}"#,
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
            "SendMessageBatch" if call.is_to_the_internal_queue() => Fault::Answer(
                400,
                r#"{"__type":"com.amazonaws.sqs#BatchRequestTooLong","message":"no"}"#,
            ),
            _ => Fault::None,
        },
        |s| Reply::Status(if number(s) == 1 { 500 } else { 200 }),
    )
    .await;
    world.send("EventSetup_1", 1..=1).await;
    let worker = world.worker();
    let health = worker.health();
    let stop = tokio_util::sync::CancellationToken::new();
    let task = tokio::spawn(worker.run(consumer::Mode::Serve, stop.clone()));
    world.until_seen(4).await;
    pass(3).await;
    assert!(health.is_ready());
    world.send("EventSetup_2", 2..=2).await;
    pass(1).await;
    assert_eq!(world.receiver.seen().len(), 5);
    stop.cancel();
    task.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_internal_queue_that_denies_us_is_met_ever_more_slowly_so_that_no_receive_count_runs_up()
{
    let world = world_with(
        |call| match call.action.as_str() {
            "SendMessageBatch" if call.is_to_the_internal_queue() => Fault::Answer(
                403,
                r#"{"__type":"com.amazonaws.sqs#AccessDenied","message":"no"}"#,
            ),
            _ => Fault::None,
        },
        |s| Reply::Status(if number(s) == 1 { 500 } else { 200 }),
    )
    .await;
    world.send("EventSetup_1", 1..=2).await;
    let worker = world.start();
    world.until_seen(4).await;
    pass(24 * 3600).await;
    let summary = worker.stop().await;
    assert_eq!(summary.attempts, 4);
    assert!(
        summary.received < 750,
        "{} receives in a day",
        summary.received
    );
    assert_eq!(world.counts().await.total(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_follower_received_a_hundred_times_behind_a_held_event_still_gets_its_four_attempts() {
    let denying = Switch::default();
    let switch = denying.clone();
    let world = world_with(
        move |call| match call.action.as_str() {
            "SendMessageBatch" if call.is_to_the_internal_queue() && switch.is_on() => {
                Fault::Answer(
                    403,
                    r#"{"__type":"com.amazonaws.sqs#AccessDenied","message":"no"}"#,
                )
            }
            _ => Fault::None,
        },
        |s| Reply::Status(if number(s) < 3 { 500 } else { 200 }),
    )
    .await;
    world.send("EventSetup_1", 1..=3).await;
    denying.set(true);
    let worker = world.start();
    world.until_seen(4).await;
    pass(24 * 3600).await;
    denying.set(false);
    pass(1000).await;
    worker.stop().await;
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
    let worker = world.worker();
    let health = worker.health();
    let stop = tokio_util::sync::CancellationToken::new();
    let task = tokio::spawn(worker.run(consumer::Mode::Serve, stop.clone()));
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
    stop.cancel();
    task.await.unwrap();
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
    let worker = world.worker();
    let health = worker.health();
    let stop = tokio_util::sync::CancellationToken::new();
    let task = tokio::spawn(worker.run(consumer::Mode::Serve, stop.clone()));
    world.until_seen(2).await;
    pass(10).await;
    ledger.execute("UPDATE attempts SET record = '{}'");
    pass(55).await;
    assert!(health.is_ready());
    world.send("EventSetup_2", 2..=2).await;
    pass(1).await;
    assert_eq!(world.receiver.seen().len(), 3);
    stop.cancel();
    task.await.unwrap();
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
    assert_eq!(number_of(&dead[0].0.body), 1);
    assert_eq!(dead[0].1.attempts.len(), 14);
}

fn number_of(body: &[u8]) -> u64 {
    serde_json::from_slice::<serde_json::Value>(body).unwrap()["n"]
        .as_u64()
        .unwrap()
}
