//! `work`: opens what the worker needs, runs it, prints what it did.

mod admin;
mod status;

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use consumer::post::HttpPost;
use consumer::{Mode, Summary, Wiring, Worker};
use queue::admin::retention;
use queue::{Queue, QueueError, Sqs};
use status::Status;
use store::{Ledger, LedgerError, LedgerSpec};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::{Context, pair};
use crate::cli::Work;
use crate::exit::Exit;
use crate::{output, stop};
use config::WorkConfig;

/// Between two tries to open a queue or a ledger that cannot be reached.
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);

pub(super) async fn run(arguments: Work, context: &Context) -> anyhow::Result<Exit> {
    let config = config::work(&context.configuration()?)?;
    let stop = stop::on_signals()?;
    let mode = if arguments.drain {
        Mode::Drain
    } else {
        Mode::Serve
    };
    let listener = listener(config.worker.admin_listen, mode).await?;
    let start = Start {
        status: Status::default(),
        stop,
    };
    // Whoever looks after us asks from the first moment on, however long the start has to wait.
    serve(listener, start.status.clone());
    let summary = match worker(config, &start).await? {
        Some(worker) => {
            start.status.started(worker.health());
            worker.run(mode, start.stop).await
        }
        // Told to stop before the queues could be reached.
        None => Summary::default(),
    };
    if arguments.output.json || arguments.drain {
        output::result(arguments.output.json, &summary, || text(&summary))?;
    }
    Ok(Exit::Done)
}

/// What the start of a worker has to mind: it may be told to stop, and others ask how it is.
struct Start {
    status: Status,
    stop: CancellationToken,
}

/// Puts the worker together; none if it was told to stop before SQS could be reached.
async fn worker(config: WorkConfig, start: &Start) -> anyhow::Result<Option<Worker<HttpPost>>> {
    for warning in &config.warnings {
        warn!("{warning}");
    }
    let settings = config.settings();
    let post = HttpPost::new(config.endpoint)?;
    let sqs = Sqs::from_env().await;
    let Some(source) = open_queue(&sqs, &config.queues.url, start).await? else {
        return Ok(None);
    };
    let Some(dead_letters) = open_queue(&sqs, &config.queues.dead_letter_url, start).await? else {
        return Ok(None);
    };
    pair::check(&source, &dead_letters, &config.schedule)?;
    let kept = retention(&source, &dead_letters);
    let Some(ledger) = open_ledger(&config.worker.ledger, kept, start).await? else {
        return Ok(None);
    };
    info!(
        queue = source.url(),
        dead_letters = dead_letters.url(),
        fifo = source.is_fifo(),
        max_in_flight = config.worker.max_in_flight,
        "working"
    );
    let wiring = Wiring {
        source,
        dead_letters,
        ledger,
        post,
        clock: sqs.clock().clone(),
    };
    Ok(Some(Worker::new(settings, wiring)))
}

async fn open_queue(sqs: &Sqs, url: &str, start: &Start) -> anyhow::Result<Option<Queue>> {
    let open = async || Queue::open(sqs, url).await;
    let opened = until_reachable("the queue", start, open, QueueError::is_transient).await;
    Ok(opened?)
}

async fn open_ledger(
    spec: &LedgerSpec,
    retention: Duration,
    start: &Start,
) -> anyhow::Result<Option<Ledger>> {
    let open = async || Ledger::open(spec, retention).await;
    let opened = until_reachable("the ledger", start, open, LedgerError::is_transient).await;
    opened.context("worker.ledger")
}

/// Opens something, waiting while it cannot be reached: that never ends a worker. None if it was told to stop.
async fn until_reachable<T, E: std::fmt::Display>(
    what: &str,
    start: &Start,
    open: impl AsyncFn() -> Result<T, E>,
    is_transient: impl Fn(&E) -> bool,
) -> Result<Option<T>, E> {
    let mut backoff = FIRST_BACKOFF;
    start.status.waits_for(&format_args!("opening {what}"));
    loop {
        let opened = tokio::select! {
            opened = open() => opened,
            () = start.stop.cancelled() => return Ok(None),
        };
        match opened {
            Ok(opened) => return Ok(Some(opened)),
            Err(why) if is_transient(&why) => {
                let cause = format_args!("{what} cannot be opened: {why}");
                start.status.waits_for(&cause);
                if backoff == FIRST_BACKOFF {
                    error!(error = %why, "{what} cannot be opened; trying again until it can");
                }
                tokio::select! {
                    () = tokio::time::sleep(backoff) => backoff = (backoff * 2).min(LONGEST_BACKOFF),
                    () = start.stop.cancelled() => return Ok(None),
                }
            }
            Err(why) => return Err(why),
        }
    }
}

/// Listens for `/healthz`, `/readyz` and `/metrics`. A drain goes on without them if the port is taken,
/// most likely by the worker that serves the same machine.
async fn listener(address: SocketAddr, mode: Mode) -> anyhow::Result<Option<TcpListener>> {
    match TcpListener::bind(address).await {
        Ok(listener) => Ok(Some(listener)),
        Err(why) if mode == Mode::Drain => {
            warn!(error = %why, "no /healthz, /readyz and /metrics on {address} (worker.admin_listen)");
            Ok(None)
        }
        Err(why) => Err(why).with_context(|| {
            format!("worker.admin_listen: cannot listen on {address}: choose another address, or port 0 for any that is free")
        }),
    }
}

/// Serves how we are as long as the program runs, the times of starting and stopping included.
fn serve(listener: Option<TcpListener>, status: Status) {
    let Some(listener) = listener else { return };
    if let Ok(address) = listener.local_addr() {
        info!("state on http://{address}: /healthz, /readyz, /metrics");
    }
    tokio::spawn(admin::serve(listener, status, CancellationToken::new()));
}

fn text(summary: &Summary) -> String {
    let Summary {
        received,
        attempts,
        delivered,
        held,
        dead_lettered,
        expiring,
        duration_s,
    } = summary;
    let in_time = match expiring {
        0 => String::new(),
        _ => format!(" ({expiring} before the queue would have dropped them)"),
    };
    format!(
        "{delivered} delivered, {dead_lettered} dead-lettered{in_time}, {attempts} attempts, in {duration_s:.1} s ({received} receives, of which {held} went back to the queue to wait)"
    )
}
