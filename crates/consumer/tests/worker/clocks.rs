//! Clocks that are off, that are set, and machines that are suspended.

use std::sync::OnceLock;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::SharedHttpClient;
use consumer::{Mode, Wiring, Worker};
use delivery::{RetrySchedule, ScheduleSettings};
use event::Timestamp;
use local_sqs::{Limits, LocalSqs};
use queue::admin::Kind;
use queue::{Clock, Queue, Sqs};
use rig::Switch;
use rig::network::{Fault, with_faults};
use tokio_util::sync::CancellationToken;

use crate::world::faults::pass;
use crate::world::{Receiver, Reply, World, about};

/// 2025-01-01, where the time of a seeded SQS starts.
const START: Timestamp = Timestamp::from_millis(1_735_689_600_000);

/// Clocks that show so much more than SQS's.
fn clock_off_by(ms: i64) -> Clock {
    let clock = Clock::virtual_from(START);
    clock.set_forward(ms);
    clock
}

/// A worker of the world on a machine of its own, whose calls go this way.
async fn worker_on(world: &World, way: SharedHttpClient, clock: &Clock) -> Worker<Receiver> {
    let sqs = Sqs::in_process_at(way, clock.clone());
    let open = async |queue: &Queue| Queue::open(&sqs, queue.url()).await.unwrap();
    let wiring = Wiring {
        source: open(&world.source).await,
        dead_letters: open(&world.dead_letters).await,
        ledger: world.ledger.clone(),
        post: world.receiver.clone(),
        clock: clock.clone(),
    };
    Worker::new(world.settings.clone(), wiring)
}

fn run(worker: Worker<Receiver>) {
    tokio::spawn(worker.run(Mode::Serve, CancellationToken::new()));
}

#[tokio::test(start_paused = true)]
async fn a_wait_whose_hide_failed_is_as_long_by_whatever_clocks_two_workers_have() {
    for (first_ms, second_ms) in [
        (0, 45_000),
        (0, -45_000),
        (45_000, 0),
        (-45_000, 0),
        (-45_000, 45_000),
        (45_000, -45_000),
    ] {
        let local = LocalSqs::seeded(Limits::default(), 1);
        let mut world = World::on(local.http_client(), Kind::Fifo, |s| match s.attempt() {
            1 | 2 => Reply::Status(500),
            _ => Reply::Status(200),
        })
        .await;
        world.settings.visibility_timeout = Duration::from_secs(40);
        // The first cannot hide, and dies.
        let dead = Switch::default();
        let switch = dead.clone();
        let way = with_faults(local.http_client(), move |call| match &*call.action {
            _ if switch.is_on() => Fault::Silence,
            "ChangeMessageVisibilityBatch" => Fault::Unavailable,
            _ => Fault::None,
        });
        let first = clock_off_by(first_ms);
        run(worker_on(&world, way, &first).await);
        pass(7).await;
        let began = world.receiver.now();
        world.send("EventSetup_1", 1..=1).await;
        world.until_seen(2).await;
        pass(1).await;
        dead.set(true);
        let second = clock_off_by(second_ms);
        // The clocks of one machine move with tokio's: it began some seconds ago.
        second.suspend(world.receiver.now());
        run(worker_on(&world, local.http_client(), &second).await);
        world.until_seen(3).await;
        let waited = world.receiver.seen()[2].at - began;
        // A clock that is known to be off costs a second or two, never the other way.
        assert!(
            waited >= Duration::from_secs(60) && waited < Duration::from_secs(65),
            "{first_ms} {second_ms}: {waited:?}"
        );
    }
}

fn schedule(delays_s: &[u64]) -> RetrySchedule {
    RetrySchedule::new(ScheduleSettings {
        delays: delays_s.iter().copied().map(Duration::from_secs).collect(),
        ..RetrySchedule::avionte()
    })
    .unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_was_suspended_makes_no_request_on_a_lease_that_ended_meanwhile() {
    let local = LocalSqs::seeded(Limits::default(), 1);
    let clock = Clock::virtual_from(START);
    let offline = Switch::default();
    let suspend = {
        let (local, clock, offline) = (local.clone(), clock.clone(), offline.clone());
        move || {
            let lasting = Duration::from_secs(300);
            local.pass(lasting);
            clock.suspend(lasting);
            // It finds no network when it wakes, so whatever it sends is by a lease from before.
            offline.set(true);
        }
    };
    let once = OnceLock::new();
    let world = World::on(local.http_client(), Kind::Fifo, move |_| {
        // The lid is closed while the first request of all is out.
        once.get_or_init(&suspend);
        Reply::Status(500)
    })
    .await;
    for group in 1..=8 {
        world.send(&format!("EventSetup_{group}"), 1..=2).await;
    }
    let way = with_faults(local.http_client(), move |_| {
        if offline.is_on() {
            Fault::Silence
        } else {
            Fault::None
        }
    });
    run(worker_on(&world, way, &clock).await);
    world.until_seen(1).await;
    pass(200).await;
    assert_eq!(world.receiver.seen().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_was_fast_and_is_set_right_lengthens_no_wait_beyond_the_schedule() {
    // Its clock learns nothing from SQS's answers.
    let mut world = World::new(|s| match s.attempt() {
        1 | 2 => Reply::Status(500),
        _ => Reply::Status(200),
    })
    .await;
    world.settings.schedule = schedule(&[0, 5, 0]);
    world.clock.set_forward(86_400_000);
    world.send("EventSetup_1", 1..=1).await;
    let running = world.start();
    world.until_seen(2).await;
    pass(1).await;
    world.clock.set_forward(-86_400_000);
    world.until_seen(3).await;
    // Hidden for five seconds, then found to be early by a day, and made to wait for five again.
    let seen = world.receiver.seen();
    assert!(about(seen[2].at - seen[1].at, 10), "{:?}", seen[2].at);
    running.stop().await;
}
