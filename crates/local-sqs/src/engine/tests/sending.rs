use super::*;
use ErrorKind::{InvalidParameterValue, MissingParameter, OverLimit, QueueDoesNotExist};

#[test]
fn a_fifo_queue_needs_a_group() {
    let mut world = World::fifo(&[]);
    let outgoing = Outgoing {
        group_id: None,
        ..message("g", "x", "d")
    };
    let expected = "The request must contain the parameter MessageGroupId.";
    let found = refusal(world.try_send("q.fifo", outgoing));
    assert_eq!(found, (MissingParameter, expected.into()));
}

#[test]
fn a_fifo_queue_needs_a_deduplication_id_or_content_based_deduplication() {
    let bare = Outgoing {
        deduplication_id: None,
        ..message("g", "x", "d")
    };
    let mut world = World::fifo(&[]);
    let (kind, text) = refusal(world.try_send("q.fifo", bare.clone()));
    assert_eq!(kind, InvalidParameterValue);
    assert!(text.starts_with("The queue should either have ContentBasedDeduplication"));

    let mut world = World::fifo(&[("ContentBasedDeduplication", "true")]);
    world.try_send("q.fifo", bare).unwrap();
    let delivery = world.receive_one();
    let sha256_of_x = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881";
    assert_eq!(
        delivery.message.deduplication_id.as_deref(),
        Some(sha256_of_x)
    );
}

#[test]
fn equal_bodies_are_duplicates_under_content_based_deduplication() {
    let mut world = World::fifo(&[("ContentBasedDeduplication", "true")]);
    for body in ["same", "same", "other"] {
        let outgoing = Outgoing {
            deduplication_id: None,
            ..message("g", body, "")
        };
        world.try_send("q.fifo", outgoing).unwrap();
    }
    assert_eq!(world.drain("q.fifo"), ["same", "other"]);
}

#[test]
fn a_duplicate_is_accepted_and_swallowed() {
    let mut world = World::fifo(&[]);
    let first = world.send_as("g", "one", "d");
    let second = world.send_as("g", "two", "d");
    assert_eq!((second.id, second.seq), (first.id, first.seq));
    assert_ne!(second.md5_of_body, first.md5_of_body);
    assert_eq!(world.drain("q.fifo"), ["one"]);
}

#[test]
fn a_deduplication_id_is_remembered_after_the_delete_and_for_five_minutes() {
    let mut world = World::fifo(&[]);
    world.send_as("g", "one", "d");
    assert_eq!(world.drain("q.fifo"), ["one"]);
    world.pass_ms(DEDUPLICATION_INTERVAL_MS - 1);
    world.send_as("g", "two", "d");
    assert!(world.drain("q.fifo").is_empty());
    world.pass_ms(1);
    world.send_as("g", "three", "d");
    assert_eq!(world.drain("q.fifo"), ["three"]);
}

#[test]
fn the_deduplication_scope_is_fixed_when_the_queue_is_created() {
    let per_group = [
        ("DeduplicationScope", "messageGroup"),
        ("FifoThroughputLimit", "perMessageGroupId"),
    ];
    let per_queue = [
        ("DeduplicationScope", "queue"),
        ("FifoThroughputLimit", "perQueue"),
    ];
    for (at_creation, later, expected) in [
        (per_queue, per_group, vec!["a"]),
        (per_group, per_queue, vec!["a", "b"]),
    ] {
        let mut world = World::fifo(&at_creation);
        world.set("q.fifo", &later).unwrap();
        let shown = world.attribute("q.fifo", "DeduplicationScope");
        assert_eq!(shown.as_deref(), Some(later[0].1));
        world.send_as("A", "a", "d");
        world.send_as("B", "b", "d");
        assert_eq!(world.drain("q.fifo"), expected);
    }
}

#[test]
fn a_fifo_message_has_no_delay_of_its_own_but_zero_is_accepted() {
    let with_delay = |delay_s| Outgoing {
        delay_s: Some(delay_s),
        ..message("g", "x", "d")
    };
    let mut world = World::fifo(&[("DelaySeconds", "3")]);
    let (kind, text) = refusal(world.try_send("q.fifo", with_delay(2)));
    assert_eq!(kind, InvalidParameterValue);
    assert!(text.starts_with("Value 2 for parameter DelaySeconds is invalid."));
    world.try_send("q.fifo", with_delay(0)).unwrap();
    assert_eq!(
        world.counts("q.fifo"),
        (0, 0, 1),
        "the queue's own delay holds"
    );
}

#[test]
fn a_standard_message_may_have_a_delay_of_its_own() {
    let with_delay = |delay_s| Outgoing {
        body: "x".into(),
        delay_s: Some(delay_s),
        ..Outgoing::default()
    };
    let mut world = World::standard(&[("DelaySeconds", "9")]);
    for bad in [-1, 901] {
        assert_eq!(
            refusal(world.try_send("q", with_delay(bad))).0,
            InvalidParameterValue
        );
    }
    world.try_send("q", with_delay(2)).unwrap();
    world.pass_ms(1999);
    assert!(world.receive_from("q", 10).is_empty());
    world.pass_ms(1);
    assert_eq!(world.receive_from("q", 10).len(), 1);
}

#[test]
fn standard_queues_take_groups_but_no_deduplication_ids() {
    let mut world = World::standard(&[]);
    let grouped = |body: &str| Outgoing {
        deduplication_id: None,
        ..message("tenant", body, "")
    };
    for body in ["a", "b"] {
        let sent = world.try_send("q", grouped(body)).unwrap();
        assert_eq!(sent.seq, None);
    }
    let first = world.receive_from("q", 1);
    assert_eq!(first[0].message.group_id.as_deref(), Some("tenant"));
    assert_eq!(
        bodies(&world.receive_from("q", 1)),
        ["b"],
        "groups do not lock"
    );
    let refused = refusal(world.try_send("q", message("tenant", "x", "d")));
    assert_eq!(refused.0, InvalidParameterValue);
}

#[test]
fn messages_are_no_longer_than_the_queue_allows_attributes_included() {
    let mut world = World::fifo(&[("MaximumMessageSize", "1024")]);
    let sized = |body: usize, attribute: usize| {
        let value = AttributeValue::Text("y".repeat(attribute));
        let attribute = Attribute {
            data_type: "String".into(),
            value,
        };
        Outgoing {
            attributes: Attributes::from([("a".to_owned(), attribute)]),
            ..message("g", &"x".repeat(body), "d")
        }
    };
    // Name and type of the attribute take 7 bytes.
    world.try_send("q.fifo", sized(1000, 17)).unwrap();
    let expected =
        "One or more parameters are invalid. Reason: Message must be shorter than 1024 bytes.";
    let found = refusal(world.try_send("q.fifo", sized(1000, 18)));
    assert_eq!(found, (InvalidParameterValue, expected.into()));
}

#[test]
fn sequence_numbers_grow_over_all_groups() {
    let mut world = World::fifo(&[]);
    let sent: Vec<_> = (0..6)
        .map(|n| world.send(&format!("g{}", n % 2), "x").seq)
        .collect();
    assert!(sent.is_sorted_by(|a, b| a < b), "{sent:?}");
    let received: Vec<_> = world
        .receive()
        .iter()
        .map(|d| Some(d.message.seq))
        .collect();
    assert_eq!(
        received,
        [sent[0], sent[2], sent[4], sent[1], sent[3], sent[5]]
    );
}

#[test]
fn a_batch_entry_without_group_or_deduplication_id_fails_the_whole_batch() {
    let no_group = Outgoing {
        group_id: None,
        ..message("g", "x", "2")
    };
    let no_id = Outgoing {
        deduplication_id: None,
        ..message("g", "x", "2")
    };
    for bad in [no_group, no_id] {
        let mut world = World::fifo(&[]);
        let batch = vec![message("g", "good", "1"), bad];
        let found = refusal(world.engine.send_batch("q.fifo", batch, world.now));
        assert_eq!(found.0, InvalidParameterValue);
        assert!(world.receive().is_empty());
    }
}

#[test]
fn other_faults_fail_their_batch_entry_only() {
    let mut world = World::fifo(&[("MaximumMessageSize", "1024")]);
    let batch = vec![
        message("g", "a", "1"),
        message("g", &"b".repeat(1025), "2"),
        message("g", "c", "1"),
        message("g", "d", "4"),
    ];
    let results = world.engine.send_batch("q.fifo", batch, world.now).unwrap();
    let good: Vec<bool> = results.iter().map(Result::is_ok).collect();
    assert_eq!(good, [true, false, true, true]);
    assert_eq!(world.drain("q.fifo"), ["a", "d"], "c was a duplicate of a");
}

#[test]
fn a_missing_queue_is_said_to_be_missing() {
    let mut world = World::new();
    let found = refusal(world.try_send("q.fifo", message("g", "x", "d")));
    let expected = "The specified queue does not exist.";
    assert_eq!(found, (QueueDoesNotExist, expected.into()));
}

#[test]
fn a_full_engine_refuses_sends_until_there_is_room() {
    let limits = Limits {
        messages: 2,
        ..Limits::default()
    };
    let mut world = World::limited(limits);
    world.create("q.fifo", &[("MessageRetentionPeriod", "60")]);
    world.send("g", "a");
    world.pass(30);
    world.send("g", "b");
    let (kind, text) = refusal(world.try_send("q.fifo", message("g", "c", "c")));
    assert_eq!(kind, OverLimit);
    assert!(text.contains("it holds 2 messages"), "{text}");
    world.pass(30);
    world.try_send("q.fifo", message("g", "c", "c")).unwrap();
    assert_eq!(world.drain("q.fifo"), ["b", "c"], "a had expired");
    world.send("g", "d");
    world.send("g", "e");
    let batch = vec![message("g", "f", "f")];
    let refused = world.engine.send_batch("q.fifo", batch, world.now).unwrap();
    assert_eq!(refused[0].as_ref().unwrap_err().kind, OverLimit);
    world.engine.delete_queue("q.fifo").unwrap();
    world.create("q.fifo", &[]);
    world.send("g", "g");
}

#[test]
fn bytes_and_remembered_deduplication_ids_are_bounded() {
    let limits = Limits {
        messages: 1000,
        bytes: 1000,
    };
    let mut world = World::limited(limits);
    world.create("q.fifo", &[]);
    let long = "x".repeat(900);
    let found = refusal(world.try_send("q.fifo", message("g", &long, "d")));
    assert_eq!(found.0, OverLimit);
    let mut sent = 0;
    while world
        .try_send("q.fifo", message("g", "x", &sent.to_string()))
        .is_ok()
    {
        sent += 1;
        assert_eq!(world.drain("q.fifo"), ["x"]);
    }
    assert_eq!(sent, 7, "of 128 bytes each");
    world.pass_ms(DEDUPLICATION_INTERVAL_MS);
    world.send("g", "x");
}
