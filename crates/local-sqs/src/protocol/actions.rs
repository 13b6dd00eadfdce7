//! The table of actions.

use super::address::queue_name;
use super::messages::{
    change_visibility, change_visibility_batch, delete_message, delete_message_batch, send_message,
    send_message_batch,
};
use super::move_tasks::{cancel_move_task, list_move_tasks, start_move_task};
use super::queues::{
    create_queue, get_queue_attributes, get_queue_url, list_dead_letter_sources, list_queue_tags,
    list_queues, set_queue_attributes, tag_queue, untag_queue,
};
use super::receive::{self, Outcome};
use super::shapes::OfQueue;
use super::{nothing, parse};
use crate::engine::{Engine, ErrorKind, SqsError, UnixMs};

pub(super) fn run(
    engine: &mut Engine,
    base_url: &str,
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

fn on_queue(
    body: &[u8],
    act: impl FnOnce(&str) -> Result<(), SqsError>,
) -> Result<Vec<u8>, SqsError> {
    let request: OfQueue = parse(body)?;
    act(queue_name(&request.queue_url)?)?;
    Ok(nothing())
}
