//! Actions on queues.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};

use super::address::{queue_name, queue_url};
use super::shapes::{
    CreateQueue, GetQueueAttributes, GetQueueUrl, List, OfQueue, SetQueueAttributes, TagQueue,
};
use super::{nothing, parse, to_json};
use crate::engine::{Engine, SqsError, UnixMs};

pub(super) fn create_queue(
    engine: &mut Engine,
    base_url: &str,
    body: &[u8],
    now: UnixMs,
) -> Result<Vec<u8>, SqsError> {
    let request: CreateQueue = parse(body)?;
    engine.create_queue(&request.queue_name, &request.attributes, &request.tags, now)?;
    Ok(to_json(
        &json!({ "QueueUrl": queue_url(base_url, &request.queue_name) }),
    ))
}

pub(super) fn get_queue_url(
    engine: &mut Engine,
    base_url: &str,
    body: &[u8],
) -> Result<Vec<u8>, SqsError> {
    let request: GetQueueUrl = parse(body)?;
    if request.queue_name.is_empty() {
        return Err(SqsError::missing("QueueName"));
    }
    engine.check_queue(&request.queue_name)?;
    Ok(to_json(
        &json!({ "QueueUrl": queue_url(base_url, &request.queue_name) }),
    ))
}

pub(super) fn get_queue_attributes(
    engine: &mut Engine,
    body: &[u8],
    now: UnixMs,
) -> Result<Vec<u8>, SqsError> {
    let request: GetQueueAttributes = parse(body)?;
    let attributes = engine.queue_attributes(
        queue_name(&request.queue_url)?,
        &request.attribute_names,
        now,
    )?;
    Ok(unless_empty("Attributes", attributes))
}

pub(super) fn set_queue_attributes(
    engine: &mut Engine,
    body: &[u8],
    now: UnixMs,
) -> Result<Vec<u8>, SqsError> {
    let request: SetQueueAttributes = parse(body)?;
    engine.set_queue_attributes(queue_name(&request.queue_url)?, &request.attributes, now)?;
    Ok(nothing())
}

pub(super) fn list_queues(
    engine: &mut Engine,
    base_url: &str,
    body: &[u8],
) -> Result<Vec<u8>, SqsError> {
    let request: List = parse(body)?;
    let prefix = request.queue_name_prefix.as_deref().unwrap_or_default();
    page(&request, base_url, "QueueUrls", |after, max| {
        Ok(engine.queue_names(prefix, after, max))
    })
}

pub(super) fn list_dead_letter_sources(
    engine: &mut Engine,
    base_url: &str,
    body: &[u8],
) -> Result<Vec<u8>, SqsError> {
    let request: List = parse(body)?;
    let name = queue_name(&request.queue_url)?;
    // Spelled in lower case by SQS.
    page(&request, base_url, "queueUrls", |after, max| {
        engine.dead_letter_sources(name, after, max)
    })
}

/// One page of queue URLs. The token is the last name of the page before; there is one only if `MaxResults` was given.
fn page(
    request: &List,
    base_url: &str,
    member: &str,
    names: impl FnOnce(Option<&str>, usize) -> Result<Vec<String>, SqsError>,
) -> Result<Vec<u8>, SqsError> {
    let max = request.max_results.unwrap_or(1000);
    if !(1..=1000).contains(&max) {
        return Err(SqsError::invalid_value(
            max,
            "MaxResults",
            "Must be between 1 and 1000, if provided.",
        ));
    }
    let after = match &request.next_token {
        None => None,
        Some(token) => {
            let name = STANDARD
                .decode(token)
                .ok()
                .and_then(|bytes| String::from_utf8(bytes).ok());
            Some(name.ok_or_else(|| {
                SqsError::invalid_value(token, "NextToken", "Invalid or expired next token.")
            })?)
        }
    };
    let max = max as usize;
    let mut names = names(after.as_deref(), max + 1)?;
    let more = names.len() > max;
    names.truncate(max);
    let mut answer = Map::new();
    if more && request.max_results.is_some() {
        answer.insert(
            "NextToken".to_owned(),
            names.last().map(|name| STANDARD.encode(name)).into(),
        );
    }
    let urls: Vec<Value> = names
        .iter()
        .map(|name| queue_url(base_url, name).into())
        .collect();
    if !urls.is_empty() || member == "queueUrls" {
        answer.insert(member.to_owned(), urls.into());
    }
    Ok(to_json(&answer))
}

pub(super) fn tag_queue(engine: &mut Engine, body: &[u8]) -> Result<Vec<u8>, SqsError> {
    let request: TagQueue = parse(body)?;
    engine.tag_queue(queue_name(&request.queue_url)?, request.tags)?;
    Ok(nothing())
}

pub(super) fn untag_queue(engine: &mut Engine, body: &[u8]) -> Result<Vec<u8>, SqsError> {
    let request: TagQueue = parse(body)?;
    engine.untag_queue(queue_name(&request.queue_url)?, &request.tag_keys)?;
    Ok(nothing())
}

pub(super) fn list_queue_tags(engine: &mut Engine, body: &[u8]) -> Result<Vec<u8>, SqsError> {
    let request: OfQueue = parse(body)?;
    let tags = engine.queue_tags(queue_name(&request.queue_url)?)?;
    Ok(unless_empty("Tags", tags.iter().collect()))
}

fn unless_empty<K: serde::Serialize + Ord, V: serde::Serialize>(
    member: &str,
    values: BTreeMap<K, V>,
) -> Vec<u8> {
    if values.is_empty() {
        nothing()
    } else {
        to_json(&BTreeMap::from([(member, values)]))
    }
}
