//! The service: long polls that bring lanes what they deliver, until it is told to stop.

pub(crate) mod health;
mod poller;
pub(crate) mod worker;
