//! A network between the SDK and DynamoDB that does what a test says to single calls.

use std::fmt;
use std::sync::{Arc, Mutex};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use store::DynamoDb;

use crate::emulator;

/// One call on its way to DynamoDB.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) action: String,
    pub(crate) body: serde_json::Value,
}

/// What happens to a call.
pub(crate) enum Fault {
    /// Nothing: it passes.
    None,
    /// DynamoDB does it, and the answer is lost.
    AnswerLost,
    /// DynamoDB does nothing and answers this.
    Answer(u16, String),
}

type Decide = dyn Fn(&Call) -> Fault + Send + Sync;

/// The calls that the network has seen, tries of the SDK included.
#[derive(Clone, Default)]
pub(crate) struct Calls(Arc<Mutex<Vec<Call>>>);

impl Calls {
    pub(crate) fn all(&self) -> Vec<Call> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn actions(&self) -> Vec<String> {
        self.all().into_iter().map(|call| call.action).collect()
    }
}

/// A table behind a network that does what `decide` says to each call.
pub(crate) fn table_behind(
    name: &str,
    decide: impl Fn(&Call) -> Fault + Send + Sync + 'static,
) -> (DynamoDb, Calls) {
    let calls = Calls::default();
    let network = SharedHttpClient::new(Network {
        inner: aws_smithy_http_client::Builder::new().build_http(),
        decide: Arc::new(decide),
        calls: calls.clone(),
    });
    let table = DynamoDb::through(emulator::endpoint(), network, name);
    (table, calls)
}

#[derive(Clone)]
struct Network {
    inner: SharedHttpClient,
    decide: Arc<Decide>,
    calls: Calls,
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
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let body = request.body().bytes().unwrap_or_default();
        let call = Call {
            action: target.rsplit('.').next().unwrap_or_default().to_owned(),
            body: serde_json::from_slice(body).unwrap(),
        };
        let fault = (self.network.decide)(&call);
        self.network.calls.0.lock().unwrap().push(call);
        let inner = self.inner.clone();
        HttpConnectorFuture::new(async move {
            match fault {
                Fault::None => inner.call(request).await,
                Fault::AnswerLost => {
                    inner.call(request).await?;
                    Err(ConnectorError::io("the connection broke".into()))
                }
                Fault::Answer(status, body) => Ok(HttpResponse::new(
                    StatusCode::try_from(status).unwrap(),
                    SdkBody::from(body),
                )),
            }
        })
    }
}
