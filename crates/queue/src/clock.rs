//! The clocks of the shells. The pure crates take [`Timestamp`]s as arguments.
//!
//! The *wall clock* says what time it is. Somebody may set it, and no two machines agree on it; what waits in a queue
//! is agreed between machines, so SQS's time is the one that counts, and every answer of SQS tells it. The *uptime*
//! says how long something lasts on this machine: a lease.

mod sqs_time;
mod uptime;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use event::Timestamp;
use tokio::time::Instant;

use sqs_time::{Reading, SqsTime};
pub use uptime::Uptime;

/// Where a shell reads the time: the system, or tokio's clock so that tests can pause time. Cheap to clone; all clones
/// are one clock.
#[derive(Debug, Clone)]
pub struct Clock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    source: Source,
    sqs: Mutex<SqsTime>,
}

#[derive(Debug)]
enum Source {
    System,
    Virtual {
        start: Timestamp,
        at: Instant,
        moved: Mutex<Moved>,
    },
}

/// What was done to a virtual clock.
#[derive(Debug, Clone, Copy, Default)]
struct Moved {
    ahead_ms: i64,
    suspended: Duration,
}

impl Clock {
    /// The clocks of this machine.
    pub fn system() -> Self {
        Self::of(Source::System)
    }

    /// Clocks that show `start` now and move with `tokio::time`.
    pub fn virtual_from(start: Timestamp) -> Self {
        let (at, moved) = (Instant::now(), Mutex::default());
        Self::of(Source::Virtual { start, at, moved })
    }

    fn of(source: Source) -> Self {
        Self(Arc::new(Inner {
            source,
            sqs: Mutex::default(),
        }))
    }

    /// The present moment: the machine's wall clock as long as SQS does not contradict it by more than half a second,
    /// else the nearest that SQS's answers allow.
    pub fn now(&self) -> Timestamp {
        self.read().now
    }

    /// The earliest that it can be by SQS's time: what is over now is over on any machine.
    pub fn earliest(&self) -> Timestamp {
        self.read().earliest
    }

    /// The latest that it can be by SQS's time: what begins now to wait has begun on any machine.
    pub fn latest(&self) -> Timestamp {
        self.read().latest
    }

    /// How far the wall clock is off, in milliseconds, if SQS contradicts it: more than 0 when it is ahead.
    pub fn off_ms(&self) -> Option<i64> {
        self.read().off_ms
    }

    /// How long this machine has been up.
    pub fn uptime(&self) -> Uptime {
        match &self.0.source {
            Source::System => Uptime::of_this_machine(),
            Source::Virtual { at, moved, .. } => {
                Uptime::from_start(at.elapsed() + locked(moved).suspended)
            }
        }
    }

    /// Takes note of an answer of SQS: a call that was begun at `asked` is answered now, and SQS says that it was
    /// `date` in whole seconds in between.
    pub(crate) fn learn(&self, date: Timestamp, asked: Uptime) {
        let answered = self.uptime();
        locked(&self.0.sqs).learn(date, asked, answered);
    }

    fn read(&self) -> Reading {
        let (local, uptime) = (self.wall(), self.uptime());
        locked(&self.0.sqs).read(local, uptime)
    }

    fn wall(&self) -> Timestamp {
        match &self.0.source {
            Source::System => {
                let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
                Timestamp::from_millis(since_epoch.map_or(0, |d| d.as_millis() as u64))
            }
            Source::Virtual { start, at, moved } => {
                let moved = *locked(moved);
                let shown = start.plus(at.elapsed() + moved.suspended).as_millis();
                Timestamp::from_millis(shown.saturating_add_signed(moved.ahead_ms))
            }
        }
    }

    /// Sets the wall clock forward, or back, as somebody may do with a real one. Only of a virtual clock.
    pub fn set_forward(&self, by_ms: i64) {
        if let Source::Virtual { moved, .. } = &self.0.source {
            locked(moved).ahead_ms += by_ms;
        }
    }

    /// Lets time pass that `tokio::time` does not see: its machine was suspended. Only of a virtual clock.
    pub fn suspend(&self, lasting: Duration) {
        if let Source::Virtual { moved, .. } = &self.0.source {
            locked(moved).suspended += lasting;
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no holder panics")
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_739_370_645_250);

    #[tokio::test(start_paused = true)]
    async fn uptime_goes_on_while_the_machine_is_suspended_and_when_the_clock_is_set() {
        let clock = Clock::virtual_from(START);
        let before = clock.uptime();
        clock.suspend(Duration::from_secs(300));
        assert_eq!(clock.uptime(), before + Duration::from_secs(300));
        assert_eq!(clock.now(), START.plus(Duration::from_secs(300)));
        clock.set_forward(-45_000);
        assert_eq!(clock.uptime(), before + Duration::from_secs(300));
        assert_eq!(clock.now(), START.plus(Duration::from_secs(255)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_sqs_contradicts_is_held_within_what_sqs_allows() {
        for (set_ms, off) in [
            (45_000, true),
            (-45_000, true),
            (400, false),
            (-400, false),
            (0, false),
        ] {
            let clock = Clock::virtual_from(START);
            let date = Timestamp::from_millis(START.as_millis() / 1_000 * 1_000);
            clock.learn(date, clock.uptime());
            tokio::time::advance(Duration::from_secs(60)).await;
            clock.set_forward(set_ms);
            let truth = START.plus(Duration::from_secs(60));
            let (earliest, latest) = (clock.earliest(), clock.latest());
            if off {
                assert!(earliest <= truth && truth <= latest, "{set_ms}");
                assert!(earliest.until(latest) <= Duration::from_millis(1_025));
                let off_ms = clock.off_ms().expect("a clock that is off");
                assert!((off_ms - set_ms).abs() <= 1_000, "{set_ms}: {off_ms}");
            } else {
                let shown = truth.as_millis().saturating_add_signed(set_ms);
                assert_eq!((earliest.as_millis(), latest.as_millis()), (shown, shown));
                assert_eq!(clock.off_ms(), None);
            }
            assert!(earliest <= clock.now() && clock.now() <= latest);
        }
    }
}
