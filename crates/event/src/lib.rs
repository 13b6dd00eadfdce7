//! What is delivered: the parameters of an event, event setups and the deduplication clock.
//!
//! Nothing here reads a clock, rolls dice, logs or awaits: the time and fresh ids are arguments.

mod body;
mod dedup_clock;
pub mod duration;
mod event;
mod invalid;
mod message;
mod setup;
mod timestamp;

pub use body::{Draft, Fill, append_keys};
pub use dedup_clock::{DedupClock, Scope, Share, ShareError, Slot};
pub use event::Event;
pub use invalid::InvalidEvent;
pub use message::{DEAD_LETTER_ROOM, is_header_text, is_message_character, unsendable_character};
pub use setup::{InvalidSetup, group_of_setup, setup_of_group};
pub use timestamp::Timestamp;

/// The message attribute that names an event, such as `talent_created`.
pub const EVENT_NAME: &str = "event";

/// The parameter that repeats the deduplication id of an event on a FIFO queue.
///
/// The upstream documentation capitalises it so; Amazon SQS writes `MessageDeduplicationId`.
pub const DEDUPLICATION_ID: &str = "MessageDeDuplicationId";

/// The parameter that repeats the message group of an event on a FIFO queue.
pub const GROUP_ID: &str = "MessageGroupId";
