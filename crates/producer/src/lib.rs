//! Events into the queue, in order: JSON Lines in, one message per event out.
//!
//! At most one message of a group is in a batch and one send of a group in flight, so a partial failure never lets a
//! later event overtake. What may go next is decided without I/O, in the module `plan`; [`send()`] carries it out.

mod breakage;
mod checkpoint;
mod ids;
mod intake;
mod line;
mod options;
mod plan;
mod reader;
mod report;
mod seen;
mod send;
mod window;

#[cfg(feature = "breakages")]
pub use breakage::Breakage;
pub use breakage::MISTAKES_CAN_BE_MADE;
pub use checkpoint::{Bound, Checkpoint, CheckpointError, Difference, Saved};
pub use event::Share;
pub use ids::InputName;
pub use line::BadLine;
pub use options::{SendError, SendOptions};
pub use reader::MAX_LINE_BYTES;
pub use report::{MAX_REPORTED, Progress, Rejected, Rejection, SendReport, StopReason};
pub use send::{check, send, send_checkpointed, send_strict, send_strict_checkpointed};
