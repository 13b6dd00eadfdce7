//! The worker: poll, lanes, deliver, settle.
//!
//! The decisions are made in `delivery`; what lives here carries them out. One receive becomes lanes, one
//! per message group; a lane attempts its messages in order and ends when its head has to wait. The wait is
//! spent in the queue, never in a sleep.

mod breakage;
mod bytes;
mod dead_letters;
mod denials;
mod gate;
mod health;
mod lane;
mod lease;
mod memory;
mod notes;
pub mod post;
mod report;
mod routes;
mod settings;
mod settler;
mod shared;
mod standstill;
mod tally;
mod watch;
mod worker;

#[cfg(feature = "breakages")]
pub use breakage::Breakage;
pub use breakage::MISTAKES_CAN_BE_MADE;
pub use health::Health;
pub use settings::{Mode, Settings, Summary};
pub use worker::{Wiring, Worker};
