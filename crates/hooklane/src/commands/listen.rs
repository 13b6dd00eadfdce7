//! `listen`: a receiver on this machine. Shows each request, checks its signature, answers as told.

mod record;
mod save;

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::body::{Body, HttpBody as _, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode};
use axum::serve::ListenerExt;
use bytes::Bytes;
use delivery::Secret;
use queue::Clock;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::Context;
use crate::cli::Listen;
use crate::exit::{Exit, Usage};
use crate::{output, stop};
use config::secret;
use record::Record;
use save::Directory;

/// More than any event can be: SQS takes 1 MiB.
const MAX_BODY: usize = 2 * 1024 * 1024;

/// How many bodies are read at the same time: with [`MAX_BODY`], the bound of what they take.
const MAX_BODIES: usize = 64;

/// How long a body may take to come.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long requests that are being answered may take after the stop signal.
const GRACE: Duration = Duration::from_secs(2);

pub(super) async fn run(arguments: Listen, context: &Context) -> anyhow::Result<Exit> {
    let secrets = arguments
        .secret
        .iter()
        .map(|given| secret::argument(&given.0, &context.environment));
    let secrets = secrets
        .collect::<Result<Vec<_>, _>>()
        .map_err(|problem| Usage(format!("--secret: {problem}")))?;
    let directory = arguments.save.as_deref().map(Directory::open).transpose()?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, arguments.port)).await;
    let listener = listener.with_context(|| {
        format!(
            "cannot listen on 127.0.0.1:{}: choose another --port (0 takes one that is free)",
            arguments.port
        )
    })?;
    let stop = stop::on_signals()?;
    output::line(&format!("listening on http://{}", listener.local_addr()?))?;
    let receiver = Arc::new(Receiver {
        secrets,
        json: arguments.output.json,
        places: Semaphore::new(MAX_BODIES),
        desk: Mutex::new(Desk {
            answers: arguments.respond,
            received: 0,
            directory,
            broken: None,
        }),
        stop: stop.clone(),
    });
    // Answers are small and written in one piece: waiting for more to send would only delay them.
    let listener = listener.tap_io(|socket| {
        let _ = socket.set_nodelay(true);
    });
    let app = Router::new().fallback(receive).with_state(receiver.clone());
    let serving = axum::serve(listener, app).with_graceful_shutdown(stop.clone().cancelled_owned());
    let late = async {
        stop.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        served = async { serving.await } => served.context("cannot go on listening")?,
        () = late => {}
    }
    match receiver.desk().broken.take() {
        Some(error) => Err(error),
        None => Ok(Exit::Done),
    }
}

struct Receiver {
    secrets: Vec<Secret>,
    json: bool,
    places: Semaphore,
    desk: Mutex<Desk>,
    stop: CancellationToken,
}

/// What requests share: one at a time is numbered, answered, saved and shown.
struct Desk {
    /// The answers still to give; the last one repeats.
    answers: Vec<u16>,
    received: usize,
    directory: Option<Directory>,
    /// What ended the command.
    broken: Option<anyhow::Error>,
}

impl Receiver {
    /// Reads a body; if it cannot be read, says how to answer and why.
    async fn read(&self, body: Body) -> Result<Bytes, (u16, &'static str)> {
        if body.size_hint().lower() > MAX_BODY as u64 {
            return Err((413, "its body is larger than 2 MiB"));
        }
        let _place = self.places.acquire().await;
        match timeout(PATIENCE, to_bytes(body, MAX_BODY)).await {
            Ok(Ok(body)) => Ok(body),
            Ok(Err(_)) => Err((413, "its body broke off or is larger than 2 MiB")),
            Err(_) => Err((408, "its body did not come within 30 s")),
        }
    }

    fn desk(&self) -> std::sync::MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Desk {
    fn next_answer(&mut self) -> u16 {
        let last = self.answers.len().saturating_sub(1);
        let answer = self
            .answers
            .get(self.received.min(last))
            .copied()
            .unwrap_or(200);
        self.received += 1;
        answer
    }
}

/// The sender gets its answer when its request has been saved and shown: what it was told of is there.
async fn receive(State(receiver): State<Arc<Receiver>>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body = match receiver.read(body).await {
        Ok(body) => body,
        Err((status, why)) => {
            tracing::warn!("a request was refused: {why}");
            return answer(status);
        }
    };
    let mut desk = receiver.desk();
    let mut record = Record::of(
        &head,
        &body,
        &receiver.secrets,
        Clock::system().now(),
        desk.next_answer(),
    );
    let shown = match &mut desk.directory {
        Some(directory) => directory.save(&body).map(Some),
        None => Ok(None),
    };
    let shown = shown.and_then(|saved| {
        record.saved = saved;
        if receiver.json {
            output::json(&record)
        } else {
            output::line(&record.text(desk.received, &body))
        }
    });
    if let Err(error) = shown {
        desk.broken = Some(error);
        receiver.stop.cancel();
        return answer(500);
    }
    answer(record.responded)
}

fn answer(status: u16) -> Response<Body> {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let silent = matches!(
        status,
        StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED
    );
    let body = if silent {
        Body::empty()
    } else {
        Body::from(format!("hooklane listen: {status}\n"))
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}
