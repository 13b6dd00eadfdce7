//! A place for records that tells of each call that AWS refuses.

use std::sync::Arc;

use delivery::Record;
use event::Timestamp;

use crate::backend::BoxFuture;
use crate::{Backend, Key, LedgerError, Note, NoteKey, Seen, SeenNote};

pub(crate) struct Reporting {
    inner: Arc<dyn Backend>,
    on_denied: Box<dyn Fn(&LedgerError) + Send + Sync>,
}

impl Reporting {
    pub(crate) fn new(
        inner: Arc<dyn Backend>,
        on_denied: impl Fn(&LedgerError) + Send + Sync + 'static,
    ) -> Self {
        Self {
            inner,
            on_denied: Box::new(on_denied),
        }
    }

    fn report<'a, T: 'a>(
        &'a self,
        call: BoxFuture<'a, Result<T, LedgerError>>,
    ) -> BoxFuture<'a, Result<T, LedgerError>> {
        Box::pin(async move {
            let answer = call.await;
            if let Err(error) = &answer
                && error.is_denied()
            {
                (self.on_denied)(error);
            }
            answer
        })
    }
}

impl Backend for Reporting {
    fn read<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Seen>, LedgerError>> {
        self.report(self.inner.read(key))
    }

    fn write<'a>(
        &'a self,
        key: &'a Key,
        replaces: Option<i64>,
        record: &'a Record,
        now: Timestamp,
        expires: Timestamp,
    ) -> BoxFuture<'a, Result<Option<i64>, LedgerError>> {
        self.report(self.inner.write(key, replaces, record, now, expires))
    }

    fn forget<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<(), LedgerError>> {
        self.report(self.inner.forget(keys))
    }

    fn read_note<'a>(
        &'a self,
        key: &'a NoteKey,
    ) -> BoxFuture<'a, Result<Option<SeenNote>, LedgerError>> {
        self.report(self.inner.read_note(key))
    }

    fn write_note<'a>(
        &'a self,
        key: &'a NoteKey,
        replaces: Option<i64>,
        note: &'a Note,
        now: Timestamp,
        expires: Timestamp,
    ) -> BoxFuture<'a, Result<Option<i64>, LedgerError>> {
        self.report(self.inner.write_note(key, replaces, note, now, expires))
    }

    fn expire(&self, before: Timestamp) -> BoxFuture<'_, Result<usize, LedgerError>> {
        self.report(self.inner.expire(before))
    }

    fn check(&self) -> BoxFuture<'_, Result<(), LedgerError>> {
        self.report(self.inner.check())
    }
}
