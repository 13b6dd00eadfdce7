//! Queues on a local SQS.

mod admin;
mod clock;
