//! The configuration from outside: all problems at once, exit code 2, no secret shown.

use rig::program::{Home, assert_told, documents};

const GOOD: &str = r#"
[queue]
url = "https://sqs.us-east-1.amazonaws.com/123456789012/events.fifo"
dead_letter_url = "https://sqs.us-east-1.amazonaws.com/123456789012/events-internal.fifo"

[callback.production]
url = "https://hooks.example.com/workn"
shared_secret = "env:WORKN_SECRET"
"#;

#[test]
fn a_good_configuration_is_shown_with_its_secrets_masked() {
    let mut home = Home::with(GOOD);
    home.set("WORKN_SECRET", "hunter2");
    let text = home.run(&["config", "check"]);
    assert_eq!(text.code, Some(0), "{text:?}");
    assert!(
        text.stdout.contains("shared_secret = \"env:WORKN_SECRET\""),
        "{}",
        text.stdout
    );
    let json = home.run(&["config", "check", "--json"]);
    let [document] = &documents(&json.stdout)[..] else {
        panic!("{json:?}")
    };
    assert_eq!(document["valid"], true);
    assert_eq!(document["problems"], serde_json::json!([]));
    assert_eq!(
        document["config"]["callback"]["production"]["shared_secret"],
        "env:WORKN_SECRET"
    );
    assert_eq!(
        document["config"]["retry"]["delays"],
        serde_json::json!(["0s", "1m", "0s"])
    );
    for ended in [text, json] {
        assert!(!format!("{ended:?}").contains("hunter2"), "{ended:?}");
    }
}

#[test]
fn every_mistake_is_told_at_once_by_check_and_by_the_command_that_needs_it() {
    let bad = GOOD
        .replace("events-internal.fifo", "events.fifo")
        .replace("https://hooks", "http://hooks")
        .replace("env:WORKN_SECRET", "hunter2")
        + "[retry]\ndelay = []\n";
    let home = Home::with(&bad);
    let said = [
        "retry.delay: unknown key: did you mean retry.delays? (hooklane.toml:10)",
        "queue.dead_letter_url: the same queue as queue.url",
        "callback.production.url: plain http is not allowed",
        "callback.production.shared_secret: a secret is named here, never written",
    ];
    let work = home.run(&["work"]);
    assert_told(&work, 2, &said);
    assert_eq!(work.stdout, "");
    let check = home.run(&["config", "check"]);
    assert_eq!(check.code, Some(2), "{check:?}");
    for text in said {
        assert!(check.stdout.contains(text), "{text}: {}", check.stdout);
    }
    let json = home.run(&["config", "check", "--json"]);
    assert_eq!(json.code, Some(2), "{json:?}");
    let [document] = &documents(&json.stdout)[..] else {
        panic!("{json:?}")
    };
    assert_eq!(document["valid"], false);
    assert_eq!(document["problems"].as_array().map(Vec::len), Some(4));
    assert_eq!(document["problems"][0]["key"], "retry.delay");
    for ended in [work, check, json] {
        assert!(!format!("{ended:?}").contains("hunter2"), "{ended:?}");
    }
}

#[test]
fn nothing_configured_is_told_key_by_key_with_the_variable_for_each() {
    let work = Home::new().run(&["work"]);
    let keys = [
        "queue.url",
        "queue.dead_letter_url",
        "callback.production.url",
    ];
    assert_told(&work, 2, &keys);
    assert_told(
        &work,
        2,
        &[
            "hooklane: 3 problems in the configuration:",
            "or as HOOKLANE_QUEUE__URL",
        ],
    );
}

#[test]
fn a_command_asks_only_for_the_keys_it_uses() {
    let home = Home::new();
    assert_told(&home.run(&["send"]), 2, &["hooklane: queue.url: missing"]);
    assert_told(
        &home.run(&["dlq", "ls"]),
        2,
        &["hooklane: queue.dead_letter_url: missing"],
    );
    assert_told(
        &home.run(&["queues", "check"]),
        2,
        &["queue.url", "queue.dead_letter_url"],
    );
}

#[test]
fn an_explicit_file_that_is_absent_or_unreadable_is_an_error() {
    let mut home = Home::new();
    assert_told(
        &home.run(&["work", "--config", "no.toml"]),
        2,
        &["no.toml: cannot be read"],
    );
    assert_told(
        &home.run(&["--config", ".", "work"]),
        2,
        &[".: cannot be read"],
    );
    home.write("bad.toml", b"\xff\xfe");
    assert_told(
        &home.run(&["work", "--config", "bad.toml"]),
        2,
        &["bad.toml: cannot be read (it is not UTF-8)"],
    );
    home.write("bad.toml", "[queue\nurl = 1");
    assert_told(
        &home.run(&["work", "--config", "bad.toml"]),
        2,
        &["bad.toml:1: not TOML: "],
    );
    home.set("HOOKLANE_CONFIG", "other.toml");
    assert_told(&home.run(&["work"]), 2, &["other.toml: cannot be read"]);
}

#[test]
fn the_environment_alone_is_enough() {
    let mut home = Home::new();
    home.set("HOOKLANE_QUEUE__URL", "https://sqs.example/1/events.fifo")
        .set(
            "HOOKLANE_QUEUE__DEAD_LETTER_URL",
            "https://sqs.example/1/internal.fifo",
        )
        .set(
            "HOOKLANE_CALLBACK__PRODUCTION__URL",
            "https://hooks.example.com/",
        )
        .set("HOOKLANE_RETRY__DELAYS", "[\"0s\",\"1m\",\"0s\"]");
    let check = home.run(&["config", "check"]);
    assert_eq!(check.code, Some(0), "{check:?}");
    assert!(
        check.stdout.contains("# HOOKLANE_QUEUE__URL"),
        "{}",
        check.stdout
    );
    home.set("HOOKLANE_QUEUE__DEADLETTER_URL", "x");
    let said = [
        "HOOKLANE_QUEUE__DEADLETTER_URL: unknown key: did you mean HOOKLANE_QUEUE__DEAD_LETTER_URL?",
    ];
    assert_told(&home.run(&["work"]), 2, &said);
}
