//! An event that was sent back to the source queue: its receiver knows it again, and its histories add up.

use delivery::{Attempt, DeadLetter, FailureKind, Origin, REPLAY, Replay};
use event::Timestamp;
use queue::admin::Kind;
use queue::{Attribute, Outgoing, Received};

use crate::world::{Reply, START, Seen, World};

const GROUP: &str = "EventSetup_1";

/// Takes the only dead letter out of the internal queue and sends it back as a replay.
async fn replay(world: &World) -> (Received, DeadLetter) {
    let (message, letter) = only_death(world).await;
    let carried = Replay::of(letter.clone()).to_json_within(100_000).unwrap();
    send(world, &message.body, &message.message_id, &carried).await;
    (message, letter)
}

/// Sends a message that says this of its earlier lives.
async fn send(world: &World, body: &[u8], id: &str, carried: &str) -> String {
    let fifo = world.source.is_fifo();
    let outgoing = Outgoing {
        body: String::from_utf8(body.to_vec()).unwrap(),
        group: fifo.then(|| GROUP.to_owned()),
        deduplication_id: fifo.then(|| format!("{id}~r")),
        attributes: [(REPLAY.to_owned(), Attribute::string(carried))].into(),
    };
    let mut answers = world.source.send_batch(&[outgoing]).await.unwrap();
    answers.pop().unwrap().unwrap().message_id
}

async fn only_death(world: &World) -> (Received, DeadLetter) {
    let mut dead = world.dead().await;
    assert_eq!(dead.len(), 1);
    dead.pop().unwrap()
}

/// Whoever sent the event did not say so much in its body.
fn origin(message_id: &str) -> Origin {
    Origin {
        message_id: message_id.to_owned(),
        sequence_number: Some("00000000000000000007".to_owned()),
        deduplication_id: Some("2025-02-12T14:30:45.123".to_owned()),
        group: Some(GROUP.to_owned()),
        sent_at: START,
    }
}

/// Fails in the first life, four attempts long.
fn recovered(seen: &Seen) -> Reply {
    match seen.header("X-Hooklane-Replay") {
        None => Reply::Status(500),
        Some(_) => Reply::Status(200),
    }
}

fn ids(seen: &[Seen]) -> Vec<&str> {
    let mut ids: Vec<_> = seen
        .iter()
        .map(|s| s.header("webhook-id").unwrap())
        .collect();
    ids.dedup();
    ids
}

#[tokio::test(start_paused = true)]
async fn a_replayed_event_has_the_body_and_the_identity_of_its_first_life() {
    let world = World::new(recovered).await;
    // Without the two FIFO parameters, and without a msg_id.
    let first_id = world.send_body(GROUP, r#"{"n":1}"#).await;
    world.drain().await;
    replay(&world).await;
    world.drain().await;

    let seen = world.receiver.seen();
    assert_eq!(seen.len(), 5);
    let (first, second) = (&seen[0], &seen[4]);
    assert!(first.body.contains(r#""MessageDeDuplicationId":"2025-"#));
    assert_eq!(second.body, first.body);
    assert_eq!(ids(&seen), [first_id]);
    assert_eq!(second.header("X-Hooklane-Replay"), Some("true"));
    assert_eq!(second.attempt(), 1, "its attempts are counted anew");
    assert!(world.dead().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_body_of_a_replay_gets_no_parameter_that_its_first_life_did_not_have() {
    let world = World::new(|_| Reply::Status(200)).await;
    let of_a_standard_queue = Origin {
        deduplication_id: None,
        group: None,
        ..origin("m-0")
    };
    let carried = Replay::new(1, of_a_standard_queue);
    let carried = carried.to_json_within(1_000).unwrap();
    send(&world, br#"{"n":1}"#, "m-1", &carried).await;
    world.drain().await;
    assert_eq!(world.receiver.bodies(), [r#"{"n":1}"#]);
}

#[tokio::test(start_paused = true)]
async fn a_replay_on_a_standard_queue_keeps_its_body_too() {
    let world = World::of(Kind::Standard, recovered).await;
    let first_id = world.send_body("", r#"{"n":1}"#).await;
    world.drain().await;
    replay(&world).await;
    world.drain().await;
    let seen = world.receiver.seen();
    assert!(seen.len() == 5 && seen.iter().all(|s| s.body == r#"{"n":1}"#));
    assert_eq!(ids(&seen), [first_id]);
}

#[tokio::test(start_paused = true)]
async fn a_second_and_a_third_death_show_every_life_under_one_identity() {
    let world = World::new(|_| Reply::Status(500)).await;
    let first_id = world.send_body(GROUP, r#"{"n":1}"#).await;
    let mut places = Vec::new();
    for life in 0..3 {
        world.drain().await;
        let (message, letter) = match life {
            2 => only_death(&world).await,
            _ => replay(&world).await,
        };
        assert_eq!(letter.replays, life);
        assert_eq!(letter.origin.message_id, first_id);
        let attempts: Vec<_> = letter.attempts.iter().map(|a| (a.life, a.n)).collect();
        let expected = (0..=life).flat_map(|life| (1..=4).map(move |n| (life, n)));
        assert_eq!(attempts, expected.collect::<Vec<_>>());
        assert!(
            !message.attributes.contains_key(REPLAY),
            "the record says it"
        );
        places.push((message.group, message.deduplication_id));
    }
    assert_eq!(ids(&world.receiver.seen()), [first_id]);
    // A group and a deduplication id of its own for each death, or a second one within five minutes would be lost.
    let own = |(group, id): &(Option<String>, Option<String>)| {
        let expected = format!("{GROUP}#{}", id.as_deref().unwrap());
        assert_eq!(group.as_ref(), Some(&expected));
    };
    places.iter().for_each(own);
    places.sort();
    places.dedup();
    assert_eq!(places.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_replay_attribute_that_cannot_be_read_makes_an_event_like_any_other() {
    let world = World::new(|_| Reply::Status(500)).await;
    let id = send(&world, br#"{"n":1}"#, "m-1", r#"{"replays":"many"}"#).await;
    world.drain().await;
    let seen = world.receiver.seen();
    assert_eq!(ids(&seen), [id.as_str()]);
    assert!(seen.iter().all(|s| s.header("X-Hooklane-Replay").is_none()));
    let (message, letter) = only_death(&world).await;
    assert_eq!((letter.replays, letter.origin.message_id), (0, id));
    assert_eq!(letter.attempts.len(), 4);
    assert!(!message.attributes.contains_key(REPLAY));
}

#[tokio::test(start_paused = true)]
async fn an_event_that_keeps_its_origin_and_was_never_replayed_is_no_replay() {
    let world = World::new(|_| Reply::Status(500)).await;
    let carried = Replay::new(0, origin("m-0")).to_json_within(1_000).unwrap();
    send(&world, br#"{"n":1}"#, "m-1", &carried).await;
    world.drain().await;
    let seen = world.receiver.seen();
    assert!(seen.iter().all(|s| s.header("X-Hooklane-Replay").is_none()));
    assert_eq!(ids(&seen), ["m-0"]);
    let (_, letter) = only_death(&world).await;
    assert_eq!((letter.replays, letter.origin), (0, origin("m-0")));
    assert!(letter.attempts.iter().all(|a| a.life == 0));
}

#[tokio::test(start_paused = true)]
async fn what_strangers_write_into_a_replay_attribute_holds_no_group_and_reaches_no_header() {
    let world = World::new(|_| Reply::Status(500)).await;
    let failed = Err(delivery::Failure {
        kind: FailureKind::Connect,
        detail: "\u{fffe}\u{0}\u{ffff}".to_owned(),
    });
    let at = Timestamp::from_millis(u64::MAX);
    let hostile = Replay {
        attempts: vec![Attempt::new(
            u32::MAX,
            u32::MAX,
            START,
            Default::default(),
            &failed,
        )],
        ..Replay::new(
            u32::MAX,
            Origin {
                sent_at: at,
                ..origin("m\r\nX-Admin: \u{fffe}")
            },
        )
    };
    let carried = hostile.to_json_within(5_000).unwrap();
    let id = send(&world, br#"{"n":1}"#, "m-1", &carried).await;
    world.drain().await;
    let seen = world.receiver.seen();
    assert_eq!(ids(&seen), [id]);
    let (_, letter) = only_death(&world).await;
    assert_eq!(letter.replays, u32::MAX);
    assert_eq!(letter.attempts.len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_dead_replay_without_room_for_a_record_still_carries_its_first_life() {
    let world = World::new(|_| Reply::Status(500)).await;
    let maximum = world.source.attributes().maximum_message_size;
    let carried = Replay::new(1, origin("m-0")).to_json_within(1_000).unwrap();
    let attribute = Attribute::string(carried.as_str()).size(REPLAY);
    let (head, tail) = (r#"{"n":1,"x":""#, r#""}"#);
    let filling = "x".repeat(maximum - attribute - head.len() - tail.len());
    let body = format!("{head}{filling}{tail}");
    send(&world, body.as_bytes(), "m-1", &carried).await;
    world.drain().await;
    let options = queue::ReceiveOptions {
        max: 10,
        wait: Default::default(),
        visibility: Default::default(),
    };
    let dead = world.dead_letters.receive(options).await.unwrap();
    assert_eq!(dead[0].text_attribute(REPLAY), Some(carried.as_str()));
}
