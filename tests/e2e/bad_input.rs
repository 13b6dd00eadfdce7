//! Bad input on the running path: each gets a clear message that names the place, and hurts nothing else.

use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
use rig::program::assert_told;
use rig::receiver::Listener;
use rig::request::Request;
use rig::world::{World, attribute, binary, callback, event, only};
use serde_json::{Value, json};

#[test]
fn a_queue_that_does_not_exist_is_told_by_every_command_that_uses_it() {
    let mut world = World::fifo();
    world.configure(&callback("https://hooks.example.com/"));
    let there = world.queue_url.clone();
    let nowhere = there.replace(".fifo", "-nowhere.fifo");
    let told = |world: &World, arguments: &[&str]| {
        let ended = world.home.run(arguments);
        assert_told(&ended, 1, &["-nowhere.fifo does not exist"]);
        assert_eq!(ended.stdout, "", "{arguments:?}");
    };
    world.home.set("HOOKLANE_QUEUE__URL", &nowhere);
    for command in [&["send"][..], &["work"], &["work", "--drain"]] {
        told(&world, command);
    }
    world
        .home
        .set("HOOKLANE_QUEUE__URL", &there)
        .set("HOOKLANE_QUEUE__DEAD_LETTER_URL", &nowhere);
    for command in [
        &["work"][..],
        &["dlq", "ls"],
        &["dlq", "groups"],
        &["dlq", "show", "x"],
    ] {
        told(&world, command);
    }
}

#[test]
fn a_pair_that_would_lose_events_is_refused_before_anything_is_received() {
    let mut world = World::fifo();
    world.configure(&callback("https://hooks.example.com/"));
    world.send(&[event(1, "kept")], &[]);
    let dead_letter_url = world.dead_letter_url.clone();
    world
        .home
        .set("HOOKLANE_QUEUE__DEAD_LETTER_URL", &world.queue_url);
    // Told from the configuration alone.
    assert_told(&world.home.run(&["work"]), 2, &["queue.dead_letter_url"]);

    let standard = dead_letter_url.trim_end_matches(".fifo");
    world.home.set("HOOKLANE_QUEUE__DEAD_LETTER_URL", standard);
    assert_told(
        &world.home.run(&["work"]),
        2,
        &[
            "queue.dead_letter_url",
            "a standard queue behind a FIFO source",
        ],
    );

    world
        .home
        .set("HOOKLANE_QUEUE__DEAD_LETTER_URL", &dead_letter_url);
    // Told when the queues are opened: a receive is not an attempt.
    world.set_max_receive_count(99);
    assert_told(
        &world.home.run(&["work"]),
        1,
        &["99 receives (maxReceiveCount)"],
    );
    world.set_max_receive_count(1000);

    let listener = Listener::start(&world.home, &[]);
    world.configure(&callback(&listener.url));
    assert_eq!(world.drain()["delivered"], 1);
    assert_eq!(listener.stop()[0].webhook_id(), "kept");
}

#[test]
fn a_callback_without_https_is_refused_unless_it_is_allowed() {
    let mut world = World::fifo();
    world.configure(&callback("http://hooks.example.com/"));
    world.home.set("HOOKLANE_ENDPOINT__ALLOW_HTTP", "false");
    let ended = world.home.run(&["work"]);
    assert_told(
        &ended,
        2,
        &["callback.production.url", "https", "allow_http"],
    );
}

/// One byte more than may stand in a line, and as a line of JSON.
fn two_mebibytes() -> Vec<u8> {
    let mut line = br#"{"mkt_id":4,"text":""#.to_vec();
    line.resize(2 * 1024 * 1024, b'x');
    line.extend(br#""}"#);
    line
}

/// More than SQS takes, less than may stand in a line.
fn over_the_queue_limit() -> Vec<u8> {
    let mut line = br#"{"mkt_id":4,"text":""#.to_vec();
    line.resize(1024 * 1024, b'x');
    line.extend(br#""}"#);
    line
}

/// Nested a hundred thousand deep.
fn deep(open: &str, close: &str) -> Vec<u8> {
    const DEPTH: usize = 100_000;
    let value = open.repeat(DEPTH) + &close.repeat(DEPTH);
    format!(r#"{{"mkt_id":4,"msg_id":"deep","deep":{value}}}"#).into_bytes()
}

#[test]
fn lines_that_are_no_events_are_told_by_number_and_only_the_others_are_sent_and_delivered() {
    let world = World::fifo();
    let listener = Listener::start(&world.home, &[]);
    world.configure(&callback(&listener.url));
    let lines: Vec<(Vec<u8>, &str)> = vec![
        (br#"{"mkt_id":4,"msg_id":"first"}"#.to_vec(), ""),
        (
            b"[{\"mkt_id\":4}]".to_vec(),
            "expected a JSON object, found an array",
        ),
        (
            b"\"text\"".to_vec(),
            "expected a JSON object, found a string",
        ),
        (b"".to_vec(), ""),
        (b"{\"mkt_id\":4".to_vec(), "not valid JSON at byte"),
        (b"not JSON".to_vec(), "not valid JSON at byte 1"),
        (b"{\"text\":\"\xff\"}".to_vec(), "not valid UTF-8 at byte 9"),
        (two_mebibytes(), "longer than 2097152 bytes"),
        (over_the_queue_limit(), "the queue takes 1048576"),
        (deep("[", ""), "not valid JSON at byte"),
        (deep("[", "]"), ""),
        (
            br#"{"mkt_id":4,"mkt_id":5}"#.to_vec(),
            "`mkt_id` is given twice",
        ),
        (br#"{"other":4,"other":5,"msg_id":"twice"}"#.to_vec(), ""),
        (
            br#"{"mkt_id":"4"}"#.to_vec(),
            "`mkt_id` must be an integer, found a string",
        ),
        (
            br#"{"msg_id":null}"#.to_vec(),
            "`msg_id` must be a string, found null",
        ),
        (
            br#"{"MessageGroupId":"EventSetup_8"}"#.to_vec(),
            "`MessageGroupId` is `EventSetup_8`",
        ),
        (
            br#"{"mkt_id":4} {"mkt_id":5}"#.to_vec(),
            "not valid JSON at byte 13: trailing characters",
        ),
        (br#"{"mkt_id":4,"msg_id":"last"}"#.to_vec(), ""),
    ];
    let texts: Vec<_> = lines.iter().map(|(line, _)| line.as_slice()).collect();
    world.home.write("events.jsonl", texts.join(&b'\n'));
    let ended = world
        .home
        .run(&["send", "events.jsonl", "--event-setup", "7", "--json"]);
    let report = only(&ended);
    let rejected = report["rejected"].as_array().expect("a list");
    let expected: Vec<_> = (1..)
        .zip(&lines)
        .filter(|(_, (_, error))| !error.is_empty())
        .collect();
    assert_eq!(rejected.len(), expected.len(), "{report}");
    for (rejected, (number, (_, error))) in rejected.iter().zip(expected) {
        assert_eq!(rejected["line"], number, "{report}");
        assert!(
            rejected["error"]
                .as_str()
                .is_some_and(|text| text.contains(error)),
            "{error}: {rejected}"
        );
        assert_told(&ended, 1, &[&format!("events.jsonl:{number}: not sent: ")]);
    }
    assert_eq!(
        (&report["sent"], &report["unsent_from"]),
        (&json!(4), &json!(null)),
        "{report}"
    );

    assert_eq!(world.drain()["delivered"], 4);
    let requests = listener.stop();
    let ids: Vec<_> = requests.iter().map(Request::webhook_id).collect();
    assert_eq!(ids, ["first", "deep", "twice", "last"]);
}

#[test]
fn bodies_that_are_no_events_go_to_the_internal_queue_unposted_and_their_group_goes_on() {
    let world = World::fifo();
    let listener = Listener::start(&world.home, &[]);
    world.configure(&callback(&listener.url));
    let bodies = [
        ("not JSON", "not valid JSON at byte 1"),
        ("[{\"mkt_id\":4}]", "expected a JSON object, found an array"),
        ("\"text\"", "expected a JSON object, found a string"),
        (" ", "the body is empty, expected a JSON object"),
        (
            r#"{"mkt_id":4.5}"#,
            "`mkt_id` must be an integer, found a number with a fraction or exponent",
        ),
        (r#"{"msg_id":"a","msg_id":"b"}"#, "`msg_id` is given twice"),
        (
            &String::from_utf8(deep("[", "")).expect("text"),
            "not valid JSON at byte",
        ),
    ];
    for (n, (body, _)) in bodies.iter().enumerate() {
        world.send_plainly(Some(("EventSetup_1", &format!("bad-{n}"))), body, &[]);
    }
    world.send_plainly(Some(("EventSetup_1", "good")), r#"{"msg_id":"good"}"#, &[]);
    let summary = world.drain();
    assert_eq!(
        (
            &summary["attempts"],
            &summary["delivered"],
            &summary["dead_lettered"]
        ),
        (&json!(1), &json!(1), &json!(bodies.len())),
        "{summary}"
    );
    assert_eq!(listener.stop()[0].webhook_id(), "good");

    let letters = world.dead_letters();
    assert_eq!(letters.len(), bodies.len());
    for (letter, (body, detail)) in letters.iter().zip(bodies) {
        let shown = world.show(letter);
        let record = &shown["record"];
        assert_eq!(
            (&record["reason"], &record["attempts"]),
            (&json!("invalid-event"), &json!([])),
            "{record}"
        );
        assert!(
            record["detail"]
                .as_str()
                .is_some_and(|text| text.contains(detail)),
            "{detail}: {record}"
        );
        // Shown as it is: as JSON if it is JSON, else as text.
        let as_is = serde_json::from_str(body).unwrap_or_else(|_| Value::from(body));
        assert_eq!(shown["body"], as_is, "{shown}");
    }
}

#[test]
fn attributes_that_are_not_ours_do_not_disturb_and_stay_on_the_dead_letter() {
    let mut world = World::fifo();
    world.delays(&[]);
    let listener = Listener::start(&world.home, &["--respond", "200,500"]);
    world.configure(&callback(&listener.url));
    let foreign = [
        ("event", attribute("String", "talent_created")),
        (
            "trace.id",
            attribute("String.traceparent", "00-4bf92f35-00f067aa-01"),
        ),
        ("retries", attribute("Number", "3")),
        ("blob", binary(b"\x00\xff\x01")),
        ("Hooklane-Group", attribute("String", "EventSetup_9")),
    ];
    for id in ["accepted", "refused"] {
        let body = format!(r#"{{"msg_id":"{id}"}}"#);
        world.send_plainly(Some(("EventSetup_1", id)), &body, &foreign);
    }
    world.drain();
    let requests = listener.stop();
    assert_eq!(requests.len(), 2);
    for request in &requests {
        let group = request.header("x-hooklane-group");
        assert_eq!(
            (group, request.header("x-hooklane-event")),
            ("EventSetup_1", "talent_created")
        );
    }

    let letters = world.raw_dead_letters();
    let [letter] = &letters[..] else {
        panic!("{letters:?}")
    };
    let mut attributes = letter.message_attributes.clone().expect("attributes");
    let record = attributes
        .remove("hooklane.dead_letter")
        .and_then(|record| record.string_value);
    let record: Value = serde_json::from_str(&record.expect("a record")).expect("JSON");
    let sent: std::collections::HashMap<_, _> = foreign
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    assert_eq!(attributes, sent);
    assert_eq!(
        letter.body.as_deref(),
        Some(r#"{"msg_id":"refused"}"#),
        "the body as it was sent"
    );
    assert_eq!(
        (&record["v"], &record["origin"]["group"]),
        (&json!(1), &json!("EventSetup_1")),
        "{record}"
    );
    assert_eq!(
        group(letter),
        format!(
            "EventSetup_1#{}",
            record["origin"]["message_id"].as_str().expect("an id")
        )
    );
}

fn group(letter: &Message) -> &str {
    let attributes = letter.attributes.as_ref().expect("system attributes");
    &attributes[&MessageSystemAttributeName::MessageGroupId]
}
