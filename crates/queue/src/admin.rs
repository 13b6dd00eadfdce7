//! Making a queue pair and checking one: `queues create` and `queues check`.
//!
//! A pair is a source queue and its internal queue, where AWS's own redrive is a backstop only: dead
//! letters are sent there by us, with their attempts.

use crate::limits::MAX_RETENTION_S;

mod backstop;
mod check;
mod create;
mod keeping;
mod usable;

pub use backstop::{Backstop, backstop};
pub use check::{Problem, check_named, check_pair};
pub use create::{CreateError, Kind, NameError, Pair, create_pair};
pub use keeping::{Keeping, keeping};
pub use usable::{NotUsable, Warning, is_pair, retention, usable_pair};

/// The least `maxReceiveCount` with which `work` starts: below it the native redrive takes events away that
/// only waited behind others.
pub const LEAST_RECEIVE_COUNT: u32 = 100;

/// How long a source queue should keep its events, in seconds. The internal queue keeps dead letters for as long as SQS can;
/// a FIFO source keeps its events so long too, since they may stand for days behind a head that waits for its retries (AWS
/// starts the time anew when a FIFO message is dead-lettered). A standard queue's native redrive does not start the
/// time anew: what it moves at the very end of its life is still kept for four days ([dead-letter queues]).
///
/// [dead-letter queues]: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html
pub const fn source_retention_s(fifo: bool) -> u64 {
    if fifo {
        MAX_RETENTION_S
    } else {
        10 * 24 * 3600
    }
}
