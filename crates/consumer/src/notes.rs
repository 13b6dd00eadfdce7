//! Who replays a dead letter is told if newer events of its group have been delivered since. SQS cannot tell, so the
//! worker that set an event aside leaves a note in the ledger when a later one of the group is accepted. A task of its
//! own writes it: no delivery waits for a note, and one that cannot be written now is written later, or never.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use delivery::{is_sequence_number, sequence_order};
use lru::LruCache;
use queue::Clock;
use store::Ledger;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::memory::put;

/// Acceptances of so long are noted together: at most one note a second for each group.
const WITH_COMPANY: Duration = Duration::from_secs(1);

/// How long one note may take. What takes longer is left for later, with all others: the ledger hangs.
const LONGEST_NOTE: Duration = Duration::from_secs(5);

/// What is to be noted, and where.
pub(crate) struct Notes {
    queue: String,
    ledger: Ledger,
    clock: Clock,
    groups: Mutex<Groups>,
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
            news: Notify::new(),
            end: CancellationToken::new(),
        }
    }

    /// An event was sent to the internal queue. Numbers are those of its first life.
    pub(crate) fn set_aside(&self, group: Option<&str>, sequence_number: Option<&str>) {
        if let Some((group, number)) = place(group, sequence_number) {
            self.groups().set_aside(group, number);
        }
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

    /// Writes notes until the end.
    pub(crate) async fn write(self: Arc<Self>) {
        while !self.end.is_cancelled() {
            tokio::select! {
                biased;
                () = self.end.cancelled() => {}
                () = async {
                    self.news.notified().await;
                    sleep(WITH_COMPANY).await;
                } => {}
            }
            self.write_all().await;
        }
    }

    async fn write_all(&self) {
        let unwritten = self.groups().unwritten();
        for (group, number) in unwritten {
            let now = self.clock.now();
            let note = self
                .ledger
                .note_delivered(&self.queue, &group, &number, now);
            let failed = match timeout(LONGEST_NOTE, note).await {
                Ok(Ok(())) => {
                    self.groups().written(&group, &number);
                    continue;
                }
                Ok(Err(error)) => error.to_string(),
                Err(_) => format!("no answer within {} s", LONGEST_NOTE.as_secs()),
            };
            debug!(
                group,
                error = failed,
                "what was delivered could not be noted: whoever replays is not told before the next note"
            );
            return;
        }
    }

    fn groups(&self) -> MutexGuard<'_, Groups> {
        self.groups.lock().expect("no holder panics")
    }
}

/// None on a standard queue. The number of a replay comes from an attribute that anybody may have written.
fn place<'a>(group: Option<&'a str>, number: Option<&'a str>) -> Option<(&'a str, &'a str)> {
    Some((group?, number.filter(|number| is_sequence_number(number))?))
}

/// The groups that had a death, as long as one of their dead may be older than what comes. Bounded as the memory is.
struct Groups(LruCache<String, Group>);

#[derive(Debug)]
struct Group {
    /// The newest event that was set aside.
    newest_dead: String,
    /// The newest event accepted, if the ledger does not say so yet.
    unwritten: Option<String>,
}

impl Default for Groups {
    fn default() -> Self {
        Self(LruCache::unbounded())
    }
}

impl Groups {
    fn set_aside(&mut self, group: &str, number: &str) {
        match self.0.get_mut(group) {
            Some(known) if is_newer(number, &known.newest_dead) => {
                known.newest_dead = number.to_owned();
            }
            Some(_) => {}
            None => {
                let new = Group {
                    newest_dead: number.to_owned(),
                    unwritten: None,
                };
                put(&mut self.0, group, new);
            }
        }
    }

    /// Says whether there is something to write.
    fn accepted(&mut self, group: &str, number: &str) -> bool {
        let Some(known) = self.0.get_mut(group) else {
            return false;
        };
        if known.unwritten.as_ref().is_none_or(|n| is_newer(number, n)) {
            known.unwritten = Some(number.to_owned());
        }
        true
    }

    fn unwritten(&self) -> Vec<(String, String)> {
        let unwritten = self.0.iter();
        unwritten
            .filter_map(|(group, known)| Some((group.clone(), known.unwritten.clone()?)))
            .collect()
    }

    /// The ledger says so. A group of which all dead are older has no more to tell: of each of them it is known now.
    fn written(&mut self, group: &str, number: &str) {
        let Some(known) = self.0.get_mut(group) else {
            return;
        };
        if known.unwritten.as_deref() == Some(number) {
            known.unwritten = None;
        }
        if known.unwritten.is_none() && !is_newer(&known.newest_dead, number) {
            self.0.pop(group);
        }
    }
}

fn is_newer(number: &str, than: &str) -> bool {
    sequence_order(number, than).is_gt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unwritten(groups: &Groups) -> Vec<String> {
        let unwritten = groups.unwritten().into_iter();
        unwritten.map(|(_, number)| number).collect()
    }

    #[test]
    fn a_group_without_a_death_has_nothing_to_tell() {
        let mut groups = Groups::default();
        assert!(!groups.accepted("a", "1"));
        groups.set_aside("a", "2");
        assert!(!groups.accepted("b", "3"));
        assert!(unwritten(&groups).is_empty());
    }

    #[test]
    fn the_newest_event_accepted_since_a_death_is_written_and_then_the_group_is_forgotten() {
        let mut groups = Groups::default();
        groups.set_aside("a", "1");
        assert!(groups.accepted("a", "9") && groups.accepted("a", "10"));
        assert!(groups.accepted("a", "2"));
        assert_eq!(unwritten(&groups), ["10"]);
        groups.written("a", "10");
        assert!(!groups.accepted("a", "11"));
    }

    #[test]
    fn a_group_is_remembered_until_something_newer_than_all_its_dead_is_written() {
        let mut groups = Groups::default();
        groups.set_aside("a", "3");
        groups.set_aside("a", "1");
        // A replay of the first.
        groups.accepted("a", "1");
        groups.written("a", "1");
        assert!(unwritten(&groups).is_empty());
        assert!(groups.accepted("a", "4"));
    }

    #[test]
    fn what_happens_while_a_note_is_written_is_not_forgotten_with_it() {
        let mut groups = Groups::default();
        groups.set_aside("a", "1");
        groups.accepted("a", "2");
        groups.accepted("a", "3");
        groups.written("a", "2");
        assert_eq!(unwritten(&groups), ["3"]);
        groups.set_aside("a", "4");
        groups.written("a", "3");
        assert!(groups.accepted("a", "5"));
    }

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
