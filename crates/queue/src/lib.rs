//! Amazon SQS through `aws-sdk-sqs`: send, receive, settle. The only crate that knows the SDK.
//!
//! A [`Queue`] is one queue whose attributes were read when it was opened. Every call answers for every
//! entry of a batch, in the order given; nothing here retries beyond what the SDK does, decides or logs.

pub mod admin;
mod attributes;
mod carry;
mod clock;
mod connection;
mod dates;
mod error;
pub mod limits;
mod message;
mod queue;
mod same;

pub use attributes::{DedupScope, QueueAttributes};
pub use carry::{Named, with_record};
pub use clock::{Clock, Uptime};
pub use connection::Sqs;
pub use error::{EntryError, EntryErrorKind, QueueError};
pub use limits::{MAX_BATCH, MAX_WAIT_S};
pub use message::{Attribute, AttributeValue, Outgoing, Received, Sent};
pub use queue::{Counts, Queue, ReceiveOptions};
pub use same::is_same_url;
