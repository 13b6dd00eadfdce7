//! Whether receives succeed: logged once per change, and what `/healthz` says.

use std::sync::Mutex;

use queue::QueueError;
use tokio::time::Instant;
use tracing::{error, info};

#[derive(Debug)]
pub(crate) struct Health(Mutex<State>);

#[derive(Debug)]
struct State {
    last_receive: Instant,
    failing: bool,
}

impl Health {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(State {
            last_receive: Instant::now(),
            failing: false,
        }))
    }

    /// A receive came back, with messages or without.
    pub(crate) fn received(&self) {
        let mut state = self.0.lock().expect("no holder panics");
        state.last_receive = Instant::now();
        if std::mem::replace(&mut state.failing, false) {
            info!("receiving from SQS works again");
        }
    }

    /// A receive failed.
    pub(crate) fn failed(&self, why: &QueueError) {
        let mut state = self.0.lock().expect("no holder panics");
        if !std::mem::replace(&mut state.failing, true) {
            error!(error = %why, "receiving from SQS fails; trying again until it works");
        }
    }
}
