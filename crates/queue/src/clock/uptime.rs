//! How long a machine has been up.

use std::ops::Add;
use std::time::Duration;

/// A moment on the clock of one machine that nobody sets, and that counts the time for which the machine was suspended:
/// SQS's leases run on meanwhile. (tokio's `Instant` stands still then, as `CLOCK_MONOTONIC` does on Linux.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Uptime(Duration);

impl Uptime {
    pub(super) const fn from_start(elapsed: Duration) -> Self {
        Self(elapsed)
    }

    pub(super) fn of_this_machine() -> Self {
        let now = rustix::time::clock_gettime(COUNTS_SUSPENDED_TIME);
        Self(Duration::try_from(now).unwrap_or_default())
    }

    /// How long it is from here to a later moment; nothing if that is past.
    pub fn until(self, later: Self) -> Duration {
        later.0.saturating_sub(self.0)
    }

    pub(super) fn as_micros(self) -> i64 {
        i64::try_from(self.0.as_micros()).unwrap_or(i64::MAX)
    }
}

impl Add<Duration> for Uptime {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }
}

/// `CLOCK_MONOTONIC` of Linux does not; that of macOS does.
#[cfg(target_os = "linux")]
const COUNTS_SUSPENDED_TIME: rustix::time::ClockId = rustix::time::ClockId::Boottime;
#[cfg(not(target_os = "linux"))]
const COUNTS_SUSPENDED_TIME: rustix::time::ClockId = rustix::time::ClockId::Monotonic;
