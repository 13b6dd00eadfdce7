//! Endpoints that fail, for good or for a while.

use std::time::Duration;

use rig::receiver::Listener;
use rig::request::Request;
use rig::world::{World, callback, event};
use serde_json::{Value, json};

/// The one long wait of the schedule, shortened; the two others are zero.
const WAIT: Duration = Duration::from_secs(2);

/// Not before the wait. How soon after it is shown on virtual time (`crates/consumer/tests`): here it would say how busy
/// the machine is.
fn assert_waits_kept(attempts: &[Request]) {
    let numbers: Vec<_> = attempts.iter().map(Request::attempt).collect();
    let as_counted: Vec<_> = (1..=attempts.len() as u32).collect();
    assert_eq!(numbers, as_counted);
    for pair in attempts.windows(2) {
        let waited = pair[0].at.until(pair[1].at);
        let wait = if pair[1].attempt() == 3 {
            WAIT
        } else {
            Duration::ZERO
        };
        assert!(
            waited >= wait,
            "attempt {} came after {waited:?}",
            pair[1].attempt()
        );
    }
}

/// A receiver that fails for `down` events beside one that accepts all others.
fn two_receivers(world: &World, respond: &str) -> (Listener, Listener) {
    let failing = Listener::start(&world.home, &["--respond", respond]);
    let accepting = Listener::start(&world.home, &[]);
    let events = format!(
        "[callback.production.events]\ndown = \"{}/down\"\n",
        failing.url
    );
    world.configure(&(callback(&accepting.url) + &events));
    (failing, accepting)
}

#[test]
fn an_endpoint_that_answers_500_gets_four_attempts_then_the_event_lies_in_the_internal_queue_with_all_four()
 {
    let mut world = World::fifo();
    world.delays(&["0s", "2s", "0s"]);
    let (failing, accepting) = two_receivers(&world, "500");
    world.send(&[event(1, "failing")], &["--event", "down"]);
    let followers = ["follower-1", "follower-2", "follower-3"].map(|id| event(1, id));
    let others = (1..=12).map(|n| event(2 + n % 3, &format!("other-{n}")));
    world.send(
        &followers.into_iter().chain(others).collect::<Vec<_>>(),
        &[],
    );
    let summary = world.drain();
    for (field, expected) in [
        ("attempts", 4 + 15),
        ("delivered", 15),
        ("dead_lettered", 1),
    ] {
        assert_eq!(summary[field], expected, "{field}: {summary}");
    }

    let attempts = failing.stop();
    assert_eq!(attempts.len(), 4);
    assert_waits_kept(&attempts);
    assert!(
        attempts
            .iter()
            .all(|request| request.body == attempts[0].body && request.webhook_id() == "failing")
    );

    let accepted = accepting.stop();
    let ids = |wanted: &str| {
        let accepted = accepted
            .iter()
            .filter(|request| request.webhook_id().starts_with(wanted));
        accepted.cloned().collect::<Vec<_>>()
    };
    let followers = ids("follower");
    let order: Vec<_> = followers.iter().map(Request::webhook_id).collect();
    assert_eq!(order, ["follower-1", "follower-2", "follower-3"]);
    assert!(
        followers
            .iter()
            .all(|follower| follower.at >= attempts[3].at),
        "a follower overtook: {followers:?}"
    );
    let others = ids("other");
    // That they do not wait for it is shown on virtual time too.
    assert_eq!(others.len(), 12);

    assert_shown(&world, &attempts);
}

/// `dlq ls` and `dlq show` tell of the one dead letter what its receiver saw.
fn assert_shown(world: &World, attempts: &[Request]) {
    let letters = world.dead_letters();
    let [letter] = &letters[..] else {
        panic!("{letters:?}")
    };
    for (field, expected) in [
        ("reason", json!("exhausted")),
        ("group", json!("EventSetup_1")),
        ("event", json!("down")),
        ("msg_id", json!("failing")),
        ("attempts", json!(4)),
        ("last_status", json!(500)),
        ("last_error", Value::Null),
    ] {
        assert_eq!(letter[field], expected, "{field}: {letter}");
    }
    let shown = world.show(letter);
    let recorded = shown["record"]["attempts"].as_array().expect("a list");
    let numbers: Vec<_> = recorded
        .iter()
        .map(|attempt| (&attempt["n"], &attempt["status"]))
        .collect();
    assert_eq!(
        numbers,
        [1, 2, 3, 4]
            .map(|n| (json!(n), json!(500)))
            .each_ref()
            .map(|(n, status)| (n, status))
    );
    for (attempt, request) in recorded.iter().zip(attempts) {
        assert_eq!(
            attempt["excerpt"], "hooklane listen: 500 Internal Server Error",
            "{attempt}"
        );
        let at = attempt["at"]
            .as_str()
            .and_then(::event::Timestamp::parse)
            .expect("a time");
        assert!(at <= request.at, "{attempt} {}", request.at);
    }
    assert_eq!(shown["body"], attempts[0].event(), "{shown}");

    let id = letter["id"].as_str().expect("an id");
    let text = world.home.run(&["dlq", "show", id]).stdout;
    for n in 1..=4 {
        let line = text
            .lines()
            .find(|line| line.trim_start().starts_with(&format!("{n} ")));
        assert!(
            line.is_some_and(|line| line.contains(" 500")),
            "attempt {n}: {text}"
        );
    }
}

#[test]
fn an_endpoint_that_fails_twice_accepts_the_third_attempt_after_the_wait() {
    let mut world = World::fifo();
    world.delays(&["0s", "2s", "0s"]);
    let (failing, accepting) = two_receivers(&world, "500,500,200");
    world.send(&[event(1, "recovering")], &["--event", "down"]);
    world.send(&[event(1, "follower")], &[]);
    let summary = world.drain();
    assert_eq!(
        (&summary["attempts"], &summary["delivered"]),
        (&json!(4), &json!(2)),
        "{summary}"
    );

    let attempts = failing.stop();
    assert_eq!(attempts.len(), 3);
    assert_waits_kept(&attempts);
    let followers = accepting.stop();
    let [follower] = &followers[..] else {
        panic!("{followers:?}")
    };
    assert!(follower.at >= attempts[2].at, "{follower:?}");
    assert_eq!(world.dead_letters(), [] as [Value; 0]);
}

#[test]
fn only_the_configured_statuses_are_success_and_a_redirect_is_not_followed() {
    let mut world = World::fifo();
    world.delays(&[]);
    let accepting = Listener::start(&world.home, &["--respond", "200,201"]);
    let failing = Listener::start(&world.home, &["--respond", "202,204,302,404,599"]);
    let events = format!(
        "[callback.production.events]\ndown = \"{}/\"\n",
        failing.url
    );
    world.configure(&(callback(&accepting.url) + &events));
    let lines = |ids: &[&str]| ids.iter().map(|id| event(1, id)).collect::<Vec<_>>();
    world.send(&lines(&["a", "b"]), &[]);
    world.send(
        &lines(&["202", "204", "302", "404", "599"]),
        &["--event", "down"],
    );
    world.drain();
    assert_eq!((accepting.stop().len(), failing.stop().len()), (2, 5));
    let statuses: Vec<_> = world
        .dead_letters()
        .iter()
        .map(|letter| letter["last_status"].to_string())
        .collect();
    assert_eq!(statuses, ["202", "204", "302", "404", "599"]);
}
