//! How the program is, from its first moment: what it waits for until there is a worker, then how the worker is.

use std::fmt::Display;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use consumer::Health;

/// Shared with whoever serves it. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Status(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    worker: OnceLock<Health>,
    /// What the start waits for.
    waits_for: Mutex<Option<String>>,
}

impl Status {
    /// The start has to wait, for this reason.
    pub(super) fn waits_for(&self, why: &dyn Display) {
        let mut waits_for = self
            .0
            .waits_for
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *waits_for = Some(why.to_string());
    }

    /// There is a worker: from now on its state counts.
    pub(super) fn started(&self, worker: Health) {
        let _ = self.0.worker.set(worker);
    }

    /// A program that waits for its queues is alive: to restart it would help nobody.
    pub(super) fn is_live(&self) -> bool {
        self.0.worker.get().is_none_or(Health::is_live)
    }

    /// Why it is not ready, if it is not.
    pub(super) fn unready(&self) -> Option<String> {
        match self.0.worker.get() {
            Some(worker) if worker.is_ready() => None,
            Some(_) => Some("not ready: the log says why\n".to_owned()),
            None => {
                let waits_for = self
                    .0
                    .waits_for
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                Some(match waits_for.as_deref() {
                    Some(why) => format!("starting: {why}\n"),
                    None => "starting\n".to_owned(),
                })
            }
        }
    }

    pub(super) fn metrics(&self) -> String {
        match self.0.worker.get() {
            Some(worker) => worker.metrics(),
            None => "# HELP hooklane_ready whether the worker has started and all is well\n\
                     # TYPE hooklane_ready gauge\nhooklane_ready 0\n"
                .to_owned(),
        }
    }
}
