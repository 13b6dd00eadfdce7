//! What all pages share: the last scan, and what is going on.
//!
//! A scan hides the queue from others, so it runs only when somebody asks for it, one at a time. The letters
//! stay in memory until the next, up to [`MOST_BYTES`]; those that a job changes are taken out.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use letters::{End, Letter, MOST_BYTES, ScanOptions, scan};
use tokio_util::sync::CancellationToken;

use super::Console;
use super::job::Jobs;
use super::plan::Plans;
use super::snapshot::Snapshot;

/// A scan that runs.
#[derive(Debug)]
pub(super) struct Scanning {
    /// How many letters it has seen.
    pub(super) seen: AtomicUsize,
    pub(super) stop: CancellationToken,
}

/// What all pages share: the snapshot and what is going on.
#[derive(Debug, Default)]
pub(super) struct Desk {
    pub(super) snapshot: Option<Arc<Snapshot>>,
    pub(super) scanning: Option<Arc<Scanning>>,
    /// Why the last scan saw nothing at all.
    pub(super) scan_error: Option<String>,
    pub(super) plans: Plans,
    pub(super) jobs: Jobs,
}

impl Console {
    pub(super) fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.desk().snapshot.clone()
    }

    /// Says whether a scan is running.
    pub(super) fn is_scanning(&self) -> bool {
        self.desk().scanning.is_some()
    }

    /// Starts a scan unless one is running. Says whether one is now: beside a job, none begins.
    pub(super) fn start_scan(self: &Arc<Self>) -> bool {
        let mut desk = self.desk();
        if desk.scanning.is_some() {
            return true;
        }
        if desk.jobs.running().is_some() {
            return false;
        }
        let scanning = Arc::new(Scanning {
            seen: AtomicUsize::new(0),
            stop: self.stop.child_token(),
        });
        desk.scanning = Some(scanning.clone());
        let console = self.clone();
        self.tasks
            .spawn(async move { console.scan(&scanning).await });
        true
    }

    async fn scan(&self, scanning: &Scanning) {
        let (mut letters, mut bytes) = (Vec::new(), 0);
        let look = |letter: Letter| {
            bytes += letter.size();
            letters.push(Arc::new(letter));
            scanning.seen.store(letters.len(), Ordering::Relaxed);
            if bytes > MOST_BYTES {
                ControlFlow::Break(End::Full)
            } else {
                ControlFlow::Continue(())
            }
        };
        let queue = &self.queues.dead_letters;
        let report = scan(queue, ScanOptions::default(), &scanning.stop, look).await;
        let report = match report {
            Ok(report) => report,
            Err(error) => {
                tracing::warn!(%error, "the internal queue cannot be scanned");
                let mut desk = self.desk();
                desk.scan_error = Some(error.to_string());
                desk.scanning = None;
                return;
            }
        };
        letters.sort_by_cached_key(|letter: &Arc<Letter>| letter.order());
        self.forget_counts().await;
        let snapshot = Snapshot::new(letters, self.clock.now(), Arc::new(report), 0);
        let mut desk = self.desk();
        desk.snapshot = Some(Arc::new(snapshot));
        desk.scan_error = None;
        desk.scanning = None;
    }
}
