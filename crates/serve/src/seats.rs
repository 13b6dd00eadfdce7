//! Who has a connection. A newcomer never waits for one on which nothing is being answered.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

pub(crate) struct Seats {
    free: Arc<Semaphore>,
    waiting: Mutex<Waiting>,
}

/// Connections that wait for a request, the one that has waited longest first.
#[derive(Default)]
struct Waiting {
    turn: u64,
    turns: BTreeMap<u64, CancellationToken>,
}

pub(crate) struct Seat {
    seats: Arc<Seats>,
    evicted: CancellationToken,
    /// Its turn among those that wait; none while it is answered.
    turn: Mutex<Option<u64>>,
    _place: Option<OwnedSemaphorePermit>,
}

impl Seats {
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            free: Arc::new(Semaphore::new(most)),
            waiting: Mutex::default(),
        })
    }

    /// Takes a free seat, or that of whoever has waited longest; waits if all are being answered.
    pub(crate) async fn take(self: &Arc<Self>) -> Seat {
        let place = match self.free.clone().try_acquire_owned() {
            Ok(place) => Some(place),
            Err(_) => {
                self.evict();
                // What is being answered meanwhile ends with its answer: see `is_wanted`.
                self.free.clone().acquire_owned().await.ok()
            }
        };
        let seat = Seat {
            seats: self.clone(),
            evicted: CancellationToken::new(),
            turn: Mutex::default(),
            _place: place,
        };
        seat.waits();
        seat
    }

    fn evict(&self) {
        if let Some((_, longest)) = self.waiting().turns.pop_first() {
            longest.cancel();
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().expect("no holder panics")
    }
}

impl Seat {
    /// A request has come.
    pub(crate) fn is_answered(&self) {
        if let Some(turn) = self.turn().take() {
            self.seats.waiting().turns.remove(&turn);
        }
    }

    /// It waits for a request, the next one after an answer.
    pub(crate) fn waits(&self) {
        let mut waiting = self.seats.waiting();
        waiting.turn += 1;
        let turn = waiting.turn;
        waiting.turns.insert(turn, self.evicted.clone());
        *self.turn() = Some(turn);
    }

    /// Whether all seats are taken, so that nobody should keep one for later.
    pub(crate) fn is_wanted(&self) -> bool {
        self.seats.free.available_permits() == 0
    }

    /// Waits until another needs the seat.
    pub(crate) async fn evicted(&self) {
        self.evicted.cancelled().await;
    }

    fn turn(&self) -> MutexGuard<'_, Option<u64>> {
        self.turn.lock().expect("no holder panics")
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.is_answered();
    }
}
