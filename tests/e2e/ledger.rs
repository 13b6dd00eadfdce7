//! The ledger of a fleet: a table in DynamoDB, on an emulator.

use std::collections::BTreeMap;
use std::time::Duration;

use rig::emulator;
use rig::program::Service;
use rig::receiver::Receiver;
use rig::request::Request;
use rig::world::{World, callback, done, event, only};
use serde_json::{Value, json};
use store::{DynamoDb, Key, Ledger};

use crate::outage::Line;

/// A world whose ledger is a table, which is not there yet.
fn world(table: &str, endpoint: &str) -> World {
    let mut world = World::fifo();
    let ledger = format!("dynamodb:{table}");
    world.home.set("HOOKLANE_WORKER__LEDGER", &ledger);
    world.home.set("AWS_ENDPOINT_URL_DYNAMODB", endpoint);
    world
}

/// The problems that `ledger check` tells; its exit code says whether there are any.
fn problems(world: &World) -> Vec<Value> {
    let ended = world.home.run(&["ledger", "check", "--json"]);
    let checked = only(&ended);
    let problems = checked["problems"].as_array().expect("a list").clone();
    assert_eq!(checked["ok"], problems.is_empty());
    let code = if problems.is_empty() { 0 } else { 1 };
    assert_eq!(ended.code, Some(code), "{ended:?}");
    problems
}

const FAILING: usize = 8;

#[test]
fn two_workers_on_one_table_count_the_attempts_of_an_event_together() {
    let mut world = world("two-workers", emulator::endpoint());
    world.delays(&["0s", "3s", "0s"]);
    done(&world.home.run(&["ledger", "create"]));
    let is_failing = |request: &Request| request.webhook_id().starts_with("failing");
    let receiver = Receiver::start(move |request, _| if is_failing(request) { 500 } else { 200 });
    world.configure(&callback(&receiver.url));
    let failing = |n| event(n, &format!("failing-{n}"));
    let follower = |n| event(n, &format!("follower-{n}"));
    let lines = (0..FAILING as u32).flat_map(|n| [failing(n), follower(n)]);
    world.send(&lines.collect::<Vec<_>>(), &[]);

    // The first visits are one worker's, and the second ones other workers'.
    let first = world.home.start(&["work"]);
    receiver.wait_for(2 * FAILING);
    stop(&world, first);
    let start = || world.home.start(&["work", "--drain"]);
    let fleet = [start(), start()];
    for worker in fleet {
        done(&worker.wait());
    }

    let mut attempts = BTreeMap::<String, Vec<u32>>::new();
    for request in receiver.requests() {
        let id = request.webhook_id().to_owned();
        attempts.entry(id).or_default().push(request.attempt());
    }
    for n in 0..FAILING {
        assert_eq!(attempts[&format!("failing-{n}")], [1, 2, 3, 4]);
        assert_eq!(attempts[&format!("follower-{n}")], [1]);
    }
    let letters = world.dead_letters();
    assert_eq!(letters.len(), FAILING);
    assert!(
        letters.iter().all(|letter| letter["attempts"] == 4),
        "{letters:?}"
    );
    assert_forgotten(&world, "two-workers", &letters);
    assert!(!world.home.path("hooklane.db").exists());
}

/// The table holds no record of a dead letter any more.
fn assert_forgotten(world: &World, table: &str, letters: &[Value]) {
    let table = DynamoDb::at(emulator::endpoint(), table);
    let ledger = Ledger::over(std::sync::Arc::new(table), Duration::from_secs(1));
    for letter in letters {
        let key = Key {
            queue: world.queue_url.clone(),
            message_id: letter["id"].as_str().expect("an id").to_owned(),
            group: None,
        };
        assert_eq!(world.wait(ledger.read(&key)), Ok(None));
    }
}

#[test]
fn a_table_is_made_once_and_checked() {
    let world = world("made-once", emulator::endpoint());
    let [missing] = &problems(&world)[..] else {
        panic!("not one problem")
    };
    assert_eq!(missing["ledger"], "dynamodb:made-once");
    assert_eq!(missing["attribute"], "table");
    for created in [true, false] {
        let made = only(done(&world.home.run(&["ledger", "create", "--json"])));
        let expected = json!({ "ledger": "dynamodb:made-once", "created": created });
        assert_eq!(made, expected);
    }
    assert_eq!(problems(&world), [] as [Value; 0]);
    let ended = world.home.run(&["ledger", "check"]);
    assert_eq!(ended.stdout, "ok: dynamodb:made-once is as it should be\n");
}

#[test]
fn a_file_is_made_once_and_checked() {
    let world = World::fifo();
    assert_eq!(problems(&world)[0]["attribute"], "file");
    assert!(
        !world.home.path("hooklane.db").exists(),
        "a check makes nothing"
    );
    for created in [true, false] {
        let made = only(done(&world.home.run(&["ledger", "create", "--json"])));
        assert_eq!(made["created"], created);
    }
    assert_eq!(problems(&world), [] as [Value; 0]);
    world.home.write("hooklane.db", "something else altogether");
    let found = problems(&world)[0]["found"].to_string();
    assert!(found.contains("is no attempt ledger"), "{found}");
}

#[test]
fn a_worker_without_its_table_says_how_to_make_it() {
    let world = world("never-made", emulator::endpoint());
    world.configure(&callback("http://127.0.0.1:9/"));
    let ended = world.home.run(&["work", "--drain"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let said = "hooklane: worker.ledger: the attempt ledger dynamodb:never-made does not exist";
    assert!(ended.stderr.contains(said), "{ended:?}");
    assert!(ended.stderr.contains("hooklane ledger create"), "{ended:?}");
}

#[test]
fn a_table_that_cannot_be_reached_is_waited_for() {
    let line = Line::to(emulator::endpoint());
    let mut world = world("waited-for", emulator::endpoint());
    done(&world.home.run(&["ledger", "create"]));
    world.home.set("AWS_ENDPOINT_URL_DYNAMODB", &line.url);
    let receiver = Receiver::start(|_, _| 200);
    world.configure(&callback(&receiver.url));
    world.send(&[event(1, "patient")], &[]);
    let unreachable = world.home.run(&["ledger", "check"]);
    assert_eq!(unreachable.code, Some(1), "{unreachable:?}");

    let mut worker = world.home.start(&["work"]);
    worker.wait_for_log("the ledger cannot be opened; trying again until it can");
    line.mend();
    receiver.wait_for(1);
    stop(&world, worker);
}

/// Stops a worker that waits for messages: one that comes ends its long poll.
fn stop(world: &World, worker: Service) {
    worker.signal("TERM");
    world.send(&[event(100, "late")], &[]);
    done(&worker.wait());
}
