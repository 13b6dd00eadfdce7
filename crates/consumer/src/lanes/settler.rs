//! Deletes, ten to a call: a delete waits a moment for company, is retried while it may still succeed, and
//! is never lost at shutdown. One that fails or takes long is written into the ledger, for whoever receives the
//! message next.

mod deleter;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use queue::MAX_BATCH;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::breakage::Breakage;
use crate::lanes::shared::Shared;
use crate::lanes::standstill::Standstill;
use deleter::{Deleter, OVERDUE};
pub(crate) use deleter::{Deletion, Ended};

/// How old a delete may grow while its lane goes on (`docs/DECISIONS.md`, "Next after delete").
const WITH_COMPANY: Duration = Duration::from_millis(200);

/// How old it may grow when its lane has nothing left: the group stands still until SQS has it.
const LAST_OF_ITS_LANE: Duration = Duration::from_millis(5);

/// Deletes in hand at the same time, those that wait for a call included. Lanes wait beyond that.
const PLACES: usize = 1_000;

/// Takes deletes; dropping the last clone lets its task finish what it has.
#[derive(Clone)]
pub(crate) struct Settler {
    /// Takes as many as there are places, so that it never makes anybody wait.
    deletes: mpsc::Sender<Waiting>,
    places: Arc<Semaphore>,
    deleter: Arc<Deleter>,
    standstill: Arc<Standstill>,
    stop: CancellationToken,
    abort: CancellationToken,
}

#[derive(Debug)]
struct Waiting {
    deletion: Deletion,
    since: Instant,
    due: Instant,
}

impl Settler {
    /// Starts the settler's task in `tasks`; it ends when the last clone is dropped and everything is
    /// settled.
    pub(crate) fn start<P>(shared: &Shared<P>, tasks: &TaskTracker) -> Self {
        let (deletes, receiver) = mpsc::channel(PLACES);
        let deleter = Arc::new(Deleter::new(shared));
        tasks.spawn(collect(receiver, deleter.clone(), tasks.clone()));
        Self {
            deletes,
            places: Arc::new(Semaphore::new(PLACES)),
            deleter,
            standstill: shared.standstill.clone(),
            stop: shared.stop.clone(),
            abort: shared.abort.clone(),
        }
    }

    /// Puts a delete on its way; waits only when too many are. If the grace of a worker that stops is over before
    /// there is a place, the ledger tells whoever receives the message next to delete it.
    pub(crate) async fn delete(&self, mut deletion: Deletion, last_of_its_lane: bool) {
        let age = if last_of_its_lane {
            LAST_OF_ITS_LANE
        } else {
            WITH_COMPANY
        };
        let since = Instant::now();
        deletion.place = self.place(&mut deletion).await;
        if deletion.place.is_none() {
            return;
        }
        let waiting = Waiting {
            deletion,
            since,
            due: Instant::now() + age,
        };
        // The task lives as long as any sender, so this cannot fail; if it did, the lease would run out
        // and the message come again, to be deleted without a POST.
        let _ = self.deletes.send(waiting).await;
    }

    async fn place(&self, deletion: &mut Deletion) -> Option<OwnedSemaphorePermit> {
        let mut place = pin!(self.places.clone().acquire_owned());
        tokio::select! {
            biased;
            place = &mut place => return place.ok(),
            () = self.stop.cancelled() => {}
            () = sleep(OVERDUE) => {}
        }
        let _standing = self.standstill.begin();
        if !Breakage::NotNotedWithoutPlace.is_made() {
            self.deleter.write_done_of(deletion).await;
        }
        tokio::select! {
            biased;
            place = &mut place => place.ok(),
            () = self.abort.cancelled() => None,
        }
    }
}

async fn collect(mut incoming: mpsc::Receiver<Waiting>, deleter: Arc<Deleter>, tasks: TaskTracker) {
    let mut waiting: Vec<Waiting> = Vec::with_capacity(MAX_BATCH);
    loop {
        let next = match waiting.iter().map(|w| w.due).min() {
            Some(due) => timeout_at(due, incoming.recv()).await,
            None => Ok(incoming.recv().await),
        };
        let closed = matches!(next, Ok(None));
        let is_due = next.is_err() || closed;
        waiting.extend(next.ok().flatten());
        if (waiting.len() == MAX_BATCH || is_due)
            && let Some(since) = waiting.iter().map(|w| w.since).min()
        {
            let batch = waiting.drain(..).map(|w| w.deletion).collect();
            let deleter = deleter.clone();
            tasks.spawn(async move { deleter.delete(batch, since + OVERDUE).await });
        }
        if closed {
            return;
        }
    }
}
