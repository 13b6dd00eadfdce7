//! A ledger in a file: every call goes off the runtime's thread, since it may wait for the disk or for another
//! process; changes that wait for the connection together are made together, one wait for the disk instead of
//! one each.

use std::path::PathBuf;
use std::sync::Arc;

use delivery::Record;
use event::Timestamp;
use tokio::sync::{Mutex, oneshot};

use super::Sqlite;
use super::changes::{Change, Pending, Waiting};
use crate::backend::{Backend, BoxFuture, Key, MAX_EXPIRED, Seen};
use crate::error::LedgerError;
use crate::note::{Note, NoteKey, SeenNote};
use crate::slot::Slot;

/// One connection, one call at a time.
pub(crate) struct File {
    sqlite: Arc<Mutex<Sqlite>>,
    waiting: Waiting,
}

impl File {
    pub(crate) async fn open(path: PathBuf) -> Result<Self, LedgerError> {
        let sqlite = blocking(path.display().to_string(), move || Sqlite::open(&path)).await?;
        Ok(Self::over(sqlite))
    }

    /// Opens a file that is there, only to read it.
    pub(crate) async fn look(path: PathBuf) -> Result<Option<Self>, LedgerError> {
        let sqlite = blocking(path.display().to_string(), move || Sqlite::look(&path)).await?;
        Ok(sqlite.map(Self::over))
    }

    fn over(sqlite: Sqlite) -> Self {
        Self {
            sqlite: Arc::new(Mutex::new(sqlite)),
            waiting: Waiting::default(),
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

    /// Runs one call. The lock is taken before, so that waiting calls are tasks, not threads; while a blocking
    /// call runs, tokio's paused clock stands still.
    async fn call<T: Send + 'static>(
        &self,
        run: impl FnOnce(&mut Sqlite) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let mut sqlite = self.sqlite.clone().lock_owned().await;
        let path = sqlite.path().to_owned();
        blocking(path, move || run(&mut sqlite)).await
    }
}

impl Backend for File {
    fn read<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Seen>, LedgerError>> {
        let slot = Slot::from(key);
        Box::pin(async {
            let found = self.call(move |sqlite| sqlite.read(&slot)).await?;
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
        Box::pin(self.change(Change::put(key, replaces, record, now)))
    }

    fn forget<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<(), LedgerError>> {
        Box::pin(async {
            let forgotten = self.change(Change::forget(keys)).await;
            forgotten.map(|_| ())
        })
    }

    fn read_note<'a>(
        &'a self,
        key: &'a NoteKey,
    ) -> BoxFuture<'a, Result<Option<SeenNote>, LedgerError>> {
        let slot = Slot::from(key);
        Box::pin(async {
            let found = self.call(move |sqlite| sqlite.read(&slot)).await?;
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
        Box::pin(self.change(Change::put(key, replaces, note, now)))
    }

    fn expire(&self, before: Timestamp) -> BoxFuture<'_, Result<usize, LedgerError>> {
        Box::pin(self.call(move |sqlite| sqlite.expire(before, MAX_EXPIRED)))
    }

    fn check(&self) -> BoxFuture<'_, Result<(), LedgerError>> {
        Box::pin(self.call(Sqlite::check))
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
            ledger: path,
            message: "the program is stopping".to_owned(),
        }),
    }
}
