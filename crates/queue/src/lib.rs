//! Amazon SQS through `aws-sdk-sqs`: send, receive, settle. The only crate that knows the SDK.
//!
//! A [`Queue`] is one queue whose attributes were read when it was opened. Every call answers for every
//! entry of a batch, in the order given; nothing here retries beyond what the SDK does, decides or logs.

pub mod admin;
mod attributes;
mod clock;
mod connection;
mod dates;
mod error;
mod message;
mod queue;

pub use attributes::{DedupScope, QueueAttributes};
pub use clock::{Clock, Uptime};
pub use connection::Sqs;
pub use error::{EntryError, EntryErrorKind, QueueError};
pub use message::{Attribute, AttributeValue, Outgoing, Received, Sent};
pub use queue::{Counts, Queue, ReceiveOptions};

/// The most entries one batch call takes ([SQS quotas]).
///
/// [SQS quotas]: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
pub const MAX_BATCH: usize = 10;

/// The longest long poll, in seconds (API reference, `ReceiveMessage`).
pub const MAX_WAIT_S: u64 = 20;
