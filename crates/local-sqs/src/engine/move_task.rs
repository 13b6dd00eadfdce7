//! Message move tasks: AWS's own redrive from a dead-letter queue back to where messages came from.

use super::UnixMs;

/// Tasks shown per source queue; older ones are forgotten.
pub(super) const TASKS_KEPT: usize = 10;

/// One `StartMessageMoveTask`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MoveTask {
    /// `TaskHandle`.
    pub handle: String,
    /// The dead-letter queue it empties.
    pub source_arn: String,
    /// Where to; `None` is each message's own source queue.
    pub destination_arn: Option<String>,
    /// Most messages per second; `None` moves all at once.
    pub per_second: Option<u32>,
    /// When it was started.
    pub started_at: UnixMs,
    /// Messages in the source queue when it was started.
    pub to_move: u64,
    /// Messages moved so far.
    pub moved: u64,
    /// Where it stands.
    pub status: Status,
}

/// State of a move task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Status {
    Running,
    Completed,
    Cancelled,
    /// With `FailureReason`.
    Failed(&'static str),
}

impl Status {
    /// The name in `ListMessageMoveTasks`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Completed => "COMPLETED",
            Self::Cancelled => "CANCELLED",
            Self::Failed(_) => "FAILED",
        }
    }
}

impl MoveTask {
    /// How many messages it may move at this moment.
    pub(super) fn allowance(&self, now: UnixMs) -> u64 {
        match self.per_second {
            None => u64::MAX,
            Some(rate) => (now.saturating_sub(self.started_at) * u64::from(rate) / 1000 + 1)
                .saturating_sub(self.moved),
        }
    }

    /// When it may move the next message, having used its allowance up.
    pub(super) fn next_due(&self) -> Option<UnixMs> {
        let rate = u64::from(self.per_second?);
        (self.status == Status::Running)
            .then(|| self.started_at + (self.moved * 1000).div_ceil(rate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_spreads_the_moves_over_time() {
        let mut task = MoveTask {
            handle: String::new(),
            source_arn: String::new(),
            destination_arn: None,
            per_second: Some(3),
            started_at: 1000,
            to_move: 9,
            moved: 0,
            status: Status::Running,
        };
        let mut times = Vec::new();
        while task.moved < 7 {
            let now = task.next_due().unwrap();
            assert_eq!(task.allowance(now), 1);
            task.moved += 1;
            assert_eq!(task.allowance(now), 0);
            times.push(now);
        }
        assert_eq!(times, [1000, 1334, 1667, 2000, 2334, 2667, 3000]);
    }
}
