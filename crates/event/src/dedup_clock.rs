//! The deduplication clock: which millisecond an event may use as its deduplication id.
//!
//! Amazon SQS silently drops the second message with the same id. A millisecond is therefore used once per group, in
//! increasing order, and never before it has come: so a later run of the producer, which waits a moment before its
//! first use of a group, cannot meet an id of an earlier run.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use crate::Timestamp;

/// Milliseconds from the first wish for a group to its first use: whatever an earlier run used is past by then, also
/// when the wall clock is stepped a little.
const FIRST_USE_WAIT_MS: u64 = 5;

/// Milliseconds the clock may lag behind the wall clock to make up for a timer that fired late: without this a group
/// would lose a millisecond, and throughput, at every late wake-up.
const CATCH_UP_MS: u64 = 10;

/// Groups remembered at most; some 10 MB. Beyond it, groups whose last use is past are forgotten: their next use is a first use again.
const MAX_GROUPS: usize = 100_000;

/// Where a deduplication id must be unique: the queue's attribute `DeduplicationScope`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Within a message group; every group has its own clock.
    MessageGroup,
    /// In the whole queue; all groups share one clock.
    Queue,
}

/// The milliseconds of one of several producer processes that send to the same groups: of share `i/n` are those congruent
/// to `i` modulo `n`. People know it as `--lane`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    index: u64,
    count: u64,
}

/// A share that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a lane is i/n with 0 <= i < n <= {max}, such as 0/4", max = Share::MAX_COUNT)]
pub struct ShareError;

impl Share {
    /// All milliseconds: the only producer process.
    pub const ALL: Self = Self { index: 0, count: 1 };

    /// Lanes at most: with a thousand each still sends one event per second and group.
    pub const MAX_COUNT: u64 = 1000;

    /// The shares of which a process that was given none takes one: each sends 62 events a second of one group, and two
    /// processes that cannot know of each other, on two machines, draw the same one time in sixteen.
    pub const DRAWN: u64 = 16;

    /// Share `index` of `count`.
    ///
    /// # Errors
    /// Unless `index < count <= 1000`.
    pub const fn new(index: u64, count: u64) -> Result<Self, ShareError> {
        if index < count && count <= Self::MAX_COUNT {
            Ok(Self { index, count })
        } else {
            Err(ShareError)
        }
    }

    /// The first of the [`Share::DRAWN`] shares, counted from `first` on, that has no millisecond in common with any of `taken`.
    pub fn draw(first: u64, taken: &[Self]) -> Option<Self> {
        let shares = (0..Self::DRAWN).map(|n| Self {
            index: (first % Self::DRAWN + n) % Self::DRAWN,
            count: Self::DRAWN,
        });
        let mut free = shares.filter(|share| !taken.iter().any(|other| other.meets(*share)));
        free.next()
    }

    /// Whether the two have a millisecond in common.
    pub const fn meets(self, other: Self) -> bool {
        // i + a·n = j + b·m has a solution if and only if i and j leave the same rest by the divisor of n and m.
        let (mut divisor, mut rest) = (self.count, other.count);
        while rest > 0 {
            (divisor, rest) = (rest, divisor % rest);
        }
        self.index % divisor == other.index % divisor
    }

    /// The first millisecond of this share at or after `millis`.
    const fn at_or_after(self, millis: u64) -> u64 {
        let ahead = (self.index + self.count - millis % self.count) % self.count;
        millis.saturating_add(ahead)
    }
}

impl Default for Share {
    fn default() -> Self {
        Self::ALL
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

/// Reads `i/n`.
impl FromStr for Share {
    type Err = ShareError;

    fn from_str(text: &str) -> Result<Self, ShareError> {
        let (index, count) = text.split_once('/').ok_or(ShareError)?;
        let number = |part: &str| part.parse().map_err(|_| ShareError);
        Self::new(number(index)?, number(count)?)
    }
}

/// The answer of the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// This millisecond is now used: it is the deduplication id of one event.
    Taken(Timestamp),
    /// None is free yet; ask again then. Nothing was used.
    WaitUntil(Timestamp),
}

/// Hands out milliseconds: strictly increasing per group, of one share, never ahead of the wall clock.
#[derive(Debug)]
pub struct DedupClock {
    scope: Scope,
    share: Share,
    /// The earliest millisecond each group may use next.
    free_from: HashMap<String, u64>,
    /// No millisecond below this is free in any group that is not in `free_from`.
    forgotten: u64,
    max_groups: usize,
}

impl DedupClock {
    /// A clock that has used nothing yet.
    pub fn new(scope: Scope, share: Share) -> Self {
        Self {
            scope,
            share,
            free_from: HashMap::new(),
            forgotten: 0,
            max_groups: MAX_GROUPS,
        }
    }

    /// Takes the next free millisecond of `group`, if it has come by `now`, the wall clock.
    ///
    /// A wall clock that steps back makes every group wait until it has caught up.
    pub fn take(&mut self, group: &str, now: Timestamp) -> Slot {
        let now = now.as_millis();
        let key = match self.scope {
            Scope::MessageGroup => group,
            Scope::Queue => "",
        };
        let Some(free_from) = self.free_from.get_mut(key) else {
            return self.admit(key, now);
        };
        let earliest = (*free_from).max(now.saturating_sub(CATCH_UP_MS));
        let millis = self.share.at_or_after(earliest);
        if millis > now {
            return Slot::WaitUntil(Timestamp::from_millis(millis));
        }
        *free_from = millis + 1;
        Slot::Taken(Timestamp::from_millis(millis))
    }

    fn admit(&mut self, key: &str, now: u64) -> Slot {
        if self.free_from.len() >= self.max_groups {
            self.forget_past(now);
        }
        if self.free_from.len() >= self.max_groups {
            return Slot::WaitUntil(Timestamp::from_millis(now + 1));
        }
        let free_from = (now + FIRST_USE_WAIT_MS).max(self.forgotten);
        self.free_from.insert(key.to_owned(), free_from);
        Slot::WaitUntil(Timestamp::from_millis(self.share.at_or_after(free_from)))
    }

    /// Forgets groups whose next millisecond has come: a first use waits beyond it anyway.
    fn forget_past(&mut self, now: u64) {
        let forgotten = &mut self.forgotten;
        self.free_from.retain(|_, free_from| {
            let keep = *free_from > now;
            if !keep {
                *forgotten = (*forgotten).max(*free_from);
            }
            keep
        });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const START: u64 = 1_739_370_645_000;

    fn clock() -> DedupClock {
        DedupClock::new(Scope::MessageGroup, Share::ALL)
    }

    fn take(clock: &mut DedupClock, group: &str, now: u64) -> Slot {
        clock.take(group, Timestamp::from_millis(now))
    }

    fn taken(millis: u64) -> Slot {
        Slot::Taken(Timestamp::from_millis(millis))
    }

    fn wait_until(millis: u64) -> Slot {
        Slot::WaitUntil(Timestamp::from_millis(millis))
    }

    #[test]
    fn the_first_use_of_a_group_waits_a_few_milliseconds() {
        let mut clock = clock();
        assert_eq!(take(&mut clock, "a", START), wait_until(START + 5));
        assert_eq!(take(&mut clock, "a", START + 4), wait_until(START + 5));
        assert_eq!(take(&mut clock, "a", START + 5), taken(START + 5));
        assert_eq!(take(&mut clock, "b", START + 5), wait_until(START + 10));
    }

    #[test]
    fn a_used_millisecond_is_never_used_again() {
        let mut clock = clock();
        take(&mut clock, "a", START);
        assert_eq!(take(&mut clock, "a", START + 5), taken(START + 5));
        assert_eq!(take(&mut clock, "a", START + 5), wait_until(START + 6));
    }

    #[test]
    fn a_late_timer_costs_no_millisecond_and_an_idle_group_does_not_go_back() {
        let mut clock = clock();
        take(&mut clock, "a", START);
        take(&mut clock, "a", START + 5);
        assert_eq!(take(&mut clock, "a", START + 8), taken(START + 6));
        assert_eq!(take(&mut clock, "a", START + 8), taken(START + 7));
        assert_eq!(take(&mut clock, "a", START + 9_000), taken(START + 8_990));
    }

    #[test]
    fn a_wall_clock_that_steps_back_is_waited_for() {
        let mut clock = clock();
        take(&mut clock, "a", START);
        take(&mut clock, "a", START + 5);
        assert_eq!(take(&mut clock, "a", START - 60_000), wait_until(START + 6));
    }

    #[test]
    fn groups_share_one_clock_when_the_queue_is_the_scope() {
        let mut clock = DedupClock::new(Scope::Queue, Share::ALL);
        take(&mut clock, "a", START);
        assert_eq!(take(&mut clock, "b", START + 5), taken(START + 5));
        assert_eq!(take(&mut clock, "a", START + 5), wait_until(START + 6));
    }

    #[test]
    fn a_group_sends_a_thousand_events_a_second() {
        let mut clock = clock();
        take(&mut clock, "a", START);
        let used =
            (START + 5..START + 1005).filter(|&now| take(&mut clock, "a", now) == taken(now));
        assert_eq!(used.count(), 1000);
    }

    #[test]
    fn memory_is_bounded_and_a_forgotten_group_does_not_repeat() {
        let mut clock = clock();
        clock.max_groups = 3;
        for group in ["a", "b", "c"] {
            take(&mut clock, group, START);
            assert_eq!(take(&mut clock, group, START + 5), taken(START + 5));
        }
        assert_eq!(
            take(&mut clock, "d", START + 5),
            wait_until(START + 6),
            "all are in use"
        );
        assert_eq!(take(&mut clock, "d", START + 6), wait_until(START + 11));
        assert_eq!(clock.free_from.len(), 1);
        assert_eq!(
            take(&mut clock, "a", START - 50),
            wait_until(START + 6),
            "even if time steps back"
        );
    }

    #[test]
    fn shares_are_read_as_written() {
        assert_eq!("0/1".parse(), Ok(Share::ALL));
        assert_eq!("3/4".parse(), Share::new(3, 4));
        for bad in ["", "1", "4/4", "0/0", "-1/2", "1/2/3", "a/b", "0/1001"] {
            assert_eq!(bad.parse::<Share>(), Err(ShareError), "{bad:?}");
        }
        assert_eq!(
            ShareError.to_string(),
            "a lane is i/n with 0 <= i < n <= 1000, such as 0/4"
        );
    }

    #[test]
    fn a_share_is_written_as_it_is_read() {
        assert_eq!(Share::new(3, 16).unwrap().to_string(), "3/16");
    }

    #[test]
    fn sixteen_processes_get_a_share_each_and_the_next_none() {
        let mut taken = Vec::new();
        while let Some(share) = Share::draw(u64::MAX, &taken) {
            taken.push(share);
        }
        assert_eq!(taken.len() as u64, Share::DRAWN);
        assert_eq!(taken[0].to_string(), "15/16");
        assert_eq!(Share::draw(3, &[Share::ALL]), None);
        let beside_a_half = Share::draw(3, &["1/2".parse().unwrap()]).unwrap();
        assert_eq!(beside_a_half.to_string(), "4/16");
    }

    proptest! {
        #[test]
        fn shares_meet_if_they_have_a_millisecond_in_common(
            a in (0..12u64, 1..12u64), b in (0..12u64, 1..12u64),
        ) {
            let (Ok(one), Ok(other)) = (Share::new(a.0, a.1), Share::new(b.0, b.1)) else {
                return Ok(());
            };
            let of = |share: Share, millis: &u64| share.at_or_after(*millis) == *millis;
            let common = (0..a.1 * b.1).any(|millis| of(one, &millis) && of(other, &millis));
            prop_assert_eq!(one.meets(other), common);
        }

        #[test]
        fn ids_increase_keep_their_share_and_never_run_ahead(
            index in 0..7u64,
            more in 1..5u64,
            queue_scope: bool,
            max_groups in 1..4usize,
            steps in prop::collection::vec((0..5usize, -30..60i64), 1..300),
        ) {
            let share = Share::new(index, index + more).unwrap();
            let scope = if queue_scope { Scope::Queue } else { Scope::MessageGroup };
            let mut clock = DedupClock::new(scope, share);
            clock.max_groups = max_groups;
            let mut now = START;
            let mut last = [0; 5];
            for (group, step) in steps {
                now = now.saturating_add_signed(step);
                let key = if queue_scope { 0 } else { group };
                match take(&mut clock, &format!("group {group}"), now) {
                    Slot::Taken(id) => {
                        let id = id.as_millis();
                        prop_assert!(id <= now, "ahead of the wall clock");
                        prop_assert!(id > last[key], "not later than the last");
                        prop_assert_eq!(id % (index + more), index);
                        last[key] = id;
                    }
                    Slot::WaitUntil(then) => prop_assert!(then.as_millis() > now, "a wait is never over already"),
                }
            }
        }

        #[test]
        fn a_group_that_waits_as_told_gets_its_millisecond(index in 0..7u64, more in 1..5u64, now in START..START + 100) {
            let mut clock = DedupClock::new(Scope::MessageGroup, Share::new(index, index + more).unwrap());
            let Slot::WaitUntil(then) = take(&mut clock, "a", now) else {
                panic!("no wait before the first use");
            };
            prop_assert_eq!(clock.take("a", then), Slot::Taken(then));
        }

        #[test]
        fn a_later_run_never_repeats_an_earlier_one(uses in 1..50u64, gap in 0..3u64) {
            let mut earlier = clock();
            let mut now = START;
            let mut last = 0;
            take(&mut earlier, "a", now);
            for _ in 0..uses {
                now += 7;
                if let Slot::Taken(id) = take(&mut earlier, "a", now) {
                    last = id.as_millis();
                }
            }
            let mut later = clock();
            now += gap;
            let Slot::WaitUntil(then) = take(&mut later, "a", now) else {
                panic!("no wait before the first use");
            };
            let Slot::Taken(first) = later.take("a", then) else { panic!("not free") };
            prop_assert!(first.as_millis() > last);
        }
    }
}
