use std::collections::BTreeMap;
use std::time::Duration;

use delivery::Outcome;

use super::*;
use crate::sample::{DEAD, Sample, answer, failure};

/// A letter of EventSetup_7 that died at [`DEAD`] after these attempts.
fn letter(body: &str, outcomes: &[Outcome]) -> Letter {
    Sample {
        body,
        outcomes,
        ..Sample::default()
    }
    .letter()
}

fn filter(pairs: &[(&str, &str)]) -> Filter {
    let mut filter = Filter::default();
    for (name, text) in pairs {
        filter.set(name, text, DEAD).unwrap();
    }
    filter
}

fn matches(letter: &Letter, name: &str, text: &str) -> bool {
    filter(&[(name, text)]).matches(letter)
}

#[test]
fn a_filter_without_criteria_means_every_letter() {
    assert!(filter(&[]).is_empty());
    assert!(filter(&[("group", ""), ("since", "")]).is_empty());
    assert!(filter(&[]).matches(&letter("{}", &[])));
}

#[test]
fn groups_events_and_reasons_must_be_the_same() {
    let letter = letter("{}", &[]);
    for (name, text, matched) in [
        ("group", "EventSetup_7", true),
        ("group", " EventSetup_7 ", true),
        ("group", "EventSetup", false),
        ("group", "eventsetup_7", false),
        ("event", "talent_created", true),
        ("event", "talent", false),
        ("reason", "exhausted", true),
        ("reason", " Exhausted", true),
        ("reason", "no-callback", false),
        ("reason", "expiring", false),
    ] {
        assert_eq!(matches(&letter, name, text), matched, "{name} {text}");
    }
}

#[test]
fn the_last_attempt_tells_the_status() {
    let answered = letter("{}", &[failure(FailureKind::Dns), answer(503, "")]);
    let failed = letter(
        "{}",
        &[answer(503, ""), failure(FailureKind::BlockedAddress)],
    );
    let never = letter("{}", &[]);
    // No status of any standard, but receivers answer with it.
    let odd = letter("{}", &[answer(600, "")]);
    for (text, matched) in [("600", true), ("6xx", true), ("5xx", false), ("999", false)] {
        assert_eq!(matches(&odd, "status", text), matched, "{text}");
    }
    for (text, expected) in [
        ("503", [true, false, false]),
        ("500", [false, false, false]),
        ("5xx", [true, false, false]),
        ("5XX", [true, false, false]),
        ("4xx", [false, false, false]),
        ("blocked-address", [false, true, false]),
        ("dns", [false, false, false]),
        ("none", [false, false, true]),
    ] {
        let found = [&answered, &failed, &never].map(|l| matches(l, "status", text));
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn the_callback_tells_the_host() {
    let at = |callback| Sample {
        callback,
        ..Sample::default()
    };
    let usual = at(Some("https://hooks.example.com:443/a")).letter();
    let other = at(Some("http://hooks.example.com:8080/a")).letter();
    let unknown = at(None).letter();
    for (text, expected) in [
        ("hooks.example.com", [true, false, false]),
        (" HOOKS.example.com ", [true, false, false]),
        ("hooks.example.com:8080", [false, true, false]),
        ("example.com", [false, false, false]),
        (NO_HOST, [false, false, true]),
    ] {
        let found = [&usual, &other, &unknown].map(|l| matches(l, "host", text));
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn since_is_part_of_the_span_and_until_is_not() {
    let letter = letter("{}", &[]);
    let (at, later) = (
        DEAD.to_string(),
        DEAD.plus(Duration::from_millis(1)).to_string(),
    );
    for (name, text, matched) in [
        ("since", &at, true),
        ("since", &later, false),
        ("until", &at, false),
        ("until", &later, true),
    ] {
        assert_eq!(matches(&letter, name, text), matched, "{name} {text}");
    }
}

#[test]
fn a_letter_that_does_not_know_when_it_died_counts_as_of_the_time_it_was_sent() {
    let mut message = letter("{}", &[]).message;
    message.attributes = BTreeMap::new();
    // As on a standard queue.
    (message.group, message.deduplication_id) = (None, None);
    message.sent_at = DEAD;
    let letter = Letter::read(message);
    assert_eq!(letter.dead_at(), None);
    assert!(matches(&letter, "since", &DEAD.to_string()));
    assert!(!matches(&letter, "until", &DEAD.to_string()));
}

#[test]
fn text_is_found_in_the_body_the_ids_and_every_excerpt_whatever_its_case() {
    let body =
        r#"{"msg_id":"E-1","name":"Zo\u00eb M\u00fcller","url":"https:\/\/a.example","x":"ΟΔΟΣ"}"#;
    let letter = letter(body, &[answer(500, "First Ünfug"), answer(500, "second")]);
    for (text, found) in [
        ("e-1", true),
        ("ORIGIN-1", true),
        ("present-", true),
        ("zoë müller", true),
        (r"zo\u00eb", true),
        ("https://a.example", true),
        ("οδοσ", true),
        ("FIRST üNFUG", true),
        ("second", true),
        ("third", false),
        ("firstsecond", false),
    ] {
        assert_eq!(matches(&letter, "contains", text), found, "{text}");
    }
}

#[test]
fn every_criterion_must_hold() {
    let letter = letter("{}", &[answer(500, "")]);
    let both = [("group", "EventSetup_7"), ("status", "500")];
    assert!(filter(&both).matches(&letter));
    assert!(!filter(&[both[0], ("status", "404")]).matches(&letter));
    assert!(!filter(&[("group", "EventSetup_8"), both[1]]).matches(&letter));
}

#[test]
fn what_is_written_out_is_read_back() {
    for status in ["500", "5xx", "timeout", "none"] {
        let written = [
            ("group", "EventSetup_7"),
            ("event", "talent_created"),
            ("reason", "no-callback"),
            ("status", status),
            ("host", "hooks.example.com:8080"),
            ("since", "2h"),
            ("until", "2025-02-12"),
            ("contains", " ü&= "),
        ];
        let first = filter(&written);
        let pairs = first.to_pairs();
        assert_eq!(pairs.len(), written.len());
        assert_eq!(pairs[5].1, "2025-02-12T12:30:45.123Z");
        let mut again = Filter::default();
        for (name, text) in &pairs {
            again.set(name, text, Timestamp::MAX).unwrap();
        }
        assert_eq!(again, first);
    }
}

#[test]
fn a_value_that_cannot_be_is_told_with_what_can() {
    let long = "x".repeat(MAX_TEXT_CHARS + 1);
    for (name, text, said) in [
        (
            "status",
            "0xx",
            "status: \"0xx\" cannot stand here: write a status (500), a class (5xx)",
        ),
        ("status", "éxx", "protocol or other"),
        ("status", "99", "none for no attempt"),
        ("status", "1000", "a status (500)"),
        (
            "reason",
            "tired",
            "reason: \"tired\" cannot stand here: write exhausted, invalid-event",
        ),
        (
            "since",
            "soon",
            "since: \"soon\" cannot stand here: write 2026-",
        ),
        ("contains", &long, "contains: longer than 512 characters"),
        (
            "colour",
            "red",
            "\"colour\" is no criterion: there are group",
        ),
    ] {
        let mut filter = Filter::default();
        let error = filter.set(name, text, DEAD).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
        assert!(filter.is_empty());
    }
    let backwards = filter(&[("since", "2h"), ("until", "3h")]);
    let error = backwards.check().unwrap_err().to_string();
    assert!(error.ends_with("nothing can match"), "{error}");
    assert_eq!(filter(&[("since", "3h"), ("until", "2h")]).check(), Ok(()));
}

#[test]
fn a_selection_is_of_ids_of_either_kind_or_of_a_filter() {
    let letter = letter("{}", &[]);
    let of_ids = |ids: &[&str]| Selection::of_ids(ids.iter().map(ToString::to_string)).unwrap();
    assert!(of_ids(&["other", "Origin-1"]).selects(&letter));
    assert!(of_ids(&["present-1"]).selects(&letter));
    assert!(!of_ids(&["origin-1"]).selects(&letter));
    let filtered = |text| Selection {
        filter: filter(&[("status", text)]),
        ..Selection::default()
    };
    assert!(filtered("none").selects(&letter));
    assert!(!filtered("5xx").selects(&letter));
    let many = (0..=MAX_IDS).map(|n| n.to_string());
    let error = Selection::of_ids(many).unwrap_err().to_string();
    assert_eq!(error, "10001 ids: give at most 10000 at once");
}
