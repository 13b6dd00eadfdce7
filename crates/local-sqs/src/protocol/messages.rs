//! Actions on messages: send, delete and change visibility, singly and in batches.

use std::collections::HashSet;

use super::address::queue_name;
use super::shapes::{
    Batch, BatchAnswer, Entry, Failed, OfReceipt, ReceiptEntry, SendEntry, SendMessage, SentShape,
    Settled,
};
use super::{nothing, parse, to_json};
use crate::engine::{Engine, ErrorKind, Outgoing, SqsError, UnixMs};

/// Most entries of a batch.
const MAX_ENTRIES: usize = 10;
/// Most bytes of all messages of a send batch together.
const MAX_BATCH_BYTES: usize = 1_048_576;

pub(super) fn send_message(
    engine: &mut Engine,
    body: &[u8],
    now: UnixMs,
) -> Result<Vec<u8>, SqsError> {
    let request: SendMessage = parse(body)?;
    let sent = engine.send(
        queue_name(&request.queue_url)?,
        request.message.into_outgoing()?,
        now,
    )?;
    Ok(to_json(&SentShape::new(None, sent)))
}

pub(super) fn send_message_batch(
    engine: &mut Engine,
    body: &[u8],
    now: UnixMs,
) -> Result<Vec<u8>, SqsError> {
    let request: Batch<SendEntry> = parse(body)?;
    let name = queue_name(&request.queue_url)?;
    engine.check_queue(name)?;
    let ids = check_entries("SendMessageBatch", &request.entries)?;
    let batch = request
        .entries
        .into_iter()
        .map(SendEntry::into_outgoing)
        .collect::<Result<Vec<_>, _>>()?;
    let bytes: usize = batch.iter().map(Outgoing::size).sum();
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

pub(super) fn delete_message(
    engine: &mut Engine,
    body: &[u8],
    now: UnixMs,
) -> Result<Vec<u8>, SqsError> {
    let request: OfReceipt = parse(body)?;
    let name = queue_name(&request.queue_url)?;
    engine.check_queue(name)?;
    engine.delete(name, request.receipt.handle()?, now)?;
    Ok(nothing())
}

pub(super) fn delete_message_batch(
    engine: &mut Engine,
    body: &[u8],
    now: UnixMs,
) -> Result<Vec<u8>, SqsError> {
    settle_batch(engine, "DeleteMessageBatch", body, |engine, name, entry| {
        engine.delete(name, entry.handle()?, now)
    })
}

pub(super) fn change_visibility(
    engine: &mut Engine,
    body: &[u8],
    now: UnixMs,
) -> Result<Vec<u8>, SqsError> {
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

pub(super) fn change_visibility_batch(
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
