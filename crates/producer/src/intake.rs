//! Lines on their way in: read, numbered, checked.

use std::collections::{BTreeMap, BTreeSet};

use event::Timestamp;
use queue::{Clock, Queue};
use tokio::io::AsyncBufRead;

use crate::line::{BadLine, Ready, Rules};
use crate::options::{SendError, SendOptions};
use crate::reader::{Line, Lines};
use crate::report::{Progress, Tally};

/// After so many lines read without a pause the runtime may look after its sockets, and progress is told.
const LINES_PER_TURN: u64 = 128;

/// Lines that become events.
pub(crate) struct Intake<R> {
    pub(crate) lines: Lines<R>,
    rules: Rules,
    pub(crate) from_line: u64,
    earlier: Earlier,
    pub(crate) clock: Clock,
    pub(crate) tally: Tally,
}

/// What an earlier send left, which this one goes on from.
#[derive(Debug, Default)]
pub(crate) struct Earlier {
    /// Whether there was one: then the lines that it checked are checked again, to tell what is wrong with them.
    pub(crate) any: bool,
    /// Lines that it sent, or that the queue refused.
    pub(crate) done: BTreeSet<u64>,
    /// Lines that it may have sent.
    pub(crate) out: BTreeMap<u64, Option<Timestamp>>,
}

/// One line, checked.
pub(crate) enum Checked {
    Event(u64, Ready),
    /// Blank, skipped or rejected.
    Nothing,
}

impl<R: AsyncBufRead + Unpin> Intake<R> {
    pub(crate) fn new(
        queue: &Queue,
        input: R,
        options: &SendOptions,
        clock: Clock,
    ) -> Result<Self, SendError> {
        Ok(Self {
            lines: Lines::new(input),
            rules: options.rules(queue)?,
            from_line: options.from_line,
            earlier: Earlier::default(),
            clock,
            tally: Tally::default(),
        })
    }

    /// Goes on from an earlier send, at the line that it had come to.
    pub(crate) fn go_on(&mut self, from_line: u64, earlier: Earlier) {
        self.from_line = from_line;
        self.earlier = earlier;
    }

    /// Reads and checks one line; `None` at the end. May be dropped and called again.
    pub(crate) async fn next(&mut self) -> std::io::Result<Option<Checked>> {
        let Some(Line { number, text }) = self.lines.next().await? else {
            return Ok(None);
        };
        let is_before = number < self.from_line;
        if (is_before && !self.earlier.any) || text.is_some_and(|text| text.trim_ascii().is_empty())
        {
            return Ok(Some(Checked::Nothing));
        }
        let checked = text
            .ok_or(BadLine::TooLong)
            .and_then(|text| self.rules.check(number, text, self.clock.now()));
        Ok(Some(match checked {
            Ok(_) if is_before || self.earlier.done.remove(&number) => Checked::Nothing,
            Ok(ready) => {
                let sent_as = self.earlier.out.remove(&number).flatten();
                Checked::Event(number, Ready { sent_as, ..ready })
            }
            Err(error) => {
                self.tally.reject(number, error.into());
                Checked::Nothing
            }
        }))
    }

    pub(crate) fn is_turn(&self) -> bool {
        self.lines.number().is_multiple_of(LINES_PER_TURN)
    }

    pub(crate) fn progress<'a>(&self, look_ahead: usize, failing: Option<&'a str>) -> Progress<'a> {
        Progress {
            lines: self.lines.number(),
            bytes: self.lines.bytes(),
            sent: self.tally.sent,
            rejected: self.tally.rejected_total,
            look_ahead,
            failing,
        }
    }
}
