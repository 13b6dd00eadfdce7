use super::*;
use ErrorKind::InvalidParameterValue;

#[test]
fn a_receive_takes_one_group_as_far_as_it_goes_and_fills_up_with_others() {
    let mut world = World::fifo(&[]);
    for n in 0..4 {
        world.send("A", &format!("a{n}"));
        world.send("B", &format!("b{n}"));
    }
    let first = world.receive_from("q.fifo", 3);
    assert_eq!(bodies(&first), ["a0", "a1", "a2"]);
    let second = world.receive();
    assert_eq!(
        bodies(&second),
        ["b0", "b1", "b2", "b3"],
        "A is locked, a3 included"
    );
}

#[test]
fn a_message_in_flight_locks_its_group_and_no_other() {
    let mut world = World::fifo(&[]);
    world.send("A", "a0");
    world.send("A", "a1");
    let head = world.receive_one();
    assert!(world.receive().is_empty());
    world.send("B", "b0");
    assert_eq!(bodies(&world.receive()), ["b0"]);
    world.delete(&head).unwrap();
    assert_eq!(bodies(&world.receive()), ["a1"]);
}

#[test]
fn a_group_stays_locked_until_every_earlier_message_is_settled() {
    let mut world = World::fifo(&[]);
    for body in ["0", "1", "2"] {
        world.send("g", body);
    }
    let taken = world.receive_from("q.fifo", 2);
    world.delete(&taken[0]).unwrap();
    assert!(world.receive().is_empty());
    world.delete(&taken[1]).unwrap();
    assert_eq!(bodies(&world.receive()), ["2"]);
}

#[test]
fn a_visible_head_is_delivered_while_later_messages_are_in_flight() {
    // Recorded from AWS: three in flight, so many of them released from the front; the rest stay hidden.
    for released in 0..=3 {
        let mut world = World::fifo(&[]);
        for body in ["0", "1", "2"] {
            world.send("g", body);
        }
        let taken = world.receive();
        for delivery in &taken[..released] {
            world.hide(delivery, 0).unwrap();
        }
        assert_eq!(bodies(&world.receive()), ["0", "1", "2"][..released]);
    }
}

#[test]
fn what_stands_behind_an_invisible_message_is_withheld_even_at_visibility_zero() {
    let mut world = World::fifo(&[]);
    world.send("g", "0");
    world.send("g", "1");
    let taken = world.receive();
    world.hide(&taken[0], 3).unwrap();
    world.hide(&taken[1], 0).unwrap();
    world.pass_ms(2999);
    assert!(world.receive().is_empty());
    world.pass_ms(1);
    assert_eq!(bodies(&world.receive()), ["0", "1"]);
}

#[test]
fn only_the_messages_before_an_extended_one_come_back() {
    let mut world = World::fifo(&[("VisibilityTimeout", "2")]);
    for body in ["0", "1", "2"] {
        world.send("g", body);
    }
    let taken = world.receive();
    world.hide(&taken[1], 12).unwrap();
    world.pass(3);
    assert_eq!(bodies(&world.receive()), ["0"]);
}

#[test]
fn released_in_any_order_messages_come_in_their_own() {
    let mut world = World::fifo(&[]);
    for body in ["0", "1", "2", "3"] {
        world.send("g", body);
    }
    let taken = world.receive();
    for n in [1, 3, 0, 2] {
        world.hide(&taken[n], 0).unwrap();
    }
    assert_eq!(bodies(&world.receive()), ["0", "1", "2", "3"]);
}

#[test]
fn expired_messages_come_back_in_order_without_the_deleted_one() {
    let mut world = World::fifo(&[("VisibilityTimeout", "2")]);
    for n in 0..5 {
        world.send("g", &n.to_string());
    }
    let taken = world.receive();
    world.delete(&taken[1]).unwrap();
    world.pass(2);
    assert_eq!(world.drain("q.fifo"), ["0", "2", "3", "4"]);
}

#[test]
fn visibility_runs_out_to_the_millisecond() {
    let mut world = World::fifo(&[("VisibilityTimeout", "2")]);
    world.send("g", "0");
    world.send("g", "1");
    world.receive_one();
    world.pass_ms(1999);
    assert!(world.receive().is_empty());
    world.pass_ms(1);
    assert_eq!(bodies(&world.receive()), ["0", "1"]);
}

#[test]
fn a_receive_may_bring_its_own_visibility() {
    let receive = |visibility_s| Receive {
        visibility_s: Some(visibility_s),
        ..Receive::default()
    };
    let mut world = World::fifo(&[]);
    world.send("g", "0");
    assert_eq!(
        world
            .engine
            .receive("q.fifo", &receive(1), world.now)
            .unwrap()
            .len(),
        1
    );
    world.pass(1);
    for bad in [-1, 43_201] {
        let result = world.engine.receive("q.fifo", &receive(bad), world.now);
        assert_eq!(refusal(result).0, InvalidParameterValue);
    }
    // Visibility 0 hands it out and leaves it visible, once per receive.
    for count in 2..4 {
        let again = world
            .engine
            .receive("q.fifo", &receive(0), world.now)
            .unwrap();
        assert_eq!(again.len(), 1);
        assert_eq!(again[0].message.receive_count, count);
        assert_eq!(world.counts("q.fifo"), (1, 0, 0));
    }
}

#[test]
fn a_receive_asks_for_one_to_ten_messages_and_waits_up_to_twenty_seconds() {
    let mut world = World::fifo(&[("ReceiveMessageWaitTimeSeconds", "7")]);
    for bad in [0, 11, -1] {
        let receive = Receive {
            max: Some(bad),
            ..Receive::default()
        };
        let (kind, text) = refusal(world.engine.receive("q.fifo", &receive, world.now));
        let expected = format!(
            "Value {bad} for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided."
        );
        assert_eq!((kind, text), (InvalidParameterValue, expected));
    }
    for bad in [-1, 21] {
        let result = world.engine.receive_wait_s("q.fifo", Some(bad));
        assert_eq!(refusal(result).0, InvalidParameterValue);
    }
    assert_eq!(world.engine.receive_wait_s("q.fifo", Some(20)), Ok(20));
    assert_eq!(world.engine.receive_wait_s("q.fifo", Some(0)), Ok(0));
    assert_eq!(
        world.engine.receive_wait_s("q.fifo", None),
        Ok(7),
        "the queue's own"
    );
    world.send("g", "0");
    world.send("g", "1");
    let one = Receive::default();
    assert_eq!(
        world
            .engine
            .receive("q.fifo", &one, world.now)
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn receives_are_counted_and_the_first_is_remembered() {
    let mut world = World::fifo(&[]);
    world.send("g", "0");
    world.pass(5);
    for count in 1..=3 {
        let delivery = world.receive_one();
        let message = &delivery.message;
        assert_eq!(message.receive_count, count);
        assert_eq!(message.enqueued_at, START);
        assert_eq!(message.first_received_at, Some(START + 5000));
        world.pass(1);
        world.hide(&delivery, 0).unwrap();
    }
}

#[test]
fn a_queue_delay_holds_messages_back_and_counts_them() {
    let mut world = World::fifo(&[("DelaySeconds", "2")]);
    world.send("g", "0");
    world.pass(1);
    world.send("g", "1");
    assert_eq!(world.counts("q.fifo"), (0, 0, 2));
    world.pass(1);
    assert_eq!(bodies(&world.receive()), ["0"]);
    assert_eq!(world.counts("q.fifo"), (0, 1, 1));
}

#[test]
fn a_changed_delay_counts_for_messages_that_wait_already() {
    let mut world = World::fifo(&[("DelaySeconds", "60")]);
    world.send("g", "0");
    world.pass(3);
    world.set("q.fifo", &[("DelaySeconds", "5")]).unwrap();
    assert!(world.receive().is_empty());
    world.pass(2);
    assert_eq!(bodies(&world.receive()), ["0"]);
}

#[test]
fn messages_are_dropped_after_their_retention_even_in_flight() {
    let mut world = World::fifo(&[
        ("MessageRetentionPeriod", "60"),
        ("VisibilityTimeout", "600"),
    ]);
    world.send("g", "old");
    world.pass(1);
    world.send("g", "young");
    world.receive_one();
    world.pass(59);
    assert_eq!(world.counts("q.fifo"), (1, 0, 0));
    assert_eq!(bodies(&world.receive()), ["young"], "its group is free");
    world.pass(1);
    assert_eq!(world.counts("q.fifo"), (0, 0, 0));
}

#[test]
fn a_shorter_retention_counts_for_messages_that_are_there() {
    let mut world = World::fifo(&[]);
    world.send("g", "0");
    world.pass(100);
    world
        .set("q.fifo", &[("MessageRetentionPeriod", "60")])
        .unwrap();
    assert_eq!(world.counts("q.fifo"), (0, 0, 0));
}

#[test]
fn the_same_attempt_id_brings_the_same_messages_and_starts_their_visibility_anew() {
    let mut world = World::fifo(&[]);
    world.send("g", "0");
    world.send("g", "1");
    let first = world.receive_attempt("a");
    world.pass(20);
    let again = world.receive_attempt("a");
    let told = |deliveries: &[Delivery]| -> Vec<_> {
        deliveries
            .iter()
            .map(|d| (d.message.id, d.handle.clone()))
            .collect()
    };
    assert_eq!(told(&first), told(&again));
    assert!(world.receive_attempt("b").is_empty());
    world.pass(29);
    world.delete(&first[0]).unwrap();
    world.delete(&again[1]).unwrap();
    assert_eq!(world.counts("q.fifo"), (0, 0, 0));
}

#[test]
fn an_attempt_id_ends_with_the_first_change_with_visibility_and_after_five_minutes() {
    let run = |change: fn(&mut World, &[Delivery])| {
        let mut world = World::fifo(&[("VisibilityTimeout", "1000")]);
        world.send("g", "0");
        world.send("g", "1");
        let first = world.receive_attempt("a");
        change(&mut world, &first);
        let again = world.receive_attempt("a");
        bodies(&again).concat()
    };
    assert_eq!(run(|_, _| ()), "01");
    assert_eq!(run(|world, _| world.pass_ms(ATTEMPT_INTERVAL_MS - 1)), "01");
    assert_eq!(run(|world, _| world.pass_ms(ATTEMPT_INTERVAL_MS)), "");
    assert_eq!(run(|world, first| world.delete(&first[0]).unwrap()), "");
    assert_eq!(run(|world, first| world.hide(&first[1], 9).unwrap()), "");
    assert_eq!(
        run(|world, first| world.hide(&first[0], 0).unwrap()),
        "0",
        "a receive like any other"
    );
}

#[test]
fn an_empty_receive_does_not_use_up_its_attempt_id() {
    let mut world = World::fifo(&[]);
    assert!(world.receive_attempt("a").is_empty());
    world.send("g", "0");
    assert_eq!(bodies(&world.receive_attempt("a")), ["0"]);
}

#[test]
fn a_repeated_attempt_never_extends_past_twelve_hours_from_the_receive() {
    let mut world = World::fifo(&[("VisibilityTimeout", "43200")]);
    world.send("g", "0");
    world.receive_attempt("a");
    world.pass(60);
    world.receive_attempt("a");
    world.pass(43_200 - 60);
    assert_eq!(world.counts("q.fifo"), (1, 0, 0));
}

#[test]
fn at_the_in_flight_limit_receives_bring_nothing_and_fail_not() {
    assert_eq!(IN_FLIGHT_LIMIT, 120_000);
    let mut world = World::fifo(&[]);
    let queue = world.engine.queues.get_mut("q.fifo").unwrap();
    queue.in_flight_limit = 25;
    for n in 0..26 {
        world.send(&format!("g{n}"), "x");
    }
    let held: Vec<Delivery> = (0..3).flat_map(|_| world.receive()).collect();
    assert_eq!(held.len(), 25);
    world.engine.take_stirred();
    assert!(world.receive().is_empty());
    assert!(
        world.engine.take_stirred().is_empty(),
        "who waits would look in vain, for ever"
    );
    world.delete(&held[0]).unwrap();
    assert_eq!(world.receive().len(), 1);
}

#[test]
fn receivers_learn_when_to_look_again() {
    let mut world = World::fifo(&[
        ("VisibilityTimeout", "10"),
        ("MessageRetentionPeriod", "60"),
    ]);
    assert_eq!(world.engine.next_due("q.fifo"), None);
    world.engine.take_stirred();

    world.send("g", "0");
    let number = world.engine.queue_number("q.fifo").unwrap();
    assert!(world.engine.take_stirred().contains(&number));

    let delivery = world.receive_one();
    assert_eq!(world.engine.next_due("q.fifo"), Some(START + 10_000));
    world.engine.take_stirred();

    world.hide(&delivery, 5).unwrap();
    assert_eq!(world.engine.next_due("q.fifo"), Some(START + 5000));
    assert!(
        world.engine.take_stirred().contains(&number),
        "who waits must wait shorter"
    );

    world.send("g", "1");
    assert!(
        world.engine.take_stirred().is_empty(),
        "it stands behind the hidden one"
    );
    world.delete(&delivery).unwrap();
    assert!(world.engine.take_stirred().contains(&number));
}
