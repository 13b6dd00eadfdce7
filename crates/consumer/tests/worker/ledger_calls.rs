//! What the attempt ledger costs: how often a worker calls it, and for what.

use std::sync::{Arc, Mutex};

use rig::ledger;
use store::NoteKey;

use crate::world::{self, Reply, World, number};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    Read,
    Write,
    Forget,
    Check,
}

impl Call {
    /// The looks for what has expired and for groups in which others buried an event, once a while whatever happens,
    /// are left out.
    fn of(call: ledger::Call<'_>) -> Option<Self> {
        match call {
            ledger::Call::Read | ledger::Call::ReadNote(NoteKey::Group { .. }) => Some(Self::Read),
            ledger::Call::Write(_) | ledger::Call::WriteNote(_) => Some(Self::Write),
            ledger::Call::Forget => Some(Self::Forget),
            ledger::Call::Check => Some(Self::Check),
            ledger::Call::ReadNote(_) | ledger::Call::Expire => None,
        }
    }
}

/// A world whose receiver answers so, and what its ledger is asked.
async fn world_with(
    script: impl Fn(&world::Seen) -> Reply + Send + Sync + 'static,
) -> (World, Arc<Mutex<Vec<Call>>>) {
    let mut world = World::new(script).await;
    let calls = Arc::<Mutex<Vec<Call>>>::default();
    let seen = Arc::clone(&calls);
    world.ledger = ledger::breakable(move |call| {
        seen.lock().unwrap().extend(Call::of(call));
        ledger::Fault::None
    });
    (world, calls)
}

#[tokio::test(start_paused = true)]
async fn an_event_accepted_on_its_first_receive_costs_no_ledger_call() {
    let (world, calls) = world_with(|_| Reply::Status(200)).await;
    for group in 0..20 {
        world.send(&format!("EventSetup_{group}"), 1..=5).await;
    }
    let summary = world.drain().await;
    assert_eq!((summary.received, summary.delivered), (100, 100));
    assert_eq!(*calls.lock().unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn each_failed_visit_costs_one_write_each_later_one_a_read_and_a_burial_three_calls_more() {
    let (world, calls) = world_with(|_| Reply::Status(500)).await;
    world.send("EventSetup_1", 1..=1).await;
    let summary = world.drain().await;
    assert_eq!((summary.attempts, summary.dead_lettered), (4, 1));
    // Attempts 1 and 2 and the wait; attempts 3 and 4 and the end.
    let visits = [Call::Write, Call::Read, Call::Write];
    // The burial: the group's row, and the list of those that are watched.
    let burial = [Call::Read, Call::Write, Call::Write, Call::Forget];
    let expected = [&visits[..], &burial].concat();
    assert_eq!(*calls.lock().unwrap(), expected);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_recovers_costs_a_write_a_read_and_the_end_of_its_record() {
    let (world, calls) = world_with(|seen| match seen.attempt() {
        1 | 2 => Reply::Refused,
        _ => Reply::Status(200),
    })
    .await;
    world.send("EventSetup_1", 1..=1).await;
    assert_eq!(world.drain().await.delivered, 1);
    let expected = [Call::Write, Call::Read, Call::Forget];
    assert_eq!(*calls.lock().unwrap(), expected);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_recovers_at_once_costs_no_ledger_call() {
    let (world, calls) = world_with(|seen| match seen.attempt() {
        1 => Reply::Refused,
        _ => Reply::Status(200),
    })
    .await;
    world.send("EventSetup_1", 1..=1).await;
    assert_eq!(world.drain().await.attempts, 2);
    assert_eq!(*calls.lock().unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn events_that_wait_behind_another_cost_a_read_each_and_no_write() {
    let (world, calls) = world_with(|seen| match (number(seen), seen.attempt()) {
        (1, 1 | 2) => Reply::Status(500),
        _ => Reply::Status(200),
    })
    .await;
    world.send("EventSetup_1", 1..=4).await;
    let summary = world.drain().await;
    assert_eq!((summary.received, summary.delivered), (8, 4));
    let calls = calls.lock().unwrap();
    let count = |wanted| calls.iter().filter(|call| **call == wanted).count();
    assert_eq!(count(Call::Write), 1, "{calls:?}");
    assert_eq!(count(Call::Read), 4, "{calls:?}");
    assert_eq!(count(Call::Forget), 1, "{calls:?}");
    assert_eq!(count(Call::Check), 0, "{calls:?}");
}

#[tokio::test(start_paused = true)]
async fn an_event_that_others_received_very_often_is_watched_once_and_not_on_every_visit() {
    let (world, calls) = world_with(|_| Reply::Status(500)).await;
    world.send("EventSetup_1", 1..=1).await;
    // More often than is taken for an event that never gets a verdict.
    world.others_receive(150).await;
    let summary = world.drain().await;
    assert_eq!((summary.attempts, summary.dead_lettered), (4, 1));
    // Its first visit begins with a write. From there on only its own receives count. The burial at the end is as
    // any other.
    let first_visit = [Call::Read, Call::Write, Call::Write];
    let second_visit = [Call::Read, Call::Write];
    let burial = [Call::Read, Call::Write, Call::Write, Call::Forget];
    let expected = [&first_visit[..], &second_visit, &burial].concat();
    assert_eq!(*calls.lock().unwrap(), expected);
}
