//! Workers that are told to stop.

use std::time::Duration;

use super::{Violation, shown};
use crate::history::{End, History};

/// A poll in flight returns within half a lease (6 s), the attempt in hand within its timeout (2 s), settling takes
/// at most 2 s; and the machine is busy.
const IN_TIME: Duration = Duration::from_secs(14);

/// SIGTERM ends a worker with exit code 0, in time.
pub(super) fn clean(history: &History) -> Vec<Violation> {
    let lives = history.lives.iter().enumerate();
    lives
        .filter_map(|(life, lived)| match lived.end {
            End::Stopped { told, ended, code } if code != Some(0) || ended > told + IN_TIME => {
                Some(Violation::general(format!(
                    "worker {life}, told to stop at {}, ended at {} with exit code {code:?}",
                    shown(told),
                    shown(ended)
                )))
            }
            _ => None,
        })
        .collect()
}
