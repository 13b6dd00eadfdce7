//! Carries out what the plan decides: reads lines, makes the calls, waits.

use std::collections::BTreeMap;
use std::io::SeekFrom;

use event::Timestamp;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use queue::{Attribute, Clock, EntryError, EntryErrorKind, Outgoing, Queue, QueueError, Sent};
use tokio::io::{AsyncBufRead, AsyncSeek, AsyncSeekExt};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::breakage::Breakage;
use crate::checkpoint::{Change, Checkpoint};
use crate::intake::{Checked, Earlier, Intake};
use crate::options::{SendError, SendOptions, limits};
use crate::plan::{Halt, Moment, Plan, Sendable, Verdict};
use crate::report::{Progress, Rejection, SendReport, StopReason};
use crate::seen::Seen;

/// Calls in flight at most; a group has at most one event in them.
const MAX_CALLS: usize = 16;

/// Sends the events of `input`, JSON Lines, to the queue, in order within each message group.
///
/// Bad lines are reported and not sent. What may succeed later is tried again with the same deduplication id, with
/// growing pauses, for four minutes; then the send ends and tells from which line to go on. So it does on `stop`, after
/// what is in flight. Memory is bounded whatever the input.
///
/// # Errors
/// When the options cannot be followed. Everything later is told in the report.
pub async fn send(
    queue: &Queue,
    input: impl AsyncBufRead + Unpin,
    options: &SendOptions,
    clock: Clock,
    progress: impl FnMut(Progress<'_>),
    stop: CancellationToken,
) -> Result<SendReport, SendError> {
    send_checkpointed(queue, input, options, None, clock, progress, stop).await
}

/// Sends as [`send`] does, and notes in the checkpoint what it does before it does it. A checkpoint that an earlier send
/// left says from which line to go on, and what to leave out; then `from_line` says nothing.
///
/// # Errors
/// When the options cannot be followed. Everything later is told in the report.
pub async fn send_checkpointed(
    queue: &Queue,
    input: impl AsyncBufRead + Unpin,
    options: &SendOptions,
    checkpoint: Option<&mut Checkpoint>,
    clock: Clock,
    progress: impl FnMut(Progress<'_>),
    stop: CancellationToken,
) -> Result<SendReport, SendError> {
    let mut intake = Intake::new(queue, input, options, clock)?;
    if let Some(checkpoint) = checkpoint.as_deref() {
        go_on(&mut intake, checkpoint);
    }
    let sender = Sender {
        queue,
        attributes: options.attributes()?,
        plan: Plan::new(limits(queue), options.clock(queue)),
        calls: FuturesUnordered::new(),
        seen: Seen::default(),
        failing: None,
        intake,
        checkpoint,
        end: None,
        start: Instant::now(),
        progress,
    };
    Ok(sender.run(&stop).await)
}

fn go_on<R: AsyncBufRead + Unpin>(intake: &mut Intake<R>, checkpoint: &Checkpoint) {
    let state = checkpoint.state();
    let earlier = Earlier {
        any: checkpoint.is_resumed(),
        done: state.done.clone(),
        out: state.out.clone(),
    };
    intake.go_on(state.from, earlier);
}

/// Checks every line as [`send`] does and sends nothing.
///
/// # Errors
/// When the options cannot be followed. Everything later is told in the report, of which `sent` stays 0.
pub async fn check(
    queue: &Queue,
    input: impl AsyncBufRead + Unpin,
    options: &SendOptions,
    clock: Clock,
    mut progress: impl FnMut(Progress<'_>),
    stop: CancellationToken,
) -> Result<SendReport, SendError> {
    let mut intake = Intake::new(queue, input, options, clock)?;
    let stopped = loop {
        if stop.is_cancelled() {
            break Some(StopReason::Asked);
        }
        match intake.next().await {
            Ok(Some(_)) => {}
            Ok(None) => break None,
            Err(error) => break Some(StopReason::Input(error)),
        }
        if intake.is_turn() {
            progress(intake.progress(0, None));
            tokio::task::yield_now().await;
        }
    };
    progress(intake.progress(0, None));
    let mut report = intake.tally.into_report();
    report.stopped = stopped;
    Ok(report)
}

/// Sends the events of `file` only if every line is good: reads it twice.
///
/// # Errors
/// When the options cannot be followed or the file cannot be read from its start again.
pub async fn send_strict(
    queue: &Queue,
    file: impl AsyncBufRead + AsyncSeek + Unpin,
    options: &SendOptions,
    clock: Clock,
    progress: impl FnMut(Progress<'_>),
    stop: CancellationToken,
) -> Result<SendReport, SendError> {
    send_strict_checkpointed(queue, file, options, None, clock, progress, stop).await
}

/// Sends as [`send_strict`] and [`send_checkpointed`] do together.
///
/// # Errors
/// When the options cannot be followed or the file cannot be read from its start again.
pub async fn send_strict_checkpointed(
    queue: &Queue,
    mut file: impl AsyncBufRead + AsyncSeek + Unpin,
    options: &SendOptions,
    checkpoint: Option<&mut Checkpoint>,
    clock: Clock,
    mut progress: impl FnMut(Progress<'_>),
    stop: CancellationToken,
) -> Result<SendReport, SendError> {
    let checked = check(
        queue,
        &mut file,
        options,
        clock.clone(),
        &mut progress,
        stop.clone(),
    )
    .await?;
    if checked.rejected_total > 0 || checked.stopped.is_some() {
        return Ok(SendReport {
            unsent_from: Some(options.from_line.max(1)),
            stopped: checked.stopped.or(Some(StopReason::Strict)),
            ..checked
        });
    }
    file.seek(SeekFrom::Start(0))
        .await
        .map_err(SendError::Rewind)?;
    send_checkpointed(queue, file, options, checkpoint, clock, progress, stop).await
}

/// A line of a batch and its group.
type Way = (u64, Option<String>);

/// The lines of a batch and what the queue answered.
type Call = BoxFuture<'static, (Vec<Way>, BatchAnswer)>;

/// One answer per event of a batch, or why the call failed.
type BatchAnswer = Result<Vec<Result<Sent, EntryError>>, QueueError>;

struct Sender<'q, R, P> {
    queue: &'q Queue,
    attributes: BTreeMap<String, Attribute>,
    plan: Plan,
    calls: FuturesUnordered<Call>,
    seen: Seen,
    /// The newest error while any line fails.
    failing: Option<String>,
    intake: Intake<R>,
    checkpoint: Option<&'q mut Checkpoint>,
    /// How the input ended.
    end: Option<std::io::Result<()>>,
    start: Instant,
    progress: P,
}

impl<R: AsyncBufRead + Unpin, P: FnMut(Progress<'_>)> Sender<'_, R, P> {
    async fn run(mut self, stop: &CancellationToken) -> SendReport {
        loop {
            self.plan.wake(self.moment());
            self.call(false);
            if self.plan.is_done() && (self.end.is_some() || self.plan.halted().is_some()) {
                break;
            }
            let wake_at = self.plan.next_timer().map(|at| self.start + at);
            let may_call = self.calls.len() < MAX_CALLS && self.plan.has_batch();
            tokio::select! {
                biased;
                () = stop.cancelled(), if self.plan.halted().is_none() => self.plan.halt(Halt::Asked),
                Some((lines, answer)) = self.calls.next() => self.settle(&lines, answer),
                checked = self.intake.next(), if self.end.is_none() && self.plan.has_room() => {
                    self.take(checked);
                    if self.intake.is_turn() {
                        self.tell();
                        tokio::task::yield_now().await;
                    }
                }
                // Nothing more to read at the moment: what can go, goes, though the batch is not full.
                () = std::future::ready(()), if may_call => self.call(true),
                () = sleep_until(wake_at.unwrap_or(self.start)), if wake_at.is_some() => {}
                else => break,
            }
        }
        self.tell();
        self.report()
    }

    fn moment(&self) -> Moment {
        Moment {
            wall: self.intake.clock.now(),
            elapsed: self.start.elapsed(),
        }
    }

    fn take(&mut self, checked: std::io::Result<Option<Checked>>) {
        match checked {
            Ok(Some(Checked::Event(line, ready))) => self.plan.admit(line, ready, self.moment()),
            Ok(Some(Checked::Nothing)) => {}
            Ok(None) => self.end = Some(Ok(())),
            Err(error) => self.end = Some(Err(error)),
        }
    }

    /// Starts calls: with full batches, or if `partial` with whatever can go.
    fn call(&mut self, partial: bool) {
        while self.calls.len() < MAX_CALLS
            && let Some(batch) = self.plan.next_batch(partial, self.moment())
        {
            if let Err(error) = self.note_out(&batch) {
                self.give_back(&batch, &error);
                return;
            }
            let queue = self.queue.clone();
            let lines = batch.iter().map(|s| (s.line, s.group.clone())).collect();
            let messages: Vec<_> = batch.into_iter().map(|s| self.outgoing(s)).collect();
            let call = async move { (lines, queue.send_batch(&messages).await) };
            self.calls.push(Box::pin(call));
        }
    }

    fn outgoing(&self, sendable: Sendable) -> Outgoing {
        let id = sendable.deduplication_id;
        Outgoing {
            body: sendable.body,
            group: sendable.group,
            deduplication_id: id.map(Timestamp::deduplication_id),
            attributes: self.attributes.clone(),
        }
    }

    /// Notes what goes to the queue, so that whoever goes on after this process sends it under the same ids.
    fn note_out(&mut self, batch: &[Sendable]) -> Result<(), String> {
        if Breakage::NotedAfterwards.is_made() {
            return Ok(());
        }
        let out = batch.iter().map(|s| (s.line, s.deduplication_id));
        self.note(out.collect(), Vec::new())
    }

    fn give_back(&mut self, batch: &[Sendable], error: &str) {
        let at = self.moment();
        for sendable in batch {
            let verdict = Verdict::Halted(Halt::Checkpoint(error.to_owned()));
            self.plan.settle(sendable.line, verdict, at);
        }
    }

    fn note(&mut self, out: Vec<(u64, Option<Timestamp>)>, done: Vec<u64>) -> Result<(), String> {
        let (from, read) = (self.unsent_from(), self.intake.lines.place());
        let Some(checkpoint) = &mut self.checkpoint else {
            return Ok(());
        };
        let change = Change {
            from,
            read,
            out,
            done,
        };
        checkpoint.note(change).map_err(|error| error.to_string())
    }

    /// The first line that is not settled, or not read.
    fn unsent_from(&self) -> u64 {
        let next_line = (self.intake.lines.number() + 1).max(self.intake.from_line);
        self.plan.unsent_from().unwrap_or(next_line)
    }

    fn settle(&mut self, lines: &[Way], answer: BatchAnswer) {
        let at = self.moment();
        let mut done = Vec::new();
        match answer {
            Ok(answers) => {
                for ((line, group), answer) in lines.iter().zip(answers) {
                    let (line, group) = (*line, group.as_deref());
                    let verdict = self.judge(line, group, answer);
                    done.extend(verdict.is_final().then_some(line));
                    self.plan.settle(line, verdict, at);
                }
            }
            Err(error) => {
                for &(line, _) in lines {
                    let verdict = self.judge_call(line, lines.len(), &error);
                    done.extend(verdict.is_final().then_some(line));
                    self.plan.settle(line, verdict, at);
                }
            }
        }
        if let Err(error) = self.note(Vec::new(), done) {
            self.plan.halt(Halt::Checkpoint(error));
        }
        self.note_recovery();
        self.tell();
    }

    fn judge(
        &mut self,
        line: u64,
        group: Option<&str>,
        answer: Result<Sent, EntryError>,
    ) -> Verdict {
        let error = match answer {
            Ok(sent) => return self.judge_sent(line, group, &sent),
            Err(error) => error,
        };
        match error.kind() {
            EntryErrorKind::Throttled => self.fail(error.to_string(), false),
            EntryErrorKind::Server => self.fail(error.to_string(), true),
            _ if error.blames_message() => {
                let told = format!("refused by Amazon SQS: {error}");
                self.refuse(line, Rejection::Refused(told))
            }
            EntryErrorKind::QueueMissing => Verdict::Halted(Halt::Queue(QueueError::NotFound {
                url: self.queue.url().to_owned(),
            })),
            _ => Verdict::Halted(Halt::Queue(match self.queue.denial_of_send(&error) {
                Some(denied) => denied,
                None => QueueError::Rejected {
                    action: "SendMessageBatch",
                    code: error.code,
                    message: error.message,
                },
            })),
        }
    }

    fn judge_sent(&mut self, line: u64, group: Option<&str>, sent: &Sent) -> Verdict {
        let sequence_number = sent.sequence_number.as_deref();
        if let Some(earlier) = self.seen.note(&sent.message_id, line) {
            return self.refuse(line, Rejection::DuplicateOfLine(earlier));
        }
        if let (Some(group), Some(number)) = (group, sequence_number)
            && !self.seen.is_next(group, number)
        {
            return self.refuse(line, Rejection::DuplicateOfAnother);
        }
        self.intake.tally.sent += 1;
        Verdict::Sent
    }

    fn judge_call(&mut self, line: u64, together: usize, error: &QueueError) -> Verdict {
        match error {
            QueueError::Throttled { .. } => self.fail(error.to_string(), false),
            QueueError::Unreachable { .. } => self.fail(error.to_string(), true),
            error if error.blames_message() => match together {
                1 => self.refuse(line, Rejection::Refused(error.to_string())),
                _ => Verdict::RefusedTogether,
            },
            _ => Verdict::Halted(Halt::Queue(error.clone())),
        }
    }

    fn refuse(&mut self, line: u64, why: Rejection) -> Verdict {
        self.intake.tally.reject(line, why);
        Verdict::Refused
    }

    fn fail(&mut self, error: String, in_doubt: bool) -> Verdict {
        if self.failing.is_none() {
            tracing::warn!(queue = self.queue.url(), %error, "sending fails, trying again");
        }
        self.failing = Some(error.clone());
        Verdict::Failed { error, in_doubt }
    }

    fn note_recovery(&mut self) {
        if !self.plan.is_failing() && self.failing.take().is_some() {
            tracing::info!(queue = self.queue.url(), "sending goes on");
        }
    }

    fn tell(&mut self) {
        let look_ahead = self.plan.look_ahead();
        let progress = self.intake.progress(look_ahead, self.failing.as_deref());
        (self.progress)(progress);
    }

    fn report(self) -> SendReport {
        let is_over = matches!(self.end, Some(Ok(()))) && self.plan.unsent_from().is_none();
        let unsent_from = (!is_over).then(|| self.unsent_from());
        let halt = self.plan.halted().cloned().map(StopReason::from);
        let input_error = self.end.and_then(Result::err).map(StopReason::Input);
        SendReport {
            unsent_from,
            sent_beyond: self.plan.sent_beyond(),
            in_doubt: self.plan.in_doubt(),
            stopped: unsent_from.and(halt.or(input_error)),
            ..self.intake.tally.into_report()
        }
    }
}
