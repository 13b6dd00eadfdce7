//! Open while the ledger and the internal queue are there. Closed, the worker receives nothing, is not
//! ready, and gives back what it holds with a visibility that grows (DESIGN section 3, "Giving back").

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tracing::{error, info};

use crate::dead_letters::AGAIN_WITHIN;
use crate::post::Shortage;

const FIRST_BACKOFF: Duration = Duration::from_secs(5);

/// An answer of the internal queue that was lost may have hidden a success.
const LONGEST_BACKOFF: Duration = AGAIN_WITHIN;

/// Whoever waits goes on in the order of coming (a watch channel has an order of its own each time).
#[derive(Debug)]
pub(crate) struct Gate {
    open: AtomicBool,
    changed: Notify,
    pace: Mutex<Pace>,
}

/// How long what is given back stays hidden, and how long until the next look.
#[derive(Debug)]
struct Pace {
    backoff: Duration,
    reopened: Option<Instant>,
}

impl Pace {
    fn slower(&mut self) {
        self.backoff = (self.backoff * 2).min(LONGEST_BACKOFF);
    }
}

impl Gate {
    pub(crate) fn new() -> Self {
        Self {
            open: AtomicBool::new(true),
            changed: Notify::new(),
            pace: Mutex::new(Pace {
                backoff: FIRST_BACKOFF,
                reopened: None,
            }),
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.open.load(SeqCst)
    }

    /// Waits until the gate is open.
    pub(crate) async fn opened(&self) {
        self.until(true).await;
    }

    /// Waits until the gate is closed.
    pub(crate) async fn closed(&self) {
        self.until(false).await;
    }

    async fn until(&self, open: bool) {
        loop {
            let mut changed = pin!(self.changed.notified());
            // Before the look, so that a change right after it is not missed.
            changed.as_mut().enable();
            if self.is_open() == open {
                return;
            }
            changed.await;
        }
    }

    /// Says how it was.
    fn set(&self, open: bool) -> bool {
        let was_open = self.open.swap(open, SeqCst);
        self.changed.notify_waiters();
        was_open
    }

    /// Something is down. Said once, when it goes down.
    pub(crate) fn close(&self, what: &str, why: &dyn std::fmt::Display) {
        if self.set(false) {
            error!(error = %why, "{what} is down: receiving stops, messages in hand are given back, nothing is lost");
            self.slow_down();
        }
    }

    /// No request can be made, for want of something on our side. Said once, as above.
    pub(crate) fn close_for_want(&self, shortage: &Shortage) {
        if self.set(false) {
            error!(error = %shortage, "this machine has run out of what a request needs: receiving stops, messages in hand are given back, no attempt is counted; see `ulimit -n` and worker.max_in_flight");
            self.slow_down();
        }
    }

    fn slow_down(&self) {
        let mut pace = self.pace();
        // A look that finds all well does not prove that a write succeeds: what goes down again soon after
        // is met more slowly, so that nobody's receive count runs up meanwhile.
        match pace.reopened.take() {
            Some(reopened) if reopened.elapsed() < 2 * LONGEST_BACKOFF => pace.slower(),
            _ => pace.backoff = FIRST_BACKOFF,
        }
    }

    /// How long what is given back now stays hidden, and how long until the next look.
    pub(crate) fn backoff(&self) -> Duration {
        self.pace().backoff
    }

    /// It is still down: the next wait is longer.
    pub(crate) fn still_closed(&self) {
        self.pace().slower();
    }

    /// All seems well again.
    pub(crate) fn reopen(&self) {
        self.pace().reopened = Some(Instant::now());
        if !self.set(true) {
            info!("the ledger and the internal queue are there again: receiving goes on");
        }
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().expect("no holder panics")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_goes_down_again_soon_after_it_came_back_is_met_more_slowly_up_to_four_minutes() {
        let gate = Gate::new();
        let mut backoffs = Vec::new();
        for _ in 0..8 {
            gate.close("the internal queue", &"denied");
            backoffs.push(gate.backoff().as_secs());
            tokio::time::advance(gate.backoff()).await;
            gate.reopen();
        }
        assert_eq!(backoffs, [5, 10, 20, 40, 80, 160, 240, 240]);
        tokio::time::advance(2 * LONGEST_BACKOFF).await;
        gate.close("the internal queue", &"denied");
        assert_eq!(gate.backoff(), FIRST_BACKOFF);
    }

    #[tokio::test(start_paused = true)]
    async fn every_look_that_finds_it_still_down_doubles_the_wait() {
        let gate = Gate::new();
        gate.close("the ledger", &"disk full");
        gate.still_closed();
        assert_eq!(gate.backoff(), 2 * FIRST_BACKOFF);
        assert!(!gate.is_open());
    }
}
