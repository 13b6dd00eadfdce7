//! The shapes of requests and answers, named and cased as in the SQS API reference.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Deserializer, Serialize};

use crate::engine::{Attribute, AttributeValue, Attributes, ErrorKind, Outgoing, Sent, SqsError};

pub(super) type Strings = BTreeMap<String, String>;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct CreateQueue {
    pub(super) queue_name: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) attributes: Strings,
    // The one member SQS spells in lower case.
    #[serde(rename = "tags", deserialize_with = "or_default")]
    pub(super) tags: Strings,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct GetQueueUrl {
    pub(super) queue_name: String,
}

/// Every request that names a queue and nothing more.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct OfQueue {
    pub(super) queue_url: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct GetQueueAttributes {
    pub(super) queue_url: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) attribute_names: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct SetQueueAttributes {
    pub(super) queue_url: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) attributes: Strings,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct TagQueue {
    pub(super) queue_url: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) tags: Strings,
    #[serde(deserialize_with = "or_default")]
    pub(super) tag_keys: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct List {
    pub(super) queue_url: String,
    pub(super) queue_name_prefix: Option<String>,
    pub(super) next_token: Option<String>,
    pub(super) max_results: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct SendMessage {
    pub(super) queue_url: String,
    #[serde(flatten)]
    pub(super) message: SendEntry,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct SendEntry {
    id: String,
    message_body: String,
    delay_seconds: Option<i64>,
    message_group_id: Option<String>,
    message_deduplication_id: Option<String>,
    #[serde(deserialize_with = "or_default")]
    message_attributes: BTreeMap<String, AttributeShape>,
    #[serde(deserialize_with = "or_default")]
    message_system_attributes: BTreeMap<String, AttributeShape>,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct AttributeShape {
    data_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    string_value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    binary_value: Option<String>,
}

/// A batch of any of the three kinds.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Batch<E> {
    #[serde(default)]
    pub(super) queue_url: String,
    #[serde(default = "Vec::new")]
    pub(super) entries: Vec<E>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct ReceiptEntry {
    id: String,
    pub(super) receipt_handle: Option<String>,
    pub(super) visibility_timeout: Option<i64>,
}

/// `DeleteMessage` and `ChangeMessageVisibility`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct OfReceipt {
    pub(super) queue_url: String,
    #[serde(flatten)]
    pub(super) receipt: ReceiptEntry,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct ReceiveMessage {
    pub(super) queue_url: String,
    pub(super) max_number_of_messages: Option<i64>,
    pub(super) visibility_timeout: Option<i64>,
    pub(super) wait_time_seconds: Option<i64>,
    pub(super) receive_request_attempt_id: Option<String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) attribute_names: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) message_system_attribute_names: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) message_attribute_names: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct MoveTaskRequest {
    pub(super) source_arn: String,
    pub(super) destination_arn: Option<String>,
    pub(super) max_number_of_messages_per_second: Option<i64>,
    pub(super) task_handle: String,
    pub(super) max_results: Option<i64>,
}

/// What a batch entry of any kind has.
pub(super) trait Entry {
    fn id(&self) -> &str;
}

impl Entry for SendEntry {
    fn id(&self) -> &str {
        &self.id
    }
}

impl Entry for ReceiptEntry {
    fn id(&self) -> &str {
        &self.id
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SentShape {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    message_id: String,
    #[serde(rename = "MD5OfMessageBody")]
    md5_of_body: String,
    #[serde(
        rename = "MD5OfMessageAttributes",
        skip_serializing_if = "Option::is_none"
    )]
    md5_of_attributes: Option<String>,
    #[serde(
        rename = "MD5OfMessageSystemAttributes",
        skip_serializing_if = "Option::is_none"
    )]
    md5_of_system_attributes: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence_number: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Settled {
    pub(super) id: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct BatchAnswer<S> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) successful: Vec<S>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) failed: Vec<Failed>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Failed {
    id: String,
    code: &'static str,
    message: String,
    sender_fault: bool,
}

impl Failed {
    pub(super) fn new(id: String, error: SqsError) -> Self {
        Self {
            id,
            code: error.kind.wire().query_code,
            message: error.message,
            sender_fault: true,
        }
    }
}

impl SentShape {
    pub(super) fn new(id: Option<String>, sent: Sent) -> Self {
        Self {
            id,
            message_id: sent.id.to_string(),
            md5_of_body: sent.md5_of_body,
            md5_of_attributes: sent.md5_of_attributes,
            md5_of_system_attributes: sent.md5_of_system_attributes,
            sequence_number: sent.seq.map(sequence_number),
        }
    }
}

impl SendEntry {
    pub(super) fn into_outgoing(self) -> Result<Outgoing, SqsError> {
        Ok(Outgoing {
            body: self.message_body,
            attributes: attributes(self.message_attributes)?,
            system_attributes: attributes(self.message_system_attributes)?,
            delay_s: self.delay_seconds,
            group_id: self.message_group_id,
            deduplication_id: self.message_deduplication_id,
        })
    }
}

impl From<&Attribute> for AttributeShape {
    fn from(attribute: &Attribute) -> Self {
        let (string_value, binary_value) = match &attribute.value {
            AttributeValue::Text(text) => (Some(text.clone()), None),
            AttributeValue::Binary(bytes) => (None, Some(STANDARD.encode(bytes))),
        };
        Self {
            data_type: attribute.data_type.clone(),
            string_value,
            binary_value,
        }
    }
}

fn attributes(shapes: BTreeMap<String, AttributeShape>) -> Result<Attributes, SqsError> {
    shapes
        .into_iter()
        .map(|(name, shape)| Ok((name.clone(), attribute(&name, shape)?)))
        .collect()
}

fn attribute(name: &str, shape: AttributeShape) -> Result<Attribute, SqsError> {
    let refuse = |what: &str| {
        let message = format!("Message (user) attribute '{name}' {what}.");
        Err(SqsError::new(ErrorKind::InvalidParameterValue, message))
    };
    let value = match (shape.string_value, shape.binary_value) {
        (Some(text), None) => AttributeValue::Text(text),
        (None, Some(base64)) => match STANDARD.decode(base64) {
            Ok(bytes) => AttributeValue::Binary(bytes),
            Err(_) => return refuse("has a binary value that is not Base64"),
        },
        (None, None) => return refuse("must contain a value"),
        (Some(_), Some(_)) => return refuse("must contain one value only"),
    };
    Ok(Attribute {
        data_type: shape.data_type,
        value,
    })
}

/// 20 digits that grow with every message.
pub(super) fn sequence_number(seq: u64) -> String {
    const BASE: u64 = 10_000_000_000_000_000_000;
    (BASE + seq).to_string()
}

/// Reads `null` as absent.
fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
