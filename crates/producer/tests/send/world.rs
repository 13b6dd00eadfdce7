//! A queue on `local-sqs`, with faults in between, and what was asked of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use event::Timestamp;
use local_sqs::{Limits, LocalSqs};
use producer::{Progress, SendOptions, SendReport};
use queue::admin::{Kind, create_pair};
use queue::{Clock, Queue, ReceiveOptions, Received, Sqs};
use rig::network::{Call, Fault, of_a_process};
use serde_json::Value;
use tokio::io::AsyncBufRead;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// One entry as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) n: u64,
    pub(crate) group: String,
    pub(crate) deduplication_id: String,
    pub(crate) at: Duration,
}

type Script = Box<dyn FnMut(&[Asked]) -> Fault + Send>;

#[derive(Clone)]
pub(crate) struct World {
    pub(crate) queue: Queue,
    sqs: Sqs,
    wire: Wire,
}

#[derive(Clone)]
struct Wire(Arc<WireState>);

struct WireState {
    inner: LocalSqs,
    start: Instant,
    script: Mutex<Script>,
    calls: Mutex<Vec<Vec<Asked>>>,
    in_flight: Mutex<InFlight>,
    /// Producers that send at the same time.
    processes: Mutex<usize>,
}

#[derive(Default)]
struct InFlight {
    groups: BTreeMap<String, usize>,
    calls: usize,
    most_calls: usize,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Limits::default(), Kind::Fifo).await
    }

    pub(crate) async fn with(limits: Limits, kind: Kind) -> Self {
        let wire = Wire(Arc::new(WireState {
            inner: LocalSqs::new(limits),
            start: Instant::now(),
            script: Mutex::new(Box::new(|_| Fault::None)),
            calls: Mutex::default(),
            in_flight: Mutex::default(),
            processes: Mutex::new(1),
        }));
        let (asked, over) = (wire.clone(), wire.clone());
        let network = of_a_process(
            wire.0.inner.http_client(),
            move |call| asked.fault(call),
            move |call| over.leave(call),
        );
        let sqs = Sqs::in_process(network);
        let pair = create_pair(&sqs, "events", kind).await.unwrap();
        let queue = Queue::open(&sqs, &pair.source_url).await.unwrap();
        Self { queue, sqs, wire }
    }

    /// Another queue of the same SQS, made by hand.
    pub(crate) async fn open(&self, url: &str) -> Self {
        let queue = Queue::open(&self.sqs, url).await.unwrap();
        Self {
            queue,
            ..self.clone()
        }
    }

    pub(crate) fn client(&self) -> aws_sdk_sqs::Client {
        let config = aws_sdk_sqs::Config::builder()
            .behavior_version(aws_sdk_sqs::config::BehaviorVersion::latest())
            .region(aws_sdk_sqs::config::Region::new("us-east-1"))
            .allow_no_auth()
            .endpoint_url("http://local-sqs")
            .http_client(self.wire.0.inner.http_client())
            .build();
        aws_sdk_sqs::Client::from_conf(config)
    }

    pub(crate) fn script(&self, script: impl FnMut(&[Asked]) -> Fault + Send + 'static) {
        *self.wire.0.script.lock().unwrap() = Box::new(script);
    }

    /// Says how many producers send at the same time.
    pub(crate) fn shared_by(&self, processes: usize) {
        *self.wire.0.processes.lock().unwrap() = processes;
    }

    /// Every batch that was asked for, attempts of the SDK included.
    pub(crate) fn calls(&self) -> Vec<Vec<Asked>> {
        self.wire.0.calls.lock().unwrap().clone()
    }

    /// Every time the event of this number was asked for.
    pub(crate) fn asked(&self, n: u64) -> Vec<Asked> {
        let calls = self.calls().into_iter().flatten();
        calls.filter(|asked| asked.n == n).collect()
    }

    pub(crate) fn most_calls_in_flight(&self) -> usize {
        self.wire.0.in_flight.lock().unwrap().most_calls
    }

    pub(crate) async fn send(&self, input: &str) -> SendReport {
        self.send_with(input.as_bytes(), &SendOptions::default(), |_| {})
            .await
    }

    pub(crate) async fn send_with(
        &self,
        input: impl AsyncBufRead + Unpin,
        options: &SendOptions,
        progress: impl FnMut(Progress<'_>),
    ) -> SendReport {
        self.send_until(input, options, progress, CancellationToken::new())
            .await
    }

    pub(crate) async fn send_until(
        &self,
        input: impl AsyncBufRead + Unpin,
        options: &SendOptions,
        progress: impl FnMut(Progress<'_>),
        stop: CancellationToken,
    ) -> SendReport {
        let clock = self.clock();
        let report = producer::send(&self.queue, input, options, clock, progress, stop).await;
        report.unwrap()
    }

    /// A wall clock that moves with tokio's.
    pub(crate) fn clock(&self) -> Clock {
        let now = 1_739_370_645_000 + self.wire.0.start.elapsed().as_millis() as u64;
        Clock::virtual_from(Timestamp::from_millis(now))
    }

    /// Takes everything out of the queue.
    pub(crate) async fn take_all(&self) -> Vec<Received> {
        let options = ReceiveOptions {
            max: 10,
            wait: Duration::ZERO,
            visibility: Duration::from_secs(60),
        };
        let mut all = Vec::new();
        loop {
            let received = self.queue.receive(options).await.unwrap();
            if received.is_empty() {
                return all;
            }
            let handles: Vec<_> = received.iter().map(|m| m.receipt_handle.as_str()).collect();
            for deleted in self.queue.delete_batch(&handles).await.unwrap() {
                deleted.unwrap();
            }
            all.extend(received);
        }
    }

    /// The numbers of the events in the queue, by group, in order; takes them out.
    pub(crate) async fn take_numbers(&self, group: &str) -> Vec<u64> {
        let all = self.take_all().await;
        numbers(&all, group)
    }
}

/// The numbers of those of a group.
pub(crate) fn numbers(messages: &[Received], group: &str) -> Vec<u64> {
    let of_group = messages
        .iter()
        .filter(|m| m.group.as_deref() == Some(group));
    of_group.map(|m| body(m)["n"].as_u64().unwrap()).collect()
}

pub(crate) fn body(message: &Received) -> Value {
    serde_json::from_slice(&message.body).unwrap()
}

/// Lines `{"n":<line>,"MessageGroupId":"EventSetup_<setup>"}`.
pub(crate) fn lines(setups: impl IntoIterator<Item = u64>) -> String {
    let lines = (1..).zip(setups);
    lines.map(|(n, setup)| line(n, setup)).collect()
}

pub(crate) fn line(n: u64, setup: u64) -> String {
    format!("{{\"n\":{n},\"MessageGroupId\":\"EventSetup_{setup}\"}}\n")
}

impl Wire {
    /// What happens to a call: only batches meet faults.
    fn fault(&self, call: &Call) -> Fault {
        if !is_send(call) {
            return Fault::None;
        }
        let asked = self.read(call);
        self.0.calls.lock().unwrap().push(asked.clone());
        let fault = (self.0.script.lock().unwrap())(&asked);
        self.enter(&asked);
        fault
    }

    fn read(&self, call: &Call) -> Vec<Asked> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let read = |entry: &Value| {
            let event: Value =
                serde_json::from_str(entry["MessageBody"].as_str().unwrap()).unwrap();
            Asked {
                n: event["n"].as_u64().unwrap_or_default(),
                group: text(&entry["MessageGroupId"]),
                deduplication_id: text(&entry["MessageDeduplicationId"]),
                at: self.0.start.elapsed(),
            }
        };
        call.entries().iter().map(read).collect()
    }

    fn enter(&self, asked: &[Asked]) {
        let mut in_flight = self.0.in_flight.lock().unwrap();
        in_flight.calls += 1;
        in_flight.most_calls = in_flight.most_calls.max(in_flight.calls);
        for entry in asked.iter().filter(|entry| !entry.group.is_empty()) {
            let sends = in_flight.groups.entry(entry.group.clone()).or_default();
            *sends += 1;
            let most = *self.0.processes.lock().unwrap();
            assert!(*sends <= most, "{sends} sends of {} in flight", entry.group);
        }
    }

    fn leave(&self, call: &Call) {
        if !is_send(call) {
            return;
        }
        let mut in_flight = self.0.in_flight.lock().unwrap();
        in_flight.calls -= 1;
        for entry in self.read(call) {
            if let Some(sends) = in_flight.groups.get_mut(&entry.group) {
                *sends -= 1;
            }
        }
    }
}

fn is_send(call: &Call) -> bool {
    call.action == "SendMessageBatch"
}
