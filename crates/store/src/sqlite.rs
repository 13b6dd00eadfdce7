//! The ledger in SQLite: one table, one row per record or note.

mod access;
mod changes;
mod file;
mod format;
mod memory;

use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use event::Timestamp;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, TransactionBehavior, params};
use serde::de::DeserializeOwned;

use self::changes::{Change, Pending};
use crate::LedgerError;
use crate::slot::Slot;

pub(crate) use self::access::{exposure, obstacle};
pub(crate) use self::file::File;
pub use self::memory::in_memory;

/// How long a call waits for another process that is writing.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// A connection. Its calls block.
struct Sqlite {
    path: String,
    connection: Connection,
}

impl Sqlite {
    fn open(path: &Path) -> Result<Self, LedgerError> {
        let shown = path.display().to_string();
        // Absolute, since SQLite takes "file:…" for a URI and ":memory:" for no file at all.
        let path = std::path::absolute(path).map_err(|e| unopened(&shown, e.to_string()))?;
        access::refuse_no_file(&shown, &path)?;
        make_private(&path).map_err(|e| unopened(&shown, why_not_made(&path, &e)))?;
        let connection = connect(&shown, &path)?;
        Self::prepare(shown, connection)
    }

    /// Opens a file that is there, only to read it. None if there is none, or if nothing was ever written to it.
    fn look(path: &Path) -> Result<Option<Self>, LedgerError> {
        let shown = path.display().to_string();
        let path = std::path::absolute(path).map_err(|e| unopened(&shown, e.to_string()))?;
        let is_there = path.try_exists();
        if !is_there.map_err(|e| unopened(&shown, e.to_string()))? {
            return Ok(None);
        }
        access::refuse_no_file(&shown, &path)?;
        let connection = connect(&shown, &path)?;
        let sqlite = Self::over(shown, connection)?;
        let is_empty = sqlite.identify()? == 0;
        let query_only = sqlite.connection.pragma_update(None, "query_only", true);
        query_only.map_err(|e| sqlite.error(e))?;
        Ok((!is_empty).then_some(sqlite))
    }

    fn in_memory() -> Result<Self, LedgerError> {
        let path = "in memory".to_owned();
        let connection =
            Connection::open_in_memory().map_err(|e| unopened(&path, e.to_string()))?;
        Self::prepare(path, connection)
    }

    fn over(path: String, connection: Connection) -> Result<Self, LedgerError> {
        let sqlite = Self { path, connection };
        let busy = sqlite.connection.busy_timeout(BUSY_TIMEOUT);
        busy.map_err(|e| sqlite.error(e))?;
        Ok(sqlite)
    }

    fn prepare(path: String, connection: Connection) -> Result<Self, LedgerError> {
        let mut sqlite = Self::over(path, connection)?;
        // Before anything is changed: another program's file stays as it is.
        let format = sqlite.identify()?;
        sqlite.settings().map_err(|e| sqlite.error(e))?;
        if format < format::NEWEST {
            // What another process has made meanwhile may be anything.
            let migrated = format::migrate(&mut sqlite.connection, format::STEPS);
            sqlite.known(migrated)?;
        }
        sqlite.check()?;
        Ok(sqlite)
    }

    fn path(&self) -> &str {
        &self.path
    }

    /// The format of the file, 0 if it is empty yet. Refuses what is no ledger, or a newer one.
    fn identify(&self) -> Result<i64, LedgerError> {
        self.known(format::find(&self.connection))
    }

    fn known(&self, found: rusqlite::Result<Option<i64>>) -> Result<i64, LedgerError> {
        match found.map_err(|e| self.error(e))? {
            Some(found) if found > format::NEWEST => Err(LedgerError::Newer {
                path: self.path.clone(),
                found,
                supported: format::NEWEST,
            }),
            Some(found) => Ok(found),
            None => Err(LedgerError::NotALedger {
                ledger: self.path.clone(),
                message: "it is the database of another program".to_owned(),
            }),
        }
    }

    fn settings(&self) -> rusqlite::Result<()> {
        self.write_ahead()?;
        // A record must outlive a power failure: a forgotten attempt would be made again.
        self.connection.pragma_update(None, "synchronous", "full")?;
        self.connection
            .pragma_update(None, "journal_size_limit", 16 * 1024 * 1024)
    }

    /// SQLite does not wait by itself for another process that is switching the same new file.
    fn write_ahead(&self) -> rusqlite::Result<()> {
        let deadline = Instant::now() + BUSY_TIMEOUT;
        loop {
            let switched = self.connection.pragma_update(None, "journal_mode", "wal");
            match switched {
                Err(e) if is_busy(&e) && Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                other => return other,
            }
        }
    }

    /// What lies in a slot, and which version of it.
    fn read<T: DeserializeOwned>(&mut self, slot: &Slot) -> Result<Option<(T, i64)>, LedgerError> {
        let row = self.row(slot).map_err(|e| self.error(e))?;
        let Some((version, text)) = row else {
            return Ok(None);
        };
        match serde_json::from_str(&text) {
            Ok(kept) => Ok(Some((kept, version))),
            Err(error) => Err(LedgerError::Record {
                ledger: self.path.clone(),
                message_id: slot.id.clone(),
                message: error.to_string(),
            }),
        }
    }

    fn row(&self, slot: &Slot) -> rusqlite::Result<Option<(i64, String)>> {
        let query = "SELECT version, record FROM attempts WHERE queue = ?1 AND message_id = ?2";
        let mut statement = self.connection.prepare_cached(query)?;
        statement
            .query_row(params![slot.queue, slot.id], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()
    }

    /// Makes all changes or, if that fails, none; then answers.
    fn change(&mut self, batch: Vec<Pending>) {
        let (changes, waiting): (Vec<_>, Vec<_>) =
            batch.into_iter().map(|p| (p.change, p.answer)).unzip();
        let made = self.change_all(&changes);
        let answers = match made {
            Ok(versions) => versions.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error); waiting.len()],
        };
        for (waiting, answer) in waiting.into_iter().zip(answers) {
            // Whoever waited may have gone.
            let _ = waiting.send(answer);
        }
    }

    fn change_one(&mut self, change: Change) -> Result<Option<i64>, LedgerError> {
        let versions = self.change_all(&[change])?;
        Ok(versions.into_iter().next().flatten())
    }

    fn change_all(&mut self, changes: &[Change]) -> Result<Vec<Option<i64>>, LedgerError> {
        let mut run = || {
            let behavior = TransactionBehavior::Immediate;
            let transaction = self.connection.transaction_with_behavior(behavior)?;
            let made = changes.iter().map(|change| make(&transaction, change));
            let versions = made.collect::<rusqlite::Result<_>>()?;
            transaction.commit()?;
            Ok(versions)
        };
        run().map_err(|e| self.error(e))
    }

    fn expire(&mut self, before: Timestamp, most: usize) -> Result<usize, LedgerError> {
        let before_ms = before.as_millis().cast_signed();
        self.execute(
            "DELETE FROM attempts WHERE rowid IN
                 (SELECT rowid FROM attempts WHERE written_at_ms < ?1 ORDER BY written_at_ms LIMIT ?2)",
            params![before_ms, most as i64],
        )
    }

    /// Writes the header again as it is, a write like any other, down to the disk; and looks whether the
    /// table can be changed, changing nothing. A newer version may have migrated the file since it was opened.
    fn check(&mut self) -> Result<(), LedgerError> {
        let mut run = || {
            let behavior = TransactionBehavior::Immediate;
            let transaction = self.connection.transaction_with_behavior(behavior)?;
            transaction.execute("DELETE FROM attempts WHERE queue IS NULL", [])?;
            let found = format::write_again(&transaction)?;
            transaction.commit()?;
            Ok(found)
        };
        let found = run();
        self.known(found).map(drop)
    }

    fn execute(&self, sql: &str, params: impl rusqlite::Params) -> Result<usize, LedgerError> {
        let run = || self.connection.prepare_cached(sql)?.execute(params);
        run().map_err(|e| self.error(e))
    }

    fn error(&self, error: rusqlite::Error) -> LedgerError {
        let path = self.path.clone();
        let message = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => LedgerError::NotALedger {
                ledger: path,
                message,
            },
            Some(ErrorCode::DatabaseCorrupt) => LedgerError::Damaged { path, message },
            Some(ErrorCode::DatabaseBusy) => LedgerError::Unusable {
                ledger: path,
                message: format!(
                    "another process has kept it locked for {} s",
                    BUSY_TIMEOUT.as_secs()
                ),
            },
            _ => LedgerError::Unusable {
                ledger: path,
                message,
            },
        }
    }
}

fn make(connection: &Connection, change: &Change) -> rusqlite::Result<Option<i64>> {
    match change {
        Change::Put {
            slot,
            replaces,
            text,
            now,
        } => put(connection, slot, *replaces, text, *now),
        Change::Forget(slots) => forget(connection, slots).map(|()| None),
    }
}

/// The version written, or `None` if the one to replace is not the one that is there.
fn put(
    connection: &Connection,
    slot: &Slot,
    replaces: Option<i64>,
    text: &str,
    now: Timestamp,
) -> rusqlite::Result<Option<i64>> {
    let version = replaces.unwrap_or(0) + 1;
    let now_ms = now.as_millis().cast_signed();
    let changed = match replaces {
        None => {
            let insert = "INSERT INTO attempts (queue, message_id, message_group, version, written_at_ms, record)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING";
            let mut insert = connection.prepare_cached(insert)?;
            insert.execute(params![
                slot.queue, slot.id, slot.group, version, now_ms, text
            ])?
        }
        Some(replaced) => {
            let update = "UPDATE attempts SET version = ?3, written_at_ms = ?4, record = ?5
                 WHERE queue = ?1 AND message_id = ?2 AND version = ?6";
            let mut update = connection.prepare_cached(update)?;
            update.execute(params![
                slot.queue, slot.id, version, now_ms, text, replaced
            ])?
        }
    };
    Ok((changed == 1).then_some(version))
}

fn forget(connection: &Connection, slots: &[Slot]) -> rusqlite::Result<()> {
    let delete = "DELETE FROM attempts WHERE queue = ?1 AND message_id = ?2";
    let mut delete = connection.prepare_cached(delete)?;
    for slot in slots {
        delete.execute(params![slot.queue, slot.id])?;
    }
    Ok(())
}

/// Connects to a file that is there. To write, too: the last connection that only reads leaves the files behind that
/// SQLite puts beside it ([WAL]).
///
/// [WAL]: https://www.sqlite.org/wal.html
fn connect(shown: &str, path: &Path) -> Result<Connection, LedgerError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(path, flags).map_err(|e| unopened(shown, e.to_string()))
}

/// Makes the file if it is not there, for its owner alone: records hold excerpts of answers. SQLite gives the
/// files it puts beside it the same permissions.
fn make_private(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

fn why_not_made(path: &Path, error: &io::Error) -> String {
    match (error.kind(), path.parent()) {
        (io::ErrorKind::NotFound, Some(directory)) => access::no_directory(directory),
        _ => error.to_string(),
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
}

fn unopened(path: &str, message: String) -> LedgerError {
    LedgerError::Open {
        path: path.to_owned(),
        message,
    }
}
