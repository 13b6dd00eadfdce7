//! A second shell around the lanes: it takes one batch from the source queue, delivers it, and says what it leaves there and
//! why. A function does the same with the messages that it is handed. Configured by the `HOOKLANE_…` variables alone.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::anyhow;
use config::{Environment, Source};
use consumer::post::HttpPost;
use consumer::{Batches, Left, Why, Wiring};
use queue::admin::{retention, usable_pair};
use queue::{MAX_BATCH, Queue, ReceiveOptions, Sqs};
use store::Ledger;

/// How long the receive waits for messages.
const WAIT: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("batch-shell: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let left = runtime.block_on(deliver_one_batch())?;
    let mut output = std::io::stdout().lock();
    for left in &left {
        writeln!(output, "{}", line(left))?;
    }
    Ok(())
}

fn line(left: &Left) -> serde_json::Value {
    let why = match left.why {
        Why::Settled => "settled",
        Why::Waits(_) => "waits",
        Why::GivenBack => "given back",
        Why::Down => "the ledger or the internal queue is down",
        Why::Short => "this machine lacks what a request needs",
        Why::Lost => "no longer ours",
        Why::Defect => "a defect",
    };
    let wait_s = match left.why {
        Why::Waits(wait) => Some(wait.as_secs_f64()),
        _ => None,
    };
    serde_json::json!({"message_ids": left.message_ids, "why": why, "wait_s": wait_s})
}

async fn deliver_one_batch() -> anyhow::Result<Vec<Left>> {
    let config = config::work(&Source::load(None, Environment::of_process())?)?;
    let settings = config.settings();
    let sqs = Sqs::from_env().await;
    let source = Queue::open(&sqs, &config.queues.url).await?;
    let dead_letters = Queue::open(&sqs, &config.queues.dead_letter_url).await?;
    usable_pair(&source, &dead_letters, config.schedule.longest_life())
        .map_err(|why| anyhow!("the queues cannot be worked with: {why:?}"))?;
    let kept = retention(&source, &dead_letters);
    let ledger = Ledger::open(&config.worker.ledger, kept).await?;
    let options = ReceiveOptions {
        max: MAX_BATCH,
        wait: WAIT,
        visibility: settings.visibility_timeout,
    };
    let messages = source.receive(options).await?;
    let wiring = Wiring {
        source,
        dead_letters,
        ledger,
        post: HttpPost::new(config.endpoint)?,
        clock: sqs.clock().clone(),
    };
    Ok(Batches::new(settings, wiring).deliver(messages).await)
}
