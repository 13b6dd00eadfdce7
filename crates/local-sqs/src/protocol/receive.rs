//! `ReceiveMessage`, long polls included.

use std::collections::BTreeMap;

use serde::Serialize;

use super::address::queue_name;
use super::shapes::{AttributeShape, ReceiveMessage, sequence_number};
use super::{nothing, to_json};
use crate::engine::{
    ACCOUNT, Attribute, Delivery, Engine, Receive, SqsError, UnixMs, md5_of_attributes,
};

/// System attributes a receive can ask for.
const SYSTEM_ATTRIBUTES: [&str; 10] = [
    "All",
    "SenderId",
    "SentTimestamp",
    "ApproximateReceiveCount",
    "ApproximateFirstReceiveTimestamp",
    "SequenceNumber",
    "MessageDeduplicationId",
    "MessageGroupId",
    "AWSTraceHeader",
    "DeadLetterQueueSourceArn",
];

/// What an action came to.
pub(super) enum Outcome {
    /// The body of the answer.
    Done(Vec<u8>),
    Wait(LongPoll),
}

/// A receive that waits for messages. It holds nothing: dropped, it has never happened.
#[derive(Debug)]
pub struct LongPoll {
    queue_name: String,
    queue_number: u64,
    receive: Receive,
    system_attributes: Names,
    message_attributes: Names,
    until: UnixMs,
    wake_at: UnixMs,
}

impl LongPoll {
    /// The queue it waits for, as in [`Engine::take_stirred`].
    pub fn queue_number(&self) -> u64 {
        self.queue_number
    }

    /// When to look again at the latest: the end of the poll, or an earlier moment at which time frees a message.
    pub fn wake_at(&self) -> UnixMs {
        self.wake_at
    }
}

/// Names, prefixes (`foo.*`) and `All` or `.*`, as receives filter attributes.
#[derive(Debug)]
struct Names(Vec<String>);

impl Names {
    fn contain(&self, name: &str) -> bool {
        self.0
            .iter()
            .any(|pattern| match pattern.strip_suffix(".*") {
                Some(prefix) => name.starts_with(prefix),
                None => pattern == "All" || pattern == name,
            })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Messages<'a> {
    messages: Vec<MessageShape<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct MessageShape<'a> {
    message_id: String,
    receipt_handle: &'a str,
    #[serde(rename = "MD5OfBody")]
    md5_of_body: &'a str,
    body: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<&'static str, String>,
    #[serde(
        rename = "MD5OfMessageAttributes",
        skip_serializing_if = "Option::is_none"
    )]
    md5_of_attributes: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    message_attributes: BTreeMap<&'a str, AttributeShape>,
}

/// Checks a receive and makes its first attempt.
pub(super) fn start(
    engine: &mut Engine,
    request: ReceiveMessage,
    now: UnixMs,
) -> Result<Outcome, SqsError> {
    let queue_name = queue_name(&request.queue_url)?.to_owned();
    let queue_number = engine.queue_number(&queue_name)?;
    let wait_s = engine.receive_wait_s(&queue_name, request.wait_time_seconds)?;
    let mut system_attributes = request.message_system_attribute_names;
    system_attributes.extend(request.attribute_names);
    if let Some(unknown) = system_attributes
        .iter()
        .find(|name| !SYSTEM_ATTRIBUTES.contains(&name.as_str()))
    {
        return Err(SqsError::unknown_attribute(unknown));
    }
    let until = now + wait_s * 1000;
    let poll = LongPoll {
        queue_name,
        queue_number,
        receive: Receive {
            max: request.max_number_of_messages,
            visibility_s: request.visibility_timeout,
            attempt_id: request.receive_request_attempt_id,
        },
        system_attributes: Names(system_attributes),
        message_attributes: Names(request.message_attribute_names),
        until,
        wake_at: until,
    };
    attempt(engine, poll, now)
}

/// Receives what there is, or says until when to wait.
pub(super) fn attempt(
    engine: &mut Engine,
    mut poll: LongPoll,
    now: UnixMs,
) -> Result<Outcome, SqsError> {
    if engine.queue_number(&poll.queue_name)? != poll.queue_number {
        return Err(SqsError::no_such_queue());
    }
    let deliveries = engine.receive(&poll.queue_name, &poll.receive, now)?;
    if !deliveries.is_empty() {
        let messages = deliveries
            .iter()
            .map(|delivery| poll.shape(delivery))
            .collect();
        return Ok(Outcome::Done(to_json(&Messages { messages })));
    }
    if now >= poll.until {
        return Ok(Outcome::Done(nothing()));
    }
    poll.wake_at = engine
        .next_due(&poll.queue_name)
        .map_or(poll.until, |due| due.clamp(now + 1, poll.until));
    Ok(Outcome::Wait(poll))
}

impl LongPoll {
    fn shape<'a>(&self, delivery: &'a Delivery) -> MessageShape<'a> {
        let content = &delivery.message.content;
        let wanted = |(name, _): &(&String, &Attribute)| self.message_attributes.contain(name);
        MessageShape {
            message_id: delivery.message.id.to_string(),
            receipt_handle: &delivery.handle,
            md5_of_body: &content.md5_of_body,
            body: &content.body,
            attributes: self.system_attributes_of(delivery),
            md5_of_attributes: md5_of_attributes(content.attributes.iter().filter(wanted)),
            message_attributes: content
                .attributes
                .iter()
                .filter(wanted)
                .map(|(name, attribute)| (name.as_str(), attribute.into()))
                .collect(),
        }
    }

    fn system_attributes_of(&self, delivery: &Delivery) -> BTreeMap<&'static str, String> {
        if self.system_attributes.0.is_empty() {
            return BTreeMap::new();
        }
        let message = &delivery.message;
        let fifo_seq = message
            .deduplication_id
            .as_ref()
            .map(|_| sequence_number(message.seq));
        let trace = message
            .content
            .system_attributes
            .get("AWSTraceHeader")
            .and_then(|a| a.value.text());
        let all = [
            ("SenderId", Some(ACCOUNT.to_owned())),
            ("SentTimestamp", Some(message.enqueued_at.to_string())),
            (
                "ApproximateReceiveCount",
                Some(message.receive_count.to_string()),
            ),
            (
                "ApproximateFirstReceiveTimestamp",
                message.first_received_at.map(|at| at.to_string()),
            ),
            ("SequenceNumber", fifo_seq),
            (
                "MessageDeduplicationId",
                message.deduplication_id.as_deref().map(str::to_owned),
            ),
            (
                "MessageGroupId",
                message.group_id.as_deref().map(str::to_owned),
            ),
            ("AWSTraceHeader", trace.map(str::to_owned)),
            (
                "DeadLetterQueueSourceArn",
                message.dead_letter_source.as_deref().map(str::to_owned),
            ),
        ];
        all.into_iter()
            .filter(|(name, _)| self.system_attributes.contain(name))
            .filter_map(|(name, value)| Some((name, value?)))
            .collect()
    }
}
