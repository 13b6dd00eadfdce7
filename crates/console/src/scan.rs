//! A scan of the internal queue: receive all there is, show each letter once, give all back.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::time::Duration;

use queue::{Counts, MAX_BATCH, Queue, QueueError, ReceiveOptions, Received};
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

/// Shows every dead letter it can get hold of to `look`, each once, until there are no more, `look` breaks
/// (and says how the scan ends) or `stop` is cancelled. Then, whatever ended it, everything is given back. What
/// broke off the scan is in the report, since what was seen until then is worth having.
///
/// Do not drop this future while it runs: what it holds would stay hidden until the leases end.
///
/// # Errors
/// When the queue's counts cannot be read; nothing has been received then.
pub async fn scan(
    queue: &Queue,
    options: ScanOptions,
    stop: &CancellationToken,
    look: impl FnMut(Letter) -> ControlFlow<End>,
) -> Result<Report, QueueError> {
    let mut sweep = Sweep::begin(queue, options).await?;
    let end = sweep.run(stop, look).await;
    let kept = sweep.held.give_back().await;
    Ok(sweep.report(end, kept))
}

/// A scan under way: what it saw and holds.
pub(crate) struct Sweep {
    pub(crate) queue: Queue,
    pub(crate) held: Held,
    options: ScanOptions,
    counts: Counts,
    received: usize,
    seen: HashSet<String>,
    /// The shared group of each letter seen that lies in one.
    pub(crate) shared: HashMap<String, String>,
}

impl Sweep {
    /// Reads the queue's counts; nothing is received yet.
    pub(crate) async fn begin(queue: &Queue, options: ScanOptions) -> Result<Self, QueueError> {
        Ok(Self {
            counts: queue.counts().await?,
            queue: queue.clone(),
            held: Held::new(queue, options.lease),
            options,
            received: 0,
            seen: HashSet::new(),
            shared: HashMap::new(),
        })
    }

    /// Receives until nothing more comes; everything stays held. May be run again: what has become visible since
    /// is shown then.
    pub(crate) async fn run(
        &mut self,
        stop: &CancellationToken,
        mut look: impl FnMut(Letter) -> ControlFlow<End>,
    ) -> End {
        let (mut receives, mut empty) = (1, 0);
        while empty < EMPTY_RECEIVES {
            if stop.is_cancelled() {
                return End::Stopped;
            }
            if self.received >= self.options.most {
                return End::Full;
            }
            let round = self.receive(receives).await;
            let all_brought = round
                .iter()
                .all(|r| matches!(r, Ok(messages) if !messages.is_empty()));
            receives = if all_brought { RECEIVES } else { 1 };
            let before = self.received;
            let mut end = None;
            for messages in round {
                match messages {
                    Ok(messages) => {
                        self.received += messages.len();
                        if let ControlFlow::Break(why) = self.show(messages, &mut look) {
                            end = Some(why);
                        }
                    }
                    Err(error) => end = end.or(Some(End::Failed(error))),
                }
            }
            match end {
                Some(end) => return end,
                None if self.received == before => empty += 1,
                None => empty = 0,
            }
            self.held.extend().await;
        }
        End::Empty
    }

    pub(crate) fn report(&self, end: End, kept: usize) -> Report {
        Report {
            seen: self.seen.len(),
            counts: self.counts,
            shared_groups: self.shared.values().cloned().collect(),
            end,
            lease: self.options.lease,
            kept,
        }
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

    fn show(
        &mut self,
        messages: Vec<Received>,
        look: &mut impl FnMut(Letter) -> ControlFlow<End>,
    ) -> ControlFlow<End> {
        // All are held before one is shown: whatever `look` does, all are given back.
        messages.iter().for_each(|message| self.held.add(message));
        for message in messages {
            // Seen before: its lease was lost and it came again.
            if !self.seen.insert(message.message_id.clone()) {
                continue;
            }
            let letter = Letter::read(message);
            if let Some(group) = letter.shared_group() {
                let id = letter.message.message_id.clone();
                self.shared.insert(id, group.to_owned());
            }
            look(letter)?;
        }
        ControlFlow::Continue(())
    }
}
