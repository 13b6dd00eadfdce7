//! `[queue]`: the source queue and the internal queue.

use super::reader::Reader;
use super::table::{DEAD_LETTER_URL, QUEUE_URL};
use super::values::url::QueueUrl;

/// The source queue and its internal queue: two different queues of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuePair {
    /// The queue events are received from.
    pub url: String,
    /// The internal queue, for events that could not be delivered.
    pub dead_letter_url: String,
}

pub(super) fn source_url(reader: &mut Reader<'_>) -> Option<QueueUrl> {
    reader.required(&QUEUE_URL)
}

pub(super) fn dead_letter_url(reader: &mut Reader<'_>) -> Option<QueueUrl> {
    reader.required(&DEAD_LETTER_URL)
}

pub(super) fn pair(reader: &mut Reader<'_>) -> Option<QueuePair> {
    let (url, dead_letter_url) = (source_url(reader), dead_letter_url(reader));
    let (url, dead_letter_url) = (url?, dead_letter_url?);
    let problem = if url.is_same_queue(&dead_letter_url) {
        &format!("the same queue as {QUEUE_URL}: the internal queue must be another one")
    } else {
        match (url.is_fifo(), dead_letter_url.is_fifo()) {
            (true, false) => {
                "a standard queue behind a FIFO source: name a queue that ends in .fifo"
            }
            (false, true) => "a FIFO queue behind a standard source: name a standard queue",
            _ => "",
        }
    };
    if !problem.is_empty() {
        reader.problem(&DEAD_LETTER_URL, problem);
        return None;
    }
    Some(QueuePair {
        url: url.into_string(),
        dead_letter_url: dead_letter_url.into_string(),
    })
}
