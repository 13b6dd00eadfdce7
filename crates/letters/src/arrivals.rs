//! Which letters were there when a scan began, and which came since: letters arrive while it runs, and it must end.
//!
//! SQS's clock is not ours, so the beginning is found on SQS's own: the first receive of a message tells SQS's time of
//! it, and our monotonic clock how long after the beginning it was asked for and answered.

use std::time::Duration;

use event::Timestamp;
use queue::{Clock, Counts, MAX_BATCH, Received};
use tokio::time::Instant;

/// Tells letters that came since from those that were there.
pub(crate) struct Arrivals {
    began: Instant,
    /// The beginning on this machine's clock.
    began_here: Timestamp,
    /// Between which moments the beginning was on SQS's clock.
    began_there: Option<(Timestamp, Timestamp)>,
    /// How many could be received at the beginning. SQS's counts are approximate.
    counted: u64,
    is_fifo: bool,
}

/// Whether a letter was there at the beginning, and what tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// It was there: its time says so, or somebody received it before.
    Before,
    /// It may have been there: no more than were counted have been seen.
    Counted,
    /// It came since.
    Since,
}

impl Arrivals {
    /// Now is the beginning, and the queue holds so much.
    pub(crate) fn begin(counts: Counts, is_fifo: bool) -> Self {
        Self {
            began: Instant::now(),
            began_here: Clock::system().now(),
            began_there: None,
            counted: counts.visible + counts.delayed,
            is_fifo,
        }
    }

    /// When the look began, on our monotonic clock.
    pub(crate) fn began(&self) -> Instant {
        self.began
    }

    /// Learns from a message when the beginning was; it was asked for and answered so long after.
    pub(crate) fn learn(&mut self, message: &Received, asked: Duration, answered: Duration) {
        // Of what the native redrive moved, SQS may tell when it was received in the other queue.
        let is_first = message.receive_count == 1 && message.redriven_from.is_none();
        let received_at = message.first_received_at.filter(|_| is_first);
        let Some(received_at) = received_at.filter(|at| *at >= message.sent_at) else {
            return;
        };
        let before = |after: Duration| {
            let after_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
            Timestamp::from_millis(received_at.as_millis().saturating_sub(after_ms))
        };
        let (mut earliest, mut latest) = (before(answered), before(asked));
        if let Some(known) = self.began_there {
            (earliest, latest) = (earliest.max(known.0), latest.min(known.1));
        }
        self.began_there = Some((earliest, latest));
    }

    /// Judges a message of a receive that brought `brought`; `seen` that were there have been seen already.
    pub(crate) fn judge(&self, message: &Received, brought: usize, seen: u64) -> Arrival {
        let is_native = message.redriven_from.is_some();
        let since = |began| {
            if message.sent_at > began {
                Arrival::Since
            } else {
                Arrival::Before
            }
        };
        match self.began_there {
            // The native redrive of standard queues keeps the time of the first sending.
            _ if is_native && !self.is_fifo => self.by_count(brought, seen),
            Some((earliest, _)) if message.sent_at <= earliest => Arrival::Before,
            Some((_, latest)) if message.sent_at > latest => Arrival::Since,
            Some(_) => self.by_count(brought, seen),
            None if is_native => since(self.began_here),
            None if message.receive_count > 1 => Arrival::Before,
            None => self.by_count(brought, seen),
        }
    }

    /// Says whether as many have been seen as were counted at the beginning.
    pub(crate) fn is_all(&self, seen: u64) -> bool {
        seen >= self.counted
    }

    /// A full receive says that more were there than were counted.
    fn by_count(&self, brought: usize, seen: u64) -> Arrival {
        if self.is_all(seen) && brought < MAX_BATCH {
            Arrival::Since
        } else {
            Arrival::Counted
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Sample;

    const SECOND: Duration = Duration::from_secs(1);
    const SENT: Timestamp = Timestamp::from_millis(1_000_000);

    fn arrivals(visible: u64, is_fifo: bool) -> Arrivals {
        let counts = Counts {
            visible,
            ..Counts::default()
        };
        Arrivals::begin(counts, is_fifo)
    }

    /// Sent so many seconds after [`SENT`], and first received so many after it.
    fn message(sent_s: u64, received_s: u64) -> Received {
        let mut message = Sample::default().letter().message;
        message.sent_at = SENT.plus(SECOND * sent_s as u32);
        message.first_received_at = Some(SENT.plus(SECOND * received_s as u32));
        message.receive_count = 1;
        message
    }

    #[test]
    fn the_beginning_is_found_on_the_clock_of_sqs_whatever_ours_shows() {
        let mut arrivals = arrivals(1, true);
        // Received at 100 s by SQS's clock, here 7 to 9 s after the beginning: that was at 91 to 93 s.
        arrivals.learn(&message(90, 100), SECOND * 7, SECOND * 9);
        arrivals.learn(&message(90, 103), SECOND * 8, SECOND * 20);
        for (sent_s, seen, expected) in [
            (91, 9, Arrival::Before),
            (92, 0, Arrival::Counted),
            (93, 1, Arrival::Since),
            (94, 0, Arrival::Since),
        ] {
            let judged = arrivals.judge(&message(sent_s, 103), 1, seen);
            assert_eq!(judged, expected, "{sent_s}");
        }
    }

    #[test]
    fn what_tells_nothing_of_the_beginning_is_not_learned_from() {
        let mut arrivals = arrivals(0, true);
        let looked_at = Received {
            receive_count: 2,
            ..message(90, 91)
        };
        let moved = Received {
            redriven_from: Some("arn".to_owned()),
            ..message(90, 91)
        };
        // An emulator's, in seconds.
        let odd = Received {
            first_received_at: Some(Timestamp::from_millis(1_000)),
            ..message(90, 91)
        };
        for message in [&looked_at, &moved, &odd] {
            arrivals.learn(message, Duration::ZERO, Duration::ZERO);
        }
        assert_eq!(arrivals.began_there, None);
        assert_eq!(arrivals.judge(&looked_at, 1, 9), Arrival::Before);
        assert_eq!(arrivals.judge(&odd, 1, 9), Arrival::Since);
    }

    #[test]
    fn where_no_time_tells_those_that_were_counted_were_there_and_full_receives_too() {
        let arrivals = arrivals(5, false);
        let moved = Received {
            redriven_from: Some("arn".to_owned()),
            ..message(1, 2)
        };
        for (brought, seen, expected) in [
            (1, 4, Arrival::Counted),
            (1, 5, Arrival::Since),
            (10, 5, Arrival::Counted),
        ] {
            assert_eq!(arrivals.judge(&moved, brought, seen), expected);
        }
        assert!(!arrivals.is_all(4) && arrivals.is_all(5));
    }

    #[test]
    fn what_the_native_redrive_moves_within_fifo_queues_has_the_time_of_its_move() {
        let mut arrivals = arrivals(0, true);
        arrivals.began_here = SENT;
        let moved = |sent_s| Received {
            redriven_from: Some("arn".to_owned()),
            receive_count: 1_001,
            ..message(sent_s, 0)
        };
        assert_eq!(arrivals.judge(&moved(0), 1, 9), Arrival::Before);
        assert_eq!(arrivals.judge(&moved(1), 1, 9), Arrival::Since);
    }
}
