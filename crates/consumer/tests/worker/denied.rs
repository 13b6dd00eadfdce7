//! A call that AWS refuses is said once, as an error that names the permission, and loses nothing.

use std::sync::Arc;
use std::time::Duration;

use delivery::{Record, RetrySchedule, ScheduleSettings};
use event::Timestamp;
use rig::Switch;
use rig::network::{Call, Fault};
use store::{
    Backend, BoxFuture, Key, Ledger, LedgerError, Note, NoteKey, Seen as Stored, SeenNote,
};

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
        move |call| match call.action == action && which(call) && switch.is_on() {
            true => refusal(),
            false => Fault::None,
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
    let refused = Denying {
        inner: store::in_memory().unwrap(),
        action,
        refusing,
    };
    Ledger::over(Arc::new(refused), Duration::from_secs(345_600))
}

struct Denying {
    inner: Arc<dyn Backend>,
    action: &'static str,
    refusing: Switch,
}

impl Denying {
    fn may(&self, action: &'static str) -> Result<(), LedgerError> {
        if self.action != action || !self.refusing.is_on() {
            Ok(())
        } else {
            Err(LedgerError::Denied {
                ledger: "dynamodb:attempts".to_owned(),
                action,
                code: "AccessDeniedException".to_owned(),
                message: "no".to_owned(),
            })
        }
    }
}

impl Backend for Denying {
    fn read<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Stored>, LedgerError>> {
        Box::pin(async move {
            self.may("GetItem")?;
            self.inner.read(key).await
        })
    }

    fn write<'a>(
        &'a self,
        key: &'a Key,
        replaces: Option<i64>,
        record: &'a Record,
        now: Timestamp,
        expires: Timestamp,
    ) -> BoxFuture<'a, Result<Option<i64>, LedgerError>> {
        Box::pin(async move {
            self.may("PutItem")?;
            self.inner.write(key, replaces, record, now, expires).await
        })
    }

    fn forget<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<(), LedgerError>> {
        Box::pin(async move {
            self.may("BatchWriteItem")?;
            self.inner.forget(keys).await
        })
    }

    fn read_note<'a>(
        &'a self,
        key: &'a NoteKey,
    ) -> BoxFuture<'a, Result<Option<SeenNote>, LedgerError>> {
        Box::pin(async move {
            self.may("GetItem")?;
            self.inner.read_note(key).await
        })
    }

    fn write_note<'a>(
        &'a self,
        key: &'a NoteKey,
        replaces: Option<i64>,
        note: &'a Note,
        now: Timestamp,
        expires: Timestamp,
    ) -> BoxFuture<'a, Result<Option<i64>, LedgerError>> {
        Box::pin(async move {
            self.may("PutItem")?;
            let written = self.inner.write_note(key, replaces, note, now, expires);
            written.await
        })
    }

    fn expire(&self, before: Timestamp) -> BoxFuture<'_, Result<usize, LedgerError>> {
        self.inner.expire(before)
    }

    fn check(&self) -> BoxFuture<'_, Result<(), LedgerError>> {
        Box::pin(async move {
            ["PutItem", "GetItem", "BatchWriteItem"]
                .into_iter()
                .try_for_each(|action| self.may(action))?;
            self.inner.check().await
        })
    }
}
