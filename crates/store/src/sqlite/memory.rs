//! A ledger in memory: every call is made on the spot. Nothing waits for a disk, and a simulation on tokio's
//! paused clock needs the same order of events whenever it runs.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use delivery::Record;
use event::Timestamp;

use super::Sqlite;
use super::changes::Change;
use crate::backend::{Backend, BoxFuture, Key, MAX_EXPIRED, Seen};
use crate::error::LedgerError;
use crate::note::{Note, NoteKey, SeenNote};
use crate::slot::Slot;

/// A place for records that lives as long as its last clone, for tests and demonstrations.
///
/// # Errors
/// When SQLite is out of memory.
pub fn in_memory() -> Result<Arc<dyn Backend>, LedgerError> {
    Ok(Arc::new(Memory(Mutex::new(Sqlite::in_memory()?))))
}

struct Memory(Mutex<Sqlite>);

impl Memory {
    fn sqlite(&self) -> MutexGuard<'_, Sqlite> {
        // What was half done when a call panicked, SQLite has undone.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Backend for Memory {
    fn read<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Seen>, LedgerError>> {
        Box::pin(async move {
            let found = self.sqlite().read(&Slot::from(key))?;
            Ok(found.map(|(record, version)| Seen { record, version }))
        })
    }

    fn write<'a>(
        &'a self,
        key: &'a Key,
        replaces: Option<i64>,
        record: &'a Record,
        now: Timestamp,
        _expires: Timestamp,
    ) -> BoxFuture<'a, Result<Option<i64>, LedgerError>> {
        let change = Change::put(key, replaces, record, now);
        Box::pin(async move { self.sqlite().change_one(change) })
    }

    fn forget<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<(), LedgerError>> {
        let change = Change::forget(keys);
        Box::pin(async move { self.sqlite().change_one(change).map(|_| ()) })
    }

    fn read_note<'a>(
        &'a self,
        key: &'a NoteKey,
    ) -> BoxFuture<'a, Result<Option<SeenNote>, LedgerError>> {
        Box::pin(async move {
            let found = self.sqlite().read(&Slot::from(key))?;
            Ok(found.map(|(note, version)| SeenNote { note, version }))
        })
    }

    fn write_note<'a>(
        &'a self,
        key: &'a NoteKey,
        replaces: Option<i64>,
        note: &'a Note,
        now: Timestamp,
        _expires: Timestamp,
    ) -> BoxFuture<'a, Result<Option<i64>, LedgerError>> {
        let change = Change::put(key, replaces, note, now);
        Box::pin(async move { self.sqlite().change_one(change) })
    }

    fn expire(&self, before: Timestamp) -> BoxFuture<'_, Result<usize, LedgerError>> {
        Box::pin(async move { self.sqlite().expire(before, MAX_EXPIRED) })
    }

    fn check(&self) -> BoxFuture<'_, Result<(), LedgerError>> {
        Box::pin(async { self.sqlite().check() })
    }
}
