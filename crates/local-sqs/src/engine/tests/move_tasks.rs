use super::*;
use ErrorKind::{InvalidParameterValue, ResourceNotFound};

/// `q.fifo` redriving to `dead.fifo`, and so many messages dead.
fn with_dead(count: u32) -> World {
    let mut world = World::redriving(1);
    for n in 0..count {
        world.send("g", &n.to_string());
    }
    for _ in 0..count {
        world.receive_one();
        world.pass(30);
    }
    assert!(world.receive().is_empty());
    assert_eq!(world.counts("dead.fifo"), (count as usize, 0, 0));
    world
}

fn start(world: &mut World, to: Option<&str>, rate: Option<i64>) -> Result<String, SqsError> {
    let to = to.map(arn);
    world
        .engine
        .start_move_task(&arn("dead.fifo"), to.as_deref(), rate, world.now)
}

fn newest(world: &mut World) -> MoveTask {
    let tasks = world.engine.move_tasks(&arn("dead.fifo"), 10, world.now);
    tasks.unwrap().remove(0)
}

#[test]
fn messages_go_back_to_their_source_in_order_as_new_messages() {
    let mut world = with_dead(3);
    let dead = world.receive_from("dead.fifo", 1).remove(0);
    world
        .engine
        .change_visibility("dead.fifo", &dead.handle, 0, world.now)
        .unwrap();
    start(&mut world, None, None).unwrap();
    let task = newest(&mut world);
    assert_eq!(
        (task.status, task.moved, task.to_move),
        (Status::Completed, 3, 3)
    );
    let first = world.receive_one();
    assert_eq!(first.message.receive_count, 1);
    assert_eq!(first.message.enqueued_at, world.now);
    assert_ne!(first.message.id, dead.message.id);
    assert_eq!(first.message.group_id.as_deref(), Some("g"));
    assert_eq!(first.message.dead_letter_source, None);
    world.hide(&first, 0).unwrap();
    world.set("q.fifo", &[("RedrivePolicy", "")]).unwrap();
    assert_eq!(world.drain("q.fifo"), ["0", "1", "2"]);
}

#[test]
fn messages_sent_straight_to_a_dead_letter_queue_have_no_source() {
    let mut world = with_dead(1);
    world
        .try_send("dead.fifo", message("h", "direct", "d"))
        .unwrap();
    start(&mut world, None, None).unwrap();
    let task = newest(&mut world);
    let failed = Status::Failed("CouldNotDetermineMessageSource");
    assert_eq!((task.status, task.moved), (failed, 1));
    assert_eq!(world.counts("dead.fifo"), (1, 0, 0), "it stays");

    world.create("other.fifo", &[]);
    start(&mut world, Some("other.fifo"), None).unwrap();
    assert_eq!(newest(&mut world).status, Status::Completed);
    assert_eq!(world.drain("other.fifo"), ["direct"]);
}

#[test]
fn a_rate_is_kept_and_a_task_can_be_cancelled() {
    let mut world = with_dead(5);
    let handle = start(&mut world, None, Some(1)).unwrap();
    let again = start(&mut world, None, None);
    assert_eq!(refusal(again).0, InvalidParameterValue, "one at a time");
    assert_eq!(newest(&mut world).moved, 1);
    assert_eq!(world.engine.next_due("q.fifo"), Some(world.now + 1000));
    world.pass(2);
    world.engine.advance(world.now);
    assert_eq!(world.counts("q.fifo").0, 3);
    assert_eq!(world.engine.cancel_move_task(&handle, world.now), Ok(3));
    world.pass(10);
    assert_eq!(newest(&mut world).status, Status::Cancelled);
    assert_eq!(world.counts("dead.fifo").0, 2);
    let twice = world.engine.cancel_move_task(&handle, world.now);
    assert_eq!(refusal(twice).0, ResourceNotFound);
}

#[test]
fn a_move_task_needs_a_dead_letter_queue_and_a_fitting_destination() {
    let mut world = with_dead(1);
    world.create("standard", &[]);
    let mut start = |from: &str, to: Option<&str>, rate| {
        let to = to.map(arn);
        let result = world
            .engine
            .start_move_task(&arn(from), to.as_deref(), rate, world.now);
        refusal(result).0
    };
    assert_eq!(start("q.fifo", None, None), InvalidParameterValue);
    assert_eq!(start("missing.fifo", None, None), ResourceNotFound);
    assert_eq!(
        start("dead.fifo", Some("missing.fifo"), None),
        ResourceNotFound
    );
    assert_eq!(
        start("dead.fifo", Some("standard"), None),
        InvalidParameterValue
    );
    assert_eq!(
        start("dead.fifo", Some("dead.fifo"), None),
        InvalidParameterValue,
        "it would never end"
    );
    for rate in [0, 501, -1] {
        assert_eq!(start("dead.fifo", None, Some(rate)), InvalidParameterValue);
    }
}

#[test]
fn a_task_whose_destination_goes_away_fails() {
    let mut world = with_dead(2);
    start(&mut world, None, Some(1)).unwrap();
    world.engine.delete_queue("q.fifo").unwrap();
    world.pass(1);
    let task = newest(&mut world);
    assert_eq!(task.moved, 1);
    assert!(matches!(task.status, Status::Failed(_)));
    assert_eq!(world.counts("dead.fifo").0, 1);
}

#[test]
fn only_the_newest_ten_tasks_are_kept() {
    let mut world = with_dead(0);
    for _ in 0..12 {
        start(&mut world, None, None).unwrap();
    }
    let tasks = world.engine.move_tasks(&arn("dead.fifo"), 100, world.now);
    assert_eq!(tasks.unwrap().len(), 10);
}
