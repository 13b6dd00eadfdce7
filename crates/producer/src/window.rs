//! The stretch of lines from the oldest one that is not yet settled to the newest one admitted.

use std::collections::VecDeque;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Unsent,
    Sent,
    Refused,
}

/// Remembers what became of each line, as far back as an unsent one needs it.
#[derive(Debug, Default)]
pub(crate) struct Window(VecDeque<(u64, State)>);

impl Window {
    /// Adds a line later than all before.
    pub(crate) fn admit(&mut self, line: u64) {
        debug_assert!(self.0.back().is_none_or(|&(last, _)| last < line));
        self.0.push_back((line, State::Unsent));
    }

    /// The queue has the line.
    pub(crate) fn sent(&mut self, line: u64) {
        self.settle(line, State::Sent);
    }

    /// The line will never be sent.
    pub(crate) fn refused(&mut self, line: u64) {
        self.settle(line, State::Refused);
    }

    fn settle(&mut self, line: u64, state: State) {
        if let Ok(at) = self.0.binary_search_by_key(&line, |&(number, _)| number) {
            self.0[at].1 = state;
        }
        while self
            .0
            .front()
            .is_some_and(|&(_, state)| state != State::Unsent)
        {
            self.0.pop_front();
        }
    }

    /// Lines from the oldest unsent one to the newest, those without an event not counted.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The oldest line that was not sent and not refused.
    pub(crate) fn unsent_from(&self) -> Option<u64> {
        self.0.front().map(|&(line, _)| line)
    }

    /// Lines that were sent although an earlier one was not.
    pub(crate) fn sent_beyond(&self) -> Vec<u64> {
        let sent = self.0.iter().filter(|&&(_, state)| state == State::Sent);
        sent.map(|&(line, _)| line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_starts_at_the_oldest_unsent_line() {
        let mut window = Window::default();
        for line in [1, 3, 4, 7, 9] {
            window.admit(line);
        }
        window.sent(4);
        window.refused(7);
        assert_eq!((window.unsent_from(), window.len()), (Some(1), 5));
        window.sent(1);
        assert_eq!(
            (window.unsent_from(), window.sent_beyond()),
            (Some(3), vec![4])
        );
        window.refused(3);
        assert_eq!(
            (window.unsent_from(), window.sent_beyond()),
            (Some(9), vec![])
        );
        window.sent(9);
        assert_eq!((window.unsent_from(), window.len()), (None, 0));
    }
}
