//! Who replays a dead letter is told if newer events of its group have been delivered since. SQS cannot tell, so each
//! burial is noted in the ledger before the letter is sent, and every worker learns from there whose next acceptance
//! is to be noted. A task of its own reads and writes that: no delivery waits for it.

mod groups;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use delivery::{DeadLetter, is_sequence_number};
use event::Timestamp;
use queue::Clock;
use store::{Ledger, WriteError};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use self::groups::{Groups, Unwritten};
use crate::breakage::Breakage;

/// After a note so long passes until the next: at most one note a second for each group.
const BETWEEN_NOTES: Duration = Duration::from_secs(1);

/// Between two looks into the ledger for groups of which another worker buried an event: one read for all of them.
const BETWEEN_LOOKS: Duration = Duration::from_secs(5);

/// How long one note, or one look, may take. What takes longer is left for later, with all others: the ledger hangs.
const LONGEST_CALL: Duration = Duration::from_secs(5);

/// What is to be noted, and where.
pub(crate) struct Notes {
    queue: String,
    ledger: Ledger,
    clock: Clock,
    groups: Mutex<Groups>,
    /// Groups whose dead wait to be watched, and since when; and the turn to have them watched, all at once.
    dead: Mutex<BTreeMap<String, Timestamp>>,
    turn: tokio::sync::Mutex<()>,
    news: Notify,
    end: CancellationToken,
}

impl Notes {
    pub(crate) fn new(queue: &str, ledger: Ledger, clock: Clock) -> Self {
        Self {
            queue: queue.to_owned(),
            ledger,
            clock,
            groups: Mutex::default(),
            dead: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
            news: Notify::new(),
            end: CancellationToken::new(),
        }
    }

    /// An event is about to be sent to the internal queue: from when this returns, whatever worker delivers an event of
    /// its group notes it.
    ///
    /// # Errors
    /// When the ledger cannot be read or written.
    pub(crate) async fn buried(
        &self,
        group: Option<&str>,
        letter: &DeadLetter,
    ) -> Result<(), WriteError> {
        // A replay dies under the number of its first life.
        let number = letter.origin.sequence_number.as_deref();
        let Some((group, number)) = place(group, number) else {
            return Ok(());
        };
        if !Breakage::BurialNotNoted.is_made() {
            let now = self.clock.now();
            let noted = self.ledger.note_death(&self.queue, group, number, now);
            noted.await?;
            self.watch(group, letter.dead_at).await?;
        }
        self.groups().died(group);
        Ok(())
    }

    /// Of those that die at the same time, one has all of them watched: they share a record.
    async fn watch(&self, group: &str, died_at: Timestamp) -> Result<(), WriteError> {
        self.is_to_be_watched(group.to_owned(), died_at);
        let _turn = self.turn.lock().await;
        let dead = {
            let mut dead = self.dead();
            // Whoever had the turn before has seen to it. The others that are waited for here have turns of their own.
            if !dead.contains_key(group) {
                return Ok(());
            }
            std::mem::take(&mut *dead)
        };
        let watched = self.ledger.watch(&self.queue, &dead, self.clock.now());
        let watched = watched.await;
        if watched.is_err() {
            // Each of them tries again.
            for (group, died_at) in dead {
                self.is_to_be_watched(group, died_at);
            }
        }
        watched
    }

    fn is_to_be_watched(&self, group: String, died_at: Timestamp) {
        let mut dead = self.dead();
        let first = dead.entry(group).or_insert(died_at);
        *first = died_at.min(*first);
    }

    /// An event was accepted. Numbers are those of its first life.
    pub(crate) fn accepted(&self, group: Option<&str>, sequence_number: Option<&str>) {
        if let Some((group, number)) = place(group, sequence_number)
            && self.groups().accepted(group, number)
        {
            self.news.notify_one();
        }
    }

    /// No more events are accepted: what is left is written, and [`Notes::write`] ends.
    pub(crate) fn end(&self) {
        self.end.cancel();
    }

    /// Looks for groups of which others buried an event, and writes notes, until the end.
    pub(crate) async fn write(self: Arc<Self>) {
        let mut next_look = Instant::now();
        while !self.end.is_cancelled() {
            tokio::select! {
                biased;
                () = self.end.cancelled() => break,
                () = sleep_until(next_look) => {
                    self.look().await;
                    next_look = Instant::now() + BETWEEN_LOOKS;
                }
                () = self.news.notified() => {}
            }
            if self.write_all().await {
                tokio::select! {
                    biased;
                    () = self.end.cancelled() => {}
                    () = sleep(BETWEEN_NOTES) => {}
                }
            }
        }
        self.write_once().await;
    }

    /// Looks once for groups of which others buried an event, and writes what there is to note.
    pub(crate) async fn write_once(&self) {
        self.look().await;
        self.write_all().await;
    }

    async fn look(&self) {
        let asked = self.groups().ask();
        let watched = self.ledger.watched_groups(&self.queue);
        let failed = match timeout(LONGEST_CALL, watched).await {
            Ok(Ok(watched)) => return self.groups().answered(asked, watched.into_keys()),
            Ok(Err(error)) => error.to_string(),
            Err(_) => hangs(),
        };
        debug!(
            error = failed,
            "which groups others buried events of is not known for now"
        );
    }

    /// Says whether there was something to write.
    async fn write_all(&self) -> bool {
        let unwritten = self.groups().unwritten();
        for note in &unwritten {
            let failed = match timeout(LONGEST_CALL, self.write_one(note)).await {
                Ok(Ok(())) => continue,
                Ok(Err(error)) => error.to_string(),
                Err(_) => hangs(),
            };
            debug!(
                group = note.group,
                error = failed,
                "what was delivered could not be noted: whoever replays is not told before the next note"
            );
            break;
        }
        !unwritten.is_empty()
    }

    async fn write_one(&self, note: &Unwritten) -> Result<(), WriteError> {
        let Unwritten { group, number, .. } = note;
        let now = self.clock.now();
        let noted = self.ledger.note_delivered(&self.queue, group, number, now);
        let is_settled = noted.await?;
        self.groups().written(note);
        if is_settled {
            self.ledger.unwatch(&self.queue, group, now).await?;
            self.groups().settled(note);
        }
        Ok(())
    }

    fn groups(&self) -> MutexGuard<'_, Groups> {
        self.groups.lock().expect("no holder panics")
    }

    fn dead(&self) -> MutexGuard<'_, BTreeMap<String, Timestamp>> {
        self.dead.lock().expect("no holder panics")
    }
}

fn hangs() -> String {
    format!("no answer within {} s", LONGEST_CALL.as_secs())
}

/// None on a standard queue. The number of a replay comes from an attribute that anybody may have written.
fn place<'a>(group: Option<&'a str>, number: Option<&'a str>) -> Option<(&'a str, &'a str)> {
    Some((group?, number.filter(|number| is_sequence_number(number))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_events_with_a_number_in_a_group_can_be_noted() {
        assert_eq!(place(Some("a"), Some("17")), Some(("a", "17")));
        for (group, number) in [
            (None, Some("17")),
            (Some("a"), None),
            (Some("a"), Some("x")),
        ] {
            assert_eq!(place(group, number), None);
        }
    }
}
