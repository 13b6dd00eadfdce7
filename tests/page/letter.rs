//! The page of one letter.

use delivery::FailureKind;
use serde_json::json;

use crate::desk::Desk;
use crate::letters::{Letter, answer, failure};

const BODY: &str = r#"{"msg_id":"event-0",  "amount":1.50,"name":"Zoë"}"#;

fn twice_dead() -> Letter {
    Letter {
        earlier: vec![failure(FailureKind::Timeout, "no answer within 30s"); 4],
        attempts: vec![
            answer(500, "the rate is missing"),
            answer(502, "bad gateway"),
        ],
        body: BODY.to_owned(),
        ..Letter::nth(0)
    }
}

#[test]
fn a_letter_is_opened_from_the_list_with_every_attempt_of_both_lives() {
    let desk = Desk::with(&[twice_dead(), Letter::nth(1)]);
    desk.scan();
    desk.open("/letters");
    desk.browser.follow("origin-0");
    desk.browser.wait_for_url("/letters/origin-0");
    assert_eq!(
        desk.browser.texts("#attempts h3"),
        ["First life", "After replay 1"]
    );
    assert_eq!(
        desk.browser.texts("#attempts .result"),
        [
            "no answer: timeout",
            "no answer: timeout",
            "no answer: timeout",
            "no answer: timeout",
            "500 Internal Server Error",
            "502 Bad Gateway",
        ]
    );
    assert_eq!(
        desk.browser.texts("#attempts .excerpt")[4..],
        ["the rate is missing", "bad gateway"]
    );
    let facts = desk.browser.text("#facts");
    for fact in [
        "talent_created",
        "EventSetup_7",
        "https://hooks.example.com/workn",
        "2026-11-20 08:00:00",
    ] {
        assert!(facts.contains(fact), "{fact}: {facts}");
    }
    assert!(desk.browser.text("#body").contains("\"amount\": 1.50"));
}

#[test]
fn the_body_is_copied_as_it_lies_in_the_queue() {
    let desk = Desk::with(&[twice_dead()]);
    desk.scan();
    desk.browser.allow_clipboard();
    desk.open("/letters/origin-0");
    desk.browser.press("Copy");
    desk.browser.wait_for("#copy-body", "Copied");
    let copied = desk
        .browser
        .script("return navigator.clipboard.readText();", vec![]);
    assert_eq!(copied, json!(BODY));
}

#[test]
fn the_request_is_written_as_a_command_for_a_url_of_ones_choice() {
    let desk = Desk::with(&[twice_dead()]);
    desk.scan();
    desk.open("/letters/origin-0");
    assert!(desk.browser.text("#curl").contains("\"$URL\""));
    desk.browser
        .fill("URL to send it to", "http://127.0.0.1:8080/it's");
    desk.browser.press("Make the command");
    desk.browser.wait_for_url("url=http");
    let command = desk.browser.text("#curl");
    for part in [
        "curl --request POST",
        "webhook-id: event-0",
        "X-Hooklane-Replay: true",
        // What was left out stands at its end, as in the worker's request.
        BODY.trim_end_matches('}'),
        "http://127.0.0.1:8080/it",
    ] {
        assert!(command.contains(part), "{part}: {command}");
    }
    desk.browser.fill("URL to send it to", "ftp://example.com");
    desk.browser
        .script("document.querySelector('#url').form.submit();", vec![]);
    desk.browser
        .wait_for_text("Write an http:// or https:// URL.");
}

#[test]
fn a_letter_that_is_not_there_is_told() {
    let desk = Desk::with(&[Letter::nth(0)]);
    desk.scan();
    desk.open("/letters/nobody");
    desk.browser.wait_for("h1", "No such dead letter");
}
