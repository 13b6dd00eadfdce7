//! Receivers that misbehave: each is one failed attempt of a named class, and none stops the worker.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;

use rig::program::taken_port;
use rig::receiver::{Listener, accept};
use rig::request::Request;
use rig::world::{World, callback, event};
use serde_json::Value;

/// What a request is, as far as an answer may need it.
fn read_some(mut stream: &TcpStream) -> std::io::Result<usize> {
    stream.read(&mut [0; 64 * 1024])
}

/// Answers with a beginning, then with the same bytes again and again until the other side has had enough.
fn endless(beginning: &'static str, again: &'static str) -> String {
    let serve = move |mut stream: TcpStream| {
        read_some(&stream)?;
        stream.write_all(beginning.as_bytes())?;
        loop {
            stream.write_all(again.as_bytes())?;
        }
    };
    format!("http://{}/", accept(serve))
}

/// Answers with this and closes the connection.
fn answers(answer: &'static str) -> String {
    let serve = move |mut stream: TcpStream| {
        read_some(&stream)?;
        stream.write_all(answer.as_bytes())
    };
    format!("http://{}/", accept(serve))
}

/// Takes the request and says nothing until the other side gives up.
fn stalls() -> String {
    let serve = |mut stream: TcpStream| std::io::copy(&mut stream, &mut std::io::sink()).map(drop);
    format!("http://{}/", accept(serve))
}

#[test]
fn every_way_in_which_a_callback_fails_is_a_class_that_dlq_show_names() {
    let mut world = World::fifo();
    world.delays(&["0s"]);
    world.home.set("HOOKLANE_RETRY__TIMEOUT", "2s");
    let accepting = Listener::start(&world.home, &[]);
    let (free, refused) = taken_port();
    drop(free);
    let plain = accepting.url.replace("http://", "");
    // Named after what the attempt is to fail with; the last letter tells those of one class apart.
    let callbacks = BTreeMap::from([
        ("dns", "https://hooks.invalid/".to_owned()),
        ("connect", format!("http://127.0.0.1:{refused}/")),
        ("blocked-address", "https://10.0.0.1/".to_owned()),
        (
            "blocked-address-b",
            "https://[::ffff:a9fe:a9fe]/latest/meta-data".to_owned(),
        ),
        ("tls", format!("https://{plain}/")),
        ("timeout", stalls()),
        ("reset", answers("")),
        (
            "reset-b",
            answers("HTTP/1.1 200 OK\r\nContent-Length: 100\r\nX-Ha"),
        ),
        ("protocol", answers("220 smtp.example.com ESMTP\r\n")),
        (
            "protocol-b",
            endless("HTTP/1.1 200 OK\r\n", "X-More: and more\r\n"),
        ),
    ]);
    let events = callbacks.iter().fold(
        "[callback.production.events]\n".to_owned(),
        |mut toml, (name, url)| {
            let _ = writeln!(toml, "{name} = \"{url}\"");
            toml
        },
    );
    world.configure(&(callback(&accepting.url) + &events));
    for (setup, name) in (1..).zip(callbacks.keys()) {
        world.send(&[event(setup, name)], &["--event", name]);
        world.send(&[event(setup, "follower")], &[]);
    }
    let summary = world.drain();
    for (field, expected) in [
        ("dead_lettered", callbacks.len()),
        ("delivered", callbacks.len()),
        ("attempts", 3 * callbacks.len()),
    ] {
        assert_eq!(summary[field], expected, "{field}: {summary}");
    }
    assert_eq!(
        accepting.stop().len(),
        callbacks.len(),
        "every follower was delivered"
    );

    let letters = world.dead_letters();
    assert_eq!(letters.len(), callbacks.len());
    for letter in &letters {
        let name = letter["event"].as_str().expect("a name");
        let class = name.strip_suffix("-b").unwrap_or(name);
        assert_eq!(
            (&letter["last_error"], &letter["last_status"]),
            (&class.into(), &Value::Null),
            "{letter}"
        );
        assert_eq!(
            letter["callback"].as_str(),
            Some(callbacks[name].as_str()),
            "{letter}"
        );
    }
    let letter = letters
        .iter()
        .find(|letter| letter["event"] == "dns")
        .expect("listed");
    let shown = world.show(letter);
    let errors: Vec<_> = shown["record"]["attempts"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|a| &a["error"])
        .collect();
    assert_eq!(errors, ["dns", "dns"], "{shown}");
    let text = world
        .home
        .run(&["dlq", "show", letter["id"].as_str().expect("an id")])
        .stdout;
    let named = |n: u32| {
        let attempt = |line: &&str| line.trim_start().starts_with(&format!("{n} "));
        text.lines()
            .find(attempt)
            .is_some_and(|line| line.ends_with(" dns"))
    };
    assert!(named(1) && named(2), "{text}");
    assert!(text.contains("name does not resolve"), "{text}");
}

#[test]
fn an_endless_body_does_not_keep_the_status_from_counting() {
    let mut world = World::fifo();
    world.delays(&[]);
    let accepted = endless("HTTP/1.1 200 OK\r\n\r\n", "more and more ");
    let refused = endless(
        "HTTP/1.1 500 No\r\nContent-Encoding: gzip\r\n\r\n",
        "more and more ",
    );
    world.configure(&format!(
        "{}[callback.production.events]\nrefused = \"{refused}\"\n",
        callback(&accepted)
    ));
    world.send(&[event(1, "accepted")], &[]);
    world.send(&[event(2, "refused")], &["--event", "refused"]);
    let summary = world.drain();
    assert_eq!(
        (&summary["delivered"], &summary["dead_lettered"]),
        (&1.into(), &1.into()),
        "{summary}"
    );
    let letter = world.show(&world.dead_letters()[0]);
    let attempt = &letter["record"]["attempts"][0];
    assert_eq!(
        (&attempt["status"], &attempt["error"]),
        (&500.into(), &Value::Null),
        "{letter}"
    );
    let excerpt = attempt["excerpt"].as_str().expect("a text");
    assert_eq!(excerpt.chars().count(), 512, "{excerpt}");
}

#[test]
fn an_event_without_a_callback_waits_in_the_internal_queue_and_its_group_goes_on() {
    let world = World::fifo();
    let listener = Listener::start(&world.home, &[]);
    world.configure(&format!(
        "[callback.production.events]\nknown = \"{}\"\n",
        listener.url
    ));
    world.send(&[event(1, "nameless")], &[]);
    world.send(&[event(1, "of another name")], &["--event", "unknown"]);
    world.send(&[event(1, "known")], &["--event", "known"]);
    world.drain();
    let requests = listener.stop();
    let ids: Vec<_> = requests.iter().map(Request::webhook_id).collect();
    assert_eq!(ids, ["known"]);
    let letters = world.dead_letters();
    let told: Vec<_> = letters
        .iter()
        .map(|letter| (letter["msg_id"].as_str(), letter["reason"].as_str()))
        .collect();
    assert_eq!(
        told,
        [
            (Some("nameless"), Some("no-callback")),
            (Some("of another name"), Some("no-callback"))
        ]
    );
}
