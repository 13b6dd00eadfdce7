//! Replays of letters that share a message group in the internal queue, as the native redrive leaves them.

use std::collections::BTreeMap;
use std::time::Duration;

use delivery::{DeadLetter, Origin, REPLAY, Replay};
use letters::{Filter, Selection, Target, replay, take};
use queue::{Attribute, Outgoing, Received};
use rig::letters::{START, World, letter, native};
use tokio_util::sync::CancellationToken;

use super::{Run, audit, bodies, dead, dead_letter, drained, finished, group, replay_all};

#[tokio::test(start_paused = true)]
async fn a_group_that_the_native_redrive_filled_is_replayed_to_its_end() {
    let world = World::new().await;
    let mut letters: Vec<_> = (0..25).map(|n| native("EventSetup_3", n)).collect();
    letters.extend((0..5).map(|n| dead_letter(&world, 1, n)));
    world.send(letters).await;
    let outcome = replay_all(&world, group("EventSetup_3")).await;
    assert!(finished(25)(&outcome), "{outcome:?}");
    assert_eq!(world.counts().await.visible, 5);
    let replayed = drained(&world.source).await;
    let expected: Vec<_> = (0..25)
        .map(|n| format!(r#"{{"msg_id":"n-{n}"}}"#))
        .collect();
    assert_eq!(bodies(&replayed), expected);
    let carried = Replay::parse(replayed[0].text_attribute(REPLAY).unwrap()).unwrap();
    assert_eq!(
        (carried.replays, carried.origin.group.as_deref()),
        (1, Some("EventSetup_3"))
    );
}

/// Letters of a shared group; every fifth is of another kind.
fn native_of_two_kinds(letters: u32) -> Vec<Outgoing> {
    let of_kind = |n| {
        let name = if n % 5 == 4 { "other" } else { "wanted" };
        let attributes = BTreeMap::from([("event".to_owned(), Attribute::string(name))]);
        Outgoing {
            attributes,
            ..native("EventSetup_3", n)
        }
    };
    (0..letters).map(of_kind).collect()
}

#[tokio::test(start_paused = true)]
async fn what_is_not_selected_of_a_shared_group_stays_and_hides_nothing_behind_it() {
    let world = World::new().await;
    world.send(native_of_two_kinds(35)).await;
    let wanted = Selection {
        filter: Filter {
            event: Some("wanted".to_owned()),
            ..Filter::default()
        },
        ..Selection::default()
    };
    let outcome = replay_all(&world, wanted).await;
    assert!(finished(28)(&outcome), "{outcome:?}");
    let wanted = (0..35).filter(|n| n % 5 != 4);
    let wanted: Vec<_> = wanted.map(|n| format!(r#"{{"msg_id":"n-{n}"}}"#)).collect();
    assert_eq!(bodies(&drained(&world.source).await), wanted);
    assert_eq!(world.counts().await.visible, 7);
}

#[tokio::test(start_paused = true)]
async fn behind_a_letter_that_fails_nothing_goes_that_only_becomes_visible_later() {
    let world = World::new().await;
    // It was sent after the first nine of the redrive, which come with it in one receive, and before the others.
    let elsewhere = DeadLetter {
        source_queue: "https://sqs/1/other.fifo".to_owned(),
        origin: Origin {
            sent_at: START.plus(Duration::from_secs(3600)),
            ..dead(&world, 3, 0).origin
        },
        ..dead(&world, 3, 0)
    };
    let mut letters = vec![letter(&elsewhere, r#"{"msg_id":"g3-0"}"#)];
    letters.extend((0..25).map(|n| {
        let minutes = if n < 9 { 0 } else { 120 };
        let at = START.plus(Duration::from_secs(60 * minutes + u64::from(n)));
        let id = at.deduplication_id();
        Outgoing {
            body: format!(r#"{{"msg_id":"n-{n}","MessageDeDuplicationId":"{id}"}}"#),
            ..native("EventSetup_3", n)
        }
    }));
    world.send(letters).await;
    let outcome = replay_all(&world, Selection::default()).await;
    assert_eq!((outcome.done, outcome.failures.len()), (9, 1));
    assert_eq!(drained(&world.source).await.len(), 9);
    assert_eq!(world.counts().await.visible, 17);
}

/// A letter of the native redrive, which says in its body that it was sent in second `n`.
fn native_of_second(n: u32) -> Outgoing {
    let at = START.plus(Duration::from_secs(n.into()));
    let id = at.deduplication_id();
    Outgoing {
        body: format!(r#"{{"msg_id":"g3-{n}","MessageDeDuplicationId":"{id}"}}"#),
        ..native("EventSetup_3", n)
    }
}

/// A recorded letter of the same group, sent in second `n`.
fn recorded_of_second(world: &World, n: u32) -> Outgoing {
    let record = dead(world, 3, n);
    let at = START.plus(Duration::from_secs(n.into()));
    let record = DeadLetter {
        origin: Origin {
            sent_at: at,
            ..record.origin
        },
        ..record
    };
    letter(&record, &format!(r#"{{"msg_id":"g3-{n}"}}"#))
}

fn numbers(messages: &[Received]) -> Vec<String> {
    let event = |message: &Received| event::Event::parse(&message.body).unwrap();
    messages
        .iter()
        .map(|message| event(message).msg_id().unwrap().to_owned())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn recorded_letters_wait_for_older_ones_that_a_shared_group_hides() {
    let world = World::new().await;
    let recorded = |n: &u32| [12, 24].contains(n);
    let mut letters: Vec<_> = (0..25)
        .filter(|n| !recorded(n))
        .map(native_of_second)
        .collect();
    letters.extend([12, 24].map(|n| recorded_of_second(&world, n)));
    world.send(letters).await;
    let outcome = replay_all(&world, Selection::default()).await;
    assert!(finished(25)(&outcome), "{outcome:?}");
    let expected: Vec<_> = (0..25).map(|n| format!("g3-{n}")).collect();
    assert_eq!(numbers(&drained(&world.source).await), expected);
}

#[tokio::test(start_paused = true)]
async fn a_stop_counts_the_letters_that_wait_for_hidden_ones() {
    let world = World::new().await;
    let mut letters: Vec<_> = (0..20).map(native_of_second).collect();
    letters.push(recorded_of_second(&world, 100));
    world.send(letters).await;
    let run = Run {
        stop_after: Some(5),
        ..Run::default()
    };
    let target = Target::source(world.source.clone());
    let outcome = run.replay(&world.dead, Selection::default(), &target).await;
    assert!(outcome.stopped);
    // Ten of a receive: nine of the shared group, or ten and the recorded one in the next.
    assert_eq!(outcome.done, 5);
    assert_eq!(outcome.left() + outcome.done, outcome.selected);
    assert!(outcome.left() >= 5, "{outcome:?}");
    assert_eq!(world.counts().await.visible, 16);
}

#[tokio::test(start_paused = true)]
async fn what_dies_while_a_replay_looks_behind_letters_is_left_alone() {
    let world = World::new().await;
    world
        .send((0..25).map(|n| native("EventSetup_3", n)).collect())
        .await;
    let stop = CancellationToken::new();
    let taken = take(&world.dead, Selection::default(), &stop, |_| {})
        .await
        .unwrap();
    // A replayed event that is dead again must not go round and round.
    world.send(vec![dead_letter(&world, 1, 0)]).await;
    let target = Target::source(world.source.clone());
    let outcome = replay(taken, &target, None, &audit(), &stop, |_| {}).await;
    assert!(finished(25)(&outcome), "{outcome:?}");
    assert_eq!(world.counts().await.visible, 1);
}

#[tokio::test(start_paused = true)]
async fn a_replay_ends_while_letters_of_its_groups_arrive_and_leaves_those_alone() {
    let world = World::new().await;
    world
        .send((0..25).map(|n| native("EventSetup_3", n)).collect())
        .await;
    let feed = async {
        for n in 1_000.. {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let arriving = [native("EventSetup_3", n), dead_letter(&world, 1, n)];
            world.send(arriving.to_vec()).await;
        }
    };
    let outcome = tokio::select! {
        outcome = replay_all(&world, Selection::default()) => outcome,
        () = feed => unreachable!("it feeds for ever"),
    };
    assert!(finished(25)(&outcome), "{outcome:?}");
    let left = world.counts().await;
    assert!(left.visible > 0 && left.not_visible == 0, "{left:?}");
}
