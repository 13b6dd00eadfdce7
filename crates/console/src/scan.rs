//! A scan of the internal queue: receive all there is, show each letter once, give all back.

use std::collections::{BTreeSet, HashSet};
use std::ops::ControlFlow;
use std::time::Duration;

use queue::{MAX_BATCH, Queue, QueueError, ReceiveOptions, Received};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::Letter;
use crate::held::Held;
use crate::report::{End, Report};

/// The most messages one scan receives. SQS lets 120,000 of a queue be in flight.
pub const MOST_MESSAGES: usize = 100_000;

/// Receives at the same time, as long as all of them bring something.
const RECEIVES: usize = 4;

/// After so many receives in a row that bring nothing, there is nothing more to see.
const EMPTY_RECEIVES: u32 = 2;

/// How a scan goes about it.
#[derive(Debug, Clone, Copy)]
pub struct ScanOptions {
    /// The most messages to receive.
    pub most: usize,
    /// How long one receive waits for a message, in whole seconds.
    pub wait: Duration,
    /// For how long what was received is hidden from others if this program dies; extended while the scan runs.
    pub lease: Duration,
}

impl Default for ScanOptions {
    fn default() -> Self {
        Self {
            most: MOST_MESSAGES,
            wait: Duration::from_secs(1),
            lease: Duration::from_secs(300),
        }
    }
}

/// Shows every dead letter it can get hold of to `look`, each once, until there are no more, `look` breaks or
/// `stop` is cancelled. Then, whatever ended it, everything is given back. What broke off the scan is in the
/// report, since what was seen until then is worth having.
///
/// Do not drop this future while it runs: what it holds would stay hidden until the leases end.
///
/// # Errors
/// When the queue's counts cannot be read; nothing has been received then.
pub async fn scan(
    queue: &Queue,
    options: ScanOptions,
    stop: &CancellationToken,
    look: impl FnMut(Letter) -> ControlFlow<()>,
) -> Result<Report, QueueError> {
    let counts = queue.counts().await?;
    let mut scan = Scan {
        queue,
        options,
        held: Held::new(queue, options.lease),
        seen: HashSet::new(),
        shared_groups: BTreeSet::new(),
        look,
    };
    let end = scan.run(stop).await.unwrap_or_else(End::Failed);
    Ok(Report {
        seen: scan.seen.len(),
        counts,
        shared_groups: scan.shared_groups,
        end,
        lease: options.lease,
        kept: scan.held.give_back().await,
    })
}

struct Scan<'a, L> {
    queue: &'a Queue,
    options: ScanOptions,
    held: Held,
    seen: HashSet<String>,
    shared_groups: BTreeSet<String>,
    look: L,
}

impl<L: FnMut(Letter) -> ControlFlow<()>> Scan<'_, L> {
    async fn run(&mut self, stop: &CancellationToken) -> Result<End, QueueError> {
        let (mut received, mut receives, mut empty) = (0, 1, 0);
        while empty < EMPTY_RECEIVES {
            if stop.is_cancelled() {
                return Ok(End::Stopped);
            }
            if received >= self.options.most {
                return Ok(End::Full);
            }
            let round = self.receive(receives).await;
            let all_brought = round
                .iter()
                .all(|r| matches!(r, Ok(messages) if !messages.is_empty()));
            receives = if all_brought { RECEIVES } else { 1 };
            let before = received;
            let mut found = false;
            let mut failed = None;
            for messages in round {
                match messages {
                    Ok(messages) => {
                        received += messages.len();
                        found |= self.show(messages).is_break();
                    }
                    Err(error) => failed = Some(error),
                }
            }
            match failed {
                _ if found => return Ok(End::Found),
                Some(error) => return Err(error),
                None if received == before => empty += 1,
                None => empty = 0,
            }
            self.held.extend().await;
        }
        Ok(End::Empty)
    }

    /// So many receives at once, all waited for: what an abandoned one brought would stay hidden.
    async fn receive(&self, receives: usize) -> Vec<Result<Vec<Received>, QueueError>> {
        let options = ReceiveOptions {
            max: MAX_BATCH,
            wait: self.options.wait,
            visibility: self.options.lease,
        };
        let mut running = JoinSet::new();
        for _ in 0..receives {
            let queue = self.queue.clone();
            running.spawn(async move { queue.receive(options).await });
        }
        running.join_all().await
    }

    fn show(&mut self, messages: Vec<Received>) -> ControlFlow<()> {
        // All are held before one is shown: whatever `look` does, all are given back.
        messages.iter().for_each(|message| self.held.add(message));
        for message in messages {
            // Seen before: its lease was lost and it came again.
            if !self.seen.insert(message.message_id.clone()) {
                continue;
            }
            let letter = Letter::read(message);
            if let Some(group) = letter.shared_group() {
                self.shared_groups.insert(group.to_owned());
            }
            (self.look)(letter)?;
        }
        ControlFlow::Continue(())
    }
}
