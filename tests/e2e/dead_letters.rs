//! The internal queue after a bad day.

use rig::program::documents;
use rig::receiver::Listener;
use rig::world::{World, callback, done, event};
use serde_json::json;

#[test]
fn three_hundred_dead_events_of_one_setup_are_all_listed_and_none_is_taken_out() {
    let mut world = World::fifo();
    world.delays(&[]);
    let listener = Listener::start(&world.home, &["--respond", "503"]);
    world.configure(&callback(&listener.url));
    let lines: Vec<_> = (0..300)
        .map(|n| event(7, &format!("event-{n:03}")))
        .collect();
    world.send(&lines, &[]);
    assert_eq!(world.drain()["dead_lettered"], 300);
    assert_eq!(listener.stop().len(), 300);

    for look in ["first", "second"] {
        let letters = world.dead_letters();
        let ids: Vec<_> = letters
            .iter()
            .map(|letter| letter["msg_id"].as_str().expect("an id"))
            .collect();
        let as_sent: Vec<_> = (0..300).map(|n| format!("event-{n:03}")).collect();
        assert_eq!(ids, as_sent, "{look} look");
    }
    let groups = documents(&done(&world.home.run(&["dlq", "groups", "--json"])).stdout);
    let [group] = &groups[..] else {
        panic!("{groups:?}")
    };
    for (field, expected) in [
        ("reason", json!("exhausted")),
        ("status", json!(503)),
        ("group", json!("EventSetup_7")),
        ("count", json!(300)),
    ] {
        assert_eq!(group[field], expected, "{field}: {group}");
    }
}
