//! The attributes of a queue that matter to us, read once when it is opened.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

/// Over what a deduplication id must be unique ([FIFO high throughput]).
///
/// [FIFO high throughput]: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/high-throughput-fifo.html
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DedupScope {
    /// Over the whole queue, the default of SQS.
    Queue,
    /// Within one message group, what `queues create` sets.
    MessageGroup,
}

/// What `GetQueueAttributes` said.
#[derive(Debug, Clone)]
pub struct QueueAttributes {
    /// Whether this is a FIFO queue.
    pub fifo: bool,
    /// Over what deduplication ids are unique; means nothing on a standard queue.
    pub dedup_scope: DedupScope,
    /// Body plus attributes, in bytes. Older queues say 262,144, newer ones 1,048,576.
    pub maximum_message_size: usize,
    /// How long a message is kept, in seconds.
    pub retention_s: u64,
    /// After how many receives the native redrive moves a message, and to which queue (its ARN).
    pub redrive: Option<(u32, String)>,
    /// The queue's ARN.
    pub arn: String,
    /// When it was made, in seconds since 1970; a queue of the same name that was made anew has another. `None` where
    /// nothing tells.
    pub created_s: Option<u64>,
    /// All attributes as SQS gave them.
    pub raw: BTreeMap<String, String>,
}

impl QueueAttributes {
    pub(crate) fn from_raw(raw: BTreeMap<String, String>) -> Self {
        let text = |name: &str| raw.get(name).map(String::as_str);
        let number = |name: &str| text(name).and_then(|v| v.parse::<u64>().ok());
        Self {
            fifo: text("FifoQueue") == Some("true"),
            dedup_scope: match text("DeduplicationScope") {
                Some("messageGroup") => DedupScope::MessageGroup,
                _ => DedupScope::Queue,
            },
            maximum_message_size: number("MaximumMessageSize").unwrap_or(262_144) as usize,
            retention_s: number("MessageRetentionPeriod").unwrap_or(345_600),
            redrive: text("RedrivePolicy").and_then(redrive),
            arn: text("QueueArn").unwrap_or_default().to_owned(),
            created_s: number("CreatedTimestamp"),
            raw,
        }
    }

    /// How long a message is kept.
    pub fn retention(&self) -> Duration {
        Duration::from_secs(self.retention_s)
    }

    /// Whether a queue of this name was deleted and made anew since `then`: what lay in it is gone.
    pub fn is_another(&self, then: &Self) -> bool {
        let known = self.created_s.zip(then.created_s);
        self.arn != then.arn || known.is_some_and(|(now, then)| now != then)
    }
}

/// `{"deadLetterTargetArn": …, "maxReceiveCount": 5}`; SQS writes the number as a number or a string, as it
/// was given.
fn redrive(policy: &str) -> Option<(u32, String)> {
    let policy: Value = serde_json::from_str(policy).ok()?;
    let count = match policy.get("maxReceiveCount")? {
        Value::Number(n) => n.as_u64()?,
        Value::String(s) => s.parse().ok()?,
        _ => return None,
    };
    let target = policy.get("deadLetterTargetArn")?.as_str()?;
    Some((u32::try_from(count).ok()?, target.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redrive_policy_is_read_with_its_count_as_number_or_text() {
        for count in ["5", "\"5\""] {
            let policy =
                format!("{{\"deadLetterTargetArn\":\"arn:x\",\"maxReceiveCount\":{count}}}");
            assert_eq!(redrive(&policy), Some((5, "arn:x".to_owned())));
        }
    }

    #[test]
    fn a_queue_made_anew_is_told_by_its_arn_or_its_age() {
        let queue = |arn: &str, created: &[&str]| {
            let created = created
                .iter()
                .map(|at| ("CreatedTimestamp".to_owned(), (*at).to_owned()));
            let arn = [("QueueArn".to_owned(), arn.to_owned())];
            QueueAttributes::from_raw(arn.into_iter().chain(created).collect())
        };
        let then = queue("arn:events", &["1700000000"]);
        assert!(!then.is_another(&then));
        assert!(!queue("arn:events", &[]).is_another(&then));
        assert!(queue("arn:events", &["1700000001"]).is_another(&then));
        assert!(queue("arn:others", &["1700000000"]).is_another(&then));
    }

    #[test]
    fn an_old_queue_without_a_scope_has_one_for_the_whole_queue() {
        let attributes = QueueAttributes::from_raw(BTreeMap::from([(
            "FifoQueue".to_owned(),
            "true".to_owned(),
        )]));
        assert!(attributes.fifo);
        assert_eq!(attributes.dedup_scope, DedupScope::Queue);
    }
}
