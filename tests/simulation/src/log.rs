//! What was seen of a history, from outside: by SQS, the ledger and the callbacks.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use consumer::Summary;
use delivery::Record;
use store::Note;
use tokio::time::Instant;

use crate::engineer::{Command, Ended};

/// One run of one worker.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Worker {
    pub(crate) slot: usize,
    pub(crate) life: usize,
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "worker {}.{}", self.slot, self.life)
    }
}

/// Whose call to SQS it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caller {
    Producer,
    Worker(Worker),
    /// In the n-th run of a command.
    Engineer(usize),
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Producer => f.write_str("producer"),
            Self::Worker(worker) => write!(f, "{worker:?}"),
            Self::Engineer(run) => write!(f, "engineer {run}"),
        }
    }
}

/// The n-th event of a group, from 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Event {
    pub(crate) group: usize,
    pub(crate) n: usize,
}

impl Event {
    /// Reads a `msg_id`.
    pub(crate) fn parse(msg_id: &str) -> Option<Self> {
        let (group, n) = msg_id.split_once('-')?;
        Some(Self {
            group: group.parse().ok()?,
            n: n.parse().ok()?,
        })
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.group, self.n)
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// One request to a callback.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) event: Event,
    pub(crate) worker: Worker,
    pub(crate) at: Duration,
    /// When the worker decided to make it: it may have stood still since.
    pub(crate) decided: Duration,
    pub(crate) attempt: u32,
    pub(crate) webhook_id: String,
    pub(crate) body: Vec<u8>,
    pub(crate) is_replay: bool,
    pub(crate) sequence_number: String,
    /// The worker stood still between its decision and the request, longer than a lease is sure to last.
    pub(crate) is_stale: bool,
    /// When the callback accepted it.
    pub(crate) accepted: Option<Duration>,
    /// When and with what the worker took the answer.
    pub(crate) answered: Option<(Duration, Taken)>,
    /// The status it took.
    pub(crate) status: Option<u16>,
    /// When the worker dropped it unanswered.
    pub(crate) dropped: Option<Duration>,
}

impl Request {
    /// When it was over for the worker; one that was killed never learns.
    pub(crate) fn over(&self) -> Option<Duration> {
        self.answered.map(|answered| answered.0).or(self.dropped)
    }

    pub(crate) fn seen_accepted(&self) -> Option<Duration> {
        match self.answered {
            Some((at, Taken::Accepted)) => Some(at),
            _ => None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    Accepted,
    Failed,
}

/// One attempt as its request went out.
#[derive(Debug, Clone, Default)]
pub(crate) struct Attempted {
    /// Each time it went out.
    pub(crate) carries: Vec<Carry>,
    /// The worker knows what came of it.
    pub(crate) is_over: bool,
}

/// One time that a request goes out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Carry {
    /// No connection may be used that carried a request before.
    pub(crate) new_only: bool,
    /// The callback had closed the connection: it saw nothing of the request.
    pub(crate) is_lost: bool,
}

/// A record that the ledger took.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    pub(crate) at: Duration,
    pub(crate) worker: Worker,
    pub(crate) message_id: String,
    pub(crate) record: Record,
}

/// A message as SQS handed it out.
#[derive(Debug, Clone)]
pub(crate) struct Receive {
    pub(crate) worker: Worker,
    pub(crate) at: Duration,
    pub(crate) message_id: String,
    pub(crate) count: u64,
}

/// A dead letter that an engineer sent back, as SQS took it.
#[derive(Debug, Clone)]
pub(crate) struct Replayed {
    pub(crate) run: usize,
    pub(crate) at: Duration,
    pub(crate) event: Event,
    /// The MessageId of the letter, as the deduplication id says.
    pub(crate) letter: String,
    /// SQS took it as a new message, not as a repetition.
    pub(crate) is_new: bool,
}

/// One run of a command.
#[derive(Debug, Clone)]
pub(crate) struct CommandRun {
    pub(crate) command: Command,
    pub(crate) ended: Option<Ended>,
    /// Killed, or told to stop.
    pub(crate) was_cut_off: bool,
}

/// What happened to a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    Started,
    Killed,
    Paused,
    Resumed,
    ToldToStop,
    /// With so many messages still in hand.
    Stopped(u64),
    /// Having drained the source queue, which held so much then.
    Drained(u64),
    /// Its `/readyz` says so now.
    Ready(bool),
}

/// One line of the trace.
#[derive(Debug, Clone)]
pub(crate) enum Line {
    Worker(Worker, Turn),
    Call(&'static str, Caller, String, &'static str),
    Requested(usize),
    Over(usize),
    Ledger(Worker, &'static str, &'static str),
    Wrote(usize),
    Noted(Worker, Note),
    Queued(Event, String),
    Received(Worker, Vec<(String, u64)>),
    Engineer(usize, String),
}

#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) lines: Vec<(Duration, Line)>,
    pub(crate) requests: Vec<Request>,
    pub(crate) attempted: Vec<Attempted>,
    pub(crate) written: Vec<Written>,
    pub(crate) receives: Vec<Receive>,
    pub(crate) turns: Vec<(Duration, Worker, Turn)>,
    /// MessageIds in the source queue.
    pub(crate) messages: BTreeMap<String, Event>,
    /// Sends that the internal queue took, as new or as known.
    pub(crate) buried: Vec<(Event, Duration)>,
    /// When each event came to the source queue.
    pub(crate) queued: BTreeMap<Event, Duration>,
    /// MessageIds in the internal queue.
    pub(crate) letters: BTreeMap<String, Event>,
    /// What engineers sent back, as new or as known.
    pub(crate) replayed: Vec<Replayed>,
    pub(crate) runs: Vec<CommandRun>,
    /// What workers said at their end, and when.
    pub(crate) summaries: Vec<(Duration, Worker, Summary)>,
    /// When each worker had answers with a date, and how long each of them took.
    pub(crate) dated: BTreeMap<Worker, Vec<(Duration, Duration)>>,
    /// How often workers called SQS, by action.
    pub(crate) calls: BTreeMap<String, u64>,
}

impl Seen {
    pub(crate) fn event_of(&self, message_id: &str) -> Option<Event> {
        self.messages.get(message_id).copied()
    }

    /// Who works and is not ready.
    pub(crate) fn unready(&self) -> BTreeSet<Worker> {
        let mut unready = BTreeSet::new();
        for (_, worker, turn) in &self.turns {
            match turn {
                Turn::Ready(false) => unready.insert(*worker),
                Turn::Ready(true) | Turn::Killed | Turn::ToldToStop | Turn::Stopped(_) => {
                    unready.remove(worker)
                }
                Turn::Started | Turn::Paused | Turn::Resumed | Turn::Drained(_) => false,
            };
        }
        unready
    }

    /// Whether a worker had been told to stop by then.
    pub(crate) fn was_told_to_stop(&self, worker: Worker, by: Duration) -> bool {
        let told = |(at, who, turn): &(Duration, Worker, Turn)| {
            *who == worker && *turn == Turn::ToldToStop && *at <= by
        };
        self.turns.iter().any(told)
    }

    /// Whether a worker was killed, or stood still, within a span of time.
    pub(crate) fn was_struck(&self, worker: Worker, from: Duration, until: Duration) -> bool {
        let mut paused = false;
        for (at, who, turn) in &self.turns {
            if *who != worker || *at > until {
                continue;
            }
            match turn {
                Turn::Killed if *at >= from => return true,
                Turn::Paused => paused = true,
                Turn::Resumed if *at < from => paused = false,
                _ => {}
            }
        }
        paused
    }
}

/// Takes down what is seen.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    start: Instant,
    seen: Arc<Mutex<Seen>>,
}

impl Log {
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
            seen: Arc::default(),
        }
    }

    pub(crate) fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// A worker has an answer with a date to what it asked then.
    pub(crate) fn dated(&self, worker: Worker, asked: Duration) {
        let now = self.now();
        let dates = &mut self.seen().dated;
        dates.entry(worker).or_default().push((now, now - asked));
    }

    pub(crate) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().expect("no holder panics")
    }

    pub(crate) fn note(&self, line: Line) {
        let now = self.now();
        self.seen().lines.push((now, line));
    }

    /// An attempt begins; says which one it is.
    pub(crate) fn attempted(&self) -> usize {
        let mut seen = self.seen();
        seen.attempted.push(Attempted::default());
        seen.attempted.len() - 1
    }

    pub(crate) fn turn(&self, worker: Worker, turn: Turn) {
        let now = self.now();
        self.seen().turns.push((now, worker, turn));
        self.note(Line::Worker(worker, turn));
    }

    /// The callback accepted a request.
    pub(crate) fn accepted(&self, request: usize) {
        let now = self.now();
        self.seen().requests[request].accepted = Some(now);
    }

    /// Says whether the message is new.
    pub(crate) fn queued(&self, message_id: &str, event: Event) -> bool {
        let now = self.now();
        self.seen().queued.entry(event).or_insert(now);
        let before = self.seen().messages.insert(message_id.to_owned(), event);
        if before.is_none() {
            self.note(Line::Queued(event, message_id.to_owned()));
        }
        before.is_none()
    }

    /// A command begins; says which run it is.
    pub(crate) fn begun(&self, command: &Command) -> usize {
        let run = {
            let mut seen = self.seen();
            seen.runs.push(CommandRun {
                command: command.clone(),
                ended: None,
                was_cut_off: false,
            });
            seen.runs.len() - 1
        };
        self.note(Line::Engineer(run, format!("begins to {command:?}")));
        run
    }

    pub(crate) fn cut_off(&self, run: usize) {
        self.note(Line::Engineer(run, "is cut off".to_owned()));
        self.seen().runs[run].was_cut_off = true;
    }

    pub(crate) fn ended(&self, run: usize, ended: &Ended) {
        self.note(Line::Engineer(run, format!("ends: {ended:?}")));
        self.seen().runs[run].ended = Some(ended.clone());
    }

    pub(crate) fn wrote(&self, worker: Worker, message_id: &str, record: &Record) {
        let written = Written {
            at: self.now(),
            worker,
            message_id: message_id.to_owned(),
            record: record.clone(),
        };
        let number = {
            let mut seen = self.seen();
            seen.written.push(written);
            seen.written.len() - 1
        };
        self.note(Line::Wrote(number));
    }

    /// The trace as text, a line each.
    pub(crate) fn trace(&self) -> Vec<String> {
        let seen = self.seen();
        let line = |(at, line): &(Duration, Line)| {
            let at = at.as_secs_f64();
            match line {
                Line::Requested(n) => {
                    let Request {
                        event,
                        worker,
                        attempt,
                        ..
                    } = &seen.requests[*n];
                    format!("{at:10.3} {worker:?} POSTs {event} attempt {attempt}")
                }
                Line::Over(n) => {
                    let Request {
                        event,
                        worker,
                        answered,
                        accepted,
                        ..
                    } = &seen.requests[*n];
                    let accepted = accepted.map(|at| at.as_secs_f64());
                    let answered = answered.map(|answered| answered.1);
                    format!(
                        "{at:10.3} {worker:?} POST of {event} over: {answered:?}, accepted by the callback at {accepted:?}"
                    )
                }
                Line::Wrote(n) => {
                    let Written {
                        worker,
                        message_id,
                        record,
                        ..
                    } = &seen.written[*n];
                    let event = seen.event_of(message_id);
                    format!(
                        "{at:10.3} {worker:?} ledger of {event:?}: {} attempts, {:?}",
                        record.attempts.len(),
                        record.state
                    )
                }
                Line::Noted(worker, note) => format!("{at:10.3} {worker:?} ledger: {note:?}"),
                Line::Received(worker, messages) => {
                    let event = |(id, count): &(String, u64)| {
                        let event = seen.event_of(id).map(|event| event.to_string());
                        format!("{} ({count})", event.as_deref().unwrap_or(id))
                    };
                    let events: Vec<_> = messages.iter().map(event).collect();
                    format!("{at:10.3} {worker:?} is given {}", events.join(", "))
                }
                Line::Call(to, who, action, fate) => {
                    format!("{at:10.3} {who:?} {action} {to}: {fate}")
                }
                Line::Worker(worker, turn) => format!("{at:10.3} {worker:?} {turn:?}"),
                Line::Ledger(worker, call, fate) => {
                    format!("{at:10.3} {worker:?} ledger {call}: {fate}")
                }
                Line::Engineer(run, what) => format!("{at:10.3} engineer {run} {what}"),
                Line::Queued(event, id) => format!("{at:10.3} {event} is queued as {id}"),
            }
        };
        seen.lines.iter().map(line).collect()
    }
}
