use super::*;
use ErrorKind::{
    InvalidAttributeName, InvalidParameterValue, MissingParameter, PurgeQueueInProgress,
    QueueDoesNotExist, QueueNameExists,
};

#[test]
fn names_have_80_plain_characters_and_fifo_queues_a_suffix() {
    let longest = "a".repeat(80);
    let too_long = "a".repeat(81);
    let longest_fifo = format!("{}.fifo", "a".repeat(75));
    let too_long_fifo = format!("{}.fifo", "a".repeat(76));
    let table = [
        ("aZ0-_", None, None),
        (&longest, None, None),
        ("q.fifo", Some("true"), None),
        (&longest_fifo, Some("true"), None),
        (&too_long, None, Some(InvalidParameterValue)),
        (&too_long_fifo, Some("true"), Some(InvalidParameterValue)),
        ("q.fifo", None, Some(InvalidParameterValue)),
        ("q", Some("true"), Some(InvalidParameterValue)),
        (".fifo", Some("true"), Some(InvalidParameterValue)),
        ("a b", None, Some(InvalidParameterValue)),
        ("é", None, Some(InvalidParameterValue)),
        ("", None, Some(MissingParameter)),
        ("q", Some("false"), Some(InvalidAttributeName)),
    ];
    for (name, fifo, expected) in table {
        let mut engine = Engine::new(Limits::default(), 0);
        let attributes: BTreeMap<String, String> = fifo
            .map(|fifo| ("FifoQueue".to_owned(), fifo.to_owned()))
            .into_iter()
            .collect();
        let found = engine.create_queue(name, &attributes, &BTreeMap::new(), START);
        assert_eq!(found.err().map(|e| e.kind), expected, "{name} {fifo:?}");
    }
}

#[test]
fn creating_again_needs_the_same_values() {
    let mut world = World::fifo(&[("VisibilityTimeout", "40")]);
    world.send("g", "kept");
    world.create("q.fifo", &[("VisibilityTimeout", "40")]);
    world.create("q.fifo", &[]);
    let result = world.try_create(
        "q.fifo",
        &[("DelaySeconds", "0"), ("VisibilityTimeout", "41")],
    );
    let expected = "A queue already exists with the same name and a different value for attribute VisibilityTimeout";
    assert_eq!(refusal(result), (QueueNameExists, expected.into()));
    assert_eq!(world.drain("q.fifo"), ["kept"]);
}

#[test]
fn attributes_are_shown_as_asked_for() {
    let mut world = World::fifo(&[("VisibilityTimeout", "45")]);
    let mut ask = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
        world.engine.queue_attributes("q.fifo", &names, START)
    };
    assert_eq!(ask(&["All"]).unwrap().len(), 16);
    assert!(ask(&[]).unwrap().is_empty());
    let two = ask(&["VisibilityTimeout", "QueueArn", "RedrivePolicy"]).unwrap();
    let expected = BTreeMap::from([
        ("VisibilityTimeout", "45".to_owned()),
        ("QueueArn", arn("q.fifo")),
    ]);
    assert_eq!(two, expected);
    let unknown = refusal(ask(&["Bogus"]));
    assert_eq!(
        unknown,
        (InvalidAttributeName, "Unknown Attribute Bogus.".into())
    );
}

#[test]
fn attributes_change_all_or_none_and_leave_a_time() {
    let mut world = World::fifo(&[]);
    world.pass(10);
    let values = [("DelaySeconds", "5"), ("VisibilityTimeout", "99999")];
    assert!(world.set("q.fifo", &values).is_err());
    assert_eq!(
        world.attribute("q.fifo", "DelaySeconds").as_deref(),
        Some("0")
    );
    world.set("q.fifo", &values[..1]).unwrap();
    assert_eq!(
        world.attribute("q.fifo", "DelaySeconds").as_deref(),
        Some("5")
    );
    let times = ["CreatedTimestamp", "LastModifiedTimestamp"];
    let shown = times.map(|name| world.attribute("q.fifo", name).unwrap());
    assert_eq!(shown, ["1000", "1010"]);
}

#[test]
fn a_purge_drops_everything_once_a_minute_and_frees_groups() {
    let mut world = World::fifo(&[]);
    world.send_as("g", "0", "d");
    world.send("g", "1");
    let delivery = world.receive_one();
    world.engine.purge_queue("q.fifo", world.now).unwrap();
    assert_eq!(world.counts("q.fifo"), (0, 0, 0));
    world.delete(&delivery).unwrap();
    world.send_as("g", "swallowed", "d");
    world.send("g", "2");
    assert_eq!(world.drain("q.fifo"), ["2"]);
    world.pass_ms(PURGE_INTERVAL_MS - 1);
    let again = world.engine.purge_queue("q.fifo", world.now);
    let expected = "Only one PurgeQueue operation on q.fifo is allowed every 60 seconds.";
    assert_eq!(refusal(again), (PurgeQueueInProgress, expected.into()));
    world.pass_ms(1);
    world.engine.purge_queue("q.fifo", world.now).unwrap();
}

#[test]
fn a_deleted_queue_does_not_exist() {
    let mut world = World::fifo(&[]);
    world.send("g", "0");
    let number = world.engine.queue_number("q.fifo").unwrap();
    world.engine.take_stirred();
    world.engine.delete_queue("q.fifo").unwrap();
    assert!(
        world.engine.take_stirred().contains(&number),
        "who waits must know"
    );
    let sent = world.try_send("q.fifo", message("g", "x", "d"));
    assert_eq!(refusal(sent).0, QueueDoesNotExist);
    assert_eq!(
        refusal(world.engine.delete_queue("q.fifo")).0,
        QueueDoesNotExist
    );
    world.create("q.fifo", &[]);
    assert!(world.receive().is_empty());
    assert_ne!(world.engine.queue_number("q.fifo").unwrap(), number);
}

#[test]
fn queues_are_listed_by_prefix_and_page() {
    let mut world = World::new();
    for name in ["b", "a1", "a3", "a2"] {
        world.create(name, &[]);
    }
    let engine = &world.engine;
    assert_eq!(engine.queue_names("", None, 10), ["a1", "a2", "a3", "b"]);
    assert_eq!(engine.queue_names("a", None, 2), ["a1", "a2"]);
    assert_eq!(engine.queue_names("a", Some("a2"), 2), ["a3"]);
}

#[test]
fn tags_come_and_go_up_to_fifty() {
    let mut world = World::fifo(&[]);
    let tags = |range: std::ops::Range<u32>| -> BTreeMap<String, String> {
        range.map(|n| (format!("k{n}"), "v".to_owned())).collect()
    };
    world.engine.tag_queue("q.fifo", tags(0..50)).unwrap();
    world.engine.tag_queue("q.fifo", tags(0..1)).unwrap();
    let full = world.engine.tag_queue("q.fifo", tags(50..51));
    assert_eq!(refusal(full).0, InvalidParameterValue);
    let keys: Vec<String> = tags(1..60).into_keys().collect();
    world.engine.untag_queue("q.fifo", &keys).unwrap();
    assert_eq!(world.engine.queue_tags("q.fifo"), Ok(&tags(0..1)));
}

#[test]
fn the_same_seed_and_calls_give_the_same_ids_and_handles() {
    let run = |seed| {
        let mut world = World::fifo(&[]);
        world.engine = Engine::new(Limits::default(), seed);
        world.create("q.fifo", &[]);
        world.send("g", "0");
        let delivery = world.receive_one();
        (delivery.message.id, delivery.handle)
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1).0, run(2).0);
}
