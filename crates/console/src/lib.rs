//! The page: dead letters in a browser, for `hooklane console`.
//!
//! Rendered on the server, usable without scripts and without a network. What a page shows of the internal
//! queue is a snapshot: a scan hides the queue from others, so one runs only when asked for.
//! Whatever strangers wrote (bodies, excerpts, names, ids) is text, never markup: the templates escape it, and
//! the Content-Security-Policy lets no script or style in but our own two files.

mod actions;
mod address;
mod assets;
mod counts;
mod curl;
mod desk;
mod detail;
mod door;
mod form;
mod guard;
mod job;
mod layout;
mod list;
mod overview;
mod plan;
mod plot;
mod preview;
mod query;
#[cfg(test)]
mod sample;
mod scan;
mod server;
mod session;
mod sign_in;
mod snapshot;
mod text;
mod timeline;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use delivery::Secret;
use queue::{Clock, Queue};
use store::LedgerSpec;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use counts::CountsCache;
use desk::Desk;
use door::Door;
use session::Sessions;

pub use server::serve;

/// What the page works on.
#[derive(Debug, Clone)]
pub struct Queues {
    /// The queue that events are delivered from.
    pub source: Queue,
    /// The internal queue.
    pub dead_letters: Queue,
}

/// How the page is served.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What a person must know to sign in. Without one everybody who reaches the page is let in: only for
    /// loopback addresses.
    pub token: Option<Secret>,
    /// Whose name stands in the audit log if nobody has to sign in.
    pub name: String,
    /// Where the workers note up to which event a group was delivered.
    pub ledger: LedgerSpec,
    /// The directory to which dropped letters are written.
    pub drop_dir: PathBuf,
    /// The header in which the receivers see the secret or a signature, if the requests carry one.
    pub authentication_header: Option<&'static str>,
    /// Whether the page listens on a loopback address: then requests must name one, too, which keeps out
    /// pages whose own name was made to point here.
    pub loopback: bool,
}

/// The page and all it remembers.
pub struct Console {
    queues: Queues,
    settings: Settings,
    clock: Clock,
    sessions: Mutex<Sessions>,
    door: Door,
    counts: CountsCache,
    desk: Mutex<Desk>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Console {
    /// Prepares the page. Scans and jobs that run when `stop` is cancelled give back what they hold.
    pub fn new(
        queues: Queues,
        settings: Settings,
        clock: Clock,
        stop: CancellationToken,
    ) -> Arc<Self> {
        Arc::new(Self {
            queues,
            settings,
            clock,
            sessions: Mutex::default(),
            door: Door::default(),
            counts: CountsCache::default(),
            desk: Mutex::default(),
            tasks: TaskTracker::new(),
            stop,
        })
    }

    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
