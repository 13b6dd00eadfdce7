//! Message move tasks: AWS's own redrive from a dead-letter queue back to where messages came from.

use super::error::{ErrorKind, SqsError};
use super::redrive::sends_dead_letters_to;
use super::{Engine, UnixMs, name_of};

/// Tasks shown per source queue; older ones are forgotten.
const TASKS_KEPT: usize = 10;

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

impl Engine {
    /// Starts moving messages out of a dead-letter queue. Messages that were sent there directly have no source: without a
    /// destination the task fails at them with `CouldNotDetermineMessageSource`.
    pub fn start_move_task(
        &mut self,
        source_arn: &str,
        destination_arn: Option<&str>,
        per_second: Option<i64>,
        now: UnixMs,
    ) -> Result<String, SqsError> {
        let source = self.queue_of_arn(source_arn, "SourceArn")?;
        let fifo = source.attributes.fifo;
        if !self
            .queues
            .values()
            .any(|queue| sends_dead_letters_to(queue, source_arn))
        {
            let message = "Source queue must be configured as a Dead Letter Queue.";
            return Err(SqsError::new(ErrorKind::InvalidParameterValue, message));
        }
        if let Some(arn) = destination_arn {
            let destination = self.queue_of_arn(arn, "DestinationArn")?;
            if arn == source_arn || destination.attributes.fifo != fifo {
                let reason = "Must be another queue of the same type as the source queue.";
                return Err(SqsError::invalid_value(arn, "DestinationArn", reason));
            }
        }
        let per_second = per_second
            .map(|rate| {
                let rate = u32::try_from(rate).ok().filter(|rate| (1..=500).contains(rate));
                rate.ok_or_else(|| {
                    let message = "Value for parameter MaxNumberOfMessagesPerSecond is invalid: must be from 1 to 500.";
                    SqsError::new(ErrorKind::InvalidParameterValue, message)
                })
            })
            .transpose()?;
        self.advance_tasks(now);
        if self
            .tasks
            .iter()
            .any(|task| task.source_arn == source_arn && task.status == Status::Running)
        {
            let message = "There is already a task running. Only one active task is allowed for a source queue arn at a given time.";
            return Err(SqsError::new(ErrorKind::InvalidParameterValue, message));
        }
        let to_move = self.counts(name_of(source_arn), now)?.visible as u64;
        let handle = self.next_id().to_string();
        self.forget_old_tasks(source_arn);
        self.tasks.push(MoveTask {
            handle: handle.clone(),
            source_arn: source_arn.to_owned(),
            destination_arn: destination_arn.map(str::to_owned),
            per_second,
            started_at: now,
            to_move,
            moved: 0,
            status: Status::Running,
        });
        self.advance_tasks(now);
        // Receivers of any queue may be waiting for what it moves, and must know when it moves next.
        self.stirred.extend(self.queues.values().map(|q| q.number));
        Ok(handle)
    }

    /// Stops a running task and returns how many messages it moved.
    pub fn cancel_move_task(&mut self, handle: &str, now: UnixMs) -> Result<u64, SqsError> {
        self.advance_tasks(now);
        let task = self
            .tasks
            .iter_mut()
            .find(|task| task.handle == handle && task.status == Status::Running);
        let task =
            task.ok_or_else(|| SqsError::new(ErrorKind::ResourceNotFound, "Task does not exist."))?;
        task.status = Status::Cancelled;
        Ok(task.moved)
    }

    /// The newest tasks of a source queue, newest first.
    pub fn move_tasks(
        &mut self,
        source_arn: &str,
        max: usize,
        now: UnixMs,
    ) -> Result<Vec<MoveTask>, SqsError> {
        self.queue_of_arn(source_arn, "SourceArn")?;
        self.advance_tasks(now);
        Ok(self
            .tasks
            .iter()
            .rev()
            .filter(|task| task.source_arn == source_arn)
            .take(max)
            .cloned()
            .collect())
    }

    /// Lets every running task move what its rate allows by now.
    pub(super) fn advance_tasks(&mut self, now: UnixMs) {
        for at in 0..self.tasks.len() {
            while self.tasks[at].status == Status::Running && self.tasks[at].allowance(now) > 0 {
                let (source, destination) = (
                    name_of(&self.tasks[at].source_arn).to_owned(),
                    self.tasks[at].destination_arn.clone(),
                );
                match self.move_one(&source, destination.as_deref(), now) {
                    Ok(true) => self.tasks[at].moved += 1,
                    Ok(false) => self.tasks[at].status = Status::Completed,
                    Err(reason) => self.tasks[at].status = Status::Failed(reason),
                }
            }
        }
    }

    /// Moves the next message that could be received; `false` when there is none. It is a new message where it arrives:
    /// new id, new age, no receives (D).
    fn move_one(
        &mut self,
        source: &str,
        destination: Option<&str>,
        now: UnixMs,
    ) -> Result<bool, &'static str> {
        const GONE: &str = "AWS.SimpleQueueService.NonExistentQueue";
        let next = self
            .on_queue(source, now, |queue, _| Ok(queue.peek_next()))
            .map_err(|_| GONE)?;
        let Some((seq, origin)) = next else {
            return Ok(false);
        };
        let target = destination
            .or(origin.as_deref())
            .ok_or("CouldNotDetermineMessageSource")?;
        let target = self.queues.get(name_of(target)).ok_or(GONE)?.name.clone();
        let taken = self
            .on_queue(source, now, |queue, _| Ok(queue.take(seq)))
            .map_err(|_| GONE)?;
        let moved = self.on_queue(&target, now, |queue, numbers| {
            if let Some(mut message) = taken {
                message.id = numbers.ids.next();
                message.enqueued_at = now;
                message.receive_count = 0;
                message.first_received_at = None;
                message.dead_letter_source = None;
                queue.accept(message, numbers, now);
            }
            Ok(true)
        });
        moved.map_err(|_| GONE)
    }

    fn forget_old_tasks(&mut self, source_arn: &str) {
        let kept = self
            .tasks
            .iter()
            .filter(|task| task.source_arn == source_arn)
            .count();
        if kept >= TASKS_KEPT
            && let Some(oldest) = self
                .tasks
                .iter()
                .position(|task| task.source_arn == source_arn)
        {
            self.tasks.remove(oldest);
        }
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
