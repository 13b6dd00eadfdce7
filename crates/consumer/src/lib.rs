//! The worker: poll, lanes, deliver, settle.
//!
//! The decisions are made in `delivery`; what lives here carries them out. One receive becomes lanes, one
//! per message group; a lane attempts its messages in order and ends when its head has to wait. The wait is
//! spent in the queue, never in a sleep.

mod batch;
mod breakage;
mod lanes;
pub mod post;
mod report;
mod routes;
mod service;
mod settings;
mod tally;
mod watch;

pub use batch::Batches;
#[cfg(feature = "breakages")]
pub use breakage::Breakage;
pub use breakage::MISTAKES_CAN_BE_MADE;
pub use lanes::left::{Left, Why};
pub use lanes::shared::Wiring;
pub use service::health::Health;
pub use service::worker::Worker;
pub use settings::{Mode, Settings, Summary};
