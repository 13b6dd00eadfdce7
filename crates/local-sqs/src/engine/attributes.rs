//! Queue attributes: the table of what can be set, to what, and what holds when it is not.

use std::ops::RangeInclusive;

use super::error::{ErrorKind, SqsError};
use super::redrive_policy::{RedriveAllowPolicy, RedrivePolicy};

/// A numeric attribute.
struct Number {
    name: &'static str,
    range: RangeInclusive<u32>,
    default: u32,
    field: fn(&mut QueueAttributes) -> &mut u32,
}

/// Ranges and defaults: SQS API reference, `CreateQueue`; `MaximumMessageSize` as of August 2025. Seconds and bytes.
#[rustfmt::skip]
const NUMBERS: [Number; 6] = [
    Number { name: "DelaySeconds",                  range: 0..=900,        default: 0,         field: |a| &mut a.delay_s },
    Number { name: "MaximumMessageSize",            range: 1024..=1048576, default: 1_048_576, field: |a| &mut a.maximum_message_size },
    Number { name: "MessageRetentionPeriod",        range: 60..=1209600,   default: 345_600,   field: |a| &mut a.retention_s },
    Number { name: "ReceiveMessageWaitTimeSeconds", range: 0..=20,         default: 0,         field: |a| &mut a.receive_wait_s },
    Number { name: "VisibilityTimeout",             range: 0..=43200,      default: 30,        field: |a| &mut a.visibility_timeout_s },
    Number { name: "KmsDataKeyReusePeriodSeconds",  range: 60..=86400,     default: 300,       field: |a| &mut a.kms_reuse_s },
];

/// Attributes that exist on FIFO queues only, and what SQS says when a standard queue is given one.
const FIFO_ONLY: [(&str, &str); 4] = [
    ("FifoQueue", "Unknown Attribute FifoQueue."),
    (
        "ContentBasedDeduplication",
        "Unknown Attribute ContentBasedDeduplication.",
    ),
    (
        "DeduplicationScope",
        "You can specify the DeduplicationScope only when FifoQueue is set to true.",
    ),
    (
        "FifoThroughputLimit",
        "You can specify the FifoThroughputLimit only when FifoQueue is set to true.",
    ),
];

const DEDUPLICATION_SCOPES: [&str; 2] = ["queue", "messageGroup"];
const THROUGHPUT_LIMITS: [&str; 2] = ["perQueue", "perMessageGroupId"];

/// Attributes SQS computes; they can be read, not set.
pub(super) const COMPUTED: [&str; 6] = [
    "QueueArn",
    "CreatedTimestamp",
    "LastModifiedTimestamp",
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
];

/// The attributes of a queue that somebody can set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct QueueAttributes {
    pub(super) fifo: bool,
    pub(super) delay_s: u32,
    pub(super) maximum_message_size: u32,
    pub(super) retention_s: u32,
    pub(super) receive_wait_s: u32,
    pub(super) visibility_timeout_s: u32,
    pub(super) content_based_deduplication: bool,
    deduplication_scope: &'static str,
    throughput_limit: &'static str,
    pub(super) redrive: Option<RedrivePolicy>,
    pub(super) redrive_allow: Option<RedriveAllowPolicy>,
    policy: Option<String>,
    kms_key: Option<String>,
    kms_reuse_s: u32,
    sqs_managed_sse: bool,
}

impl QueueAttributes {
    pub(super) fn new(fifo: bool) -> Self {
        let mut attributes = Self {
            fifo,
            delay_s: 0,
            maximum_message_size: 0,
            retention_s: 0,
            receive_wait_s: 0,
            visibility_timeout_s: 0,
            content_based_deduplication: false,
            deduplication_scope: DEDUPLICATION_SCOPES[0],
            throughput_limit: THROUGHPUT_LIMITS[0],
            redrive: None,
            redrive_allow: None,
            policy: None,
            kms_key: None,
            kms_reuse_s: 0,
            sqs_managed_sse: true,
        };
        for number in &NUMBERS {
            *(number.field)(&mut attributes) = number.default;
        }
        attributes
    }

    pub(super) fn deduplicates_per_group(&self) -> bool {
        self.deduplication_scope == "messageGroup"
    }

    /// Sets one attribute from its text; the empty text is its default (recorded from AWS). After the last one call
    /// [`QueueAttributes::check`].
    pub(super) fn set(&mut self, name: &str, value: &str) -> Result<(), SqsError> {
        if let Some((_, message)) = FIFO_ONLY.iter().find(|(only, _)| *only == name)
            && !self.fifo
        {
            return Err(SqsError::new(ErrorKind::InvalidAttributeName, *message));
        }
        if let Some(number) = NUMBERS.iter().find(|n| n.name == name) {
            *(number.field)(self) = number.parse(value)?;
            return Ok(());
        }
        let text = (!value.is_empty()).then(|| value.to_owned());
        match name {
            "ContentBasedDeduplication" => {
                self.content_based_deduplication = flag(name, value, false)?;
            }
            "DeduplicationScope" => {
                self.deduplication_scope = choice(name, value, DEDUPLICATION_SCOPES)?;
            }
            "FifoThroughputLimit" => {
                self.throughput_limit = choice(name, value, THROUGHPUT_LIMITS)?;
            }
            "RedrivePolicy" => {
                self.redrive = text.as_deref().map(RedrivePolicy::parse).transpose()?;
            }
            "RedriveAllowPolicy" => {
                self.redrive_allow = text.as_deref().map(RedriveAllowPolicy::parse).transpose()?;
            }
            "Policy" => {
                let is_json = text
                    .as_deref()
                    .is_none_or(|t| serde_json::from_str::<serde::de::IgnoredAny>(t).is_ok());
                self.policy = is_json
                    .then_some(text)
                    .ok_or_else(|| SqsError::attribute_value(name, ""))?;
            }
            "KmsMasterKeyId" => {
                self.sqs_managed_sse &= text.is_none();
                self.kms_key = text;
            }
            "SqsManagedSseEnabled" => self.sqs_managed_sse = flag(name, value, false)?,
            "FifoQueue" => {
                return Err(SqsError::attribute_value(
                    name,
                    "Modifying queue type is not supported.",
                ));
            }
            _ => return Err(SqsError::unknown_attribute(name)),
        }
        Ok(())
    }

    /// Sets several, all or none, and checks them against each other.
    pub(super) fn with<'a>(
        &self,
        values: impl IntoIterator<Item = (&'a String, &'a String)> + Clone,
    ) -> Result<Self, SqsError> {
        let given = |name: &str| {
            values
                .clone()
                .into_iter()
                .any(|(n, v)| n == name && !v.is_empty() && v != "false")
        };
        if given("KmsMasterKeyId") && given("SqsManagedSseEnabled") {
            return Err(Self::two_encryptions());
        }
        let mut changed = self.clone();
        for (name, value) in values.clone() {
            changed.set(name, value)?;
        }
        changed.check()?;
        Ok(changed)
    }

    fn check(&self) -> Result<(), SqsError> {
        if self.kms_key.is_some() && self.sqs_managed_sse {
            return Err(Self::two_encryptions());
        }
        if self.throughput_limit == "perMessageGroupId" && !self.deduplicates_per_group() {
            let reason = "The perMessageGroupId value is allowed only when the value for DeduplicationScope is messageGroup.";
            return Err(SqsError::attribute_value("FifoThroughputLimit", reason));
        }
        Ok(())
    }

    fn two_encryptions() -> SqsError {
        let message = "You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE.";
        SqsError::new(ErrorKind::InvalidAttributeName, message)
    }

    /// Name and text of every attribute the queue has, as `GetQueueAttributes` shows them.
    pub(super) fn describe(&self) -> Vec<(&'static str, String)> {
        let mut shown = Vec::new();
        let mut copy = self.clone();
        for number in &NUMBERS {
            if number.name != "KmsDataKeyReusePeriodSeconds" || self.kms_key.is_some() {
                shown.push((number.name, (number.field)(&mut copy).to_string()));
            }
        }
        if self.fifo {
            shown.push(("FifoQueue", "true".to_owned()));
            shown.push((
                "ContentBasedDeduplication",
                self.content_based_deduplication.to_string(),
            ));
            shown.push(("DeduplicationScope", self.deduplication_scope.to_owned()));
            shown.push(("FifoThroughputLimit", self.throughput_limit.to_owned()));
        }
        shown.push(("SqsManagedSseEnabled", self.sqs_managed_sse.to_string()));
        let texts = [
            ("KmsMasterKeyId", self.kms_key.as_ref()),
            ("Policy", self.policy.as_ref()),
            ("RedrivePolicy", self.redrive.as_ref().map(|p| &p.text)),
            (
                "RedriveAllowPolicy",
                self.redrive_allow.as_ref().map(|p| &p.text),
            ),
        ];
        shown.extend(
            texts
                .into_iter()
                .filter_map(|(name, text)| Some((name, text?.clone()))),
        );
        shown
    }
}

/// Whether an attribute of this name can be asked for.
pub(super) fn is_known(name: &str) -> bool {
    const TEXTS: [&str; 6] = [
        "All",
        "Policy",
        "RedrivePolicy",
        "RedriveAllowPolicy",
        "KmsMasterKeyId",
        "SqsManagedSseEnabled",
    ];
    NUMBERS.iter().any(|n| n.name == name)
        || FIFO_ONLY.iter().any(|(only, _)| *only == name)
        || COMPUTED.contains(&name)
        || TEXTS.contains(&name)
}

impl Number {
    fn parse(&self, value: &str) -> Result<u32, SqsError> {
        if value.is_empty() {
            return Ok(self.default);
        }
        let number = value.parse().ok().filter(|n| self.range.contains(n));
        number.ok_or_else(|| SqsError::attribute_value(self.name, ""))
    }
}

fn flag(name: &str, value: &str, default: bool) -> Result<bool, SqsError> {
    match value {
        "" => Ok(default),
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(SqsError::attribute_value(name, "")),
    }
}

fn choice(name: &str, value: &str, options: [&'static str; 2]) -> Result<&'static str, SqsError> {
    if value.is_empty() {
        return Ok(options[0]);
    }
    options
        .into_iter()
        .find(|option| *option == value)
        .ok_or_else(|| SqsError::attribute_value(name, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(fifo: bool, values: &[(&str, &str)]) -> Result<QueueAttributes, SqsError> {
        let owned: Vec<(String, String)> = values
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
            .collect();
        QueueAttributes::new(fifo).with(owned.iter().map(|(n, v)| (n, v)))
    }

    fn shown(attributes: &QueueAttributes, name: &str) -> Option<String> {
        attributes
            .describe()
            .into_iter()
            .find(|(n, _)| *n == name)
            .map(|(_, value)| value)
    }

    #[test]
    fn defaults_are_those_of_aws() {
        let fifo = QueueAttributes::new(true);
        let table = [
            ("DelaySeconds", "0"),
            ("MaximumMessageSize", "1048576"),
            ("MessageRetentionPeriod", "345600"),
            ("ReceiveMessageWaitTimeSeconds", "0"),
            ("VisibilityTimeout", "30"),
            ("FifoQueue", "true"),
            ("ContentBasedDeduplication", "false"),
            ("DeduplicationScope", "queue"),
            ("FifoThroughputLimit", "perQueue"),
            ("SqsManagedSseEnabled", "true"),
        ];
        for (name, value) in table {
            assert_eq!(shown(&fifo, name).as_deref(), Some(value), "{name}");
        }
        assert_eq!(fifo.describe().len(), table.len());
        assert_eq!(QueueAttributes::new(false).describe().len(), 6);
    }

    #[test]
    fn numbers_have_ranges() {
        for number in &NUMBERS {
            let (low, high) = (*number.range.start(), *number.range.end());
            for good in [low, high, number.default] {
                assert!(
                    set(true, &[(number.name, &good.to_string())]).is_ok(),
                    "{} {good}",
                    number.name
                );
            }
            for bad in [
                (i64::from(low) - 1).to_string(),
                (high + 1).to_string(),
                "1.5".into(),
                "x".into(),
            ] {
                let error = set(true, &[(number.name, &bad)]).unwrap_err();
                assert_eq!(
                    error.kind,
                    ErrorKind::InvalidAttributeValue,
                    "{} {bad}",
                    number.name
                );
            }
        }
    }

    #[test]
    fn an_empty_value_is_the_default() {
        let mut attributes = set(
            true,
            &[
                ("VisibilityTimeout", "60"),
                ("DeduplicationScope", "messageGroup"),
            ],
        )
        .unwrap();
        for name in [
            "VisibilityTimeout",
            "DeduplicationScope",
            "RedrivePolicy",
            "Policy",
            "KmsMasterKeyId",
        ] {
            attributes.set(name, "").unwrap();
        }
        assert_eq!(attributes, QueueAttributes::new(true));
    }

    #[test]
    fn contradictions_are_refused() {
        use ErrorKind::{InvalidAttributeName, InvalidAttributeValue};
        type Row<'a> = (bool, &'a [(&'a str, &'a str)], ErrorKind);
        let table: [Row<'_>; 9] = [
            (
                true,
                &[("FifoThroughputLimit", "perMessageGroupId")],
                InvalidAttributeValue,
            ),
            (true, &[("FifoQueue", "false")], InvalidAttributeValue),
            (
                true,
                &[("DeduplicationScope", "other")],
                InvalidAttributeValue,
            ),
            (true, &[("Bogus", "1")], InvalidAttributeName),
            (true, &[("QueueArn", "arn:x")], InvalidAttributeName),
            (
                true,
                &[("KmsMasterKeyId", "k"), ("SqsManagedSseEnabled", "true")],
                InvalidAttributeName,
            ),
            (false, &[("FifoQueue", "true")], InvalidAttributeName),
            (
                false,
                &[("ContentBasedDeduplication", "true")],
                InvalidAttributeName,
            ),
            (
                false,
                &[("DeduplicationScope", "messageGroup")],
                InvalidAttributeName,
            ),
        ];
        for (fifo, values, kind) in table {
            assert_eq!(set(fifo, values).unwrap_err().kind, kind, "{values:?}");
        }
        let high_throughput = [
            ("FifoThroughputLimit", "perMessageGroupId"),
            ("DeduplicationScope", "messageGroup"),
        ];
        assert!(set(true, &high_throughput).is_ok());
    }

    #[test]
    fn a_kms_key_turns_sqs_encryption_off() {
        let attributes = set(
            true,
            &[
                ("KmsMasterKeyId", "alias/k"),
                ("KmsDataKeyReusePeriodSeconds", "6000"),
            ],
        )
        .unwrap();
        assert_eq!(
            shown(&attributes, "SqsManagedSseEnabled").as_deref(),
            Some("false")
        );
        assert_eq!(
            shown(&attributes, "KmsDataKeyReusePeriodSeconds").as_deref(),
            Some("6000")
        );
        assert_eq!(
            shown(&attributes, "KmsMasterKeyId").as_deref(),
            Some("alias/k")
        );
    }
}
