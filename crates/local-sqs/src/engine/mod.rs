//! The rules of SQS as a state machine: no clock, no I/O, no randomness. Every call takes the time as an argument, and the
//! same calls with the same times and seed give the same answers.
//!
//! [`Engine`] keeps the queues and everything that concerns more than one of them (names, redrive, move tasks, the
//! configured limits); `queue` holds what one queue does, `groups` the order and lock of message groups.
//!
//! Where a rule names its source: D is the AWS documentation, M the API model of the SDK, V recorded from AWS. Left out on
//! purpose: permissions, encryption (its attributes are kept and shown), `QueueDeletedRecently`, throttling.

mod attributes;
mod dedup;
mod error;
mod groups;
mod ids;
mod message;
mod move_task;
mod queue;
mod queues;
mod receipt;
mod redrive;
mod redrive_policy;
#[cfg(test)]
mod tests;
mod validate;

use std::collections::{BTreeMap, BTreeSet};

use queue::{Ask, Numbers, Queue};

pub use dedup::DEDUPLICATION_INTERVAL_MS;
pub use error::{ErrorKind, SqsError, Wire};
pub use ids::Id;
pub use message::{
    Attribute, AttributeValue, Attributes, Content, Message, Outgoing, md5_of_attributes,
};
pub use move_task::{MoveTask, Status};
pub use queue::{
    ATTEMPT_INTERVAL_MS, Counts, Delivery, IN_FLIGHT_LIMIT, MAX_VISIBILITY_S, PURGE_INTERVAL_MS,
    Sent,
};

/// Milliseconds since the Unix epoch.
pub type UnixMs = u64;

/// Place of a message in the order of arrival, over all queues of an engine.
pub type Seq = u64;

/// The account every queue belongs to.
pub const ACCOUNT: &str = "000000000000";
/// The region every queue is in.
pub const REGION: &str = "us-east-1";

/// What an engine may hold in memory. A send beyond it is refused with `OverLimit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Messages in all queues.
    pub messages: usize,
    /// Bytes of bodies and message attributes in all queues, plus 128 for every deduplication id remembered (five
    /// minutes each). The overhead of a message, about 1 KB of memory, is not counted.
    pub bytes: usize,
}

impl Default for Limits {
    /// One million messages, 2 GiB.
    fn default() -> Self {
        Self {
            messages: 1_000_000,
            bytes: 2 << 30,
        }
    }
}

/// What a receive asks for, as it came.
#[derive(Debug, Clone, Default)]
pub struct Receive {
    /// `MaxNumberOfMessages`, 1 to 10; 1 if absent.
    pub max: Option<i64>,
    /// `VisibilityTimeout`; the queue's own if absent.
    pub visibility_s: Option<i64>,
    /// `ReceiveRequestAttemptId`.
    pub attempt_id: Option<String>,
}

/// All queues of one pretended account.
#[derive(Debug)]
pub struct Engine {
    limits: Limits,
    queues: BTreeMap<String, Queue>,
    queues_made: u64,
    numbers: Numbers,
    /// Sums of [`Queue::held`].
    held: (usize, usize),
    /// In order of their start.
    tasks: Vec<MoveTask>,
    /// Queues whose waiting receivers should look again.
    stirred: BTreeSet<u64>,
}

impl Engine {
    /// An engine without queues. All ids it gives out follow from `seed`.
    pub fn new(limits: Limits, seed: u64) -> Self {
        Self {
            limits,
            queues: BTreeMap::new(),
            queues_made: 0,
            numbers: Numbers::new(seed),
            held: (0, 0),
            tasks: Vec::new(),
            stirred: BTreeSet::new(),
        }
    }

    /// A fresh id, for requests.
    pub fn next_id(&mut self) -> Id {
        self.numbers.ids.next()
    }

    /// Sends one message.
    pub fn send(&mut self, name: &str, outgoing: Outgoing, now: UnixMs) -> Result<Sent, SqsError> {
        self.queue(name)?;
        self.make_room(outgoing.size(), now)?;
        self.on_queue(name, now, |queue, numbers| {
            queue.send(outgoing, numbers, now)
        })
    }

    /// Sends the messages of one batch. An entry without group or deduplication id fails all of them before any is sent
    /// (V); other faults fail their entry only.
    pub fn send_batch(
        &mut self,
        name: &str,
        batch: Vec<Outgoing>,
        now: UnixMs,
    ) -> Result<Vec<Result<Sent, SqsError>>, SqsError> {
        let queue = self.queue(name)?;
        for outgoing in &batch {
            queue
                .check_ids(outgoing)
                .map_err(|e| SqsError::new(ErrorKind::InvalidParameterValue, e.message))?;
        }
        Ok(batch
            .into_iter()
            .map(|outgoing| self.send(name, outgoing, now))
            .collect())
    }

    /// Receives what can be received now. Messages received too often already move to the dead-letter queue instead.
    pub fn receive(
        &mut self,
        name: &str,
        receive: &Receive,
        now: UnixMs,
    ) -> Result<Vec<Delivery>, SqsError> {
        let queue = self.queue(name)?;
        let max = in_range(receive.max, 1, 1..=10).ok_or_else(|| {
            let value = receive.max.unwrap_or_default();
            SqsError::invalid_value(
                value,
                "MaxNumberOfMessages",
                "Must be between 1 and 10, if provided.",
            )
        })?;
        let visibility_s = match receive.visibility_s {
            Some(seconds) => queue::check_visibility(seconds)? as u32,
            None => queue.attributes.visibility_timeout_s,
        };
        let target = self.redrive_target(queue);
        let ask = Ask {
            max: max as usize,
            visibility_s,
            attempt_id: receive.attempt_id.as_deref(),
            max_receive_count: target.as_ref().map(|(_, count)| *count),
        };
        let arn = queue.arn.clone();
        let (deliveries, dead) = self.on_queue(name, now, |queue, numbers| {
            Ok(queue.receive(&ask, numbers, now))
        })?;
        if let Some((target, _)) = target
            && !dead.is_empty()
        {
            self.bury(&target, &arn, dead, now)?;
        }
        Ok(deliveries)
    }

    /// The wait of a long poll in seconds: the request's, else the queue's.
    pub fn receive_wait_s(&self, name: &str, wait_s: Option<i64>) -> Result<u64, SqsError> {
        let default = i64::from(self.queue(name)?.attributes.receive_wait_s);
        in_range(wait_s, default, 0..=20)
            .map(|wait_s| wait_s as u64)
            .ok_or_else(|| {
                let value = wait_s.unwrap_or_default();
                SqsError::invalid_value(
                    value,
                    "WaitTimeSeconds",
                    "Must be >= 0 and <= 20, if provided.",
                )
            })
    }

    /// Deletes the message of a receipt handle.
    pub fn delete(&mut self, name: &str, handle: &str, now: UnixMs) -> Result<(), SqsError> {
        self.on_queue(name, now, |queue, _| queue.delete(handle))
    }

    /// Changes how long the message of a receipt handle stays invisible, counted from now.
    pub fn change_visibility(
        &mut self,
        name: &str,
        handle: &str,
        visibility_s: i64,
        now: UnixMs,
    ) -> Result<(), SqsError> {
        self.on_queue(name, now, |queue, _| {
            queue.change_visibility(handle, visibility_s, now)
        })
    }

    /// The counts of a queue.
    pub fn counts(&mut self, name: &str, now: UnixMs) -> Result<Counts, SqsError> {
        self.on_queue(name, now, |queue, _| Ok(queue.counts()))
    }

    /// The number of a queue, which tells it from a later one of the same name.
    pub fn queue_number(&self, name: &str) -> Result<u64, SqsError> {
        Ok(self.queue(name)?.number)
    }

    /// The next moment at which time alone may make something receivable.
    pub fn next_due(&self, name: &str) -> Option<UnixMs> {
        let queue = self.queues.get(name).and_then(Queue::next_due);
        let tasks = self.tasks.iter().filter_map(MoveTask::next_due);
        queue.into_iter().chain(tasks).min()
    }

    /// Numbers of the queues in which something changed that a waiting receiver should look at, since the last call.
    pub fn take_stirred(&mut self) -> BTreeSet<u64> {
        std::mem::take(&mut self.stirred)
    }

    fn queue(&self, name: &str) -> Result<&Queue, SqsError> {
        self.queues.get(name).ok_or_else(SqsError::no_such_queue)
    }

    fn queue_of_arn(&self, arn: &str, parameter: &str) -> Result<&Queue, SqsError> {
        self.queues
            .get(name_of(arn))
            .filter(|queue| *queue.arn == *arn)
            .ok_or_else(|| {
                let message = format!(
                    "The resource that you specified for the {parameter} parameter doesn't exist."
                );
                SqsError::new(ErrorKind::ResourceNotFound, message)
            })
    }

    /// Every look at the messages of a queue goes through here: time passes first, the sums are kept, and receivers
    /// are stirred when there is something for them or when their next moment has come closer.
    fn on_queue<T>(
        &mut self,
        name: &str,
        now: UnixMs,
        act: impl FnOnce(&mut Queue, &mut Numbers) -> Result<T, SqsError>,
    ) -> Result<T, SqsError> {
        let queue = self
            .queues
            .get_mut(name)
            .ok_or_else(SqsError::no_such_queue)?;
        let (messages, bytes) = queue.held();
        queue.advance(now);
        let due = queue.next_due();
        let result = act(queue, &mut self.numbers);
        let closer = queue
            .next_due()
            .is_some_and(|next| due.is_none_or(|due| next < due));
        if queue.can_deliver() || closer {
            self.stirred.insert(queue.number);
        }
        let after = queue.held();
        self.held = (
            self.held.0 - messages + after.0,
            self.held.1 - bytes + after.1,
        );
        result
    }

    /// Refuses what would go beyond the limits, after letting time pass in all queues.
    fn make_room(&mut self, size: usize, now: UnixMs) -> Result<(), SqsError> {
        let fits = |held: (usize, usize)| {
            held.0 < self.limits.messages && held.1 + size + dedup::ENTRY_BYTES <= self.limits.bytes
        };
        if fits(self.held) {
            return Ok(());
        }
        for queue in self.queues.values_mut() {
            queue.advance(now);
        }
        self.held = self
            .queues
            .values()
            .map(Queue::held)
            .fold((0, 0), |sum, held| (sum.0 + held.0, sum.1 + held.1));
        if fits(self.held) {
            return Ok(());
        }
        let message = format!(
            "local-sqs is full: it holds {} messages and {} bytes, and its limits are {} and {}. Receive and delete messages, or \
             start it with higher limits.",
            self.held.0, self.held.1, self.limits.messages, self.limits.bytes
        );
        Err(SqsError::new(ErrorKind::OverLimit, message))
    }

    /// Lets time pass for what no single queue does: move tasks.
    pub fn advance(&mut self, now: UnixMs) {
        if self.tasks.iter().any(|task| task.status == Status::Running) {
            self.advance_tasks(now);
        }
    }
}

fn name_of(arn: &str) -> &str {
    arn.rsplit(':').next().unwrap_or(arn)
}

fn in_range(value: Option<i64>, default: i64, range: std::ops::RangeInclusive<i64>) -> Option<i64> {
    Some(value.unwrap_or(default)).filter(|value| range.contains(value))
}
