//! The stage: everything that takes part, wired as `local-sqs`, `send`, `work` and `dlq` wire it.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::ops::ControlFlow;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use consumer::post::{EndpointPolicy, HttpPost};
use consumer::{Mode, Settings, Wiring, Worker};
use delivery::{Authentication, Callback, RetrySchedule, ScheduleSettings, Secret, SignatureMode};
use futures_util::future::try_join_all;
use letters::ScanOptions;
use local_sqs::{Limits, LocalSqs};
use producer::SendOptions;
use queue::admin::{Kind, create_pair};
use queue::{Clock, Queue, Sqs};
use store::Ledger;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::observations::{Letter, Observations, Sent};
use super::receivers::{Receivers, Seen};
use super::scenario::{RECEIVERS, Receiver, UPSTREAM};
use super::upstream;
use crate::exit::Usage;

/// What the requests are signed with. Nothing outside of this process ever needs it.
const SECRET: &str = "the secret of the demo";

/// POSTs at the same time: more than there are event setups, so that no group waits for another one.
const MAX_BYTES_IN_FLIGHT: usize = 64 * 1024 * 1024;
const MAX_IN_FLIGHT: usize = 64;

/// How long the attempts in flight may take when the demo is told to stop.
const GRACE: Duration = Duration::from_secs(5);

/// Everything that takes part. What listens is gone when this is dropped.
pub(super) struct Stage {
    source: Queue,
    dead_letters: Queue,
    receivers: Receivers,
    schedule: ScheduleSettings,
    /// Events sent so far, by sender: one for each receiver of our producer's, and the upstream system.
    sent: [Cell<u64>; RECEIVERS.len() + 1],
    _local_sqs: AbortOnDropHandle<()>,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Snapshot {
    pub(super) sent: u64,
    pub(super) seen: Seen,
    pub(super) dead_letters: u64,
}

impl Stage {
    /// Makes the queues, opens the receivers and puts the worker together. The wait before the third attempt
    /// is `minute`.
    pub(super) async fn set(minute: Duration) -> anyhow::Result<(Self, Worker<HttpPost>)> {
        let schedule = ScheduleSettings {
            delays: vec![Duration::ZERO, minute, Duration::ZERO],
            ..RetrySchedule::avionte()
        };
        RetrySchedule::new(schedule.clone()).map_err(|why| Usage(format!("--minute: {why}")))?;
        let (endpoint, local_sqs) = local_sqs().await?;
        let sqs = Sqs::at(&endpoint);
        let pair = create_pair(&sqs, "demo", Kind::Fifo).await?;
        let stage = Self {
            source: Queue::open(&sqs, &pair.source_url).await?,
            dead_letters: Queue::open(&sqs, &pair.dead_letter_url).await?,
            receivers: Receivers::open(Secret::new(SECRET)).await?,
            schedule,
            sent: Default::default(),
            _local_sqs: local_sqs,
        };
        let worker = stage.worker().await?;
        Ok((stage, worker))
    }

    /// Sends and delivers everything, or as much as there is time for until `stop`. Says what was sent.
    pub(super) async fn play(
        &self,
        worker: Worker<HttpPost>,
        stop: &CancellationToken,
    ) -> anyhow::Result<Vec<Sent>> {
        let produced = RECEIVERS
            .iter()
            .zip(&self.sent)
            .map(|(receiver, count)| self.produce(receiver, count, stop));
        let upstream = upstream::send(&self.source, |n| self.sent[RECEIVERS.len()].set(n));
        let (produced, upstream, _) = tokio::join!(
            try_join_all(produced),
            upstream,
            worker.run(Mode::Drain, stop.clone())
        );
        let mut sent = produced?.concat();
        sent.extend(upstream?);
        Ok(sent)
    }

    /// Sends the events of one receiver, as `hooklane send` does.
    async fn produce(
        &self,
        receiver: &Receiver,
        count: &Cell<u64>,
        stop: &CancellationToken,
    ) -> anyhow::Result<Vec<Sent>> {
        let planned = receiver.planned();
        let lines: String = planned.iter().map(|p| format!("{}\n", p.body)).collect();
        let options = SendOptions {
            event_name: Some(receiver.event.to_owned()),
            ..SendOptions::default()
        };
        let report = producer::send(
            &self.source,
            lines.as_bytes(),
            &options,
            Clock::system(),
            |progress| count.set(progress.sent),
            stop.clone(),
        )
        .await?;
        ensure!(
            report.is_complete() || stop.is_cancelled(),
            "the producer sent {} of {} events: {}",
            report.sent,
            planned.len(),
            report
                .stopped
                .map_or("the others were refused".to_owned(), |why| why.to_string())
        );
        let sent = planned.into_iter().map(|planned| Sent {
            id: planned.id,
            group: planned.group,
            part: planned.part,
        });
        Ok(sent.collect())
    }

    async fn worker(&self) -> anyhow::Result<Worker<HttpPost>> {
        let post = HttpPost::new(EndpointPolicy {
            allow_http: true,
            allow_networks: vec!["127.0.0.0/8".parse().context("loopback")?],
            ..EndpointPolicy::default()
        })?;
        let retention = Duration::from_secs(self.source.attributes().retention_s);
        let settings = Settings {
            callback: self.callback()?,
            schedule: RetrySchedule::new(self.schedule.clone())?,
            max_in_flight: MAX_IN_FLIGHT,
            max_bytes_in_flight: MAX_BYTES_IN_FLIGHT,
            visibility_timeout: Duration::from_secs(120),
            shutdown_grace: GRACE,
        };
        let wiring = Wiring {
            source: self.source.clone(),
            dead_letters: self.dead_letters.clone(),
            ledger: Ledger::in_memory(retention).await?,
            post,
            clock: Clock::system(),
        };
        Ok(Worker::new(settings, wiring))
    }

    /// A separate URL for each event name.
    fn callback(&self) -> anyhow::Result<Callback> {
        let mut events = BTreeMap::new();
        for receiver in RECEIVERS.iter().chain([&UPSTREAM]) {
            events.insert(receiver.event.to_owned(), self.receivers.url(receiver)?);
        }
        let secrets = vec![Secret::new(SECRET)];
        Ok(Callback {
            url: None,
            events,
            authentication: Authentication::signed(SignatureMode::HmacSha256Hex, secrets)?,
        })
    }

    /// How far it is now.
    pub(super) async fn snapshot(&self) -> Snapshot {
        let dead_letters = self.dead_letters.counts().await.unwrap_or_default();
        Snapshot {
            sent: self.sent.iter().map(Cell::get).sum(),
            seen: self.receivers.seen(),
            dead_letters: dead_letters.total(),
        }
    }

    /// Collects what the receivers wrote down and what the queues hold.
    pub(super) async fn observe(&self, sent: Vec<Sent>) -> anyhow::Result<Observations> {
        Ok(Observations {
            sent,
            requests: self.receivers.requests(),
            letters: letters(&self.dead_letters).await?,
            left: self.source.counts().await?.total(),
            waits: self.schedule.delays.clone(),
        })
    }
}

/// Serves a local SQS on a socket of its own; gives its endpoint.
async fn local_sqs() -> anyhow::Result<(String, AbortOnDropHandle<()>)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    let listener = listener.context("no socket on 127.0.0.1 for the local queue")?;
    let endpoint = format!("http://{}", listener.local_addr()?);
    let serving = tokio::spawn(async move {
        // It ends with the demo.
        let _ = LocalSqs::new(Limits::default())
            .serve(listener, CancellationToken::new())
            .await;
    });
    Ok((endpoint, AbortOnDropHandle::new(serving)))
}

/// Reads the internal queue, as `hooklane dlq ls` does.
async fn letters(queue: &Queue) -> anyhow::Result<Vec<Letter>> {
    let options = ScanOptions {
        // Nobody sends to it any more.
        wait: Duration::ZERO,
        ..ScanOptions::default()
    };
    let mut letters = Vec::new();
    let look = |letter| {
        letters.push(read(&letter));
        ControlFlow::Continue(())
    };
    letters::scan(queue, options, &CancellationToken::new(), look).await?;
    Ok(letters)
}

fn read(letter: &letters::Letter) -> Letter {
    let detail = match &letter.fate {
        letters::Fate::Recorded(record) => record.detail.clone(),
        _ => letter.problem().map(str::to_owned),
    };
    Letter {
        id: letter.msg_id().unwrap_or_else(|| letter.id().to_owned()),
        reason: letter.reason(),
        detail,
        attempts: letter.attempts().to_vec(),
    }
}
