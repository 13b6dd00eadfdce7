//! Amazon SQS's own numbers, each once, with where AWS says so ([quotas of messages], [quotas of FIFO queues]).
//!
//! [quotas of messages]: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
//! [quotas of FIFO queues]: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-fifo.html

use std::time::Duration;

/// The most entries one batch call takes, and messages one receive brings.
pub const MAX_BATCH: usize = 10;

/// The most that the messages of one `SendMessageBatch` may have together, in bytes.
pub const MAX_BATCH_BYTES: usize = MAX_MESSAGE_BYTES;

/// The largest message that a queue can be made to take, in bytes of body and attributes (`MaximumMessageSize`).
pub const MAX_MESSAGE_BYTES: usize = 1_048_576;

/// The most that a message could have until 2025, in bytes: a batch of an old emulator takes no more, whatever its queue
/// takes.
const OLD_MAX_MESSAGE_BYTES: usize = 256 * 1024;

/// The most message attributes of one message.
pub const MAX_ATTRIBUTES: usize = 10;

/// The longest `MessageGroupId` and `MessageDeduplicationId`, in characters (API reference, `SendMessage`).
pub const MAX_ID: usize = 128;

/// The longest name of a queue, `.fifo` included, in characters (API reference, `CreateQueue`).
pub const MAX_NAME: usize = 80;

/// The longest long poll, in seconds (API reference, `ReceiveMessage`).
pub const MAX_WAIT_S: u64 = 20;

/// The longest that SQS keeps a message, in seconds: 14 days (`MessageRetentionPeriod`).
pub const MAX_RETENTION_S: u64 = 14 * 24 * 3600;

/// The highest `maxReceiveCount` of a redrive policy (API reference, `SetQueueAttributes`).
pub const MAX_RECEIVE_COUNT: u32 = 1_000;

/// For how long SQS remembers a deduplication id: what is sent again within it is not there twice ([exactly-once
/// processing]).
///
/// [exactly-once processing]: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues-exactly-once-processing.html
pub const DEDUPLICATION: Duration = Duration::from_secs(5 * 60);

/// Within this time after the first try a message may be sent again without a second copy: a minute less than
/// [`DEDUPLICATION`], so that the last call, with the time limits and tries within it, still ends before.
pub const AGAIN_WITHIN: Duration = Duration::from_secs(4 * 60);

/// What one `SendMessageBatch` to a queue takes, in bytes, if the largest message that the queue takes has
/// `max_message_bytes`.
pub fn batch_bytes(max_message_bytes: usize) -> usize {
    max_message_bytes.clamp(OLD_MAX_MESSAGE_BYTES, MAX_BATCH_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_takes_what_a_message_may_have_but_never_less_than_it_always_took() {
        assert_eq!(batch_bytes(MAX_MESSAGE_BYTES), 1_048_576);
        assert_eq!(batch_bytes(300_000), 300_000);
        assert_eq!(batch_bytes(1_024), 262_144);
    }
}
