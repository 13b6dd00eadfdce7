//! The producer against a queue on `local-sqs`, on virtual time.

mod checkpoint;
mod lines;
mod order;
mod world;
