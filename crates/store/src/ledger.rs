//! The attempt ledger as its users see it: read, write if nobody else has, forget, expire.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use delivery::Record;
use event::Timestamp;
use tokio::sync::{Mutex, oneshot};

use crate::changes::{Change, Pending, Waiting};
use crate::sqlite::Sqlite;
use crate::{LedgerError, LedgerSpec, WriteError};

/// The most records one call of [`Ledger::expire`] removes.
pub const MAX_EXPIRED: usize = 1_000;

/// A record can be of no use once SQS has dropped its message; a day more, since clocks differ.
const BEYOND_RETENTION: Duration = Duration::from_secs(24 * 3600);

/// Which message a record is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// The URL of the source queue.
    pub queue: String,
    /// The MessageId.
    pub message_id: String,
    /// The message group (FIFO). Written down for people; not part of the identity.
    pub group: Option<String>,
}

/// A record and the right to replace it, as long as nobody else has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// What was there.
    pub record: Record,
    pub(crate) version: i64,
}

/// The attempt ledger. Cheap to clone; all clones use one connection, one call at a time. Changes that wait
/// for it together are made together: one wait for the disk instead of one each.
#[derive(Clone)]
pub struct Ledger {
    sqlite: Arc<Mutex<Sqlite>>,
    waiting: Arc<Waiting>,
    retention: Duration,
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger")
            .field("retention", &self.retention)
            .finish_non_exhaustive()
    }
}

impl Ledger {
    /// Opens a ledger and makes sure that it can be written; a SQLite file that is not there is made, for
    /// its owner alone to read. `retention` is the source queue's.
    ///
    /// # Errors
    /// When it cannot be opened or made, or is something else.
    pub async fn open(spec: &LedgerSpec, retention: Duration) -> Result<Self, LedgerError> {
        let LedgerSpec::Sqlite(path) = spec.clone();
        let sqlite = blocking(path.display().to_string(), move || Sqlite::open(&path)).await?;
        Ok(Self::over(sqlite, retention))
    }

    /// A ledger that lives as long as its last clone, for tests and demonstrations.
    ///
    /// # Errors
    /// When SQLite is out of memory.
    pub async fn in_memory(retention: Duration) -> Result<Self, LedgerError> {
        let sqlite = blocking("in memory".to_owned(), Sqlite::in_memory).await?;
        Ok(Self::over(sqlite, retention))
    }

    /// Reads the record of a message.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn read(&self, key: &Key) -> Result<Option<Seen>, LedgerError> {
        let key = key.clone();
        self.call(move |sqlite| sqlite.read(&key)).await
    }

    /// Writes the record of a message on condition that what was read (`seen`; `None`: nothing was there) is
    /// still what is there. It is on the disk when this returns.
    ///
    /// # Errors
    /// [`WriteError::Lost`] when it is not; otherwise when the ledger cannot be written.
    pub async fn write(
        &self,
        key: &Key,
        seen: Option<&Seen>,
        record: &Record,
        now: Timestamp,
    ) -> Result<Seen, WriteError> {
        let change = Change::Put {
            key: key.clone(),
            replaces: seen.map(|seen| seen.version),
            record: record.clone(),
            now,
        };
        let version = self.change(change).await?.ok_or(WriteError::Lost)?;
        let record = record.clone();
        Ok(Seen { record, version })
    }

    /// Removes the records of messages that were delivered or sent to the internal queue. Those without one
    /// are passed over.
    ///
    /// # Errors
    /// When the ledger cannot be written; then all records are still there.
    pub async fn forget(&self, keys: &[Key]) -> Result<(), LedgerError> {
        if keys.is_empty() {
            return Ok(());
        }
        self.change(Change::Forget(keys.to_vec())).await.map(|_| ())
    }

    /// Removes records last written longer ago than the retention and a day, at most [`MAX_EXPIRED`]; says
    /// how many.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub async fn expire(&self, now: Timestamp) -> Result<usize, LedgerError> {
        let age_ms = (self.retention + BEYOND_RETENTION).as_millis();
        let age_ms = u64::try_from(age_ms).unwrap_or(u64::MAX);
        let before = Timestamp::from_millis(now.as_millis().saturating_sub(age_ms));
        self.call(move |sqlite| sqlite.expire(before, MAX_EXPIRED))
            .await
    }

    /// Writes something, so that a readiness check finds a full disk or a lost permission before a visit does.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub async fn check(&self) -> Result<(), LedgerError> {
        self.call(Sqlite::check).await
    }

    fn over(sqlite: Sqlite, retention: Duration) -> Self {
        Self {
            sqlite: Arc::new(Mutex::new(sqlite)),
            waiting: Arc::default(),
            retention,
        }
    }

    /// Has a change made by whoever gets the connection next, together with all that wait by then.
    async fn change(&self, change: Change) -> Result<Option<i64>, LedgerError> {
        let (answer, mut answered) = oneshot::channel();
        self.waiting.add(Pending { change, answer });
        loop {
            let mut sqlite = self.sqlite.clone().lock_owned().await;
            if let Ok(done) = answered.try_recv() {
                return done;
            }
            let (path, batch) = (sqlite.path().to_owned(), self.waiting.take());
            let made = move || {
                sqlite.change(batch);
                Ok(())
            };
            blocking(path, made).await?;
        }
    }

    /// Runs one call off the runtime's thread. The lock is taken before, so that waiting calls are tasks,
    /// not threads; while a blocking call runs, tokio's paused clock stands still.
    async fn call<T: Send + 'static>(
        &self,
        run: impl FnOnce(&mut Sqlite) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let mut sqlite = self.sqlite.clone().lock_owned().await;
        let path = sqlite.path().to_owned();
        blocking(path, move || run(&mut sqlite)).await
    }
}

async fn blocking<T: Send + 'static>(
    path: String,
    run: impl FnOnce() -> Result<T, LedgerError> + Send + 'static,
) -> Result<T, LedgerError> {
    match tokio::task::spawn_blocking(run).await {
        Ok(done) => done,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Err(LedgerError::Unusable {
            path,
            message: "the program is stopping".to_owned(),
        }),
    }
}
