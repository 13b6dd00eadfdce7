//! What SQS refuses in a message whatever the queue.

use super::error::{ErrorKind, SqsError};
use super::message::{AttributeValue, Attributes, Outgoing};

/// Most message attributes of one message.
const MAX_ATTRIBUTES: usize = 10;

/// Punctuation allowed in group and deduplication ids besides letters and digits.
const ID_PUNCTUATION: &str = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

impl Outgoing {
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
                text.is_empty() || text.parse().is_ok_and(f64::is_finite)
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
    use super::super::message::Attribute;
    use super::*;
    use crate::engine::message::samples::{text, with_attributes};

    fn binary(data_type: &str, value: &[u8]) -> Attribute {
        Attribute {
            data_type: data_type.into(),
            value: AttributeValue::Binary(value.into()),
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
            ("n", text("Number", "inf"), false),
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
}
