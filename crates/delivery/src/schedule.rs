//! When to try again: the documented waits as data, and the decision after each attempt.

use std::ops::RangeInclusive;
use std::time::Duration;

use event::duration::format;

use crate::Outcome;

/// The most waits a schedule may have. Avaza, the longest we know of, has 13.
pub const MAX_DELAYS: usize = 50;

/// The longest single wait. SQS keeps a message for 14 days at most, so a longer one could not end.
pub const MAX_DELAY: Duration = Duration::from_secs(12 * 24 * 3600);

/// The shortest and the longest time for an attempt: it must fit into a lease with room to spare.
const TIMEOUTS: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(15 * 60);

/// What may be set by hand; [`RetrySchedule::new`] checks it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleSettings {
    /// The waits before attempts 2, 3, …; there is one attempt more than there are waits.
    pub delays: Vec<Duration>,
    /// The statuses that mean "accepted".
    pub accept: Vec<u16>,
    /// How long one attempt may take in all, the answer's body included.
    pub timeout: Duration,
    /// What a receiver's `Retry-After` does.
    pub retry_after: RetryAfter,
}

/// What a receiver's `Retry-After` does to the next wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryAfter {
    /// Nothing: the documented schedules are exact.
    Ignore,
    /// It lengthens the wait, never shortens it.
    Lengthen {
        /// At most to this.
        max: Duration,
    },
}

/// A schedule that exists is valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetrySchedule(ScheduleSettings);

/// Why settings make no schedule: each variant is about one of them, and says what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// More than [`MAX_DELAYS`] waits.
    #[error("{0} delays are too many: give at most {MAX_DELAYS}")]
    TooManyDelays(usize),
    /// A wait longer than [`MAX_DELAY`].
    #[error(
        "a delay of {} is too long: give at most {}, since SQS keeps a message for 14d",
        format(*.0),
        format(MAX_DELAY)
    )]
    DelayTooLong(Duration),
    /// No status.
    #[error("an empty list accepts nothing: name at least one status, as in [200, 201]")]
    AcceptsNothing,
    /// A status that is no 2xx.
    #[error("{0} cannot mean accepted: name statuses from 200 to 299")]
    CannotAccept(u16),
    /// No time at all, or more than fits a lease.
    #[error(
        "\"{}\" is out of range: write \"{}\" to \"{}\"",
        format(*.0),
        format(*TIMEOUTS.start()),
        format(*TIMEOUTS.end())
    )]
    Timeout(Duration),
    /// A receiver may ask for a wait longer than [`MAX_DELAY`].
    #[error("{} is too long: give at most {}", format(*.0), format(MAX_DELAY))]
    RetryAfterTooLong(Duration),
}

/// What to do after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Accepted: delete the message.
    Done,
    /// Try again at once, within this visit.
    RetryNow,
    /// End the visit; try again after the wait.
    RetryAfter(Duration),
    /// That was the last attempt: to the internal queue.
    Exhausted,
}

impl Decision {
    /// The name in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::RetryNow => "retry-now",
            Self::RetryAfter(_) => "retry-after",
            Self::Exhausted => "dead-letter",
        }
    }
}

/// Receives after which a message may be one that never gets a verdict: see [`RetrySchedule::suspicious_receives`].
const RECEIVES_PER_VISIT: u32 = 20;
const LEAST_RECEIVES: u32 = 100;

impl RetrySchedule {
    /// Checks settings.
    ///
    /// # Errors
    /// The first thing that is wrong with them.
    pub fn new(settings: ScheduleSettings) -> Result<Self, ScheduleError> {
        Self::check_delays(&settings.delays)?;
        Self::check_accept(&settings.accept)?;
        Self::check_timeout(settings.timeout)?;
        if let RetryAfter::Lengthen { max } = settings.retry_after {
            Self::check_retry_after_max(max)?;
        }
        Ok(Self(settings))
    }

    /// Checks waits.
    ///
    /// # Errors
    /// There are too many, or one is too long.
    pub fn check_delays(delays: &[Duration]) -> Result<(), ScheduleError> {
        if delays.len() > MAX_DELAYS {
            return Err(ScheduleError::TooManyDelays(delays.len()));
        }
        let too_long = delays.iter().find(|delay| **delay > MAX_DELAY);
        too_long.map_or(Ok(()), |delay| Err(ScheduleError::DelayTooLong(*delay)))
    }

    /// Checks the statuses that are to mean "accepted".
    ///
    /// # Errors
    /// There is none, or one is no 2xx.
    pub fn check_accept(statuses: &[u16]) -> Result<(), ScheduleError> {
        if statuses.is_empty() {
            return Err(ScheduleError::AcceptsNothing);
        }
        let other = statuses.iter().find(|status| !(200..300).contains(*status));
        other.map_or(Ok(()), |status| Err(ScheduleError::CannotAccept(*status)))
    }

    /// Checks how long one attempt may take.
    ///
    /// # Errors
    /// It is no time at all, or more than fits a lease.
    pub fn check_timeout(timeout: Duration) -> Result<(), ScheduleError> {
        if TIMEOUTS.contains(&timeout) {
            Ok(())
        } else {
            Err(ScheduleError::Timeout(timeout))
        }
    }

    /// Checks to how much a receiver may lengthen a wait.
    ///
    /// # Errors
    /// It is too long.
    pub fn check_retry_after_max(max: Duration) -> Result<(), ScheduleError> {
        if max > MAX_DELAY {
            Err(ScheduleError::RetryAfterTooLong(max))
        } else {
            Ok(())
        }
    }

    /// Avionté's: at once, at once again, after one minute, at once again; 200 and 201 accept
    /// (`docs/DECISIONS.md`, "Three senders").
    pub fn avionte() -> ScheduleSettings {
        ScheduleSettings {
            delays: [0, 60, 0].map(Duration::from_secs).to_vec(),
            accept: vec![200, 201],
            timeout: Duration::from_secs(30),
            retry_after: RetryAfter::Ignore,
        }
    }

    /// Avaza's: 13 retries that back off over about 10, 30, 90, 190 minutes and on; only 200 accepts
    /// (`docs/DECISIONS.md`, "Three senders"). Avaza names four waits; from there on each is the one before plus 100 minutes,
    /// the last step it shows, up to 12 hours.
    pub fn avaza() -> ScheduleSettings {
        let named = [10, 30, 90, 190];
        let further = (1..10)
            .map(|step| 190 + step * 100)
            .map(|minutes: u64| minutes.min(720));
        ScheduleSettings {
            delays: named
                .into_iter()
                .chain(further)
                .map(|minutes| Duration::from_secs(minutes * 60))
                .collect(),
            accept: vec![200],
            timeout: Duration::from_secs(30),
            retry_after: RetryAfter::Ignore,
        }
    }

    /// The settings.
    pub fn settings(&self) -> &ScheduleSettings {
        &self.0
    }

    /// How long one attempt may take.
    pub fn timeout(&self) -> Duration {
        self.0.timeout
    }

    /// How many attempts an event gets in one life.
    pub fn attempts(&self) -> u32 {
        self.0.delays.len() as u32 + 1
    }

    /// How many visits the waits split the attempts into.
    pub fn visits(&self) -> u32 {
        1 + self.0.delays.iter().filter(|d| !d.is_zero()).count() as u32
    }

    /// How long one life may take if nobody is late: all waits, each as long as a receiver may ask for, and all
    /// attempts, each as long as it may take. A queue that keeps an event for less loses it with attempts left.
    pub fn longest_life(&self) -> Duration {
        let waits: Duration = self.0.delays.iter().map(|wait| self.longest(*wait)).sum();
        waits + self.timeout() * self.attempts()
    }

    /// The longest wait there can be after `made` attempts: as long as a receiver may ask for.
    pub fn longest_wait_after(&self, made: u32) -> Duration {
        let delay = self.0.delays.get(made.saturating_sub(1) as usize);
        delay.map_or(Duration::ZERO, |delay| self.longest(*delay))
    }

    fn longest(&self, delay: Duration) -> Duration {
        match self.0.retry_after {
            RetryAfter::Lengthen { max } => max.max(delay),
            RetryAfter::Ignore => delay,
        }
    }

    /// From so many receives without the end of a visit on an event is watched, since it may kill the worker: 20 a
    /// visit of the schedule, at least 100, as many as a message can have behind nine others that fail, and more.
    pub fn suspicious_receives(&self) -> u32 {
        (RECEIVES_PER_VISIT * self.visits()).max(LEAST_RECEIVES)
    }

    /// Decides after attempt `n` (from 1) of this life.
    pub fn decide(&self, n: u32, outcome: &Outcome) -> Decision {
        if let Ok(answer) = outcome
            && self.0.accept.contains(&answer.status)
        {
            return Decision::Done;
        }
        let Some(delay) = self.0.delays.get(n.saturating_sub(1) as usize) else {
            return Decision::Exhausted;
        };
        let wait = self.lengthened(*delay, outcome);
        if wait.is_zero() {
            Decision::RetryNow
        } else {
            Decision::RetryAfter(wait)
        }
    }

    fn lengthened(&self, delay: Duration, outcome: &Outcome) -> Duration {
        let asked = outcome.as_ref().ok().and_then(|answer| answer.retry_after);
        match (self.0.retry_after, asked) {
            (RetryAfter::Lengthen { max }, Some(asked)) => delay.max(asked.min(max)),
            _ => delay,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Answer, Failure, FailureKind};

    fn answer(status: u16, retry_after: Option<u64>) -> Outcome {
        Ok(Answer {
            status,
            retry_after: retry_after.map(Duration::from_secs),
            excerpt: String::new(),
        })
    }

    fn avionte() -> RetrySchedule {
        RetrySchedule::new(RetrySchedule::avionte()).unwrap()
    }

    #[test]
    fn avionte_tries_at_once_at_once_again_after_a_minute_and_at_once_again() {
        let minute = Duration::from_secs(60);
        let decisions: Vec<_> = (1..=4)
            .map(|n| avionte().decide(n, &answer(500, None)))
            .collect();
        let expected = [
            Decision::RetryNow,
            Decision::RetryAfter(minute),
            Decision::RetryNow,
            Decision::Exhausted,
        ];
        assert_eq!(decisions, expected);
        assert_eq!((avionte().attempts(), avionte().visits()), (4, 2));
        assert_eq!(avionte().timeout(), Duration::from_secs(30));
    }

    #[test]
    fn only_the_named_statuses_are_accepted() {
        for (status, accepted) in [
            (200, true),
            (201, true),
            (202, false),
            (204, false),
            (301, false),
            (404, false),
        ] {
            let done = avionte().decide(1, &answer(status, None)) == Decision::Done;
            assert_eq!(done, accepted, "status {status}");
        }
    }

    #[test]
    fn an_attempt_without_an_answer_counts_like_a_bad_one() {
        let refused = Err(Failure {
            kind: FailureKind::Connect,
            detail: String::new(),
        });
        assert_eq!(avionte().decide(1, &refused), Decision::RetryNow);
        assert_eq!(avionte().decide(4, &refused), Decision::Exhausted);
    }

    #[test]
    fn the_last_attempt_can_still_be_accepted() {
        assert_eq!(avionte().decide(4, &answer(201, None)), Decision::Done);
    }

    #[test]
    fn retry_after_is_ignored_unless_it_may_lengthen_and_then_never_shortens_nor_passes_its_bound()
    {
        let mut settings = RetrySchedule::avionte();
        assert_eq!(
            avionte().decide(1, &answer(429, Some(30))),
            Decision::RetryNow
        );
        settings.retry_after = RetryAfter::Lengthen {
            max: Duration::from_secs(900),
        };
        let lengthen = RetrySchedule::new(settings).unwrap();
        let after = |n, s| match lengthen.decide(n, &answer(429, Some(s))) {
            Decision::RetryAfter(wait) => wait.as_secs(),
            other => panic!("{other:?}"),
        };
        assert_eq!(after(1, 30), 30);
        assert_eq!(after(2, 5), 60);
        assert_eq!(after(2, 5000), 900);
    }

    #[test]
    fn avaza_gives_up_after_thirteen_retries_and_takes_200_alone() {
        let avaza = RetrySchedule::new(RetrySchedule::avaza()).unwrap();
        assert_eq!(avaza.attempts(), 14);
        assert_eq!(
            avaza.decide(1, &answer(201, None)),
            Decision::RetryAfter(Duration::from_secs(600))
        );
        assert_eq!(avaza.decide(14, &answer(500, None)), Decision::Exhausted);
        assert_eq!(avaza.suspicious_receives(), 280);
    }

    #[test]
    fn avaza_waits_100_minutes_more_each_time_up_to_12_hours() {
        let minutes: Vec<_> = RetrySchedule::avaza()
            .delays
            .iter()
            .map(|delay| delay.as_secs() / 60)
            .collect();
        let named = [10, 30, 90, 190];
        let further = [290, 390, 490, 590, 690, 720, 720, 720, 720];
        assert_eq!(minutes, [&named[..], &further].concat());
    }

    #[test]
    fn a_life_is_as_long_as_its_waits_and_its_attempts() {
        assert_eq!(avionte().longest_life(), Duration::from_secs(60 + 4 * 30));
        let avaza = RetrySchedule::new(RetrySchedule::avaza()).unwrap();
        let minutes = 5_650 + 14 / 2;
        assert_eq!(avaza.longest_life(), Duration::from_secs(minutes * 60));
        let lengthened = RetrySchedule::new(ScheduleSettings {
            retry_after: RetryAfter::Lengthen {
                max: Duration::from_secs(30),
            },
            ..RetrySchedule::avionte()
        });
        let longest = lengthened.unwrap().longest_life();
        assert_eq!(longest, Duration::from_secs(30 + 60 + 30 + 4 * 30));
    }

    #[test]
    fn a_wait_may_take_twelve_days_and_no_longer() {
        let with = |delay_s| {
            RetrySchedule::new(ScheduleSettings {
                delays: vec![Duration::from_secs(delay_s)],
                ..RetrySchedule::avionte()
            })
        };
        assert!(with(1_036_800).is_ok());
        let error = with(1_036_801).unwrap_err().to_string();
        assert!(
            error.starts_with("a delay of 1036801s is too long: give at most 12d, "),
            "{error}"
        );
    }

    #[test]
    fn a_decision_has_its_name_in_logs() {
        let names = [
            Decision::Done,
            Decision::RetryNow,
            Decision::RetryAfter(Duration::from_secs(60)),
            Decision::Exhausted,
        ]
        .map(Decision::as_str);
        assert_eq!(names, ["done", "retry-now", "retry-after", "dead-letter"]);
    }

    #[test]
    fn settings_that_make_no_sense_make_no_schedule() {
        const LONG_TIMEOUT: Duration = Duration::from_millis(900_001);
        const LONG_WAIT: Duration = Duration::from_millis(1_036_800_001);
        let with = |change: fn(&mut ScheduleSettings)| {
            let mut settings = RetrySchedule::avionte();
            change(&mut settings);
            RetrySchedule::new(settings).unwrap_err()
        };
        assert_eq!(with(|s| s.accept.clear()), ScheduleError::AcceptsNothing);
        assert_eq!(
            with(|s| s.accept = vec![200, 302]),
            ScheduleError::CannotAccept(302)
        );
        assert_eq!(
            with(|s| s.timeout = Duration::ZERO),
            ScheduleError::Timeout(Duration::ZERO)
        );
        assert_eq!(
            with(|s| s.timeout = LONG_TIMEOUT),
            ScheduleError::Timeout(LONG_TIMEOUT)
        );
        assert_eq!(
            with(|s| s.retry_after = RetryAfter::Lengthen { max: LONG_WAIT }),
            ScheduleError::RetryAfterTooLong(LONG_WAIT)
        );
        assert_eq!(
            with(|s| s.delays = vec![Duration::ZERO; 51]),
            ScheduleError::TooManyDelays(51)
        );
    }
    #[test]
    fn a_timeout_and_what_a_receiver_may_ask_for_can_be_as_long_as_is_told() {
        let (shortest, longest) = (Duration::from_millis(1), Duration::from_secs(900));
        for timeout in [shortest, longest] {
            assert_eq!(RetrySchedule::check_timeout(timeout), Ok(()));
        }
        assert_eq!(
            RetrySchedule::check_timeout(Duration::ZERO)
                .unwrap_err()
                .to_string(),
            "\"0s\" is out of range: write \"1ms\" to \"15m\""
        );
        assert_eq!(RetrySchedule::check_retry_after_max(MAX_DELAY), Ok(()));
    }
}
