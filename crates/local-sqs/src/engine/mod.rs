//! The rules of SQS as a state machine: no clock, no I/O, no randomness. Every call takes the time as an argument, and the
//! same calls with the same times and seed give the same answers.
//!
//! [`Engine`] keeps the queues and everything that concerns more than one of them (names, redrive, move tasks, the
//! configured limits); `queue` holds what one queue does, `groups` the order and lock of message groups.

mod attributes;
mod dedup;
mod error;
mod groups;
mod ids;
mod message;
mod move_task;
mod queue;
mod receipt;
mod redrive;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use attributes::{COMPUTED, QueueAttributes};
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

/// Most queues an engine keeps.
const MAX_QUEUES: usize = 10_000;
/// Most tags of a queue (D).
const MAX_TAGS: usize = 50;

/// What an engine may hold in memory. A send beyond it is refused with `OverLimit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Messages in all queues.
    pub messages: usize,
    /// Bytes of bodies and message attributes in all queues, plus 128 for every deduplication id remembered (five
    /// minutes each). The overhead of a message, about 500 bytes, is not counted.
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
            numbers: Numbers {
                ids: ids::Ids::new(seed),
                seq: 0,
                receive: 0,
            },
            held: (0, 0),
            tasks: Vec::new(),
            stirred: BTreeSet::new(),
        }
    }

    /// A fresh id, for requests.
    pub fn next_id(&mut self) -> Id {
        self.numbers.ids.next()
    }

    // ---- queues -----------------------------------------------------------------------------------------------------

    /// Creates a queue; one of this name with the same values for the attributes given is fine too.
    pub fn create_queue(
        &mut self,
        name: &str,
        attributes: &BTreeMap<String, String>,
        tags: &BTreeMap<String, String>,
        now: UnixMs,
    ) -> Result<(), SqsError> {
        let fifo = check_name(name, attributes.get("FifoQueue").map(String::as_str))?;
        let settable = attributes.iter().filter(|(name, _)| *name != "FifoQueue");
        let wanted = QueueAttributes::new(fifo).with(settable.clone())?;
        if let Some(queue) = self.queues.get(name) {
            return match queue.attributes.with(settable) {
                Ok(same) if same == queue.attributes => Ok(()),
                _ => Err(name_taken(&queue.attributes, &wanted, attributes)),
            };
        }
        let arn: Arc<str> = arn_of(name).into();
        self.check_redrive(&arn, &wanted)?;
        check_tags(tags.len())?;
        if self.queues.len() == MAX_QUEUES {
            let message = format!("local-sqs keeps at most {MAX_QUEUES} queues.");
            return Err(SqsError::new(ErrorKind::OverLimit, message));
        }
        self.queues_made += 1;
        let mut queue = Queue::new(self.queues_made, name, arn, wanted, now);
        queue.tags.clone_from(tags);
        self.queues.insert(name.to_owned(), queue);
        Ok(())
    }

    /// Deletes a queue and its messages.
    pub fn delete_queue(&mut self, name: &str) -> Result<(), SqsError> {
        let queue = self
            .queues
            .remove(name)
            .ok_or_else(SqsError::no_such_queue)?;
        self.held.0 -= queue.held().0;
        self.held.1 -= queue.held().1;
        self.tasks.retain(|task| *task.source_arn != *queue.arn);
        self.stirred.insert(queue.number);
        Ok(())
    }

    /// Whether there is a queue of this name.
    pub fn check_queue(&self, name: &str) -> Result<(), SqsError> {
        self.queue(name).map(|_| ())
    }

    /// Up to `max` names that start with `prefix` and come after `after`, in order.
    pub fn queue_names(&self, prefix: &str, after: Option<&str>, max: usize) -> Vec<String> {
        let names = self.queues.keys().filter(|name| name.starts_with(prefix));
        names
            .filter(|name| after.is_none_or(|after| name.as_str() > after))
            .take(max)
            .cloned()
            .collect()
    }

    /// Up to `max` names, after `after`, of queues whose dead-letter queue this is.
    pub fn dead_letter_sources(
        &self,
        name: &str,
        after: Option<&str>,
        max: usize,
    ) -> Result<Vec<String>, SqsError> {
        let arn = &self.queue(name)?.arn;
        let sources = self
            .queues
            .values()
            .filter(|q| sends_dead_letters_to(q, arn))
            .map(|q| &q.name);
        Ok(sources
            .filter(|name| after.is_none_or(|after| name.as_str() > after))
            .take(max)
            .cloned()
            .collect())
    }

    /// Attributes with the names asked for (`All` for all of them).
    pub fn queue_attributes(
        &mut self,
        name: &str,
        names: &[String],
        now: UnixMs,
    ) -> Result<BTreeMap<&'static str, String>, SqsError> {
        if let Some(unknown) = names.iter().find(|name| !attributes::is_known(name)) {
            return Err(SqsError::unknown_attribute(unknown));
        }
        self.on_queue(name, now, |queue, _| {
            let counts = queue.counts();
            let computed = [
                queue.arn.to_string(),
                (queue.created_at / 1000).to_string(),
                (queue.modified_at / 1000).to_string(),
                counts.visible.to_string(),
                counts.in_flight.to_string(),
                counts.delayed.to_string(),
            ];
            let all = COMPUTED
                .into_iter()
                .zip(computed)
                .chain(queue.attributes.describe());
            Ok(all
                .filter(|(name, _)| names.iter().any(|n| n == "All" || n == name))
                .collect())
        })
    }

    /// Changes attributes, all or none; the empty text is an attribute's default.
    pub fn set_queue_attributes(
        &mut self,
        name: &str,
        values: &BTreeMap<String, String>,
        now: UnixMs,
    ) -> Result<(), SqsError> {
        let queue = self.queue(name)?;
        let changed = queue.attributes.with(values)?;
        self.check_redrive(&queue.arn, &changed)?;
        self.on_queue(name, now, |queue, _| {
            queue.set_attributes(changed, now);
            Ok(())
        })
    }

    /// Drops all messages of a queue; at most once a minute.
    pub fn purge_queue(&mut self, name: &str, now: UnixMs) -> Result<(), SqsError> {
        self.on_queue(name, now, |queue, _| queue.purge(now))
    }

    /// Adds or replaces tags.
    pub fn tag_queue(
        &mut self,
        name: &str,
        tags: BTreeMap<String, String>,
    ) -> Result<(), SqsError> {
        let queue = self
            .queues
            .get_mut(name)
            .ok_or_else(SqsError::no_such_queue)?;
        let added = tags
            .keys()
            .filter(|key| !queue.tags.contains_key(*key))
            .count();
        check_tags(queue.tags.len() + added)?;
        queue.tags.extend(tags);
        Ok(())
    }

    /// Removes tags; absent ones do not matter.
    pub fn untag_queue(&mut self, name: &str, keys: &[String]) -> Result<(), SqsError> {
        let queue = self
            .queues
            .get_mut(name)
            .ok_or_else(SqsError::no_such_queue)?;
        queue.tags.retain(|key, _| !keys.contains(key));
        Ok(())
    }

    /// The tags of a queue.
    pub fn queue_tags(&self, name: &str) -> Result<&BTreeMap<String, String>, SqsError> {
        Ok(&self.queue(name)?.tags)
    }

    // ---- messages ---------------------------------------------------------------------------------------------------

    /// Sends one message.
    pub fn send(&mut self, name: &str, outgoing: Outgoing, now: UnixMs) -> Result<Sent, SqsError> {
        self.queue(name)?;
        self.make_room(outgoing.size(), now)?;
        self.on_queue(name, now, |queue, numbers| {
            queue.send(outgoing, numbers, now)
        })
    }

    /// Sends the messages of one batch. An entry without group or deduplication id fails all of them before any is sent
    /// (recorded from AWS); other faults fail their entry only.
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

    // ---- waiting receivers ------------------------------------------------------------------------------------------

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

    // ---- move tasks -------------------------------------------------------------------------------------------------

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
        if let Some(arn) = destination_arn
            && self.queue_of_arn(arn, "DestinationArn")?.attributes.fifo != fifo
        {
            return Err(SqsError::invalid_value(
                arn,
                "DestinationArn",
                "Must be of the same type as the source queue.",
            ));
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
    fn advance_tasks(&mut self, now: UnixMs) {
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
        if kept >= move_task::TASKS_KEPT
            && let Some(oldest) = self
                .tasks
                .iter()
                .position(|task| task.source_arn == source_arn)
        {
            self.tasks.remove(oldest);
        }
    }

    // ---- redrive ----------------------------------------------------------------------------------------------------

    /// Name of the dead-letter queue and the number of receives, while that queue exists.
    fn redrive_target(&self, queue: &Queue) -> Option<(String, u32)> {
        let policy = queue.attributes.redrive.as_ref()?;
        let target = self.queues.get(name_of(&policy.target_arn))?;
        Some((target.name.clone(), policy.max_receive_count))
    }

    /// Puts messages into a dead-letter queue: id and receive count stay; on a FIFO queue the deduplication id becomes
    /// the message id and the age starts anew (D, V).
    fn bury(
        &mut self,
        target: &str,
        source_arn: &Arc<str>,
        dead: Vec<Message>,
        now: UnixMs,
    ) -> Result<(), SqsError> {
        self.on_queue(target, now, |queue, numbers| {
            for mut message in dead {
                if queue.attributes.fifo {
                    message.deduplication_id = Some(message.id.to_string().into());
                    message.enqueued_at = now;
                }
                message.dead_letter_source = Some(source_arn.clone());
                queue.accept(message, numbers, now);
            }
            Ok(())
        })
    }

    /// Checks that the dead-letter queue exists, is of the same kind, is another queue and takes messages from this one.
    fn check_redrive(
        &self,
        source_arn: &str,
        attributes: &QueueAttributes,
    ) -> Result<(), SqsError> {
        let Some(policy) = &attributes.redrive else {
            return Ok(());
        };
        let refuse = |reason| {
            Err(SqsError::invalid_value(
                &policy.text,
                "RedrivePolicy",
                reason,
            ))
        };
        let Some(target) = self
            .queues
            .get(name_of(&policy.target_arn))
            .filter(|q| *q.arn == *policy.target_arn)
        else {
            return refuse("Dead letter target does not exist.");
        };
        if *target.arn == *source_arn {
            return refuse("A queue cannot be its own dead-letter queue.");
        }
        if target.attributes.fifo != attributes.fifo {
            return refuse("Dead-letter queue must be same type of queue as the source.");
        }
        match &target.attributes.redrive_allow {
            Some(allow) if !allow.allows(source_arn) => {
                refuse("Dead-letter queue does not allow this source queue.")
            }
            _ => Ok(()),
        }
    }

    // ---- the ways in ------------------------------------------------------------------------------------------------

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

fn arn_of(name: &str) -> String {
    format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{name}")
}

fn name_of(arn: &str) -> &str {
    arn.rsplit(':').next().unwrap_or(arn)
}

fn sends_dead_letters_to(queue: &Queue, arn: &str) -> bool {
    queue
        .attributes
        .redrive
        .as_ref()
        .is_some_and(|policy| policy.target_arn == arn)
}

fn in_range(value: Option<i64>, default: i64, range: std::ops::RangeInclusive<i64>) -> Option<i64> {
    Some(value.unwrap_or(default)).filter(|value| range.contains(value))
}

fn check_tags(count: usize) -> Result<(), SqsError> {
    if count > MAX_TAGS {
        let message = format!("Too many tags added for queue: at most {MAX_TAGS}.");
        return Err(SqsError::new(ErrorKind::InvalidParameterValue, message));
    }
    Ok(())
}

/// Whether the name is one of a FIFO queue: 1 to 80 letters, digits, `-` and `_`, the suffix `.fifo` included.
fn check_name(name: &str, fifo_queue: Option<&str>) -> Result<bool, SqsError> {
    let refuse = |message: &str| Err(SqsError::new(ErrorKind::InvalidParameterValue, message));
    let fifo = match fifo_queue {
        None => false,
        Some("true") => true,
        Some(_) => return Err(SqsError::unknown_attribute("FifoQueue")),
    };
    if name.is_empty() {
        return Err(SqsError::missing("QueueName"));
    }
    let stem = if fifo {
        name.strip_suffix(".fifo").unwrap_or_default()
    } else {
        name
    };
    let characters = stem
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    match (fifo, !stem.is_empty() && name.len() <= 80 && characters) {
        (_, true) => Ok(fifo),
        (true, false) => refuse(
            "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo \
             suffix and be 1 to 80 in length.",
        ),
        (false, false) => refuse(
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
        ),
    }
}

fn name_taken(
    found: &QueueAttributes,
    wanted: &QueueAttributes,
    given: &BTreeMap<String, String>,
) -> SqsError {
    let found: BTreeMap<_, _> = found.describe().into_iter().collect();
    let wanted: BTreeMap<_, _> = wanted.describe().into_iter().collect();
    let differs = |name: &&String| found.get(name.as_str()) != wanted.get(name.as_str());
    let name = given.keys().find(differs).map_or("", String::as_str);
    let message = format!(
        "A queue already exists with the same name and a different value for attribute {name}"
    );
    SqsError::new(ErrorKind::QueueNameExists, message)
}
