//! Actions on message move tasks.

use serde_json::{Value, json};

use super::shapes::MoveTaskRequest;
use super::{parse, to_json};
use crate::engine::{Engine, MoveTask, SqsError, Status, UnixMs};

pub(super) fn start_move_task(
    engine: &mut Engine,
    body: &[u8],
    now: UnixMs,
) -> Result<Vec<u8>, SqsError> {
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

pub(super) fn cancel_move_task(
    engine: &mut Engine,
    body: &[u8],
    now: UnixMs,
) -> Result<Vec<u8>, SqsError> {
    let request: MoveTaskRequest = parse(body)?;
    let moved = engine.cancel_move_task(&request.task_handle, now)?;
    Ok(to_json(
        &json!({ "ApproximateNumberOfMessagesMoved": moved }),
    ))
}

pub(super) fn list_move_tasks(
    engine: &mut Engine,
    body: &[u8],
    now: UnixMs,
) -> Result<Vec<u8>, SqsError> {
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
