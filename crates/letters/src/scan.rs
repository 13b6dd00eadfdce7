//! A scan of the internal queue: receive all there is, show each letter once, give all back.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::time::Duration;

use queue::{Counts, MAX_BATCH, Queue, QueueError, ReceiveOptions, Received};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::Letter;
use crate::arrivals::{Arrival, Arrivals};
use crate::held::Held;
use crate::report::{End, Report};

/// The most messages one scan receives. SQS lets 120,000 of a queue be in flight.
pub const MOST_MESSAGES: usize = 100_000;

/// Receives at the same time, as long as all of them bring something.
const RECEIVES: usize = 4;

/// After so many receives in a row that bring nothing, there is nothing more to see.
const EMPTY_RECEIVES: u32 = 2;

/// So many in a row may bring only what came since the scan began, while less has been seen than was counted then:
/// SQS hands out in any order. Once as much has been seen, [`EMPTY_RECEIVES`].
const NEWER_RECEIVES: u32 = 10;

/// So many in a row may bring a few letters each of which no time tells whether they came since.
const UNTOLD_RECEIVES: u32 = 30;

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

/// Shows every dead letter that is there when it begins, and that it can get hold of, to `look`, each once, until
/// there are no more, `look` breaks (and says how the scan ends) or `stop` is cancelled. What comes meanwhile is
/// counted and not shown: the scan ends while letters arrive. Then, whatever ended it, everything is given back. What
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
    /// Letters shown, and letters that came since.
    seen: HashSet<String>,
    came_since: usize,
    arrivals: Arrivals,
    /// The shared group of each letter seen that lies in one.
    pub(crate) shared: HashMap<String, String>,
}

impl Sweep {
    /// Reads the queue's counts; nothing is received yet.
    pub(crate) async fn begin(queue: &Queue, options: ScanOptions) -> Result<Self, QueueError> {
        let counts = queue.counts().await?;
        Ok(Self {
            counts,
            came_since: 0,
            arrivals: Arrivals::begin(counts, queue.is_fifo()),
            queue: queue.clone(),
            held: Held::new(queue, options.lease),
            options,
            received: 0,
            seen: HashSet::new(),
            shared: HashMap::new(),
        })
    }

    /// Receives until nothing more comes that was there at the beginning; everything stays held. May be run again:
    /// what has become visible since is shown then.
    pub(crate) async fn run(
        &mut self,
        stop: &CancellationToken,
        mut look: impl FnMut(Letter) -> ControlFlow<End>,
    ) -> End {
        let (mut receives, mut streak) = (1, Streak::default());
        while !streak.is_over(self.arrivals.is_all(self.shown() as u64)) {
            if stop.is_cancelled() {
                return End::Stopped;
            }
            if self.received >= self.options.most {
                return End::Full;
            }
            let asked = self.arrivals.began().elapsed();
            let round = self.receive(receives).await;
            let all_brought = round
                .iter()
                .all(|(_, r)| matches!(r, Ok(messages) if !messages.is_empty()));
            receives = if all_brought { RECEIVES } else { 1 };
            for (answered, messages) in &round {
                let answered = *answered - self.arrivals.began();
                let messages = messages.iter().flatten();
                messages.for_each(|message| self.arrivals.learn(message, asked, answered));
            }
            let (mut brought, mut end) = (Brought::default(), None);
            for (_, messages) in round {
                match messages {
                    Ok(messages) => {
                        if let ControlFlow::Break(why) =
                            self.show(messages, &mut brought, &mut look)
                        {
                            end = Some(why);
                        }
                    }
                    Err(error) => end = end.or(Some(End::Failed(error))),
                }
            }
            self.received += brought.messages;
            if let Some(end) = end {
                return end;
            }
            streak.add(&brought);
            self.held.extend().await;
        }
        End::Empty
    }

    fn shown(&self) -> usize {
        self.seen.len() - self.came_since
    }

    pub(crate) fn report(&self, end: End, kept: usize) -> Report {
        Report {
            seen: self.shown(),
            came_since: self.came_since,
            counts: self.counts,
            shared_groups: self.shared.values().cloned().collect(),
            end,
            lease: self.options.lease,
            kept,
        }
    }

    /// So many receives at once, all waited for: what an abandoned one brought would stay hidden. Each with the moment
    /// at which its answer came.
    async fn receive(&self, receives: usize) -> Vec<(Instant, Result<Vec<Received>, QueueError>)> {
        let options = ReceiveOptions {
            max: MAX_BATCH,
            wait: self.options.wait,
            visibility: self.options.lease,
        };
        let mut running = JoinSet::new();
        for _ in 0..receives {
            let queue = self.queue.clone();
            running.spawn(async move {
                let received = queue.receive(options).await;
                (Instant::now(), received)
            });
        }
        running.join_all().await
    }

    fn show(
        &mut self,
        messages: Vec<Received>,
        brought: &mut Brought,
        look: &mut impl FnMut(Letter) -> ControlFlow<End>,
    ) -> ControlFlow<End> {
        // All are held before one is shown: whatever `look` does, all are given back.
        messages.iter().for_each(|message| self.held.add(message));
        let together = messages.len();
        brought.messages += together;
        brought.is_full |= together == MAX_BATCH;
        for message in messages {
            // Seen before: its lease was lost and it came again.
            if !self.seen.insert(message.message_id.clone()) {
                brought.told += 1;
                continue;
            }
            let shown = self.shown() as u64 - 1;
            let arrival = self.arrivals.judge(&message, together, shown);
            let letter = Letter::read(message);
            // What came since, too: as long as it is held, SQS hides the others of its group.
            if let Some(group) = letter.shared_group() {
                let id = letter.message.message_id.clone();
                self.shared.insert(id, group.to_owned());
            }
            match arrival {
                Arrival::Before => brought.told += 1,
                Arrival::Counted => brought.untold += 1,
                Arrival::Since => {
                    self.came_since += 1;
                    continue;
                }
            }
            look(letter)?;
        }
        ControlFlow::Continue(())
    }
}

/// What the receives of one round brought.
#[derive(Debug, Default)]
struct Brought {
    messages: usize,
    /// Of these, how many were there at the beginning.
    told: usize,
    /// How many may have been.
    untold: usize,
    /// Whether one of the receives brought as many as it could.
    is_full: bool,
}

/// Rounds in a row that brought nothing of what was there at the beginning, or nothing of which that is sure.
#[derive(Debug, Default)]
struct Streak {
    empty: u32,
    newer: u32,
    untold: u32,
}

impl Streak {
    fn add(&mut self, brought: &Brought) {
        match brought {
            Brought { messages: 0, .. } => self.empty += 1,
            Brought {
                told: 0, untold: 0, ..
            } => self.newer += 1,
            Brought {
                told: 0,
                is_full: false,
                ..
            } => (self.empty, self.newer, self.untold) = (0, 0, self.untold + 1),
            _ => *self = Self::default(),
        }
    }

    fn is_over(&self, all_seen: bool) -> bool {
        let most_newer = if all_seen {
            EMPTY_RECEIVES
        } else {
            NEWER_RECEIVES
        };
        self.empty >= EMPTY_RECEIVES
            || self.empty + self.newer >= most_newer
            || self.untold >= UNTOLD_RECEIVES
    }
}
