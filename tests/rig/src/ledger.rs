//! A ledger in memory that does what a test says to single calls.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use delivery::Record;
use event::Timestamp;
use store::{Backend, BoxFuture, Key, Ledger, LedgerError, Note, NoteKey, Seen, SeenNote};
use tokio::time::sleep;

/// How long the ledger keeps a record.
const RETENTION: Duration = Duration::from_secs(4 * 24 * 3600);

/// One call of a ledger.
#[derive(Debug, Clone, Copy)]
pub enum Call<'a> {
    /// What is known of a message is asked for.
    Read,
    /// This becomes known of a message.
    Write(&'a Record),
    /// Records are done with.
    Forget,
    /// A note is asked for.
    ReadNote(&'a NoteKey),
    /// A note is made.
    WriteNote(&'a Note),
    /// What is too old goes.
    Expire,
    /// Whether it works is asked.
    Check,
}

/// What happens to a call.
pub enum Fault {
    /// Nothing: it passes.
    None,
    /// It has no effect.
    Fails(LedgerError),
    /// It has its effect, and this is answered.
    AnswerLost(LedgerError),
    /// It has its effect, after so long.
    Slow(Duration),
    /// No answer ever comes.
    Silence,
    /// Another worker writes this first. Only of a write of a record.
    ComesSecond(Record),
}

/// A ledger to each call of which happens what `decide` says.
///
/// # Panics
/// If SQLite keeps no database in memory.
pub fn breakable(decide: impl Fn(Call<'_>) -> Fault + Send + Sync + 'static) -> Ledger {
    let inner = store::in_memory().expect("a database in memory");
    let breakable = Breakable {
        inner,
        decide: Box::new(decide),
    };
    Ledger::over(Arc::new(breakable), RETENTION)
}

struct Breakable {
    inner: Arc<dyn Backend>,
    decide: Box<dyn Fn(Call<'_>) -> Fault + Send + Sync>,
}

impl Breakable {
    fn call<'a, T>(
        &self,
        call: Call<'_>,
        effect: BoxFuture<'a, Result<T, LedgerError>>,
    ) -> BoxFuture<'a, Result<T, LedgerError>>
    where
        T: Send + 'a,
    {
        after((self.decide)(call), effect)
    }
}

/// The effect of a call to which this happens.
fn after<'a, T: Send + 'a>(
    fault: Fault,
    effect: BoxFuture<'a, Result<T, LedgerError>>,
) -> BoxFuture<'a, Result<T, LedgerError>> {
    Box::pin(async move {
        match fault {
            Fault::None => effect.await,
            Fault::Fails(error) => Err(error),
            Fault::AnswerLost(error) => {
                effect.await?;
                Err(error)
            }
            Fault::Slow(delay) => {
                sleep(delay).await;
                effect.await
            }
            Fault::Silence => pending().await,
            Fault::ComesSecond(_) => unreachable!("only a write of a record comes second"),
        }
    })
}

impl Backend for Breakable {
    fn read<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Seen>, LedgerError>> {
        self.call(Call::Read, self.inner.read(key))
    }

    fn write<'a>(
        &'a self,
        key: &'a Key,
        replaces: Option<i64>,
        record: &'a Record,
        now: Timestamp,
        expires: Timestamp,
    ) -> BoxFuture<'a, Result<Option<i64>, LedgerError>> {
        let write = self.inner.write(key, replaces, record, now, expires);
        match (self.decide)(Call::Write(record)) {
            Fault::ComesSecond(theirs) => Box::pin(async move {
                let first = self.inner.write(key, replaces, &theirs, now, expires);
                first.await?;
                write.await
            }),
            fault => after(fault, write),
        }
    }

    fn forget<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<(), LedgerError>> {
        self.call(Call::Forget, self.inner.forget(keys))
    }

    fn read_note<'a>(
        &'a self,
        key: &'a NoteKey,
    ) -> BoxFuture<'a, Result<Option<SeenNote>, LedgerError>> {
        self.call(Call::ReadNote(key), self.inner.read_note(key))
    }

    fn write_note<'a>(
        &'a self,
        key: &'a NoteKey,
        replaces: Option<i64>,
        note: &'a Note,
        now: Timestamp,
        expires: Timestamp,
    ) -> BoxFuture<'a, Result<Option<i64>, LedgerError>> {
        let effect = self.inner.write_note(key, replaces, note, now, expires);
        self.call(Call::WriteNote(note), effect)
    }

    fn expire(&self, before: Timestamp) -> BoxFuture<'_, Result<usize, LedgerError>> {
        self.call(Call::Expire, self.inner.expire(before))
    }

    fn check(&self) -> BoxFuture<'_, Result<(), LedgerError>> {
        self.call(Call::Check, self.inner.check())
    }
}
