//! What a receiver's bytes mean (RFC 9112): pure, fed with what arrives.
//!
//! It is lenient in what it believes, strict in what it keeps. A status that can be read is believed, whatever stands
//! around it and whatever becomes of the body; a connection carries another request only after an answer without a flaw.
//! Every part has a bound, so that an answer ends, however its sender writes it.

mod chunks;
mod head;

use std::time::{Duration, SystemTime};

use delivery::EXCERPT_CHARS;

use super::retry_after::retry_after;
use chunks::Chunks;
pub(super) use head::is_token;
use head::{Head, Interim};

/// The longest head, what comes before it (`100 Continue`, `103 Early Hints`) included.
const HEAD_BYTES: usize = 256 * 1024;

/// At most this much of a body is read. A connection with more to come is closed.
const BODY_BYTES: usize = 64 * 1024;

/// The most bytes that a body may take on the wire: chunks have sizes, extensions and trailers beside their data.
const WIRE_BYTES: usize = 4 * BODY_BYTES;

/// What is kept of it: twice what an excerpt can need, so that a secret across its end is still found whole.
const KEPT_BYTES: usize = EXCERPT_CHARS * 4 * 2;

/// What the last bytes led to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fed {
    /// Not enough to say.
    More,
    /// The answer is over, or as much of it has come as is wanted.
    Done,
    /// This is no answer; the text says why, and quotes the receiver.
    Unreadable(String),
}

/// What became of a body.
#[derive(Debug, PartialEq, Eq)]
enum Body {
    /// More is to come.
    Coming(Framing),
    /// It arrived whole.
    Whole,
    /// Its first [`BODY_BYTES`] arrived; the rest is not wanted.
    Enough,
    /// It did not: the text says what happened.
    Spoilt(String),
}

/// How the end of a body is known.
#[derive(Debug, PartialEq, Eq)]
enum Framing {
    /// After so many more bytes.
    Length(u64),
    Chunked(Chunks),
    /// By the end of the connection.
    UntilClose,
}

/// Reads one answer.
#[derive(Debug, Default)]
pub(super) struct Reader {
    /// Bytes of the answer so far.
    arrived: usize,
    interim: Interim,
    answer: Option<Started>,
    /// The connection is at its end, or brought what belongs to no answer we asked for.
    is_spent: bool,
}

/// An answer whose head has arrived.
#[derive(Debug)]
struct Started {
    head: Head,
    body: Body,
    /// Bytes of the body on the wire, and of its data.
    wire: usize,
    data: usize,
    kept: Vec<u8>,
}

/// What an answer says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) status: u16,
    pub(super) retry_after: Option<Duration>,
    /// The first bytes of the body.
    pub(super) body: Vec<u8>,
    /// What became of the body, if it is not whole.
    pub(super) spoilt: Option<String>,
}

impl Reader {
    /// Whether nothing has come yet.
    pub(super) fn is_untouched(&self) -> bool {
        self.arrived == 0
    }

    /// How much of the answer has come, for people.
    pub(super) fn place(&self) -> String {
        self.interim.place()
    }

    /// Reads on.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) -> Fed {
        self.arrived += bytes.len();
        if self.answer.is_none() {
            match self.interim.feed(&mut bytes) {
                Ok(Some(head)) => self.answer = Some(Started::new(head)),
                Ok(None) if self.arrived > HEAD_BYTES => {
                    let limit = HEAD_BYTES / 1024;
                    let place = self.place();
                    return Fed::Unreadable(format!("more than {limit} KiB of head: {place}"));
                }
                Ok(None) => return Fed::More,
                Err(unreadable) => return Fed::Unreadable(unreadable),
            }
        }
        let Some(answer) = &mut self.answer else {
            return Fed::More;
        };
        answer.feed(&mut bytes);
        self.is_spent |= !bytes.is_empty();
        match answer.body {
            Body::Coming(_) => Fed::More,
            _ => Fed::Done,
        }
    }

    /// The connection is at its end.
    pub(super) fn closed(&mut self) -> Fed {
        self.is_spent = true;
        match &mut self.answer {
            Some(answer) => {
                if answer.body == Body::Coming(Framing::UntilClose) {
                    answer.body = Body::Whole;
                }
                answer.spoil("the receiver closed the connection");
                Fed::Done
            }
            None => match self.interim.closed() {
                Some(unreadable) => Fed::Unreadable(unreadable),
                None => Fed::More,
            },
        }
    }

    /// No more will come, for this reason.
    pub(super) fn spoil(&mut self, why: &str) {
        self.is_spent = true;
        if let Some(answer) = &mut self.answer {
            answer.spoil(why);
        }
    }

    /// How long the connection may be kept for another request, as far as the answer says; `idle` at most. None if it may
    /// not.
    pub(super) fn keep_for(&self, idle: Duration) -> Option<Duration> {
        let answer = self.answer.as_ref()?;
        let is_clean = answer.body == Body::Whole && !self.is_spent;
        match answer.head.keep_for(idle) {
            Some(idle) if is_clean && !idle.is_zero() => Some(idle),
            _ => None,
        }
    }

    /// What the answer says; none if its head has not arrived.
    pub(super) fn said(self, now: SystemTime) -> Option<Said> {
        let Started {
            head, body, kept, ..
        } = self.answer?;
        Some(Said {
            status: head.status,
            retry_after: head.retry_after().and_then(|value| retry_after(value, now)),
            body: kept,
            spoilt: match body {
                Body::Spoilt(why) => Some(why),
                _ => None,
            },
        })
    }
}

impl Started {
    fn new(head: Head) -> Self {
        let body = match head.framing() {
            Ok(Framing::Length(0)) => Body::Whole,
            Ok(framing) => Body::Coming(framing),
            Err(why) => Body::Spoilt(why),
        };
        Self {
            head,
            body,
            wire: 0,
            data: 0,
            kept: Vec::new(),
        }
    }

    /// Takes what belongs to the body.
    fn feed(&mut self, bytes: &mut &[u8]) {
        let offered = bytes.len();
        while let Body::Coming(framing) = &mut self.body {
            let next = match framing {
                Framing::Length(0) => Next::End,
                Framing::Length(left) => {
                    let length = bytes
                        .len()
                        .min(usize::try_from(*left).unwrap_or(usize::MAX));
                    *left -= length as u64;
                    Next::Data(length)
                }
                Framing::Chunked(chunks) => match chunks.next(bytes) {
                    Ok(next) => next,
                    Err(why) => {
                        self.body = Body::Spoilt(why);
                        return;
                    }
                },
                Framing::UntilClose => Next::Data(bytes.len()),
            };
            match next {
                Next::End => self.body = Body::Whole,
                Next::Data(0) => break,
                Next::Data(length) => {
                    let (data, rest) = bytes.split_at(length);
                    *bytes = rest;
                    self.keep(data);
                }
            }
        }
        self.wire += offered - bytes.len();
        if self.wire > WIRE_BYTES {
            self.spoil("its chunks hold more around their data than in it");
        }
    }

    fn keep(&mut self, data: &[u8]) {
        self.data += data.len();
        let room = KEPT_BYTES - self.kept.len();
        self.kept.extend_from_slice(&data[..data.len().min(room)]);
        // A body that ends right here is at its end.
        let is_over = self.body == Body::Coming(Framing::Length(0));
        if self.data >= BODY_BYTES && !is_over {
            self.body = Body::Enough;
        }
    }

    fn spoil(&mut self, why: &str) {
        if let Body::Coming(_) = self.body {
            self.body = Body::Spoilt(why.to_owned());
        }
    }
}

/// What comes next of a body.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// So many bytes of data, of those at hand; 0 if all were used up for what is around it.
    Data(usize),
    End,
}

#[cfg(test)]
mod tests;
