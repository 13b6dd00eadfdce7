//! An internal queue on virtual time: `local-sqs` in process, the real SDK.

#![allow(dead_code, reason = "each test file uses its part of the world")]

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use delivery::{
    Answer, Attempt, DEAD_LETTER, DeadLetter, Death, Origin, Reason, dead_letter_group,
};
use event::Timestamp;
use local_sqs::{Limits, LocalSqs};
use queue::admin::{Kind, create_pair};
use queue::{Attribute, Counts, Outgoing, Queue, Sqs};

pub(crate) const START: Timestamp = Timestamp::from_millis(1_739_370_645_000);

pub(crate) struct World {
    pub(crate) source: Queue,
    pub(crate) dead: Queue,
    local: LocalSqs,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::of(Kind::Fifo).await
    }

    pub(crate) async fn of(kind: Kind) -> Self {
        let local = LocalSqs::seeded(Limits::default(), 7);
        let sqs = Sqs::in_process(local.http_client());
        let pair = create_pair(&sqs, "events", kind).await.unwrap();
        Self {
            source: Queue::open(&sqs, &pair.source_url).await.unwrap(),
            dead: Queue::open(&sqs, &pair.dead_letter_url).await.unwrap(),
            local,
        }
    }

    /// The internal queue through a connection whose calls of `action` break after the first `good` ones.
    pub(crate) async fn breaking(&self, action: &'static str, good: u32) -> Queue {
        self.breaking_way_to(&self.dead, action, good).await
    }

    /// The same for the source queue.
    pub(crate) async fn breaking_source(&self, action: &'static str, good: u32) -> Queue {
        self.breaking_way_to(&self.source, action, good).await
    }

    async fn breaking_way_to(&self, queue: &Queue, action: &'static str, good: u32) -> Queue {
        let broken = Broken {
            action,
            calls: good..u32::MAX,
            answers_only: false,
        };
        self.broken_way_to(queue, broken).await
    }

    /// The internal queue through a connection on which calls of `action` are not answered, after the first.
    pub(crate) async fn silent(&self, action: &'static str) -> Queue {
        let broken = Broken {
            action,
            calls: 1..u32::MAX,
            answers_only: false,
        };
        self.way_to(&self.dead, broken, true).await
    }

    /// The queue through a connection of which these calls break.
    pub(crate) async fn broken_way_to(&self, queue: &Queue, broken: Broken) -> Queue {
        self.way_to(queue, broken, false).await
    }

    async fn way_to(&self, queue: &Queue, broken: Broken, silent: bool) -> Queue {
        let breaking = Breaking {
            inner: self.local.http_client(),
            broken,
            silent,
            calls: Arc::default(),
        };
        let sqs = Sqs::in_process(SharedHttpClient::new(breaking));
        Queue::open(&sqs, queue.url()).await.unwrap()
    }

    pub(crate) async fn counts(&self) -> Counts {
        self.dead.counts().await.unwrap()
    }

    pub(crate) async fn send(&self, messages: Vec<Outgoing>) {
        for batch in messages.chunks(10) {
            for sent in self.dead.send_batch(batch).await.unwrap() {
                sent.unwrap();
            }
        }
    }

    /// Dead letters of one event setup as the worker writes them, the last one to die first.
    pub(crate) async fn send_dead_events(&self, count: u32) {
        let letters = (0..count)
            .rev()
            .map(|n| letter(&record(n), &format!(r#"{{"msg_id":"e-{n}"}}"#)));
        self.send(letters.collect()).await;
    }
}

pub(crate) fn record(n: u32) -> DeadLetter {
    let at = START.plus(Duration::from_secs(n.into()));
    let outcome = Ok(Answer {
        status: 500,
        retry_after: None,
        excerpt: "no".to_owned(),
    });
    let attempts = (1..=4).map(|n| Attempt::new(0, n, at, Duration::from_millis(8), &outcome));
    let death = Death {
        reason: Reason::Exhausted,
        detail: None,
        dead_at: at,
        callback: Some("https://hooks.example.com/workn".to_owned()),
    };
    let origin = Origin {
        message_id: format!("origin-{n}"),
        sequence_number: Some(format!("{n:020}")),
        deduplication_id: Some(START.deduplication_id()),
        group: Some("EventSetup_7".to_owned()),
        sent_at: START,
    };
    DeadLetter::new(
        "https://sqs/events.fifo",
        death,
        origin,
        None,
        attempts.collect(),
    )
}

pub(crate) fn letter(record: &DeadLetter, body: &str) -> Outgoing {
    let json = record.to_json_within(10_000).unwrap();
    let origin = &record.origin;
    Outgoing {
        group: Some(dead_letter_group(
            origin.group.as_deref(),
            &origin.message_id,
        )),
        deduplication_id: Some(origin.message_id.clone()),
        attributes: BTreeMap::from([
            (DEAD_LETTER.to_owned(), Attribute::string(json)),
            ("event".to_owned(), Attribute::string("talent_created")),
        ]),
        body: body.to_owned(),
    }
}

/// A letter as the native redrive leaves it: without a record, in the group of its event.
pub(crate) fn native(group: &str, n: u32) -> Outgoing {
    Outgoing {
        body: format!(r#"{{"msg_id":"n-{n}"}}"#),
        group: Some(group.to_owned()),
        deduplication_id: Some(format!("{group}-{n}")),
        attributes: BTreeMap::new(),
    }
}

/// Calls that break, the SDK's own retries counted.
#[derive(Debug, Clone)]
pub(crate) struct Broken {
    pub(crate) action: &'static str,
    /// Which of the calls of this action, counted from 0.
    pub(crate) calls: Range<u32>,
    /// Whether they have their effect, and only the answer is lost.
    pub(crate) answers_only: bool,
}

#[derive(Debug, Clone)]
struct Breaking {
    inner: SharedHttpClient,
    broken: Broken,
    /// Whether broken calls wait for ever.
    silent: bool,
    calls: Arc<AtomicU32>,
}

impl HttpClient for Breaking {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(BreakingConnector {
            inner: self.inner.http_connector(settings, components),
            breaking: self.clone(),
        })
    }
}

#[derive(Debug)]
struct BreakingConnector {
    inner: SharedHttpConnector,
    breaking: Breaking,
}

impl HttpConnector for BreakingConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let Breaking {
            broken,
            silent,
            calls,
            ..
        } = &self.breaking;
        if !target.ends_with(broken.action)
            || !broken
                .calls
                .contains(&calls.fetch_add(1, Ordering::Relaxed))
        {
            return self.inner.call(request);
        }
        if *silent {
            return HttpConnectorFuture::new(std::future::pending());
        }
        let answer = broken.answers_only.then(|| self.inner.call(request));
        HttpConnectorFuture::new(async {
            if let Some(answer) = answer {
                let _ = answer.await;
            }
            Err(ConnectorError::io("connection reset".into()))
        })
    }
}
