//! What a scan holds: receipt handles and their leases, extended while it runs and given back at its end.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use queue::{EntryErrorKind, MAX_BATCH, Queue, Received, Uptime};
use tokio::task::JoinSet;
use tokio::time::sleep;

/// Batch calls at the same time.
const CALLS: usize = 8;

/// Tries of one batch when giving back, and the wait before the second; it doubles.
const TRIES: u32 = 4;
const BEFORE_THE_SECOND: Duration = Duration::from_millis(250);

/// The messages a scan holds, by MessageId.
pub(crate) struct Held {
    queue: Queue,
    lease: Duration,
    messages: HashMap<String, Message>,
    /// The one whose lease ends first comes first.
    ends: BTreeSet<(Uptime, String)>,
    received: u64,
}

struct Message {
    handle: String,
    lease_until: Uptime,
    /// Which receive of this scan brought it.
    number: u64,
}

/// One entry of a batch call: the MessageId and the handle.
type Entry = (String, String);

impl Held {
    pub(crate) fn new(queue: &Queue, lease: Duration) -> Self {
        Self {
            queue: queue.clone(),
            lease,
            messages: HashMap::new(),
            ends: BTreeSet::new(),
            received: 0,
        }
    }

    /// Holds a message; one that came again after its lease was lost is held by its new handle.
    pub(crate) fn add(&mut self, message: &Received) {
        self.forget(&message.message_id);
        let id = message.message_id.clone();
        self.ends.insert((message.lease_until, id.clone()));
        self.received += 1;
        let held = Message {
            handle: message.receipt_handle.clone(),
            lease_until: message.lease_until,
            number: self.received,
        };
        self.messages.insert(id, held);
    }

    /// Lets go of a message that is deleted or lost.
    pub(crate) fn forget(&mut self, message_id: &str) {
        if let Some(message) = self.messages.remove(message_id) {
            self.ends
                .remove(&(message.lease_until, message_id.to_owned()));
        }
    }

    /// Now, by the clock of the leases.
    pub(crate) fn now(&self) -> Uptime {
        self.queue.clock().uptime()
    }

    /// The handle of a message and until when it is ours; nothing if it was lost.
    pub(crate) fn lease(&self, message_id: &str) -> Option<(&str, Uptime)> {
        let message = self.messages.get(message_id)?;
        Some((&message.handle, message.lease_until))
    }

    /// Extends every lease of which less than half is left. One that cannot be extended now keeps its end; one
    /// that is lost is let go: the message is back in the queue.
    pub(crate) async fn extend(&mut self) {
        let due = self.now() + self.lease / 2;
        let due: Vec<_> = self
            .ends
            .iter()
            .take_while(|(end, _)| *end <= due)
            .collect();
        if due.is_empty() {
            return;
        }
        let entries = due.into_iter().map(|(_, id)| self.entry(id)).collect();
        let (queue, lease) = (self.queue.clone(), self.lease);
        let extended = in_batches(entries, move |batch| extend(queue.clone(), batch, lease));
        for (id, answer) in extended.await.into_iter().flatten() {
            match answer {
                Extended::Until(end) => self.prolong(id, end),
                Extended::NotNow => {}
                Extended::Lost => self.forget(&id),
            }
        }
    }

    /// Extends leases as they come due, until this future is dropped.
    pub(crate) async fn hold(&mut self) {
        loop {
            self.extend().await;
            sleep(self.lease / 8).await;
        }
    }

    fn prolong(&mut self, id: String, end: Uptime) {
        let Some(message) = self.messages.get_mut(&id) else {
            return;
        };
        let before = std::mem::replace(&mut message.lease_until, end);
        self.ends.remove(&(before, id.clone()));
        self.ends.insert((end, id));
    }

    fn entry(&self, id: &str) -> Entry {
        (id.to_owned(), self.messages[id].handle.clone())
    }

    /// Gives everything back but what is to be kept, what was received last first. Says how many messages could
    /// not be given back; they come back by themselves when their leases end.
    pub(crate) async fn give_back_unless(&mut self, keep: impl Fn(&str) -> bool) -> usize {
        let mut ids: Vec<_> = self
            .messages
            .keys()
            .filter(|id| !keep(id))
            .cloned()
            .collect();
        ids.sort_by_key(|id| std::cmp::Reverse(self.messages[id].number));
        let entries = ids.iter().map(|id| self.entry(id)).collect();
        let queue = self.queue.clone();
        let kept = in_batches(entries, move |batch| give_back(queue.clone(), batch)).await;
        ids.iter().for_each(|id| self.forget(id));
        kept.into_iter().sum()
    }

    /// Gives everything back; see [`Held::give_back_unless`].
    pub(crate) async fn give_back(&mut self) -> usize {
        self.give_back_unless(|_| false).await
    }
}

enum Extended {
    Until(Uptime),
    NotNow,
    Lost,
}

async fn extend(queue: Queue, batch: Vec<Entry>, lease: Duration) -> Vec<(String, Extended)> {
    let until = queue.clock().uptime() + lease;
    let changes: Vec<_> = batch.iter().map(|(_, h)| (h.as_str(), lease)).collect();
    let Ok(answers) = queue.change_visibility_batch(&changes).await else {
        return Vec::new();
    };
    let answers = answers.into_iter().map(|answer| match answer {
        Ok(()) => Extended::Until(until),
        Err(error) if error.kind() == EntryErrorKind::HandleLost => Extended::Lost,
        Err(_) => Extended::NotNow,
    });
    batch.into_iter().map(|(id, _)| id).zip(answers).collect()
}

async fn give_back(queue: Queue, batch: Vec<Entry>) -> usize {
    let mut handles: Vec<_> = batch.into_iter().map(|(_, handle)| handle).collect();
    let mut wait = BEFORE_THE_SECOND;
    for attempt in 1..=TRIES {
        let changes: Vec<_> = handles
            .iter()
            .map(|h| (h.as_str(), Duration::ZERO))
            .collect();
        if let Ok(answers) = queue.change_visibility_batch(&changes).await {
            let mut answers = answers.into_iter();
            // A lost handle is a message that is back already.
            handles.retain(|_| matches!(answers.next(), Some(Err(e)) if e.kind() != EntryErrorKind::HandleLost));
        }
        if handles.is_empty() || attempt == TRIES {
            break;
        }
        sleep(wait).await;
        wait *= 2;
    }
    handles.len()
}

/// Runs a job for each [`MAX_BATCH`] entries, [`CALLS`] at a time, begun in the order given.
async fn in_batches<T, F>(entries: Vec<Entry>, job: impl Fn(Vec<Entry>) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let (mut running, mut done) = (JoinSet::new(), Vec::new());
    for batch in entries.chunks(MAX_BATCH) {
        if running.len() == CALLS {
            done.extend(running.join_next().await.and_then(Result::ok));
        }
        running.spawn(job(batch.to_vec()));
    }
    done.extend(running.join_all().await);
    done
}
