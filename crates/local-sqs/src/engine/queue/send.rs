//! Sending into a queue: what the queue refuses, delays and deduplicates.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::super::dedup::Original;
use super::super::error::{ErrorKind, SqsError};
use super::super::message::{Message, Outgoing, State, hex, md5_of_attributes};
use super::super::{Id, Seq, UnixMs};
use super::{Numbers, Queue};

/// What a sender is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// `MessageId`; of the first message when this one was a duplicate.
    pub id: Id,
    /// `SequenceNumber`, FIFO queues only.
    pub seq: Option<Seq>,
    /// Digest of the body that was sent.
    pub md5_of_body: String,
    /// Digest of the message attributes that were sent.
    pub md5_of_attributes: Option<String>,
    /// Digest of the system attributes that were sent.
    pub md5_of_system_attributes: Option<String>,
}

impl Queue {
    pub(in super::super) fn send(
        &mut self,
        outgoing: Outgoing,
        numbers: &mut Numbers,
        now: UnixMs,
    ) -> Result<Sent, SqsError> {
        outgoing.check_content()?;
        self.check_size(&outgoing)?;
        self.check_ids(&outgoing)?;
        let delay_s = self.delay_of(&outgoing)?;
        let deduplication_id = self.deduplication_id_of(&outgoing)?;

        let group_id: Option<Arc<str>> = outgoing.group_id.as_deref().map(Into::into);
        let content = Arc::new(outgoing.into_content());
        let original = match (&self.dedup, &group_id, &deduplication_id) {
            (Some(dedup), Some(group), Some(id)) => dedup.find(group, id),
            _ => None,
        };
        let Original { id, seq } = original.unwrap_or_else(|| {
            let first = Original {
                id: numbers.ids.next(),
                seq: numbers.next_seq(),
            };
            let state = match delay_s {
                0 => State::Visible,
                delay_s => State::Delayed {
                    until: now + u64::from(delay_s) * 1000,
                },
            };
            let message = Message {
                id: first.id,
                seq: first.seq,
                group_id,
                deduplication_id,
                content: content.clone(),
                enqueued_at: now,
                receive_count: 0,
                first_received_at: None,
                dead_letter_source: None,
                state,
                receive: 0,
                received_at: 0,
                attempt: None,
            };
            self.enqueue(message, now);
            first
        });
        Ok(Sent {
            id,
            seq: self.attributes.fifo.then_some(seq),
            md5_of_body: content.md5_of_body.clone(),
            md5_of_attributes: md5_of_attributes(content.attributes.iter()),
            md5_of_system_attributes: md5_of_attributes(content.system_attributes.iter()),
        })
    }

    /// Checks what fails a whole batch when one entry lacks it (V).
    pub(in super::super) fn check_ids(&self, outgoing: &Outgoing) -> Result<(), SqsError> {
        if !self.attributes.fifo {
            return Ok(());
        }
        if outgoing.group_id.is_none() {
            return Err(SqsError::missing("MessageGroupId"));
        }
        if outgoing.deduplication_id.is_none() && !self.attributes.content_based_deduplication {
            let message = "The queue should either have ContentBasedDeduplication enabled or \
                           MessageDeduplicationId provided explicitly";
            return Err(SqsError::new(ErrorKind::InvalidParameterValue, message));
        }
        Ok(())
    }

    fn check_size(&self, outgoing: &Outgoing) -> Result<(), SqsError> {
        let limit = self.attributes.maximum_message_size;
        if outgoing.size() <= limit as usize {
            return Ok(());
        }
        let message = format!(
            "One or more parameters are invalid. Reason: Message must be shorter than {limit} bytes."
        );
        Err(SqsError::new(ErrorKind::InvalidParameterValue, message))
    }

    /// A FIFO queue has no delay per message; 0 is accepted and means the queue's own (V).
    fn delay_of(&self, outgoing: &Outgoing) -> Result<u32, SqsError> {
        let Some(delay_s) = outgoing.delay_s else {
            return Ok(self.attributes.delay_s);
        };
        let refuse = |reason| Err(SqsError::invalid_value(delay_s, "DelaySeconds", reason));
        match (self.attributes.fifo, u32::try_from(delay_s)) {
            (true, Ok(0)) => Ok(self.attributes.delay_s),
            (true, _) => {
                refuse("The request include parameter that is not valid for this queue type.")
            }
            (false, Ok(delay_s @ 0..=900)) => Ok(delay_s),
            (false, _) => refuse("DelaySeconds must be >= 0 and <= 900."),
        }
    }

    /// The id given, else the SHA-256 of the body; standard queues have none.
    fn deduplication_id_of(&self, outgoing: &Outgoing) -> Result<Option<Arc<str>>, SqsError> {
        match (self.attributes.fifo, outgoing.deduplication_id.as_deref()) {
            (true, Some(id)) => Ok(Some(id.into())),
            (true, None) => Ok(Some(hex(&Sha256::digest(&outgoing.body)).into())),
            (false, None) => Ok(None),
            (false, Some(id)) => {
                let reason =
                    "The request includes a parameter that is not valid for this queue type.";
                Err(SqsError::invalid_value(
                    id,
                    "MessageDeduplicationId",
                    reason,
                ))
            }
        }
    }
}
