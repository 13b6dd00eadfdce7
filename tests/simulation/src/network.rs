//! The network between one client and SQS: calls get lost before or after their effect, come late, are refused in
//! whole or in part. What SQS took and handed out is noted.

use std::collections::HashMap;
use std::fmt;
use std::future::pending;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
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
use queue::admin::Pair;
use queue::{Clock, Queue, Sqs};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::dice::Dice;
use crate::log::{Caller, Event, Line, Log, Receive, Replayed, Worker};
use crate::plan::{How, SqsFaults};
use crate::told::Told;
use crate::wires::Wires;

type Answer = Result<HttpResponse, ConnectorError>;

/// Where the calls of one client pass.
#[derive(Clone)]
pub(crate) struct Network {
    pub(crate) to: SharedHttpClient,
    pub(crate) caller: Caller,
    pub(crate) wires: Wires,
    pub(crate) faults: Arc<SqsFaults>,
    pub(crate) trouble: Arc<AtomicBool>,
    pub(crate) dice: Dice,
    pub(crate) log: Log,
    pub(crate) counts: Told,
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
    Late,
    Denied,
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
            Self::Late => "late answer",
            Self::Denied => "denied",
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

    /// Opens the source queue and the internal queue. Who cannot is started again by whoever looks after it.
    pub(crate) async fn queues(self, pair: &Pair, clock: Clock) -> (Queue, Queue) {
        let sqs = Sqs::in_process_at(self.client(), clock);
        let open = async |url| {
            loop {
                match Queue::open(&sqs, url).await {
                    Ok(queue) => return queue,
                    Err(_) => sleep(Duration::from_secs(1)).await,
                }
            }
        };
        (
            open(&pair.source_url).await,
            open(&pair.dead_letter_url).await,
        )
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
            let asked = connection.log.now();
            connection.wires.cross().await;
            let answer = connection.pass(request).await;
            connection.wires.cross().await;
            connection.note_date(asked, &answer);
            answer
        })
    }
}

impl Connection {
    /// SQS's time is known to whoever has an answer of it with a date.
    fn note_date(&self, asked: Duration, answer: &Answer) {
        let (Caller::Worker(worker), Ok(answer)) = (self.caller, answer) else {
            return;
        };
        let has = |name| answer.headers().get(name).is_some();
        if has("date") && has("x-amzn-requestid") {
            self.log.dated(worker, asked);
        }
    }

    async fn pass(&self, mut request: HttpRequest) -> Answer {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let action = target.rsplit('.').next().unwrap_or_default().to_owned();
        let mut body = request.body().bytes().unwrap_or_default().to_vec();
        let to_internal_queue = contains(&body, b"events-internal");
        if action == "ReceiveMessage" && self.dice.percent(self.faults.fewer) {
            body = self.of_fewer(&body);
            *request.body_mut() = SdkBody::from(body.clone());
        }
        if let Caller::Worker(_) = self.caller {
            *self.log.seen().calls.entry(action.clone()).or_default() += 1;
        }
        let fate = self.fate(&action, to_internal_queue);
        if fate != Fate::Done {
            let to = if to_internal_queue {
                "to the internal queue"
            } else {
                ""
            };
            self.log
                .note(Line::Call(to, self.caller, action.clone(), fate.as_str()));
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
            Fate::Denied => Ok(answer(403, DENIED.to_owned())),
            Fate::Late => {
                let answer = self.reach(request, &action, &body).await;
                sleep(self.a_while()).await;
                answer
            }
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
        // The producer has a queue of its own to send to, in another profile's trouble.
        let outage = faults.outage.as_ref().filter(|outage| {
            outage.action.is_none_or(|of| of == action)
                && self.caller != Caller::Producer
                && (to_internal_queue || !outage.internal_queue_only)
                && outage.from <= now
                && now < outage.until
        });
        if let Some(outage) = outage {
            return match outage.how {
                How::Unavailable => Fate::Unavailable,
                How::Denied => Fate::Denied,
                How::Silent => Fate::Silent,
            };
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
            (faults.late, Fate::Late),
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

    /// The call has its effect, whether or not anybody still waits for the answer.
    async fn reach(&self, request: HttpRequest, action: &str, body: &[u8]) -> Answer {
        let (connection, action, body) = (self.clone(), action.to_owned(), body.to_vec());
        let effect = tokio::spawn(async move { connection.carry(request, &action, &body).await });
        effect.await.unwrap_or_else(|_| Err(lost()))
    }

    async fn carry(&self, request: HttpRequest, action: &str, body: &[u8]) -> Answer {
        let mut response = self.to.call(request).await?;
        let answered = response.body().bytes().unwrap_or_default();
        match (action, self.caller) {
            ("ReceiveMessage", Caller::Worker(worker)) if answered.len() > 20 => {
                self.note_receive(worker, answered);
                if let Some(told) = self.counts.answer(answered) {
                    *response.body_mut() = SdkBody::from(told);
                }
            }
            ("SendMessageBatch", Caller::Producer) => self.note_sends(body, answered),
            ("SendMessageBatch", Caller::Worker(_)) => self.note_burials(body, answered),
            ("SendMessageBatch", Caller::Engineer(run)) => self.note_replays(run, body, answered),
            _ => {}
        }
        Ok(response)
    }

    /// Whether or not anybody still waits for the answer, the call has its effect after a while.
    async fn late(&self, request: HttpRequest, action: String, body: Vec<u8>) -> Answer {
        let connection = self.clone();
        let delay = self.a_while();
        let effect = tokio::spawn(async move {
            sleep(delay).await;
            connection.reach(request, &action, &body).await
        });
        effect.await.unwrap_or_else(|_| Err(lost()))
    }

    fn a_while(&self) -> Duration {
        self.dice
            .millis(100..=self.dice.one_of(&[1_000, 9_000, 25_000]))
    }

    /// SQS may give fewer messages than there are and than were asked for.
    fn of_fewer(&self, body: &[u8]) -> Vec<u8> {
        let mut call: Value = serde_json::from_slice(body).unwrap_or_default();
        let most = call["MaxNumberOfMessages"].as_u64().unwrap_or(1);
        call["MaxNumberOfMessages"] = self.dice.within(1..=most).into();
        call.to_string().into_bytes()
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
        for (entry, id) in taken(body, answered) {
            if let Some(event) = entry["MessageBody"].as_str().and_then(event_of) {
                self.log.queued(&id, event);
            }
        }
    }

    fn note_replays(&self, run: usize, body: &[u8], answered: &[u8]) {
        for (entry, id) in taken(body, answered) {
            let event = entry["MessageBody"].as_str().and_then(event_of);
            let event = event.expect("an event");
            let deduplication_id = entry["MessageDeduplicationId"].as_str().unwrap_or_default();
            let letter = deduplication_id.split('~').next().unwrap_or_default();
            let is_new = self.log.queued(&id, event);
            let replayed = Replayed {
                run,
                at: self.log.now(),
                event,
                letter: letter.to_owned(),
                is_new,
            };
            let how = if is_new { "" } else { ", a repetition" };
            let what = format!("sends {event} of letter {letter}{how}");
            self.log.note(Line::Engineer(run, what));
            self.log.seen().replayed.push(replayed);
        }
    }

    fn note_burials(&self, body: &[u8], answered: &[u8]) {
        let now = self.log.now();
        for (entry, id) in taken(body, answered) {
            if let Some(event) = entry["MessageBody"].as_str().and_then(event_of) {
                self.log.seen().buried.push((event, now));
                self.log.seen().letters.insert(id, event);
            }
        }
    }
}

/// The entries of a batch that SQS took, each with the MessageId it got, in the order of the batch.
fn taken(body: &[u8], answered: &[u8]) -> Vec<(Value, String)> {
    let (sent, answered): (Value, Value) = (
        serde_json::from_slice(body).unwrap_or_default(),
        serde_json::from_slice(answered).unwrap_or_default(),
    );
    let successes = answered["Successful"].as_array().into_iter().flatten();
    let ids: HashMap<_, _> = successes
        .filter_map(|success| Some((success["Id"].as_str()?, success["MessageId"].as_str()?)))
        .collect();
    let entries = sent["Entries"].as_array().into_iter().flatten();
    entries
        .filter_map(|entry| {
            let id = ids.get(entry["Id"].as_str()?)?;
            Some((entry.clone(), (*id).to_owned()))
        })
        .collect()
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

const DENIED: &str = r#"{"__type":"com.amazonaws.sqs#AccessDenied","message":"not allowed"}"#;

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
