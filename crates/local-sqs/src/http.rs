//! The HTTP face: reads a request off a socket, lets the service answer, writes the answer.

mod guard;

use std::io;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::engine::{ErrorKind, SqsError};
use crate::protocol::{self, QUERY_CONTENT_TYPE, Reply, TARGET_PREFIX};
use crate::service::LocalSqs;

/// Most bytes of a request: a batch of 1 MiB may be six times as long once its characters are escaped in JSON.
const MAX_REQUEST_BYTES: usize = 8 << 20;

/// How long connections may take to finish after the stop before they are left.
const STOP_GRACE: Duration = Duration::from_secs(2);

#[derive(Clone)]
struct Face {
    sqs: LocalSqs,
    stop: CancellationToken,
    /// Whether only this machine can connect.
    on_loopback: bool,
}

impl LocalSqs {
    /// Serves until `stop` is cancelled. Waiting long polls are then answered at once, with no messages.
    ///
    /// Requests of browsers are refused: any web page can make one send. So are, on a loopback address, requests that
    /// name another host, whose name somebody else may have pointed here.
    ///
    /// # Errors
    /// The address of the listener cannot be read.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken) -> io::Result<()> {
        let address = listener.local_addr()?;
        let sqs = if self.has_base_url() {
            self
        } else {
            self.with_base_url(&format!("http://{address}"))
        };
        let app = Router::new().fallback(answer).with_state(Face {
            sqs,
            stop: stop.clone(),
            on_loopback: address.ip().to_canonical().is_loopback(),
        });
        // Answers are small and written in one piece: waiting for more to send would only delay them.
        let listener = listener.tap_io(|socket| {
            let _ = socket.set_nodelay(true);
        });
        let server =
            axum::serve(listener, app).with_graceful_shutdown(stop.clone().cancelled_owned());
        tokio::select! {
            result = server => result,
            () = async { stop.cancelled().await; tokio::time::sleep(STOP_GRACE).await } => Ok(()),
        }
    }
}

async fn answer(State(face): State<Face>, request: Request) -> Response {
    if let Some(why) = guard::refusal(request.headers(), request.uri(), face.on_loopback) {
        return (StatusCode::FORBIDDEN, why).into_response();
    }
    if request.method() != Method::POST {
        return (
            StatusCode::METHOD_NOT_ALLOWED,
            "local-sqs answers POST requests of the AWS protocols\n",
        )
            .into_response();
    }
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_REQUEST_BYTES).await else {
        let message =
            format!("the request is longer than {MAX_REQUEST_BYTES} bytes or broke off\n");
        return (StatusCode::PAYLOAD_TOO_LARGE, message).into_response();
    };
    let header = |name: &str| {
        head.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    if header("content-type").starts_with(QUERY_CONTENT_TYPE) {
        let reply = face.answer_query(head.uri.path(), &body).await;
        return write(reply, face.sqs.date());
    }
    let reply = match header("x-amz-target").strip_prefix(TARGET_PREFIX) {
        Some(action) => face.sqs.answer(action, &body, &face.stop).await,
        None => {
            let message = "The request must name its action in the header X-Amz-Target.";
            let error = SqsError::new(ErrorKind::UnknownOperation, message);
            face.sqs.refuse(&error)
        }
    };
    write(reply, face.sqs.date())
}

impl Face {
    async fn answer_query(&self, path: &str, form: &[u8]) -> Reply {
        match protocol::read_query(path, form) {
            Ok((action, body)) => {
                protocol::write_query(&action, self.sqs.answer(&action, &body, &self.stop).await)
            }
            Err(error) => protocol::write_query("", self.sqs.refuse(&error)),
        }
    }
}

fn write(reply: Reply, date: String) -> Response {
    let mut response = Response::builder()
        .status(reply.status)
        .header(header::CONTENT_TYPE, reply.content_type)
        .header("x-amzn-RequestId", reply.request_id)
        .header(header::DATE, date);
    if let Some(error) = reply.query_error {
        response = response.header("x-amzn-query-error", error);
    }
    response
        .body(Body::from(reply.body))
        .unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}
