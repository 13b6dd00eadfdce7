//! What a worker is told, already checked.

use std::time::Duration;

use delivery::{Callback, RetrySchedule};

use crate::routes::Routes;

/// How a worker is to deliver.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where events go and how requests show who they are from.
    pub callback: Callback,
    /// When to try again.
    pub schedule: RetrySchedule,
    /// Lanes, and so POSTs, at the same time; each holds at most ten messages.
    pub max_in_flight: usize,
    /// Bytes of bodies and attributes in hand at the same time; a poll that could bring more waits. One message is
    /// always received, whatever its size.
    pub max_bytes_in_flight: usize,
    /// The lease asked for on each receive.
    pub visibility_timeout: Duration,
    /// How long attempts may go on after the signal to stop.
    pub shutdown_grace: Duration,
}

impl Settings {
    /// What each event is asked for, and what holds for the worker.
    pub(crate) fn split(self) -> (Routes, Limits) {
        let limits = Limits {
            max_in_flight: self.max_in_flight,
            max_bytes_in_flight: self.max_bytes_in_flight,
            visibility_timeout: self.visibility_timeout,
            shutdown_grace: self.shutdown_grace,
        };
        (Routes::new(self.callback, self.schedule), limits)
    }
}

/// How much a worker holds, and for how long: the fields of [`Settings`] of the same names.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) max_in_flight: usize,
    pub(crate) max_bytes_in_flight: usize,
    pub(crate) visibility_timeout: Duration,
    pub(crate) shutdown_grace: Duration,
}

/// When a worker ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// On the signal to stop.
    Serve,
    /// Also when the queue is empty and nothing is held or waiting.
    Drain,
}

/// What a worker has done. Every receive of a message ends as one of three:
/// `received = delivered + dead_lettered + held`.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize)]
pub struct Summary {
    /// Messages handed out by SQS, each receive counted.
    pub received: u64,
    /// HTTP requests made.
    pub attempts: u64,
    /// Events accepted by the receiver.
    pub delivered: u64,
    /// Receives that ended otherwise: the message went back to the queue, to wait for its retry, behind one
    /// that does, or because the worker stopped; or it had been delivered before and was only deleted.
    pub held: u64,
    /// Events moved to the internal queue.
    pub dead_lettered: u64,
    /// Those of them that the source queue would have dropped before their next attempt.
    pub expiring: u64,
    /// How long the worker ran.
    pub duration_s: f64,
}
