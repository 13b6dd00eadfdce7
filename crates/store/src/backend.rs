//! What a place for records and notes must be able to do. What they mean, and when they are of no more use, is not its
//! business.

use std::pin::Pin;

use delivery::Record;
use event::Timestamp;

use crate::{LedgerError, Note, NoteKey, SeenNote};

/// The most records and notes one call of [`Backend::expire`] removes.
pub const MAX_EXPIRED: usize = 1_000;

/// A future of a [`Backend`], boxed so that the trait is object safe.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

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
    /// Which write of this record it was.
    pub version: i64,
}

/// Where records and notes are kept: one per key, each write conditional on what was read.
pub trait Backend: Send + Sync + 'static {
    /// Reads the record of a message, as the last write left it.
    ///
    /// # Errors
    /// When it cannot be read.
    fn read<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Seen>, LedgerError>>;

    /// Writes a record if the version to replace is the one that is there (`None`: if there is none), durably.
    /// Says the version written, or `None` if it was not written since something else is there. Of no use any
    /// more once `expires` has passed.
    ///
    /// # Errors
    /// When it cannot be written, or it is not known whether it was.
    fn write<'a>(
        &'a self,
        key: &'a Key,
        replaces: Option<i64>,
        record: &'a Record,
        now: Timestamp,
        expires: Timestamp,
    ) -> BoxFuture<'a, Result<Option<i64>, LedgerError>>;

    /// Removes records; those that are not there are passed over.
    ///
    /// # Errors
    /// When not all could be removed.
    fn forget<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<(), LedgerError>>;

    /// Reads a note, as the last write left it.
    ///
    /// # Errors
    /// When it cannot be read.
    fn read_note<'a>(
        &'a self,
        key: &'a NoteKey,
    ) -> BoxFuture<'a, Result<Option<SeenNote>, LedgerError>>;

    /// Writes a note on the conditions of [`write`](Self::write).
    ///
    /// # Errors
    /// When it cannot be written, or it is not known whether it was.
    fn write_note<'a>(
        &'a self,
        key: &'a NoteKey,
        replaces: Option<i64>,
        note: &'a Note,
        now: Timestamp,
        expires: Timestamp,
    ) -> BoxFuture<'a, Result<Option<i64>, LedgerError>>;

    /// Removes records and notes last written before a moment, at most [`MAX_EXPIRED`]; says how many. A place that
    /// removes what has expired by itself has nothing to do.
    ///
    /// # Errors
    /// When they cannot be removed.
    fn expire(&self, before: Timestamp) -> BoxFuture<'_, Result<usize, LedgerError>>;

    /// Tries whether a record could be written now, leaving none.
    ///
    /// # Errors
    /// When it could not.
    fn check(&self) -> BoxFuture<'_, Result<(), LedgerError>>;
}
