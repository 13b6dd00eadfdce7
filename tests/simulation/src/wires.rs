//! What connects one run of a worker to the world. Whatever a worker does to the world crosses them, so a worker
//! whose wires are cut is dead, whatever its tasks still do, and one whose wires are held stands still.

use std::future::pending;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Whole,
    Held,
    Cut,
}

#[derive(Debug, Clone)]
pub(crate) struct Wires {
    state: Arc<Mutex<State>>,
    /// Wakes who waits in the order of coming, always.
    changed: Arc<Notify>,
    crossings: Arc<AtomicU32>,
    cut_at: Option<u32>,
    hold_at: Option<u32>,
    armed: Arc<AtomicBool>,
    cut: CancellationToken,
    held: CancellationToken,
}

impl Wires {
    /// Wires that are cut, or held, at the n-th crossing after [`Wires::arm`], if at all.
    pub(crate) fn new(cut_at: Option<u32>, hold_at: Option<u32>) -> Self {
        Self {
            state: Arc::new(Mutex::new(State::Whole)),
            changed: Arc::default(),
            crossings: Arc::default(),
            cut_at,
            hold_at,
            armed: Arc::default(),
            cut: CancellationToken::new(),
            held: CancellationToken::new(),
        }
    }

    /// Crosses; says for how long the worker stood still. Never returns in one that is dead.
    pub(crate) async fn cross(&self) -> Duration {
        let crossing = self.crossings.fetch_add(1, Relaxed) + 1;
        let is_armed = self.armed.load(Relaxed);
        if is_armed && Some(crossing) == self.cut_at {
            self.cut();
        }
        if is_armed && Some(crossing) == self.hold_at && self.hold() {
            self.held.cancel();
        }
        let came = Instant::now();
        while *self.state() == State::Held {
            self.changed.notified().await;
        }
        if *self.state() == State::Cut {
            pending::<()>().await;
        }
        came.elapsed()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder panics")
    }

    /// From now on crossings count.
    pub(crate) fn arm(&self) {
        self.crossings.store(0, Relaxed);
        self.armed.store(true, Relaxed);
    }

    pub(crate) fn cut(&self) {
        *self.state() = State::Cut;
        self.changed.notify_waiters();
        self.cut.cancel();
    }

    pub(crate) async fn until_cut(&self) {
        self.cut.cancelled().await;
    }

    /// Until a crossing held them.
    pub(crate) async fn until_held(&self) {
        self.held.cancelled().await;
    }

    pub(crate) fn hold(&self) -> bool {
        self.change(State::Whole, State::Held)
    }

    pub(crate) fn release(&self) -> bool {
        self.change(State::Held, State::Whole)
    }

    fn change(&self, from: State, to: State) -> bool {
        let is_due = *self.state() == from;
        if is_due {
            *self.state() = to;
            self.changed.notify_waiters();
        }
        is_due
    }
}
