//! The long-poll loop: receive as much as there is room for, split it into lanes, let them run.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use delivery::Lane;
use queue::{MAX_BATCH, MAX_WAIT_S, QueueError, ReceiveOptions, Received};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::sleep;
use tokio_util::task::TaskTracker;

use super::health::Health;
use crate::lanes;
use crate::lanes::bytes::{Reserved, Room};
use crate::lanes::lease::{Held, Lease};
use crate::lanes::settler::Settler;
use crate::lanes::shared::Shared;
use crate::post::Post;
use crate::settings::Mode;
use crate::tally::InHand;

/// The most long polls at the same time.
const MOST_POLLERS: usize = 32;

/// Backoff of receives that fail.
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);

/// Long polls while draining: short, so that the end is seen soon.
const DRAIN_WAIT: Duration = Duration::from_secs(1);

/// Polls, and the lanes that they brought.
pub(super) struct Poller<P> {
    shared: Arc<Shared<P>>,
    settler: Settler,
    bytes: Room,
    wait: Duration,
    /// How many poll at present.
    pollers: AtomicUsize,
    polls: TaskTracker,
    lanes: TaskTracker,
    health: Health,
}

/// Polls until the worker stops. Answers that come back full bring another poller, empty ones end all but
/// the last.
fn poll<P: Post>(poller: Arc<Poller<P>>) -> impl Future<Output = ()> + Send {
    // Boxed, since it starts more of itself.
    let polling: std::pin::Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(async move {
        let mut backoff = FIRST_BACKOFF;
        loop {
            let (room, bytes) = tokio::select! {
                biased;
                () = poller.shared.stop.cancelled() => return,
                room = poller.room() => room,
            };
            let asked = room.num_permits();
            match poller.receive(asked).await {
                Ok(messages) => {
                    backoff = FIRST_BACKOFF;
                    poller.health.received();
                    let brought = messages.len();
                    poller.start_lanes(messages, room, bytes).await;
                    if brought == asked && poller.one_more() {
                        poller.polls.spawn(poll(poller.clone()));
                    }
                    if brought == 0 && poller.one_less() {
                        return;
                    }
                }
                Err(error) => {
                    drop((room, bytes));
                    poller.health.failed(&error);
                    tokio::select! {
                        biased;
                        () = poller.shared.stop.cancelled() => return,
                        () = sleep(backoff) => backoff = (backoff * 2).min(LONGEST_BACKOFF),
                    }
                }
            }
        }
    });
    polling
}

impl<P: Post> Poller<P> {
    /// Polls until the worker stops.
    pub(super) fn start(
        shared: Arc<Shared<P>>,
        settler: Settler,
        health: Health,
        mode: Mode,
    ) -> Arc<Self> {
        let limits = shared.limits;
        let poller = Arc::new(Self {
            bytes: Room::new(
                limits.max_bytes_in_flight,
                shared.source.attributes().maximum_message_size,
            ),
            wait: longest_wait(mode, limits.visibility_timeout),
            lanes: TaskTracker::new(),
            pollers: AtomicUsize::new(1),
            polls: TaskTracker::new(),
            health,
            settler,
            shared,
        });
        poller.polls.spawn(poll(poller.clone()));
        poller
    }

    /// How long a poll may take.
    pub(super) fn wait(&self) -> Duration {
        self.wait
    }

    /// Waits for the end of the polls, and then of the lanes.
    pub(super) async fn ended(&self) {
        self.polls.close();
        self.polls.wait().await;
        self.lanes.close();
        self.lanes.wait().await;
    }

    /// Waits until the gate is open and there is room, for ten lanes if that comes soon: a message that is
    /// received can always be started. As many bytes are reserved as so many messages may have.
    async fn room(&self) -> (OwnedSemaphorePermit, Reserved) {
        loop {
            self.shared.gate.opened().await;
            let full = MAX_BATCH.min(self.shared.limits.max_in_flight) as u32;
            let mut room = self.shared.starting.lanes(full).await;
            let (messages, bytes) = self.bytes.reserve(room.num_permits()).await;
            room = room.split(messages).expect("no more than asked for");
            // It may have closed meanwhile.
            if self.shared.gate.is_open() {
                return (room, bytes);
            }
        }
    }

    fn one_more(&self) -> bool {
        let more = |pollers| (pollers < MOST_POLLERS).then_some(pollers + 1);
        self.pollers.fetch_update(Relaxed, Relaxed, more).is_ok()
    }

    /// The last poller stays: of two that find nothing at the same time one does.
    fn one_less(&self) -> bool {
        let less = |pollers| (pollers > 1).then_some(pollers - 1);
        self.pollers.fetch_update(Relaxed, Relaxed, less).is_ok()
    }

    async fn receive(&self, max: usize) -> Result<Vec<Received>, QueueError> {
        let options = ReceiveOptions {
            max,
            wait: self.wait,
            visibility: self.shared.limits.visibility_timeout,
        };
        self.shared.source.receive(options).await
    }

    async fn start_lanes(
        &self,
        messages: Vec<Received>,
        mut room: OwnedSemaphorePermit,
        mut bytes: Reserved,
    ) {
        let held = messages.into_iter().map(|message| Held {
            bytes: bytes.part(&message),
            message,
            in_hand: InHand::new(&self.shared.tally),
        });
        let held = held.collect();
        drop(bytes);
        let group_of = |held: &Held| self.shared.ordered_group(&held.message).map(str::to_owned);
        for lane in Lane::split(held, group_of) {
            // No more lanes come than there is room for, unless a queue gives more messages than asked for.
            let Some(permit) = room.split(1) else {
                self.give_back(lane).await;
                continue;
            };
            let run = lanes::run(self.shared.clone(), self.settler.clone(), lane);
            self.lanes.spawn(async move {
                run.await;
                drop(permit);
            });
        }
    }

    async fn give_back(&self, lane: Lane<Held>) {
        let visibility = self.shared.limits.visibility_timeout;
        if let Some(lease) = Lease::of(lane, self.shared.source.clone(), visibility) {
            lease.leave(Lane::give_back).await;
        }
    }
}

/// How long a poll may wait. A lease counts from the moment the poll began: half of it is left of one that
/// SQS gives at the poll's end.
fn longest_wait(mode: Mode, visibility: Duration) -> Duration {
    match mode {
        Mode::Drain => DRAIN_WAIT,
        Mode::Serve => Duration::from_secs(MAX_WAIT_S).min(visibility / 2),
    }
}
