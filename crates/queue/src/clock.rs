//! The wall clock of the shells. The pure crates take [`Timestamp`]s as arguments.

use std::time::{SystemTime, UNIX_EPOCH};

use event::Timestamp;
use tokio::time::Instant;

/// Where a shell reads the wall clock: the system, or tokio's clock so that tests can pause time.
#[derive(Debug, Clone, Copy)]
pub struct Clock(Source);

#[derive(Debug, Clone, Copy)]
enum Source {
    System,
    Virtual { start: Timestamp, at: Instant },
}

impl Clock {
    /// The clock of this machine.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that shows `start` now and moves with `tokio::time`.
    pub fn virtual_from(start: Timestamp) -> Self {
        let at = Instant::now();
        Self(Source::Virtual { start, at })
    }

    /// The present moment.
    pub fn now(&self) -> Timestamp {
        match self.0 {
            Source::System => {
                let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
                Timestamp::from_millis(since_epoch.map_or(0, |d| d.as_millis() as u64))
            }
            Source::Virtual { start, at } => start.plus(at.elapsed()),
        }
    }
}
