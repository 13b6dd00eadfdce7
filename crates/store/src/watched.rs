//! A place for records that tells of each call that AWS refuses.

use std::sync::Arc;

use delivery::Record;
use event::Timestamp;

use crate::backend::BoxFuture;
use crate::{Backend, Key, LedgerError, Note, NoteKey, Seen, SeenNote};

pub(crate) struct Watched {
    inner: Arc<dyn Backend>,
    on_denied: Box<dyn Fn(&LedgerError) + Send + Sync>,
}

impl Watched {
    pub(crate) fn new(
        inner: Arc<dyn Backend>,
        on_denied: impl Fn(&LedgerError) + Send + Sync + 'static,
    ) -> Self {
        Self {
            inner,
            on_denied: Box::new(on_denied),
        }
    }

    fn watch<'a, T: 'a>(
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

impl Backend for Watched {
    fn read<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Seen>, LedgerError>> {
        self.watch(self.inner.read(key))
    }

    fn write<'a>(
        &'a self,
        key: &'a Key,
        replaces: Option<i64>,
        record: &'a Record,
        now: Timestamp,
        expires: Timestamp,
    ) -> BoxFuture<'a, Result<Option<i64>, LedgerError>> {
        self.watch(self.inner.write(key, replaces, record, now, expires))
    }

    fn forget<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<(), LedgerError>> {
        self.watch(self.inner.forget(keys))
    }

    fn read_note<'a>(
        &'a self,
        key: &'a NoteKey,
    ) -> BoxFuture<'a, Result<Option<SeenNote>, LedgerError>> {
        self.watch(self.inner.read_note(key))
    }

    fn write_note<'a>(
        &'a self,
        key: &'a NoteKey,
        replaces: Option<i64>,
        note: &'a Note,
        now: Timestamp,
        expires: Timestamp,
    ) -> BoxFuture<'a, Result<Option<i64>, LedgerError>> {
        self.watch(self.inner.write_note(key, replaces, note, now, expires))
    }

    fn expire(&self, before: Timestamp) -> BoxFuture<'_, Result<usize, LedgerError>> {
        self.watch(self.inner.expire(before))
    }

    fn check(&self) -> BoxFuture<'_, Result<(), LedgerError>> {
        self.watch(self.inner.check())
    }
}
