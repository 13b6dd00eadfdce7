//! Order and lock of message groups, and nothing else.
//!
//! The rule (recorded from AWS, November 2025): a message is withheld if and only if an *earlier* message of its group is
//! invisible. So what a group can deliver is its longest prefix of visible messages. Groups that can deliver stand in
//! a line, in the order in which they became able to; no call looks at a group that cannot.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use super::Seq;

/// What must stay in order: a message group of a FIFO queue, or one message of a standard queue by itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum GroupKey {
    Group(Arc<str>),
    Single(Seq),
}

#[derive(Debug, Default)]
struct Group {
    /// Ascending by `Seq`: the order of arrival.
    members: VecDeque<Member>,
    /// Place in the line of groups that can deliver.
    turn: Option<u64>,
}

#[derive(Debug)]
struct Member {
    seq: Seq,
    visible: bool,
}

#[derive(Debug, Default)]
pub(super) struct Groups {
    groups: HashMap<GroupKey, Group>,
    line: BTreeMap<u64, GroupKey>,
    turns: u64,
}

impl Groups {
    /// Appends a message to its group; `seq` must be higher than any before.
    pub(super) fn push(&mut self, key: &GroupKey, seq: Seq, visible: bool) {
        let group = self.groups.entry(key.clone()).or_default();
        debug_assert!(group.members.back().is_none_or(|last| last.seq < seq));
        group.members.push_back(Member { seq, visible });
        self.place_in_line(key);
    }

    pub(super) fn remove(&mut self, key: &GroupKey, seq: Seq) {
        if let Some(group) = self.groups.get_mut(key)
            && let Ok(at) = group.position(seq)
        {
            group.members.remove(at);
            self.place_in_line(key);
        }
    }

    pub(super) fn set_visible(&mut self, key: &GroupKey, seq: Seq, visible: bool) {
        if let Some(group) = self.groups.get_mut(key)
            && let Ok(at) = group.position(seq)
        {
            group.members[at].visible = visible;
            self.place_in_line(key);
        }
    }

    /// Up to `max` messages that may be delivered now: as many of one group as there are, then of the next in line.
    pub(super) fn deliverable(&self, max: usize) -> Vec<Seq> {
        self.line
            .values()
            .filter_map(|key| self.groups.get(key))
            .flat_map(|group| {
                group
                    .members
                    .iter()
                    .take_while(|m| m.visible)
                    .map(|m| m.seq)
            })
            .take(max)
            .collect()
    }

    pub(super) fn can_deliver(&self) -> bool {
        !self.line.is_empty()
    }

    /// Keeps the line true after a change: a group stands in it exactly while its first message is visible.
    fn place_in_line(&mut self, key: &GroupKey) {
        let Some(group) = self.groups.get_mut(key) else {
            return;
        };
        let can_deliver = group.members.front().is_some_and(|first| first.visible);
        match (group.turn, can_deliver) {
            (None, true) => {
                self.turns += 1;
                group.turn = Some(self.turns);
                self.line.insert(self.turns, key.clone());
            }
            (Some(turn), false) => {
                group.turn = None;
                self.line.remove(&turn);
            }
            _ => {}
        }
        if group.members.is_empty() {
            self.groups.remove(key);
        }
    }
}

impl Group {
    /// Whatever is invisible or settled stands near the front (a receive takes a prefix of at most ten), so removing
    /// at this position is cheap however long the group is.
    fn position(&self, seq: Seq) -> Result<usize, usize> {
        self.members.binary_search_by_key(&seq, |m| m.seq)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> GroupKey {
        GroupKey::Group(name.into())
    }

    fn groups(members: &[(&str, Seq)]) -> Groups {
        let mut groups = Groups::default();
        for (name, seq) in members {
            groups.push(&key(name), *seq, true);
        }
        groups
    }

    #[test]
    fn a_group_delivers_its_visible_prefix() {
        // visibility of messages 1, 2, 3 → what may be delivered
        let table: [([bool; 3], &[Seq]); 8] = [
            ([true, true, true], &[1, 2, 3]),
            ([true, true, false], &[1, 2]),
            ([true, false, true], &[1]),
            ([true, false, false], &[1]),
            ([false, true, true], &[]),
            ([false, true, false], &[]),
            ([false, false, true], &[]),
            ([false, false, false], &[]),
        ];
        for (visible, expected) in table {
            let mut groups = groups(&[("g", 1), ("g", 2), ("g", 3)]);
            for (seq, visible) in (1..).zip(visible) {
                groups.set_visible(&key("g"), seq, visible);
            }
            assert_eq!(groups.deliverable(10), expected, "{visible:?}");
            assert_eq!(groups.can_deliver(), !expected.is_empty(), "{visible:?}");
        }
    }

    #[test]
    fn one_group_is_preferred_then_others_fill_up() {
        let groups = groups(&[("a", 1), ("b", 2), ("a", 3), ("c", 4)]);
        assert_eq!(groups.deliverable(3), [1, 3, 2]);
        assert_eq!(groups.deliverable(10), [1, 3, 2, 4]);
    }

    #[test]
    fn a_group_that_can_deliver_again_goes_to_the_end_of_the_line() {
        let mut groups = groups(&[("a", 1), ("b", 2)]);
        groups.set_visible(&key("a"), 1, false);
        groups.set_visible(&key("a"), 1, true);
        assert_eq!(groups.deliverable(1), [2]);
    }

    #[test]
    fn removing_the_invisible_head_frees_the_group() {
        let mut groups = groups(&[("a", 1), ("a", 2)]);
        groups.set_visible(&key("a"), 1, false);
        assert!(!groups.can_deliver());
        groups.remove(&key("a"), 1);
        assert_eq!(groups.deliverable(10), [2]);
        groups.remove(&key("a"), 2);
        assert!(groups.groups.is_empty() && groups.line.is_empty());
    }
}
