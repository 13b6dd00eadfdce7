//! Puts dead letters back from a file that an export or a drop wrote.

mod lines;
mod message;
mod report;

use std::collections::BTreeMap;
use std::io::{self, BufRead, Seek, SeekFrom};
use std::time::Duration;

use queue::limits::{AGAIN_WITHIN, batch_bytes};
use queue::{EntryError, EntryErrorKind, MAX_BATCH, Outgoing, Queue, QueueError, Sent};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::Audit;
use crate::letter_file::Line;
use lines::{Lines, MAX_LINE_BYTES, Text};
use message::message;

pub use report::{
    Checked, ImportEnd, ImportProgress, Imported, MAX_REPORTED, Rejected, RejectedLines,
};

const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// So many lines are checked without letting others have their turn.
const LINES_PER_TURN: u64 = 64;

/// Checks every line from `from_line` on, and sends nothing.
///
/// # Errors
/// When the input cannot be read.
pub async fn check_import(
    queue: &Queue,
    input: impl BufRead,
    from_line: u64,
    stop: &CancellationToken,
) -> io::Result<Checked> {
    let mut lines = Lines::new(input);
    let mut checked = Checked::default();
    while let Some((number, text)) = lines.next()? {
        if number % LINES_PER_TURN == 0 {
            tokio::task::yield_now().await;
        }
        if stop.is_cancelled() {
            checked.stopped = true;
            break;
        }
        if number < from_line {
            continue;
        }
        match read(queue, text) {
            Ok((line, _)) => checked.note(&line, queue.url()),
            Err(error) => checked.rejected.add(number, error),
        }
    }
    Ok(checked)
}

fn read(queue: &Queue, text: Text<'_>) -> Result<(Line, Outgoing), String> {
    let too_long = || format!("longer than {MAX_LINE_BYTES} bytes");
    let line = Line::parse(text.ok_or_else(too_long)?)?;
    let message = message(&line, queue.attributes())?;
    Ok((line, message))
}

/// Sends the letters of a file that was checked to the internal queue, from `from_line` on, in the order of the file.
/// Within a group one goes after the one ahead of it has arrived, and behind one that SQS refuses nothing goes.
///
/// Each goes with the deduplication id of its line, so that within five minutes SQS drops what is sent again. What
/// may succeed later is tried for four minutes. Memory is bounded whatever the input: one batch is in hand.
///
/// Do not drop this future while it runs: cancel `stop`, which ends it between two calls.
pub async fn import(
    queue: &Queue,
    mut input: impl BufRead + Seek,
    from_line: u64,
    audit: &Audit,
    stop: &CancellationToken,
    progress: impl FnMut(ImportProgress),
) -> Imported {
    if let Err(error) = input.seek(SeekFrom::Start(0)) {
        return Imported {
            unsent_from: Some(from_line),
            stopped: Some(ImportEnd::Input(error)),
            ..Imported::default()
        };
    }
    let importer = Importer {
        queue,
        lines: Lines::new(input),
        from_line,
        next: Next::Unread,
        refused: BTreeMap::new(),
        audit,
        stop,
        progress,
        report: Imported::default(),
    };
    importer.run().await
}

struct Importer<'a, R, P> {
    queue: &'a Queue,
    lines: Lines<R>,
    from_line: u64,
    next: Next,
    /// Groups of which a line was refused, and which line.
    refused: BTreeMap<String, u64>,
    audit: &'a Audit,
    stop: &'a CancellationToken,
    progress: P,
    report: Imported,
}

/// What comes next in the input.
enum Next {
    Unread,
    Letter(Box<Entry>),
    Nothing,
    Trouble(u64, ImportEnd),
}

/// A letter that is to be sent.
struct Entry {
    number: u64,
    line: Line,
    message: Outgoing,
    in_doubt: bool,
}

impl<R: BufRead, P: FnMut(ImportProgress)> Importer<'_, R, P> {
    async fn run(mut self) -> Imported {
        loop {
            self.read_next();
            let ended = match std::mem::replace(&mut self.next, Next::Unread) {
                Next::Letter(entry) if self.stop.is_cancelled() => {
                    Some((entry.number, ImportEnd::Asked))
                }
                Next::Letter(entry) => {
                    let batch = self.batch(*entry);
                    self.send(batch).await.err()
                }
                Next::Trouble(line, end) => Some((line, end)),
                Next::Unread | Next::Nothing => break,
            };
            if let Some((unsent_from, end)) = ended {
                self.report.unsent_from = Some(unsent_from);
                self.report.stopped = Some(end);
                break;
            }
        }
        self.report
    }

    /// Makes sure that what comes next is known. A letter that waits may have become one behind a refused one.
    fn read_next(&mut self) {
        loop {
            if matches!(self.next, Next::Unread) {
                self.next = self.read_line();
            }
            self.pass_over_refused();
            if !matches!(self.next, Next::Unread) {
                return;
            }
        }
    }

    fn read_line(&mut self) -> Next {
        let (number, text) = match self.lines.next() {
            Ok(Some(line)) => line,
            Ok(None) => return Next::Nothing,
            Err(error) => {
                return Next::Trouble(self.lines.number() + 1, ImportEnd::Input(error));
            }
        };
        if number < self.from_line {
            return Next::Unread;
        }
        match read(self.queue, text) {
            Ok((line, message)) => Next::Letter(Box::new(Entry {
                number,
                line,
                message,
                in_doubt: false,
            })),
            Err(error) => {
                let line = number;
                Next::Trouble(line, ImportEnd::Changed { line, error })
            }
        }
    }

    fn pass_over_refused(&mut self) {
        let Next::Letter(entry) = &self.next else {
            return;
        };
        let group = entry.message.group.as_deref();
        if let Some(ahead) = group.and_then(|group| self.refused.get(group)) {
            let error = format!("not sent: line {ahead} of its group was refused");
            self.report.rejected.add(entry.number, error);
            self.next = Next::Unread;
        }
    }

    /// This letter and those that can go with it: no two of a group, since one that fails must not be overtaken.
    fn batch(&mut self, first: Entry) -> Vec<Entry> {
        let limit = batch_bytes(self.queue.attributes().maximum_message_size);
        let mut size = first.message.size();
        let mut batch = vec![first];
        while batch.len() < MAX_BATCH {
            self.read_next();
            let Next::Letter(entry) = &self.next else {
                break;
            };
            size += entry.message.size();
            let group = &entry.message.group;
            let waits = group.is_some() && batch.iter().any(|other| other.message.group == *group);
            if waits || size > limit {
                break;
            }
            if let Next::Letter(entry) = std::mem::replace(&mut self.next, Next::Unread) {
                batch.push(*entry);
            }
        }
        batch
    }

    /// Sends a batch until each of it is in the queue or refused.
    ///
    /// # Errors
    /// Why the import ends, and at which line.
    async fn send(&mut self, mut left: Vec<Entry>) -> Result<(), (u64, ImportEnd)> {
        let (give_up_at, mut pause) = (Instant::now() + AGAIN_WITHIN, FIRST_PAUSE);
        let (mut sent, mut alone) = (Vec::new(), false);
        while !left.is_empty() {
            let rest = left.split_off(if alone { 1 } else { left.len() });
            let messages: Vec<_> = left.iter().map(|entry| entry.message.clone()).collect();
            let trouble = match self.queue.send_batch(&messages).await {
                Ok(answers) => self.settle(&mut left, answers, &mut sent),
                Err(error) if error.blames_message() && left.len() == 1 => {
                    left.drain(..).for_each(|entry| self.refuse(entry, &error));
                    None
                }
                Err(error) if error.blames_message() => {
                    alone = true;
                    None
                }
                Err(error) => Some(trouble_of_call(&mut left, error)),
            };
            left.extend(rest);
            self.tell();
            let end = match (trouble, left.first()) {
                (None, _) | (_, None) => continue,
                (Some(Trouble::Lasts(error)), _) => ImportEnd::Queue(error),
                (Some(Trouble::MayPass(error)), Some(first)) if Instant::now() >= give_up_at => {
                    let line = first.number;
                    ImportEnd::GaveUp { line, error }
                }
                (Some(Trouble::MayPass(error)), _) => {
                    if pause == FIRST_PAUSE {
                        tracing::warn!(queue = self.queue.url(), %error, "importing fails, trying again");
                    }
                    if self.waited(&mut pause).await {
                        continue;
                    }
                    ImportEnd::Asked
                }
            };
            return Err(self.ended(&left, &sent, end));
        }
        Ok(())
    }

    /// Takes out of `left` what is in the queue or refused.
    fn settle(
        &mut self,
        left: &mut Vec<Entry>,
        answers: Vec<Result<Sent, EntryError>>,
        sent: &mut Vec<u64>,
    ) -> Option<Trouble> {
        let mut trouble = None;
        for (mut entry, answer) in std::mem::take(left).into_iter().zip(answers) {
            match answer {
                Ok(put) => {
                    let (line, queue) = (&entry.line, self.queue.url());
                    self.audit.imported(line, queue, &put.message_id);
                    self.report.imported += 1;
                    sent.push(entry.number);
                }
                Err(error) if error.blames_message() => self.refuse(entry, &error),
                Err(error) => {
                    entry.in_doubt |= error.kind() == EntryErrorKind::Server;
                    left.push(entry);
                    trouble = match trouble {
                        Some(Trouble::Lasts(error)) => Some(Trouble::Lasts(error)),
                        _ => Some(trouble_of_entry(error, self.queue.url())),
                    };
                }
            }
        }
        trouble
    }

    fn refuse(&mut self, entry: Entry, error: &dyn std::fmt::Display) {
        if let Some(group) = entry.message.group {
            self.refused.insert(group, entry.number);
        }
        let error = format!("refused by SQS: {error}");
        self.report.rejected.add(entry.number, error);
    }

    /// Says whether the pause is over, and not interrupted; the next one is longer.
    async fn waited(&self, pause: &mut Duration) -> bool {
        let now = std::mem::replace(pause, (*pause * 2).min(LONGEST_PAUSE));
        tokio::select! {
            () = sleep(now) => true,
            () = self.stop.cancelled() => false,
        }
    }

    /// The import ends at the first of `left`.
    fn ended(&mut self, left: &[Entry], sent: &[u64], end: ImportEnd) -> (u64, ImportEnd) {
        let first = left.iter().map(|entry| entry.number).min();
        let first = first.unwrap_or(self.from_line);
        let beyond = sent.iter().copied().filter(|number| *number > first);
        self.report.sent_beyond = beyond.collect();
        let in_doubt = left.iter().filter(|entry| entry.in_doubt);
        self.report.in_doubt = in_doubt.map(|entry| entry.number).collect();
        (first, end)
    }

    fn tell(&mut self) {
        (self.progress)(ImportProgress {
            bytes: self.lines.bytes(),
            imported: self.report.imported,
        });
    }
}

/// Why something was not sent.
enum Trouble {
    MayPass(String),
    Lasts(QueueError),
}

fn trouble_of_call(left: &mut [Entry], error: QueueError) -> Trouble {
    if !error.is_transient() {
        return Trouble::Lasts(error);
    }
    if matches!(error, QueueError::Unreachable { .. }) {
        left.iter_mut().for_each(|entry| entry.in_doubt = true);
    }
    Trouble::MayPass(error.to_string())
}

fn trouble_of_entry(error: EntryError, queue_url: &str) -> Trouble {
    match error.kind() {
        _ if error.is_transient() => Trouble::MayPass(error.to_string()),
        EntryErrorKind::QueueMissing => Trouble::Lasts(QueueError::NotFound {
            url: queue_url.to_owned(),
        }),
        _ => Trouble::Lasts(QueueError::Rejected {
            action: "SendMessageBatch",
            code: error.code,
            message: error.message,
        }),
    }
}
