//! How many messages both queues hold: asked of SQS at most every few seconds, however many pages are open.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use queue::{Counts, Queue};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::{Console, layout};

/// How long an answer of SQS is shown before it is asked again.
const FRESH: Duration = Duration::from_secs(5);

/// How long a page waits for SQS: it must come, and say so, while SQS does not answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// Between two refreshes of an open page, in seconds.
pub(super) const REFRESH_S: u64 = 10;

/// What SQS said last, and when.
#[derive(Debug, Default)]
pub(super) struct CountsCache(Mutex<Option<(Instant, BothCounts)>>);

/// The counts of both queues, or why they cannot be read.
#[derive(Debug, Clone)]
pub(super) struct BothCounts {
    pub(super) source: Result<Counts, String>,
    pub(super) dead_letters: Result<Counts, String>,
}

impl Console {
    /// The counts of both queues. Whoever asks while SQS is being asked waits for that answer.
    pub(super) async fn counts(&self) -> BothCounts {
        let mut cache = self.counts.0.lock().await;
        if let Some((at, counts)) = &*cache
            && at.elapsed() < FRESH
        {
            return counts.clone();
        }
        let (source, dead_letters) =
            tokio::join!(ask(&self.queues.source), ask(&self.queues.dead_letters));
        let counts = BothCounts {
            source,
            dead_letters,
        };
        *cache = Some((Instant::now(), counts.clone()));
        counts
    }

    /// Has SQS asked again: we changed what it counts.
    pub(super) async fn forget_counts(&self) {
        *self.counts.0.lock().await = None;
    }
}

async fn ask(queue: &Queue) -> Result<Counts, String> {
    match timeout(PATIENCE, queue.counts()).await {
        Ok(counts) => counts.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer of SQS within {} s", PATIENCE.as_secs())),
    }
}

/// The counts alone: what an open page refreshes itself with.
pub(super) async fn show(State(console): State<Arc<Console>>) -> Response {
    layout::fragment(render(&console).await)
}

/// Both queues, side by side.
pub(super) async fn render(console: &Console) -> Markup {
    let counts = console.counts().await;
    html! {
        (card("Queue", "source", &console.queues.source, &counts.source))
        (card("Internal queue", "internal", &console.queues.dead_letters, &counts.dead_letters))
    }
}

fn card(title: &str, id: &str, queue: &Queue, counts: &Result<Counts, String>) -> Markup {
    html! {
        section.card.queue id=(format!("queue-{id}")) aria-labelledby=(format!("queue-{id}-title")) {
            h2 id=(format!("queue-{id}-title")) { (title) " " span.name { (name(queue)) } }
            @match counts {
                Ok(counts) => {
                    dl.numbers {
                        (number("visible", "Visible", counts.visible))
                        (number("in-flight", "In flight", counts.not_visible))
                        (number("delayed", "Delayed", counts.delayed))
                    }
                }
                Err(error) => p.problem { "Cannot be counted: " (layout::strange(error)) }
            }
        }
    }
}

fn number(class: &str, title: &str, number: u64) -> Markup {
    html! {
        div class=(class) { dt { (title) } dd { (layout::grouped(number)) } }
    }
}

/// The last part of the URL: what people call the queue.
pub(super) fn name(queue: &Queue) -> &str {
    let url = queue.url();
    url.rsplit('/').next().unwrap_or(url)
}
