//! What was observed, from outside the workers alone; and the story of each event in it.

use std::collections::HashMap;
use std::time::Duration;

use delivery::DeadLetter;

use crate::journal::{Began, Span};

/// Everything observed of a run.
pub(crate) struct History {
    pub(crate) began: Began,
    /// The wait before attempt 3.
    pub(crate) wait: Duration,
    /// In the order of sending.
    pub(crate) events: Vec<Sent>,
    /// In the order of arrival.
    pub(crate) requests: Vec<Request>,
    /// Every worker process, in the order of their starts.
    pub(crate) lives: Vec<Life>,
    /// Every message of the internal queue.
    pub(crate) letters: Vec<Letter>,
    /// The `msg_id`s that `dlq ls` lists.
    pub(crate) listed: Vec<String>,
    pub(crate) receiver_down: Vec<Span>,
    pub(crate) sqs_down: Vec<Span>,
    /// Messages of the source queue at the end.
    pub(crate) left: u64,
}

/// An event that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) id: String,
    pub(crate) group: String,
    /// When it was given to the producer.
    pub(crate) at: Duration,
}

/// One POST as the receiver saw it.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) webhook_id: String,
    pub(crate) group: String,
    /// What it says of itself, from 1.
    pub(crate) attempt: u32,
    /// The worker process it came from.
    pub(crate) life: usize,
    pub(crate) body: String,
    pub(crate) arrived: Duration,
    pub(crate) ended: Option<(Duration, Ending)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// This answer was given.
    Status(u16),
    /// The receiver broke the connection.
    Broken,
    /// The worker did, or was no more.
    Gone,
}

/// One worker process.
#[derive(Debug, Clone)]
pub(crate) struct Life {
    pub(crate) end: End,
    /// What it logged.
    pub(crate) log: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Killed(Duration),
    /// Told to stop, and ended, with this exit code.
    Stopped {
        told: Duration,
        ended: Duration,
        code: Option<i32>,
    },
}

/// One message of the internal queue.
#[derive(Debug, Clone)]
pub(crate) struct Letter {
    /// The `msg_id` of its body.
    pub(crate) id: String,
    /// None if it carries no record.
    pub(crate) record: Option<DeadLetter>,
}

/// One event with everything that was seen of it.
pub(crate) struct Story<'a> {
    pub(crate) sent: &'a Sent,
    /// In the order of arrival.
    pub(crate) requests: Vec<&'a Request>,
    /// Its messages in the internal queue.
    pub(crate) letters: Vec<&'a Letter>,
    /// When it was recorded as exhausted.
    pub(crate) dead_at: Option<Duration>,
}

impl Ending {
    pub(crate) fn is_success(self) -> bool {
        matches!(self, Self::Status(200..=299))
    }
}

impl Request {
    pub(crate) fn is_accepted(&self) -> bool {
        self.ended.is_some_and(|(_, ending)| ending.is_success())
    }

    /// When it ended; never, if the receiver still had it at the end.
    pub(crate) fn ended_at(&self) -> Duration {
        self.ended.map_or(Duration::MAX, |(at, _)| at)
    }

    pub(crate) fn status(&self) -> Option<u16> {
        match self.ended {
            Some((_, Ending::Status(status))) => Some(status),
            _ => None,
        }
    }
}

impl History {
    /// The stories of all events, in the order of sending.
    pub(crate) fn stories(&self) -> Vec<Story<'_>> {
        let mut requests: HashMap<&str, Vec<&Request>> = HashMap::new();
        for request in &self.requests {
            requests
                .entry(&request.webhook_id)
                .or_default()
                .push(request);
        }
        let mut letters: HashMap<&str, Vec<&Letter>> = HashMap::new();
        for letter in &self.letters {
            letters.entry(&letter.id).or_default().push(letter);
        }
        let stories = self.events.iter().map(|sent| {
            let id = sent.id.as_str();
            let letters = letters.remove(id).unwrap_or_default();
            let records = letters.iter().filter_map(|letter| letter.record.as_ref());
            Story {
                sent,
                dead_at: records.map(|r| self.began.since(r.dead_at)).min(),
                requests: requests.remove(id).unwrap_or_default(),
                letters,
            }
        });
        stories.collect()
    }

    /// When the process was killed, if it was.
    pub(crate) fn killed(&self, life: usize) -> Option<Duration> {
        match self.lives.get(life)?.end {
            End::Killed(at) => Some(at),
            End::Stopped { .. } => None,
        }
    }

    pub(crate) fn receiver_was_down(&self, span: Span) -> bool {
        self.receiver_down.iter().any(|down| down.meets(span))
    }

    pub(crate) fn sqs_was_down(&self, span: Span) -> bool {
        self.sqs_down.iter().any(|down| down.meets(span))
    }
}

impl Story<'_> {
    /// Its first delivery: the first request that was accepted.
    pub(crate) fn first_delivery(&self) -> Option<&Request> {
        self.requests.iter().copied().find(|r| r.is_accepted())
    }

    /// When the next event of its group could first be POSTed: it was accepted or set aside.
    pub(crate) fn done_at(&self) -> Option<Duration> {
        let accepted = self.requests.iter().filter(|r| r.is_accepted());
        let accepted = accepted.map(|r| r.ended_at()).min();
        [accepted, self.dead_at].into_iter().flatten().min()
    }
}

/// The stories of each group, in the order of sending.
pub(crate) fn by_group<'s, 'a>(stories: &'s [Story<'a>]) -> Vec<Vec<&'s Story<'a>>> {
    let mut groups: Vec<Vec<&Story<'_>>> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for story in stories {
        let place = *places.entry(&story.sent.group).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        groups[place].push(story);
    }
    groups
}
