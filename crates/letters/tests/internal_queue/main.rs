//! What is done with the dead letters of an internal queue, on virtual time.

mod drop;
mod fair_queues;
mod import;
mod replay;
mod scan;
