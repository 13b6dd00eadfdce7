//! The `hooklane` program from outside: arguments, exit codes, what it prints, how it stops.
//!
//! Every test runs the real program with an environment of its own, on ports that the system chooses.

mod configuration;
mod console;
mod denied;
mod dlq;
mod dlq_changes;
mod dlq_files;
mod listen;
mod local_sqs;
mod queues_and_send;
mod readme;
mod sending;
mod signals;
mod start;
mod usage;
mod verify;
