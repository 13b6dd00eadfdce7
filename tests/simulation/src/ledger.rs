//! A ledger that fails, lingers and loses answers, one per run of a worker, all over one memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use delivery::Record;
use event::Timestamp;
use store::{Backend, BoxFuture, Key, LedgerError, Note, NoteKey, Seen, SeenNote};
use tokio::time::sleep;

use crate::dice::Dice;
use crate::log::{Line, Log, Worker};
use crate::plan::LedgerFaults;
use crate::wires::Wires;

/// How long SQLite waits for a lock before it gives up, or a network for an answer.
const GIVES_UP_AFTER: Duration = Duration::from_secs(2);

/// What a look at the groups that are watched is called in the trace.
pub(crate) const LOOK: &str = "look";

pub(crate) struct Way {
    pub(crate) to: Arc<dyn Backend>,
    pub(crate) worker: Worker,
    pub(crate) wires: Wires,
    pub(crate) faults: LedgerFaults,
    pub(crate) trouble: Arc<AtomicBool>,
    pub(crate) dice: Dice,
    pub(crate) log: Log,
}

#[derive(Clone, Copy)]
enum Fate {
    Done,
    Fails,
    AnswerLost,
    Slow,
    /// The caller gives up, and then it takes effect.
    TooLate,
}

impl Way {
    fn fate(&self) -> Fate {
        let faults = &self.faults;
        if !self.trouble.load(Relaxed) {
            return Fate::Done;
        }
        let now = self.log.now();
        if faults
            .outage
            .is_some_and(|(from, until)| from <= now && now < until)
        {
            return Fate::Fails;
        }
        match self.dice.within(0..=99) {
            n if n < faults.failing => Fate::Fails,
            n if n < faults.failing + faults.answer_lost => Fate::AnswerLost,
            n if n < faults.failing + faults.answer_lost + faults.slow => Fate::Slow,
            n if n < faults.failing + faults.answer_lost + faults.slow + faults.too_late => {
                Fate::TooLate
            }
            _ => Fate::Done,
        }
    }

    async fn call<T: Send + 'static>(
        &self,
        name: &'static str,
        effect: impl Future<Output = Result<T, LedgerError>> + Send + 'static,
    ) -> Result<T, LedgerError> {
        self.wires.cross().await;
        let done = match self.fate() {
            Fate::Done => effect.await,
            Fate::Slow => {
                self.note(name, "slow");
                sleep(self.dice.millis(100..=9_000)).await;
                effect.await
            }
            Fate::Fails => {
                self.note(name, "fails");
                sleep(GIVES_UP_AFTER).await;
                Err(unusable())
            }
            Fate::TooLate => {
                self.note(name, "too late");
                let delay = GIVES_UP_AFTER + self.dice.millis(0..=9_000);
                tokio::spawn(async move {
                    sleep(delay).await;
                    effect.await
                });
                sleep(GIVES_UP_AFTER).await;
                Err(unusable())
            }
            Fate::AnswerLost => {
                self.note(name, "answer lost");
                effect.await?;
                sleep(GIVES_UP_AFTER).await;
                Err(unusable())
            }
        };
        self.wires.cross().await;
        done
    }

    fn note(&self, name: &'static str, fate: &'static str) {
        self.log.note(Line::Ledger(self.worker, name, fate));
    }
}

fn unusable() -> LedgerError {
    LedgerError::Unusable {
        ledger: "simulated".to_owned(),
        message: "it is down".to_owned(),
    }
}

impl Backend for Way {
    fn read<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Seen>, LedgerError>> {
        let (to, key) = (self.to.clone(), key.clone());
        Box::pin(self.call("read", async move { to.read(&key).await }))
    }

    fn write<'a>(
        &'a self,
        key: &'a Key,
        replaces: Option<i64>,
        record: &'a Record,
        now: Timestamp,
        expires: Timestamp,
    ) -> BoxFuture<'a, Result<Option<i64>, LedgerError>> {
        let (to, log, worker) = (self.to.clone(), self.log.clone(), self.worker);
        let (key, record) = (key.clone(), record.clone());
        let effect = async move {
            let version = to.write(&key, replaces, &record, now, expires).await?;
            match version {
                Some(_) => log.wrote(worker, &key.message_id, &record),
                None => log.note(Line::Ledger(worker, "write", "lost the race")),
            }
            Ok(version)
        };
        Box::pin(self.call("write", effect))
    }

    fn forget<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<(), LedgerError>> {
        let (to, keys) = (self.to.clone(), keys.to_vec());
        Box::pin(self.call("forget", async move { to.forget(&keys).await }))
    }

    fn read_note<'a>(
        &'a self,
        key: &'a NoteKey,
    ) -> BoxFuture<'a, Result<Option<SeenNote>, LedgerError>> {
        let (to, key) = (self.to.clone(), key.clone());
        // A worker looks every few seconds whether it has anything to do or not: that excuses nothing.
        let name = match key {
            NoteKey::Watched { .. } => LOOK,
            NoteKey::Group { .. } => "read",
        };
        Box::pin(self.call(name, async move { to.read_note(&key).await }))
    }

    fn write_note<'a>(
        &'a self,
        key: &'a NoteKey,
        replaces: Option<i64>,
        note: &'a Note,
        now: Timestamp,
        expires: Timestamp,
    ) -> BoxFuture<'a, Result<Option<i64>, LedgerError>> {
        let (to, log, worker) = (self.to.clone(), self.log.clone(), self.worker);
        let (key, note) = (key.clone(), note.clone());
        let effect = async move {
            let version = to.write_note(&key, replaces, &note, now, expires).await?;
            if version.is_some() {
                log.note(Line::Noted(worker, note));
            }
            Ok(version)
        };
        Box::pin(self.call("write", effect))
    }

    fn expire(&self, before: Timestamp) -> BoxFuture<'_, Result<usize, LedgerError>> {
        let to = self.to.clone();
        Box::pin(self.call("expire", async move { to.expire(before).await }))
    }

    fn check(&self) -> BoxFuture<'_, Result<(), LedgerError>> {
        let to = self.to.clone();
        Box::pin(self.call("check", async move { to.check().await }))
    }
}
