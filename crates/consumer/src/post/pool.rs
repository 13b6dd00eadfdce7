//! Connections between two requests.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::connection::Connection;

/// How long an idle connection is kept: shorter than the shortest common limit of receivers (Node.js: 5 s).
pub(super) const IDLE: Duration = Duration::from_secs(4);

/// Idle connections, whatever their host: as many as `worker.max_in_flight` is by default. The oldest goes first.
const MOST: usize = 256;

/// Between two looks for those that are over.
const SWEEP: Duration = Duration::from_millis(500);

/// The idle connections, in the order in which they became idle.
#[derive(Debug, Clone, Default)]
pub(super) struct Pool(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    idle: VecDeque<Idle>,
    is_swept: bool,
}

#[derive(Debug)]
struct Idle {
    /// Scheme, host and port.
    origin: String,
    connection: Connection,
    until: Instant,
}

impl Idle {
    fn is_usable(&self) -> bool {
        Instant::now() < self.until && self.connection.is_quiet()
    }
}

impl Pool {
    /// A connection to this origin on which nothing has happened since the last answer: the one that was used last.
    pub(super) fn take(&self, origin: &str) -> Option<Connection> {
        let mut kept = self.kept();
        while let Some(at) = kept.idle.iter().rposition(|idle| idle.origin == origin) {
            let idle = kept.idle.remove(at)?;
            if idle.is_usable() {
                return Some(idle.connection);
            }
        }
        None
    }

    /// Keeps a connection for so long.
    pub(super) fn put(&self, origin: &str, connection: Connection, idle: Duration) {
        let mut kept = self.kept();
        if kept.idle.len() >= MOST {
            kept.idle.pop_front();
        }
        kept.idle.push_back(Idle {
            origin: origin.to_owned(),
            connection,
            until: Instant::now() + idle,
        });
        if !std::mem::replace(&mut kept.is_swept, true) {
            tokio::spawn(self.clone().sweep());
        }
    }

    /// Closes them all.
    pub(super) fn clear(&self) -> bool {
        let idle = std::mem::take(&mut self.kept().idle);
        !idle.is_empty()
    }

    /// Closes what nobody has used, until there is nothing more.
    async fn sweep(self) {
        loop {
            sleep(SWEEP).await;
            let mut kept = self.kept();
            kept.idle.retain(Idle::is_usable);
            if kept.idle.is_empty() {
                kept.is_swept = false;
                return;
            }
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().expect("no holder panics")
    }
}
