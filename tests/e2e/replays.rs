//! Dead letters on their way back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rig::program::documents;
use rig::receiver::Receiver;
use rig::request::Request;
use rig::world::{World, callback, done, event, only};
use serde_json::{Value, json};

/// A world whose callback answers 503 until it has recovered, but to events called `new`.
struct BadDay {
    world: World,
    receiver: Receiver,
    recovered: Arc<AtomicBool>,
}

impl BadDay {
    fn begin() -> Self {
        let mut world = World::fifo();
        world.delays(&[]);
        let recovered = Arc::new(AtomicBool::new(false));
        let healthy = recovered.clone();
        let receiver = Receiver::start(move |request, _| {
            if healthy.load(Ordering::SeqCst) || request.webhook_id() == "new" {
                200
            } else {
                503
            }
        });
        world.configure(&callback(&receiver.url));
        Self {
            world,
            receiver,
            recovered,
        }
    }

    /// Delivers what there is, which comes to nothing.
    fn fail(&self, lines: &[String]) -> Vec<Request> {
        self.world.send(lines, &[]);
        let requests = self.work();
        assert_eq!(requests.len(), lines.len());
        requests
    }

    /// The receiver accepts from now on; delivers what there is.
    fn recover(&self) -> Vec<Request> {
        self.recovered.store(true, Ordering::SeqCst);
        self.work()
    }

    /// Delivers what there is; the requests that came of it.
    fn work(&self) -> Vec<Request> {
        let before = self.receiver.requests().len();
        self.world.drain();
        self.receiver.requests().split_off(before)
    }

    fn replay(&self, arguments: &[&str]) -> Value {
        let arguments = [&["dlq", "replay", "--json"], arguments].concat();
        only(done(&self.world.home.run(&arguments)))
    }
}

fn webhook_ids(requests: &[Request]) -> Vec<&str> {
    requests.iter().map(Request::webhook_id).collect()
}

#[test]
fn the_300_dead_events_of_one_group_are_delivered_again_in_order_and_the_other_200_stay() {
    let day = BadDay::begin();
    let mut lines: Vec<_> = (0..300)
        .map(|n| event(7, &format!("event-{n:03}")))
        .collect();
    let others = (0..200).map(|n| event(n % 6 + 1, &format!("other-{n:03}")));
    lines.extend(others);
    let failed = day.fail(&lines);
    assert_eq!(failed.len(), 500);
    assert_eq!(day.world.dead_letters().len(), 500);

    let replayed = day.replay(&["--group", "EventSetup_7"]);
    for (field, expected) in [
        ("selected", json!(300)),
        ("replayed", json!(300)),
        ("failed", json!(0)),
        ("dry_run", json!(false)),
    ] {
        assert_eq!(replayed[field], expected, "{field}: {replayed}");
    }
    let delivered = day.recover();
    let as_sent: Vec<_> = (0..300).map(|n| format!("event-{n:03}")).collect();
    assert_eq!(webhook_ids(&delivered), as_sent);
    for request in &delivered {
        assert_eq!(request.header("x-hooklane-replay"), "true");
        let before = failed
            .iter()
            .find(|r| r.webhook_id() == request.webhook_id());
        assert_eq!(before.expect("it failed before").body, request.body);
    }
    let left = day.world.dead_letters();
    assert_eq!(left.len(), 200);
    assert!(left.iter().all(|letter| letter["group"] != "EventSetup_7"));
}

#[test]
fn an_event_that_has_no_id_of_its_own_keeps_its_webhook_id_over_two_replays_and_shows_all_lives() {
    let day = BadDay::begin();
    let fifo = Some(("EventSetup_7", "2025-02-12T14:30:45.123"));
    day.world.send_plainly(fifo, r#"{"mkt_id":4}"#, &[]);
    let first = day.work();
    day.replay(&["--all"]);
    let second = day.work();
    let [letter] = &day.world.dead_letters()[..] else {
        panic!("one dead letter")
    };
    assert_eq!(letter["attempts"], 2, "{letter}");
    let record = &day.world.show(letter)["record"];
    let lives: Vec<_> = record["attempts"]
        .as_array()
        .expect("attempts")
        .iter()
        .map(|a| &a["life"])
        .collect();
    assert_eq!(lives, [0, 1], "{record}");
    assert_eq!(record["replays"], 1);

    day.replay(&[letter["id"].as_str().expect("an id")]);
    let third = day.recover();
    assert_eq!([first.len(), second.len(), third.len()], [1, 1, 1]);
    for again in [&second[0], &third[0]] {
        assert_eq!(again.webhook_id(), first[0].webhook_id());
        assert_eq!(again.body, first[0].body);
        assert_eq!(again.header("x-hooklane-group"), "EventSetup_7");
        assert_eq!(again.header("x-hooklane-replay"), "true");
    }
    assert_eq!(first[0].webhook_id(), letter["id"]);
    assert_eq!(day.world.dead_letters().len(), 0);
}

#[test]
fn a_dry_run_says_what_would_go_and_changes_nothing() {
    let day = BadDay::begin();
    let lines = ["a", "b", "c"].map(|id| event(7, id));
    day.fail(&lines);
    let plan = day.replay(&["--all", "--dry-run"]);
    for (field, expected) in [
        ("selected", json!(3)),
        ("replayed", json!(0)),
        ("dry_run", json!(true)),
        ("to", json!(day.world.queue_url)),
    ] {
        assert_eq!(plan[field], expected, "{field}: {plan}");
    }
    assert_eq!(plan["groups"][0]["group"], "EventSetup_7", "{plan}");
    let shown = day.world.home.run(&["dlq", "replay", "--all", "--dry-run"]);
    let text = &done(&shown).stdout;
    let places = ["a", "b", "c"].map(|id| text.find(&format!("  {id}\n")).expect("shown"));
    assert!(places.is_sorted(), "{text}");
    assert_eq!(day.world.dead_letters().len(), 3);
    assert_eq!(day.recover().len(), 0);
}

#[test]
fn a_replay_behind_newer_deliveries_needs_a_person_to_accept_that() {
    let day = BadDay::begin();
    day.fail(&[event(7, "old"), event(8, "other"), event(7, "new")]);
    assert_eq!(day.world.dead_letters().len(), 2);

    // What else is asked is not what is warned of.
    for more in [&[][..], &["--yes"], &["--yes", "--accept-hidden"]] {
        let refused = [&["dlq", "replay", "--all"], more].concat();
        let refused = day.world.home.run(&refused);
        assert_eq!(refused.code, Some(1), "{refused:?}");
        for said in [
            "newer events of EventSetup_7 were delivered since: 1 of these would arrive after them",
            "Say so with --accept-order\n",
            "nothing was changed",
        ] {
            assert!(refused.stderr.contains(said), "{said}: {refused:?}");
        }
    }
    assert_eq!(day.world.dead_letters().len(), 2);
    // A group of which nothing newer was delivered needs no consent.
    assert_eq!(day.replay(&["--group", "EventSetup_8"])["replayed"], 1);
    assert_eq!(
        day.replay(&["--group", "EventSetup_7", "--accept-order"])["replayed"],
        1
    );
    assert_eq!(day.recover().len(), 2);
}

#[test]
fn what_a_worker_delivers_that_was_started_after_the_deaths_is_known_to_a_replay() {
    let day = BadDay::begin();
    day.fail(&[event(7, "old-1"), event(7, "old-2")]);
    day.world.send(&[event(7, "new"), event(7, "new")], &[]);
    assert_eq!(day.work().len(), 2);
    let refused = day.world.home.run(&["dlq", "replay", "--all"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    let said = "newer events of EventSetup_7 were delivered since: 2 of these would arrive after";
    assert!(refused.stderr.contains(said), "{refused:?}");
    let plan = day.replay(&["--all", "--dry-run"]);
    assert_eq!(plan["needed"], json!(["--accept-order"]), "{plan}");
}

#[test]
fn a_replay_of_which_the_ledger_knows_nothing_says_so_and_asks() {
    let mut day = BadDay::begin();
    day.fail(&[event(7, "a")]);
    day.world
        .home
        .set("HOOKLANE_WORKER__LEDGER", "sqlite:another.db");
    let refused = day.world.home.run(&["dlq", "replay", "--all"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    for said in [
        "whether newer events of EventSetup_7 were delivered since is not known (there is no ledger",
        "--accept-order",
    ] {
        assert!(refused.stderr.contains(said), "{said}: {refused:?}");
    }
    assert_eq!(day.replay(&["--all", "--accept-order"])["replayed"], 1);
}

#[test]
fn a_replay_that_is_told_to_stop_says_where_and_the_rest_is_there_at_once() {
    let day = BadDay::begin();
    let lines: Vec<_> = (0..30)
        .map(|n| event(7, &format!("event-{n:02}")))
        .collect();
    day.fail(&lines);
    let arguments = [
        "dlq",
        "replay",
        "--all",
        "--rate",
        "1",
        "--json",
        "--log-format",
        "json",
    ];
    let mut running = day.world.home.start(&arguments);
    running.wait_for_log("\"action\":\"replay\"");
    let ended = running.stop();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let result = only(&ended);
    let replayed = result["replayed"].as_u64().expect("a number") as usize;
    assert!((1..30).contains(&replayed), "{result}");
    assert_eq!(
        (&result["stopped"], &result["failed"]),
        (&json!(true), &json!(0))
    );
    assert!(ended.stderr.contains(&format!(
        "stopped: {replayed} replayed, {} left",
        30 - replayed
    )));
    assert_eq!(day.world.dead_letters().len(), 30 - replayed);
    day.replay(&["--all"]);
    let delivered = day.recover();
    let as_sent: Vec<_> = (0..30).map(|n| format!("event-{n:02}")).collect();
    assert_eq!(webhook_ids(&delivered), as_sent);
}

#[test]
fn every_change_is_in_the_audit_log_with_who_what_and_why() {
    let day = BadDay::begin();
    day.fail(&[event(7, "a"), event(8, "b")]);
    let letters = day.world.dead_letters();
    let id = |group: &str| {
        let letter = letters.iter().find(|letter| letter["group"] == group);
        letter.expect("a letter")["id"]
            .as_str()
            .expect("an id")
            .to_owned()
    };
    let logged = |arguments: &[&str]| {
        let ended = day
            .world
            .home
            .run(&[&["--log-format", "json", "dlq"], arguments].concat());
        let lines = documents(&done(&ended).stderr);
        let [line] = &lines
            .into_iter()
            .filter(|line| line["target"] == "audit")
            .collect::<Vec<_>>()[..]
        else {
            panic!("one line of audit: {ended:?}")
        };
        line.clone()
    };
    let (a, b) = (id("EventSetup_7"), id("EventSetup_8"));
    let replayed = logged(&["replay", &a, "--why", "customer is back"]);
    for (field, expected) in [
        ("action", "replay"),
        ("id", &a),
        ("why", "customer is back"),
        ("group", "EventSetup_7"),
        ("to", &day.world.queue_url),
    ] {
        assert_eq!(replayed[field], expected, "{field}: {replayed}");
    }
    assert!(
        replayed["who"].as_str().expect("who").len() > 1,
        "{replayed}"
    );
    assert!(replayed["timestamp"].is_string(), "{replayed}");
    let dropped = logged(&[
        "drop",
        &b,
        "--reason",
        "a test event",
        "--yes",
        "--file",
        "b.jsonl",
    ]);
    for (field, expected) in [
        ("action", "drop"),
        ("id", &b),
        ("why", "a test event"),
        ("to", "b.jsonl"),
    ] {
        assert_eq!(dropped[field], expected, "{field}: {dropped}");
    }
}
