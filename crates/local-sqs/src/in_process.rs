//! The in-process face: an HTTP client for the AWS SDK whose other end is the engine.

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use tokio_util::sync::CancellationToken;

use crate::protocol::{Reply, TARGET_PREFIX};
use crate::service::LocalSqs;

#[derive(Debug, Clone)]
struct InProcess(LocalSqs);

impl LocalSqs {
    /// An HTTP client for `aws_sdk_sqs::Config`. It asks this SQS directly, whatever the `endpoint_url`; by custom that
    /// is `http://local-sqs`. Time is tokio's, so long polls work under a paused clock.
    pub fn http_client(&self) -> SharedHttpClient {
        SharedHttpClient::new(InProcess(self.clone()))
    }
}

impl HttpClient for InProcess {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for InProcess {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let sqs = self.0.clone();
        HttpConnectorFuture::new(async move {
            let action = request
                .headers()
                .get("x-amz-target")
                .and_then(|target| target.strip_prefix(TARGET_PREFIX));
            let action =
                action.ok_or_else(|| ConnectorError::user("the request is not for SQS".into()))?;
            let body = request
                .body()
                .bytes()
                .ok_or_else(|| ConnectorError::user("the request has a streaming body".into()))?;
            let reply = sqs.answer(action, body, &CancellationToken::new()).await;
            respond(reply, sqs.date())
        })
    }
}

fn respond(reply: Reply, date: String) -> Result<HttpResponse, ConnectorError> {
    let status = StatusCode::try_from(reply.status)
        .map_err(|error| ConnectorError::other(error.into(), None))?;
    let mut response = HttpResponse::new(status, SdkBody::from(reply.body));
    let headers = response.headers_mut();
    headers.insert("content-type", reply.content_type);
    headers.insert("x-amzn-requestid", reply.request_id);
    headers.insert("date", date);
    if let Some(error) = reply.query_error {
        headers.insert("x-amzn-query-error", error);
    }
    Ok(response)
}
