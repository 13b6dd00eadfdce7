//! What a send tells, while it runs and at its end.

use std::time::Duration;

use queue::QueueError;
use queue::limits::AGAIN_WITHIN;

use crate::line::BadLine;
use crate::plan::Halt;

/// Rejected lines that are reported one by one; beyond it they are only counted.
pub const MAX_REPORTED: usize = 1000;

/// A line that was not sent and will not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Its number, counted from 1.
    pub line: u64,
    /// Why.
    pub why: Rejection,
}

/// Why a line was not sent. Which option mends it is for the program to say whose option it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// It is no event that the queue would take.
    #[error(transparent)]
    Bad(#[from] BadLine),
    /// Amazon SQS refused it, in these words.
    #[error("{0}")]
    Refused(String),
    /// Amazon SQS took it for the event of that line.
    #[error(
        "taken for a duplicate of line {0} and dropped: the queue deduplicates over all its groups"
    )]
    DuplicateOfLine(u64),
    /// Amazon SQS took it for an event that another producer sent to the group.
    #[error(
        "taken for a duplicate of another producer's event in the same millisecond and dropped: producers that \
         send to one group at the same time need a lane each"
    )]
    DuplicateOfAnother,
}

/// What became of the lines.
#[derive(Debug)]
pub struct SendReport {
    /// Events that the queue has taken.
    pub sent: u64,
    /// The first [`MAX_REPORTED`] lines that were rejected, in the order of their lines.
    pub rejected: Vec<Rejected>,
    /// How many lines were rejected.
    pub rejected_total: u64,
    /// The first line that was not sent and may be sent again; none when the input was read to its end and sent.
    pub unsent_from: Option<u64>,
    /// Lines after `unsent_from` that *were* sent: going on from there would send them again.
    pub sent_beyond: Vec<u64>,
    /// Unsent lines that the queue may have taken nevertheless, since an attempt ended without an answer.
    pub in_doubt: Vec<u64>,
    /// Why the send ended before its input did.
    pub stopped: Option<StopReason>,
}

impl SendReport {
    /// Whether every line was sent.
    pub fn is_complete(&self) -> bool {
        self.rejected_total == 0 && self.unsent_from.is_none()
    }
}

/// Why a send ended early.
#[derive(Debug, thiserror::Error)]
pub enum StopReason {
    /// The caller asked for it.
    #[error("stopped on request")]
    Asked,
    /// A line had no success for four minutes; its deduplication id would soon mean nothing any more.
    #[error("line {line} could not be sent for {} minutes: {error}", AGAIN_WITHIN.as_secs() / 60)]
    GaveUp {
        /// The line.
        line: u64,
        /// The last error.
        error: String,
    },
    /// The wall clock stands far behind the deduplication ids already used.
    #[error("the clock of this machine was set back: it is {} s behind the events already sent", by.as_secs())]
    ClockBehind {
        /// By how much.
        by: Duration,
    },
    /// The queue refuses everything.
    #[error(transparent)]
    Queue(QueueError),
    /// What was about to be sent could not be noted, so it was not sent.
    #[error("the checkpoint cannot be written: {0}")]
    Checkpoint(String),
    /// The input broke off.
    #[error("the input cannot be read on: {0}")]
    Input(#[source] std::io::Error),
    /// A strict send found a bad line, so nothing was sent.
    #[error("nothing was sent, since a line is bad")]
    Strict,
}

impl From<Halt> for StopReason {
    fn from(halt: Halt) -> Self {
        match halt {
            Halt::Asked => Self::Asked,
            Halt::GaveUp { line, error } => Self::GaveUp { line, error },
            Halt::ClockBehind { by } => Self::ClockBehind { by },
            Halt::Queue(error) => Self::Queue(error),
            Halt::Checkpoint(error) => Self::Checkpoint(error),
        }
    }
}

/// How far a send is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress<'a> {
    /// Lines read.
    pub lines: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Events the queue has taken.
    pub sent: u64,
    /// Lines rejected.
    pub rejected: u64,
    /// Lines from the oldest unsent one to the newest one checked.
    pub look_ahead: usize,
    /// Why nothing new is sent at the moment; it is tried again.
    pub failing: Option<&'a str>,
}

/// Counts as a send goes on.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) sent: u64,
    pub(crate) rejected: Vec<Rejected>,
    pub(crate) rejected_total: u64,
}

impl Tally {
    pub(crate) fn reject(&mut self, line: u64, why: Rejection) {
        self.rejected_total += 1;
        if self.rejected.len() < MAX_REPORTED {
            self.rejected.push(Rejected { line, why });
        }
    }

    pub(crate) fn into_report(mut self) -> SendReport {
        self.rejected.sort_by_key(|rejected| rejected.line);
        SendReport {
            sent: self.sent,
            rejected: self.rejected,
            rejected_total: self.rejected_total,
            unsent_from: None,
            sent_beyond: Vec::new(),
            in_doubt: Vec::new(),
            stopped: None,
        }
    }
}
