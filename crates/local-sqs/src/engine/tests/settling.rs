use super::*;
use ErrorKind::{InvalidParameterValue, ReceiptHandleIsInvalid};

fn expired(delivery: &Delivery) -> (ErrorKind, String) {
    let text = format!(
        "Value {} for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.",
        delivery.handle
    );
    (InvalidParameterValue, text)
}

#[test]
fn deleting_twice_succeeds() {
    let mut world = World::fifo(&[]);
    world.send("g", "0");
    let delivery = world.receive_one();
    world.delete(&delivery).unwrap();
    world.delete(&delivery).unwrap();
    assert_eq!(world.counts("q.fifo"), (0, 0, 0));
}

#[test]
fn a_fifo_delete_with_an_expired_handle_is_refused_and_the_message_stays() {
    let mut world = World::fifo(&[("VisibilityTimeout", "1")]);
    world.send("g", "0");
    let delivery = world.receive_one();
    world.pass(1);
    assert_eq!(refusal(world.delete(&delivery)), expired(&delivery));
    assert_eq!(bodies(&world.receive()), ["0"]);
}

#[test]
fn a_fifo_delete_with_a_stale_handle_is_refused_and_the_message_stays() {
    let mut world = World::fifo(&[]);
    world.send("g", "0");
    let old = world.receive_one();
    world.hide(&old, 0).unwrap();
    let new = world.receive_one();
    assert_ne!(old.handle, new.handle);
    assert_eq!(refusal(world.delete(&old)), expired(&old));
    world.delete(&new).unwrap();
    world.delete(&old).unwrap();
}

#[test]
fn an_extended_handle_deletes_after_the_first_timeout() {
    let mut world = World::fifo(&[("VisibilityTimeout", "1")]);
    world.send("g", "0");
    let delivery = world.receive_one();
    world.hide(&delivery, 10).unwrap();
    world.pass(9);
    world.delete(&delivery).unwrap();
    assert_eq!(world.counts("q.fifo"), (0, 0, 0));
}

#[test]
fn a_standard_queue_deletes_with_an_expired_handle_but_not_with_a_stale_one() {
    let mut world = World::standard(&[("VisibilityTimeout", "1")]);
    let outgoing = Outgoing {
        body: "x".into(),
        ..Outgoing::default()
    };
    world.try_send("q", outgoing).unwrap();
    let old = world.receive_from("q", 1).remove(0);
    world.pass(1);
    let new = world.receive_from("q", 1).remove(0);
    world.engine.delete("q", &old.handle, world.now).unwrap();
    assert_eq!(world.counts("q"), (0, 1, 0));
    world.pass(1);
    world.engine.delete("q", &new.handle, world.now).unwrap();
    assert_eq!(world.counts("q"), (0, 0, 0));
}

#[test]
fn a_standard_queue_hides_again_with_an_expired_handle() {
    let mut world = World::standard(&[("VisibilityTimeout", "1")]);
    let outgoing = Outgoing {
        body: "x".into(),
        ..Outgoing::default()
    };
    world.try_send("q", outgoing).unwrap();
    let delivery = world.receive_from("q", 1).remove(0);
    world.pass(2);
    world
        .engine
        .change_visibility("q", &delivery.handle, 10, world.now)
        .unwrap();
    assert_eq!(world.counts("q"), (0, 1, 0));
}

#[test]
fn visibility_changes_only_while_the_receive_holds_the_message() {
    let mut world = World::fifo(&[("VisibilityTimeout", "1")]);
    world.send("g", "0");
    let delivery = world.receive_one();
    world.pass(1);
    let (kind, text) = refusal(world.hide(&delivery, 10));
    assert_eq!(kind, InvalidParameterValue);
    assert!(text.ends_with("is not available for visibility timeout change."));
    let newer = world.receive_one();
    assert_eq!(refusal(world.hide(&delivery, 10)).0, InvalidParameterValue);
    world.delete(&newer).unwrap();
    assert_eq!(refusal(world.hide(&newer, 10)).0, InvalidParameterValue);
}

#[test]
fn visibility_is_0_to_43_200_seconds() {
    let mut world = World::fifo(&[]);
    world.send("g", "0");
    let delivery = world.receive_one();
    for bad in [-1, 43_201] {
        assert_eq!(refusal(world.hide(&delivery, bad)).0, InvalidParameterValue);
    }
    world.hide(&delivery, 43_200).unwrap();
    world.hide(&delivery, 0).unwrap();
    assert_eq!(bodies(&world.receive()), ["0"]);
}

#[test]
fn extensions_end_twelve_hours_after_the_receive() {
    let mut world = World::fifo(&[("VisibilityTimeout", "43000")]);
    world.send("g", "0");
    let delivery = world.receive_one();
    world.pass(200);
    let (kind, text) = refusal(world.hide(&delivery, 43_001));
    let expected = "Value 43001 for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the message is beyond the limit [43200 seconds]";
    assert_eq!((kind, text.as_str()), (InvalidParameterValue, expected));
    assert_eq!(
        world.engine.next_due("q.fifo"),
        Some(START + 43_000_000),
        "a refusal changes nothing"
    );
    world.hide(&delivery, 43_000).unwrap();
    world.hide(&delivery, 0).unwrap();
    let again = world.receive_one();
    world.hide(&again, 43_200).unwrap();
}

#[test]
fn garbage_and_handles_of_other_queues_are_invalid() {
    let mut world = World::fifo(&[]);
    world.create("other.fifo", &[]);
    world.send("g", "0");
    let delivery = world.receive_one();
    for (queue, handle) in [("q.fifo", "garbage"), ("other.fifo", &delivery.handle)] {
        let deleted = world.engine.delete(queue, handle, world.now);
        assert_eq!(refusal(deleted).0, ReceiptHandleIsInvalid);
        let hidden = world.engine.change_visibility(queue, handle, 0, world.now);
        assert_eq!(refusal(hidden).0, ReceiptHandleIsInvalid);
    }
}

#[test]
fn a_handle_dies_with_its_queue() {
    let mut world = World::fifo(&[]);
    world.send("g", "0");
    let delivery = world.receive_one();
    world.engine.delete_queue("q.fifo").unwrap();
    world.create("q.fifo", &[]);
    assert_eq!(refusal(world.delete(&delivery)).0, ReceiptHandleIsInvalid);
}

#[test]
fn counts_follow_every_change() {
    let mut world = World::fifo(&[]);
    for n in 0..4 {
        world.send(&format!("g{n}"), "x");
    }
    assert_eq!(world.counts("q.fifo"), (4, 0, 0));
    let first = world.receive_one();
    let second = world.receive_one();
    assert_eq!(world.counts("q.fifo"), (2, 2, 0));
    world.delete(&first).unwrap();
    assert_eq!(world.counts("q.fifo"), (2, 1, 0));
    world.hide(&second, 60).unwrap();
    world.pass(59);
    assert_eq!(world.counts("q.fifo"), (2, 1, 0));
    world.pass(1);
    assert_eq!(world.counts("q.fifo"), (3, 0, 0));
}

#[test]
fn messages_behind_a_lock_count_as_visible() {
    let mut world = World::fifo(&[]);
    for body in ["0", "1", "2"] {
        world.send("g", body);
    }
    world.receive_one();
    assert_eq!(world.counts("q.fifo"), (2, 1, 0));
}
