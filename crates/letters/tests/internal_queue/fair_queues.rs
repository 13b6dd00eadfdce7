//! Letters of a standard queue whose messages have a group (fair queues): the group is a tenant, and orders nothing.

use std::time::Duration;

use delivery::{DeadLetter, Origin};
use letters::{Audit, Delivered, Outcome, Preview, Selection, Target, replay, take};
use queue::admin::Kind;
use queue::{Outgoing, Queue, ReceiveOptions, Received};
use rig::letters::{World, letter, native, record};
use tokio_util::sync::CancellationToken;

const TENANT: &str = "tenant-A";

/// The record of event `n` of the tenant, which came from this queue.
fn dead(source_queue: &str, n: u32) -> DeadLetter {
    let record = record(n);
    DeadLetter {
        source_queue: source_queue.to_owned(),
        origin: Origin {
            message_id: format!("a-{n}"),
            sequence_number: None,
            deduplication_id: None,
            group: Some(TENANT.to_owned()),
            ..record.origin
        },
        ..record
    }
}

/// As the worker sends it to a standard internal queue.
fn dead_letter(source_queue: &str, n: u32) -> Outgoing {
    Outgoing {
        group: None,
        deduplication_id: None,
        ..letter(&dead(source_queue, n), &format!("{{\"n\":{n}}}"))
    }
}

async fn replay_all(world: &World) -> Outcome {
    let stop = CancellationToken::new();
    let target = Target::source(world.source.clone());
    let taken = take(&world.dead, Selection::default(), &stop, |_| {})
        .await
        .unwrap();
    let preview = Preview::of(taken.letters(), &target, &Delivered::default());
    assert!(preview.warnings.is_empty(), "{preview:?}");
    assert!(taken.report().remarks().is_empty());
    let audit = Audit {
        who: "night@shift".to_owned(),
        why: None,
    };
    replay(taken, &target, None, &audit, &stop, |_| {}).await
}

async fn received(queue: &Queue) -> Vec<Received> {
    let options = ReceiveOptions {
        max: 10,
        wait: Duration::ZERO,
        visibility: Duration::from_secs(30),
    };
    queue.receive(options).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_replay_keeps_the_tenant() {
    let world = World::of(Kind::Standard).await;
    let source = world.source.url();
    let moved = Outgoing {
        deduplication_id: None,
        ..native(TENANT, 9)
    };
    world.send(vec![dead_letter(source, 1), moved]).await;
    let outcome = replay_all(&world).await;
    assert_eq!((outcome.done, outcome.left()), (2, 0));
    let messages = received(&world.source).await;
    assert_eq!(messages.len(), 2);
    for message in messages {
        assert_eq!(message.group.as_deref(), Some(TENANT));
    }
}

#[tokio::test(start_paused = true)]
async fn a_letter_that_fails_holds_no_other_of_its_tenant() {
    let world = World::of(Kind::Standard).await;
    let source = world.source.url();
    let letters = (0..4).map(|n| match n {
        0 => dead_letter("https://sqs/1/other", n),
        n => dead_letter(source, n),
    });
    world.send(letters.collect()).await;
    let outcome = replay_all(&world).await;
    assert_eq!((outcome.done, outcome.failures.len()), (3, 1));
    assert_eq!(outcome.left(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_letter_that_the_native_redrive_moved_is_of_the_time_it_was_sent_and_hides_none() {
    let world = World::of(Kind::Standard).await;
    let moved = (0..12).map(|n| Outgoing {
        deduplication_id: None,
        ..native(TENANT, n)
    });
    world.send(moved.collect()).await;
    let stop = CancellationToken::new();
    let taken = take(&world.dead, Selection::default(), &stop, |_| {})
        .await
        .unwrap();
    assert_eq!(taken.letters().len(), 12);
    for letter in taken.letters() {
        assert_eq!(
            (letter.group(), letter.ordered_group()),
            (Some(TENANT), None)
        );
        assert_eq!(letter.shared_group(), None);
        assert_eq!(letter.sent_at(), Some(letter.message.sent_at));
        assert_eq!(letter.dead_at(), None);
    }
    assert!(taken.report().remarks().is_empty());
    taken.give_back().await;
}
