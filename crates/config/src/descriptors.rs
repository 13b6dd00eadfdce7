//! File descriptors: as many as the system gives, and what for.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Besides those of its lanes a worker has connections for 32 long polls, 16 calls that delete and 64 of those who ask
/// how it is, the ledger's files, and a few of the runtime.
const RESERVE: u64 = 160;

/// A lane has a connection to its callback and one to SQS or to the ledger, in use or kept for the next one. (Callbacks on
/// many hosts take more for the seconds for which idle connections are kept; a shortage then is nobody's failure.)
const EACH: u64 = 2;

/// The most that macOS grants where it says that there is no limit (`OPEN_MAX`).
const OPEN_MAX: u64 = 10_240;

/// Raises the soft limit to the hard one. A low soft limit protects programs that call select(2), which this one does
/// not. That it cannot be raised is no failure: what there is will be counted with.
pub fn raise() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return;
    }
    for wanted in [maximum, Some(OPEN_MAX)] {
        let is_more = wanted.is_none() || current.is_some_and(|current| wanted > Some(current));
        let raised = Rlimit {
            current: wanted,
            maximum,
        };
        if is_more && setrlimit(Resource::Nofile, raised).is_ok() {
            return;
        }
    }
}

/// How many file descriptors this process may open; none if there is no limit.
pub fn limit() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

/// How many descriptors a worker with so many lanes needs.
pub fn needed_for(lanes: u32) -> u64 {
    EACH * u64::from(lanes) + RESERVE
}

/// How many lanes so many descriptors are enough for.
pub fn lanes_within(descriptors: u64) -> u32 {
    let lanes = descriptors.saturating_sub(RESERVE) / EACH;
    u32::try_from(lanes).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_what_is_needed() {
        assert_eq!(lanes_within(256), 48);
        assert_eq!(lanes_within(159), 0);
        for lanes in [1, 48, 256, 10_000] {
            assert_eq!(lanes_within(needed_for(lanes)), lanes);
            assert_eq!(lanes_within(needed_for(lanes) - 1), lanes - 1);
        }
    }

    #[test]
    fn the_soft_limit_becomes_the_hard_one() {
        raise();
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        assert!(current == maximum || current >= Some(OPEN_MAX));
    }
}
