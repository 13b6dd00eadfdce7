//! A whole world on virtual time: `local-sqs` in process, the real SDK, a ledger in memory, a worker, and a
//! receiver that answers as scripted.

pub(crate) mod faults;
pub(crate) mod ledger;
pub(crate) mod log;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use consumer::post::{NoAnswer, Post, Request, Shortage};
use consumer::{Health, Mode, Settings, Summary, Wiring, Worker};
use delivery::{
    Answer, Authentication, Callback, DEAD_LETTER, DeadLetter, Failure, FailureKind, RetrySchedule,
};
use event::Timestamp;
use local_sqs::{Limits, LocalSqs};
use queue::{Attribute, Clock, Counts, Outgoing, Queue, ReceiveOptions, Received, Sqs};
use rig::network::{Fault, with_faults};
use store::Ledger;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// 2025-02-12T14:30:45.000Z
pub(crate) const START: Timestamp = Timestamp::from_millis(1_739_370_645_000);

/// 2025-01-01, where the time of a seeded SQS starts.
pub(crate) const SQS_START: Timestamp = Timestamp::from_millis(1_735_689_600_000);

/// One request as the receiver saw it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) at: Duration,
    pub(crate) body: String,
    pub(crate) headers: BTreeMap<String, String>,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(&name.to_lowercase()).map(String::as_str)
    }

    pub(crate) fn attempt(&self) -> u32 {
        self.header("X-Hooklane-Attempt").unwrap().parse().unwrap()
    }

    pub(crate) fn group(&self) -> String {
        self.header("X-Hooklane-Group")
            .unwrap_or_default()
            .to_owned()
    }
}

/// What the receiver does with a request.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    Status(u16),
    Refused,
    /// No request leaves: this machine has run out of something.
    Shortage,
    /// Answers only after a while.
    After(Duration, u16),
}

type Script = dyn Fn(&Seen) -> Reply + Send + Sync;

/// The callback's side.
#[derive(Clone)]
pub(crate) struct Receiver {
    seen: watch::Sender<Vec<Seen>>,
    script: Arc<Script>,
    start: Instant,
}

impl Receiver {
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.borrow().clone()
    }

    /// How long this world has lasted.
    pub(crate) fn now(&self) -> Duration {
        self.start.elapsed()
    }

    pub(crate) fn bodies(&self) -> Vec<String> {
        self.seen().into_iter().map(|s| s.body).collect()
    }
}

impl Post for Receiver {
    async fn post(&self, request: Request) -> Result<Answer, NoAnswer> {
        let headers = request
            .headers
            .iter()
            .map(|(n, v)| (n.to_lowercase(), v.clone()));
        let seen = Seen {
            at: self.start.elapsed(),
            body: String::from_utf8(request.body.to_vec()).unwrap(),
            headers: headers.collect(),
        };
        self.seen.send_modify(|all| all.push(seen.clone()));
        let status = match (self.script)(&seen) {
            Reply::Status(status) => status,
            Reply::After(delay, status) => {
                tokio::time::sleep(delay).await;
                status
            }
            Reply::Refused => {
                return Err(NoAnswer::Failed(Failure {
                    kind: FailureKind::Connect,
                    detail: "connection refused".to_owned(),
                }));
            }
            Reply::Shortage => {
                let what = "Too many open files (os error 24)".to_owned();
                return Err(NoAnswer::Shortage(Shortage(what)));
            }
        };
        Ok(Answer {
            status,
            retry_after: None,
            excerpt: format!("status {status}"),
        })
    }
}

pub(crate) struct World {
    pub(crate) source: Queue,
    pub(crate) dead_letters: Queue,
    pub(crate) ledger: Ledger,
    pub(crate) receiver: Receiver,
    pub(crate) clock: Clock,
    pub(crate) settings: Settings,
    sent: Mutex<u64>,
}

impl World {
    /// A FIFO world.
    pub(crate) async fn new(script: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self::of(queue::admin::Kind::Fifo, script).await
    }

    pub(crate) async fn of(
        kind: queue::admin::Kind,
        script: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let local = LocalSqs::new(Limits::default());
        let network = with_faults(local.http_client(), |_| Fault::None);
        Self::on(network, kind, script).await
    }

    pub(crate) async fn on(
        http_client: aws_smithy_runtime_api::client::http::SharedHttpClient,
        kind: queue::admin::Kind,
        script: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let sqs = Sqs::in_process(http_client);
        let pair = queue::admin::create_pair(&sqs, "events", kind)
            .await
            .unwrap();
        let callback = Callback {
            url: Some("https://hooks.example.com/workn".parse().unwrap()),
            events: BTreeMap::new(),
            authentication: Authentication::None,
        };
        Self {
            source: Queue::open(&sqs, &pair.source_url).await.unwrap(),
            dead_letters: Queue::open(&sqs, &pair.dead_letter_url).await.unwrap(),
            ledger: Ledger::in_memory(Duration::from_secs(345_600))
                .await
                .unwrap(),
            receiver: Receiver {
                seen: watch::Sender::new(Vec::new()),
                script: Arc::new(script),
                start: Instant::now(),
            },
            clock: Clock::virtual_from(START),
            settings: Settings {
                callback,
                schedule: RetrySchedule::new(RetrySchedule::avionte()).unwrap(),
                max_in_flight: 16,
                visibility_timeout: Duration::from_secs(120),
                max_bytes_in_flight: 256 * 1024 * 1024,
                shutdown_grace: Duration::from_secs(25),
            },
            sent: Mutex::new(0),
        }
    }

    /// Sends `{"group":…,"n":…}` for each n.
    pub(crate) async fn send(&self, group: &str, numbers: std::ops::RangeInclusive<u32>) {
        for n in numbers {
            self.send_body(group, &format!("{{\"group\":\"{group}\",\"n\":{n}}}"))
                .await;
        }
    }

    pub(crate) async fn send_body(&self, group: &str, body: &str) -> String {
        self.send_with(group, body, &[]).await
    }

    pub(crate) async fn send_with(
        &self,
        group: &str,
        body: &str,
        attributes: &[(&str, &str)],
    ) -> String {
        let fifo = self.source.is_fifo();
        let id = {
            let mut sent = self.sent.lock().unwrap();
            *sent += 1;
            START.plus(Duration::from_millis(*sent)).deduplication_id()
        };
        let outgoing = Outgoing {
            body: body.to_owned(),
            group: fifo.then(|| group.to_owned()),
            deduplication_id: fifo.then_some(id),
            attributes: attributes
                .iter()
                .map(|(n, v)| ((*n).to_owned(), Attribute::string(*v)))
                .collect(),
        };
        let mut answers = self.source.send_batch(&[outgoing]).await.unwrap();
        answers.pop().unwrap().unwrap().message_id
    }

    /// Somebody else receives whatever is visible, so many times, and does nothing with it.
    pub(crate) async fn others_receive(&self, times: u32) {
        let options = ReceiveOptions {
            max: 10,
            wait: Duration::ZERO,
            visibility: Duration::ZERO,
        };
        for _ in 0..times {
            assert!(!self.source.receive(options).await.unwrap().is_empty());
        }
    }

    pub(crate) fn wiring(&self) -> Wiring<Receiver> {
        Wiring {
            source: self.source.clone(),
            dead_letters: self.dead_letters.clone(),
            ledger: self.ledger.clone(),
            post: self.receiver.clone(),
            clock: self.clock.clone(),
        }
    }

    pub(crate) fn worker(&self) -> Worker<Receiver> {
        Worker::new(self.settings.clone(), self.wiring())
    }

    /// Runs a worker until everything is settled.
    pub(crate) async fn drain(&self) -> Summary {
        self.worker()
            .run(Mode::Drain, CancellationToken::new())
            .await
    }

    /// Starts a worker that runs until its token is cancelled.
    pub(crate) fn start(&self) -> Running {
        let worker = self.worker();
        let health = worker.health();
        let stop = CancellationToken::new();
        let task = tokio::spawn(worker.run(Mode::Serve, stop.clone()));
        Running { health, stop, task }
    }

    /// Waits until the receiver has seen so many requests: a day of virtual time at most, so that a test fails that
    /// would wait without end.
    pub(crate) async fn until_seen(&self, requests: usize) {
        let mut seen = self.receiver.seen.subscribe();
        let enough = seen.wait_for(|all| all.len() >= requests);
        let day = Duration::from_secs(24 * 3600);
        let came = tokio::time::timeout(day, enough).await.is_ok();
        assert!(
            came,
            "{} of {requests} requests",
            self.receiver.seen().len()
        );
    }

    /// Takes everything out of the internal queue.
    pub(crate) async fn dead(&self) -> Vec<(Received, DeadLetter)> {
        let options = ReceiveOptions {
            max: 10,
            wait: Duration::from_secs(1),
            visibility: Duration::from_secs(600),
        };
        let mut letters = Vec::new();
        loop {
            let batch = self.dead_letters.receive(options).await.unwrap();
            if batch.is_empty() {
                return letters;
            }
            for message in batch {
                let record =
                    DeadLetter::parse(message.text_attribute(DEAD_LETTER).unwrap()).unwrap();
                letters.push((message, record));
            }
        }
    }

    pub(crate) async fn counts(&self) -> Counts {
        self.source.counts().await.unwrap()
    }
}

pub(crate) struct Running {
    pub(crate) health: Health,
    pub(crate) stop: CancellationToken,
    pub(crate) task: JoinHandle<Summary>,
}

impl Running {
    pub(crate) async fn stop(self) -> Summary {
        self.stop.cancel();
        self.task.await.unwrap()
    }
}

/// `n` of the body.
pub(crate) fn number(seen: &Seen) -> u32 {
    n_of(seen.body.as_bytes())
}

/// `n` of a body.
pub(crate) fn n_of(body: &[u8]) -> u32 {
    let body: serde_json::Value = serde_json::from_slice(body).unwrap();
    body["n"].as_u64().unwrap() as u32
}

/// Whether two moments are the same but for the milliseconds of the machinery between them.
pub(crate) fn about(at: Duration, expected_s: u64) -> bool {
    let expected = Duration::from_secs(expected_s);
    at >= expected && at < expected + Duration::from_secs(2)
}
