//! SQS's time, as its answers tell it.
//!
//! Each answer has a `Date` in whole seconds. SQS wrote it after it was asked and before we had the answer, so it bounds
//! by how much SQS's time is ahead of our uptime; a few answers together bound it to some tens of milliseconds.

use event::Timestamp;

use super::Uptime;

/// A wall clock is believed that is off by no more than this: machines with NTP are.
const TRUSTED_MS: i64 = 500;

/// Two machines' seconds are not of the same length, but no clock of a computer is off by more than one part in so many
/// (200 ppm): in ten minutes that is 120 ms.
const DRIFT: i64 = 5_000;

/// Bounds to SQS's time, once there was an answer.
#[derive(Debug, Default)]
pub(super) struct SqsTime(Option<Bounds>);

/// By how many microseconds SQS's time since 1970 is ahead of our uptime, at least and at most.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    least: i64,
    most: i64,
    /// When that was so. Later it is less certain.
    at: Uptime,
}

/// What time it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) earliest: Timestamp,
    pub(super) now: Timestamp,
    pub(super) latest: Timestamp,
    /// How far the wall clock is off, if it is not believed.
    pub(super) off_ms: Option<i64>,
}

impl SqsTime {
    pub(super) fn learn(&mut self, date: Timestamp, asked: Uptime, answered: Uptime) {
        let date = date.as_millis() as i64 * 1_000;
        let new = Bounds {
            least: date - answered.as_micros(),
            most: date + 1_000_000 - asked.as_micros(),
            at: answered,
        };
        self.0 = Some(match self.0.map(|old| old.later(answered)) {
            Some(old) if old.agrees(&new) => Bounds {
                least: old.least.max(new.least),
                most: old.most.min(new.most),
                at: answered,
            },
            _ => new,
        });
    }

    pub(super) fn read(&self, wall: Timestamp, uptime: Uptime) -> Reading {
        let believed = Reading {
            earliest: wall,
            now: wall,
            latest: wall,
            off_ms: None,
        };
        let Some(bounds) = self.0 else {
            return believed;
        };
        let bounds = bounds.later(uptime);
        let [earliest, latest] =
            [bounds.least, bounds.most].map(|ahead| (ahead + uptime.as_micros()) / 1_000);
        let wall_ms = wall.as_millis() as i64;
        let now = wall_ms.clamp(earliest, latest);
        let off_ms = wall_ms - now;
        if off_ms.abs() <= TRUSTED_MS {
            return believed;
        }
        let [earliest, now, latest] =
            [earliest, now, latest].map(|ms| Timestamp::from_millis(ms.max(0) as u64));
        Reading {
            earliest,
            now,
            latest,
            off_ms: Some(off_ms),
        }
    }
}

impl Bounds {
    /// Whether both can be right. If not, one of the machines was set, or stood still.
    fn agrees(&self, other: &Self) -> bool {
        self.least <= other.most && other.least <= self.most
    }

    /// What is known of it at a later moment.
    fn later(self, at: Uptime) -> Self {
        let drift = (at.as_micros() - self.at.as_micros()).max(0) / DRIFT;
        Self {
            least: self.least - drift,
            most: self.most + drift,
            at,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// SQS's time is so much ahead of the uptime.
    const AHEAD_MS: u64 = 1_739_370_645_250;

    fn up(ms: u64) -> Uptime {
        Uptime::from_start(Duration::from_millis(ms))
    }

    /// An answer to a call from one moment of the uptime to another, of which SQS wrote the date at a third.
    fn answer(time: &mut SqsTime, [asked, dated, answered]: [u64; 3]) {
        let date = (AHEAD_MS + dated) / 1_000 * 1_000;
        time.learn(Timestamp::from_millis(date), up(asked), up(answered));
    }

    /// How far the bounds are from the truth, read with a wall clock that is a day behind.
    fn errors(time: &SqsTime, now: u64) -> (u64, u64) {
        let truth = AHEAD_MS + now;
        let reading = time.read(Timestamp::from_millis(truth - 86_400_000), up(now));
        (
            truth
                .checked_sub(reading.earliest.as_millis())
                .expect("no later than it is"),
            reading
                .latest
                .as_millis()
                .checked_sub(truth)
                .expect("no earlier than it is"),
        )
    }

    #[test]
    fn one_answer_bounds_the_time_to_its_second_and_how_long_it_took() {
        let mut time = SqsTime::default();
        answer(&mut time, [0, 20, 30]);
        let (late, early) = errors(&time, 90_000);
        // The second, how long the answer took, and a minute and a half of drift both ways.
        assert!(late + early <= 1_000 + 30 + 37, "{late} {early}");
    }

    #[test]
    fn answers_at_other_parts_of_a_second_bound_it_closer_and_a_long_poll_does_no_harm() {
        let mut time = SqsTime::default();
        for asked in (0..10_000).step_by(730) {
            answer(&mut time, [asked, asked + 5, asked + 10]);
            answer(&mut time, [asked, asked + 19_000, asked + 20_000]);
        }
        let (late, early) = errors(&time, 10_000);
        assert!(late + early <= 150, "{late} {early}");
    }

    #[test]
    fn without_an_answer_the_wall_clock_is_believed() {
        let wall = Timestamp::from_millis(7);
        let reading = SqsTime::default().read(wall, up(0));
        assert_eq!((reading.now, reading.off_ms), (wall, None));
    }

    #[test]
    fn an_answer_that_cannot_be_true_beside_the_earlier_ones_is_believed_instead() {
        let mut time = SqsTime::default();
        answer(&mut time, [0, 5, 10]);
        // The uptime did not count a minute: a virtual machine was stopped.
        time.learn(
            Timestamp::from_millis((AHEAD_MS + 60_000 + 2_000) / 1_000 * 1_000),
            up(2_000),
            up(2_010),
        );
        let truth = AHEAD_MS + 60_000 + 3_000;
        let reading = time.read(Timestamp::from_millis(AHEAD_MS), up(3_000));
        assert!(reading.earliest.as_millis() <= truth && truth <= reading.latest.as_millis());
    }

    #[test]
    fn what_is_known_becomes_less_certain_until_the_next_answer_and_a_slow_one_does_no_harm() {
        let mut time = SqsTime::default();
        let mut asked = 0;
        // A quick answer every half second, at all parts of a second.
        for _ in 0..40 {
            answer(&mut time, [asked, asked + 5, asked + 10]);
            asked += 470;
        }
        let (late, early) = errors(&time, asked);
        assert!(late + early <= 80, "{late} {early}");
        // Half an hour of nothing but slow ones.
        for _ in 0..180 {
            answer(&mut time, [asked, asked + 4_000, asked + 9_000]);
            asked += 10_000;
        }
        let (late, early) = errors(&time, asked);
        assert!((300..850).contains(&(late + early)), "{late} {early}");
    }
}
