//! Redrive policies: where a queue sends messages received too often, and which queues may send them here.

use std::sync::Arc;

use serde_json::Value;

use super::error::SqsError;
use super::message::Message;
use super::queue::Queue;
use super::{Engine, UnixMs, attributes::QueueAttributes, name_of};

/// `RedrivePolicy` of a source queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RedrivePolicy {
    /// As it was set; shown again unchanged.
    pub(super) text: String,
    pub(super) target_arn: String,
    /// 1 to 1,000: the receive after this many moves the message instead.
    pub(super) max_receive_count: u32,
}

/// `RedriveAllowPolicy` of a dead-letter queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RedriveAllowPolicy {
    pub(super) text: String,
    permission: Permission,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Permission {
    AllowAll,
    DenyAll,
    ByQueue(Vec<String>),
}

impl RedrivePolicy {
    pub(super) fn parse(text: &str) -> Result<Self, SqsError> {
        let refuse = |reason| SqsError::invalid_value(text, "RedrivePolicy", reason);
        let policy =
            object(text).ok_or_else(|| refuse("Redrive policy is not a valid JSON map."))?;
        let target_arn = policy
            .get("deadLetterTargetArn")
            .and_then(Value::as_str)
            .ok_or_else(|| {
                refuse("Redrive policy does not contain mandatory attribute: deadLetterTargetArn.")
            })?;
        let count = policy.get("maxReceiveCount").ok_or_else(|| {
            refuse("Redrive policy does not contain mandatory attribute: maxReceiveCount.")
        })?;
        // SDKs send the number as a JSON number or as text.
        let max_receive_count = match count {
            Value::Number(number) => number.as_u64(),
            Value::String(digits) => digits.parse().ok(),
            _ => None,
        }
        .and_then(|count| u32::try_from(count).ok())
        .filter(|count| (1..=1000).contains(count))
        .ok_or_else(|| {
            refuse("Invalid value for maxReceiveCount: must be an integer from 1 to 1000.")
        })?;
        Ok(Self {
            text: text.to_owned(),
            target_arn: target_arn.to_owned(),
            max_receive_count,
        })
    }
}

impl RedriveAllowPolicy {
    pub(super) fn parse(text: &str) -> Result<Self, SqsError> {
        let refuse = |reason| SqsError::invalid_value(text, "RedriveAllowPolicy", reason);
        let policy =
            object(text).ok_or_else(|| refuse("Redrive allow policy is not a valid JSON map."))?;
        let sources = policy.get("sourceQueueArns").and_then(Value::as_array);
        let permission = match (
            policy.get("redrivePermission").and_then(Value::as_str),
            sources,
        ) {
            (Some("allowAll"), None) => Permission::AllowAll,
            (Some("denyAll"), None) => Permission::DenyAll,
            (Some("byQueue"), Some(arns)) if (1..=10).contains(&arns.len()) => Permission::ByQueue(
                arns.iter()
                    .filter_map(Value::as_str)
                    .map(str::to_owned)
                    .collect(),
            ),
            (Some("byQueue"), _) => return Err(refuse("byQueue needs 1 to 10 sourceQueueArns.")),
            (Some("allowAll" | "denyAll"), _) => {
                return Err(refuse("sourceQueueArns is allowed with byQueue only."));
            }
            _ => {
                return Err(refuse(
                    "redrivePermission must be allowAll, denyAll or byQueue.",
                ));
            }
        };
        Ok(Self {
            text: text.to_owned(),
            permission,
        })
    }

    pub(super) fn allows(&self, source_arn: &str) -> bool {
        match &self.permission {
            Permission::AllowAll => true,
            Permission::DenyAll => false,
            Permission::ByQueue(arns) => arns.iter().any(|arn| arn == source_arn),
        }
    }
}

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

fn object(text: &str) -> Option<serde_json::Map<String, Value>> {
    serde_json::from_str(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redrive_policy_names_a_target_and_1_to_1000_receives() {
        let table = [
            (
                r#"{"deadLetterTargetArn":"arn:x","maxReceiveCount":5}"#,
                Some(5),
            ),
            (
                r#"{"deadLetterTargetArn":"arn:x","maxReceiveCount":"1000"}"#,
                Some(1000),
            ),
            (
                r#"{"deadLetterTargetArn":"arn:x","maxReceiveCount":0}"#,
                None,
            ),
            (
                r#"{"deadLetterTargetArn":"arn:x","maxReceiveCount":1001}"#,
                None,
            ),
            (
                r#"{"deadLetterTargetArn":"arn:x","maxReceiveCount":true}"#,
                None,
            ),
            (r#"{"deadLetterTargetArn":"arn:x"}"#, None),
            (r#"{"maxReceiveCount":5}"#, None),
            ("[]", None),
            ("not json", None),
        ];
        for (text, expected) in table {
            assert_eq!(
                RedrivePolicy::parse(text).ok().map(|p| p.max_receive_count),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn an_allow_policy_allows_all_none_or_those_named() {
        let table = [
            (r#"{"redrivePermission":"allowAll"}"#, Some((true, true))),
            (r#"{"redrivePermission":"denyAll"}"#, Some((false, false))),
            (
                r#"{"redrivePermission":"byQueue","sourceQueueArns":["a"]}"#,
                Some((true, false)),
            ),
            (r#"{"redrivePermission":"byQueue"}"#, None),
            (
                r#"{"redrivePermission":"byQueue","sourceQueueArns":[]}"#,
                None,
            ),
            (
                r#"{"redrivePermission":"denyAll","sourceQueueArns":["a"]}"#,
                None,
            ),
            (r#"{"redrivePermission":"some"}"#, None),
            ("", None),
        ];
        for (text, expected) in table {
            let found = RedriveAllowPolicy::parse(text)
                .ok()
                .map(|p| (p.allows("a"), p.allows("b")));
            assert_eq!(found, expected, "{text}");
        }
    }
}
