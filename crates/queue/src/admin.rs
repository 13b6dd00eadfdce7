//! Making a queue pair and checking one: `queues create` and `queues check`.
//!
//! A pair is a source queue and its internal queue, where AWS's own redrive is a backstop only: dead
//! letters are sent there by us, with their attempts.

mod backstop;
mod check;
mod create;

pub use backstop::{Backstop, backstop};
pub use check::{Problem, check_pair};
pub use create::{CreateError, Kind, NameError, Pair, create_pair};

/// The `maxReceiveCount` of the native redrive that `queues create` sets: the most that SQS takes. A
/// receive is not an attempt, so it must never be what ends an event's life.
pub const MAX_RECEIVE_COUNT: u32 = 1_000;

/// The least `maxReceiveCount` with which `work` starts: below it the native redrive takes events away that
/// only waited behind others.
pub const LEAST_RECEIVE_COUNT: u32 = 100;
