//! Open while the ledger and the internal queue are there. Closed, the worker receives nothing, is not
//! ready, and gives back what it holds with a visibility that grows (DESIGN section 3, "Giving back").

use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::watch;
use tracing::{error, info};

const FIRST_BACKOFF: Duration = Duration::from_secs(5);
const LONGEST_BACKOFF: Duration = Duration::from_secs(300);

#[derive(Debug)]
pub(crate) struct Gate {
    open: watch::Sender<bool>,
    backoff: Mutex<Duration>,
}

impl Gate {
    pub(crate) fn new() -> Self {
        Self {
            open: watch::Sender::new(true),
            backoff: Mutex::new(FIRST_BACKOFF),
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        *self.open.borrow()
    }

    /// Waits until the gate is open.
    pub(crate) async fn opened(&self) {
        // The sender lives in self, so this cannot fail.
        let _ = self.open.subscribe().wait_for(|open| *open).await;
    }

    /// Waits until the gate is closed.
    pub(crate) async fn closed(&self) {
        let _ = self.open.subscribe().wait_for(|open| !*open).await;
    }

    /// Something is down. Said once, when it goes down.
    pub(crate) fn close(&self, what: &str, why: &dyn std::fmt::Display) {
        if self.open.send_replace(false) {
            error!(error = %why, "{what} is down: receiving stops, messages in hand are given back, nothing is lost");
        }
    }

    /// How long what is given back now stays hidden, and how long until the next look.
    pub(crate) fn backoff(&self) -> Duration {
        *self.backoff.lock().expect("no holder panics")
    }

    /// It is still down: the next wait is longer.
    pub(crate) fn still_closed(&self) {
        let mut backoff = self.backoff.lock().expect("no holder panics");
        *backoff = (*backoff * 2).min(LONGEST_BACKOFF);
    }

    /// All is well again.
    pub(crate) fn reopen(&self) {
        *self.backoff.lock().expect("no holder panics") = FIRST_BACKOFF;
        if !self.open.send_replace(true) {
            info!("the ledger and the internal queue are there again: receiving goes on");
        }
    }
}
