//! MessageIds that Amazon SQS has answered, to notice an event that it took for a duplicate of another.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// MessageIds remembered: two events can only have met within a few milliseconds, so the newest are enough. Some 10 MB.
const CAPACITY: usize = 65_536;

/// The newest MessageIds and the lines they were given to.
#[derive(Debug)]
pub(crate) struct Seen {
    lines: HashMap<Arc<str>, u64>,
    order: VecDeque<Arc<str>>,
    capacity: usize,
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            lines: HashMap::new(),
            order: VecDeque::new(),
            capacity: CAPACITY,
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

#[cfg(test)]
mod tests {
    use super::*;

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
