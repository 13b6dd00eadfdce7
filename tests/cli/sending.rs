//! `send` beside another one, after one that was killed, and the same input again.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::process::{ChildStdin, Stdio};
use std::time::Duration;

use queue::{Queue, ReceiveOptions, Sqs};
use rig::program::{Ended, Home, LocalSqs, Service, assert_told, documents};
use serde_json::Value;

/// A local queue, and what lies in it.
struct World {
    _local: LocalSqs,
    home: Home,
    queue: Queue,
    runtime: tokio::runtime::Runtime,
}

impl World {
    fn with(arguments: &[&str]) -> Self {
        let local = LocalSqs::start(arguments);
        let home = local.home("events");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let configuration = std::fs::read_to_string(home.path("hooklane.toml")).expect("read");
        let mut lines = configuration.lines();
        let url = lines.find_map(|line| line.strip_prefix("url = \"")?.strip_suffix('"'));
        let sqs = Sqs::at(&local.variables[0].1);
        let queue = runtime.block_on(Queue::open(&sqs, url.expect("a URL")));
        Self {
            _local: local,
            home,
            queue: queue.expect("opened"),
            runtime,
        }
    }

    /// Takes so many messages out, in the order of their groups; waits for them.
    fn take(&self, count: usize) -> Vec<Value> {
        let options = ReceiveOptions {
            max: 10,
            wait: Duration::from_secs(20),
            visibility: Duration::from_secs(60),
        };
        let mut bodies = Vec::new();
        while bodies.len() < count {
            let received = self.runtime.block_on(self.queue.receive(options));
            let received = received.expect("received");
            assert!(!received.is_empty(), "{} of {count} came", bodies.len());
            let handles: Vec<_> = received.iter().map(|m| m.receipt_handle.as_str()).collect();
            let deleted = self.runtime.block_on(self.queue.delete_batch(&handles));
            assert!(deleted.expect("deleted").iter().all(Result::is_ok));
            let read = |m: &queue::Received| serde_json::from_slice(&m.body).expect("JSON");
            bodies.extend(received.iter().map(read));
        }
        bodies
    }

    fn left(&self) -> u64 {
        self.runtime
            .block_on(self.queue.counts())
            .expect("counted")
            .total()
    }

    /// Starts `send -`, and gives a line in once it runs.
    fn start_stream(&self, arguments: &[&str], first: &str) -> Stream {
        let arguments = [&["send", "-"], arguments].concat();
        let mut child = self
            .home
            .command(&arguments)
            .stdin(Stdio::piped())
            .spawn()
            .expect("started");
        let mut input = child.stdin.take().expect("piped");
        input.write_all(first.as_bytes()).expect("written");
        let stream = Stream {
            input,
            service: Service::of(child),
        };
        self.take(1);
        stream
    }
}

/// A `send -` that runs, its input open.
struct Stream {
    input: ChildStdin,
    service: Service,
}

impl Stream {
    fn end_with(mut self, lines: &str) -> Ended {
        self.input.write_all(lines.as_bytes()).expect("written");
        drop(self.input);
        self.service.wait()
    }
}

/// So many lines without a `msg_id`, of so many groups.
fn lines(sender: &str, count: usize, groups: usize) -> String {
    let line = |n: usize| {
        let group = n % groups;
        format!("{{\"from\":\"{sender}\",\"n\":{n},\"MessageGroupId\":\"EventSetup_{group}\"}}\n")
    };
    (0..count).map(line).collect()
}

fn done(ended: &Ended) -> &Ended {
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended
}

fn number(body: &Value) -> u64 {
    body["n"].as_u64().expect("a number")
}

fn id(body: &Value) -> String {
    body["msg_id"].as_str().expect("an id").to_owned()
}

#[test]
fn two_sends_of_one_group_at_the_same_time_lose_nothing_and_keep_the_order_of_each() {
    let world = World::with(&[]);
    let one = world.start_stream(&[], &lines("first", 1, 1));
    let other = world.start_stream(&[], &lines("first", 1, 1));
    let (for_one, for_other) = (lines("one", 300, 1), lines("other", 300, 1));
    // Both run and both have all their lines before the end of either is waited for.
    let other = std::thread::spawn(move || other.end_with(&for_other));
    let one = one.end_with(&for_one);
    for ended in [one, other.join().expect("ended")] {
        assert_eq!(done(&ended).stdout, "301 events sent\n");
    }
    let mut seen = BTreeMap::<String, Vec<u64>>::new();
    for body in world.take(600) {
        let sender = body["from"].as_str().expect("a sender").to_owned();
        seen.entry(sender).or_default().push(number(&body));
    }
    let all: Vec<u64> = (0..300).collect();
    assert_eq!(
        seen,
        BTreeMap::from([("one".to_owned(), all.clone()), ("other".to_owned(), all)])
    );
    assert_eq!(world.left(), 0);
}

#[test]
fn a_lane_that_a_send_has_taken_is_refused_until_that_one_ends_however_it_ends() {
    let world = World::with(&[]);
    world.home.write("events.jsonl", lines("file", 3, 1));
    let even = world.start_stream(&["--lane", "0/2"], &lines("even", 1, 1));
    for lane in ["0/2", "0/1", "2/4"] {
        let refused = world.home.run(&["send", "events.jsonl", "--lane", lane]);
        let told = format!(
            "--lane {lane} has milliseconds of lane 0/2, in which another send to this queue is running"
        );
        assert_told(&refused, 1, &[&told]);
    }
    done(&world.home.run(&["send", "events.jsonl"]));
    done(&world.home.run(&["send", "events.jsonl", "--lane", "1/2"]));
    even.service.signal("KILL");
    even.service.wait();
    done(&world.home.run(&["send", "events.jsonl", "--lane", "0/1"]));
    assert_eq!(world.take(9).len(), 9);

    let whole = world.start_stream(&["--lane", "0/1"], &lines("whole", 1, 1));
    let refused = world.home.run(&["send", "events.jsonl"]);
    assert_told(&refused, 1, &["no lane is free", "0/1 (process "]);
    done(&whole.end_with(""));
    assert_eq!(world.left(), 0);
}

#[test]
fn a_send_that_was_killed_goes_on_without_a_gap_a_copy_or_another_order() {
    let world = World::with(&["--max-messages", "400"]);
    world.home.write("events.jsonl", lines("file", 600, 3));
    let mut sending = world.home.start(&["send", "events.jsonl"]);
    sending.wait_for_log("local-sqs is full");
    sending.signal("KILL");
    sending.wait();
    let mut all = world.take(400);

    let checkpoint = world.home.path("events.jsonl.hooklane-checkpoint");
    assert!(checkpoint.exists());
    let again = world.home.run(&["send", "events.jsonl"]);
    assert_told(
        &again,
        2,
        &[
            "an earlier send of events.jsonl stopped at line 4",
            "--resume",
        ],
    );
    let file = || {
        File::options()
            .write(true)
            .open(world.home.path("events.jsonl"))
            .expect("opened")
    };
    let written = file()
        .metadata()
        .expect("metadata")
        .modified()
        .expect("a time");
    let whole = lines("file", 600, 3);
    // Of the same size, and with the same time: only what was read tells.
    world
        .home
        .write("events.jsonl", whole.replacen("\"n\":7,", "\"n\":8,", 1));
    file().set_modified(written).expect("set");
    let changed = world.home.run(&["send", "events.jsonl", "--resume"]);
    assert_told(
        &changed,
        2,
        &[
            "cannot go on from events.jsonl.hooklane-checkpoint: the file was changed since",
            "--from",
        ],
    );
    world.home.write("events.jsonl", &whole);
    let touched = world.home.run(&["send", "events.jsonl", "--resume"]);
    assert_told(&touched, 2, &["the file was changed since"]);
    file().set_modified(written).expect("set");

    let ended = world.home.run(&["send", "events.jsonl", "--resume"]);
    // One more is told if a line was in doubt: SQS knew it again.
    assert!(
        done(&ended).stderr.contains("going on from line 4"),
        "{ended:?}"
    );
    all.extend(world.take(200));
    assert_eq!(world.left(), 0);
    for group in 0..3 {
        let of_group = all.iter().map(number).filter(|n| n % 3 == group);
        assert!(of_group.eq((group..600).step_by(3)));
    }
    let ids: std::collections::BTreeSet<_> = all.iter().map(id).collect();
    assert_eq!(ids.len(), 600);
    assert!(!checkpoint.exists());
    let over = world.home.run(&["send", "events.jsonl", "--resume"]);
    assert_told(&over, 2, &["there is no checkpoint", "without --resume"]);
}

#[test]
fn a_checkpoint_lies_where_it_was_asked_for_and_is_gone_on_from_there() {
    let world = World::with(&["--max-messages", "4"]);
    world.home.write("events.jsonl", lines("file", 6, 1));
    let arguments = ["send", "events.jsonl", "--checkpoint", "here", "--json"];
    let mut sending = world.home.start(&arguments);
    sending.wait_for_log("local-sqs is full");
    let busy = world.home.run(&arguments);
    assert_told(&busy, 1, &["here is in use"]);
    let stopped = sending.stop();
    assert_told(
        &stopped,
        1,
        &["the same command again with --from 5, or with --resume"],
    );
    assert_eq!(documents(&stopped.stdout)[0]["checkpoint"], "here");
    let numbers: Vec<_> = world.take(4).iter().map(number).collect();
    assert_eq!(numbers, [0, 1, 2, 3]);

    let elsewhere = [&arguments[..], &["--event", "other"]].concat();
    assert_told(
        &world.home.run(&elsewhere),
        2,
        &["with another --event-setup or --event"],
    );
    let renamed = [&arguments[..], &["--input-name", "other"]].concat();
    assert_told(
        &world.home.run(&renamed),
        2,
        &["with another --input-name, or with none", "--from"],
    );
    let ended = world.home.run(&arguments);
    assert_eq!(documents(&done(&ended).stdout)[0]["sent"], 2);
    let numbers: Vec<_> = world.take(2).iter().map(number).collect();
    assert_eq!(numbers, [4, 5]);
    assert!(!world.home.path("here").exists());

    world.home.write("notes.txt", "mine\n");
    let own = world
        .home
        .run(&["send", "events.jsonl", "--checkpoint", "notes.txt"]);
    assert_told(
        &own,
        1,
        &["cannot use notes.txt as a checkpoint", "move it away"],
    );
    assert_eq!(
        std::fs::read(world.home.path("notes.txt")).expect("read"),
        b"mine\n"
    );
    let pipe = world.home.run(&["send", "--checkpoint", "here"]);
    assert_told(
        &pipe,
        2,
        &["a checkpoint is of no use for what cannot be read again"],
    );
}

#[test]
fn a_file_that_was_written_anew_is_sent_from_its_start() {
    let world = World::with(&["--max-messages", "2"]);
    world.home.write("events.jsonl", lines("yesterday", 3, 1));
    let mut sending = world.home.start(&["send", "events.jsonl"]);
    sending.wait_for_log("local-sqs is full");
    sending.signal("KILL");
    sending.wait();
    world.take(2);
    world.home.write("events.jsonl", lines("today", 2, 1));
    let ended = world.home.run(&["send", "events.jsonl"]);
    assert_eq!(done(&ended).stdout, "2 events sent\n");
    let told = "events.jsonl was changed since an earlier send stopped at its line 3";
    assert!(ended.stderr.contains(told), "{ended:?}");
    assert!(world.take(2).iter().all(|body| body["from"] == "today"));
}

#[test]
fn a_line_sent_again_is_the_same_event_and_one_of_another_file_is_not() {
    let world = World::with(&[]);
    let text = lines("file", 4, 1);
    world.home.write("events.jsonl", &text);
    let ids = |arguments: &[&str], stdin: &str, sent: usize| {
        done(&world.home.run_with(arguments, stdin.as_bytes()));
        world.take(sent).iter().map(id).collect::<Vec<_>>()
    };
    let first = ids(&["send", "events.jsonl"], "", 4);
    assert_eq!(ids(&["send", "./events.jsonl"], "", 4), first);
    assert_eq!(
        ids(&["send", "events.jsonl", "--from", "3"], "", 2),
        first[2..]
    );
    world.home.write("copy.jsonl", &text);
    let mut others = vec![
        ids(&["send", "copy.jsonl"], "", 4),
        ids(
            &["send", "events.jsonl", "--event", "talent_created"],
            "",
            4,
        ),
        ids(&["send", "events.jsonl", "--input-name", "monday"], "", 4),
        ids(&["send"], &text, 4),
        ids(&["send"], &text, 4),
    ];
    let file = File::options()
        .write(true)
        .open(world.home.path("events.jsonl"));
    let file = file.expect("opened");
    let written = file
        .metadata()
        .expect("metadata")
        .modified()
        .expect("a time");
    file.set_modified(written + Duration::from_secs(1))
        .expect("set");
    others.push(ids(&["send", "events.jsonl"], "", 4));
    others.push(first);
    let all: std::collections::BTreeSet<_> = others.iter().flatten().collect();
    assert_eq!(all.len(), others.len() * 4, "{others:?}");
    let monday = ids(&["send", "-", "--input-name", "monday"], &text, 4);
    assert_eq!(monday, others[2], "a name is all that counts");
}
