//! Replays on virtual time.

mod limits;
mod shared_groups;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use delivery::{DEAD_LETTER, DeadLetter, Origin, REPLAY, Replay};
use letters::{Audit, Filter, Outcome, Selection, Target, replay, take};
use queue::{Attribute, Outgoing, Queue, ReceiveOptions, Received};
use rig::letters::{Broken, World, letter, native, record};
use rig::network::Fault;
use tokio_util::sync::CancellationToken;

/// The record of event `n` of a group, as if it came from this world's source queue.
fn dead(world: &World, group: u32, n: u32) -> DeadLetter {
    let record = record(n);
    DeadLetter {
        source_queue: world.source.url().to_owned(),
        origin: Origin {
            message_id: format!("g{group}-{n}"),
            group: Some(format!("EventSetup_{group}")),
            ..record.origin
        },
        ..record
    }
}

fn dead_letter(world: &World, group: u32, n: u32) -> Outgoing {
    letter(
        &dead(world, group, n),
        &format!(r#"{{"msg_id":"g{group}-{n}"}}"#),
    )
}

/// 300 letters of group 7 and 33 or 34 of each of six others, mixed, the last to die first.
async fn five_hundred(world: &World) {
    let others = (0..200).map(|n| (n % 6 + 1, n / 6));
    let mut letters: Vec<_> = (0..300).map(|n| (7, n)).chain(others).collect();
    letters.sort_by_key(|(group, n)| std::cmp::Reverse((*n, *group)));
    let letters = letters
        .iter()
        .map(|(group, n)| dead_letter(world, *group, *n));
    world.send(letters.collect()).await;
}

fn group(name: &str) -> Selection {
    Selection {
        filter: Filter {
            group: Some(name.to_owned()),
            ..Filter::default()
        },
        ..Selection::default()
    }
}

fn audit() -> Audit {
    Audit {
        who: "night@shift".to_owned(),
        why: None,
    }
}

struct Run {
    rate: Option<NonZeroU32>,
    stop: CancellationToken,
    stop_after: Option<usize>,
}

impl Default for Run {
    fn default() -> Self {
        Self {
            rate: None,
            stop: CancellationToken::new(),
            stop_after: None,
        }
    }
}

impl Run {
    async fn replay(self, from: &Queue, selection: Selection, target: &Target) -> Outcome {
        let taken = take(from, selection, &self.stop, |_| {}).await.unwrap();
        let stop = self.stop.clone();
        let progress = |progress: letters::Progress| {
            if self.stop_after.is_some_and(|after| progress.done >= after) {
                stop.cancel();
            }
        };
        replay(taken, target, self.rate, &audit(), &self.stop, progress).await
    }
}

async fn replay_all(world: &World, selection: Selection) -> Outcome {
    let target = Target::source(world.source.clone());
    Run::default().replay(&world.dead, selection, &target).await
}

/// Everything that is in a queue, taken out, in the order of its groups.
async fn drained(queue: &Queue) -> Vec<Received> {
    let options = ReceiveOptions {
        max: 10,
        wait: Duration::ZERO,
        visibility: Duration::from_secs(30),
    };
    let mut all = Vec::new();
    loop {
        let messages = queue.receive(options).await.unwrap();
        if messages.is_empty() {
            return all;
        }
        let handles: Vec<_> = messages.iter().map(|m| m.receipt_handle.as_str()).collect();
        for deleted in queue.delete_batch(&handles).await.unwrap() {
            deleted.unwrap();
        }
        all.extend(messages);
    }
}

fn bodies(messages: &[Received]) -> Vec<String> {
    let body = |message: &Received| String::from_utf8_lossy(&message.body).into_owned();
    messages.iter().map(body).collect()
}

fn events(group: u32, numbers: impl Iterator<Item = u32>) -> Vec<String> {
    numbers
        .map(|n| format!(r#"{{"msg_id":"g{group}-{n}"}}"#))
        .collect()
}

fn finished(done: usize) -> impl Fn(&Outcome) -> bool {
    move |outcome| outcome.done == done && outcome.is_complete() && outcome.kept == 0
}

#[tokio::test(start_paused = true)]
async fn the_300_letters_of_one_group_go_back_in_order_and_the_other_200_stay() {
    let world = World::new().await;
    five_hundred(&world).await;
    let outcome = replay_all(&world, group("EventSetup_7")).await;
    assert!(finished(300)(&outcome), "{outcome:?}");
    assert_eq!(world.counts().await.visible, 200);
    let replayed = drained(&world.source).await;
    assert_eq!(bodies(&replayed), events(7, 0..300));
    assert!(
        replayed
            .iter()
            .all(|m| m.group.as_deref() == Some("EventSetup_7"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_replay_carries_its_first_life_and_its_attributes() {
    let world = World::new().await;
    world.send(vec![dead_letter(&world, 7, 3)]).await;
    let letters = drained_letters(&world).await;
    let outcome = replay_all(&world, Selection::default()).await;
    assert!(finished(1)(&outcome), "{outcome:?}");
    let replayed = drained(&world.source).await.remove(0);
    let carried = Replay::parse(replayed.text_attribute(REPLAY).unwrap()).unwrap();
    assert_eq!(carried, Replay::of(dead(&world, 7, 3)));
    assert_eq!(replayed.text_attribute("event"), Some("talent_created"));
    assert_eq!(replayed.text_attribute(DEAD_LETTER), None);
    assert_eq!(replayed.deduplication_id, Some(format!("{}~r", letters[0])));
}

/// The MessageIds in the internal queue; they stay there.
async fn drained_letters(world: &World) -> Vec<String> {
    let stop = CancellationToken::new();
    let taken = take(&world.dead, Selection::default(), &stop, |_| {})
        .await
        .unwrap();
    let ids = taken
        .letters()
        .iter()
        .map(|letter| letter.message.message_id.clone());
    let ids = ids.collect();
    assert_eq!(taken.give_back().await, 0);
    ids
}

#[tokio::test(start_paused = true)]
async fn what_is_not_selected_is_there_for_others_while_the_replay_runs() {
    let world = World::new().await;
    five_hundred(&world).await;
    let stop = CancellationToken::new();
    let taken = take(&world.dead, group("EventSetup_7"), &stop, |_| {})
        .await
        .unwrap();
    let counts = world.counts().await;
    assert_eq!((counts.visible, counts.not_visible), (200, 300));
    assert_eq!(taken.letters().len(), 300);
    assert_eq!(taken.give_back().await, 0);
    assert_eq!(world.counts().await.visible, 500);
}

#[tokio::test(start_paused = true)]
async fn behind_a_letter_that_fails_its_group_waits_and_others_go() {
    let world = World::new().await;
    let elsewhere = DeadLetter {
        source_queue: "https://sqs/1/other.fifo".to_owned(),
        ..dead(&world, 1, 2)
    };
    let mut letters: Vec<_> = (0..5).map(|n| dead_letter(&world, 1, n)).collect();
    letters[2] = letter(&elsewhere, r#"{"msg_id":"g1-2"}"#);
    letters.extend((0..5).map(|n| dead_letter(&world, 2, n)));
    world.send(letters).await;
    let outcome = replay_all(&world, Selection::default()).await;
    assert_eq!(
        (outcome.done, outcome.failures.len(), outcome.left()),
        (7, 1, 2)
    );
    assert_eq!(outcome.failures[0].id, "g1-2");
    let mut sent = bodies(&drained(&world.source).await);
    sent.sort();
    assert_eq!(sent, [events(1, 0..2), events(2, 0..5)].concat());
    assert_eq!(world.counts().await.visible, 3);
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_cannot_be_reached_ends_a_replay_and_everything_is_given_back() {
    let world = World::new().await;
    world
        .send((0..20).map(|n| dead_letter(&world, 1, n)).collect())
        .await;
    let broken = world.breaking_source("SendMessageBatch", 5).await;
    let outcome = Run::default()
        .replay(&world.dead, Selection::default(), &Target::source(broken))
        .await;
    assert_eq!((outcome.done, outcome.left()), (5, 15));
    let why = outcome.halted.clone().unwrap();
    assert!(why.contains("SendMessageBatch cannot reach SQS"), "{why}");
    assert_eq!(world.counts().await.visible, 15);
    assert_eq!(bodies(&drained(&world.source).await), events(1, 0..5));
    let outcome = replay_all(&world, Selection::default()).await;
    assert!(finished(15)(&outcome), "{outcome:?}");
    assert_eq!(bodies(&drained(&world.source).await), events(1, 5..20));
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_fails_for_a_while_costs_neither_order_nor_a_letter() {
    let world = World::new().await;
    world
        .send((0..20).map(|n| dead_letter(&world, 1, n)).collect())
        .await;
    let broken = |action, calls| Broken {
        action,
        calls,
        how: Fault::Lost,
    };
    let source = broken("SendMessageBatch", 5..12);
    let source = world.broken_way_to(&world.source, source).await;
    let dead = broken("DeleteMessageBatch", 9..16);
    let dead = world.broken_way_to(&world.dead, dead).await;
    let outcome = Run::default()
        .replay(&dead, Selection::default(), &Target::source(source))
        .await;
    assert!(finished(20)(&outcome), "{outcome:?}");
    assert_eq!(bodies(&drained(&world.source).await), events(1, 0..20));
    assert_eq!(world.counts().await.total(), 0);
}

#[tokio::test(start_paused = true)]
async fn letters_that_cannot_be_deleted_are_told_and_a_repetition_within_five_minutes_sends_none_twice()
 {
    let world = World::new().await;
    world
        .send((1..4).map(|group| dead_letter(&world, group, 0)).collect())
        .await;
    let broken = world.breaking("DeleteMessageBatch", 0).await;
    let target = Target::source(world.source.clone());
    let outcome = Run::default()
        .replay(&broken, Selection::default(), &target)
        .await;
    assert_eq!((outcome.done, outcome.not_removed.len()), (3, 3));
    assert!(!outcome.is_complete());
    assert_eq!(world.counts().await.visible, 3, "given back");
    let outcome = replay_all(&world, Selection::default()).await;
    assert!(finished(3)(&outcome), "{outcome:?}");
    let mut sent = bodies(&drained(&world.source).await);
    sent.sort();
    assert_eq!(sent, [1, 2, 3].map(|group| events(group, 0..1)).concat());
}

#[tokio::test(start_paused = true)]
async fn a_replay_sends_no_more_while_what_it_sent_cannot_be_deleted() {
    let world = World::new().await;
    world
        .send((0..100).map(|n| dead_letter(&world, 1, n)).collect())
        .await;
    let broken = world.breaking("DeleteMessageBatch", 0).await;
    let target = Target::source(world.source.clone());
    let outcome = Run::default()
        .replay(&broken, Selection::default(), &target)
        .await;
    let why = outcome.halted.clone().unwrap();
    assert!(why.contains("DeleteMessageBatch"), "{why}");
    assert!(outcome.done <= 2, "{outcome:?}");
    assert_eq!(outcome.not_removed.len(), outcome.done);
    assert_eq!(world.counts().await.visible, 100);
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_replay_leaves_nothing_half_done_and_goes_on_where_it_stopped() {
    let world = World::new().await;
    five_hundred(&world).await;
    let target = Target::source(world.source.clone());
    let run = Run {
        stop_after: Some(120),
        ..Run::default()
    };
    let outcome = run
        .replay(&world.dead, group("EventSetup_7"), &target)
        .await;
    assert!(outcome.stopped);
    assert_eq!((outcome.done, outcome.left()), (120, 180));
    let counts = world.counts().await;
    assert_eq!((counts.visible, counts.not_visible), (380, 0));
    let outcome = replay_all(&world, group("EventSetup_7")).await;
    assert!(finished(180)(&outcome), "{outcome:?}");
    assert_eq!(bodies(&drained(&world.source).await), events(7, 0..300));
}

#[tokio::test(start_paused = true)]
async fn a_slow_replay_keeps_its_leases() {
    let world = World::new().await;
    world
        .send((0..500).map(|n| dead_letter(&world, 1, n)).collect())
        .await;
    let target = Target::source(world.source.clone());
    let run = Run {
        rate: NonZeroU32::new(1),
        ..Run::default()
    };
    let began = tokio::time::Instant::now();
    let outcome = run.replay(&world.dead, Selection::default(), &target).await;
    assert!(finished(500)(&outcome), "{outcome:?}");
    assert!(
        began.elapsed() >= Duration::from_secs(499),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(bodies(&drained(&world.source).await), events(1, 0..500));
}

#[tokio::test(start_paused = true)]
async fn an_event_that_lies_there_twice_is_sent_once_and_both_letters_go() {
    let world = World::new().await;
    let first = dead_letter(&world, 1, 0);
    let copy = Outgoing {
        deduplication_id: Some("another".to_owned()),
        ..first.clone()
    };
    world
        .send(vec![first, copy, dead_letter(&world, 1, 1)])
        .await;
    let outcome = replay_all(&world, Selection::default()).await;
    assert!(finished(3)(&outcome), "{outcome:?}");
    assert_eq!(bodies(&drained(&world.source).await), events(1, 0..2));
    assert_eq!(world.counts().await.total(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_letter_of_another_queue_goes_only_where_somebody_says() {
    let world = World::new().await;
    world
        .send(vec![letter(&record(0), r#"{"msg_id":"e-0"}"#)])
        .await;
    let outcome = replay_all(&world, Selection::default()).await;
    assert_eq!((outcome.done, outcome.failures.len()), (0, 1));
    let why = &outcome.failures[0].why;
    assert_eq!(why, "it came from another queue, https://sqs/events.fifo");
    let worded = Target::source(world.source.clone()).worded(|why| format!("{why}: wait"));
    let outcome = Run::default()
        .replay(&world.dead, Selection::default(), &worded)
        .await;
    let why = &outcome.failures[0].why;
    assert!(why.ends_with("/events.fifo: wait"), "{why}");
    let target = Target::named(world.source.clone());
    let outcome = Run::default()
        .replay(&world.dead, Selection::default(), &target)
        .await;
    assert!(finished(1)(&outcome), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn a_letter_without_a_readable_record_is_left_where_it_is() {
    let world = World::new().await;
    let broken = Outgoing {
        attributes: BTreeMap::from([(DEAD_LETTER.to_owned(), Attribute::string("{"))]),
        ..dead_letter(&world, 1, 0)
    };
    world.send(vec![broken]).await;
    let outcome = replay_all(&world, Selection::default()).await;
    assert_eq!((outcome.done, outcome.failures.len()), (0, 1));
    let why = &outcome.failures[0].why;
    assert!(
        why.ends_with("its group and its history are unknown"),
        "{outcome:?}"
    );
    assert_eq!(world.counts().await.visible, 1);
}

#[tokio::test(start_paused = true)]
async fn letters_whose_leases_are_over_are_not_sent() {
    let world = World::new().await;
    world
        .send((0..3).map(|n| dead_letter(&world, 1, n)).collect())
        .await;
    let stop = CancellationToken::new();
    let taken = take(&world.dead, Selection::default(), &stop, |_| {})
        .await
        .unwrap();
    tokio::time::advance(letters::TAKE_LEASE).await;
    let target = Target::source(world.source.clone());
    let outcome = replay(taken, &target, None, &audit(), &stop, |_| {}).await;
    assert_eq!(
        (outcome.done, outcome.failures.len(), outcome.left()),
        (0, 1, 2)
    );
    assert!(outcome.failures[0].why.contains("lease"), "{outcome:?}");
    assert_eq!(drained(&world.source).await.len(), 0);
    assert_eq!(world.counts().await.visible, 3);
}

#[tokio::test(start_paused = true)]
async fn letters_stay_held_while_a_person_thinks() {
    let world = World::new().await;
    world
        .send((0..3).map(|n| dead_letter(&world, 1, n)).collect())
        .await;
    let stop = CancellationToken::new();
    let mut taken = take(&world.dead, Selection::default(), &stop, |_| {})
        .await
        .unwrap();
    tokio::select! {
        () = taken.hold() => unreachable!("it holds until it is dropped"),
        () = tokio::time::sleep(Duration::from_secs(3600)) => {}
    }
    assert_eq!(world.counts().await.not_visible, 3);
    let target = Target::source(world.source.clone());
    let outcome = replay(taken, &target, None, &audit(), &stop, |_| {}).await;
    assert!(finished(3)(&outcome), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn a_letter_with_ten_attributes_keeps_its_events_name() {
    let world = World::new().await;
    let names = (0..9).map(|n| format!("a{n}"));
    let names = names.chain(["event".to_owned()]);
    let full = Outgoing {
        attributes: names.map(|name| (name, Attribute::string("x"))).collect(),
        ..native("EventSetup_3", 0)
    };
    world.send(vec![full]).await;
    let outcome = replay_all(&world, Selection::default()).await;
    assert!(finished(1)(&outcome), "{outcome:?}");
    let replayed = drained(&world.source).await.remove(0);
    assert_eq!(replayed.attributes.len(), 10);
    assert!(replayed.text_attribute(REPLAY).is_some());
    assert_eq!(replayed.text_attribute("event"), Some("x"));
}

#[tokio::test(start_paused = true)]
async fn large_bodies_go_in_calls_that_sqs_takes() {
    let world = World::new().await;
    let fill = "x".repeat(300 * 1024);
    for group in 0..8 {
        let body = format!(r#"{{"msg_id":"g{group}","fill":"{fill}"}}"#);
        world
            .send(vec![letter(&dead(&world, group, 0), &body)])
            .await;
    }
    let outcome = replay_all(&world, Selection::default()).await;
    assert!(finished(8)(&outcome), "{outcome:?}");
}
