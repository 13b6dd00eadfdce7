//! A lane: the messages of one group that one receive brought, attempted one after the other.
//!
//! It knows the order and who is hidden for how long when it ends; carrying that out is the consumer's job.

use std::collections::VecDeque;
use std::time::Duration;

/// How much longer the followers of a waiting head stay hidden than the head itself: so that on a queue
/// looser than SQS they never come first.
const BEHIND_THE_HEAD: Duration = Duration::from_secs(1);

/// No single hide is longer (SQS allows 12 h counted from the receive); a longer wait goes on with the next
/// receive, which finds `not_before` in the ledger and hides again.
pub const LONGEST_HIDE: Duration = Duration::from_secs(11 * 3600);

/// How long a group waits whose head needs a person, since the internal queue refuses it or its record cannot be read: it
/// is held, never deleted. It waits at first for the shortest time, then for as long again as it has waited already, so
/// that in the two weeks that SQS may keep it no receive count comes near the native backstop.
const SHORTEST_HOLD: Duration = Duration::from_secs(5 * 60);

/// The longest hold of a message that needs a person.
pub const LONGEST_HOLD: Duration = Duration::from_secs(30 * 60);

/// How long to hold on to a message that needs a person and has waited so long for one.
pub fn hold(waited: Duration) -> Duration {
    waited.clamp(SHORTEST_HOLD, LONGEST_HOLD)
}

/// The messages of one group, in order; the first is the head.
#[derive(Debug)]
pub struct Lane<M> {
    messages: VecDeque<M>,
}

/// What to hide, and for how long from now; carried out in this order.
#[derive(Debug, PartialEq, Eq)]
pub struct Hide<'a, M> {
    /// First the messages behind the head, the last first.
    pub followers: Vec<(&'a M, Duration)>,
    /// Then the head.
    pub head: Option<(&'a M, Duration)>,
}

impl<M> Lane<M> {
    /// Sorts what a receive brought into lanes, in the order in which their heads came. Messages without
    /// a group (a standard queue) are lanes of their own. Within a group SQS already gives the order of
    /// sending.
    pub fn split<K: PartialEq>(messages: Vec<M>, group_of: impl Fn(&M) -> Option<K>) -> Vec<Self> {
        let mut lanes: Vec<(Option<K>, Self)> = Vec::new();
        for message in messages {
            let group = group_of(&message);
            let lane = lanes.iter_mut().find(|(g, _)| g.is_some() && *g == group);
            match lane {
                Some((_, lane)) => lane.messages.push_back(message),
                None => {
                    let messages = VecDeque::from([message]);
                    lanes.push((group, Self { messages }));
                }
            }
        }
        lanes.into_iter().map(|(_, lane)| lane).collect()
    }

    /// The message to attempt next.
    pub fn head(&self) -> Option<&M> {
        self.messages.front()
    }

    /// Takes the head out: it is settled, the next one moves up.
    pub fn advance(&mut self) -> Option<M> {
        self.messages.pop_front()
    }

    /// The messages still in the lane, the head first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &M> {
        self.messages.iter()
    }

    /// How many messages are in the lane.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// The lane waits: its head for `wait`, the rest a second longer.
    pub fn hide_for(&self, wait: Duration) -> Hide<'_, M> {
        let wait = wait.min(LONGEST_HIDE);
        self.hide(wait, wait + BEHIND_THE_HEAD)
    }

    /// The lane is given back untouched, the last message first so that none is visible before the one
    /// ahead of it.
    pub fn give_back(&self) -> Hide<'_, M> {
        self.hide(Duration::ZERO, Duration::ZERO)
    }

    fn hide(&self, head: Duration, followers: Duration) -> Hide<'_, M> {
        Hide {
            followers: self
                .messages
                .iter()
                .skip(1)
                .rev()
                .map(|m| (m, followers))
                .collect(),
            head: self.messages.front().map(|m| (m, head)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn lane(messages: &[u32]) -> Lane<u32> {
        Lane {
            messages: messages.iter().copied().collect(),
        }
    }

    #[test]
    fn what_needs_a_person_is_held_for_as_long_as_it_waited_within_bounds() {
        for (waited_s, held_s) in [
            (0, 300),
            (300, 300),
            (301, 301),
            (1_800, 1_800),
            (9_000, 1_800),
        ] {
            let held = hold(Duration::from_secs(waited_s));
            assert_eq!(held.as_secs(), held_s, "{waited_s}");
        }
    }

    #[test]
    fn a_receive_of_mixed_groups_becomes_one_lane_per_group_each_in_order() {
        let lanes = Lane::split(vec![("a", 1), ("b", 2), ("a", 3), ("b", 4)], |m| Some(m.0));
        let numbers: Vec<Vec<_>> = lanes
            .iter()
            .map(|l| l.iter().map(|m| m.1).collect())
            .collect();
        assert_eq!(numbers, [vec![1, 3], vec![2, 4]]);
    }

    #[test]
    fn messages_without_a_group_are_lanes_of_their_own() {
        let lanes = Lane::split(vec![1, 2, 3], |_| None::<()>);
        assert_eq!(lanes.len(), 3);
    }

    #[test]
    fn a_waiting_lane_hides_the_rest_first_and_a_second_longer_than_its_head() {
        let longer = MINUTE + Duration::from_secs(1);
        let lane = lane(&[1, 2, 3]);
        let hide = lane.hide_for(MINUTE);
        assert_eq!(hide.followers, [(&3, longer), (&2, longer)]);
        assert_eq!(hide.head, Some((&1, MINUTE)));
    }

    #[test]
    fn a_settled_head_makes_room_for_the_next() {
        let mut lane = lane(&[1, 2]);
        assert!(!lane.is_empty());
        assert_eq!((lane.advance(), lane.head()), (Some(1), Some(&2)));
        assert_eq!((lane.advance(), lane.head()), (Some(2), None));
        assert!(lane.is_empty());
        assert_eq!(lane.advance(), None);
    }

    #[test]
    fn a_longer_wait_is_spent_in_hides_of_eleven_hours() {
        let lane = lane(&[1]);
        let head_s = |wait| lane.hide_for(wait).head.unwrap().1.as_secs();
        assert_eq!(head_s(Duration::from_secs(39_599)), 39_599);
        assert_eq!(head_s(Duration::from_secs(12 * 3600)), 39_600);
    }

    #[test]
    fn a_lane_is_given_back_last_message_first() {
        let lane = lane(&[1, 2, 3]);
        let hide = lane.give_back();
        assert_eq!(hide.followers, [(&3, Duration::ZERO), (&2, Duration::ZERO)]);
        assert_eq!(hide.head, Some((&1, Duration::ZERO)));
    }

    proptest! {
        #[test]
        fn no_message_is_lost_or_moved_in_its_group_by_splitting(groups in proptest::collection::vec(0..4u8, 0..10)) {
            let messages: Vec<_> = groups.iter().copied().zip(0..).collect();
            let lanes = Lane::split(messages.clone(), |m: &(u8, u32)| Some(m.0));
            for lane in &lanes {
                let expected: Vec<_> = messages.iter().filter(|m| m.0 == lane.head().unwrap().0).collect();
                prop_assert_eq!(lane.iter().collect::<Vec<_>>(), expected);
            }
            prop_assert_eq!(lanes.iter().map(Lane::len).sum::<usize>(), messages.len());
        }

        #[test]
        fn no_hide_outlives_the_twelve_hours_of_sqs(wait_s in 0..10_000_000u64, length in 0..10u32) {
            let lane = lane(&(0..length).collect::<Vec<_>>());
            let hide = lane.hide_for(Duration::from_secs(wait_s));
            let longest = hide.followers.iter().map(|f| f.1).chain(hide.head.map(|h| h.1)).max();
            prop_assert!(longest.unwrap_or_default() < Duration::from_secs(12 * 3600));
        }
    }
}
