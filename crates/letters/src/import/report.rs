//! What an import tells, and the check before it.

use std::io;

use queue::limits::AGAIN_WITHIN;
use queue::{QueueError, is_same_url};
use serde::Serialize;

use crate::letter_file::Line;

/// Rejected lines that are reported one by one; beyond it they are only counted.
pub const MAX_REPORTED: usize = 1_000;

/// What a check found. Nothing has been sent.
#[derive(Debug, Default)]
pub struct Checked {
    /// Lines that can be sent.
    pub good: u64,
    /// The lines that cannot.
    pub rejected: RejectedLines,
    /// How many of the good lines come from another queue, and from which the first of them does.
    pub foreign: Option<(u64, String)>,
    /// Whether it was told to stop.
    pub stopped: bool,
}

/// What came of an import.
#[derive(Debug, Default)]
pub struct Imported {
    /// Letters that are in the queue.
    pub imported: u64,
    /// Lines that SQS refused, and those behind them in their groups.
    pub rejected: RejectedLines,
    /// The first line that was not sent and may be sent again.
    pub unsent_from: Option<u64>,
    /// Lines after `unsent_from` that were sent.
    pub sent_beyond: Vec<u64>,
    /// Unsent lines that the queue may have taken nevertheless, since a try ended without an answer.
    pub in_doubt: Vec<u64>,
    /// Why it ended before the input did.
    pub stopped: Option<ImportEnd>,
}

/// Lines that cannot be sent, the first [`MAX_REPORTED`] one by one.
#[derive(Debug, Default)]
pub struct RejectedLines {
    /// In the order of the file.
    pub lines: Vec<Rejected>,
    /// How many there are.
    pub total: u64,
}

/// A line that cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rejected {
    /// Its number, counted from 1.
    pub line: u64,
    /// What is wrong with it.
    pub error: String,
}

/// Why an import ended early.
#[derive(Debug, thiserror::Error)]
pub enum ImportEnd {
    /// The caller asked for it.
    #[error("stopped on request")]
    Asked,
    /// A line had no success for four minutes.
    #[error("line {line} could not be sent for {} minutes: {error}", AGAIN_WITHIN.as_secs() / 60)]
    GaveUp {
        /// The line.
        line: u64,
        /// The last error.
        error: String,
    },
    /// The queue takes nothing.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The file cannot be read on.
    #[error("the file cannot be read on: {0}")]
    Input(#[source] io::Error),
    /// The file is another than the one that was checked.
    #[error("line {line} is bad, and was not when the file was checked: {error}")]
    Changed {
        /// The line.
        line: u64,
        /// What is wrong with it.
        error: String,
    },
}

/// How far an import is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ImportProgress {
    /// Bytes read, of the file that is sent now.
    pub bytes: u64,
    /// Letters that are in the queue.
    pub imported: u64,
}

impl Checked {
    pub(super) fn note(&mut self, line: &Line, queue_url: &str) {
        self.good += 1;
        if !is_same_url(&line.queue, queue_url) {
            let (count, _) = self.foreign.get_or_insert_with(|| (0, line.queue.clone()));
            *count += 1;
        }
    }
}

impl RejectedLines {
    pub(super) fn add(&mut self, line: u64, error: String) {
        self.total += 1;
        if self.lines.len() < MAX_REPORTED {
            self.lines.push(Rejected { line, error });
        }
    }
}
