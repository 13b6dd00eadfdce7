//! Replays of so many letters, and of letters that somebody names.

use letters::{Selection, take};
use queue::Outgoing;
use rig::letters::{World, native};
use tokio_util::sync::CancellationToken;

use super::{bodies, dead_letter, drained, events, finished, replay_all};

#[tokio::test(start_paused = true)]
async fn a_limit_takes_the_first_of_the_order_and_gives_the_others_back() {
    let world = World::new().await;
    world
        .send((0..20).rev().map(|n| dead_letter(&world, 1, n)).collect())
        .await;
    let selection = Selection {
        limit: Some(7),
        ..Selection::default()
    };
    let outcome = replay_all(&world, selection).await;
    assert!(finished(7)(&outcome), "{outcome:?}");
    assert_eq!(bodies(&drained(&world.source).await), events(1, 0..7));
    assert_eq!(world.counts().await.visible, 13);
}

#[tokio::test(start_paused = true)]
async fn a_limit_leaves_no_copy_behind_of_an_event_that_goes() {
    let world = World::new().await;
    let first = dead_letter(&world, 1, 0);
    let copy = Outgoing {
        deduplication_id: Some("another".to_owned()),
        ..first.clone()
    };
    world
        .send(vec![first, copy, dead_letter(&world, 1, 1)])
        .await;
    let one = || Selection {
        limit: Some(1),
        ..Selection::default()
    };
    for _ in 0..2 {
        let outcome = replay_all(&world, one()).await;
        assert!(outcome.is_complete(), "{outcome:?}");
    }
    assert_eq!(bodies(&drained(&world.source).await), events(1, 0..2));
}

#[tokio::test(start_paused = true)]
async fn an_id_that_is_not_there_is_told_and_one_beyond_the_limit_is_there() {
    let world = World::new().await;
    world
        .send((0..3).map(|n| dead_letter(&world, 1, n)).collect())
        .await;
    let ids = ["g1-0", "g1-1", "g1-9"].map(str::to_owned);
    let selection = Selection {
        limit: Some(1),
        ..Selection::of_ids(ids).unwrap()
    };
    let taken = take(&world.dead, selection, &CancellationToken::new(), |_| {})
        .await
        .unwrap();
    assert_eq!(taken.missing_ids(), ["g1-9"]);
    assert_eq!(taken.letters().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_limit_holds_behind_the_first_ten_of_a_shared_group_too() {
    let world = World::new().await;
    world
        .send((0..25).map(|n| native("EventSetup_3", n)).collect())
        .await;
    let selection = Selection {
        limit: Some(12),
        ..Selection::default()
    };
    let outcome = replay_all(&world, selection).await;
    assert!(finished(12)(&outcome), "{outcome:?}");
    assert_eq!(world.counts().await.visible, 13);
}
