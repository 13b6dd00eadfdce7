//! The whole way, as a user runs it: real processes of the program, real sockets.
//!
//! Each test has a queue pair, a directory and receivers of its own, on ports that the system chooses, so all run
//! side by side: on a `local-sqs` each, or together on the SQS that `HOOKLANE_E2E_ENDPOINT` names (`sqs.rs`). Waits between attempts are shortened by configuration; the true minute is tested on virtual time
//! in `crates/consumer`.

mod bad_input;
mod callbacks;
mod dead_letters;
mod failing;
mod ledger;
mod logs;
mod main_job;
mod outage;
mod replays;
mod standard;
mod stopping;
mod upstream;
