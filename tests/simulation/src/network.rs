//! The network between one client and SQS: calls get lost before or after their effect, come late, are refused in
//! whole or in part. What SQS took and handed out is noted.

use std::fmt;
use std::future::pending;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::dice::Dice;
use crate::log::{Event, Line, Log, Receive, Worker};
use crate::plan::SqsFaults;
use crate::wires::Wires;

type Answer = Result<HttpResponse, ConnectorError>;

/// Where the calls of one client pass.
#[derive(Clone)]
pub(crate) struct Network {
    pub(crate) to: SharedHttpClient,
    /// None: a producer.
    pub(crate) worker: Option<Worker>,
    pub(crate) wires: Wires,
    pub(crate) faults: Arc<SqsFaults>,
    pub(crate) trouble: Arc<AtomicBool>,
    pub(crate) dice: Dice,
    pub(crate) log: Log,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Done,
    RequestLost,
    AnswerLost,
    Delayed,
    Throttled,
    Unavailable,
    Partial,
    Silent,
}

impl Fate {
    fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::RequestLost => "request lost",
            Self::AnswerLost => "answer lost",
            Self::Delayed => "delayed",
            Self::Throttled => "throttled",
            Self::Unavailable => "unavailable",
            Self::Partial => "fails in part",
            Self::Silent => "silence",
        }
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Network")
    }
}

impl HttpClient for Network {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Connection {
            to: self.to.http_connector(settings, components),
            network: self.clone(),
        })
    }
}

impl Network {
    pub(crate) fn client(self) -> SharedHttpClient {
        SharedHttpClient::new(self)
    }
}

#[derive(Debug, Clone)]
struct Connection {
    to: SharedHttpConnector,
    network: Network,
}

impl Deref for Connection {
    type Target = Network;

    fn deref(&self) -> &Network {
        &self.network
    }
}

impl HttpConnector for Connection {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let connection = self.clone();
        HttpConnectorFuture::new(async move {
            connection.wires.cross().await;
            let answer = connection.pass(request).await;
            connection.wires.cross().await;
            answer
        })
    }
}

impl Connection {
    async fn pass(&self, request: HttpRequest) -> Answer {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let action = target.rsplit('.').next().unwrap_or_default().to_owned();
        let body = request.body().bytes().unwrap_or_default().to_vec();
        let to_internal_queue = contains(&body, b"events-internal.fifo");
        let fate = self.fate(&action, to_internal_queue);
        if fate != Fate::Done {
            let to = if to_internal_queue {
                "to the internal queue"
            } else {
                ""
            };
            self.log
                .note(Line::Call(to, self.worker, action.clone(), fate.as_str()));
        }
        if self.faults.latency_ms > 0 && action != "ReceiveMessage" {
            sleep(self.dice.millis(0..=self.faults.latency_ms)).await;
        }
        match fate {
            Fate::Done => self.reach(request, &action, &body).await,
            Fate::RequestLost => Err(lost()),
            Fate::AnswerLost => {
                self.reach(request, &action, &body).await?;
                Err(lost())
            }
            Fate::Delayed => self.late(request, action, body).await,
            Fate::Throttled => Ok(answer(400, THROTTLED.to_owned())),
            Fate::Unavailable => Ok(answer(503, "{}".to_owned())),
            Fate::Partial => self.in_part(request, &action, &body).await,
            Fate::Silent => pending().await,
        }
    }

    fn fate(&self, action: &str, to_internal_queue: bool) -> Fate {
        if !self.trouble.load(Relaxed) {
            return Fate::Done;
        }
        let faults = &self.faults;
        let now = self.log.now();
        let is_down = faults.outage.as_ref().is_some_and(|outage| {
            // The producer has a queue of its own to send to, in another profile's trouble.
            let concerns = outage.action == action
                && self.worker.is_some()
                && (to_internal_queue || !outage.internal_queue_only);
            concerns && outage.from <= now && now < outage.until
        });
        if is_down {
            return Fate::Unavailable;
        }
        let mut throw = self.dice.within(0..=99);
        for (rate, fate) in [
            (faults.request_lost, Fate::RequestLost),
            (faults.answer_lost, Fate::AnswerLost),
            (faults.delayed, Fate::Delayed),
            (faults.throttled, Fate::Throttled),
            (faults.unavailable, Fate::Unavailable),
            (faults.partial, Fate::Partial),
            (faults.silent, Fate::Silent),
        ] {
            if throw < rate {
                return match fate {
                    Fate::Partial if !action.ends_with("Batch") => Fate::Done,
                    fate => fate,
                };
            }
            throw -= rate;
        }
        Fate::Done
    }

    /// The call has its effect.
    async fn reach(&self, request: HttpRequest, action: &str, body: &[u8]) -> Answer {
        let response = self.to.call(request).await?;
        let answered = response.body().bytes().unwrap_or_default();
        match (action, self.worker) {
            ("ReceiveMessage", Some(worker)) if answered.len() > 20 => {
                self.note_receive(worker, answered)
            }
            ("SendMessageBatch", None) => self.note_sends(body, answered),
            ("SendMessageBatch", Some(_)) => self.note_burials(body),
            _ => {}
        }
        Ok(response)
    }

    /// Whether or not anybody still waits for the answer, the call has its effect after a while.
    async fn late(&self, request: HttpRequest, action: String, body: Vec<u8>) -> Answer {
        let connection = self.clone();
        let delay = self
            .dice
            .millis(100..=self.dice.one_of(&[1_000, 9_000, 25_000]));
        let effect = tokio::spawn(async move {
            sleep(delay).await;
            connection.reach(request, &action, &body).await
        });
        effect.await.unwrap_or_else(|_| Err(lost()))
    }

    /// Some entries of a batch have their effect, the others fail.
    async fn in_part(&self, mut request: HttpRequest, action: &str, body: &[u8]) -> Answer {
        let mut call: Value = serde_json::from_slice(body).unwrap_or_default();
        let entries = call["Entries"].as_array().cloned().unwrap_or_default();
        let (taken, failed): (Vec<_>, Vec<_>) =
            entries.into_iter().partition(|_| self.dice.percent(50));
        let failed: Vec<_> = failed
            .iter()
            .map(|entry| json!({"Id": entry["Id"], "Code": "InternalError", "SenderFault": false}))
            .collect();
        if taken.is_empty() {
            let nothing = json!({"Successful": [], "Failed": failed});
            return Ok(answer(200, nothing.to_string()));
        }
        call["Entries"] = taken.into();
        let body = call.to_string().into_bytes();
        *request.body_mut() = SdkBody::from(body.clone());
        let response = self.reach(request, action, &body).await?;
        let mut answered: Value =
            serde_json::from_slice(response.body().bytes().unwrap_or_default()).unwrap_or_default();
        let mut all_failed = answered["Failed"].as_array().cloned().unwrap_or_default();
        all_failed.extend(failed);
        answered["Failed"] = all_failed.into();
        Ok(answer(200, answered.to_string()))
    }

    fn note_receive(&self, worker: Worker, answered: &[u8]) {
        let answered: Value = serde_json::from_slice(answered).unwrap_or_default();
        let messages = answered["Messages"].as_array().cloned().unwrap_or_default();
        let handed_out: Vec<_> = messages.iter().map(handed_out).collect();
        let at = self.log.now();
        let receives = handed_out.iter().map(|(message_id, count)| Receive {
            worker,
            at,
            message_id: message_id.clone(),
            count: *count,
        });
        self.log.seen().receives.extend(receives);
        self.log.note(Line::Received(worker, handed_out));
    }

    fn note_sends(&self, body: &[u8], answered: &[u8]) {
        let (sent, answered): (Value, Value) = (
            serde_json::from_slice(body).unwrap_or_default(),
            serde_json::from_slice(answered).unwrap_or_default(),
        );
        let entries = sent["Entries"].as_array().cloned().unwrap_or_default();
        for taken in answered["Successful"].as_array().into_iter().flatten() {
            let entry = entries.iter().find(|entry| entry["Id"] == taken["Id"]);
            let body = entry.and_then(|entry| entry["MessageBody"].as_str());
            if let (Some(event), Some(id)) = (body.and_then(event_of), taken["MessageId"].as_str())
            {
                self.log.queued(id, event);
            }
        }
    }

    fn note_burials(&self, body: &[u8]) {
        let sent: Value = serde_json::from_slice(body).unwrap_or_default();
        let bodies = sent["Entries"].as_array().into_iter().flatten();
        let events = bodies.filter_map(|entry| event_of(entry["MessageBody"].as_str()?));
        let now = self.log.now();
        self.log
            .seen()
            .buried
            .extend(events.map(|event| (event, now)));
    }
}

fn handed_out(message: &Value) -> (String, u64) {
    let count = &message["Attributes"]["ApproximateReceiveCount"];
    let count = count.as_str().and_then(|count| count.parse().ok());
    let id = message["MessageId"].as_str().unwrap_or_default();
    (id.to_owned(), count.unwrap_or(0))
}

/// Which event a body is.
pub(crate) fn event_of(body: &str) -> Option<Event> {
    let body: Value = serde_json::from_str(body).ok()?;
    Event::parse(body["msg_id"].as_str()?)
}

const THROTTLED: &str = r#"{"__type":"com.amazonaws.sqs#RequestThrottled","message":"slow down"}"#;

fn answer(status: u16, body: String) -> HttpResponse {
    let status = StatusCode::try_from(status).expect("a status");
    HttpResponse::new(status, SdkBody::from(body))
}

fn lost() -> ConnectorError {
    ConnectorError::io("the connection broke".into())
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
