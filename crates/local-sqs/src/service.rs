//! The engine behind a lock, a clock for it, and the waiting of long polls. Both faces answer through here.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::engine::{Engine, Limits, SqsError, UnixMs};
use crate::protocol::{self, Answer, Reply};

/// The base of queue URLs until [`LocalSqs::serve`] knows better.
const DEFAULT_BASE_URL: &str = "http://127.0.0.1:9324";

/// Where seeded time starts: 2025-01-01T00:00:00Z.
const SEEDED_START_MS: UnixMs = 1_735_689_600_000;

/// A local SQS, shared by all its clones and both its faces: [`LocalSqs::serve`] and [`LocalSqs::http_client`].
#[derive(Clone)]
pub struct LocalSqs {
    shared: Arc<Shared>,
    base_url: Option<Arc<str>>,
}

struct Shared {
    clock: Clock,
    state: Mutex<State>,
}

struct State {
    engine: Engine,
    /// Queues with long polls waiting, by queue number.
    waiting: HashMap<u64, Arc<Notify>>,
}

impl LocalSqs {
    /// An empty SQS on the wall clock, with ids unlike those of any other start.
    pub fn new(limits: Limits) -> Self {
        Self::build(limits, since_epoch().as_nanos() as u64, None)
    }

    /// An empty SQS for simulations: its time starts on 2025-01-01 and follows tokio's clock, and its ids follow from the seed, so
    /// the same requests at the same (paused) times get the same answers.
    pub fn seeded(limits: Limits, seed: u64) -> Self {
        Self::build(limits, seed, Some(SEEDED_START_MS))
    }

    fn build(limits: Limits, seed: u64, start_ms: Option<UnixMs>) -> Self {
        let state = State {
            engine: Engine::new(limits, seed),
            waiting: HashMap::new(),
        };
        let clock = Clock {
            start_ms,
            anchor: OnceLock::new(),
            passed_ms: AtomicU64::new(0),
        };
        Self {
            shared: Arc::new(Shared {
                clock,
                state: Mutex::new(state),
            }),
            base_url: None,
        }
    }

    /// Sets the scheme, host and port that queue URLs are made with. Requests find their queue by the last segment of
    /// its URL, so this matters to readers only.
    #[must_use]
    pub fn with_base_url(self, url: &str) -> Self {
        Self {
            base_url: Some(url.trim_end_matches('/').into()),
            ..self
        }
    }

    /// How many long polls wait at this moment.
    pub fn waiting_polls(&self) -> usize {
        let state = self.shared.lock();
        // One of the references is the map's own.
        let polls = state
            .waiting
            .values()
            .map(|notify| Arc::strong_count(notify) - 1);
        polls.sum()
    }

    pub(crate) fn has_base_url(&self) -> bool {
        self.base_url.is_some()
    }

    /// Answers one request of the JSON protocol; a long poll ends early, and empty, when `stop` is cancelled. Dropping
    /// the future of a waiting poll takes nothing out of the queue.
    pub(crate) async fn answer(
        &self,
        action: &str,
        body: &[u8],
        stop: &CancellationToken,
    ) -> Reply {
        let base_url = self.base_url.as_deref().unwrap_or(DEFAULT_BASE_URL);
        let mut watch = None;
        let mut answer = self.shared.ask(&mut watch, |engine, now| {
            protocol::handle(engine, base_url, action, body, now)
        });
        loop {
            let poll = match answer {
                Answer::Reply(reply) => return reply,
                Answer::Wait(poll) => poll,
            };
            tokio::select! {
                // In this order always: a seed gives the same history again.
                biased;
                () = Watch::stirred(&watch) => {}
                () = tokio::time::sleep_until(self.shared.clock.instant_of(poll.wake_at())) => {}
                () = stop.cancelled() => return protocol::give_up(&mut self.shared.lock().engine),
            }
            answer = self.shared.ask(&mut watch, |engine, now| {
                protocol::resume(engine, poll, now)
            });
        }
    }

    /// Answers one request of the JSON protocol to whoever has no client at hand, and gives the body of the answer: a
    /// test that changes a queue as somebody else would.
    pub async fn ask(&self, action: &str, body: &str) -> String {
        let stop = CancellationToken::new();
        let reply = self.answer(action, body.as_bytes(), &stop).await;
        String::from_utf8_lossy(&reply.body).into_owned()
    }

    /// The `Date` of an answer given now, by the clock that the queues go by.
    pub(crate) fn date(&self) -> String {
        let since_epoch = Duration::from_millis(self.shared.clock.now());
        httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + since_epoch)
    }

    /// Lets time pass for the queues alone, unseen by tokio's clock: a test's worker was suspended meanwhile.
    pub fn pass(&self, duration: Duration) {
        let clock = &self.shared.clock;
        let _ = clock.anchor();
        clock
            .passed_ms
            .fetch_add(duration.as_millis() as u64, Relaxed);
    }

    pub(crate) fn refuse(&self, error: &SqsError) -> Reply {
        protocol::failure(&mut self.shared.lock().engine, error)
    }
}

impl std::fmt::Debug for LocalSqs {
    /// Says nothing of what is in the queues.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalSqs")
            .field("base_url", &self.base_url)
            .finish_non_exhaustive()
    }
}

impl Shared {
    /// Asks the engine, wakes who waits for what changed, and sets a watch on the queue of a long poll before anything
    /// else can happen to it.
    fn ask(
        self: &Arc<Self>,
        watch: &mut Option<Watch>,
        act: impl FnOnce(&mut Engine, UnixMs) -> Answer,
    ) -> Answer {
        let mut state = self.lock();
        let answer = act(&mut state.engine, self.clock.now());
        for number in state.engine.take_stirred() {
            if let Some(notify) = state.waiting.get(&number) {
                notify.notify_one();
            }
        }
        if let (Answer::Wait(poll), None) = (&answer, &watch) {
            let queue_number = poll.queue_number();
            let notify = state.waiting.entry(queue_number).or_default().clone();
            *watch = Some(Watch {
                shared: self.clone(),
                queue_number,
                notify,
            });
        }
        answer
    }

    /// A panic elsewhere cannot leave the engine half changed in a way that matters more than going on.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One long poll's place among those that wait for a queue. A change wakes one of them, and who leaves wakes the next: it may
/// have been the only one that knew when to look again.
struct Watch {
    shared: Arc<Shared>,
    queue_number: u64,
    notify: Arc<Notify>,
}

impl Watch {
    async fn stirred(watch: &Option<Self>) {
        match watch {
            Some(watch) => watch.notify.notified().await,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.notify.notify_one();
        let mut state = self.shared.lock();
        // The map's and this one: nobody else waits.
        if Arc::strong_count(&self.notify) == 2 {
            state.waiting.remove(&self.queue_number);
        }
    }
}

/// Milliseconds since the Unix epoch that advance with tokio's clock, and stand still with it.
struct Clock {
    /// Where time starts; the wall clock's if absent.
    start_ms: Option<UnixMs>,
    /// Set at the first request, when a runtime (and a paused clock) is there for certain.
    anchor: OnceLock<Anchor>,
    /// Time that passed besides: see [`LocalSqs::pass`].
    passed_ms: AtomicU64,
}

#[derive(Clone, Copy)]
struct Anchor {
    instant: Instant,
    ms: UnixMs,
}

impl Clock {
    fn now(&self) -> UnixMs {
        let anchor = self.anchor();
        let passed_ms = self.passed_ms.load(Relaxed);
        anchor.ms + anchor.instant.elapsed().as_millis() as UnixMs + passed_ms
    }

    fn instant_of(&self, at: UnixMs) -> Instant {
        let anchor = self.anchor();
        let passed_ms = self.passed_ms.load(Relaxed);
        anchor.instant + Duration::from_millis(at.saturating_sub(anchor.ms + passed_ms))
    }

    fn anchor(&self) -> Anchor {
        *self.anchor.get_or_init(|| Anchor {
            instant: Instant::now(),
            ms: self
                .start_ms
                .unwrap_or_else(|| since_epoch().as_millis() as UnixMs),
        })
    }
}

/// The wall clock; a clock set before 1970 counts as 1970.
fn since_epoch() -> Duration {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.unwrap_or_default()
}
