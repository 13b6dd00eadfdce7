use super::*;
use ErrorKind::InvalidParameterValue;

#[test]
fn a_message_received_often_enough_moves_on_the_next_receive_and_its_group_goes_on() {
    let mut world = World::redriving(2);
    let sent: Vec<Sent> = ["0", "1", "2"].map(|body| world.send("g", body)).into();
    for head in ["0", "1"] {
        for count in [1, 2] {
            let delivery = world.receive_one();
            assert_eq!(bodies(std::slice::from_ref(&delivery)), [head]);
            assert_eq!(delivery.message.receive_count, count);
            world.hide(&delivery, 0).unwrap();
        }
    }
    assert_eq!(bodies(&world.receive()), ["2"], "in the same receive");
    world.pass(7);
    let dead = world.receive_from("dead.fifo", 10);
    assert_eq!(bodies(&dead), ["0", "1"]);
    let first = &dead[0].message;
    assert_eq!(first.id, sent[0].id);
    assert_eq!(first.group_id.as_deref(), Some("g"));
    assert_eq!(
        first.deduplication_id.as_deref(),
        Some(&*first.id.to_string())
    );
    assert_eq!(first.dead_letter_source.as_deref(), Some(&*arn("q.fifo")));
    assert_eq!(first.receive_count, 3, "it runs on");
}

#[test]
fn running_out_of_visibility_counts_as_much_as_a_release() {
    let mut world = World::redriving(1);
    world.send("g", "0");
    world.receive_one();
    world.pass(30);
    assert_eq!(
        world.counts("dead.fifo"),
        (0, 0, 0),
        "time alone moves nothing"
    );
    assert!(world.receive().is_empty());
    assert_eq!(bodies(&world.receive_from("dead.fifo", 1)), ["0"]);
}

#[test]
fn the_age_starts_anew_in_a_fifo_dead_letter_queue_only() {
    let mut world = World::redriving(1);
    world.create("dead", &[]);
    world.create("q", &[("RedrivePolicy", &redrive_policy("dead", 1))]);
    let outgoing = Outgoing {
        body: "0".into(),
        ..Outgoing::default()
    };
    world.try_send("q", outgoing).unwrap();
    world.send("g", "0");
    for (queue, dead, enqueued_at) in [
        ("q", "dead", START),
        ("q.fifo", "dead.fifo", START + 100_000),
    ] {
        world.now = START;
        world.receive_from(queue, 1);
        world.pass(100);
        world.receive_from(queue, 1);
        let delivery = world.receive_from(dead, 1).remove(0);
        assert_eq!(delivery.message.enqueued_at, enqueued_at, "{queue}");
    }
}

#[test]
fn a_redrive_is_not_swallowed_but_its_id_is_remembered() {
    let mut world = World::redriving(1);
    let id = world.send("g", "0").id.to_string();
    world
        .try_send("dead.fifo", message("g", "explicit", &id))
        .unwrap();
    world.receive_one();
    world.pass(30);
    world.receive();
    world
        .try_send("dead.fifo", message("g", "again", &id))
        .unwrap();
    assert_eq!(world.drain("dead.fifo"), ["explicit", "0"]);
}

#[test]
fn the_old_handle_of_a_moved_message_settles_nothing() {
    let mut world = World::redriving(1);
    world.send("g", "0");
    let delivery = world.receive_one();
    world.pass(30);
    world.receive();
    world.delete(&delivery).unwrap();
    assert_eq!(world.counts("dead.fifo"), (1, 0, 0));
}

#[test]
fn without_its_dead_letter_queue_a_message_keeps_coming() {
    let mut world = World::redriving(1);
    world.send("g", "0");
    world.engine.delete_queue("dead.fifo").unwrap();
    for _ in 0..3 {
        let delivery = world.receive_one();
        world.hide(&delivery, 0).unwrap();
    }
}

#[test]
fn a_changed_policy_takes_effect() {
    let mut world = World::redriving(1);
    world.set("q.fifo", &[("RedrivePolicy", "")]).unwrap();
    world.send("g", "0");
    let delivery = world.receive_one();
    world.hide(&delivery, 0).unwrap();
    let delivery = world.receive_one();
    world.hide(&delivery, 0).unwrap();
    let policy = redrive_policy("dead.fifo", 2);
    world.set("q.fifo", &[("RedrivePolicy", &policy)]).unwrap();
    assert!(world.receive().is_empty());
    assert_eq!(world.drain("dead.fifo"), ["0"]);
}

#[test]
fn a_redrive_policy_needs_another_queue_of_the_same_kind_that_allows_it() {
    let mut world = World::new();
    world.create("standard", &[]);
    let deny = r#"{"redrivePermission":"denyAll"}"#;
    world.create("denies.fifo", &[("RedriveAllowPolicy", deny)]);
    let only = format!(
        r#"{{"redrivePermission":"byQueue","sourceQueueArns":["{}"]}}"#,
        arn("friend.fifo")
    );
    world.create("picks.fifo", &[("RedriveAllowPolicy", &only)]);
    for target in [
        "missing.fifo",
        "standard",
        "denies.fifo",
        "picks.fifo",
        "q.fifo",
    ] {
        let policy = redrive_policy(target, 5);
        let result = world.try_create("q.fifo", &[("RedrivePolicy", &policy)]);
        assert_eq!(refusal(result).0, InvalidParameterValue, "{target}");
    }
    let policy = redrive_policy("picks.fifo", 5);
    world.create("friend.fifo", &[("RedrivePolicy", &policy)]);
    let own = redrive_policy("friend.fifo", 5);
    let result = world.set("friend.fifo", &[("RedrivePolicy", &own)]);
    assert_eq!(refusal(result).0, InvalidParameterValue);
}

#[test]
fn a_dead_letter_queue_knows_its_sources() {
    let mut world = World::redriving(1);
    let policy = redrive_policy("dead.fifo", 3);
    world.create("a.fifo", &[("RedrivePolicy", &policy)]);
    let sources = |after, max| {
        world
            .engine
            .dead_letter_sources("dead.fifo", after, max)
            .unwrap()
    };
    assert_eq!(sources(None, 10), ["a.fifo", "q.fifo"]);
    assert_eq!(sources(None, 1), ["a.fifo"]);
    assert_eq!(sources(Some("a.fifo"), 10), ["q.fifo"]);
}
