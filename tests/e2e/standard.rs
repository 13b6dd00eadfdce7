//! Standard queues: no order, no deduplication, and no FIFO parameters.

use std::collections::BTreeSet;

use rig::receiver::Listener;
use rig::request::Request;
use rig::world::{World, callback};
use serde_json::json;

#[test]
fn a_standard_queue_delivers_every_event_without_fifo_parameters_and_keeps_what_fails() {
    let mut world = World::standard();
    world.delays(&["0s", "1s", "0s"]);
    let accepting = Listener::start(&world.home, &["--secret", "env:WORKN_SECRET"]);
    let failing = Listener::start(&world.home, &["--respond", "500"]);
    let events = format!("[callback.production.events]\ndown = \"{}\"\n", failing.url);
    world.configure(&(callback(&accepting.url) + &events));

    let line = |n: usize| format!(r#"{{"mkt_id":4,"msg_id":"event-{n}"}}"#);
    world.send(&(0..30).map(line).collect::<Vec<_>>(), &[]);
    world.send(&[line(30)], &["--event", "down"]);
    // An upstream system may send what the two FIFO parameters would be: they pass like any other.
    world.send_plainly(
        None,
        r#"{"msg_id":"event-31","MessageGroupId":"EventSetup_1"}"#,
        &[],
    );
    let summary = world.drain();
    assert_eq!(
        (
            &summary["attempts"],
            &summary["delivered"],
            &summary["dead_lettered"]
        ),
        (&json!(31 + 4), &json!(31), &json!(1)),
        "{summary}"
    );

    let accepted = accepting.stop_with_lines();
    let ids: BTreeSet<_> = accepted
        .iter()
        .map(|(request, _)| request.webhook_id().to_owned())
        .collect();
    assert_eq!((accepted.len(), ids.len()), (31, 31));
    for (request, printed) in &accepted {
        assert_eq!(printed["signature"], "valid");
        for header in ["x-hooklane-group", "x-hooklane-sequence"] {
            assert!(
                !request.headers.contains_key(header),
                "{header}: {request:?}"
            );
        }
        let event = request.event();
        assert!(event.get("MessageDeDuplicationId").is_none(), "{event}");
        assert_eq!(
            event.get("MessageGroupId").is_some(),
            request.webhook_id() == "event-31",
            "{event}"
        );
    }
    let attempts = failing.stop();
    let numbers: Vec<_> = attempts.iter().map(Request::attempt).collect();
    assert_eq!(numbers, [1, 2, 3, 4]);
    let letter = &world.dead_letters()[0];
    assert_eq!(
        (&letter["msg_id"], &letter["group"]),
        (&json!("event-30"), &json!(null)),
        "{letter}"
    );
    assert_eq!(
        world.show(letter)["record"]["attempts"]
            .as_array()
            .map(Vec::len),
        Some(4)
    );
}
