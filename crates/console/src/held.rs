//! What a scan holds: receipt handles and their leases, extended while it runs and given back at its end.

use std::collections::VecDeque;
use std::time::Duration;

use queue::{EntryErrorKind, MAX_BATCH, Queue, Received};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Batch calls at the same time.
const CALLS: usize = 8;

/// Tries of one batch when giving back, and the wait before the second; it doubles.
const TRIES: u32 = 4;
const BEFORE_THE_SECOND: Duration = Duration::from_millis(250);

/// The messages a scan holds, the one whose lease ends first at the front.
pub(crate) struct Held {
    queue: Queue,
    lease: Duration,
    messages: VecDeque<Message>,
}

struct Message {
    handle: String,
    lease_until: Instant,
}

impl Held {
    pub(crate) fn new(queue: &Queue, lease: Duration) -> Self {
        Self {
            queue: queue.clone(),
            lease,
            messages: VecDeque::new(),
        }
    }

    pub(crate) fn add(&mut self, message: &Received) {
        self.messages.push_back(Message {
            handle: message.receipt_handle.clone(),
            lease_until: message.lease_until,
        });
    }

    /// Extends every lease of which less than half is left. One that cannot be extended now keeps its end; one
    /// that is lost is let go: the message is back in the queue.
    pub(crate) async fn extend(&mut self) {
        let due = Instant::now() + self.lease / 2;
        let mut batches = Vec::new();
        while self.messages.front().is_some_and(|m| m.lease_until <= due) {
            let size = self.messages.len().min(MAX_BATCH);
            batches.push(self.messages.drain(..size).collect());
        }
        if batches.is_empty() {
            return;
        }
        let (queue, lease) = (self.queue.clone(), self.lease);
        let extended =
            concurrently(batches, move |batch| extend(queue.clone(), batch, lease)).await;
        self.messages.extend(extended.into_iter().flatten());
        self.messages
            .make_contiguous()
            .sort_by_key(|m| m.lease_until);
    }

    /// Gives everything back, what was received last first. Says how many messages could not be given back; they
    /// come back by themselves when their leases end.
    pub(crate) async fn give_back(self) -> usize {
        let mut handles = self.messages.into_iter().rev().map(|m| m.handle).peekable();
        let mut batches = Vec::new();
        while handles.peek().is_some() {
            batches.push(handles.by_ref().take(MAX_BATCH).collect());
        }
        let queue = self.queue;
        let kept = concurrently(batches, move |batch| give_back(queue.clone(), batch)).await;
        kept.into_iter().sum()
    }
}

async fn extend(queue: Queue, batch: Vec<Message>, lease: Duration) -> Vec<Message> {
    let lease_until = Instant::now() + lease;
    let changes: Vec<_> = batch.iter().map(|m| (m.handle.as_str(), lease)).collect();
    let Ok(answers) = queue.change_visibility_batch(&changes).await else {
        return batch;
    };
    let answered = batch.into_iter().zip(answers);
    let held = answered.filter_map(|(message, answer)| match answer {
        Ok(()) => Some(Message {
            lease_until,
            ..message
        }),
        Err(error) if error.kind() == EntryErrorKind::HandleLost => None,
        Err(_) => Some(message),
    });
    held.collect()
}

async fn give_back(queue: Queue, mut handles: Vec<String>) -> usize {
    let mut wait = BEFORE_THE_SECOND;
    for attempt in 1..=TRIES {
        let changes: Vec<_> = handles
            .iter()
            .map(|h| (h.as_str(), Duration::ZERO))
            .collect();
        if let Ok(answers) = queue.change_visibility_batch(&changes).await {
            let mut answers = answers.into_iter();
            // A lost handle is a message that is back already.
            handles.retain(|_| matches!(answers.next(), Some(Err(e)) if e.kind() != EntryErrorKind::HandleLost));
        }
        if handles.is_empty() || attempt == TRIES {
            break;
        }
        tokio::time::sleep(wait).await;
        wait *= 2;
    }
    handles.len()
}

/// Runs a job per batch, [`CALLS`] at a time, begun in the order given.
async fn concurrently<B, T, F>(batches: Vec<B>, job: impl Fn(B) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let (mut running, mut done) = (JoinSet::new(), Vec::new());
    for batch in batches {
        if running.len() == CALLS {
            done.extend(running.join_next().await.and_then(Result::ok));
        }
        running.spawn(job(batch));
    }
    done.extend(running.join_all().await);
    done
}
