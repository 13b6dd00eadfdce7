//! What the attempt ledger costs: how often a worker calls it, and for what.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use delivery::Record;
use event::Timestamp;
use store::{Backend, BoxFuture, Key, Ledger, LedgerError, Note, NoteKey, Seen, SeenNote};

use crate::world::{self, Reply, World, number};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    Read,
    Write,
    Forget,
    Check,
}

/// Keeps records in memory and writes every call down; the looks for what has expired and for groups in which others
/// buried an event, once a while whatever happens, are left out.
struct Counting {
    inner: Arc<dyn Backend>,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Counting {
    fn note(&self, call: Call) {
        self.calls.lock().unwrap().push(call);
    }
}

impl Backend for Counting {
    fn read<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Seen>, LedgerError>> {
        self.note(Call::Read);
        self.inner.read(key)
    }

    fn write<'a>(
        &'a self,
        key: &'a Key,
        replaces: Option<i64>,
        record: &'a Record,
        now: Timestamp,
        expires: Timestamp,
    ) -> BoxFuture<'a, Result<Option<i64>, LedgerError>> {
        self.note(Call::Write);
        self.inner.write(key, replaces, record, now, expires)
    }

    fn forget<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<(), LedgerError>> {
        self.note(Call::Forget);
        self.inner.forget(keys)
    }

    fn read_note<'a>(
        &'a self,
        key: &'a NoteKey,
    ) -> BoxFuture<'a, Result<Option<SeenNote>, LedgerError>> {
        if let NoteKey::Group { .. } = key {
            self.note(Call::Read);
        }
        self.inner.read_note(key)
    }

    fn write_note<'a>(
        &'a self,
        key: &'a NoteKey,
        replaces: Option<i64>,
        note: &'a Note,
        now: Timestamp,
        expires: Timestamp,
    ) -> BoxFuture<'a, Result<Option<i64>, LedgerError>> {
        self.note(Call::Write);
        self.inner.write_note(key, replaces, note, now, expires)
    }

    fn expire(&self, before: Timestamp) -> BoxFuture<'_, Result<usize, LedgerError>> {
        self.inner.expire(before)
    }

    fn check(&self) -> BoxFuture<'_, Result<(), LedgerError>> {
        self.note(Call::Check);
        self.inner.check()
    }
}

/// A world whose receiver answers so, and what its ledger is asked.
async fn world_with(
    script: impl Fn(&world::Seen) -> Reply + Send + Sync + 'static,
) -> (World, Arc<Mutex<Vec<Call>>>) {
    let mut world = World::new(script).await;
    let calls = Arc::default();
    let counting = Counting {
        inner: store::in_memory().unwrap(),
        calls: Arc::clone(&calls),
    };
    world.ledger = Ledger::over(Arc::new(counting), Duration::from_secs(345_600));
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
