//! Events reach the queue in order, whatever happens on the way.

use std::collections::BTreeSet;
use std::time::Duration;

use local_sqs::Limits;
use producer::{SendOptions, Share, StopReason};
use queue::admin::Kind;
use rig::network::Fault;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::world::{Asked, World, body, line, lines, numbers};

fn has(asked: &[Asked], n: u64) -> Option<usize> {
    asked.iter().position(|entry| entry.n == n)
}

#[tokio::test(start_paused = true)]
async fn a_thousand_events_of_25_setups_are_in_order_within_each_group() {
    let world = World::new().await;
    let report = world.send(&lines((0..1000).map(|n| n * 7 % 25))).await;
    assert!(report.is_complete());
    assert_eq!(report.sent, 1000);
    let all = world.take_all().await;
    assert_eq!(all.len(), 1000);
    for setup in 0..25 {
        let expected: Vec<_> = (1..=1000).filter(|n| (n - 1) * 7 % 25 == setup).collect();
        assert_eq!(numbers(&all, &format!("EventSetup_{setup}")), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn the_body_repeats_group_and_deduplication_id_of_its_message() {
    let world = World::new().await;
    world.send(&lines([1, 1, 2])).await;
    let all = world.take_all().await;
    assert_eq!(all.len(), 3);
    for message in &all {
        let body = body(message);
        assert_eq!(body["MessageGroupId"].as_str(), message.group.as_deref());
        assert_eq!(
            body["MessageDeDuplicationId"].as_str(),
            message.deduplication_id.as_deref()
        );
        assert!(
            message
                .deduplication_id
                .as_deref()
                .unwrap()
                .starts_with("2025-02-12T14:30:4")
        );
    }
}

#[tokio::test(start_paused = true)]
async fn several_batches_are_in_flight_but_one_send_of_a_group() {
    let world = World::new().await;
    world.script(|_| Fault::Slow(Duration::from_millis(50)));
    let report = world.send(&lines((0..1000).map(|n| n % 200))).await;
    assert_eq!(report.sent, 1000);
    // The wire itself asserts that no group is in two calls.
    assert_eq!(world.most_calls_in_flight(), 16);
    let full = world.calls().iter().filter(|call| call.len() == 10).count();
    assert!(
        full >= 75,
        "{full} of {} calls are full",
        world.calls().len()
    );
}

#[tokio::test(start_paused = true)]
async fn a_failed_entry_is_tried_again_with_the_same_id_and_its_group_waits() {
    let world = World::new().await;
    let mut failures = 3;
    world.script(move |asked| match has(asked, 3) {
        Some(at) if failures > 0 => {
            failures -= 1;
            Fault::RefusedInPart(vec![at], "InternalError", false)
        }
        _ => Fault::None,
    });
    let report = world.send(&lines([1, 2, 1, 2, 1, 2, 1])).await;
    assert!(report.is_complete());

    let asked = world.asked(3);
    assert_eq!(asked.len(), 4);
    assert!(
        asked
            .iter()
            .all(|a| a.deduplication_id == asked[0].deduplication_id)
    );
    assert!(
        asked[3].at - asked[0].at >= Duration::from_millis(700),
        "pauses grow"
    );
    assert!(world.asked(5)[0].at >= asked[3].at, "the group waits");
    let all = world.take_all().await;
    assert_eq!(numbers(&all, "EventSetup_1"), [1, 3, 5, 7]);
    assert_eq!(numbers(&all, "EventSetup_2"), [2, 4, 6]);
}

#[tokio::test(start_paused = true)]
async fn an_event_whose_answer_was_lost_is_in_the_queue_once() {
    let world = World::new().await;
    let mut lost = 7; // More than the SDK tries by itself.
    world.script(move |asked| {
        if has(asked, 2).is_some() && lost > 0 {
            lost -= 1;
            return Fault::AnswerLost;
        }
        Fault::None
    });
    let report = world.send(&lines([1, 1, 1])).await;
    assert!(report.is_complete(), "{report:?}");
    assert_eq!(world.asked(2).len(), 8);
    assert_eq!(world.take_numbers("EventSetup_1").await, [1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn after_four_minutes_without_success_the_send_stops_and_says_where_to_go_on() {
    let world = World::new().await;
    let input = lines((0..100).map(|n| n % 4));
    world.script(|asked| match has(asked, 42) {
        Some(at) => Fault::RefusedInPart(vec![at], "ServiceUnavailable", false),
        None => Fault::None,
    });
    let start = Instant::now();
    let report = world.send(&input).await;
    let took = start.elapsed().as_secs();
    assert!((240..250).contains(&took), "{took} s");
    assert!(
        matches!(report.stopped, Some(StopReason::GaveUp { line: 42, .. })),
        "{report:?}"
    );
    assert_eq!(report.unsent_from, Some(42));
    assert_eq!(report.sent as usize, 41 + report.sent_beyond.len());
    assert!(
        report.sent_beyond.len() < 10,
        "little is sent beyond: {:?}",
        report.sent_beyond
    );
    let attempts = world.asked(42);
    let first = &attempts[0];
    assert!(
        attempts
            .iter()
            .all(|a| a.deduplication_id == first.deduplication_id)
    );
    let last = attempts.last().unwrap().at - first.at;
    assert!(
        last <= Duration::from_secs(270),
        "SQS still knows the id: {last:?}"
    );

    world.script(|_| Fault::None);
    let options = SendOptions {
        from_line: 42,
        ..SendOptions::default()
    };
    let rest: String = (1..)
        .zip(input.lines())
        .map(|(n, text)| {
            if report.sent_beyond.contains(&n) {
                "\n".into()
            } else {
                format!("{text}\n")
            }
        })
        .collect();
    let report = world.send_with(rest.as_bytes(), &options, |_| {}).await;
    assert!(report.is_complete());
    let all = world.take_all().await;
    for setup in 0..4 {
        let expected: Vec<_> = (1..=100).filter(|n| (n - 1) % 4 == setup).collect();
        assert_eq!(numbers(&all, &format!("EventSetup_{setup}")), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn an_unreachable_queue_leaves_its_lines_in_doubt() {
    let world = World::new().await;
    world.script(|_| Fault::AnswerLost);
    let report = world.send(&lines([1, 2])).await;
    assert_eq!((report.unsent_from, report.in_doubt), (Some(1), vec![1, 2]));
    assert_eq!(
        world.take_all().await.len(),
        2,
        "it has them, as it was feared"
    );
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_is_waited_for() {
    let limits = Limits {
        messages: 20,
        ..Limits::default()
    };
    let world = World::with(limits, Kind::Fifo).await;
    let drained = CancellationToken::new();
    let consumer = {
        let (world, drained) = (world.clone(), drained.clone());
        tokio::spawn(async move {
            let mut all = Vec::new();
            while !drained.is_cancelled() {
                tokio::time::sleep(Duration::from_secs(30)).await;
                all.extend(world.take_all().await);
            }
            all
        })
    };
    let report = world.send(&lines((0..100).map(|n| n % 5))).await;
    drained.cancel();
    assert!(report.is_complete(), "{report:?}");
    let all = consumer.await.unwrap();
    for setup in 0..5 {
        let expected: Vec<_> = (1..=100).filter(|n| (n - 1) % 5 == setup).collect();
        assert_eq!(numbers(&all, &format!("EventSetup_{setup}")), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_finishes_what_is_in_flight_and_the_rest_can_follow() {
    let world = World::new().await;
    world.script(|_| Fault::Slow(Duration::from_millis(20)));
    let input = lines((0..300).map(|n| n % 3));
    let stop = CancellationToken::new();
    let report = world
        .send_until(
            input.as_bytes(),
            &SendOptions::default(),
            |progress| {
                if progress.sent >= 50 {
                    stop.cancel();
                }
            },
            stop.clone(),
        )
        .await;
    assert!(matches!(report.stopped, Some(StopReason::Asked)));
    assert!((50..60).contains(&report.sent), "{}", report.sent);
    assert_eq!(world.queue.counts().await.unwrap().visible, report.sent);
    let from_line = report.unsent_from.unwrap();
    assert_eq!(from_line - 1 + report.sent_beyond.len() as u64, report.sent);
    assert_eq!(report.sent_beyond, [0; 0], "all groups went at one pace");

    let options = SendOptions {
        from_line,
        ..SendOptions::default()
    };
    world.send_with(input.as_bytes(), &options, |_| {}).await;
    let all = world.take_all().await;
    assert_eq!(all.len(), 300);
    for setup in 0..3 {
        let expected: Vec<_> = (1..=300).filter(|n| (n - 1) % 3 == setup).collect();
        assert_eq!(numbers(&all, &format!("EventSetup_{setup}")), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_group_sends_a_thousand_events_a_second() {
    let world = World::new().await;
    let start = Instant::now();
    let report = world.send(&lines(std::iter::repeat_n(1, 1000))).await;
    let took = start.elapsed();
    assert_eq!(report.sent, 1000);
    assert!(took <= Duration::from_millis(1010), "{took:?}");
    assert!(
        took >= Duration::from_millis(990),
        "no millisecond is used twice: {took:?}"
    );
    assert_eq!(
        world.take_numbers("EventSetup_1").await,
        (1..=1000).collect::<Vec<_>>()
    );
}

#[tokio::test(start_paused = true)]
async fn two_processes_share_a_group_in_lanes_of_their_own() {
    let world = World::new().await;
    let input = lines(std::iter::repeat_n(1, 200));
    let share = |index| SendOptions {
        share: Share::new(index, 2).unwrap(),
        ..SendOptions::default()
    };
    let (even, odd) = (share(0), share(1));
    world.shared_by(2);
    let (first, second) = tokio::join!(
        world.send_with(input.as_bytes(), &even, |_| {}),
        world.send_with(input.as_bytes(), &odd, |_| {})
    );
    assert_eq!((first.sent, second.sent), (200, 200));
    let ids: BTreeSet<_> = world
        .calls()
        .into_iter()
        .flatten()
        .map(|a| a.deduplication_id)
        .collect();
    assert_eq!(ids.len(), 400);
    assert_eq!(world.take_all().await.len(), 400);
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_deduplicates_over_all_groups_loses_nothing() {
    let world = World::new().await;
    let request = world.client().create_queue().queue_name("one-scope.fifo");
    let made = request
        .attributes("FifoQueue".into(), "true")
        .send()
        .await
        .unwrap();
    let world = world.open(made.queue_url().unwrap()).await;
    let report = world.send(&lines((0..200).map(|n| n % 20))).await;
    assert!(report.is_complete());
    assert_eq!(world.take_all().await.len(), 200);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_sqs_swallowed_is_reported() {
    let world = World::new().await;
    world.script(|_| Fault::SameMessageId("5fea7756-0ea4-451a-a703-a558b933e274"));
    let report = world.send(&lines([1, 2])).await;
    assert_eq!((report.sent, report.rejected_total), (1, 1));
    assert_eq!(report.rejected[0].line, 2);
    assert!(
        report.rejected[0]
            .why
            .to_string()
            .contains("duplicate of line 1 and dropped"),
        "{report:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_is_gone_ends_the_send_at_once() {
    for (code, told) in [
        ("QueueDoesNotExist", "does not exist"),
        ("AccessDenied", "refused by AWS"),
        ("KmsDisabled", "rejected by SQS"),
    ] {
        let world = World::new().await;
        world.script(move |asked| match has(asked, 3) {
            Some(_) => Fault::error(400, code),
            None => Fault::None,
        });
        let start = Instant::now();
        let report = world.send(&lines([1, 1, 1, 1])).await;
        assert_eq!((report.sent, report.unsent_from), (2, Some(3)));
        assert!(report.stopped.unwrap().to_string().contains(told));
        assert!(start.elapsed() < Duration::from_secs(1));
    }
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_blames_the_queue_ends_the_send_and_rejects_no_line() {
    let world = World::new().await;
    world.script(|asked| match has(asked, 3) {
        Some(at) => Fault::RefusedInPart(vec![at], "KmsDisabled", true),
        None => Fault::None,
    });
    let report = world.send(&lines([1, 1, 1, 1])).await;
    assert_eq!(
        (report.sent, report.rejected_total, report.unsent_from),
        (2, 0, Some(3))
    );
}

#[tokio::test(start_paused = true)]
async fn a_refused_event_is_reported_and_its_group_goes_on() {
    let world = World::new().await;
    world.script(|asked| match has(asked, 2) {
        Some(at) => Fault::RefusedInPart(vec![at], "InvalidParameterValue", true),
        None => Fault::None,
    });
    let report = world.send(&lines([1, 1, 1])).await;
    assert_eq!(
        (report.sent, report.rejected_total, report.unsent_from),
        (2, 1, None)
    );
    assert_eq!(report.rejected[0].line, 2);
    assert_eq!(
        report.rejected[0].why.to_string(),
        "refused by Amazon SQS: InvalidParameterValue: scripted"
    );
    assert_eq!(world.take_numbers("EventSetup_1").await, [1, 3]);
}

#[tokio::test(start_paused = true)]
async fn one_event_that_spoils_its_call_does_not_take_its_neighbours_along() {
    let world = World::new().await;
    world.script(|asked| match has(asked, 2) {
        Some(_) => Fault::error(400, "InvalidParameterValue"),
        None => Fault::None,
    });
    let report = world.send(&lines([1, 2, 3, 1, 2, 3])).await;
    let rejected: Vec<_> = report.rejected.iter().map(|r| r.line).collect();
    assert_eq!((report.sent, rejected), (5, vec![2]));
    let all = world.take_all().await;
    assert_eq!(numbers(&all, "EventSetup_1"), [1, 4]);
    assert_eq!(numbers(&all, "EventSetup_2"), [5]);
    assert_eq!(numbers(&all, "EventSetup_3"), [3, 6]);
}

#[tokio::test(start_paused = true)]
async fn a_large_batch_is_split_by_bytes() {
    let world = World::new().await;
    let padding = "x".repeat(300_000);
    let input: String = (1..=8)
        .map(|n| line(n, n).replace("\"n\"", &format!("\"p\":\"{padding}\",\"n\"")))
        .collect();
    let report = world.send(&input).await;
    assert!(report.is_complete(), "{report:?}");
    assert!(world.calls().iter().all(|call| call.len() <= 3));
    assert_eq!(world.take_all().await.len(), 8);
}
