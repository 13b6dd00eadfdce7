//! A network between the AWS SDK and a service that does what a test says to single calls.

use std::fmt;
use std::sync::Arc;
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
use serde_json::{Value, json};

type Answer = Result<HttpResponse, ConnectorError>;

/// One call on its way, each try of the SDK counted.
#[derive(Debug, Clone)]
pub struct Call {
    /// As AWS names it: `ReceiveMessage`.
    pub action: String,
    /// The JSON that is asked.
    pub body: String,
}

impl Call {
    fn of(request: &HttpRequest) -> Self {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let body = request.body().bytes().unwrap_or_default();
        Self {
            action: target.rsplit('.').next().unwrap_or_default().to_owned(),
            body: String::from_utf8_lossy(body).into_owned(),
        }
    }

    /// Whether the call goes to the internal queue of the pair `events.fifo`.
    pub fn is_to_the_internal_queue(&self) -> bool {
        self.body.contains("events-internal.fifo")
    }

    /// What is asked.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("AWS is asked in JSON")
    }

    /// What a batch is about.
    pub fn entries(&self) -> Vec<Value> {
        self.json()["Entries"]
            .as_array()
            .cloned()
            .unwrap_or_default()
    }
}

/// What happens to a call.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Nothing: it passes.
    None,
    /// The service answers 503 and does nothing.
    Unavailable,
    /// The connection breaks before the service has the call.
    Lost,
    /// The service does it, and the answer is lost.
    AnswerLost,
    /// The service does it, after so long.
    Slow(Duration),
    /// The service does it at once, and the answer comes after so long.
    AnswerLate(Duration),
    /// The service does it, and no answer ever comes.
    Unanswered,
    /// The service does nothing, and no answer ever comes.
    Silence,
    /// The service does nothing and answers with this status and body.
    Answer(u16, String),
    /// The service refuses every entry of a batch, with this code, as a fault of the sender.
    Refused(&'static str),
    /// The service refuses these entries of a batch, by position, with this code, as a fault of the sender or not,
    /// and takes the others.
    RefusedInPart(Vec<usize>, &'static str, bool),
    /// The service does it, and says of every entry of the batch that it has this MessageId.
    SameMessageId(&'static str),
    /// The service is asked this instead.
    Asks(String),
}

impl Fault {
    /// SQS does nothing and answers with an error of this code.
    pub fn error(status: u16, code: &str) -> Self {
        let body = json!({"__type": format!("com.amazonaws.sqs#{code}"), "message": "scripted"});
        Self::Answer(status, body.to_string())
    }
}

type Decide = dyn Fn(&Call) -> Fault + Send + Sync;
type Over = dyn Fn(&Call) + Send + Sync;

/// Puts a network before `inner` that does to each call what `decide` says. Whoever gives up on a call does not undo
/// it: the service does what is under way.
pub fn with_faults(
    inner: SharedHttpClient,
    decide: impl Fn(&Call) -> Fault + Send + Sync + 'static,
) -> SharedHttpClient {
    SharedHttpClient::new(Network {
        inner,
        decide: Arc::new(decide),
        over: None,
    })
}

/// The same before a process that is killed with its calls: where one is when it is dropped, there it stays. `over`
/// learns of each call that comes to its end.
pub fn of_a_process(
    inner: SharedHttpClient,
    decide: impl Fn(&Call) -> Fault + Send + Sync + 'static,
    over: impl Fn(&Call) + Send + Sync + 'static,
) -> SharedHttpClient {
    SharedHttpClient::new(Network {
        inner,
        decide: Arc::new(decide),
        over: Some(Arc::new(over)),
    })
}

#[derive(Clone)]
struct Network {
    inner: SharedHttpClient,
    decide: Arc<Decide>,
    /// Of the network of a process.
    over: Option<Arc<Over>>,
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
        SharedHttpConnector::new(Line {
            inner: self.inner.http_connector(settings, components),
            network: self.clone(),
        })
    }
}

#[derive(Debug)]
struct Line {
    inner: SharedHttpConnector,
    network: Network,
}

impl HttpConnector for Line {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let call = Call::of(&request);
        let fault = (self.network.decide)(&call);
        let (service, over) = (self.inner.clone(), self.network.over.clone());
        HttpConnectorFuture::new(async move {
            let Some(over) = over else {
                let effect = async move { carry_out(fault, &call, request, &service).await };
                return tokio::spawn(effect).await.expect("a call does not panic");
            };
            let answer = carry_out(fault, &call, request, &service).await;
            over(&call);
            answer
        })
    }
}

async fn carry_out(
    fault: Fault,
    call: &Call,
    mut request: HttpRequest,
    service: &SharedHttpConnector,
) -> Answer {
    match fault {
        Fault::None => service.call(request).await,
        Fault::Slow(delay) => {
            tokio::time::sleep(delay).await;
            service.call(request).await
        }
        Fault::AnswerLate(delay) => {
            let answer = service.call(request).await;
            tokio::time::sleep(delay).await;
            answer
        }
        Fault::Lost => Err(lost()),
        Fault::AnswerLost => {
            service.call(request).await?;
            Err(lost())
        }
        Fault::Unanswered => {
            service.call(request).await?;
            std::future::pending().await
        }
        Fault::Silence => std::future::pending().await,
        Fault::Unavailable => Ok(answer(503, "{}".to_owned())),
        Fault::Answer(status, body) => Ok(answer(status, body)),
        Fault::Refused(code) => {
            let all = (0..call.entries().len()).collect();
            in_part(call, request, service, all, code, true).await
        }
        Fault::RefusedInPart(which, code, sender_fault) => {
            in_part(call, request, service, which, code, sender_fault).await
        }
        Fault::SameMessageId(id) => {
            let mut answered = json_of(&service.call(request).await?);
            for entry in answered["Successful"].as_array_mut().expect("successes") {
                entry["MessageId"] = id.into();
            }
            Ok(answer(200, answered.to_string()))
        }
        Fault::Asks(body) => {
            *request.body_mut() = SdkBody::from(body);
            service.call(request).await
        }
    }
}

/// A batch of which `refused` have no effect.
async fn in_part(
    call: &Call,
    mut request: HttpRequest,
    service: &SharedHttpConnector,
    refused: Vec<usize>,
    code: &str,
    sender_fault: bool,
) -> Answer {
    let (mut failed, mut taken) = (Vec::new(), Vec::new());
    for (position, entry) in call.entries().into_iter().enumerate() {
        if refused.contains(&position) {
            failed.push(json!({
                "Id": entry["Id"], "Code": code, "Message": "scripted", "SenderFault": sender_fault,
            }));
        } else {
            taken.push(entry);
        }
    }
    let mut answered = json!({"Successful": []});
    if !taken.is_empty() {
        let mut rest = call.json();
        rest["Entries"] = taken.into();
        *request.body_mut() = SdkBody::from(rest.to_string());
        answered = json_of(&service.call(request).await?);
    }
    answered["Failed"] = failed.into();
    Ok(answer(200, answered.to_string()))
}

fn lost() -> ConnectorError {
    ConnectorError::io("the connection broke".into())
}

fn json_of(response: &HttpResponse) -> Value {
    let body = response.body().bytes().unwrap_or_default();
    serde_json::from_slice(body).expect("AWS answers in JSON")
}

fn answer(status: u16, body: String) -> HttpResponse {
    let status = StatusCode::try_from(status).expect("a status");
    HttpResponse::new(status, SdkBody::from(body))
}
