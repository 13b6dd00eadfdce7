//! Sends that are killed and go on from their checkpoint.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::path::Path;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use producer::{
    Bound, Checkpoint, InputName, Rejection, Saved, SendError, SendOptions, SendReport, StopReason,
};
use rig::network::Fault;
use tempfile::TempDir;
use tokio::time::{advance, timeout};
use tokio_util::sync::CancellationToken;

use crate::world::{World, body, lines, numbers};

/// Three groups; two lines are bad.
fn input() -> String {
    let good = lines([1, 2, 1, 1, 3, 2, 1, 3, 1, 1, 2, 1]);
    good.replacen("{\"n\":4,", "{\"n\":\n{\"n\":4,", 1) + "[]\n"
}

fn options() -> SendOptions {
    SendOptions {
        input: Some(InputName::new("events.jsonl")),
        ..SendOptions::default()
    }
}

fn checkpoint(path: &Path) -> Checkpoint {
    if let Some(saved) = Saved::open(path).unwrap() {
        return saved.go_on().unwrap();
    }
    let bound = Bound {
        queue: String::new(),
        event_setup: None,
        event: None,
        input: String::new(),
        size: 0,
        modified_ns: 0,
    };
    Checkpoint::begin(path, &bound, 1).unwrap()
}

/// One life of a producer: to its end, or until it was polled so often.
async fn live(world: &World, input: &str, path: &Path, polls: usize) -> Option<SendReport> {
    let mut checkpoint = checkpoint(path);
    let (options, stop) = (options(), CancellationToken::new());
    let sending = producer::send_checkpointed(
        &world.queue,
        input.as_bytes(),
        &options,
        Some(&mut checkpoint),
        world.clock(),
        |_| {},
        stop,
    );
    let (mut sending, mut left) = (pin!(sending), polls);
    let ended: Option<Result<SendReport, SendError>> = poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        sending.as_mut().poll(context).map(Some)
    })
    .await;
    ended.map(Result::unwrap)
}

/// Calls that take a while, before they have their effect and after.
fn slow() -> impl FnMut(&[crate::world::Asked]) -> Fault + Send + 'static {
    let mut calls = 0;
    move |_| {
        calls += 1;
        match calls % 2 {
            0 => Fault::Slow(Duration::from_millis(3)),
            _ => Fault::AnswerLate(Duration::from_millis(3)),
        }
    }
}

fn place() -> (TempDir, std::path::PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("checkpoint");
    (directory, path)
}

/// The events of each group as they lie in the queue, and the id of each.
async fn queued(world: &World) -> (Vec<Vec<u64>>, BTreeMap<u64, Vec<String>>) {
    let all = world.take_all().await;
    let groups = (1..=3).map(|setup| numbers(&all, &format!("EventSetup_{setup}")));
    let mut ids = BTreeMap::<u64, Vec<String>>::new();
    for body in all.iter().map(body) {
        let id = body["msg_id"].as_str().unwrap().to_owned();
        ids.entry(body["n"].as_u64().unwrap()).or_default().push(id);
    }
    (groups.collect(), ids)
}

async fn undisturbed() -> (Vec<Vec<u64>>, BTreeMap<u64, Vec<String>>) {
    let (world, (_directory, path)) = (World::new().await, place());
    let report = live(&world, &input(), &path, usize::MAX).await.unwrap();
    assert_eq!((report.sent, report.rejected_total), (12, 2));
    queued(&world).await
}

#[tokio::test(start_paused = true)]
async fn a_producer_killed_at_any_await_goes_on_without_a_gap_a_copy_or_another_order() {
    let whole = undisturbed().await;
    for polls in 1.. {
        let (world, (_directory, path)) = (World::new().await, place());
        // What the dead one had in flight is never over.
        world.shared_by(usize::MAX);
        world.script(slow());
        if live(&world, &input(), &path, polls).await.is_some() {
            assert!(polls > 10, "killed {polls} times only");
            return;
        }
        let report = live(&world, &input(), &path, usize::MAX).await.unwrap();
        assert_eq!(report.unsent_from, None);
        let told: Vec<_> = report
            .rejected
            .iter()
            .map(|rejected| rejected.line)
            .collect();
        assert_eq!(told, [4, 14], "what is bad is told by who ends");
        assert_eq!(queued(&world).await, whole, "killed at poll {polls}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_producer_may_be_killed_again_and_again() {
    let whole = undisturbed().await;
    let (world, (_directory, path)) = (World::new().await, place());
    world.shared_by(usize::MAX);
    world.script(slow());
    // Each life is a little longer, so that one comes to the end.
    for polls in 1.. {
        if live(&world, &input(), &path, polls).await.is_some() {
            break;
        }
    }
    assert_eq!(queued(&world).await, whole);
}

#[tokio::test(start_paused = true)]
async fn a_line_whose_answer_never_came_goes_again_under_its_ids() {
    for pause in [1, 6 * 60] {
        let (world, (_directory, path)) = (World::new().await, place());
        world.shared_by(usize::MAX);
        world.script(|asked| {
            if asked.iter().any(|asked| asked.n == 5) {
                Fault::Unanswered
            } else {
                Fault::None
            }
        });
        let input = lines([1, 1, 1, 2, 1, 1, 1]);
        let killed = timeout(
            Duration::from_secs(1),
            live(&world, &input, &path, usize::MAX),
        );
        assert!(killed.await.is_err());
        world.script(|_| Fault::None);
        advance(Duration::from_secs(pause)).await;
        live(&world, &input, &path, usize::MAX).await.unwrap();
        let asked = world.asked(5);
        assert_eq!(asked.len(), 2);
        assert_eq!(asked[0].deduplication_id, asked[1].deduplication_id);
        let (groups, ids) = queued(&world).await;
        // After five minutes SQS knows no deduplication id any more; the copy follows its original and has its id.
        let expected: &[u64] = match pause {
            1 => &[1, 2, 3, 5, 6, 7],
            _ => &[1, 2, 3, 5, 5, 6, 7],
        };
        assert_eq!(groups[0], expected);
        assert!(ids[&5].iter().all(|id| *id == ids[&5][0]), "{ids:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn lines_sent_beyond_one_that_was_not_are_left_out() {
    let (world, (_directory, path)) = (World::new().await, place());
    world.script(|asked| {
        let fails = (0..asked.len()).filter(|position| asked[*position].group == "EventSetup_1");
        Fault::RefusedInPart(fails.collect(), "InternalError", false)
    });
    let input = lines([1, 2, 3, 1]);
    let report = live(&world, &input, &path, usize::MAX).await.unwrap();
    assert_eq!(
        (report.unsent_from, report.sent_beyond),
        (Some(1), vec![2, 3])
    );
    assert!(matches!(report.stopped, Some(StopReason::GaveUp { .. })));
    world.script(|_| Fault::None);
    let report = live(&world, &input, &path, usize::MAX).await.unwrap();
    assert_eq!((report.sent, report.unsent_from), (2, None));
    assert_eq!(queued(&world).await.0, [vec![1, 4], vec![2], vec![3]]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_that_could_not_be_noted() {
    let (world, (directory, path)) = (World::new().await, place());
    let mut checkpoint = checkpoint(&path);
    directory.close().unwrap();
    // Enough for the file to be written anew, which fails without its directory.
    let input = lines((0..8_000).map(|n| n % 50));
    let (options, stop) = (options(), CancellationToken::new());
    let report = producer::send_checkpointed(
        &world.queue,
        input.as_bytes(),
        &options,
        Some(&mut checkpoint),
        world.clock(),
        |_| {},
        stop,
    );
    let report = report.await.unwrap();
    assert!(
        matches!(report.stopped, Some(StopReason::Checkpoint(_))),
        "{report:?}"
    );
    let unsent_from = report.unsent_from.unwrap();
    assert!(unsent_from <= 8_000, "{unsent_from}");
    assert!(report.in_doubt.is_empty());
    let sent = world.calls().into_iter().flatten().count() as u64;
    assert_eq!(sent, report.sent);
}

#[tokio::test(start_paused = true)]
async fn a_line_without_an_id_has_the_same_one_when_it_is_sent_again() {
    let world = World::new().await;
    let input = lines([1, 2, 1, 1]);
    world.send_with(input.as_bytes(), &options(), |_| {}).await;
    let from_3 = SendOptions {
        from_line: 3,
        ..options()
    };
    world.send_with(input.as_bytes(), &from_3, |_| {}).await;
    let other_file = SendOptions {
        input: Some(InputName::new("other.jsonl")),
        ..from_3
    };
    world.send_with(input.as_bytes(), &other_file, |_| {}).await;
    let (groups, ids) = queued(&world).await;
    assert_eq!(groups[0], [1, 3, 4, 3, 4, 3, 4]);
    for n in [3, 4] {
        assert_eq!(ids[&n][0], ids[&n][1], "of the same file");
        assert_ne!(ids[&n][0], ids[&n][2], "of another file");
    }
    let mut firsts: Vec<_> = ids.values().map(|ids| &ids[0]).collect();
    firsts.sort();
    firsts.dedup();
    assert_eq!(firsts.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_another_producer_swallowed_is_told() {
    let world = World::new().await;
    world.shared_by(2);
    let input = lines([1; 300]);
    let clock = world.clock();
    let send = || async {
        let (options, stop) = (SendOptions::default(), CancellationToken::new());
        let input = input.as_bytes();
        producer::send(&world.queue, input, &options, clock.clone(), |_| {}, stop)
            .await
            .unwrap()
    };
    let mut calls = 0;
    // The two are not in step: otherwise nothing that SQS answers tells one from the other.
    world.script(move |_| {
        calls += 1;
        Fault::Slow(Duration::from_millis(calls * 7 % 5))
    });
    let (one, other) = tokio::join!(send(), send());
    let queued = world.take_all().await.len() as u64;
    let lost = one.sent + other.sent - queued;
    let told = one.rejected_total + other.rejected_total;
    assert!(told > 0, "{lost} lost in silence, none told");
    let first = one.rejected.first().or(other.rejected.first());
    assert_eq!(first.unwrap().why, Rejection::DuplicateOfAnother);
}
