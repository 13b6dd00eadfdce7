//! The ledger in SQLite: one table, one row per record or note.

mod access;
mod changes;
mod file;
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

/// The format of the file, in SQLite's `user_version`.
const FORMAT: i64 = 1;

/// Tells our files from those of other programs, in SQLite's `application_id`: "HLan".
const APPLICATION: i64 = 0x484c_616e;

/// How long a call waits for another process that is writing.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

const SCHEMA: &str = "
    CREATE TABLE attempts (
        queue         TEXT NOT NULL,
        message_id    TEXT NOT NULL,
        message_group TEXT,
        version       INTEGER NOT NULL,
        written_at_ms INTEGER NOT NULL,
        record        TEXT NOT NULL,
        PRIMARY KEY (queue, message_id)
    ) STRICT;
    CREATE INDEX attempts_by_age ON attempts (written_at_ms);
";

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
        make_private(&path).map_err(|e| unopened(&shown, told(&path, &e)))?;
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
        let sqlite = Self {
            path: shown,
            connection,
        };
        let is_empty = sqlite.identify()?;
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

    fn prepare(path: String, connection: Connection) -> Result<Self, LedgerError> {
        let mut sqlite = Self { path, connection };
        // Before anything is changed: another program's file stays as it is.
        let empty = sqlite.identify()?;
        sqlite.settings().map_err(|e| sqlite.error(e))?;
        if empty {
            sqlite.make_schema()?;
        }
        sqlite.check()?;
        Ok(sqlite)
    }

    fn path(&self) -> &str {
        &self.path
    }

    /// Says whether the file is empty yet.
    fn identify(&self) -> Result<bool, LedgerError> {
        let busy = self.connection.busy_timeout(BUSY_TIMEOUT);
        busy.map_err(|e| self.error(e))?;
        let (application, format, tables) = self.header().map_err(|e| self.error(e))?;
        match (application, format) {
            (0, 0) if tables == 0 => Ok(true),
            (APPLICATION, FORMAT) => Ok(false),
            (APPLICATION, found) if found > FORMAT => Err(LedgerError::Newer {
                path: self.path.clone(),
                found,
                supported: FORMAT,
            }),
            _ => Err(LedgerError::NotALedger {
                ledger: self.path.clone(),
                message: "it is the database of another program".to_owned(),
            }),
        }
    }

    fn header(&self) -> rusqlite::Result<(i64, i64, i64)> {
        let query = "SELECT (SELECT application_id FROM pragma_application_id),
                            (SELECT user_version FROM pragma_user_version),
                            (SELECT count(*) FROM sqlite_schema)";
        self.connection
            .query_row(query, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
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

    fn make_schema(&mut self) -> Result<(), LedgerError> {
        let made = || -> rusqlite::Result<()> {
            let transaction = self
                .connection
                .transaction_with_behavior(TransactionBehavior::Immediate)?;
            let tables: i64 =
                transaction
                    .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
            // Another process may have come first.
            if tables == 0 {
                transaction.execute_batch(SCHEMA)?;
                transaction.pragma_update(None, "application_id", APPLICATION)?;
                transaction.pragma_update(None, "user_version", FORMAT)?;
            }
            transaction.commit()
        }();
        made.map_err(|e| self.error(e))?;
        // What the other process made may be anything.
        self.identify().map(|_| ())
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
    /// table can be changed, changing nothing.
    fn check(&mut self) -> Result<(), LedgerError> {
        self.execute("DELETE FROM attempts WHERE queue IS NULL", [])?;
        let written = self.connection.pragma_update(None, "user_version", FORMAT);
        written.map_err(|e| self.error(e))
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

fn told(path: &Path, error: &io::Error) -> String {
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
