//! What one worker does is known to the next one, whichever of them writes first and whatever answers are lost.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use delivery::{Record, RecordState};
use rig::Switch;
use rig::ledger;
use rig::network::{Call, Fault};
use store::{Key, Ledger, LedgerError};

use crate::world::faults::{pass, world_with};
use crate::world::{Reply, Seen, World, about};

/// A ledger with this fault in the first write that says so.
fn faulty(
    fault: impl Fn(&Record) -> ledger::Fault + Send + Sync + 'static,
    of: fn(&RecordState) -> bool,
) -> Ledger {
    let was_made = AtomicBool::new(false);
    ledger::breakable(move |call| match call {
        ledger::Call::Write(record) if of(&record.state) && !was_made.swap(true, Relaxed) => {
            fault(record)
        }
        _ => ledger::Fault::None,
    })
}

fn answer_lost(_: &Record) -> ledger::Fault {
    ledger::Fault::AnswerLost(LedgerError::Unusable {
        ledger: "a table".to_owned(),
        message: "no answer".to_owned(),
    })
}

/// Another worker says first that the event is done.
fn comes_second(record: &Record) -> ledger::Fault {
    ledger::Fault::ComesSecond(Record {
        state: RecordState::Done,
        ..record.clone()
    })
}

#[tokio::test(start_paused = true)]
async fn a_record_whose_answer_was_lost_is_known_as_ours_and_the_wait_is_spent_hidden() {
    let mut world = World::new(|_| Reply::Status(500)).await;
    world.ledger = faulty(answer_lost, |state| {
        matches!(state, RecordState::Waiting { .. })
    });
    world.send("EventSetup_1", 1..=1).await;
    let worker = world.start();
    world.until_seen(4).await;
    let seen = world.receiver.seen();
    let attempts: Vec<_> = seen.iter().map(Seen::attempt).collect();
    assert_eq!(attempts, [1, 2, 3, 4]);
    // Not only when the lease of two minutes is over.
    assert!(about(seen[2].at, 60), "{:?}", seen[2].at);
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_event_that_another_worker_has_settled_first_is_not_set_aside() {
    let mut world = World::new(|_| Reply::Status(500)).await;
    world.ledger = faulty(comes_second, |state| {
        matches!(state, RecordState::Exhausted(_))
    });
    world.send("EventSetup_1", 1..=1).await;
    world.drain().await;
    assert!(world.dead().await.is_empty());
    assert_eq!(world.counts().await.total(), 0);
    assert_eq!(world.receiver.seen().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn an_acceptance_counts_although_another_worker_has_recorded_a_wait_meanwhile() {
    let mut world = World::new(|s| match s.at.as_secs() {
        // Longer than the lease: the event comes again, and meets a receiver that fails.
        0 => Reply::After(Duration::from_secs(50), 200),
        _ => Reply::Status(500),
    })
    .await;
    world.settings.visibility_timeout = Duration::from_secs(40);
    world.settings.shutdown_grace = Duration::from_secs(60);
    world.send("EventSetup_1", 1..=1).await;
    let first = world.start();
    world.until_seen(1).await;
    // It finishes its attempt and receives no more.
    first.stop.cancel();
    pass(25).await;
    let second = world.start();
    pass(120).await;
    second.stop().await;
    first.stop().await;
    let attempts: Vec<_> = world.receiver.seen().iter().map(Seen::attempt).collect();
    assert_eq!(attempts, [1, 1, 2]);
    assert_eq!(world.counts().await.total(), 0);
    assert!(world.dead().await.is_empty());
}

/// A world of one event in which deletes meet this while the switch is on.
async fn deletes_that_meet(fault: fn() -> Fault) -> (World, Key, Switch) {
    let down = Switch::default();
    let switch = down.clone();
    let decide = move |call: &Call| match call.action.as_str() {
        "DeleteMessageBatch" if switch.is_on() => fault(),
        _ => Fault::None,
    };
    let world = world_with(decide, |_| Reply::Status(200)).await;
    let message_id = world.send_body("EventSetup_1", "{\"n\":1}").await;
    down.set(true);
    let key = Key {
        queue: world.source.url().to_owned(),
        message_id,
        group: Some("EventSetup_1".to_owned()),
    };
    (world, key, down)
}

#[tokio::test(start_paused = true)]
async fn an_accepted_event_whose_handle_has_expired_is_deleted_without_a_post_by_the_next_worker() {
    let (world, _, expired) = deletes_that_meet(|| Fault::Refused("ReceiptHandleIsInvalid")).await;
    let worker = world.start();
    world.until_seen(1).await;
    pass(1).await;
    worker.stop().await;
    expired.set(false);
    world.drain().await;
    assert_eq!(world.receiver.seen().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_delete_that_is_not_answered_for_two_seconds_is_noted_for_a_worker_that_dies() {
    let (world, key, down) = deletes_that_meet(|| Fault::Silence).await;
    let worker = world.start();
    world.until_seen(1).await;
    pass(2).await;
    let noted = world.ledger.read(&key).await.unwrap();
    assert_eq!(noted.unwrap().record.state, RecordState::Done);
    down.set(false);
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_is_not_ready_for_as_long_as_the_internal_queue_is_down() {
    let down = Switch::default();
    let switch = down.clone();
    let decide = move |call: &Call| {
        if call.is_to_the_internal_queue() && switch.is_on() {
            Fault::Unavailable
        } else {
            Fault::None
        }
    };
    let world = world_with(decide, |_| Reply::Status(500)).await;
    world.send("EventSetup_1", 1..=1).await;
    down.set(true);
    let worker = world.start();
    world.until_seen(4).await;
    pass(10).await;
    for second in 0..300 {
        assert!(!worker.health.is_ready(), "after {second} s");
        pass(1).await;
    }
    down.set(false);
    pass(300).await;
    assert!(worker.health.is_ready());
    worker.stop().await;
    assert_eq!(world.dead().await.len(), 1);
}
