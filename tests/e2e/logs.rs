//! The log of the worker: one line per attempt, and never a body, a secret or a signature.

use std::collections::BTreeMap;

use rig::receiver::Listener;
use rig::request::Request;
use rig::world::{SECRET, World, done};
use serde_json::{Value, json};

const IN_THE_BODY: &str = "only-the-body-says-this";

/// Works with this log format and authentication; returns what was logged and the requests, in the order received.
fn logged(format: &[&str], authentication: &str) -> (String, Vec<Request>) {
    let mut world = World::fifo();
    world.delays(&["0s"]);
    let listener = Listener::start(&world.home, &["--respond", "500,200,500,503"]);
    world.configure(&format!(
        "[callback.production]\nurl = \"{}/hook?key={SECRET}\"\n{authentication}\n\
         [callback.production.events]\nrefused = \"http://127.0.0.1:1/hook?key={SECRET}\"\n",
        listener.url
    ));
    let line = |id: &str| {
        format!(r#"{{"msg_id":"{id}","text":"{IN_THE_BODY}","MessageGroupId":"EventSetup_1"}}"#)
    };
    world.send(&[line("recovers"), line("fails")], &[]);
    world.send(&[line("refused")], &["--event", "refused"]);
    world.send_plainly(
        Some(("EventSetup_2", "1")),
        &format!("{IN_THE_BODY} and no JSON"),
        &[],
    );
    let ended = world.home.run(&[format, &["work", "--drain"]].concat());
    (done(&ended).stderr.clone(), listener.stop())
}

/// What each attempt must have been logged with: event, attempt, status, error, decision.
fn expected() -> [(&'static str, u64, Value, Value, &'static str); 6] {
    let null = || Value::Null;
    [
        ("recovers", 1, json!(500), null(), "retry-now"),
        ("recovers", 2, json!(200), null(), "done"),
        ("fails", 1, json!(500), null(), "retry-now"),
        ("fails", 2, json!(503), null(), "dead-letter"),
        ("refused", 1, null(), json!("connect"), "retry-now"),
        ("refused", 2, null(), json!("connect"), "dead-letter"),
    ]
}

fn assert_told(attempts: &[BTreeMap<String, Value>], requests: &[Request]) {
    assert_eq!(attempts.len(), expected().len(), "{attempts:?}");
    for (line, (event, attempt, status, error, decision)) in attempts.iter().zip(expected()) {
        let field = |name: &str| line.get(name).cloned().unwrap_or(Value::Null);
        for (name, value) in [
            ("event", json!(event)),
            ("group", json!("EventSetup_1")),
            ("attempt", json!(attempt)),
            ("receive_count", json!(1)),
            ("status", status),
            ("error", error),
            ("decision", json!(decision)),
        ] {
            assert_eq!(field(name), value, "{name}: {line:?}");
        }
        assert!(field("duration_ms").is_u64(), "{line:?}");
        assert!(
            field("sequence")
                .as_str()
                .is_some_and(|number| number.len() == 20),
            "{line:?}"
        );
    }
    for (line, request) in attempts.iter().zip(requests) {
        assert_eq!(
            line["sequence"],
            request.header("x-hooklane-sequence"),
            "{line:?}"
        );
        assert_eq!(line["attempt"], request.attempt(), "{line:?}");
    }
}

fn assert_silent(log: &str, requests: &[Request]) {
    assert_eq!(requests.len(), 4);
    let signatures = requests
        .iter()
        .flat_map(|request| request.headers.get("x-payload-signature"));
    let secrets = [SECRET, IN_THE_BODY, "env:WORKN_SECRET"]
        .into_iter()
        .map(str::to_owned);
    for secret in signatures.cloned().chain(secrets) {
        assert!(!log.contains(&secret), "{secret} is in the log: {log}");
    }
}

#[test]
fn the_log_tells_every_attempt_in_one_line_of_text_and_no_secret_signature_or_body() {
    let (log, requests) = logged(&[], "shared_secret = \"env:WORKN_SECRET\"");
    assert_silent(&log, &requests);
    let attempts = log
        .lines()
        .filter_map(|line| line.split_once(" INFO attempt "));
    let fields = |fields: &str| {
        let fields = split(fields).into_iter().map(|field| {
            let (name, value) = field
                .split_once('=')
                .unwrap_or_else(|| panic!("{field:?}: {fields}"));
            (
                name.to_owned(),
                serde_json::from_str(value).unwrap_or_else(|_| panic!("{field:?}: {fields}")),
            )
        });
        fields.collect()
    };
    let attempts: Vec<_> = attempts.map(|(_, line)| fields(line)).collect();
    assert_told(&attempts, &requests);
}

/// Splits at blanks that do not stand between quotes.
fn split(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut quoted = false;
    for character in text.chars() {
        quoted ^= character == '"';
        match character {
            ' ' if !quoted => parts.push(String::new()),
            _ => parts.last_mut().expect("never empty").push(character),
        }
    }
    parts
}

#[test]
fn the_log_is_json_if_asked_for_and_silent_about_the_same_even_when_it_says_more() {
    for authentication in [
        "shared_secret = \"env:WORKN_SECRET\"",
        "api_key = \"env:WORKN_SECRET\"",
    ] {
        let (log, requests) = logged(&["--log-format", "json", "--verbose"], authentication);
        assert_silent(&log, &requests);
        let lines = log.lines().map(|line| {
            serde_json::from_str::<BTreeMap<String, Value>>(line)
                .unwrap_or_else(|_| panic!("{line}"))
        });
        let (attempts, others): (Vec<_>, Vec<_>) =
            lines.partition(|line| line["message"] == "attempt");
        assert_told(&attempts, &requests);
        let letters = others
            .iter()
            .filter(|line| line["message"] == "dead letter");
        let dead: Vec<_> = letters.map(|line| &line["event"]).collect();
        assert_eq!(dead.len(), 3, "{others:?}");
        assert!(
            ["fails", "refused"]
                .iter()
                .all(|event| dead.contains(&&json!(event)))
        );
    }
}
