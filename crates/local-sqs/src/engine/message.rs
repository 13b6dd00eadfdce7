//! Messages: what a sender may put in one, its size and the MD5 digests SDKs check.

use std::collections::BTreeMap;
use std::sync::Arc;

use md5::{Digest, Md5};

use super::{Id, Seq, UnixMs};

/// A message attribute; binary values are raw bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// `String`, `Number` or `Binary`, with an optional label after a dot.
    pub data_type: String,
    /// The value.
    pub value: AttributeValue,
}

/// The value of a message attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum AttributeValue {
    Text(String),
    Binary(Vec<u8>),
}

/// Message attributes by name; the digest needs them sorted.
pub type Attributes = BTreeMap<String, Attribute>;

/// What a sender hands over.
#[derive(Debug, Clone, Default)]
pub struct Outgoing {
    /// `MessageBody`.
    pub body: String,
    /// `MessageAttributes`.
    pub attributes: Attributes,
    /// `MessageSystemAttributes`: only `AWSTraceHeader` exists.
    pub system_attributes: Attributes,
    /// `DelaySeconds`.
    pub delay_s: Option<i64>,
    /// `MessageGroupId`.
    pub group_id: Option<String>,
    /// `MessageDeduplicationId`.
    pub deduplication_id: Option<String>,
}

/// The part of a message that never changes, shared between the queue and answers being written.
#[derive(Debug)]
pub struct Content {
    /// The body.
    pub body: String,
    /// Lower-case hex MD5 of the body.
    pub md5_of_body: String,
    /// Message attributes.
    pub attributes: Attributes,
    /// System attributes of the sender.
    pub system_attributes: Attributes,
}

impl Content {
    /// Bytes that count against `MaximumMessageSize` and [`super::Limits`].
    pub fn size(&self) -> usize {
        self.body.len() + attributes_size(&self.attributes)
    }
}

/// A message in a queue.
#[derive(Debug, Clone)]
pub struct Message {
    /// `MessageId`.
    pub id: Id,
    /// Place in the queue.
    pub seq: Seq,
    /// `MessageGroupId`.
    pub group_id: Option<Arc<str>>,
    /// `MessageDeduplicationId`.
    pub deduplication_id: Option<Arc<str>>,
    /// Body and attributes.
    pub content: Arc<Content>,
    /// When it came into this queue: `SentTimestamp`, and the start of retention.
    pub enqueued_at: UnixMs,
    /// `ApproximateReceiveCount`.
    pub receive_count: u32,
    /// `ApproximateFirstReceiveTimestamp`.
    pub first_received_at: Option<UnixMs>,
    /// `DeadLetterQueueSourceArn`.
    pub dead_letter_source: Option<Arc<str>>,
    pub(super) state: State,
    /// The newest receive; its handle alone is good.
    pub(super) receive: u64,
    pub(super) received_at: UnixMs,
    /// The `ReceiveRequestAttemptId` that holds it.
    pub(super) attempt: Option<Arc<str>>,
}

/// Whether a receive can see the message, were its group not locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Visible,
    Delayed { until: UnixMs },
    InFlight { until: UnixMs },
}

impl State {
    pub(super) fn hidden_until(self) -> Option<UnixMs> {
        match self {
            Self::Visible => None,
            Self::Delayed { until } | Self::InFlight { until } => Some(until),
        }
    }
}

impl Outgoing {
    /// Size that counts against limits: body, and names, types and values of the message attributes.
    pub fn size(&self) -> usize {
        self.body.len() + attributes_size(&self.attributes)
    }

    pub(super) fn into_content(self) -> Content {
        Content {
            md5_of_body: md5_hex(self.body.as_bytes()),
            body: self.body,
            attributes: self.attributes,
            system_attributes: self.system_attributes,
        }
    }
}

/// Lower-case hex MD5.
pub(super) fn md5_hex(bytes: &[u8]) -> String {
    hex(&Md5::digest(bytes))
}

/// The digest of message attributes as SDKs compute it: for each name in order, length-prefixed name and type, a marker
/// (1 text, 2 binary) and the length-prefixed value. `None` without attributes.
pub fn md5_of_attributes<'a>(
    attributes: impl Iterator<Item = (&'a String, &'a Attribute)>,
) -> Option<String> {
    fn field(hash: &mut Md5, bytes: &[u8]) {
        hash.update((bytes.len() as u32).to_be_bytes());
        hash.update(bytes);
    }
    let mut hash = Md5::new();
    let mut any = false;
    for (name, attribute) in attributes {
        any = true;
        field(&mut hash, name.as_bytes());
        field(&mut hash, attribute.data_type.as_bytes());
        hash.update([match attribute.value {
            AttributeValue::Text(_) => 1,
            AttributeValue::Binary(_) => 2,
        }]);
        field(&mut hash, attribute.value.bytes());
    }
    any.then(|| hex(&hash.finalize()))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|b| [b >> 4, b & 15])
        .map(|digit| DIGITS[usize::from(digit)] as char)
        .collect()
}

impl AttributeValue {
    /// The text of a `String` or `Number`.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Binary(_) => None,
        }
    }

    /// The raw bytes.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }
}

fn attributes_size(attributes: &Attributes) -> usize {
    attributes
        .iter()
        .map(|(name, a)| name.len() + a.data_type.len() + a.value.bytes().len())
        .sum()
}

/// What the tests of the engine send.
#[cfg(test)]
pub(super) mod samples {
    use super::{Attribute, AttributeValue, Outgoing};

    pub(in crate::engine) fn text(data_type: &str, value: &str) -> Attribute {
        Attribute {
            data_type: data_type.into(),
            value: AttributeValue::Text(value.into()),
        }
    }

    pub(in crate::engine) fn with_attributes(attributes: &[(&str, Attribute)]) -> Outgoing {
        Outgoing {
            body: "x".into(),
            attributes: attributes
                .iter()
                .map(|(name, a)| ((*name).to_owned(), a.clone()))
                .collect(),
            ..Outgoing::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::samples::{text, with_attributes};
    use super::*;

    #[test]
    fn size_counts_names_types_and_values_of_attributes() {
        assert_eq!(
            with_attributes(&[("ab", text("String", "xyz"))]).size(),
            1 + 2 + 6 + 3
        );
    }

    #[test]
    fn digests_match_the_published_algorithm() {
        assert_eq!(md5_hex(b"hello"), "5d41402abc4b2a76b9719d911017c592");
        // Recorded from AWS: one String attribute named MyAttribute with the value foobar.
        let one = with_attributes(&[("MyAttribute", text("String", "foobar"))]);
        assert_eq!(
            md5_of_attributes(one.attributes.iter()).as_deref(),
            Some("adb59cd4678ea5a855436b949cd07ab6")
        );
        let two = with_attributes(&[
            ("General", text("String", "Kenobi")),
            ("Hello", text("String", "There")),
        ]);
        assert_eq!(
            md5_of_attributes(two.attributes.iter()).as_deref(),
            Some("fca026605781cb4126a1e9044df24232")
        );
        assert_eq!(md5_of_attributes(Attributes::new().iter()), None);
    }
}
