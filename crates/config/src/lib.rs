//! The configuration: one TOML file with the environment laid over it, read into types that are valid
//! once they exist.
//!
//! A command asks for the part it uses ([`work()`], [`queue_url`], …) and gets all of it, or every problem
//! with that part at once. Secrets are named in the file and never written there; nothing here prints one.

mod callback;
mod check;
mod console;
pub mod descriptors;
mod endpoint;
mod environment;
mod key;
pub mod keys;
mod problem;
mod queue;
mod reader;
mod retry;
mod source;
mod table;
#[cfg(test)]
mod tests;
mod tree;
mod values;
mod work;
mod worker;

pub use check::{Report, check};
pub use console::{ConsoleConfig, is_loopback};
pub use environment::Environment;
pub use problem::{Invalid, Problem};
pub use queue::QueuePair;
pub use source::Source;
pub use values::{duration, secret};
pub use work::WorkConfig;
pub use worker::WorkerConfig;

use std::net::SocketAddr;

use reader::Reader;
use values::url::QueueUrl;

/// Reads what `work` uses.
///
/// # Errors
/// Every problem with it.
pub fn work(source: &Source) -> Result<WorkConfig, Invalid> {
    read(source, work::read)
}

/// Reads the source queue's URL, all that `send` uses.
///
/// # Errors
/// Every problem with it.
pub fn queue_url(source: &Source) -> Result<String, Invalid> {
    read(source, |reader| {
        queue::source_url(reader).map(QueueUrl::into_string)
    })
}

/// Reads the internal queue's URL, all that `dlq` uses.
///
/// # Errors
/// Every problem with it.
pub fn dead_letter_url(source: &Source) -> Result<String, Invalid> {
    read(source, |reader| {
        queue::dead_letter_url(reader).map(QueueUrl::into_string)
    })
}

/// Reads both queues' URLs, all that `queues check` uses.
///
/// # Errors
/// Every problem with them.
pub fn queue_pair(source: &Source) -> Result<QueuePair, Invalid> {
    read(source, queue::pair)
}

/// Reads what `console` uses; `listen` is the address given on the command line.
///
/// # Errors
/// Every problem with it.
pub fn console(source: &Source, listen: Option<SocketAddr>) -> Result<ConsoleConfig, Invalid> {
    read(source, |reader| console::read(reader, listen))
}

/// Reads where the attempt ledger is, all that `ledger` uses.
///
/// # Errors
/// Every problem with it.
pub fn ledger(source: &Source) -> Result<store::LedgerSpec, Invalid> {
    read(source, worker::ledger)
}

fn read<T>(source: &Source, part: impl FnOnce(&mut Reader<'_>) -> Option<T>) -> Result<T, Invalid> {
    let mut reader = Reader::new(source);
    let value = part(&mut reader);
    Invalid::unless_empty(reader.finish().problems)?;
    value.ok_or_else(|| Invalid::one("configuration", "cannot be read"))
}
