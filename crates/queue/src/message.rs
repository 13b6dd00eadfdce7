//! Messages on their way in and out, free of SDK types.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::{Message, MessageAttributeValue, MessageSystemAttributeName};
use bytes::Bytes;
use event::Timestamp;

use crate::Uptime;

/// The value of a message attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// `String`, `Number` or `Binary`, with an optional custom suffix (`Number.float`).
    pub data_type: String,
    /// What it holds.
    pub value: AttributeValue,
}

/// Text (also of numbers) or bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttributeValue {
    /// The value of a `String` or `Number`.
    Text(String),
    /// The value of a `Binary`.
    Bytes(Vec<u8>),
}

impl Attribute {
    /// A `String` attribute.
    pub fn string(value: impl Into<String>) -> Self {
        Self {
            data_type: "String".to_owned(),
            value: AttributeValue::Text(value.into()),
        }
    }

    /// The text of a `String` or `Number` attribute.
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            AttributeValue::Text(text) => Some(text),
            AttributeValue::Bytes(_) => None,
        }
    }

    /// What the attribute adds to the size of its message: name, type and value, in bytes.
    pub fn size(&self, name: &str) -> usize {
        let value = match &self.value {
            AttributeValue::Text(text) => text.len(),
            AttributeValue::Bytes(bytes) => bytes.len(),
        };
        name.len() + self.data_type.len() + value
    }

    pub(crate) fn to_sdk(&self) -> MessageAttributeValue {
        let builder = MessageAttributeValue::builder().data_type(&self.data_type);
        match &self.value {
            AttributeValue::Text(text) => builder.string_value(text),
            AttributeValue::Bytes(bytes) => builder.binary_value(Blob::new(bytes.clone())),
        }
        .build()
        .expect("the data type is set above")
    }

    fn from_sdk(value: MessageAttributeValue) -> Self {
        Self {
            value: match (value.string_value, value.binary_value) {
                (Some(text), _) => AttributeValue::Text(text),
                (None, Some(blob)) => AttributeValue::Bytes(blob.into_inner()),
                (None, None) => AttributeValue::Text(String::new()),
            },
            data_type: value.data_type,
        }
    }
}

/// A message to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The body, sent as it is.
    pub body: String,
    /// The message group; required on a FIFO queue, a tenant on a standard queue.
    pub group: Option<String>,
    /// The deduplication id; required on a FIFO queue without content-based deduplication.
    pub deduplication_id: Option<String>,
    /// At most ten.
    pub attributes: BTreeMap<String, Attribute>,
}

impl Outgoing {
    /// What SQS counts against the maximum message size: body plus attributes, in bytes.
    pub fn size(&self) -> usize {
        self.body.len()
            + self
                .attributes
                .iter()
                .map(|(name, a)| a.size(name))
                .sum::<usize>()
    }
}

/// What SQS answers to a message it took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The id SQS gave it.
    pub message_id: String,
    /// The sequence number within its group; none on a standard queue.
    pub sequence_number: Option<String>,
}

/// A message that SQS handed out: ours until its lease ends.
#[derive(Debug, Clone)]
pub struct Received {
    /// The id SQS gave it.
    pub message_id: String,
    /// The right to settle this receive.
    pub receipt_handle: String,
    /// The body as it lies in the queue.
    pub body: Bytes,
    /// The message group: always there on a FIFO queue, which keeps its order. On a standard queue it is a tenant.
    pub group: Option<String>,
    /// The deduplication id; always there on a FIFO queue.
    pub deduplication_id: Option<String>,
    /// Grows within a group; always there on a FIFO queue.
    pub sequence_number: Option<String>,
    /// How often SQS handed this message out, this receive included. Not a number of attempts.
    pub receive_count: u32,
    /// When it was sent to the queue.
    pub sent_at: Timestamp,
    /// When SQS first handed it out: on a first receive, SQS's own time of that receive. The native redrive may have
    /// brought it along from another queue.
    pub first_received_at: Option<Timestamp>,
    /// The queue's ARN from which the native redrive moved it here.
    pub redriven_from: Option<String>,
    /// All message attributes.
    pub attributes: BTreeMap<String, Attribute>,
    /// Until when SQS surely hides it from others: counted from the moment the receive was *asked for*,
    /// since nothing tells when within the long poll SQS handed it out. By [`Queue::clock`](crate::Queue::clock).
    pub lease_until: Uptime,
}

impl Received {
    pub(crate) fn from_sdk(message: Message, lease_until: Uptime) -> Option<Self> {
        let mut system = message.attributes.unwrap_or_default();
        let sent_at = take_number(&mut system, MessageSystemAttributeName::SentTimestamp);
        let receive_count = take_number(
            &mut system,
            MessageSystemAttributeName::ApproximateReceiveCount,
        );
        let first_received_at = take_number(
            &mut system,
            MessageSystemAttributeName::ApproximateFirstReceiveTimestamp,
        );
        Some(Self {
            message_id: message.message_id?,
            receipt_handle: message.receipt_handle?,
            body: Bytes::from(message.body.unwrap_or_default()),
            group: system.remove(&MessageSystemAttributeName::MessageGroupId),
            deduplication_id: system.remove(&MessageSystemAttributeName::MessageDeduplicationId),
            sequence_number: system.remove(&MessageSystemAttributeName::SequenceNumber),
            first_received_at: first_received_at.map(Timestamp::from_millis),
            redriven_from: system.remove(&MessageSystemAttributeName::DeadLetterQueueSourceArn),
            receive_count: receive_count.unwrap_or(1) as u32,
            sent_at: Timestamp::from_millis(sent_at.unwrap_or(0)),
            attributes: message
                .message_attributes
                .unwrap_or_default()
                .into_iter()
                .map(|(name, value)| (name, Attribute::from_sdk(value)))
                .collect(),
            lease_until,
        })
    }

    /// Whether it comes from a FIFO queue: only there messages are numbered.
    pub fn is_ordered(&self) -> bool {
        self.sequence_number.is_some() || self.deduplication_id.is_some()
    }

    /// The text of a message attribute.
    pub fn text_attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).and_then(Attribute::as_str)
    }
}

fn take_number(
    system: &mut HashMap<MessageSystemAttributeName, String>,
    name: MessageSystemAttributeName,
) -> Option<u64> {
    system.remove(&name)?.parse().ok()
}
