//! The long-poll loop: receive, split into lanes, let them run; stop and drain.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use delivery::Lane;
use queue::{Clock, MAX_BATCH, MAX_WAIT_S, Queue, QueueError, ReceiveOptions, Received};
use store::Ledger;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use crate::bytes::{Reserved, Room};
use crate::denials::Denials;
use crate::gate::Cause;
use crate::health::Health;
use crate::lane;
use crate::lease::{Held, Lease};
use crate::notes::Notes;
use crate::post::Post;
use crate::settings::{Mode, Settings, Summary};
use crate::settler::Settler;
use crate::shared::{Shared, Turns};
use crate::tally::{InHand, Tally};
use crate::watch::{BETWEEN_LOOKS, Watch};

/// The most long polls at the same time.
const MOST_POLLERS: usize = 32;

/// A poll asks for as many messages as it could start lanes for; it waits so long for room for ten.
const FOR_A_FULL_BATCH: Duration = Duration::from_millis(50);

/// Backoff of receives that fail.
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);

/// Long polls while draining: short, so that the end is seen soon.
const DRAIN_WAIT: Duration = Duration::from_secs(1);

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

/// What a worker works with.
pub struct Wiring<P> {
    /// Where events come from.
    pub source: Queue,
    /// The internal queue.
    pub dead_letters: Queue,
    /// The attempt ledger.
    pub ledger: Ledger,
    /// How one POST is made.
    pub post: P,
    /// The wall clock.
    pub clock: Clock,
}

impl<P: Post> Worker<P> {
    /// Puts a worker together; nothing runs yet.
    pub fn new(settings: Settings, wiring: Wiring<P>) -> Self {
        let health = Health::new();
        let denials = Arc::<Denials>::default();
        let source = denials.watch_source(wiring.source, health.gate.clone());
        let ledger = denials.watch_ledger(wiring.ledger);
        let dead_letters = denials.watch(wiring.dead_letters);
        let needed = settings.schedule.longest_life();
        let notes = Notes::new(source.url(), ledger.clone(), wiring.clock.clone());
        let (routes, limits) = settings.split();
        let shared = Shared {
            watch: Watch::new(&source, &dead_letters, needed),
            routes,
            limits,
            notes: Arc::new(notes),
            source,
            dead_letters,
            ledger,
            post: wiring.post,
            clock: wiring.clock,
            memory: Arc::default(),
            tally: health.tally.clone(),
            gate: health.gate.clone(),
            turns: Turns::default(),
            stop: CancellationToken::new(),
            abort: CancellationToken::new(),
        };
        Self {
            shared: Arc::new(shared),
            health,
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
        let settler = Settler::start(&shared, self.health.standstill.clone(), &settling);
        let poller = Arc::new(Poller {
            room: Arc::new(Semaphore::new(shared.limits.max_in_flight)),
            bytes: Room::new(
                shared.limits.max_bytes_in_flight,
                shared.source.attributes().maximum_message_size,
            ),
            wait: longest_wait(mode, shared.limits.visibility_timeout),
            lanes: TaskTracker::new(),
            pollers: AtomicUsize::new(1),
            polls: TaskTracker::new(),
            health: self.health,
            settler,
            shared: shared.clone(),
        });
        poller.polls.spawn(poll(poller.clone()));
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
        finish(poller, settling, &mut notes).await;
        watch.abort();
        looks.abort();
        expiry.abort();
        notes.abort();
        shared.tally.summary(began.elapsed().as_secs_f64())
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

/// Ends in order: polls, lanes, deletes and notes; waits for none of them for ever.
async fn finish<P: Post>(
    poller: Arc<Poller<P>>,
    settling: TaskTracker,
    notes: &mut JoinHandle<()>,
) {
    let shared = poller.shared.clone();
    let grace = shared.limits.shutdown_grace;
    let too_late = async {
        sleep(grace).await;
        shared.abort.cancel();
        // Its last notes need no more time than the rest.
        shared.notes.end();
        // A long poll that began just before the stop still returns: what it brings is given back.
        sleep(poller.wait.saturating_sub(grace) + SETTLE_GRACE).await;
    };
    let ended = async {
        poller.polls.close();
        poller.polls.wait().await;
        poller.lanes.close();
        poller.lanes.wait().await;
    };
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

struct Poller<P> {
    shared: Arc<Shared<P>>,
    settler: Settler,
    /// One permit a lane.
    room: Arc<Semaphore>,
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
    /// Waits until the gate is open and there is room, for ten lanes if that comes soon: a message that is
    /// received can always be started. As many bytes are reserved as so many messages may have.
    async fn room(&self) -> (OwnedSemaphorePermit, Reserved) {
        loop {
            self.shared.gate.opened().await;
            let mut room = self.any_room().await;
            let (messages, bytes) = self.bytes.reserve(room.num_permits()).await;
            room = room.split(messages).expect("no more than asked for");
            // It may have closed meanwhile.
            if self.shared.gate.is_open() {
                return (room, bytes);
            }
        }
    }

    async fn any_room(&self) -> OwnedSemaphorePermit {
        let full = MAX_BATCH.min(self.shared.limits.max_in_flight) as u32;
        let all = self.room.clone().acquire_many_owned(full);
        if let Ok(Ok(room)) = timeout(FOR_A_FULL_BATCH, all).await {
            return room;
        }
        let mut room = self
            .room
            .clone()
            .acquire_owned()
            .await
            .expect("never closed");
        while room.num_permits() < full as usize {
            match self.room.clone().try_acquire_owned() {
                Ok(one) => room.merge(one),
                Err(_) => break,
            }
        }
        room
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
            let run = lane::run(self.shared.clone(), self.settler.clone(), lane);
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

/// While the gate is closed, looks from time to time whether it can open again.
async fn watch_the_gate<P: Post>(shared: Arc<Shared<P>>) {
    loop {
        shared.gate.closed().await;
        sleep(shared.gate.backoff()).await;
        match may_open(&shared).await {
            Some(why) => shared.gate.reopen(why),
            None => shared.gate.still_closed(),
        }
    }
}

/// Tries whatever may have closed the gate, and says why it can open. What is found amiss that did not close it is said
/// too.
async fn may_open<P: Post>(shared: &Shared<P>) -> Option<&'static str> {
    let gate = &shared.gate;
    if let Err(error) = shared.ledger.check().await {
        gate.close(Cause::Ledger, &error);
        return None;
    }
    if let Err(error) = shared.dead_letters.counts().await {
        gate.close(Cause::InternalQueue, &error);
        return None;
    }
    // Only an attempt to hide can tell whether it is allowed, and so it is made only then.
    if !gate.is_closed_by(Cause::Hiding) || shared.source.check_may_hide().await.is_ok() {
        return Some("all is well again");
    }
    // What is due is attempted all the same. Nothing is received while an event waits, so receives stay as few as visits.
    let is_due = !gate.is_waited_for();
    is_due.then_some("messages still cannot be hidden, but none waits any more")
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
