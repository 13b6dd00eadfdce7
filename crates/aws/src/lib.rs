//! How the AWS SDK is set up here, whichever service is called, and what it means when no answer comes. Time
//! limits and retries are the caller's: they depend on what waits for the answer.

mod code;
mod no_answer;
mod route;
mod setup;

pub use code::Fault;
pub use no_answer::NoAnswer;
pub use setup::{Setup, behavior};
