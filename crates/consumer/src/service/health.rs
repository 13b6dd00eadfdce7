//! How a worker is: whether receives succeed (logged once per change), and what `/healthz`, `/readyz` and
//! `/metrics` say.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use queue::QueueError;
use tokio::time::Instant;
use tracing::{error, info, warn};

use crate::lanes::gate::Gate;
use crate::lanes::shared::Shared;
use crate::lanes::standstill::Standstill;
use crate::tally::Tally;

/// A worker that is busy to its limit receives nothing until a lane ends; a lane of ten messages whose
/// every attempt takes the default timeout of 30 s lasts ten minutes.
const STUCK_AFTER: Duration = Duration::from_secs(20 * 60);

/// With nothing in hand a receive comes back every 20 s.
const SILENT_AFTER: Duration = Duration::from_secs(5 * 60);

/// The state of a worker, for whoever asks. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Health {
    receiving: Arc<Mutex<Receiving>>,
    tally: Arc<Tally>,
    gate: Arc<Gate>,
    standstill: Arc<Standstill>,
}

#[derive(Debug)]
struct Receiving {
    /// When a receive last came back.
    last: Instant,
    /// Whether the newest answer was a failure.
    failing: bool,
    /// When a receive last failed, until it is said that they work again.
    last_failure: Option<Instant>,
}

/// Failures and successes alternate while SQS throttles: receives "work again" after so long without a
/// failure, so that the log says one line per change and not one per receive.
const CALM: Duration = Duration::from_secs(30);

impl Health {
    /// The state of a worker that has these.
    pub(crate) fn of<P>(shared: &Shared<P>) -> Self {
        Self::new(
            shared.tally.clone(),
            shared.gate.clone(),
            shared.standstill.clone(),
        )
    }

    fn new(tally: Arc<Tally>, gate: Arc<Gate>, standstill: Arc<Standstill>) -> Self {
        let receiving = Receiving {
            last: Instant::now(),
            failing: false,
            last_failure: None,
        };
        Self {
            receiving: Arc::new(Mutex::new(receiving)),
            tally,
            gate,
            standstill,
        }
    }

    /// A receive came back, with messages or without.
    pub(crate) fn received(&self) {
        let mut receiving = self.receiving();
        receiving.last = Instant::now();
        receiving.failing = false;
        if receiving
            .last_failure
            .is_some_and(|failure| failure.elapsed() >= CALM)
        {
            receiving.last_failure = None;
            info!("receiving from SQS works again");
        }
    }

    /// A receive failed.
    pub(crate) fn failed(&self, why: &QueueError) {
        let mut receiving = self.receiving();
        receiving.failing = true;
        if receiving.last_failure.replace(Instant::now()).is_some() {
            return;
        }
        if why.is_denied() {
            // Said already, see `denials`.
            warn!(error = %why, "nothing can be received; trying again until it works");
        } else {
            error!(error = %why, "receiving from SQS fails; trying again until it works");
        }
    }

    /// Alive: receives succeed. A worker that is busy to its limit, or that does not receive on purpose
    /// because the ledger is down, is alive too; to restart it would help nobody.
    pub fn is_live(&self) -> bool {
        let busy = Tally::read(&self.tally.in_hand) > 0;
        let limit = if busy { STUCK_AFTER } else { SILENT_AFTER };
        !self.gate.is_open() || self.since_last_receive() < limit
    }

    /// Ready: receives succeed, the ledger and the internal queue are there, messages can be hidden, and deletes are
    /// answered.
    pub fn is_ready(&self) -> bool {
        self.gate.is_open() && !self.receiving().failing && !self.standstill.is_on()
    }

    /// The counters in the [Prometheus text format](https://prometheus.io/docs/instrumenting/exposition_formats/).
    pub fn metrics(&self) -> String {
        let tally = &self.tally;
        let counters = [
            (
                "messages_received_total",
                "counter",
                "messages handed out by SQS, each receive counted",
                Tally::read(&tally.received),
            ),
            (
                "attempts_total",
                "counter",
                "HTTP requests made",
                Tally::read(&tally.attempts),
            ),
            (
                "events_delivered_total",
                "counter",
                "events accepted by the receiver",
                Tally::read(&tally.delivered),
            ),
            (
                "dead_letters_total",
                "counter",
                "events moved to the internal queue",
                Tally::read(&tally.dead_lettered),
            ),
            (
                "events_expiring_total",
                "counter",
                "events moved to the internal queue since the source queue would have dropped them before their next attempt",
                Tally::read(&tally.expiring),
            ),
            (
                "lanes_panicked_total",
                "counter",
                "message groups left alone until their lease ends, by a defect of Hooklane",
                Tally::read(&tally.panics),
            ),
            (
                "messages_in_hand",
                "gauge",
                "messages received and not yet settled",
                Tally::read(&tally.in_hand),
            ),
            (
                "ready",
                "gauge",
                "whether receives succeed, the ledger and the internal queue are there, and nothing stands still",
                u64::from(self.is_ready()),
            ),
            (
                "last_receive_age_seconds",
                "gauge",
                "time since a receive last came back",
                self.since_last_receive().as_secs(),
            ),
        ];
        let mut text = String::new();
        for (name, kind, help, value) in counters {
            let _ = write!(
                text,
                "# HELP hooklane_{name} {help}\n# TYPE hooklane_{name} {kind}\nhooklane_{name} {value}\n"
            );
        }
        text
    }

    fn since_last_receive(&self) -> Duration {
        self.receiving().last.elapsed()
    }

    fn receiving(&self) -> MutexGuard<'_, Receiving> {
        self.receiving.lock().expect("no holder panics")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn idle() -> Health {
        Health::new(Arc::default(), Arc::new(Gate::new()), Arc::default())
    }

    #[tokio::test(start_paused = true)]
    async fn a_worker_that_receives_nothing_and_holds_nothing_is_not_alive_for_long() {
        let health = idle();
        tokio::time::advance(SILENT_AFTER).await;
        assert!(!health.is_live());
        health.received();
        assert!(health.is_live());
    }

    #[tokio::test(start_paused = true)]
    async fn a_closed_gate_makes_a_worker_unready_but_not_dead() {
        let health = idle();
        health
            .gate
            .close(crate::lanes::gate::Cause::Ledger, &"disk full");
        tokio::time::advance(STUCK_AFTER).await;
        assert!(health.is_live() && !health.is_ready());
        assert!(health.metrics().contains("hooklane_ready 0\n"));
    }
}
