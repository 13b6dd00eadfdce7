//! Open while nothing is amiss that would make receiving harmful. Closed, the worker receives nothing, is not
//! ready, and gives back what it holds with a visibility that grows (`docs/DECISIONS.md`, "Giving back").

use std::collections::BTreeSet;
use std::fmt::Display;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use queue::QueueError;
use queue::limits::AGAIN_WITHIN;
use store::LedgerError;
use tokio::sync::Notify;
use tokio::time::Instant;
use tracing::{error, info, warn};

use crate::post::Shortage;

/// Why the gate is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cause {
    /// The ledger cannot be read or written.
    Ledger,
    /// The internal queue takes nothing.
    InternalQueue,
    /// Messages cannot be hidden: a wait would be as long as the lease, and what is given back stays hidden.
    Hiding,
    /// This machine has no descriptors, ports, buffers or memory for a request.
    Shortage,
}

impl Cause {
    fn what(self) -> &'static str {
        match self {
            Self::Ledger => "the ledger is down",
            Self::InternalQueue => "the internal queue is down",
            Self::Hiding => "messages of the source queue cannot be hidden",
            Self::Shortage => {
                "this machine has run out of what a request needs (see `ulimit -n` and worker.max_in_flight)"
            }
        }
    }
}

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
    causes: BTreeSet<Cause>,
    backoff: Duration,
    reopened: Option<Instant>,
    /// Until when an event waits that could not be hidden.
    waits_until: Option<Instant>,
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
                causes: BTreeSet::new(),
                backoff: FIRST_BACKOFF,
                reopened: None,
                waits_until: None,
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

    /// Something is amiss. Each cause is said once, until the gate opens again.
    pub(crate) fn close(&self, cause: Cause, why: &dyn Why) {
        let mut pace = self.pace();
        if pace.causes.insert(cause) {
            say(cause, why);
        }
        if !self.set(false) {
            return;
        }
        // A look that finds all well does not prove that a write succeeds: what goes down again soon after
        // is met more slowly, so that nobody's receive count runs up meanwhile.
        match pace.reopened.take() {
            Some(reopened) if reopened.elapsed() < 2 * LONGEST_BACKOFF => pace.slower(),
            _ => pace.backoff = FIRST_BACKOFF,
        }
    }

    /// Whether this is among the reasons why the gate is closed.
    pub(crate) fn is_closed_by(&self, cause: Cause) -> bool {
        self.pace().causes.contains(&cause)
    }

    /// An event has to wait so long. If it cannot be hidden, nothing is received meanwhile.
    pub(crate) fn wait(&self, wait: Duration) {
        let mut pace = self.pace();
        if pace.causes.contains(&Cause::Hiding) {
            pace.waits_until = pace.waits_until.max(Some(Instant::now() + wait));
        }
    }

    /// Whether something that could not be hidden has to wait still.
    pub(crate) fn is_waited_for(&self) -> bool {
        let waits_until = self.pace().waits_until;
        waits_until.is_some_and(|until| Instant::now() < until)
    }

    /// How long what is given back now stays hidden, and how long until the next look.
    pub(crate) fn backoff(&self) -> Duration {
        self.pace().backoff
    }

    /// It is still down: the next wait is longer.
    pub(crate) fn still_closed(&self) {
        self.pace().slower();
    }

    /// Receiving can go on, for this reason.
    pub(crate) fn reopen(&self, why: &str) {
        let mut pace = self.pace();
        pace.reopened = Some(Instant::now());
        pace.causes.clear();
        pace.waits_until = None;
        if !self.set(true) {
            info!("{why}: receiving goes on");
        }
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().expect("no holder panics")
    }
}

/// Why something cannot be used.
pub(crate) trait Why: Display {
    /// Whether AWS refuses us, which has been said by then (see [`crate::lanes::denials`]).
    fn is_denied(&self) -> bool;
}

impl Why for QueueError {
    fn is_denied(&self) -> bool {
        self.is_denied()
    }
}

impl Why for LedgerError {
    fn is_denied(&self) -> bool {
        self.is_denied()
    }
}

impl Why for Shortage {
    fn is_denied(&self) -> bool {
        false
    }
}

#[cfg(test)]
impl Why for &str {
    fn is_denied(&self) -> bool {
        false
    }
}

fn say(cause: Cause, why: &dyn Why) {
    let what = cause.what();
    if why.is_denied() {
        warn!(error = %why, "{what}: receiving stops, messages in hand are given back, nothing is lost");
    } else {
        error!(error = %why, "{what}: receiving stops, messages in hand are given back, nothing is lost");
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
            gate.close(Cause::InternalQueue, &"denied");
            backoffs.push(gate.backoff().as_secs());
            tokio::time::advance(gate.backoff()).await;
            gate.reopen("all is well again");
        }
        assert_eq!(backoffs, [5, 10, 20, 40, 80, 160, 240, 240]);
        tokio::time::advance(2 * LONGEST_BACKOFF).await;
        gate.close(Cause::InternalQueue, &"denied");
        assert_eq!(gate.backoff(), FIRST_BACKOFF);
    }

    #[tokio::test(start_paused = true)]
    async fn every_look_that_finds_it_still_down_doubles_the_wait() {
        let gate = Gate::new();
        gate.close(Cause::Ledger, &"disk full");
        gate.still_closed();
        assert_eq!(gate.backoff(), 2 * FIRST_BACKOFF);
        assert!(!gate.is_open());
    }
}
