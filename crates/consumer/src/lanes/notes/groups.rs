//! Which message groups a worker has something to tell of. Nothing is written here.

use std::collections::{BTreeMap, HashMap};

use delivery::sequence_order;
use lru::LruCache;

use crate::lanes::memory::put;

/// What is known of groups. Bounded: those that are watched as the ledger bounds them, the others as the memory is.
pub(super) struct Groups {
    /// Groups of which an event died and whose next acceptance is to be noted: as the ledger said when it was last
    /// asked, and those of our own dead. Each with when it came here, as a number that grows.
    watched: HashMap<String, u64>,
    number: u64,
    /// The newest event accepted of each group that is not watched as far as we know, since the ledger was last asked:
    /// another worker may have buried one of it meanwhile.
    recent: LruCache<String, String>,
    /// The same until the ledger was asked; nothing came of that yet.
    asked: LruCache<String, String>,
    /// The newest event accepted of each watched group, if the ledger does not say so yet.
    unwritten: BTreeMap<String, String>,
}

/// One note to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unwritten {
    pub(super) group: String,
    pub(super) number: String,
    watch: Option<u64>,
}

impl Default for Groups {
    fn default() -> Self {
        Self {
            watched: HashMap::new(),
            number: 0,
            recent: LruCache::unbounded(),
            asked: LruCache::unbounded(),
            unwritten: BTreeMap::new(),
        }
    }
}

impl Groups {
    /// The ledger says that a group is watched: we buried one of it.
    pub(super) fn died(&mut self, group: &str) {
        self.number += 1;
        self.watched.insert(group.to_owned(), self.number);
    }

    /// Says whether there is something to write.
    pub(super) fn accepted(&mut self, group: &str, number: &str) -> bool {
        if self.watched.contains_key(group) {
            self.leave_note(group, number);
            return true;
        }
        match self.recent.get_mut(group) {
            Some(known) if !is_newer(number, known) => {}
            Some(known) => number.clone_into(known),
            None => put(&mut self.recent, group, number.to_owned()),
        }
        false
    }

    /// The ledger is asked which groups are watched. Gives back what to say when it has answered.
    pub(super) fn ask(&mut self) -> u64 {
        let recent = std::mem::replace(&mut self.recent, LruCache::unbounded());
        for (group, number) in recent {
            match self.asked.get(&group) {
                Some(known) if !is_newer(&number, known) => {}
                _ => put(&mut self.asked, &group, number),
            }
        }
        self.number += 1;
        self.number
    }

    /// The ledger answered. What we accepted of a group before it was asked is to be noted if the group is watched, as
    /// it may not have been when we accepted it.
    pub(super) fn answered(&mut self, asked: u64, watched: impl IntoIterator<Item = String>) {
        let mut before = std::mem::take(&mut self.watched);
        // Of those that died since, the answer may not know.
        let ours = before.iter().filter(|(_, number)| **number > asked);
        self.watched = ours.map(|(group, at)| (group.clone(), *at)).collect();
        for group in watched {
            if let Some(number) = self.asked.pop(&group) {
                self.leave_note(&group, &number);
            }
            let at = before.remove(&group).unwrap_or(asked);
            self.watched.insert(group, at);
        }
        self.asked.clear();
    }

    fn leave_note(&mut self, group: &str, number: &str) {
        match self.unwritten.get_mut(group) {
            Some(known) if !is_newer(number, known) => {}
            Some(known) => number.clone_into(known),
            None => drop(self.unwritten.insert(group.to_owned(), number.to_owned())),
        }
    }

    pub(super) fn unwritten(&self) -> Vec<Unwritten> {
        let unwritten = self.unwritten.iter();
        let unwritten = unwritten.map(|(group, number)| Unwritten {
            group: group.clone(),
            number: number.clone(),
            watch: self.watched.get(group).copied(),
        });
        unwritten.collect()
    }

    /// The ledger says so.
    pub(super) fn written(&mut self, note: &Unwritten) {
        if self.unwritten.get(&note.group) == Some(&note.number) {
            self.unwritten.remove(&note.group);
        }
    }

    /// The group has nothing more to tell, unless one of it died since the note was begun.
    pub(super) fn settled(&mut self, note: &Unwritten) {
        if self.watched.get(&note.group).copied() == note.watch {
            self.watched.remove(&note.group);
        }
    }
}

fn is_newer(number: &str, than: &str) -> bool {
    sequence_order(number, than).is_gt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unwritten(groups: &Groups) -> Vec<(String, String)> {
        let unwritten = groups.unwritten().into_iter();
        unwritten.map(|note| (note.group, note.number)).collect()
    }

    fn note(group: &str, number: &str) -> (String, String) {
        (group.to_owned(), number.to_owned())
    }

    fn asks_and_hears_of(groups: &mut Groups, watched: &[&str]) {
        let asked = groups.ask();
        groups.answered(asked, watched.iter().map(|group| (*group).to_owned()));
    }

    #[test]
    fn a_group_without_a_death_has_nothing_to_tell() {
        let mut groups = Groups::default();
        groups.died("a");
        assert!(!groups.accepted("b", "3"));
        asks_and_hears_of(&mut groups, &["a"]);
        assert!(unwritten(&groups).is_empty());
    }

    #[test]
    fn the_newest_event_accepted_since_a_death_is_written_and_then_the_group_is_forgotten() {
        let mut groups = Groups::default();
        groups.died("a");
        assert!(groups.accepted("a", "9") && groups.accepted("a", "10"));
        assert!(groups.accepted("a", "2"));
        assert_eq!(unwritten(&groups), [note("a", "10")]);
        let written = groups.unwritten().remove(0);
        groups.written(&written);
        groups.settled(&written);
        assert!(unwritten(&groups).is_empty());
        assert!(!groups.accepted("a", "11"));
    }

    #[test]
    fn what_happens_while_a_note_is_written_is_not_forgotten_with_it() {
        let mut groups = Groups::default();
        groups.died("a");
        groups.accepted("a", "2");
        let written = groups.unwritten().remove(0);
        groups.accepted("a", "3");
        groups.died("a");
        groups.written(&written);
        groups.settled(&written);
        assert_eq!(unwritten(&groups), [note("a", "3")]);
        assert!(groups.accepted("a", "5"));
    }

    #[test]
    fn a_death_that_another_worker_saw_is_heard_of_and_what_was_accepted_meanwhile_is_noted() {
        let mut groups = Groups::default();
        groups.accepted("a", "10");
        groups.accepted("a", "9");
        groups.accepted("b", "7");
        asks_and_hears_of(&mut groups, &["a"]);
        assert_eq!(unwritten(&groups), [note("a", "10")]);
        assert!(groups.accepted("a", "11") && !groups.accepted("b", "8"));
    }

    #[test]
    fn what_was_accepted_is_kept_until_the_ledger_has_answered() {
        let mut groups = Groups::default();
        groups.accepted("a", "1");
        groups.accepted("b", "9");
        groups.ask();
        // No answer came.
        groups.accepted("a", "2");
        groups.accepted("b", "8");
        asks_and_hears_of(&mut groups, &["a", "b"]);
        assert_eq!(unwritten(&groups), [note("a", "2"), note("b", "9")]);
    }

    #[test]
    fn a_group_that_others_settled_is_forgotten_but_not_one_of_which_we_buried_one_since_we_asked()
    {
        let mut groups = Groups::default();
        groups.died("a");
        groups.died("b");
        let asked = groups.ask();
        groups.died("b");
        groups.answered(asked, []);
        assert!(!groups.accepted("a", "1") && groups.accepted("b", "1"));
    }
}
