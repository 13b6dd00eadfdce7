//! The worker: put together, run, stopped and drained, with the looks that it takes from time to time.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use super::health::Health;
use super::poller::Poller;
use crate::lanes::settler::Settler;
use crate::lanes::shared::{Shared, Wiring};
use crate::post::Post;
use crate::settings::{Mode, Settings, Summary};
use crate::tally::Tally;
use crate::watch::BETWEEN_LOOKS;

/// Between two readings of the queue's counts while draining.
const DRAIN_LOOK: Duration = Duration::from_secs(2);

/// Between two looks for records that have expired.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(3600);

/// At shutdown: how long settling may take after the last lane ended, and how long a worker waits for answers
/// of SQS or the ledger that are overdue. With the default grace of 25 s a worker ends within the 30 s that
/// ECS gives it ([stopTimeout]).
///
/// [stopTimeout]: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html
const SETTLE_GRACE: Duration = Duration::from_secs(2);

/// A worker, ready to run.
pub struct Worker<P> {
    shared: Arc<Shared<P>>,
    health: Health,
}

impl<P: Post> Worker<P> {
    /// Puts a worker together; nothing runs yet.
    pub fn new(settings: Settings, wiring: Wiring<P>) -> Self {
        let shared = Shared::new(settings, wiring);
        Self {
            health: Health::of(&shared),
            shared: Arc::new(shared),
        }
    }

    /// The worker's state, to be asked while it runs.
    pub fn health(&self) -> Health {
        self.health.clone()
    }

    /// Works until `stop`, or until the queue is drained. After `stop` nothing new is started: receives in
    /// flight return and what they bring is given back, attempts finish within the grace time, everything
    /// is settled.
    pub async fn run(self, mode: Mode, stop: CancellationToken) -> Summary {
        let began = Instant::now();
        let shared = self.shared;
        let settling = TaskTracker::new();
        let settler = Settler::start(&shared, &settling);
        let poller = Poller::start(shared.clone(), settler, self.health, mode);
        let watch = tokio::spawn(watch_the_gate(shared.clone()));
        let looks = tokio::spawn(watch_the_queues(shared.clone()));
        let expiry = tokio::spawn(expire_records(shared.clone()));
        let mut notes = tokio::spawn(shared.notes.clone().write());

        tokio::select! {
            biased;
            () = stop.cancelled() => info!("stopping: a receive in flight returns within 20 s, attempts finish, everything is settled"),
            () = drained(&shared), if mode == Mode::Drain => info!("the queue is empty and nothing is held"),
        }
        shared.stop.cancel();
        finish(&shared, poller, settling, &mut notes).await;
        watch.abort();
        looks.abort();
        expiry.abort();
        notes.abort();
        shared.tally.summary(began.elapsed().as_secs_f64())
    }
}

/// Ends in order: polls, lanes, deletes and notes; waits for none of them for ever.
async fn finish<P: Post>(
    shared: &Shared<P>,
    poller: Arc<Poller<P>>,
    settling: TaskTracker,
    notes: &mut JoinHandle<()>,
) {
    let grace = shared.limits.shutdown_grace;
    let too_late = async {
        sleep(grace).await;
        shared.abort.cancel();
        // Its last notes need no more time than the rest.
        shared.notes.end();
        // A long poll that began just before the stop still returns: what it brings is given back.
        sleep(poller.wait().saturating_sub(grace) + SETTLE_GRACE).await;
    };
    let ended = poller.ended();
    tokio::select! {
        biased;
        () = ended => {}
        () = too_late => {
            warn!("not every call was answered in time; messages still held come again when their lease ends");
            return;
        }
    }
    // The last owner of the settler: dropping it makes the settler finish.
    drop(poller);
    settling.close();
    shared.notes.end();
    // A note that cannot be written in time is no loss to anybody's delivery.
    let settled = timeout(SETTLE_GRACE, settling.wait());
    let (settled, _) = tokio::join!(settled, timeout(SETTLE_GRACE, notes));
    if settled.is_err() {
        warn!(
            "not every delete was confirmed in time; whoever receives those messages again deletes them, or delivers what could not be noted in the ledger once more, with the same webhook-id"
        );
    }
}

/// While the gate is closed, looks from time to time whether it can open again.
async fn watch_the_gate<P: Post>(shared: Arc<Shared<P>>) {
    loop {
        shared.gate.closed().await;
        sleep(shared.gate.backoff()).await;
        shared.try_gate().await;
    }
}

/// Looks from time to time what became of the queues.
async fn watch_the_queues<P: Post>(shared: Arc<Shared<P>>) {
    loop {
        shared.watch.look_at_the_clock();
        sleep(BETWEEN_LOOKS).await;
        shared.watch.look().await;
    }
}

/// Records of messages that SQS has dropped are of no use any more.
async fn expire_records<P: Post>(shared: Arc<Shared<P>>) {
    loop {
        match shared.ledger.expire(shared.clock.now()).await {
            Ok(expired) if expired >= store::MAX_EXPIRED => continue,
            Ok(_) => {}
            Err(error) => warn!(%error, "old records stay in the ledger for now"),
        }
        sleep(EXPIRY_INTERVAL).await;
    }
}

/// Waits until nothing is in hand and two readings of the queue, some seconds apart, show it empty.
async fn drained<P: Post>(shared: &Shared<P>) {
    let mut empty_readings = 0;
    while empty_readings < 2 {
        sleep(DRAIN_LOOK).await;
        let nothing_in_hand = Tally::read(&shared.tally.in_hand) == 0;
        let is_empty = nothing_in_hand
            && shared
                .source
                .counts()
                .await
                .is_ok_and(|counts| counts.total() == 0);
        empty_readings = if is_empty { empty_readings + 1 } else { 0 };
    }
}
