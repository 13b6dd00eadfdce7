//! What the ledger knows of message groups of which an event died, so that whoever replays is told what was delivered
//! since: a note of each group, and for each queue one record of the groups that wait for their next acceptance, which
//! every worker reads from time to time.

use std::collections::BTreeMap;
use std::time::Duration;

use event::Timestamp;

use crate::{GroupNote, Ledger, LedgerError, Note, NoteKey, SeenNote, Watch, Watched, WriteError};

/// Of those who change the same note at the same time, one succeeds each time.
const TRIES: u32 = 64;

/// The most groups of a queue that are watched; the one that died longest ago falls out, and who replays it is told
/// that nothing is known. With names of 128 characters they are well below the 400 KB that an item of DynamoDB may
/// have.
pub const MOST_WATCHED: usize = 1_000;

/// How often a watch is renewed while events of its group go on dying.
const RENEWED_AFTER: Duration = Duration::from_secs(24 * 3600);

impl Ledger {
    /// Notes that an event of a message group was set aside.
    ///
    /// # Errors
    /// When the ledger cannot be read or written; [`WriteError::Lost`] when others noted something each time.
    pub async fn note_death(
        &self,
        queue: &str,
        group: &str,
        sequence_number: &str,
        now: Timestamp,
    ) -> Result<(), WriteError> {
        self.note(queue, group, now, |note| note.with_death(sequence_number))
            .await
            .map(drop)
    }

    /// Notes that events of a message group have been delivered up to a sequence number. What is noted never goes
    /// back to a smaller one. Says whether something newer than all its dead has been delivered now.
    ///
    /// # Errors
    /// When the ledger cannot be read or written; [`WriteError::Lost`] when others noted something each time.
    pub async fn note_delivered(
        &self,
        queue: &str,
        group: &str,
        sequence_number: &str,
        now: Timestamp,
    ) -> Result<bool, WriteError> {
        let note = self.note(queue, group, now, |note| {
            note.with_delivery(sequence_number)
        });
        Ok(note.await?.is_settled())
    }

    async fn note(
        &self,
        queue: &str,
        group: &str,
        now: Timestamp,
        changed: impl Fn(GroupNote) -> GroupNote,
    ) -> Result<GroupNote, WriteError> {
        let key = group_key(queue, group);
        for _ in 0..TRIES {
            let seen = self.read_note(&key).await?;
            let known = seen.as_ref().map(|seen| GroupNote::of(&seen.note));
            let note = changed(known.clone().unwrap_or_default());
            if known.as_ref() == Some(&note) {
                return Ok(note);
            }
            let next = Note::Group(note.clone());
            match self.write_note(&key, seen.as_ref(), &next, now).await {
                Err(WriteError::Lost) => {}
                written => return written.map(|()| note),
            }
        }
        Err(WriteError::Lost)
    }

    /// What is known of a message group.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn of_group(&self, queue: &str, group: &str) -> Result<GroupNote, LedgerError> {
        let seen = self.read_note(&group_key(queue, group)).await?;
        Ok(seen.map_or_else(GroupNote::default, |seen| GroupNote::of(&seen.note)))
    }

    /// The sequence number up to which events of a message group are known to have been delivered; none if nobody
    /// noted any.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn delivered_up_to(
        &self,
        queue: &str,
        group: &str,
    ) -> Result<Option<String>, LedgerError> {
        Ok(self.of_group(queue, group).await?.delivered_up_to)
    }

    /// The groups of a queue whose next acceptance is to be noted, by whoever sees it: one record, one read.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn watched_groups(&self, queue: &str) -> Result<Watched, LedgerError> {
        let seen = self.read_note(&watch_key(queue)).await?;
        Ok(watched_in(seen.as_ref()))
    }

    /// Has groups watched from the moment on that is given for each, when an event of it died. At most
    /// [`MOST_WATCHED`].
    ///
    /// # Errors
    /// When the ledger cannot be read or written; [`WriteError::Lost`] when others changed it each time.
    pub async fn watch(
        &self,
        queue: &str,
        deaths: &BTreeMap<String, Timestamp>,
        now: Timestamp,
    ) -> Result<(), WriteError> {
        let key = watch_key(queue);
        for _ in 0..TRIES {
            let seen = self.read_note(&key).await?;
            let mut watched = watched_in(seen.as_ref());
            if !renew(&mut watched, deaths, now) {
                return Ok(());
            }
            let gone = |watch: &Watch| watch.last.until(now) > self.lifetime();
            watched.retain(|_, watch| !gone(watch));
            bound(&mut watched);
            let next = Note::Watched(watched);
            match self.write_note(&key, seen.as_ref(), &next, now).await {
                Err(WriteError::Lost) => {}
                written => return written,
            }
        }
        Err(WriteError::Lost)
    }

    /// A group has been delivered beyond all its dead, and need not be watched any more: unless another one has died
    /// meanwhile, whoever buried it.
    ///
    /// # Errors
    /// When the ledger cannot be read or written; [`WriteError::Lost`] when others changed it each time.
    pub async fn unwatch(
        &self,
        queue: &str,
        group: &str,
        now: Timestamp,
    ) -> Result<(), WriteError> {
        let key = watch_key(queue);
        for _ in 0..TRIES {
            let seen = self.read_note(&key).await?;
            let mut watched = watched_in(seen.as_ref());
            let Some(watch) = watched.remove(group) else {
                return Ok(());
            };
            if !self.of_group(queue, group).await?.is_settled() {
                return Ok(());
            }
            let next = Note::Watched(watched);
            match self.write_note(&key, seen.as_ref(), &next, now).await {
                Err(WriteError::Lost) => continue,
                written => written?,
            }
            // Who buries notes the death first and then looks whether the group is watched. One that found it watched
            // before it was taken out has noted the death by now.
            if !self.of_group(queue, group).await?.is_settled() {
                let again = BTreeMap::from([(group.to_owned(), watch.since)]);
                return self.watch(queue, &again, now).await;
            }
            return Ok(());
        }
        Err(WriteError::Lost)
    }
}

/// Says whether there is something to write.
fn renew(watched: &mut Watched, deaths: &BTreeMap<String, Timestamp>, now: Timestamp) -> bool {
    let mut changed = false;
    for (group, died_at) in deaths {
        let known = watched.get(group);
        let since = known.map_or(*died_at, |watch| watch.since.min(*died_at));
        let is_known = |watch: &Watch| watch.since == since && watch.last.plus(RENEWED_AFTER) > now;
        if known.is_some_and(is_known) {
            continue;
        }
        watched.insert(group.clone(), Watch { since, last: now });
        changed = true;
    }
    changed
}

fn bound(watched: &mut Watched) {
    while watched.len() > MOST_WATCHED {
        let oldest = watched.iter().min_by_key(|(_, watch)| watch.last);
        let Some(group) = oldest.map(|(group, _)| group.clone()) else {
            return;
        };
        watched.remove(&group);
    }
}

fn watched_in(seen: Option<&SeenNote>) -> Watched {
    match seen.map(|seen| &seen.note) {
        Some(Note::Watched(watched)) => watched.clone(),
        Some(Note::Group(_)) | None => Watched::new(),
    }
}

fn group_key(queue: &str, group: &str) -> NoteKey {
    NoteKey::Group {
        queue: queue.to_owned(),
        group: group.to_owned(),
    }
}

fn watch_key(queue: &str) -> NoteKey {
    NoteKey::Watched {
        queue: queue.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_739_370_645_000);

    fn died(group: &str, at: Timestamp) -> BTreeMap<String, Timestamp> {
        BTreeMap::from([(group.to_owned(), at)])
    }

    #[test]
    fn a_watch_keeps_its_earliest_beginning_and_is_written_once_a_day() {
        let mut watched = Watched::new();
        let later = NOW.plus(Duration::from_secs(3600));
        assert!(renew(&mut watched, &died("a", NOW), NOW));
        assert!(!renew(&mut watched, &died("a", later), later));
        // Another worker's clock is behind, or it buries what was decided long ago.
        let earlier = Timestamp::from_millis(NOW.as_millis() - 1_000);
        assert!(renew(&mut watched, &died("a", earlier), later));
        let tomorrow = later.plus(RENEWED_AFTER);
        assert!(renew(&mut watched, &died("a", tomorrow), tomorrow));
        let watch = Watch {
            since: earlier,
            last: tomorrow,
        };
        assert_eq!(watched["a"], watch);
    }

    #[test]
    fn of_too_many_groups_the_one_that_died_longest_ago_falls_out() {
        let mut watched = Watched::new();
        for n in 0..=MOST_WATCHED {
            let at = NOW.plus(Duration::from_secs(n as u64));
            renew(&mut watched, &died(&format!("g{n}"), at), at);
        }
        bound(&mut watched);
        assert_eq!(watched.len(), MOST_WATCHED);
        assert!(!watched.contains_key("g0") && watched.contains_key("g1"));
    }
}
