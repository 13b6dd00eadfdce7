//! What `docs/UPSTREAM.md` promises to systems that send without our producer. Its examples and tables are read from
//! the document, so that document and program cannot drift apart.

mod document;

use std::collections::BTreeMap;

use aws_sdk_sqs::error::ProvideErrorMetadata as _;
use aws_sdk_sqs::operation::send_message::builders::SendMessageFluentBuilder;
use aws_sdk_sqs::types::QueueAttributeName;
use event::Event;
use serde_json::{Value, json};

use document::{Example, blocks, document, table};
use rig::receiver::Listener;
use rig::request::Request;
use rig::world::{World, attribute, binary, callback};

#[test]
fn the_examples_are_delivered_as_they_are_sent() {
    let document = document();
    let cli = blocks(&document, "sh")
        .into_iter()
        .map(|block| Example::of_cli(&block));
    let boto3 = blocks(&document, "python")
        .into_iter()
        .filter(|block| block.contains("send_message("));
    let (fifo, standard): (Vec<_>, Vec<_>) = cli
        .chain(boto3.map(|block| Example::of_boto3(&block)))
        .partition(|example| example.fifo.is_some());
    assert_eq!((fifo.len(), standard.len()), (2, 1));

    for (world, examples) in [(World::fifo(), fifo), (World::standard(), standard)] {
        let listener = Listener::start(&world.home, &["--secret", "env:WORKN_SECRET"]);
        world.configure(&callback(&listener.url));
        for example in &examples {
            example.send(&world);
        }
        assert_eq!(world.drain()["delivered"], examples.len());
        let received = listener.stop_with_lines();
        assert_eq!(received.len(), examples.len());
        for (example, (request, printed)) in examples.iter().zip(&received) {
            assert_eq!(printed["signature"], "valid");
            example.assert_delivered(request);
        }
    }
}

#[test]
fn the_parameters_have_the_types_that_the_table_says() {
    let document = document();
    let example = Example::of_cli(&blocks(&document, "sh")[0]);
    let full: Value = serde_json::from_str(&example.body).expect("JSON");
    for row in table(&document, "parameter") {
        let [name, _, kind, _] = &row[..] else {
            panic!("{row:?}")
        };
        assert!(
            full.get(name).is_some(),
            "{name} is not in the full example"
        );
        for value in [
            json!(1),
            json!("1"),
            Value::Null,
            json!(1.5),
            json!([]),
            json!({}),
            json!(true),
        ] {
            let fits = match kind.as_str() {
                "integer" => value.is_u64(),
                "string" => value.is_string(),
                other => panic!("{other}"),
            };
            let body = json!({ name: value }).to_string();
            assert_eq!(Event::parse(body.as_bytes()).is_ok(), fits, "{body}");
        }
    }
}

#[test]
fn queues_create_sets_what_the_table_says() {
    let world = World::fifo();
    let request = world
        .client
        .get_queue_attributes()
        .queue_url(&world.queue_url);
    let request = request.attribute_names(QueueAttributeName::All).send();
    let attributes = world
        .wait(request)
        .expect("attributes")
        .attributes
        .unwrap_or_default();
    for row in table(&document(), "attribute") {
        let found = attributes.get(&QueueAttributeName::from(row[0].as_str()));
        assert_eq!(found, Some(&row[1]), "{}", row[0]);
    }
}

/// What SQS refuses, by the table of the document.
struct Refusals {
    world: World,
    rows: Vec<Vec<String>>,
}

impl Refusals {
    fn of_the_document() -> Self {
        let document = document();
        let refused = document.split("SQS refuses").nth(1).expect("the section");
        Self {
            world: World::fifo(),
            rows: table(refused, "message"),
        }
    }

    /// A message without a mistake.
    fn whole(&self) -> SendMessageFluentBuilder {
        let request = self.world.client.send_message();
        request
            .queue_url(&self.world.queue_url)
            .message_body("{}")
            .message_group_id("EventSetup_1")
            .message_deduplication_id("1")
    }

    /// Fails unless each mistake is refused with the code of the row that names it.
    fn assert<const N: usize>(&self, row: &str, mistakes: [SendMessageFluentBuilder; N]) {
        let row = self.rows.iter().find(|cells| cells[0].contains(row));
        let [message, code] = &row.expect("a row")[..] else {
            panic!("{row:?}")
        };
        for mistake in mistakes {
            let refused = self.world.wait(mistake.send()).expect_err(message);
            assert_eq!(
                refused.code(),
                Some(code.as_str()),
                "{message}: {refused:?}"
            );
        }
    }
}

#[test]
fn sqs_refuses_what_the_table_says_with_that_code() {
    let refusals = Refusals::of_the_document();
    let whole = || refusals.whole();
    assert_eq!(refusals.rows.len(), 7, "a row that nothing here asserts");
    let without_group = whole().set_message_group_id(None);
    refusals.assert("without MessageGroupId", [without_group]);
    let without_id = whole().set_message_deduplication_id(None);
    refusals.assert("without MessageDeduplicationId", [without_id]);
    refusals.assert("with DelaySeconds", [whole().delay_seconds(5)]);
    let too_large = format!(r#"{{"text":"{}"}}"#, "x".repeat(1_048_576));
    refusals.assert("too large", [whole().message_body(too_large)]);
    refusals.assert("with an empty body", [whole().message_body("")]);
    let not_in_xml = ["{\"a\":\"\u{1}\"}", "{\"a\":\"\u{fffe}\"}"];
    let not_in_xml = not_in_xml.map(|body| whole().message_body(body));
    refusals.assert("that XML 1.0 does not have", not_in_xml);
    assert!(
        refusals.world.wait(whole().send()).is_ok(),
        "without a mistake it is taken"
    );
}

#[test]
fn sqs_refuses_ids_that_are_too_long_or_hold_other_characters() {
    let refusals = Refusals::of_the_document();
    let whole = || refusals.whole();
    let too_long = "x".repeat(129);
    let mistakes = [
        whole().message_group_id(&too_long),
        whole().message_group_id("Event Setup"),
        whole().message_deduplication_id(&too_long),
        whole().message_deduplication_id("é"),
    ];
    refusals.assert("longer than 128 characters", mistakes);
}

#[test]
fn sqs_refuses_an_eleventh_attribute() {
    let refusals = Refusals::of_the_document();
    let eleven = (0..11).fold(refusals.whole(), |request, n| {
        request.message_attributes(format!("a{n}"), attribute("String", "x"))
    });
    refusals.assert("more than ten attributes", [eleven]);
}

#[test]
fn an_id_used_before_in_its_group_is_swallowed_and_in_another_group_it_is_not() {
    let world = World::fifo();
    let listener = Listener::start(&world.home, &[]);
    world.configure(&callback(&listener.url));
    let id = "2025-02-12T14:30:45.123";
    for (group, msg_id) in [
        ("EventSetup_1", "first"),
        ("EventSetup_1", "lost"),
        ("EventSetup_2", "other group"),
    ] {
        world.send_plainly(
            Some((group, id)),
            &json!({ "msg_id": msg_id }).to_string(),
            &[],
        );
    }
    world.drain();
    let mut ids: Vec<_> = listener
        .stop()
        .iter()
        .map(|request| request.webhook_id().to_owned())
        .collect();
    ids.sort();
    assert_eq!(ids, ["first", "other group"]);
}

#[test]
fn what_an_upstream_system_leaves_out_or_does_otherwise_is_delivered_as_the_table_says() {
    let world = World::fifo();
    let (common, named) = (
        Listener::start(&world.home, &[]),
        Listener::start(&world.home, &[]),
    );
    let events = format!(
        "[callback.production.events]\ntalent_created = \"{}\"\n",
        named.url
    );
    world.configure(&(callback(&common.url) + &events));
    let name = || attribute("String", "talent_created");
    let too_long = format!(r#"{{"msg_id":"{}"}}"#, "x".repeat(257));
    let sent = [
        // A key for this test, which is the deduplication id; the group; the body; attributes.
        (
            "own-form",
            "EventSetup_1",
            r#"{"msg_id":"own-form"}"#,
            vec![],
        ),
        (
            "own-group",
            "tenant-7",
            r#"{"msg_id":"own-group","MessageGroupId":"x","MessageDeDuplicationId":"y"}"#,
            vec![],
        ),
        (
            "spaces",
            "EventSetup_1",
            "{ \"msg_id\" : \"spaces\",\n \"MessageGroupId\" : \"EventSetup_1\" }\n",
            vec![],
        ),
        ("empty", "EventSetup_2", "{}", vec![]),
        ("long", "EventSetup_2", too_long.as_str(), vec![]),
        ("unicode", "EventSetup_2", r#"{"msg_id":"é"}"#, vec![]),
        (
            "named",
            "EventSetup_3",
            r#"{"msg_id":"named"}"#,
            vec![("event", name())],
        ),
        (
            "binary",
            "EventSetup_3",
            r#"{"msg_id":"binary"}"#,
            vec![("event", binary(b"talent_created"))],
        ),
        (
            "unknown",
            "EventSetup_3",
            r#"{"msg_id":"unknown"}"#,
            vec![("event", attribute("String", "unknown"))],
        ),
        (
            "other",
            "EventSetup_3",
            r#"{"msg_id":"other"}"#,
            vec![("Event", name())],
        ),
    ];
    for (id, group, body, attributes) in &sent {
        world.send_plainly(Some((group, id)), body, attributes);
    }
    assert_eq!(world.drain()["delivered"], sent.len());

    let named = named.stop();
    assert_eq!(
        named.iter().map(Request::webhook_id).collect::<Vec<_>>(),
        ["named"]
    );
    assert_eq!(named[0].header("x-hooklane-event"), "talent_created");
    let common: BTreeMap<_, _> = common
        .stop()
        .into_iter()
        .map(|request| (sent_as(&request), request))
        .collect();
    assert_eq!(common.len(), sent.len() - 1);
    let body = |id: &str| String::from_utf8(common[id].body.clone()).expect("text");
    assert_eq!(
        body("own-form"),
        r#"{"msg_id":"own-form","MessageDeDuplicationId":"own-form","MessageGroupId":"EventSetup_1"}"#
    );
    assert_eq!(
        body("own-group"),
        sent[1].2,
        "both are there: nothing is compared or changed"
    );
    assert_eq!(
        body("spaces"),
        "{ \"msg_id\" : \"spaces\",\n \"MessageGroupId\" : \"EventSetup_1\" ,\"MessageDeDuplicationId\":\"spaces\"}\n"
    );
    assert_eq!(
        body("empty"),
        r#"{"MessageDeDuplicationId":"empty","MessageGroupId":"EventSetup_2"}"#
    );
    assert_eq!(common["own-group"].header("x-hooklane-group"), "tenant-7");
    for id in ["empty", "long", "unicode"] {
        let webhook_id = common[id].webhook_id();
        let groups: Vec<_> = webhook_id.split('-').map(str::len).collect();
        assert_eq!(
            groups,
            [8, 4, 4, 4, 12],
            "{id} has its MessageId: {webhook_id}"
        );
    }
    for (id, header) in [
        ("binary", None),
        ("unknown", Some("unknown")),
        ("other", None),
    ] {
        assert_eq!(
            common[id]
                .headers
                .get("x-hooklane-event")
                .map(String::as_str),
            header,
            "{id}"
        );
    }
}

/// The deduplication id with which an event was sent.
fn sent_as(request: &Request) -> String {
    let event = request.event();
    match (
        event["msg_id"].as_str(),
        event["MessageDeDuplicationId"].as_str(),
    ) {
        (Some("own-group"), _) => "own-group".to_owned(),
        (_, Some(id)) => id.to_owned(),
        (_, None) => panic!("{event}"),
    }
}

#[test]
fn what_is_on_or_over_the_edge_is_still_kept_as_the_table_says() {
    let mut world = World::fifo();
    world.delays(&[]);
    let listener = Listener::start(&world.home, &["--respond", "500"]);
    world.configure(&callback(&listener.url));
    let ten: Vec<_> = (0..10).map(|n| format!("a{n}")).collect();
    let ten: Vec<_> = ten
        .iter()
        .map(|name| (name.as_str(), attribute("String", "x")))
        .collect();
    world.send_plainly(Some(("EventSetup_1", "ten")), r#"{"msg_id":"ten"}"#, &ten);
    let header = [("event", attribute("String", "two\nlines"))];
    world.send_plainly(
        Some(("EventSetup_2", "header")),
        r#"{"msg_id":"header"}"#,
        &header,
    );
    let frame = r#"{"msg_id":"full","text":""}"#.len();
    let full = format!(
        r#"{{"msg_id":"full","text":"{}"}}"#,
        "x".repeat(1_048_576 - frame)
    );
    world.send_plainly(Some(("EventSetup_3", "full")), &full, &[]);
    let ours = [
        ("hooklane.dead_letter", attribute("String", "{}")),
        ("hooklane.replay", attribute("String", "{}")),
    ];
    world.send_plainly(
        Some(("EventSetup_4", "ours")),
        r#"{"msg_id":"ours"}"#,
        &ours,
    );
    world.drain();
    let requests = listener.stop();
    assert_eq!(requests.len(), 4);
    let named = |request: &Request| request.headers.contains_key("x-hooklane-event");
    assert!(!requests.iter().any(named), "no header can carry that name");

    let letters = world.raw_dead_letters();
    assert_eq!(letters.len(), 4);
    let names = |msg_id: &str| {
        let start = format!(r#"{{"msg_id":"{msg_id}""#);
        let letter = letters
            .iter()
            .find(|letter| letter.body().is_some_and(|body| body.starts_with(&start)));
        let attributes = letter.expect(msg_id).message_attributes.iter().flatten();
        let mut names: Vec<_> = attributes.map(|(name, _)| name.clone()).collect();
        names.sort();
        names
    };
    assert_eq!(names("ten").len(), 10);
    assert!(names("ten").contains(&"hooklane.dead_letter".to_owned()));
    assert_eq!(names("header"), ["event", "hooklane.dead_letter"]);
    assert_eq!(names("full"), [] as [&str; 0], "no room for a record");
    assert_eq!(names("ours"), ["hooklane.dead_letter"]);
}
