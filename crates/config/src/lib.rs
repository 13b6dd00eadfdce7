//! The configuration: one TOML file with the environment laid over it, read into types that are valid
//! once they exist.
//!
//! A command asks for the part it uses ([`work`], [`queue_url`], …) and gets all of it, or every problem
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
mod worker;

pub use check::{Report, check};
pub use console::{ConsoleConfig, is_loopback};
pub use environment::Environment;
pub use problem::{Invalid, Problem};
pub use queue::QueuePair;
pub use source::Source;
pub use values::{duration, secret};
pub use worker::WorkerConfig;

use std::net::SocketAddr;

use reader::Reader;
use values::url::QueueUrl;

/// Everything the worker needs. Not `Debug`: a callback's URL may hold a token.
pub struct WorkConfig {
    /// The source queue and the internal queue.
    pub queues: QueuePair,
    /// Where events go, and how requests are authenticated.
    pub callback: delivery::Callback,
    /// When attempts are made, and what accepts.
    pub schedule: delivery::RetrySchedule,
    /// The worker itself.
    pub worker: WorkerConfig,
    /// Which addresses may be talked to.
    pub endpoint: consumer::post::EndpointPolicy,
    /// What can be used and will not work: to be told.
    pub warnings: Vec<Problem>,
}

/// Reads what `work` uses.
///
/// # Errors
/// Every problem with it.
pub fn work(source: &Source) -> Result<WorkConfig, Invalid> {
    read(source, work_config)
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

fn work_config(reader: &mut Reader<'_>) -> Option<WorkConfig> {
    let environment = callback::environment(reader);
    let queues = queue::pair(reader);
    let endpoint = endpoint::read(reader);
    let callback = match environment {
        Some(environment) => callback::read(reader, environment, endpoint.as_ref()),
        None => {
            callback::check_both(reader, endpoint.as_ref());
            None
        }
    };
    let schedule = retry::read(reader);
    let worker = worker::read(reader, schedule.as_ref());
    Some(WorkConfig {
        queues: queues?,
        callback: callback?,
        schedule: schedule?,
        worker: worker?,
        endpoint: endpoint?,
        warnings: reader.warnings().to_vec(),
    })
}

fn read<T>(source: &Source, part: impl FnOnce(&mut Reader<'_>) -> Option<T>) -> Result<T, Invalid> {
    let mut reader = Reader::new(source);
    let value = part(&mut reader);
    Invalid::unless_empty(reader.finish().problems)?;
    value.ok_or_else(|| Invalid::one("configuration", "cannot be read"))
}
