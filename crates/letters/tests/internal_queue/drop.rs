//! Drops on virtual time.

use letters::{Audit, LetterFile, Outcome, Selection, drop_letters, take};
use queue::Queue;
use rig::letters::{World, letter, native, record};
use tokio_util::sync::CancellationToken;

async fn drop_all(queue: &Queue, file: LetterFile, stop_after: usize) -> Outcome {
    let stop = CancellationToken::new();
    let taken = take(queue, Selection::default(), &stop, |_| {}).await;
    let audit = Audit {
        who: "night@shift".to_owned(),
        why: Some("tests".to_owned()),
    };
    let progress = |progress: letters::Progress| {
        if progress.done >= stop_after {
            stop.cancel();
        }
    };
    drop_letters(taken.unwrap(), file, &audit, &stop, progress).await
}

fn new_file(home: &tempfile::TempDir) -> LetterFile {
    LetterFile::create(&home.path().join("dropped.jsonl")).unwrap()
}

/// The ids of the letters in the file, in its order.
fn ids_in_file(home: &tempfile::TempDir) -> Vec<String> {
    let text = std::fs::read_to_string(home.path().join("dropped.jsonl")).unwrap();
    let id = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        line["id"].as_str().unwrap().to_owned()
    };
    text.lines().map(id).collect()
}

fn origins(numbers: std::ops::Range<u32>) -> Vec<String> {
    numbers.map(|n| format!("origin-{n}")).collect()
}

#[tokio::test(start_paused = true)]
async fn what_is_dropped_is_in_the_file_and_no_longer_in_the_queue() {
    let (world, home) = (World::new().await, tempfile::tempdir().unwrap());
    world.send_dead_events(35).await;
    let outcome = drop_all(&world.dead, new_file(&home), usize::MAX).await;
    assert_eq!(outcome.done, 35);
    assert!(outcome.is_complete());
    assert_eq!(ids_in_file(&home), origins(0..35));
    assert_eq!(world.counts().await.total(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_drop_that_is_stopped_leaves_the_rest_in_the_queue() {
    let (world, home) = (World::new().await, tempfile::tempdir().unwrap());
    world.send_dead_events(35).await;
    let outcome = drop_all(&world.dead, new_file(&home), 20).await;
    assert!(outcome.stopped);
    assert_eq!((outcome.done, outcome.left()), (20, 15));
    assert_eq!(ids_in_file(&home), origins(0..20));
    let counts = world.counts().await;
    assert_eq!((counts.visible, counts.not_visible), (15, 0));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_deleted_is_told_and_is_in_both_places() {
    let (world, home) = (World::new().await, tempfile::tempdir().unwrap());
    world.send_dead_events(3).await;
    let broken = world.breaking("DeleteMessageBatch", 0).await;
    let outcome = drop_all(&broken, new_file(&home), usize::MAX).await;
    assert_eq!((outcome.done, outcome.not_removed.len()), (3, 3));
    assert_eq!(ids_in_file(&home), origins(0..3));
    assert_eq!(world.counts().await.visible, 3);
}

#[tokio::test(start_paused = true)]
async fn a_group_that_the_native_redrive_filled_is_dropped_to_its_end() {
    let (world, home) = (World::new().await, tempfile::tempdir().unwrap());
    let mut letters: Vec<_> = (0..25).map(|n| native("EventSetup_3", n)).collect();
    letters.push(letter(&record(0), "{}"));
    world.send(letters).await;
    let outcome = drop_all(&world.dead, new_file(&home), usize::MAX).await;
    assert_eq!(outcome.done, 26, "{outcome:?}");
    assert!(outcome.is_complete());
    assert_eq!(ids_in_file(&home).len(), 26);
    assert_eq!(world.counts().await.total(), 0);
}
