//! One function per action: parse, ask the engine, shape the answer.

use std::collections::{BTreeMap, HashSet};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};

use super::receive::{self, LongPoll};
use super::shapes::{
    Batch, BatchAnswer, CreateQueue, Entry, Failed, GetQueueAttributes, GetQueueUrl, List,
    MoveTaskRequest, OfQueue, OfReceipt, ReceiptEntry, SendEntry, SendMessage, SentShape,
    SetQueueAttributes, Settled, TagQueue,
};
use super::{BaseUrl, parse, to_json};
use crate::engine::{ACCOUNT, Engine, ErrorKind, MoveTask, SqsError, Status, UnixMs};

/// Most entries of a batch.
const MAX_ENTRIES: usize = 10;
/// Most bytes of all messages of a send batch together.
const MAX_BATCH_BYTES: usize = 1_048_576;

/// What an action came to.
pub(super) enum Outcome {
    /// The body of the answer.
    Done(Vec<u8>),
    Wait(LongPoll),
}

pub(super) fn run(
    engine: &mut Engine,
    base_url: &BaseUrl,
    action: &str,
    body: &[u8],
    now: UnixMs,
) -> Result<Outcome, SqsError> {
    let done = match action {
        "SendMessage" => send_message(engine, body, now),
        "SendMessageBatch" => send_message_batch(engine, body, now),
        "ReceiveMessage" => return receive::start(engine, parse(body)?, now),
        "DeleteMessage" => delete_message(engine, body, now),
        "DeleteMessageBatch" => delete_message_batch(engine, body, now),
        "ChangeMessageVisibility" => change_visibility(engine, body, now),
        "ChangeMessageVisibilityBatch" => change_visibility_batch(engine, body, now),
        "CreateQueue" => create_queue(engine, base_url, body, now),
        "DeleteQueue" => on_queue(body, |name| engine.delete_queue(name)),
        "PurgeQueue" => on_queue(body, |name| engine.purge_queue(name, now)),
        "GetQueueUrl" => get_queue_url(engine, base_url, body),
        "ListQueues" => list_queues(engine, base_url, body),
        "ListDeadLetterSourceQueues" => list_dead_letter_sources(engine, base_url, body),
        "GetQueueAttributes" => get_queue_attributes(engine, body, now),
        "SetQueueAttributes" => set_queue_attributes(engine, body, now),
        "TagQueue" => tag_queue(engine, body),
        "UntagQueue" => untag_queue(engine, body),
        "ListQueueTags" => list_queue_tags(engine, body),
        "StartMessageMoveTask" => start_move_task(engine, body, now),
        "CancelMessageMoveTask" => cancel_move_task(engine, body, now),
        "ListMessageMoveTasks" => list_move_tasks(engine, body, now),
        "AddPermission" | "RemovePermission" => {
            let message = format!("{action} is not part of local-sqs: it checks no permissions.");
            Err(SqsError::new(ErrorKind::UnsupportedOperation, message))
        }
        _ => Err(SqsError::new(
            ErrorKind::UnknownOperation,
            format!("The action {action} is not valid for this endpoint."),
        )),
    };
    Ok(Outcome::Done(done?))
}

/// Name of the queue a URL means: its last segment. Host and account are not looked at, as with any emulator behind an
/// `endpoint_url`.
pub(super) fn queue_name(url: &str) -> Result<&str, SqsError> {
    match url.rsplit('/').next() {
        Some(name) if !name.is_empty() => Ok(name),
        _ if url.is_empty() => Err(SqsError::missing("QueueUrl")),
        _ => Err(SqsError::new(
            ErrorKind::InvalidAddress,
            format!("The address {url} is not valid for this endpoint."),
        )),
    }
}

fn queue_url(base_url: &BaseUrl, name: &str) -> String {
    format!("{base_url}/{ACCOUNT}/{name}")
}

fn nothing() -> Vec<u8> {
    b"{}".to_vec()
}

fn on_queue(
    body: &[u8],
    act: impl FnOnce(&str) -> Result<(), SqsError>,
) -> Result<Vec<u8>, SqsError> {
    let request: OfQueue = parse(body)?;
    act(queue_name(&request.queue_url)?)?;
    Ok(nothing())
}

// ---- messages -------------------------------------------------------------------------------------------------------

fn send_message(engine: &mut Engine, body: &[u8], now: UnixMs) -> Result<Vec<u8>, SqsError> {
    let request: SendMessage = parse(body)?;
    let sent = engine.send(
        queue_name(&request.queue_url)?,
        request.message.into_outgoing()?,
        now,
    )?;
    Ok(to_json(&SentShape::new(None, sent)))
}

fn send_message_batch(engine: &mut Engine, body: &[u8], now: UnixMs) -> Result<Vec<u8>, SqsError> {
    let request: Batch<SendEntry> = parse(body)?;
    let name = queue_name(&request.queue_url)?;
    engine.check_queue(name)?;
    let ids = check_entries("SendMessageBatch", &request.entries)?;
    let batch = request
        .entries
        .into_iter()
        .map(SendEntry::into_outgoing)
        .collect::<Result<Vec<_>, _>>()?;
    let bytes: usize = batch.iter().map(|outgoing| outgoing.size()).sum();
    if bytes > MAX_BATCH_BYTES {
        let message = format!(
            "Batch requests cannot be longer than {MAX_BATCH_BYTES} bytes. You have sent {bytes} bytes."
        );
        return Err(SqsError::new(ErrorKind::BatchRequestTooLong, message));
    }
    let results = engine.send_batch(name, batch, now)?;
    Ok(batch_answer(ids, results, |id, sent| {
        SentShape::new(Some(id), sent)
    }))
}

fn delete_message(engine: &mut Engine, body: &[u8], now: UnixMs) -> Result<Vec<u8>, SqsError> {
    let request: OfReceipt = parse(body)?;
    let name = queue_name(&request.queue_url)?;
    engine.check_queue(name)?;
    engine.delete(name, request.receipt.handle()?, now)?;
    Ok(nothing())
}

fn delete_message_batch(
    engine: &mut Engine,
    body: &[u8],
    now: UnixMs,
) -> Result<Vec<u8>, SqsError> {
    settle_batch(engine, "DeleteMessageBatch", body, |engine, name, entry| {
        engine.delete(name, entry.handle()?, now)
    })
}

fn change_visibility(engine: &mut Engine, body: &[u8], now: UnixMs) -> Result<Vec<u8>, SqsError> {
    let request: OfReceipt = parse(body)?;
    let name = queue_name(&request.queue_url)?;
    engine.check_queue(name)?;
    engine.change_visibility(
        name,
        request.receipt.handle()?,
        request.receipt.visibility_s()?,
        now,
    )?;
    Ok(nothing())
}

fn change_visibility_batch(
    engine: &mut Engine,
    body: &[u8],
    now: UnixMs,
) -> Result<Vec<u8>, SqsError> {
    settle_batch(
        engine,
        "ChangeMessageVisibilityBatch",
        body,
        |engine, name, entry| {
            engine.change_visibility(name, entry.handle()?, entry.visibility_s()?, now)
        },
    )
}

fn settle_batch(
    engine: &mut Engine,
    action: &str,
    body: &[u8],
    settle: impl Fn(&mut Engine, &str, &ReceiptEntry) -> Result<(), SqsError>,
) -> Result<Vec<u8>, SqsError> {
    let request: Batch<ReceiptEntry> = parse(body)?;
    let name = queue_name(&request.queue_url)?;
    engine.check_queue(name)?;
    let ids = check_entries(action, &request.entries)?;
    let results = request
        .entries
        .iter()
        .map(|entry| settle(engine, name, entry))
        .collect();
    Ok(batch_answer(ids, results, |id, ()| Settled { id }))
}

impl ReceiptEntry {
    fn handle(&self) -> Result<&str, SqsError> {
        self.receipt_handle
            .as_deref()
            .ok_or_else(|| SqsError::missing("ReceiptHandle"))
    }

    fn visibility_s(&self) -> Result<i64, SqsError> {
        self.visibility_timeout
            .ok_or_else(|| SqsError::missing("VisibilityTimeout"))
    }
}

/// The ids of a batch: 1 to 10, each of 1 to 80 letters, digits, `-` and `_`, none twice.
fn check_entries<E: Entry>(action: &str, entries: &[E]) -> Result<Vec<String>, SqsError> {
    if entries.is_empty() {
        let message = format!("There should be at least one {action}RequestEntry in the request.");
        return Err(SqsError::new(ErrorKind::EmptyBatchRequest, message));
    }
    if entries.len() > MAX_ENTRIES {
        let found = entries.len();
        let message = format!(
            "Maximum number of entries per request are {MAX_ENTRIES}. You have sent {found}."
        );
        return Err(SqsError::new(
            ErrorKind::TooManyEntriesInBatchRequest,
            message,
        ));
    }
    let mut seen = HashSet::new();
    for entry in entries {
        let id = entry.id();
        let characters = id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        if !(1..=80).contains(&id.len()) || !characters {
            let message = "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 \
                           letters long.";
            return Err(SqsError::new(ErrorKind::InvalidBatchEntryId, message));
        }
        if !seen.insert(id) {
            return Err(SqsError::new(
                ErrorKind::BatchEntryIdsNotDistinct,
                format!("Id {id} repeated."),
            ));
        }
    }
    Ok(entries.iter().map(|entry| entry.id().to_owned()).collect())
}

fn batch_answer<T, S: serde::Serialize>(
    ids: Vec<String>,
    results: Vec<Result<T, SqsError>>,
    shape: impl Fn(String, T) -> S,
) -> Vec<u8> {
    let mut answer = BatchAnswer {
        successful: Vec::new(),
        failed: Vec::new(),
    };
    for (id, result) in ids.into_iter().zip(results) {
        match result {
            Ok(value) => answer.successful.push(shape(id, value)),
            Err(error) => answer.failed.push(Failed::new(id, error)),
        }
    }
    to_json(&answer)
}

// ---- queues ---------------------------------------------------------------------------------------------------------

fn create_queue(
    engine: &mut Engine,
    base_url: &BaseUrl,
    body: &[u8],
    now: UnixMs,
) -> Result<Vec<u8>, SqsError> {
    let request: CreateQueue = parse(body)?;
    engine.create_queue(&request.queue_name, &request.attributes, &request.tags, now)?;
    Ok(to_json(
        &json!({ "QueueUrl": queue_url(base_url, &request.queue_name) }),
    ))
}

fn get_queue_url(
    engine: &mut Engine,
    base_url: &BaseUrl,
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

fn get_queue_attributes(
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

fn set_queue_attributes(
    engine: &mut Engine,
    body: &[u8],
    now: UnixMs,
) -> Result<Vec<u8>, SqsError> {
    let request: SetQueueAttributes = parse(body)?;
    engine.set_queue_attributes(queue_name(&request.queue_url)?, &request.attributes, now)?;
    Ok(nothing())
}

fn list_queues(engine: &mut Engine, base_url: &BaseUrl, body: &[u8]) -> Result<Vec<u8>, SqsError> {
    let request: List = parse(body)?;
    let prefix = request.queue_name_prefix.as_deref().unwrap_or_default();
    page(&request, base_url, "QueueUrls", |after, max| {
        Ok(engine.queue_names(prefix, after, max))
    })
}

fn list_dead_letter_sources(
    engine: &mut Engine,
    base_url: &BaseUrl,
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
    base_url: &BaseUrl,
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

fn tag_queue(engine: &mut Engine, body: &[u8]) -> Result<Vec<u8>, SqsError> {
    let request: TagQueue = parse(body)?;
    engine.tag_queue(queue_name(&request.queue_url)?, request.tags)?;
    Ok(nothing())
}

fn untag_queue(engine: &mut Engine, body: &[u8]) -> Result<Vec<u8>, SqsError> {
    let request: TagQueue = parse(body)?;
    engine.untag_queue(queue_name(&request.queue_url)?, &request.tag_keys)?;
    Ok(nothing())
}

fn list_queue_tags(engine: &mut Engine, body: &[u8]) -> Result<Vec<u8>, SqsError> {
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

// ---- move tasks -----------------------------------------------------------------------------------------------------

fn start_move_task(engine: &mut Engine, body: &[u8], now: UnixMs) -> Result<Vec<u8>, SqsError> {
    let request: MoveTaskRequest = parse(body)?;
    let rate = request.max_number_of_messages_per_second;
    let handle = engine.start_move_task(
        &request.source_arn,
        request.destination_arn.as_deref(),
        rate,
        now,
    )?;
    Ok(to_json(&json!({ "TaskHandle": handle })))
}

fn cancel_move_task(engine: &mut Engine, body: &[u8], now: UnixMs) -> Result<Vec<u8>, SqsError> {
    let request: MoveTaskRequest = parse(body)?;
    let moved = engine.cancel_move_task(&request.task_handle, now)?;
    Ok(to_json(
        &json!({ "ApproximateNumberOfMessagesMoved": moved }),
    ))
}

fn list_move_tasks(engine: &mut Engine, body: &[u8], now: UnixMs) -> Result<Vec<u8>, SqsError> {
    let request: MoveTaskRequest = parse(body)?;
    let max = request.max_results.unwrap_or(1);
    if !(1..=10).contains(&max) {
        return Err(SqsError::invalid_value(
            max,
            "MaxResults",
            "Must be between 1 and 10, if provided.",
        ));
    }
    let tasks = engine.move_tasks(&request.source_arn, max as usize, now)?;
    Ok(to_json(
        &json!({ "Results": tasks.iter().map(task_shape).collect::<Vec<_>>() }),
    ))
}

fn task_shape(task: &MoveTask) -> Value {
    let mut shape = json!({
        "Status": task.status.name(),
        "SourceArn": task.source_arn,
        "StartedTimestamp": task.started_at,
        "ApproximateNumberOfMessagesToMove": task.to_move,
        "ApproximateNumberOfMessagesMoved": task.moved,
    });
    let failure = match task.status {
        Status::Failed(reason) => Some(reason),
        _ => None,
    };
    let optional: [(&str, Option<Value>); 4] = [
        // Only a running task can be cancelled, so only it has a handle.
        (
            "TaskHandle",
            (task.status == Status::Running).then(|| task.handle.clone().into()),
        ),
        (
            "DestinationArn",
            task.destination_arn.clone().map(Into::into),
        ),
        (
            "MaxNumberOfMessagesPerSecond",
            task.per_second.map(Into::into),
        ),
        ("FailureReason", failure.map(Into::into)),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            shape[name] = value;
        }
    }
    shape
}
