//! The main job: events from a file, through the queue and the worker, to a receiver.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Stdio};

use hmac::{Hmac, KeyInit as _, Mac as _};
use rig::receiver::Listener;
use rig::request::first_attempts;
use rig::world::{SECRET, World, callback, done, only};
use serde_json::json;
use sha2::Sha256;

const EVENTS: usize = 1000;
const SETUPS: usize = 25;

/// Events of many setups, mixed, written in as many ways as JSON has.
fn line(n: usize) -> String {
    let setup = n * 7 % SETUPS;
    let ids = format!(r#""msg_id":"event-{n:04}","MessageGroupId":"EventSetup_{setup}""#);
    match n % 4 {
        0 => format!(r#"{{"mkt_id":4,{ids}}}"#),
        1 => format!(r#"{{ {ids} , "name" : "Zoë \u00e9 \"quoted\" 雪", "mkt_id" :  4 }}"#),
        2 => format!(
            r#"{{{ids},"ent_id":31,"amount":1.50,"big":123456789012345678901234567890,"e":1E+2}}"#
        ),
        _ => format!(
            r#"{{"list":[{{"a":null}},[],{{}},true],{ids},"ext_branch_id":"","same":1,"same":2}}	"#
        ),
    }
}

/// What `openssl dgst -sha256 -hmac SECRET FILE` prints, computed without the program's code.
fn hmac_sha256_hex(body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("a key of any length");
    mac.update(body);
    mac.finalize()
        .into_bytes()
        .iter()
        .fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}

/// The same by OpenSSL itself, for the machines that have it. An addition: without it the test proves as much.
fn openssl_hmac(file: &Path) -> Option<String> {
    let mut openssl = Command::new("openssl");
    openssl
        .args(["dgst", "-sha256", "-hmac", SECRET])
        .arg(file)
        .stdin(Stdio::null());
    match openssl.output() {
        Ok(output) => {
            let printed = String::from_utf8(output.stdout).expect("text");
            Some(
                printed
                    .trim_end()
                    .rsplit(' ')
                    .next()
                    .unwrap_or_default()
                    .to_owned(),
            )
        }
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => panic!("openssl: {error}"),
    }
}

#[test]
fn a_thousand_events_of_25_setups_arrive_once_in_order_signed_over_the_exact_bytes() {
    let world = World::fifo();
    let secret = "env:WORKN_SECRET";
    let listener = Listener::start(&world.home, &["--secret", secret, "--save", "bodies"]);
    world.configure(&callback(&format!("{}/workn", listener.url)));
    let lines: Vec<_> = (0..EVENTS).map(line).collect();
    world.home.write("events.jsonl", lines.join("\n"));

    let sent = only(done(&world.home.run(&["send", "events.jsonl", "--json"])));
    assert_eq!(
        (&sent["sent"], &sent["unsent_from"]),
        (&json!(EVENTS), &json!(null)),
        "{sent}"
    );
    let summary = world.drain();
    for (field, expected) in [
        ("delivered", EVENTS),
        ("attempts", EVENTS),
        ("dead_lettered", 0),
    ] {
        assert_eq!(summary[field], expected, "{field}: {summary}");
    }

    let received = listener.stop_with_lines();
    assert_eq!(received.len(), EVENTS);
    let mut as_sent = BTreeMap::<String, Vec<String>>::new();
    for n in 0..EVENTS {
        let group = format!("EventSetup_{}", n * 7 % SETUPS);
        as_sent
            .entry(group)
            .or_default()
            .push(format!("event-{n:04}"));
    }
    let requests: Vec<_> = received
        .iter()
        .map(|(request, _)| request.clone())
        .collect();
    assert_eq!(first_attempts(&requests), as_sent);

    for (request, printed) in &received {
        let saved = world.home.path(printed["saved"].as_str().expect("a file"));
        let body = std::fs::read(&saved).expect("saved");
        let n: usize = request.webhook_id()["event-".len()..]
            .parse()
            .expect("a number");
        let signature = request.header("x-payload-signature");
        assert_eq!(signature, hmac_sha256_hex(&body), "{}", saved.display());
        assert_eq!(printed["signature"], "valid", "{printed}");
        // Nothing is written again: parameters are added before the closing brace, all else is as it was.
        let (before, _) = lines[n].rsplit_once('}').expect("an object");
        assert!(
            body.starts_with(before.as_bytes()),
            "{}: {}",
            lines[n],
            String::from_utf8_lossy(&body)
        );
        if n < 10 {
            assert_eq!(
                openssl_hmac(&saved).unwrap_or_else(|| signature.to_owned()),
                signature
            );
        }
    }
}

#[test]
fn a_request_says_which_event_which_attempt_and_what_was_added_to_the_body() {
    let mut world = World::fifo();
    let listener = Listener::start(&world.home, &[]);
    world.home.set("HOOKLANE_ENVIRONMENT", "non-production");
    let used = format!(
        "[callback.non_production]\nurl = \"{}\"\napi_key = \"env:WORKN_SECRET\"\n",
        listener.url
    );
    world.configure(&(callback("https://hooks.example.com/") + &used));
    let lines = [r#"{"mkt_id":4}"#.to_owned()];
    world.send(
        &lines,
        &["--event-setup", "42", "--event", "talent_created"],
    );
    world.drain();
    let requests = listener.stop();
    let [request] = &requests[..] else {
        panic!("{requests:?}")
    };
    let body = request.event();
    let names: Vec<_> = body.as_object().expect("an object").keys().collect();
    assert_eq!(names.len(), 5, "{names:?}");
    assert_eq!(body["MessageGroupId"], "EventSetup_42");
    for (name, value) in [
        ("content-type", "application/json"),
        (
            "user-agent",
            concat!("Hooklane/", env!("CARGO_PKG_VERSION")),
        ),
        ("x-api-key", SECRET),
        ("webhook-id", body["msg_id"].as_str().expect("a text")),
        ("x-hooklane-attempt", "1"),
        ("x-hooklane-group", "EventSetup_42"),
        ("x-hooklane-event", "talent_created"),
    ] {
        assert_eq!(request.header(name), value, "{name}");
    }
    let timestamp: u64 = request
        .header("webhook-timestamp")
        .parse()
        .expect("seconds");
    assert!(
        request.at.as_secs().abs_diff(timestamp) <= 5,
        "{timestamp} {}",
        request.at
    );
    assert!(!request.header("x-hooklane-sequence").is_empty());
    for absent in [
        "x-payload-signature",
        "webhook-signature",
        "x-hooklane-replay",
    ] {
        assert!(!request.headers.contains_key(absent), "{absent}");
    }
}
