//! SQS's time, as its answers tell it.
//!
//! Each answer has a `Date` in whole seconds. SQS wrote it after it was asked and before we had the answer, so it bounds
//! by how much SQS's time is ahead of our uptime; a few answers together bound it to some tens of milliseconds.

use std::time::Duration;

use event::Timestamp;

use super::Uptime;

/// A wall clock is believed that is off by no more than this: machines with NTP are.
const TRUSTED_MS: i64 = 500;

/// Two machines' seconds are not of the same length: after so long we begin anew. At 200 ppm that is an error of 120 ms.
const WINDOW: Duration = Duration::from_secs(600);

/// An answer that took longer (a long poll) tells too little to begin anew with.
const NARROW_MS: i64 = 5_000;

/// Bounds to SQS's time, once there was an answer.
#[derive(Debug, Default)]
pub(super) struct SqsTime(Option<Bounds>);

/// By how many milliseconds SQS's time since 1970 is ahead of our uptime, at least and at most.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    least: i64,
    most: i64,
    since: Uptime,
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
        let date = date.as_millis() as i64;
        let new = Bounds {
            least: date - answered.as_millis() - 1,
            most: date + 1_000 - asked.as_millis(),
            since: answered,
        };
        self.0 = Some(match self.0 {
            Some(old) if old.contradicts(&new) => new,
            Some(old) if old.since.until(answered) > WINDOW && new.is_narrow() => new,
            Some(old) => Bounds {
                least: old.least.max(new.least),
                most: old.most.min(new.most),
                ..old
            },
            None => new,
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
        let [earliest, latest] =
            [bounds.least, bounds.most].map(|ahead| ahead + uptime.as_millis());
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
    /// Nobody can be right who says both: one of the machines was set, or stood still.
    fn contradicts(&self, other: &Self) -> bool {
        self.least > other.most || other.least > self.most
    }

    fn is_narrow(&self) -> bool {
        self.most - self.least <= NARROW_MS
    }
}

#[cfg(test)]
mod tests {
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
        assert!(late + early <= 1_000 + 30 + 1, "{late} {early}");
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
    fn after_ten_minutes_it_begins_anew_but_not_with_a_long_poll() {
        let mut time = SqsTime::default();
        answer(&mut time, [0, 5, 10]);
        let before = errors(&time, 700_000);
        answer(&mut time, [690_000, 700_000, 710_000]);
        assert_eq!(errors(&time, 710_000), before);
        answer(&mut time, [711_000, 711_005, 711_010]);
        assert_eq!(time.0.map(|bounds| bounds.since), Some(up(711_010)));
    }
}
