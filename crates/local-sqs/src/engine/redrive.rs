//! What redrive policies do: the way into a dead-letter queue, and which queues it may be of.

use std::sync::Arc;

use super::error::SqsError;
use super::message::Message;
use super::queue::Queue;
use super::{Engine, UnixMs, attributes::QueueAttributes, name_of};

impl Engine {
    /// Name of the dead-letter queue and the number of receives, while that queue exists.
    pub(super) fn redrive_target(&self, queue: &Queue) -> Option<(String, u32)> {
        let policy = queue.attributes.redrive.as_ref()?;
        let target = self.queues.get(name_of(&policy.target_arn))?;
        Some((target.name.clone(), policy.max_receive_count))
    }

    /// Puts messages into a dead-letter queue: id and receive count stay; on a FIFO queue the deduplication id becomes
    /// the message id and the age starts anew (D, V).
    pub(super) fn bury(
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
    pub(super) fn check_redrive(
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
}

/// Whether the redrive policy of the queue names this dead-letter queue.
pub(super) fn sends_dead_letters_to(queue: &Queue, arn: &str) -> bool {
    queue
        .attributes
        .redrive
        .as_ref()
        .is_some_and(|policy| policy.target_arn == arn)
}
