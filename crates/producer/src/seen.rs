//! What Amazon SQS has answered, to notice an event that it took for a duplicate of another.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// MessageIds remembered: two events can only have met within a few milliseconds, so the newest are enough. Some 10 MB.
const CAPACITY: usize = 65_536;

/// Groups whose last sequence number is remembered; beyond it all are forgotten. Some 10 MB.
const MAX_GROUPS: usize = 65_536;

/// The newest MessageIds and the lines they were given to, and the last sequence number of each group.
#[derive(Debug)]
pub(crate) struct Seen {
    lines: HashMap<Arc<str>, u64>,
    order: VecDeque<Arc<str>>,
    capacity: usize,
    last: HashMap<String, u128>,
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            lines: HashMap::new(),
            order: VecDeque::new(),
            capacity: CAPACITY,
            last: HashMap::new(),
        }
    }
}

impl Seen {
    /// Notes the MessageId given to a line. If another line was given it before, returns that line: the queue holds
    /// only that one's event.
    pub(crate) fn note(&mut self, message_id: &str, line: u64) -> Option<u64> {
        if let Some(&earlier) = self.lines.get(message_id) {
            return Some(earlier);
        }
        if self.order.len() >= self.capacity
            && let Some(oldest) = self.order.pop_front()
        {
            self.lines.remove(&oldest);
        }
        let id: Arc<str> = message_id.into();
        self.order.push_back(Arc::clone(&id));
        self.lines.insert(id, line);
        None
    }
}

impl Seen {
    /// Notes the sequence number given to an event of a group. They [increase] within a group, so one that is not
    /// greater than the last belongs to an earlier message, of some other sender. What is no number says nothing.
    ///
    /// [increase]: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatchResultEntry.html
    pub(crate) fn is_next(&mut self, group: &str, sequence_number: &str) -> bool {
        let Ok(number) = sequence_number.parse::<u128>() else {
            return true;
        };
        if let Some(last) = self.last.get_mut(group) {
            let is_next = number > *last;
            *last = number.max(*last);
            return is_next;
        }
        if self.last.len() >= MAX_GROUPS {
            self.last.clear();
        }
        self.last.insert(group.to_owned(), number);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_number_that_does_not_grow_is_an_earlier_message() {
        let mut seen = Seen::default();
        assert!(seen.is_next("a", "18849496460467696128"));
        assert!(seen.is_next("a", "18849496460467696129"));
        assert!(!seen.is_next("a", "18849496460467696128"));
        assert!(seen.is_next("a", "18849496460467696130"));
        assert!(seen.is_next("b", "1"), "another group");
        assert!(seen.is_next("b", ""), "no number");
        assert!(!seen.is_next("b", "1"));
    }

    #[test]
    fn a_message_id_seen_before_names_its_first_line() {
        let mut seen = Seen::default();
        assert_eq!(seen.note("a", 1), None);
        assert_eq!(seen.note("b", 2), None);
        assert_eq!(seen.note("a", 3), Some(1));
    }

    #[test]
    fn only_the_newest_are_remembered() {
        let mut seen = Seen {
            capacity: 2,
            ..Seen::default()
        };
        for (line, id) in ["a", "b", "c"].into_iter().enumerate() {
            assert_eq!(seen.note(id, line as u64), None);
        }
        assert_eq!(seen.note("a", 9), None, "forgotten");
        assert_eq!(seen.lines.len(), 2);
    }
}
