//! What to do about a delivery: outcome, retry schedule, visit, signature, dead-letter record.
//!
//! Pure: time and jitter are arguments, nothing here reads a clock, awaits or logs.

mod excerpt;
mod outcome;
mod secret;
mod signature;

pub use excerpt::*;
pub use outcome::*;
pub use secret::*;
pub use signature::*;
