//! Producers alone: several at the same time in shares of their own, killed at any await and run again from their
//! checkpoints, over an SQS whose calls fail, come late or get no answer. No workers: what lies in the queue at the end
//! is what the producers did.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use event::Share;
use local_sqs::{Limits, LocalSqs};
use producer::{Bound, Checkpoint, InputName, Saved, SendOptions, SendReport};
use queue::admin::{Kind, create_pair};
use queue::{Clock, Queue, ReceiveOptions, Sqs};
use serde_json::Value;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::dice::Dice;
use crate::history::START;
use crate::log::{Caller, Log};
use crate::network::Network;
use crate::plan::{Counts, SqsFaults};
use crate::told::Told;
use crate::wires::Wires;

/// A producer is killed so often at most; the next one comes to its end.
const DEATHS: u32 = 6;

/// What came of a history of producers.
#[derive(Debug, Default)]
pub struct ProducersReport {
    /// What should not be.
    pub found: Vec<String>,
    /// How many events lay in the queue.
    pub events: usize,
    /// How often a producer was killed.
    pub deaths: u32,
}

/// Lives the history of a seed.
pub fn check_producers(seed: u64) -> ProducersReport {
    fastrand::seed(seed);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(run(seed))
}

async fn run(seed: u64) -> ProducersReport {
    let dice = Dice::new(seed);
    let local = LocalSqs::seeded(Limits::default(), seed);
    let sqs = Sqs::in_process(local.http_client());
    let pair = create_pair(&sqs, "events", Kind::Fifo).await;
    let url = pair.expect("queues").source_url;
    let network = Network {
        to: local.http_client(),
        caller: Caller::Producer,
        wires: Wires::new(None, None),
        faults: Arc::new(faults(&dice)),
        trouble: Arc::new(AtomicBool::new(true)),
        dice: dice.fork(),
        log: Log::new(),
        counts: Told::new(Counts::default(), Dice::new(0)),
    };
    let (clock, senders) = (Clock::virtual_from(START), dice.within(1..=3));
    let mut taken = Vec::new();
    let running = TaskTracker::new();
    let mut lives = Vec::new();
    for number in 0..senders {
        let share = Share::draw(dice.within(0..=99), &taken).expect("a free lane");
        taken.push(share);
        let producer = Producer {
            number,
            share,
            lines: lines(number, &dice),
            url: url.clone(),
            network: network.clone(),
            clock: clock.clone(),
            dice: dice.fork(),
        };
        lives.push((
            producer.lines.lines().count(),
            running.spawn(producer.live()),
        ));
    }
    let mut report = ProducersReport::default();
    let mut expected = Vec::new();
    for (lines, life) in lives {
        let (deaths, last) = life.await.expect("a producer does not panic");
        report.deaths += deaths;
        expected.push(lines);
        if !last.is_complete() {
            report.found.push(format!("could not send all: {last:?}"));
        }
    }
    // Calls that were on the wire when their producer died have had their effect by then.
    sleep(Duration::from_secs(60)).await;
    let source = Queue::open(&sqs, &url).await.expect("a queue");
    let queued = take_all(&source).await;
    report.events = queued.len();
    report.found.extend(judge(&queued, &expected));
    report
}

fn faults(dice: &Dice) -> SqsFaults {
    let rate = |most| {
        if dice.percent(50) {
            dice.within(0..=most)
        } else {
            0
        }
    };
    SqsFaults {
        request_lost: rate(8),
        answer_lost: rate(8),
        delayed: rate(5),
        throttled: rate(5),
        unavailable: rate(5),
        partial: rate(10),
        silent: rate(2),
        late: rate(3),
        latency_ms: dice.one_of(&[0, 3, 40]),
        ..SqsFaults::default()
    }
}

/// Lines without a `msg_id`, some of them alike but for their place.
fn lines(sender: u64, dice: &Dice) -> String {
    let groups = dice.within(1..=4);
    let line = |n| {
        let group = dice.within(1..=groups);
        format!("{{\"sender\":{sender},\"n\":{n},\"MessageGroupId\":\"EventSetup_{group}\"}}\n")
    };
    (0..dice.within(1..=60)).map(line).collect()
}

struct Producer {
    number: u64,
    share: Share,
    lines: String,
    url: String,
    network: Network,
    clock: Clock,
    dice: Dice,
}

impl Producer {
    /// Its lives, one after the other, until one comes to its end; says how many were killed.
    async fn live(self) -> (u32, SendReport) {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("checkpoint");
        let mut deaths = 0;
        loop {
            let is_mortal = deaths < DEATHS && self.dice.percent(80);
            let crossing = is_mortal.then(|| self.dice.within(1..=60) as u32);
            match self.life(&path, crossing).await {
                Some(report) => return (deaths, report),
                None => deaths += 1,
            }
            let pause = self.dice.one_of(&[0, 3, 1_000, 20_000]);
            sleep(Duration::from_millis(pause)).await;
        }
    }

    /// One life; no report if it was killed.
    async fn life(&self, path: &Path, crossing: Option<u32>) -> Option<SendReport> {
        let wires = Wires::new(crossing, None);
        let network = Network {
            wires: wires.clone(),
            ..self.network.clone()
        };
        let sqs = Sqs::in_process(network.client());
        let queue = loop {
            match Queue::open(&sqs, &self.url).await {
                Ok(queue) => break queue,
                Err(_) => sleep(Duration::from_secs(1)).await,
            }
        };
        wires.arm();
        let options = SendOptions {
            share: self.share,
            input: Some(InputName::new(&self.number.to_string())),
            ..SendOptions::default()
        };
        let mut checkpoint = self.checkpoint(path);
        let sending = producer::send_checkpointed(
            &queue,
            self.lines.as_bytes(),
            &options,
            Some(&mut checkpoint),
            self.clock.clone(),
            |_| {},
            CancellationToken::new(),
        );
        tokio::select! {
            biased;
            () = wires.until_cut() => None,
            report = sending => Some(report.expect("usable options")),
        }
    }

    fn checkpoint(&self, path: &Path) -> Checkpoint {
        match Saved::open(path).expect("readable") {
            Some(saved) => saved.go_on().expect("writable"),
            None => {
                let bound = Bound {
                    queue: self.url.clone(),
                    event_setup: None,
                    event: None,
                    input: self.number.to_string(),
                    size: self.lines.len() as u64,
                    modified_ns: 0,
                };
                Checkpoint::begin(path, &bound, 1).expect("writable")
            }
        }
    }
}

async fn take_all(source: &Queue) -> Vec<Value> {
    let options = ReceiveOptions {
        max: 10,
        wait: Duration::ZERO,
        visibility: Duration::from_secs(60),
    };
    let mut all = Vec::new();
    loop {
        let received = source.receive(options).await.expect("received");
        if received.is_empty() {
            return all;
        }
        let handles: Vec<_> = received.iter().map(|m| m.receipt_handle.as_str()).collect();
        source.delete_batch(&handles).await.expect("deleted");
        let read = |m: &queue::Received| serde_json::from_slice(&m.body).expect("JSON");
        all.extend(received.iter().map(read));
    }
}

/// Every line once, each sender's in their order within a group, no id twice.
fn judge(queued: &[Value], expected: &[usize]) -> Vec<String> {
    let mut found = Vec::new();
    let mut newest = BTreeMap::new();
    let (mut seen, mut ids) = (BTreeSet::new(), BTreeSet::new());
    for event in queued {
        let (sender, n) = (event["sender"].as_u64(), event["n"].as_u64());
        let place = (sender, event["MessageGroupId"].to_string());
        if !seen.insert((sender, n)) {
            found.push(format!("twice: {event}"));
        } else if !ids.insert(event["msg_id"].to_string()) {
            found.push(format!("under the id of another: {event}"));
        }
        if newest.insert(place, n).is_some_and(|newest| newest > n) {
            found.push(format!("overtaken: {event}"));
        }
    }
    for (sender, lines) in (0..).zip(expected) {
        for n in 0..*lines as u64 {
            if !seen.contains(&(Some(sender), Some(n))) {
                found.push(format!("lost: line {n} of sender {sender}"));
            }
        }
    }
    found
}
