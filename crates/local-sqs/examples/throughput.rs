//! Measures messages per second over HTTP through the AWS SDK, server and client in one process with a thread each:
//! `cargo run --release -p local-sqs --example throughput [MESSAGES]`.
//!
//! First `SendMessageBatch` of ten, then receives of ten with `DeleteMessageBatch`, over 200 groups.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region, StalledStreamProtectionConfig};
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, SendMessageBatchRequestEntry};
use local_sqs::{Limits, LocalSqs};
use tokio_util::sync::CancellationToken;

type Failure = Box<dyn std::error::Error + Send + Sync>;

const GROUPS: usize = 200;
const CALLERS: usize = 16;
const BATCH: usize = 10;
const BODY_BYTES: usize = 400;

fn main() -> Result<(), Failure> {
    let messages = match std::env::args().nth(1) {
        Some(count) => count.parse()?,
        None => 200_000,
    };
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
    };
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let endpoint = format!("http://{}", listener.local_addr()?);
    let stop = CancellationToken::new();
    let (server, stopped) = (runtime()?, stop.clone());
    let server = std::thread::spawn(move || {
        server.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            LocalSqs::new(Limits::default())
                .serve(listener, stopped)
                .await
        })
    });
    let result = runtime()?.block_on(measure(&endpoint, messages));
    stop.cancel();
    server.join().map_err(|_| "the server panicked")??;
    result
}

async fn measure(endpoint: &str, messages: usize) -> Result<(), Failure> {
    let config = aws_sdk_sqs::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("local", "local", None, None, "throughput"))
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .endpoint_url(endpoint)
        .build();
    let client = Client::from_conf(config);
    let create = client.create_queue().queue_name("throughput.fifo");
    let create = create.attributes("FifoQueue".into(), "true");
    let create = create.attributes("DeduplicationScope".into(), "messageGroup");
    let url: Arc<str> = create.send().await?.queue_url.ok_or("no queue URL")?.into();

    report(
        "sent",
        messages,
        side_by_side(&client, &url, messages, send),
    )
    .await?;
    report(
        "received and deleted",
        messages,
        side_by_side(&client, &url, messages, take),
    )
    .await
}

async fn report(
    what: &str,
    messages: usize,
    work: impl Future<Output = Result<(), Failure>>,
) -> Result<(), Failure> {
    let start = Instant::now();
    work.await?;
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{messages} messages {what} in {seconds:.2} s: {:.0} messages/s",
        messages as f64 / seconds
    );
    Ok(())
}

/// Runs `work` for every batch, [`CALLERS`] at a time.
async fn side_by_side<F>(
    client: &Client,
    url: &Arc<str>,
    messages: usize,
    work: fn(Client, Arc<str>, usize) -> F,
) -> Result<(), Failure>
where
    F: Future<Output = Result<usize, Failure>> + Send + 'static,
{
    let done = Arc::new(AtomicUsize::new(0));
    let batches = Arc::new(AtomicUsize::new(0));
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..CALLERS {
        let (client, url, done, batches) =
            (client.clone(), url.clone(), done.clone(), batches.clone());
        callers.spawn(async move {
            while done.load(Ordering::Relaxed) < messages {
                let batch = batches.fetch_add(1, Ordering::Relaxed);
                let count = work(client.clone(), url.clone(), batch).await?;
                done.fetch_add(count, Ordering::Relaxed);
            }
            Ok::<(), Failure>(())
        });
    }
    while let Some(caller) = callers.join_next().await {
        caller??;
    }
    Ok(())
}

async fn send(client: Client, url: Arc<str>, batch: usize) -> Result<usize, Failure> {
    let entry = |n: usize| {
        let number = batch * BATCH + n;
        SendMessageBatchRequestEntry::builder()
            .id(n.to_string())
            .message_body("x".repeat(BODY_BYTES))
            .message_group_id(format!("EventSetup_{}", number % GROUPS))
            .message_deduplication_id(number.to_string())
            .build()
    };
    let entries = (0..BATCH).map(entry).collect::<Result<Vec<_>, _>>()?;
    let sent = client
        .send_message_batch()
        .queue_url(&*url)
        .set_entries(Some(entries))
        .send()
        .await?;
    Ok(sent.successful.len())
}

async fn take(client: Client, url: Arc<str>, _: usize) -> Result<usize, Failure> {
    let receive = client
        .receive_message()
        .queue_url(&*url)
        .max_number_of_messages(BATCH as i32);
    let messages = receive
        .wait_time_seconds(1)
        .send()
        .await?
        .messages
        .unwrap_or_default();
    if messages.is_empty() {
        return Ok(0);
    }
    let entry = |(n, message): (usize, aws_sdk_sqs::types::Message)| {
        DeleteMessageBatchRequestEntry::builder()
            .id(n.to_string())
            .set_receipt_handle(message.receipt_handle)
            .build()
    };
    let entries = messages
        .into_iter()
        .enumerate()
        .map(entry)
        .collect::<Result<Vec<_>, _>>()?;
    let deleted = client
        .delete_message_batch()
        .queue_url(&*url)
        .set_entries(Some(entries))
        .send()
        .await?;
    Ok(deleted.successful.len())
}
