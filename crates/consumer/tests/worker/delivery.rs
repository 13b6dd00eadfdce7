//! The main job: events arrive in order, failures wait in the queue, what is exhausted is set aside.

use std::time::Duration;

use delivery::{FailureKind, Reason, RetrySchedule, ScheduleSettings};
use queue::admin::Kind;

use crate::world::{self, Reply, World, about, number};

#[tokio::test(start_paused = true)]
async fn the_events_of_a_group_arrive_in_order_each_once_and_are_deleted() {
    let world = World::new(|_| Reply::Status(200)).await;
    for group in ["EventSetup_1", "EventSetup_2", "EventSetup_3"] {
        world.send(group, 1..=25).await;
    }
    let summary = world.drain().await;
    for group in ["EventSetup_1", "EventSetup_2", "EventSetup_3"] {
        let seen = world.receiver.seen();
        let numbers: Vec<_> = seen
            .iter()
            .filter(|s| s.group() == group)
            .map(number)
            .collect();
        assert_eq!(numbers, (1..=25).collect::<Vec<_>>());
    }
    assert_eq!(
        (summary.delivered, summary.attempts, summary.dead_lettered),
        (75, 75, 0)
    );
    assert_eq!(world.counts().await.total(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_answers_500_gets_four_attempts_at_0_0_60_and_60_seconds_and_then_a_dead_letter()
 {
    let world = World::new(|_| Reply::Status(500)).await;
    world.send("EventSetup_1", 1..=1).await;
    let summary = world.drain().await;

    let seen = world.receiver.seen();
    assert_eq!(
        seen.iter().map(world::Seen::attempt).collect::<Vec<_>>(),
        [1, 2, 3, 4]
    );
    for (request, expected_s) in seen.iter().zip([0, 0, 60, 60]) {
        assert!(
            about(request.at, expected_s),
            "{:?} is not about {expected_s} s",
            request.at
        );
    }
    assert_eq!((summary.attempts, summary.dead_lettered), (4, 1));

    let (message, letter) = world.dead().await.pop().unwrap();
    assert_eq!(letter.reason, Reason::Exhausted);
    assert_eq!(
        letter
            .attempts
            .iter()
            .map(|a| (a.n, a.status))
            .collect::<Vec<_>>(),
        [1, 2, 3, 4].map(|n| (n, Some(500)))
    );
    assert_eq!(
        letter.callback.as_deref(),
        Some("https://hooks.example.com/workn")
    );
    assert_eq!(letter.origin.group.as_deref(), Some("EventSetup_1"));
    assert_eq!(
        message.group,
        Some(format!("EventSetup_1#{}", letter.origin.message_id))
    );
    assert_eq!(message.body, r#"{"group":"EventSetup_1","n":1}"#);
    assert_eq!(world.counts().await.total(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_recovers_is_accepted_at_its_third_attempt_after_the_minute() {
    let world = World::new(|s| Reply::Status(if s.attempt() < 3 { 503 } else { 200 })).await;
    world.send("EventSetup_1", 1..=1).await;
    let summary = world.drain().await;
    let seen = world.receiver.seen();
    assert_eq!(seen.len(), 3);
    assert!(about(seen[2].at, 60));
    assert_eq!((summary.delivered, summary.dead_lettered), (1, 0));
    assert!(world.dead().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_followers_of_a_failing_event_wait_and_then_arrive_and_other_groups_do_not_wait() {
    let world = World::new(|s| match (s.group().as_str(), number(s)) {
        ("EventSetup_1", 3) => Reply::Refused,
        _ => Reply::Status(200),
    })
    .await;
    world.send("EventSetup_1", 1..=30).await;
    world.send("EventSetup_2", 1..=30).await;
    world.drain().await;

    let seen = world.receiver.seen();
    let of = |group: &'static str| seen.iter().filter(move |s| s.group() == group);
    let first_times: Vec<_> = of("EventSetup_1")
        .filter(|s| s.attempt() == 1)
        .map(number)
        .collect();
    assert_eq!(
        first_times,
        (1..=30).collect::<Vec<_>>(),
        "first attempts are in order"
    );
    let followers = of("EventSetup_1").filter(|s| number(s) > 3);
    assert!(
        followers.clone().count() == 27
            && followers.clone().all(|s| s.at >= Duration::from_secs(60))
    );
    assert!(of("EventSetup_2").all(|s| s.at < Duration::from_secs(2)));

    let dead = world.dead().await;
    assert_eq!(dead.len(), 1, "followers are not dragged along");
    let attempts = &dead[0].1.attempts;
    assert!(
        attempts.len() == 4
            && attempts
                .iter()
                .all(|a| a.error == Some(FailureKind::Connect))
    );
}

#[tokio::test(start_paused = true)]
async fn a_bad_message_is_an_item_of_its_lane_it_is_set_aside_unposted_and_the_lane_goes_on() {
    let world = World::new(|_| Reply::Status(200)).await;
    world.send("EventSetup_1", 1..=1).await;
    for bad in [
        "not json",
        "[1]",
        "\"text\"",
        r#"{"mkt_id":"one"}"#,
        r#"{"msg_id":1}"#,
    ] {
        world.send_body("EventSetup_1", bad).await;
    }
    world.send("EventSetup_1", 2..=2).await;
    let summary = world.drain().await;
    assert_eq!(
        world.receiver.seen().iter().map(number).collect::<Vec<_>>(),
        [1, 2]
    );
    assert_eq!((summary.delivered, summary.dead_lettered), (2, 5));
    for (message, letter) in world.dead().await {
        assert_eq!(letter.reason, Reason::InvalidEvent, "{:?}", message.body);
        assert!(letter.attempts.is_empty() && letter.detail.is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_that_no_url_is_configured_for_goes_to_the_internal_queue() {
    let mut world = World::new(|_| Reply::Status(200)).await;
    world.settings.callback.url = None;
    world.settings.callback.events.insert(
        "known".to_owned(),
        "https://hooks.example.com/known".parse().unwrap(),
    );
    world
        .send_with("EventSetup_1", "{}", &[("event", "known")])
        .await;
    world
        .send_with("EventSetup_1", "{}", &[("event", "unknown")])
        .await;
    world.drain().await;
    let seen = world.receiver.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].header("X-Hooklane-Event"), Some("known"));
    let dead = world.dead().await;
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].1.reason, Reason::NoCallback);
    assert_eq!(
        dead[0].0.text_attribute("event"),
        Some("unknown"),
        "the attributes of the event stay on it"
    );
}

#[tokio::test(start_paused = true)]
async fn the_body_is_posted_as_it_lies_in_the_queue_and_only_absent_fifo_parameters_are_added() {
    let world = World::new(|_| Reply::Status(200)).await;
    let whole = r#"{ "z" : 1.0,"MessageGroupId":"EventSetup_9", "MessageDeDuplicationId":"x", "a":"\u00e9" }"#;
    world.send_body("EventSetup_9", whole).await;
    world.send_body("EventSetup_9", r#"{"z":1.0 }"#).await;
    world.drain().await;
    assert_eq!(
        world.receiver.bodies(),
        [
            whole,
            r#"{"z":1.0 ,"MessageDeDuplicationId":"2025-02-12T14:30:45.002","MessageGroupId":"EventSetup_9"}"#
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn the_webhook_id_is_the_msg_id_or_else_the_message_id_and_the_same_for_every_attempt() {
    let world = World::new(|s| Reply::Status(if s.attempt() < 4 { 500 } else { 200 })).await;
    world.send_body("EventSetup_1", r#"{"msg_id":"m-1"}"#).await;
    let message_id = world.send_body("EventSetup_2", r#"{"n":2}"#).await;
    let odd = world
        .send_body("EventSetup_3", r#"{"msg_id":"two\nlines"}"#)
        .await;
    world.drain().await;
    for (group, id) in [
        ("EventSetup_1", "m-1"),
        ("EventSetup_2", &message_id),
        ("EventSetup_3", &odd),
    ] {
        let seen = world.receiver.seen();
        let ids: Vec<_> = seen
            .iter()
            .filter(|s| s.group() == group)
            .map(|s| s.header("webhook-id").unwrap())
            .collect();
        assert_eq!(ids, [id; 4], "{group}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_standard_queue_works_too_and_each_message_is_a_lane_of_its_own() {
    let world = World::of(Kind::Standard, |s| {
        Reply::Status(if number(s) == 1 { 500 } else { 200 })
    })
    .await;
    world.send("", 1..=20).await;
    let summary = world.drain().await;
    let seen = world.receiver.seen();
    assert!(
        seen.iter()
            .filter(|s| number(s) > 1)
            .all(|s| s.at < Duration::from_secs(2))
    );
    assert!(seen.iter().all(|s| s.header("X-Hooklane-Group").is_none()));
    assert_eq!(
        (summary.delivered, summary.dead_lettered, summary.attempts),
        (19, 1, 23)
    );
    assert_eq!(world.dead().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_lane_of_slow_answers_outlives_its_first_lease_without_a_second_delivery() {
    let slow = Duration::from_secs(25);
    let world = World::new(move |_| Reply::After(slow, 200)).await;
    world.send("EventSetup_1", 1..=10).await;
    let summary = world.drain().await;
    assert_eq!(
        world.receiver.seen().iter().map(number).collect::<Vec<_>>(),
        (1..=10).collect::<Vec<_>>()
    );
    assert_eq!((summary.received, summary.delivered), (10, 10));
}

#[tokio::test(start_paused = true)]
async fn no_more_requests_run_at_the_same_time_than_max_in_flight() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    let minute = Duration::from_secs(20);
    let mut world = World::new(move |_| Reply::After(minute, 200)).await;
    world.settings.max_in_flight = 3;
    for setup in 0..12 {
        world.send(&format!("EventSetup_{setup}"), 1..=1).await;
    }
    world.drain().await;
    let starts: Vec<_> = world.receiver.seen().iter().map(|s| s.at).collect();
    let most = AtomicUsize::new(0);
    for start in &starts {
        let running = starts
            .iter()
            .filter(|s| **s <= *start && *start < **s + minute)
            .count();
        most.fetch_max(running, Ordering::Relaxed);
    }
    assert_eq!((starts.len(), most.into_inner()), (12, 3));
}

#[tokio::test(start_paused = true)]
async fn ten_failing_events_of_a_group_die_one_after_the_other_each_with_its_own_four_attempts() {
    let world = World::new(|_| Reply::Status(500)).await;
    world.send("EventSetup_1", 1..=12).await;
    let summary = world.drain().await;
    assert_eq!((summary.dead_lettered, summary.attempts), (12, 48));
    let dead = world.dead().await;
    assert_eq!(dead.len(), 12);
    assert!(dead.iter().all(|(_, letter)| letter.attempts.len() == 4));
}

#[tokio::test(start_paused = true)]
async fn an_event_that_comes_late_in_a_long_poll_is_delivered_on_the_shortest_of_leases_too() {
    let mut world = World::new(|_| Reply::Status(200)).await;
    let schedule = ScheduleSettings {
        timeout: Duration::from_secs(2),
        ..RetrySchedule::avionte()
    };
    world.settings.schedule = RetrySchedule::new(schedule).unwrap();
    world.settings.visibility_timeout = Duration::from_secs(12);
    let worker = world.start();
    tokio::time::sleep(Duration::from_secs(18)).await;
    world.send("EventSetup_1", 1..=1).await;
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert_eq!(world.receiver.seen().len(), 1);
    let summary = worker.stop().await;
    assert_eq!((summary.received, summary.delivered), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn an_event_name_that_no_header_can_hold_costs_the_event_nothing_but_that_header() {
    let world = World::new(|_| Reply::Status(200)).await;
    for name in ["talent\ncreated", " talent", "größer", "talent created"] {
        let body = r#"{"msg_id":"m"}"#;
        world
            .send_with("EventSetup_1", body, &[("event", name)])
            .await;
    }
    world.drain().await;
    let seen = world.receiver.seen();
    let names: Vec<_> = seen.iter().map(|s| s.header("X-Hooklane-Event")).collect();
    assert_eq!(names, [None, None, None, Some("talent created")]);
}

#[tokio::test(start_paused = true)]
async fn the_ledger_forgets_what_is_delivered_or_dead_lettered() {
    let world = World::new(|s| match s.group().as_str() {
        "EventSetup_1" if s.attempt() > 2 => Reply::Status(200),
        _ => Reply::Status(500),
    })
    .await;
    for group in ["EventSetup_1", "EventSetup_2"] {
        let message_id = world.send_body(group, "{}").await;
        let key = store::Key {
            queue: world.source.url().to_owned(),
            message_id,
            group: Some(group.to_owned()),
        };
        let so_far = world.receiver.seen().len();
        let worker = world.start();
        world.until_seen(so_far + 2).await;
        worker.stop().await;
        assert!(world.ledger.read(&key).await.unwrap().is_some(), "{group}");
        world.drain().await;
        assert_eq!(world.ledger.read(&key).await.unwrap(), None, "{group}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_delete_of_a_lane_does_not_wait_for_company_while_its_group_stands_still() {
    let mut world = World::new(|_| Reply::Status(200)).await;
    // One message at a time, so that each is the last of its lane and the next comes only after its delete.
    world.settings.max_in_flight = 1;
    world.send("EventSetup_1", 1..=20).await;
    world.drain().await;
    let last = world.receiver.seen()[19].at;
    assert!(last < Duration::from_secs(2), "{last:?}");
}
