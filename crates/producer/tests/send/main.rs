//! The producer against a queue on `local-sqs`, on virtual time.

mod lines;
mod order;
mod rig;
