//! The attempt ledger as its users see it: read, write if nobody else has, forget, expire.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use delivery::Record;
use event::Timestamp;

use crate::dynamodb::DynamoDb;
use crate::reporting::Reporting;
use crate::sqlite::{File, in_memory};
use crate::{Backend, Key, LedgerError, LedgerSpec, Note, NoteKey, Seen, SeenNote, WriteError};

/// A record can be of no use once SQS has dropped its message; a day more, since clocks differ.
const BEYOND_RETENTION: Duration = Duration::from_secs(24 * 3600);

/// The attempt ledger. Cheap to clone; all clones use one place.
#[derive(Clone)]
pub struct Ledger {
    backend: Arc<dyn Backend>,
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
    /// its owner alone to read, a DynamoDB table is not. `retention` is the source queue's, or the internal
    /// queue's if that is longer.
    ///
    /// # Errors
    /// When it cannot be opened or made, or is something else.
    pub async fn open(spec: &LedgerSpec, retention: Duration) -> Result<Self, LedgerError> {
        let backend: Arc<dyn Backend> = match spec {
            LedgerSpec::Sqlite(path) => Arc::new(File::open(path.clone()).await?),
            LedgerSpec::DynamoDb(table) => {
                let table = DynamoDb::from_env(table).await;
                table.check().await?;
                Arc::new(table)
            }
        };
        Ok(Self::over(backend, retention))
    }

    /// Opens a ledger only to look at it: nothing is made or changed, and a DynamoDB table needs `dynamodb:GetItem`
    /// alone. None if there is no file, or an empty one.
    ///
    /// # Errors
    /// When it cannot be opened, or is something else. Whether there is a table shows in the first look.
    pub async fn look(spec: &LedgerSpec, retention: Duration) -> Result<Option<Self>, LedgerError> {
        let backend: Arc<dyn Backend> = match spec {
            LedgerSpec::Sqlite(path) => match File::look(path.clone()).await? {
                Some(file) => Arc::new(file),
                None => return Ok(None),
            },
            LedgerSpec::DynamoDb(table) => Arc::new(DynamoDb::from_env(table).await),
        };
        Ok(Some(Self::over(backend, retention)))
    }

    /// A ledger that lives as long as its last clone, for tests and demonstrations.
    ///
    /// # Errors
    /// When SQLite is out of memory.
    pub async fn in_memory(retention: Duration) -> Result<Self, LedgerError> {
        Ok(Self::over(in_memory()?, retention))
    }

    /// A ledger over a place for records. `retention` is the source queue's.
    #[must_use]
    pub fn over(backend: Arc<dyn Backend>, retention: Duration) -> Self {
        Self { backend, retention }
    }

    /// Tells `on_denied` of each call of this ledger and its clones that AWS refuses, before the call returns.
    #[must_use]
    pub fn watched(self, on_denied: impl Fn(&LedgerError) + Send + Sync + 'static) -> Self {
        let backend = Reporting::new(self.backend, on_denied);
        Self {
            backend: Arc::new(backend),
            ..self
        }
    }

    /// Reads the record of a message.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn read(&self, key: &Key) -> Result<Option<Seen>, LedgerError> {
        self.backend.read(key).await
    }

    /// Writes the record of a message on condition that what was read (`seen`; `None`: nothing was there) is
    /// still what is there. It outlives a crash when this returns.
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
        let replaces = seen.map(|seen| seen.version);
        let expires = now.plus(self.lifetime());
        let written = self.backend.write(key, replaces, record, now, expires);
        let version = written.await?.ok_or(WriteError::Lost)?;
        let record = record.clone();
        Ok(Seen { record, version })
    }

    /// Removes the records of messages that were delivered or sent to the internal queue. Those without one
    /// are passed over.
    ///
    /// # Errors
    /// When the ledger cannot be written; some records may then be gone.
    pub async fn forget(&self, keys: &[Key]) -> Result<(), LedgerError> {
        if keys.is_empty() {
            return Ok(());
        }
        self.backend.forget(keys).await
    }

    pub(crate) async fn read_note(&self, key: &NoteKey) -> Result<Option<SeenNote>, LedgerError> {
        self.backend.read_note(key).await
    }

    /// Writes a note on the conditions of [`write`](Self::write).
    pub(crate) async fn write_note(
        &self,
        key: &NoteKey,
        seen: Option<&SeenNote>,
        note: &Note,
        now: Timestamp,
    ) -> Result<(), WriteError> {
        let replaces = seen.map(|seen| seen.version);
        let expires = now.plus(self.lifetime());
        let written = self.backend.write_note(key, replaces, note, now, expires);
        written.await?.map(drop).ok_or(WriteError::Lost)
    }

    /// Removes records and notes last written longer ago than the retention and a day, at most
    /// [`MAX_EXPIRED`](crate::MAX_EXPIRED); says how many.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub async fn expire(&self, now: Timestamp) -> Result<usize, LedgerError> {
        let age_ms = u64::try_from(self.lifetime().as_millis()).unwrap_or(u64::MAX);
        let before = Timestamp::from_millis(now.as_millis().saturating_sub(age_ms));
        self.backend.expire(before).await
    }

    /// Writes something, so that a readiness check finds a full disk or a lost permission before a visit does.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub async fn check(&self) -> Result<(), LedgerError> {
        self.backend.check().await
    }

    pub(crate) fn lifetime(&self) -> Duration {
        self.retention + BEYOND_RETENTION
    }
}
