//! What to do about a delivery: outcome, retry schedule, visit, lane, signature, dead-letter record.
//!
//! Pure: time and jitter are arguments, nothing here reads a clock, awaits or logs.

mod callback;
mod dead_letter;
mod deceptive;
mod excerpt;
mod lane;
mod lifetime;
mod named;
mod outcome;
mod printable;
mod record;
mod replay;
mod request;
mod schedule;
mod secret;
mod sequence;
mod signature;
mod target;

pub use callback::{Callback, masked};
pub use dead_letter::{DEAD_LETTER, DeadLetter, Death, Origin, Reason, dead_letter_group};
pub use deceptive::is_deceptive;
pub use excerpt::*;
pub use lane::{Hide, LONGEST_HIDE, LONGEST_HOLD, Lane, hold};
pub use lifetime::Lifetime;
pub use outcome::{Answer, Failure, FailureKind, Outcome};
pub use printable::{one_line, printable};
pub use record::{Attempt, MOST_BEGUN, Record, RecordState, Verdict, Visit};
pub use replay::{REPLAY, Replay};
pub use request::{InQueue, Posting, webhook_id};
pub use schedule::{
    Decision, MAX_DELAY, MAX_DELAYS, RetryAfter, RetrySchedule, ScheduleError, ScheduleSettings,
};
pub use secret::*;
pub use sequence::{is_sequence_number, sequence_order};
pub use signature::*;
pub use target::{Shape, Target};
