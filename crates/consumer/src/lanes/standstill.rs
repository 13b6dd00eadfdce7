//! Lanes that stand still since SQS does not answer deletes: said when the first has waited too long, and when none
//! does any more.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;
use tracing::{error, info};

/// A standstill that begins within so long of the last one is the same one: the log says one pair of lines for it.
const CALM: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
pub(crate) struct Standstill(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    lanes: usize,
    said: bool,
    last: Option<Instant>,
}

/// One lane that stands still, until this is dropped.
pub(crate) struct Standing(Arc<Standstill>);

impl Standstill {
    /// A lane has waited too long.
    pub(crate) fn begin(self: &Arc<Self>) -> Standing {
        let mut state = self.state();
        state.lanes += 1;
        if state.lanes == 1 && state.last.is_none_or(|last| last.elapsed() >= CALM) {
            state.said = true;
            error!(
                "SQS does not answer deletes: as many as may be are under way, and lanes stand still until they are \
                 answered; what was accepted is noted in the ledger"
            );
        }
        Standing(self.clone())
    }

    /// Whether any lane stands still.
    pub(crate) fn is_on(&self) -> bool {
        self.state().lanes > 0
    }

    fn end(&self) {
        let mut state = self.state();
        state.lanes -= 1;
        if state.lanes > 0 {
            return;
        }
        state.last = Some(Instant::now());
        if std::mem::take(&mut state.said) {
            info!("deletes are answered again: no lane stands still");
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no holder panics")
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        self.0.end();
    }
}
