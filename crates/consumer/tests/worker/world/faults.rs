//! A network between the SDK and `local-sqs` that does what a test says to single calls.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use local_sqs::{Limits, LocalSqs};
use queue::admin::Kind;

use queue::Clock;

use super::{Reply, SQS_START, Seen, World};

/// One call on its way to SQS.
pub(crate) struct Call {
    pub(crate) action: String,
    pub(crate) body: String,
}

impl Call {
    /// Whether the call goes to the internal queue.
    pub(crate) fn is_to_the_internal_queue(&self) -> bool {
        self.body.contains("events-internal.fifo")
    }

    /// What a batch is about.
    pub(crate) fn entries(&self) -> Vec<serde_json::Value> {
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap();
        body["Entries"].as_array().cloned().unwrap_or_default()
    }

    fn refused(&self, code: &str) -> String {
        let refuse = |entry: &serde_json::Value| serde_json::json!({"Id": entry["Id"], "Code": code, "Message": "no", "SenderFault": true});
        let failed: Vec<_> = self.entries().iter().map(refuse).collect();
        serde_json::json!({"Failed": failed}).to_string()
    }
}

/// What happens to a call.
pub(crate) enum Fault {
    /// Nothing: it passes.
    None,
    /// SQS answers 503 and does nothing.
    Unavailable,
    /// SQS does it, and the answer is lost.
    AnswerLost,
    /// SQS does it, after so long.
    Slow(Duration),
    /// SQS does it at once, and the answer comes after so long.
    AnswerLate(Duration),
    /// No answer ever comes.
    Silence,
    /// SQS does nothing and answers this.
    Answer(u16, &'static str),
    /// SQS refuses every entry of a batch, with this code.
    Refused(&'static str),
    /// SQS is asked this instead.
    Asks(String),
}

type Decide = dyn Fn(&Call) -> Fault + Send + Sync;

#[derive(Clone)]
struct Network {
    inner: SharedHttpClient,
    decide: Arc<Decide>,
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Network")
    }
}

/// Puts a network with faults before `inner`.
pub(crate) fn with_faults(
    inner: SharedHttpClient,
    decide: impl Fn(&Call) -> Fault + Send + Sync + 'static,
) -> SharedHttpClient {
    SharedHttpClient::new(Network {
        inner,
        decide: Arc::new(decide),
    })
}

impl HttpClient for Network {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Line {
            inner: self.inner.http_connector(settings, components),
            decide: self.decide.clone(),
        })
    }
}

#[derive(Clone)]
struct Line {
    inner: SharedHttpConnector,
    decide: Arc<Decide>,
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Line")
    }
}

impl HttpConnector for Line {
    fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let call = Call {
            action: target.rsplit('.').next().unwrap_or_default().to_owned(),
            body: String::from_utf8_lossy(request.body().bytes().unwrap_or_default()).into_owned(),
        };
        let fault = (self.decide)(&call);
        let answer = self.inner.clone();
        // Whoever gives up on a call does not undo it: SQS does what has reached it.
        let effect = async move {
            match fault {
                Fault::None => answer.call(request).await,
                Fault::Slow(delay) => {
                    tokio::time::sleep(delay).await;
                    answer.call(request).await
                }
                Fault::AnswerLate(delay) => {
                    let answered = answer.call(request).await;
                    tokio::time::sleep(delay).await;
                    answered
                }
                Fault::Silence => std::future::pending().await,
                Fault::Unavailable => Ok(answer_of(503, "{}".to_owned())),
                Fault::Answer(status, body) => Ok(answer_of(status, body.to_owned())),
                Fault::Refused(code) => Ok(answer_of(200, call.refused(code))),
                Fault::Asks(body) => {
                    *request.body_mut() = SdkBody::from(body);
                    answer.call(request).await
                }
                Fault::AnswerLost => {
                    answer.call(request).await?;
                    Err(ConnectorError::io("the connection broke".into()))
                }
            }
        };
        HttpConnectorFuture::new(async move {
            let effect = tokio::spawn(effect);
            effect.await.expect("a call does not panic")
        })
    }
}

fn answer_of(status: u16, body: String) -> HttpResponse {
    HttpResponse::new(
        StatusCode::try_from(status).expect("a status"),
        SdkBody::from(body),
    )
}

/// A switch that a test throws while the world runs.
#[derive(Clone, Default)]
pub(crate) struct Switch(Arc<AtomicBool>);

impl Switch {
    pub(crate) fn set(&self, on: bool) {
        self.0.store(on, Ordering::Relaxed);
    }

    pub(crate) fn is_on(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A FIFO world behind a network that does what `decide` says.
pub(crate) async fn world_with(
    decide: impl Fn(&Call) -> Fault + Send + Sync + 'static,
    script: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
) -> World {
    let local = LocalSqs::new(Limits::default());
    World::on(with_faults(local.http_client(), decide), Kind::Fifo, script).await
}

/// A FIFO world whose source queue keeps messages so long only.
pub(crate) async fn world_that_keeps(
    retention_s: u64,
    script: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
) -> World {
    let local = LocalSqs::seeded(Limits::default(), 1);
    world_of_that_keeps(&local, retention_s, script).await
}

/// The same on an SQS whose queues the test changes.
pub(crate) async fn world_of_that_keeps(
    local: &LocalSqs,
    retention_s: u64,
    script: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
) -> World {
    let network = with_faults(local.http_client(), move |call| {
        match call.action.as_str() {
            "CreateQueue" if call.body.contains("\"events.fifo\"") => Fault::Asks(
                call.body
                    .replace("\"1209600\"", &format!("\"{retention_s}\"")),
            ),
            _ => Fault::None,
        }
    });
    let mut world = World::on(network, Kind::Fifo, script).await;
    world.clock = Clock::virtual_from(SQS_START);
    assert_eq!(world.source.attributes().retention_s, retention_s);
    world
}

/// Four events, of which the fourth fails at first, in a world that extends no lease until the switch is set off: the
/// fourth's first attempt ends with 4 s left of the lease, too little for its second.
pub(crate) async fn world_at_the_end_of_a_lease() -> (World, Switch) {
    let down = Switch::default();
    let switch = down.clone();
    let world = world_with(
        move |call| match call.action.as_str() {
            "ChangeMessageVisibilityBatch" if switch.is_on() => Fault::Unavailable,
            _ => Fault::None,
        },
        |s| match (super::number(s), s.attempt()) {
            (4, 1) => Reply::After(Duration::from_secs(29), 500),
            _ => Reply::After(Duration::from_secs(29), 200),
        },
    )
    .await;
    world.send("EventSetup_1", 1..=4).await;
    down.set(true);
    (world, down)
}

/// Lets time pass.
pub(crate) async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}
