//! What was seen: by those who sent, by the receivers, and in the queues at the end.

use std::time::Duration;

use delivery::{Attempt, Reason};

use super::scenario::Part;

/// Everything the proofs stand on.
#[derive(Debug, Clone)]
pub(super) struct Observations {
    /// What was sent, in the order of sending within each group.
    pub(super) sent: Vec<Sent>,
    /// What the receivers saw, in the order of arrival.
    pub(super) requests: Vec<Request>,
    /// What the internal queue holds.
    pub(super) letters: Vec<Letter>,
    /// How many messages the source queue still holds.
    pub(super) left: u64,
    /// The waits there were to be before attempts 2, 3 and 4.
    pub(super) waits: Vec<Duration>,
}

/// One event that the queue took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sent {
    /// Its `msg_id`; of what is no event, the MessageId.
    pub(super) id: String,
    pub(super) group: String,
    pub(super) part: Part,
}

/// One request as a receiver saw it. Times count from the receivers' start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    /// The `msg_id` in the body, else the header `webhook-id`.
    pub(super) id: String,
    /// The `MessageGroupId` in the body.
    pub(super) group: String,
    /// The how manieth request for this event this is, by the receiver's own count from 1.
    pub(super) nth: u32,
    /// What the header `X-Hooklane-Attempt` says.
    pub(super) attempt: Option<u32>,
    pub(super) arrived: Duration,
    /// When it was answered, and how; none while it is being worked on.
    pub(super) answered: Option<(Duration, u16)>,
    /// Whether its signature is the HMAC-SHA256 of its bytes.
    pub(super) signed: bool,
}

/// One dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Letter {
    /// As in [`Sent`].
    pub(super) id: String,
    pub(super) reason: Reason,
    pub(super) detail: Option<String>,
    /// What its record says of the attempts.
    pub(super) attempts: Vec<Attempt>,
}

impl Request {
    pub(super) fn status(&self) -> Option<u16> {
        self.answered.map(|(_, status)| status)
    }

    /// Whether the receiver took the event (Avionté: HTTP 200 or 201).
    pub(super) fn is_accepted(&self) -> bool {
        matches!(self.status(), Some(200 | 201))
    }
}

impl Observations {
    /// The requests for one event, in the order of arrival.
    pub(super) fn requests_for(&self, id: &str) -> impl Iterator<Item = &Request> {
        self.requests.iter().filter(move |request| request.id == id)
    }

    /// The dead letters of one event: one at most, if all is well.
    pub(super) fn letters_of(&self, id: &str) -> impl Iterator<Item = &Letter> {
        self.letters.iter().filter(move |letter| letter.id == id)
    }
}
