//! How long the queue still keeps a message, and what may be begun before it is dropped.
//!
//! SQS drops what is older than the queue's retention, in whatever state, and tells nobody. So an event is set aside
//! while there is time: its group behind it, most of which was sent at about the same time, must be dealt with too.

use std::time::Duration;

use event::Timestamp;

/// This part of a queue's retention is kept for the end, at most [`LONGEST_RESERVE`].
const RESERVE_PART: u32 = 24;

/// In the first half of it events that never had a visit get one each; in the second they are only set aside: some
/// tens of thousands of one group.
const LONGEST_RESERVE: Duration = Duration::from_secs(3600);

/// The time that a message has in its queue. A replay is a new message with a time of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    ends: Timestamp,
    /// An attempt begins at the latest so long before the end.
    attempt: Duration,
    /// A visit that is waited for begins at the latest so long before the end.
    visit: Duration,
}

impl Lifetime {
    /// The lifetime of a message that was sent at a moment to a queue with this retention, for attempts that take as
    /// long as `timeout` at most.
    pub fn new(sent_at: Timestamp, retention: Duration, timeout: Duration) -> Self {
        let half = (retention / RESERVE_PART).min(LONGEST_RESERVE) / 2;
        let attempt = half.max(timeout);
        Self {
            ends: sent_at.plus(retention),
            attempt,
            visit: half + attempt,
        }
    }

    /// When the queue drops the message.
    pub fn ends(&self) -> Timestamp {
        self.ends
    }

    /// Whether there is time for an attempt that begins now.
    pub fn allows_attempt(&self, now: Timestamp) -> bool {
        self.is_wrong(now) || now.plus(self.attempt) <= self.ends
    }

    /// Whether it can be waited for a visit at a later moment.
    pub fn allows_visit(&self, at: Timestamp, now: Timestamp) -> bool {
        self.is_wrong(now) || at.plus(self.visit) <= self.ends
    }

    /// A message that is there long after its end says that the clock, or what is known of the retention, is wrong:
    /// nothing is decided by that.
    fn is_wrong(&self, now: Timestamp) -> bool {
        now > self.ends.plus(LONGEST_RESERVE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: Timestamp = Timestamp::from_millis(1_739_370_645_123);
    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn after(seconds: u64) -> Timestamp {
        SENT.plus(Duration::from_secs(seconds))
    }

    #[test]
    fn of_two_weeks_the_last_hour_is_for_first_visits_and_its_second_half_for_setting_aside() {
        let life = Lifetime::new(SENT, 14 * DAY, Duration::from_secs(30));
        let end_s = 14 * 24 * 3600;
        assert_eq!(life.ends(), after(end_s));
        for (before_end_s, visit, attempt) in [
            (3_600, true, true),
            (3_599, false, true),
            (1_800, false, true),
            (1_799, false, false),
            (0, false, false),
        ] {
            let at = after(end_s - before_end_s);
            assert_eq!(life.allows_visit(at, SENT), visit, "{before_end_s} s");
            assert_eq!(life.allows_attempt(at), attempt, "{before_end_s} s");
        }
    }

    #[test]
    fn a_short_retention_keeps_a_part_of_itself_and_the_time_of_one_attempt() {
        let life = Lifetime::new(SENT, Duration::from_secs(240), Duration::from_secs(30));
        assert!(life.allows_attempt(after(210)) && !life.allows_attempt(after(211)));
        assert!(life.allows_visit(after(205), SENT) && !life.allows_visit(after(206), SENT));
    }

    #[test]
    fn what_is_there_long_after_its_end_is_not_judged_by_it() {
        let life = Lifetime::new(SENT, DAY, Duration::from_secs(30));
        let long_after = after(24 * 3600 + 3601);
        assert!(!life.allows_attempt(after(24 * 3600 + 3600)));
        assert!(life.allows_attempt(long_after) && life.allows_visit(long_after, long_after));
        // A message whose time is not known.
        let unknown = Lifetime::new(Timestamp::from_millis(0), DAY, Duration::ZERO);
        assert!(unknown.allows_attempt(SENT));
    }
}
