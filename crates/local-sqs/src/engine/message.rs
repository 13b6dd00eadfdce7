//! Messages: what a sender may put in one, its size and the MD5 digests SDKs check.

use std::collections::BTreeMap;
use std::sync::Arc;

use md5::{Digest, Md5};

use super::error::{ErrorKind, SqsError};
use super::{Id, Seq, UnixMs};

/// Most message attributes of one message.
pub(super) const MAX_ATTRIBUTES: usize = 10;

/// Punctuation allowed in group and deduplication ids besides letters and digits.
const ID_PUNCTUATION: &str = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

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

    /// Checks everything that does not depend on the queue.
    pub(super) fn check_content(&self) -> Result<(), SqsError> {
        if self.body.is_empty() {
            return Err(SqsError::missing("MessageBody"));
        }
        check_characters(&self.body)?;
        check_attributes(&self.attributes)?;
        for (name, attribute) in &self.system_attributes {
            if name != "AWSTraceHeader" || attribute.data_type != "String" {
                let reason = "Only AWSTraceHeader of type String is supported";
                return Err(SqsError::invalid_value(
                    name,
                    "MessageSystemAttributes",
                    reason,
                ));
            }
        }
        for (parameter, id) in [
            ("MessageGroupId", &self.group_id),
            ("MessageDeduplicationId", &self.deduplication_id),
        ] {
            id.as_deref().map_or(Ok(()), |id| check_id(parameter, id))?;
        }
        Ok(())
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

    fn bytes(&self) -> &[u8] {
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

/// Bodies and text attributes hold the characters of XML 1.0 only.
fn check_characters(text: &str) -> Result<(), SqsError> {
    let allowed = |c: char| match c {
        '\t' | '\n' | '\r' | ' '.. => !matches!(c, '\u{fffe}' | '\u{ffff}'),
        _ => false,
    };
    if text.chars().all(allowed) {
        return Ok(());
    }
    let message = "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | \
                   #xE000 to #xFFFD | #x10000 to #x10FFFF";
    Err(SqsError::new(ErrorKind::InvalidMessageContents, message))
}

/// 1 to 128 letters, digits and punctuation.
fn check_id(parameter: &str, id: &str) -> Result<(), SqsError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || ID_PUNCTUATION.contains(c);
    if (1..=128).contains(&id.len()) && id.chars().all(allowed) {
        return Ok(());
    }
    let reason = format!(
        "{parameter} can only include alphanumeric and punctuation characters. 1 to 128 in length."
    );
    Err(SqsError::invalid_value(id, parameter, &reason))
}

fn check_attributes(attributes: &Attributes) -> Result<(), SqsError> {
    let refuse = |message: String| Err(SqsError::new(ErrorKind::InvalidParameterValue, message));
    if attributes.len() > MAX_ATTRIBUTES {
        let found = attributes.len();
        return refuse(format!(
            "Number of message attributes [{found}] exceeds the allowed maximum [{MAX_ATTRIBUTES}]."
        ));
    }
    for (name, attribute) in attributes {
        if !valid_attribute_name(name) {
            return refuse(format!(
                "Message (user) attribute name '{name}' is invalid."
            ));
        }
        let kind = attribute.data_type.split('.').next().unwrap_or_default();
        let right_value = match (kind, &attribute.value) {
            ("String", AttributeValue::Text(text)) => {
                check_characters(text)?;
                true
            }
            ("Number", AttributeValue::Text(text)) => {
                text.is_empty() || text.trim().parse::<f64>().is_ok()
            }
            ("Binary", AttributeValue::Binary(_)) => true,
            ("String" | "Number" | "Binary", _) => false,
            _ => {
                return refuse(format!(
                    "The type of message (user) attribute '{name}' is invalid. You must use only the following supported \
                     type prefixes: Binary, Number, String."
                ));
            }
        };
        if attribute.data_type.len() > 256 || !right_value {
            return refuse(format!(
                "Could not cast message (user) attribute '{name}' value to '{kind}'."
            ));
        }
        if attribute.value.bytes().is_empty() {
            return refuse(format!(
                "Message (user) attribute '{name}' must contain a non-empty value of type '{kind}'."
            ));
        }
    }
    Ok(())
}

/// Up to 256 of letters, digits, `_`, `-` and single dots inside; not `AWS.` or `Amazon.`.
fn valid_attribute_name(name: &str) -> bool {
    let reserved = ["aws.", "amazon."]
        .iter()
        .any(|prefix| name.to_ascii_lowercase().starts_with(prefix));
    let dots = name.starts_with('.') || name.ends_with('.') || name.contains("..");
    let characters = name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
    (1..=256).contains(&name.len()) && characters && !dots && !reserved
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(data_type: &str, value: &str) -> Attribute {
        Attribute {
            data_type: data_type.into(),
            value: AttributeValue::Text(value.into()),
        }
    }

    fn binary(data_type: &str, value: &[u8]) -> Attribute {
        Attribute {
            data_type: data_type.into(),
            value: AttributeValue::Binary(value.into()),
        }
    }

    fn with_attributes(attributes: &[(&str, Attribute)]) -> Outgoing {
        Outgoing {
            body: "x".into(),
            attributes: attributes
                .iter()
                .map(|(name, a)| ((*name).to_owned(), a.clone()))
                .collect(),
            ..Outgoing::default()
        }
    }

    #[test]
    fn bodies_hold_the_characters_of_xml() {
        let table = [
            (
                "a\tb\nc\r é\u{d7ff}\u{e000}\u{fffd}\u{10000}\u{10ffff}",
                None,
            ),
            ("", Some(ErrorKind::MissingParameter)),
            ("a\0b", Some(ErrorKind::InvalidMessageContents)),
            ("\u{1b}[0m", Some(ErrorKind::InvalidMessageContents)),
            ("\u{fffe}", Some(ErrorKind::InvalidMessageContents)),
            ("\u{ffff}", Some(ErrorKind::InvalidMessageContents)),
        ];
        for (body, expected) in table {
            let outgoing = Outgoing {
                body: body.into(),
                ..Outgoing::default()
            };
            assert_eq!(
                outgoing.check_content().err().map(|e| e.kind),
                expected,
                "{body:?}"
            );
        }
    }

    #[test]
    fn group_and_deduplication_ids_are_128_printable_characters_without_space() {
        let longest = "a".repeat(128);
        let too_long = "a".repeat(129);
        let table = [
            (ID_PUNCTUATION, true),
            ("aZ09", true),
            (&longest, true),
            (&too_long, false),
            ("", false),
            ("a b", false),
            ("é", false),
        ];
        for (id, good) in table {
            let group = Outgoing {
                body: "x".into(),
                group_id: Some(id.into()),
                ..Outgoing::default()
            };
            let dedup = Outgoing {
                body: "x".into(),
                deduplication_id: Some(id.into()),
                ..Outgoing::default()
            };
            for (outgoing, parameter) in
                [(group, "MessageGroupId"), (dedup, "MessageDeduplicationId")]
            {
                let expected = (!good).then(|| {
                    format!(
                        "Value {id} for parameter {parameter} is invalid. Reason: {parameter} can only include \
                         alphanumeric and punctuation characters. 1 to 128 in length."
                    )
                });
                assert_eq!(
                    outgoing.check_content().err().map(|e| e.message),
                    expected,
                    "{id:?}"
                );
            }
        }
    }

    #[test]
    fn message_attributes_have_a_name_a_type_and_a_value() {
        let table = [
            ("a", text("String", "v"), true),
            ("a-b_c.d9", text("String.json", "{}"), true),
            ("n", text("Number", "-1.5e3"), true),
            ("b", binary("Binary.gif", &[0, 255]), true),
            ("s", text("String", ""), false),
            ("b", binary("Binary", &[]), false),
            ("n", text("Number", "one"), false),
            ("s", text("String", "\0"), false),
            ("s", binary("String", b"v"), false),
            ("b", text("Binary", "v"), false),
            ("t", text("Text", "v"), false),
            ("", text("String", "v"), false),
            ("a b", text("String", "v"), false),
            (".a", text("String", "v"), false),
            ("a.", text("String", "v"), false),
            ("a..b", text("String", "v"), false),
            ("AWS.a", text("String", "v"), false),
            ("Amazon.a", text("String", "v"), false),
        ];
        for (name, attribute, good) in table {
            let outgoing = with_attributes(&[(name, attribute.clone())]);
            assert_eq!(
                outgoing.check_content().is_ok(),
                good,
                "{name:?} {attribute:?}"
            );
        }
    }

    #[test]
    fn ten_attributes_are_allowed_and_eleven_are_not() {
        let names: Vec<String> = (0..11).map(|n| format!("a{n}")).collect();
        let attributes: Vec<_> = names
            .iter()
            .map(|name| (name.as_str(), text("String", "v")))
            .collect();
        assert!(with_attributes(&attributes[..10]).check_content().is_ok());
        assert!(with_attributes(&attributes).check_content().is_err());
    }

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
