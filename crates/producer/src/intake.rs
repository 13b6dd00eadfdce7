//! Lines on their way in: read, numbered, checked.

use queue::{Clock, Queue};
use tokio::io::AsyncBufRead;
use uuid::Uuid;

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
    pub(crate) clock: Clock,
    pub(crate) tally: Tally,
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
            clock,
            tally: Tally::default(),
        })
    }

    /// Reads and checks one line; `None` at the end. May be dropped and called again.
    pub(crate) async fn next(&mut self) -> std::io::Result<Option<Checked>> {
        let Some(Line { number, text }) = self.lines.next().await? else {
            return Ok(None);
        };
        if number < self.from_line || text.is_some_and(|text| text.trim_ascii().is_empty()) {
            return Ok(Some(Checked::Nothing));
        }
        let mut id = Uuid::encode_buffer();
        let fresh_id = Uuid::new_v4().hyphenated().encode_lower(&mut id);
        let checked = text
            .ok_or(BadLine::TooLong)
            .and_then(|text| self.rules.check(text, fresh_id, self.clock.now()));
        Ok(Some(match checked {
            Ok(ready) => Checked::Event(number, ready),
            Err(error) => {
                self.tally.reject(number, error);
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
