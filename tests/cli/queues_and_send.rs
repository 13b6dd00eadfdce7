//! `queues` and `send` against a local queue.

use rig::program::{Ended, Home, LocalSqs, assert_told, documents};
use serde_json::json;

fn document(ended: &Ended) -> serde_json::Value {
    match &documents(&ended.stdout)[..] {
        [document] => document.clone(),
        _ => panic!("not one document: {ended:?}"),
    }
}

#[test]
fn a_pair_is_made_of_either_kind_and_made_again_without_harm() {
    let sqs = LocalSqs::start(&[]);
    let home = sqs.home("first");
    for (arguments, ends) in [
        (
            &["queues", "create", "events", "--json"][..],
            ["/events.fifo", "/events-internal.fifo"],
        ),
        (
            &["queues", "create", "events", "--json"],
            ["/events.fifo", "/events-internal.fifo"],
        ),
        (
            &["queues", "create", "events", "--standard", "--json"],
            ["/events", "/events-internal"],
        ),
    ] {
        let created = document(&home.run(arguments));
        for (field, end) in ["queue_url", "dead_letter_url"].iter().zip(ends) {
            assert!(
                created[field]
                    .as_str()
                    .is_some_and(|url| url.ends_with(end)),
                "{created}"
            );
        }
    }
    assert_told(
        &home.run(&["queues", "create", "a b"]),
        2,
        &["cannot name a queue"],
    );
}

#[test]
fn a_pair_that_is_wrong_is_told_attribute_by_attribute_with_exit_code_1() {
    let sqs = LocalSqs::start(&[]);
    let mut home = sqs.home("events");
    let pair = std::fs::read_to_string(home.path("hooklane.toml")).expect("written");
    let swapped = pair
        .replace("dead_letter_url", "x")
        .replace("url", "dead_letter_url")
        .replace("x =", "url =");
    home.write("hooklane.toml", swapped);
    home.set(
        "HOOKLANE_CALLBACK__PRODUCTION__URL",
        "https://hooks.example.com/",
    )
    .set("HOOKLANE_WORKER__ADMIN_LISTEN", "127.0.0.1:0");
    assert_told(&home.run(&["work", "--drain"]), 1, &["are swapped"]);
    let ended = home.run(&["queues", "check", "--json"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let checked = document(&ended);
    assert_eq!(checked["ok"], false);
    let problems = checked["problems"].as_array().expect("a list");
    for field in ["queue", "attribute", "found", "expected"] {
        assert!(
            problems.iter().all(|problem| problem[field].is_string()),
            "{checked}"
        );
    }
    let text = home.run(&["queues", "check"]);
    assert!(text.stdout.contains("RedrivePolicy is "), "{}", text.stdout);

    let nowhere = sqs.variables[0].1.clone() + "/000000000000/nowhere.fifo";
    home.set("HOOKLANE_QUEUE__URL", &nowhere);
    assert_told(
        &home.run(&["queues", "check"]),
        1,
        &["nowhere.fifo does not exist"],
    );
    assert_told(&home.run(&["send"]), 1, &["nowhere.fifo does not exist"]);
}

#[test]
fn a_schedule_that_outlasts_the_retention_is_refused_with_exit_code_2() {
    let sqs = LocalSqs::start(&[]);
    let mut home = sqs.home("events");
    home.set(
        "HOOKLANE_CALLBACK__PRODUCTION__URL",
        "https://hooks.example.com/",
    )
    .set("HOOKLANE_WORKER__ADMIN_LISTEN", "127.0.0.1:0")
    .set("HOOKLANE_RETRY__DELAYS", "[\"10d\", \"3d\", \"1d\"]");
    let needed_s = 14 * 24 * 3600 + 4 * 30;
    let told = [
        "the source queue keeps a message for 1209600 s",
        "MessageRetentionPeriod",
        &format!("may need {needed_s} s: waits of 1209600 s and 4 attempts of up to 30 s"),
        "shorten retry.delays",
    ];
    assert_told(&home.run(&["work", "--drain"]), 2, &told);
    home.set("HOOKLANE_RETRY__DELAYS", "[\"10d\", \"3d\", \"23h\"]");
    assert_eq!(home.run(&["work", "--drain"]).code, Some(0));
}

#[test]
fn bad_lines_are_told_with_their_numbers_and_the_others_are_sent() {
    let sqs = LocalSqs::start(&[]);
    let home = sqs.home("events");
    let lines = [
        &b"{\"mkt_id\":1}"[..],
        b"[]",
        b"{\"mkt_id\":\"one\"}",
        b"\xff",
        b"",
        b"{\"mkt_id\":1,\"mkt_id\":2}",
        b"{\"MessageGroupId\":\"EventSetup_9\"}",
        b"{\"mkt_id\":2}",
    ];
    home.write("events.jsonl", lines.join(&b'\n'));
    let arguments = ["send", "events.jsonl", "--event-setup", "42"];
    let ended = home.run(&[&arguments[..], &["--json"]].concat());
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let report = document(&ended);
    assert_eq!(
        (&report["sent"], &report["unsent_from"]),
        (&json!(2), &json!(null)),
        "{report}"
    );
    let numbers = report["rejected"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|rejected| &rejected["line"]);
    assert_eq!(numbers.collect::<Vec<_>>(), [2, 3, 4, 6, 7], "{report}");
    assert_told(&ended, 1, &["events.jsonl:3: not sent: ", "mkt_id"]);

    let strict = home.run(&[&arguments[..], &["--json", "--strict"]].concat());
    assert_eq!(strict.code, Some(1), "{strict:?}");
    assert_eq!(
        (
            &document(&strict)["sent"],
            &document(&strict)["unsent_from"]
        ),
        (&json!(0), &json!(1))
    );

    let rest = home.run(&[&arguments[..], &["--from", "8"]].concat());
    assert_eq!(
        (rest.code, rest.stdout.as_str()),
        (Some(0), "1 event sent\n"),
        "{rest:?}"
    );
}

#[test]
fn arguments_that_cannot_be_followed_are_told_before_anything_is_sent() {
    let sqs = LocalSqs::start(&[]);
    let home = sqs.home("events");
    home.write("events.jsonl", "{}\n");
    assert_told(
        &home.run(&["send", "no.jsonl"]),
        1,
        &["cannot read no.jsonl: No such file"],
    );
    assert_told(
        &home.run(&["send", "."]),
        1,
        &["cannot read .: it is a directory"],
    );
    assert_told(
        &home.run(&["send", "--strict"]),
        2,
        &["--strict reads its input twice"],
    );
    assert_told(
        &home.run(&["send", "events.jsonl", "--event-setup", "a b"]),
        2,
        &["--event-setup: "],
    );
    assert_told(
        &home.run(&["send", "events.jsonl", "--event", "é"]),
        2,
        &["--event: "],
    );
}

#[test]
fn what_is_missing_in_the_aws_environment_is_told_with_what_to_set() {
    let mut home = Home::with("[queue]\nurl = \"http://127.0.0.1:9/1/events.fifo\"\n");
    home.set("AWS_ENDPOINT_URL", "http://127.0.0.1:9");
    let in_another_shell = Home::new().run(&["queues", "create", "events"]);
    assert_told(
        &in_another_shell,
        1,
        &[
            "AWS_ENDPOINT_URL is not set",
            "`hooklane local-sqs` printed",
        ],
    );
    let no_credentials = home.set("AWS_REGION", "us-east-1").run(&["send"]);
    assert_told(
        &no_credentials,
        1,
        &["set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"],
    );
    let mut home = Home::with("[queue]\nurl = \"http://127.0.0.1:9/1/events.fifo\"\n");
    home.set("AWS_ACCESS_KEY_ID", "local")
        .set("AWS_SECRET_ACCESS_KEY", "local");
    assert_told(&home.run(&["send"]), 1, &["set AWS_REGION"]);
    home.set("AWS_ENDPOINT_URL", "");
    assert_told(&home.run(&["send"]), 1, &["set AWS_REGION"]);
    home.set("AWS_REGION", "us-east-1")
        .set("SSL_CERT_FILE", "/nonexistent")
        .set("SSL_CERT_DIR", "/nonexistent");
    assert_told(&home.run(&["send"]), 1, &["install ca-certificates"]);
}

#[test]
fn an_sqs_that_cannot_be_reached_is_told_in_one_line() {
    let mut home = Home::with("[queue]\nurl = \"http://127.0.0.1:9/1/events.fifo\"\n");
    let (listener, port) = rig::program::taken_port();
    drop(listener);
    home.set("AWS_ENDPOINT_URL", &format!("http://127.0.0.1:{port}"))
        .set("AWS_REGION", "us-east-1")
        .set("AWS_ACCESS_KEY_ID", "local")
        .set("AWS_SECRET_ACCESS_KEY", "local");
    let ended = home.run(&["send"]);
    let endpoint = format!("AWS_ENDPOINT_URL is http://127.0.0.1:{port}");
    assert_told(&ended, 1, &["cannot reach SQS", &endpoint]);
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
}
