//! A call that AWS refuses is said once, as an error that names the permission, and loses nothing.

use std::time::Duration;

use delivery::{RetrySchedule, ScheduleSettings};
use rig::Switch;
use rig::ledger;
use rig::network::{Call, Fault};
use store::{Ledger, LedgerError};

use crate::world::faults::{pass, world_with};
use crate::world::log::Log;
use crate::world::{Reply, Seen, World, number};

fn refusal() -> Fault {
    Fault::Answer(
        403,
        r#"{"__type":"com.amazonaws.sqs#AccessDeniedException","message":"User: arn:aws:sts::1:assumed-role/task is not authorized"}"#.to_owned(),
    )
}

fn is_to_the_source(call: &Call) -> bool {
    !call.is_to_the_internal_queue()
}

/// A world in which AWS refuses a call while the switch is on: at first it does.
async fn world_denied(
    action: &'static str,
    which: fn(&Call) -> bool,
    script: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
) -> (World, Switch) {
    let denied = Switch::default();
    let switch = denied.clone();
    let world = world_with(
        move |call| {
            if call.action == action && which(call) && switch.is_on() {
                refusal()
            } else {
                Fault::None
            }
        },
        script,
    )
    .await;
    (world, denied)
}

fn the_only_error(log: &Log, permission: &str) {
    let errors = log.errors();
    assert_eq!(errors.len(), 1, "{errors:#?}");
    assert!(
        errors[0].contains(&format!("needs the permission {permission}")),
        "{errors:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_denied_receive_is_said_once() {
    let (world, denied) =
        world_denied("ReceiveMessage", is_to_the_source, |_| Reply::Status(200)).await;
    world.send("EventSetup_1", 1..=2).await;
    denied.set(true);
    let log = Log::begin();
    let worker = world.start();
    pass(3600).await;
    the_only_error(&log, "sqs:ReceiveMessage");
    assert!(!worker.health.is_ready());
    denied.set(false);
    world.until_seen(2).await;
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_denied_delete_is_said_once() {
    let (world, denied) = world_denied("DeleteMessageBatch", is_to_the_source, |_| {
        Reply::Status(200)
    })
    .await;
    world.send("EventSetup_1", 1..=2).await;
    denied.set(true);
    let log = Log::begin();
    let worker = world.start();
    pass(5 * 3600).await;
    the_only_error(&log, "sqs:DeleteMessage");
    assert_eq!(world.receiver.seen().len(), 2);
    denied.set(false);
    pass(3600).await;
    let summary = worker.stop().await;
    assert_eq!(world.counts().await.total(), 0);
    // Ten times each after their lease, then every half an hour.
    assert!(summary.received <= 2 * (10 + 12), "{summary:?}");
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_may_not_hide_says_so_once_and_receives_nothing_while_an_event_waits() {
    let (world, denied) = world_denied("ChangeMessageVisibilityBatch", is_to_the_source, |s| {
        Reply::Status(if number(s) == 1 && s.attempt() < 4 {
            500
        } else {
            200
        })
    })
    .await;
    world.send("EventSetup_1", 1..=3).await;
    denied.set(true);
    let log = Log::begin();
    let worker = world.start();
    world.until_seen(2).await;
    pass(1).await;
    assert!(!worker.health.is_ready() && worker.health.is_live());
    world.send("EventSetup_2", 4..=4).await;
    pass(58).await;
    assert_eq!(world.receiver.seen().len(), 2, "somebody waits");
    // The wait is over, then the lease.
    world.until_seen(7).await;
    the_only_error(&log, "sqs:ChangeMessageVisibility");
    let seen = world.receiver.seen();
    let of_the_first = seen.iter().filter(|s| number(s) == 1);
    let attempts: Vec<_> = of_the_first.clone().map(Seen::attempt).collect();
    assert_eq!(attempts, [1, 2, 3, 4]);
    let at: Vec<_> = of_the_first.map(|s| s.at).collect();
    assert!(at[2] - at[1] >= Duration::from_secs(60), "{at:?}");
    denied.set(false);
    pass(600).await;
    assert!(worker.health.is_ready());
    let summary = worker.stop().await;
    assert_eq!((summary.delivered, summary.dead_lettered), (4, 0));
    assert!(summary.received <= 12, "{summary:?}");
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_may_not_hide_for_long_makes_all_attempts_of_all_events_in_few_receives() {
    let (mut world, denied) =
        world_denied("ChangeMessageVisibilityBatch", is_to_the_source, |_| {
            Reply::Status(500)
        })
        .await;
    // Avaza's waits, up to the longest of some hours: many times a lease.
    let avaza = RetrySchedule::avaza();
    world.settings.schedule = RetrySchedule::new(ScheduleSettings {
        delays: avaza.delays.iter().map(|delay| *delay / 20).collect(),
        ..avaza
    })
    .unwrap();
    for setup in 1..=3 {
        let numbers = 10 * setup..=10 * setup + 1;
        world.send(&format!("EventSetup_{setup}"), numbers).await;
    }
    denied.set(true);
    let worker = world.start();
    pass(16 * 3600).await;
    let summary = worker.stop().await;
    assert_eq!(summary.dead_lettered, 6);
    let dead = world.dead().await;
    assert!(dead.iter().all(|(_, letter)| letter.attempts.len() == 14));
    // One for each visit, and for each of those ahead of it; at a thousand the native redrive takes one away.
    assert!(summary.received <= 6 * 40, "{summary:?}");
}

#[tokio::test(start_paused = true)]
async fn no_wait_is_shortened_by_a_worker_that_may_not_hide_for_a_while() {
    // Of the lease of two minutes little more than the wait is left when the second attempt has failed.
    for denied_s in [1, 30, 59, 61, 119, 300] {
        let (world, denied) =
            world_denied(
                "ChangeMessageVisibilityBatch",
                is_to_the_source,
                |s| match s.attempt() {
                    1 | 2 => Reply::After(Duration::from_secs(29), 500),
                    _ => Reply::Status(200),
                },
            )
            .await;
        world.send("EventSetup_1", 1..=2).await;
        denied.set(true);
        let worker = world.start();
        world.until_seen(2).await;
        pass(29 + denied_s).await;
        denied.set(false);
        world.until_seen(4).await;
        worker.stop().await;
        let seen = world.receiver.seen();
        let wait = seen[2].at - seen[1].at - Duration::from_secs(29);
        assert!(wait >= Duration::from_secs(60), "{wait:?}, {denied_s}");
        let numbers: Vec<_> = seen.iter().map(number).collect();
        assert_eq!(numbers[..4], [1, 1, 1, 2]);
        assert!(numbers.is_sorted(), "{numbers:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_denied_send_to_the_internal_queue_is_said_once_however_many_events_are_held_for_it() {
    let (world, denied) = world_denied("SendMessageBatch", Call::is_to_the_internal_queue, |_| {
        Reply::Status(500)
    })
    .await;
    for setup in 1..=3 {
        world
            .send(&format!("EventSetup_{setup}"), setup..=setup)
            .await;
    }
    denied.set(true);
    let log = Log::begin();
    let worker = world.start();
    pass(6 * 3600).await;
    the_only_error(&log, "sqs:SendMessage");
    assert_eq!(world.counts().await.total(), 3);
    denied.set(false);
    pass(3600).await;
    worker.stop().await;
    assert_eq!(world.dead().await.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_denied_look_at_the_counts_is_said_once_by_a_drain_that_cannot_end() {
    let (world, denied) = world_denied("GetQueueAttributes", is_to_the_source, |_| {
        Reply::Status(200)
    })
    .await;
    world.send("EventSetup_1", 1..=1).await;
    denied.set(true);
    let log = Log::begin();
    let drain = world.drain();
    let pardoned = async {
        pass(600).await;
        the_only_error(&log, "sqs:GetQueueAttributes");
        denied.set(false);
    };
    let (summary, ()) = tokio::join!(drain, pardoned);
    assert_eq!(summary.delivered, 1);
}

#[tokio::test(start_paused = true)]
async fn a_denied_look_at_the_internal_queue_is_said_once_by_a_gate_that_cannot_open() {
    let (world, denied) =
        world_denied("GetQueueAttributes", Call::is_to_the_internal_queue, |_| {
            Reply::Status(500)
        })
        .await;
    // What closes the gate is another matter: the ledger refuses one write.
    let mut world = world;
    let refusing = Switch::default();
    world.ledger = denying("PutItem", refusing.clone());
    world.send("EventSetup_1", 1..=1).await;
    refusing.set(true);
    denied.set(true);
    let log = Log::begin();
    let worker = world.start();
    pass(100).await;
    refusing.set(false);
    pass(1000).await;
    assert!(!worker.health.is_ready());
    let errors = log.errors();
    assert_eq!(errors.len(), 2, "{errors:#?}");
    assert!(errors[0].contains("dynamodb:PutItem") && errors[1].contains("sqs:GetQueueAttributes"));
    denied.set(false);
    pass(1000).await;
    assert!(worker.health.is_ready());
    worker.stop().await;
    assert_eq!(world.dead().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_denied_call_of_the_ledger_is_said_once() {
    for action in ["GetItem", "PutItem", "BatchWriteItem"] {
        let mut world =
            World::new(|s| Reply::Status(if s.attempt() < 3 { 500 } else { 200 })).await;
        let refusing = Switch::default();
        world.ledger = denying(action, refusing.clone());
        world.send("EventSetup_1", 1..=2).await;
        refusing.set(true);
        let log = Log::begin();
        let worker = world.start();
        pass(3600).await;
        the_only_error(&log, &format!("dynamodb:{action}"));
        refusing.set(false);
        pass(1000).await;
        worker.stop().await;
        assert_eq!(world.counts().await.total(), 0, "{action}");
    }
}

/// A ledger that AWS refuses one call of while a switch is on.
fn denying(action: &'static str, refusing: Switch) -> Ledger {
    ledger::breakable(move |call| {
        let is_meant = match call {
            ledger::Call::Read | ledger::Call::ReadNote(_) => action == "GetItem",
            ledger::Call::Write(_) | ledger::Call::WriteNote(_) => action == "PutItem",
            ledger::Call::Forget => action == "BatchWriteItem",
            ledger::Call::Check => true,
            ledger::Call::Expire => false,
        };
        if !is_meant || !refusing.is_on() {
            return ledger::Fault::None;
        }
        ledger::Fault::Fails(LedgerError::Denied {
            ledger: "dynamodb:attempts".to_owned(),
            action,
            code: "AccessDeniedException".to_owned(),
            message: "no".to_owned(),
        })
    })
}
