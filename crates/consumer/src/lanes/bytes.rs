//! A bound on the bytes in hand (`worker.max_bytes_in_flight`). Before a poll, room is taken for the largest messages it
//! may bring; what they turn out not to need is free again at once, the rest when their bodies are let go.

use std::sync::Arc;

use queue::Received;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What a message takes besides its body and attributes: its receipt handle, ids and times.
const OVERHEAD: usize = 1024;

const KIB: usize = 1024;

/// The bytes that may be in hand, counted in KiB.
#[derive(Debug)]
pub(crate) struct Room {
    free: Arc<Semaphore>,
    /// Of a message as large as the queue takes, or of all there is.
    largest: u32,
}

/// Room for what a poll may bring.
#[derive(Debug)]
pub(crate) struct Reserved(OwnedSemaphorePermit);

/// Room that one message takes, until this is dropped.
#[derive(Debug)]
pub(crate) struct Part {
    _kib: Option<OwnedSemaphorePermit>,
}

impl Room {
    /// `most` bytes, of messages of up to `largest` bytes each. Room for one message there always is.
    pub(crate) fn new(most: usize, largest: usize) -> Self {
        let most = in_kib(most).min(u32::MAX as usize >> 4);
        Self {
            free: Arc::new(Semaphore::new(most)),
            largest: in_kib(largest + OVERHEAD).min(most) as u32,
        }
    }

    /// Waits for room for one message, and takes it for as many more as there is room for now. Says for how many.
    pub(crate) async fn reserve(&self, messages: usize) -> (usize, Reserved) {
        let first = self.free.clone().acquire_many_owned(self.largest).await;
        let mut taken = first.expect("never closed");
        let mut count = 1;
        while count < messages {
            match self.free.clone().try_acquire_many_owned(self.largest) {
                Ok(more) => taken.merge(more),
                Err(_) => break,
            }
            count += 1;
        }
        (count, Reserved(taken))
    }
}

impl Part {
    /// Of a message for which no room is kept, since whoever received it bounds what comes.
    pub(crate) fn of_no_room() -> Self {
        Self { _kib: None }
    }
}

impl Reserved {
    /// The part of a message that came. If more came than was asked for, what is left.
    pub(crate) fn part(&mut self, message: &Received) -> Part {
        let attributes = message.attributes.iter();
        let attributes: usize = attributes.map(|(name, a)| a.size(name)).sum();
        let needed = in_kib(message.body.len() + attributes + OVERHEAD);
        let needed = needed.min(self.0.num_permits());
        Part {
            _kib: self.0.split(needed),
        }
    }
}

fn in_kib(bytes: usize) -> usize {
    bytes.div_ceil(KIB)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1024 * 1024;

    #[tokio::test]
    async fn a_poll_asks_for_as_many_messages_as_there_is_room_for_and_at_least_for_one() {
        let room = Room::new(4 * MIB, MIB);
        let (count, reserved) = room.reserve(10).await;
        assert_eq!(count, 3, "a message is a little more than its body");
        let mut second = std::pin::pin!(room.reserve(10));
        assert!(futures_util::poll!(&mut second).is_pending());
        drop(reserved);
        assert_eq!(second.await.0, 3);
    }

    #[tokio::test]
    async fn a_queue_whose_messages_may_be_larger_than_all_the_room_is_polled_for_one() {
        let room = Room::new(MIB, MIB);
        assert_eq!(room.reserve(10).await.0, 1);
        assert_eq!(room.reserve(10).await.0, 1);
    }
}
