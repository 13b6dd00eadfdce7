//! Queues by name: create, list, describe, change, delete.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::attributes::{self, COMPUTED, QueueAttributes};
use super::error::{ErrorKind, SqsError};
use super::queue::Queue;
use super::redrive::sends_dead_letters_to;
use super::{ACCOUNT, Engine, REGION, UnixMs};

/// Most queues an engine keeps.
const MAX_QUEUES: usize = 10_000;

/// Most tags of a queue (D).
const MAX_TAGS: usize = 50;

impl Engine {
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
}

fn arn_of(name: &str) -> String {
    format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{name}")
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
