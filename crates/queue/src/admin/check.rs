//! What is wrong with an existing pair: a table of rules.

use serde_json::Value;

use crate::admin::source_retention_s;
use crate::limits::{MAX_RECEIVE_COUNT, MAX_RETENTION_S};
use crate::same::is_same;
use crate::{DedupScope, Queue, QueueAttributes};

/// One thing that is wrong with a queue of the pair.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// The queue's URL.
    pub queue: String,
    /// The attribute, as SQS calls it.
    pub attribute: &'static str,
    /// What it is; `absent` if SQS names none.
    pub found: String,
    /// What it should be.
    pub expected: String,
    /// What goes wrong as it is.
    pub why: &'static str,
}

/// Says everything that is wrong with a pair; nothing if the list is empty.
pub fn check_pair(source: &Queue, dead_letters: &Queue) -> Vec<Problem> {
    check_named(
        (source.url(), source.attributes()),
        (dead_letters.url(), dead_letters.attributes()),
    )
}

/// The same of attributes that were read anew, each with the URL of its queue.
pub fn check_named(
    source: (&str, &QueueAttributes),
    dead: (&str, &QueueAttributes),
) -> Vec<Problem> {
    let pair = Pair { source, dead };
    if pair.is_one_queue() {
        return vec![pair.problem(pair.dead, &SAME_QUEUE, "another queue".to_owned())];
    }
    RULES.iter().flat_map(|rule| pair.check(rule)).collect()
}

struct Rule {
    attribute: &'static str,
    of: Of,
    /// What is expected, if the queue is otherwise.
    broken: fn(&QueueAttributes, &Pair<'_>) -> Option<String>,
    why: &'static str,
}

#[derive(Clone, Copy, PartialEq)]
enum Of {
    Source,
    FifoSource,
    Dead,
    Both,
}

type Named<'a> = (&'a str, &'a QueueAttributes);

#[derive(Clone, Copy)]
struct Pair<'a> {
    source: Named<'a>,
    dead: Named<'a>,
}

impl<'a> Pair<'a> {
    fn is_one_queue(&self) -> bool {
        let [source, dead] = [self.source, self.dead].map(|(url, a)| (url, a.arn.as_str()));
        is_same(source, dead)
    }

    fn check(&self, rule: &Rule) -> Vec<Problem> {
        let queues = match rule.of {
            Of::Source => vec![self.source],
            Of::FifoSource if self.source.1.fifo => vec![self.source],
            Of::FifoSource => vec![],
            Of::Dead => vec![self.dead],
            Of::Both => vec![self.source, self.dead],
        };
        let broken = |queue: Named<'a>| Some((queue, (rule.broken)(queue.1, self)?));
        let broken = queues.into_iter().filter_map(broken);
        broken
            .map(|(queue, expected)| self.problem(queue, rule, expected))
            .collect()
    }

    fn problem(&self, (url, attributes): Named<'_>, rule: &Rule, expected: String) -> Problem {
        let found = attributes.raw.get(rule.attribute);
        Problem {
            queue: url.to_owned(),
            attribute: rule.attribute,
            found: found.cloned().unwrap_or_else(|| "absent".to_owned()),
            expected,
            why: rule.why,
        }
    }
}

const SAME_QUEUE: Rule = Rule {
    attribute: "QueueArn",
    of: Of::Dead,
    broken: |_, _| None,
    why: "the internal queue is the source queue: dead letters would be delivered again and again",
};

const RULES: &[Rule] = &[
    Rule {
        attribute: "FifoQueue",
        of: Of::Dead,
        broken: |dead, pair| unless(dead.fifo == pair.source.1.fifo, pair.source.1.fifo),
        why: "the internal queue must be of the source's kind",
    },
    Rule {
        attribute: "DeduplicationScope",
        of: Of::FifoSource,
        broken: |q, _| unless(q.dedup_scope == DedupScope::MessageGroup, "messageGroup"),
        why: "two groups that use the same millisecond lose an event; to be set when the queue is made",
    },
    Rule {
        attribute: "FifoThroughputLimit",
        of: Of::FifoSource,
        broken: |q, _| is(q, "FifoThroughputLimit", "perMessageGroupId"),
        why: "the whole queue shares what one group may have: 300 calls a second",
    },
    Rule {
        attribute: "ContentBasedDeduplication",
        of: Of::FifoSource,
        broken: |q, _| unless(!is_true(q, "ContentBasedDeduplication"), false),
        why: "two equal events without a deduplication id become one instead of being refused",
    },
    Rule {
        attribute: "RedrivePolicy",
        of: Of::Source,
        broken: redrive,
        why: "the native redrive is only a backstop: it counts receives, not attempts",
    },
    Rule {
        attribute: "RedrivePolicy",
        of: Of::Dead,
        broken: |q, _| unless(q.redrive.is_none(), "absent"),
        why: "looking at dead letters counts as a receive and would move them on",
    },
    Rule {
        attribute: "RedriveAllowPolicy",
        of: Of::Dead,
        broken: redrive_allow,
        why: "the internal queue refuses what the native redrive of the source moves",
    },
    Rule {
        attribute: "MessageRetentionPeriod",
        of: Of::Source,
        broken: |source, _| {
            let least_s = source_retention_s(source.fifo);
            unless(
                source.retention_s >= least_s,
                format_args!("at least {least_s}"),
            )
        },
        why: "SQS drops an event that waits longer, in silence: behind others of its group, or for its retries",
    },
    Rule {
        attribute: "MessageRetentionPeriod",
        of: Of::Dead,
        broken: |dead, _| {
            unless(
                dead.retention_s >= MAX_RETENTION_S,
                format_args!("at least {MAX_RETENTION_S}"),
            )
        },
        why: "SQS drops a dead letter in silence that nobody has looked at by then",
    },
    Rule {
        attribute: "MaximumMessageSize",
        of: Of::Dead,
        broken: |dead, pair| {
            let source = pair.source.1.maximum_message_size;
            unless(
                dead.maximum_message_size >= source,
                format_args!("at least {source}"),
            )
        },
        why: "an event that fits the source would not fit the internal queue",
    },
    Rule {
        attribute: "DelaySeconds",
        of: Of::Both,
        broken: |q, _| unless(q.raw.get("DelaySeconds").is_none_or(|d| d == "0"), 0),
        why: "every message would be held back",
    },
    Rule {
        attribute: "SqsManagedSseEnabled",
        of: Of::Both,
        broken: |q, _| {
            let own_key = q.raw.get("KmsMasterKeyId").is_some_and(|k| !k.is_empty());
            unless(
                own_key || is_true(q, "SqsManagedSseEnabled"),
                "true, or a KmsMasterKeyId",
            )
        },
        why: "events would lie in the queue unencrypted",
    },
];

fn redrive(source: &QueueAttributes, pair: &Pair<'_>) -> Option<String> {
    let internal = &pair.dead.1.arn;
    let fits = source
        .redrive
        .as_ref()
        .is_some_and(|(count, target)| *count >= MAX_RECEIVE_COUNT && target == internal);
    unless(
        fits,
        format_args!("maxReceiveCount {MAX_RECEIVE_COUNT} to {internal}"),
    )
}

/// No policy allows every queue of the account (API reference, `SetQueueAttributes`).
fn redrive_allow(dead: &QueueAttributes, pair: &Pair<'_>) -> Option<String> {
    let source = &pair.source.1.arn;
    let policy: Value = match dead.raw.get("RedriveAllowPolicy") {
        Some(text) => serde_json::from_str(text).unwrap_or_default(),
        None => return None,
    };
    let named = |arns: &Value| {
        arns.as_array()
            .is_some_and(|a| a.iter().any(|arn| arn == source))
    };
    let allows = match policy["redrivePermission"].as_str() {
        Some("byQueue") => named(&policy["sourceQueueArns"]),
        permission => permission == Some("allowAll"),
    };
    unless(allows, format_args!("byQueue for {source}"))
}

fn is(queue: &QueueAttributes, attribute: &str, expected: &str) -> Option<String> {
    let found = queue.raw.get(attribute);
    unless(found.is_some_and(|f| f == expected), expected)
}

fn is_true(queue: &QueueAttributes, attribute: &str) -> bool {
    queue.raw.get(attribute).is_some_and(|v| v == "true")
}

fn unless(fits: bool, expected: impl ToString) -> Option<String> {
    (!fits).then(|| expected.to_string())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const SOURCE: &str = "https://sqs/1/events.fifo";
    const DEAD: &str = "https://sqs/1/events-internal.fifo";

    fn raw(arn: &str, more: &[(&str, &str)]) -> QueueAttributes {
        let common = [
            ("QueueArn", arn),
            ("FifoQueue", "true"),
            ("DeduplicationScope", "messageGroup"),
            ("FifoThroughputLimit", "perMessageGroupId"),
            ("ContentBasedDeduplication", "false"),
            ("MaximumMessageSize", "1048576"),
            ("MessageRetentionPeriod", "1209600"),
            ("DelaySeconds", "0"),
            ("SqsManagedSseEnabled", "true"),
        ];
        let attributes = common.iter().chain(more);
        let mut attributes: BTreeMap<_, _> = attributes
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .collect();
        attributes.retain(|_, value| value != "absent");
        QueueAttributes::from_raw(attributes)
    }

    fn source(changed: &[(&str, &str)]) -> QueueAttributes {
        let policy = r#"{"deadLetterTargetArn":"arn:dead","maxReceiveCount":1000}"#;
        raw(
            "arn:source",
            &[&[("RedrivePolicy", policy)], changed].concat(),
        )
    }

    fn dead(changed: &[(&str, &str)]) -> QueueAttributes {
        let policy = r#"{"redrivePermission":"byQueue","sourceQueueArns":["arn:source"]}"#;
        raw(
            "arn:dead",
            &[&[("RedriveAllowPolicy", policy)], changed].concat(),
        )
    }

    fn problems(source: &QueueAttributes, dead: &QueueAttributes) -> Vec<(String, &'static str)> {
        let pair = Pair {
            source: (SOURCE, source),
            dead: (DEAD, dead),
        };
        let found = RULES.iter().flat_map(|rule| pair.check(rule));
        found.map(|p| (p.queue, p.attribute)).collect()
    }

    #[test]
    fn a_good_pair_has_no_problems() {
        assert_eq!(problems(&source(&[]), &dead(&[])), []);
        assert_eq!(
            problems(&source(&[]), &dead(&[("RedriveAllowPolicy", "absent")])),
            []
        );
        let own_key = [
            ("SqsManagedSseEnabled", "false"),
            ("KmsMasterKeyId", "alias/events"),
        ];
        assert_eq!(problems(&source(&own_key), &dead(&[])), []);
    }

    #[test]
    fn each_wrong_attribute_of_the_source_is_named() {
        let five = r#"{"deadLetterTargetArn":"arn:dead","maxReceiveCount":5}"#;
        let elsewhere = r#"{"deadLetterTargetArn":"arn:other","maxReceiveCount":1000}"#;
        let wrong = [
            ("DeduplicationScope", "queue"),
            ("FifoThroughputLimit", "perQueue"),
            ("FifoThroughputLimit", "absent"),
            ("ContentBasedDeduplication", "true"),
            ("RedrivePolicy", five),
            ("RedrivePolicy", elsewhere),
            ("RedrivePolicy", "absent"),
            ("MessageRetentionPeriod", "345600"),
            ("MessageRetentionPeriod", "60"),
            ("DelaySeconds", "5"),
            ("SqsManagedSseEnabled", "false"),
        ];
        for (attribute, value) in wrong {
            let found = problems(&source(&[(attribute, value)]), &dead(&[]));
            assert_eq!(found, [(SOURCE.to_owned(), attribute)], "{value}");
        }
    }

    #[test]
    fn each_wrong_attribute_of_the_internal_queue_is_named() {
        let own = r#"{"deadLetterTargetArn":"arn:third","maxReceiveCount":10}"#;
        let deny = r#"{"redrivePermission":"denyAll"}"#;
        let other = r#"{"redrivePermission":"byQueue","sourceQueueArns":["arn:other"]}"#;
        let wrong = [
            ("FifoQueue", "absent"),
            ("RedrivePolicy", own),
            ("RedriveAllowPolicy", deny),
            ("RedriveAllowPolicy", other),
            ("MessageRetentionPeriod", "345600"),
            ("MaximumMessageSize", "262144"),
            ("DelaySeconds", "900"),
            ("SqsManagedSseEnabled", "absent"),
        ];
        for (attribute, value) in wrong {
            let found = problems(&source(&[]), &dead(&[(attribute, value)]));
            assert_eq!(found, [(DEAD.to_owned(), attribute)], "{value}");
        }
    }

    #[test]
    fn a_standard_pair_is_not_asked_for_what_only_fifo_queues_have() {
        let standard = [
            ("FifoQueue", "absent"),
            ("DeduplicationScope", "absent"),
            ("FifoThroughputLimit", "absent"),
        ];
        assert_eq!(problems(&source(&standard), &dead(&standard)), []);
    }

    #[test]
    fn a_standard_source_keeps_its_events_for_ten_days_and_no_less() {
        let with = |retention_s| {
            let standard = [
                ("FifoQueue", "absent"),
                ("MessageRetentionPeriod", retention_s),
            ];
            source(&standard)
        };
        let dead = dead(&[("FifoQueue", "absent")]);
        assert_eq!(problems(&with("864000"), &dead), []);
        let found = problems(&with("863999"), &dead);
        assert_eq!(found, [(SOURCE.to_owned(), "MessageRetentionPeriod")]);
    }

    #[test]
    fn a_problem_says_what_was_found_and_what_is_expected() {
        let source = source(&[("DeduplicationScope", "absent")]);
        let dead = dead(&[]);
        let pair = Pair {
            source: (SOURCE, &source),
            dead: (DEAD, &dead),
        };
        let found: Vec<_> = RULES.iter().flat_map(|rule| pair.check(rule)).collect();
        assert_eq!(found[0].found, "absent");
        assert_eq!(found[0].expected, "messageGroup");
        assert_eq!(found.len(), 1, "{found:?}");
    }

    #[test]
    fn one_queue_under_two_urls_is_one_queue() {
        let source = source(&[]);
        let pair = Pair {
            source: (SOURCE, &source),
            dead: ("https://sqs.us-east-1.amazonaws.com/1/events.fifo", &source),
        };
        assert!(pair.is_one_queue());
    }
}
