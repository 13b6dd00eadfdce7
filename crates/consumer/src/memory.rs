//! What a worker knows that neither SQS nor the ledger does (yet). Bounded: the oldest is forgotten, and the
//! crash rules of the ledger hold for it.

use delivery::Record;
use lru::LruCache;
use store::Seen;

/// The most messages remembered in each of the two ways; and the most groups, in `notes`.
const MOST: usize = 100_000;

/// Keyed by MessageId.
#[derive(Debug)]
pub(crate) struct Memory {
    /// With how often SQS had handed it out by then.
    done: LruCache<String, u32>,
    unwritten: LruCache<String, Unwritten>,
}

/// A record that the ledger could not take, with what the ledger said when it was last read.
#[derive(Debug, Clone)]
pub(crate) struct Unwritten {
    pub(crate) record: Record,
    pub(crate) seen: Option<Seen>,
}

impl Default for Memory {
    fn default() -> Self {
        // Unbounded here, since a bounded one takes its room at once; the bound stands in `put`.
        Self {
            done: LruCache::unbounded(),
            unwritten: LruCache::unbounded(),
        }
    }
}

impl Memory {
    /// The event was accepted or dead-lettered; its message is to be deleted. If the delete fails and the message comes
    /// again, it is deleted and no more.
    pub(crate) fn done(&mut self, message_id: &str, receives: u32) {
        put(&mut self.done, message_id, receives);
    }

    /// How often SQS had handed the message out when it was done; none if it is not.
    pub(crate) fn was_done(&self, message_id: &str) -> Option<u32> {
        self.done.peek(message_id).copied()
    }

    /// SQS confirmed the delete.
    pub(crate) fn deleted(&mut self, message_id: &str) {
        self.done.pop(message_id);
    }

    /// The ledger is down: the attempts made must not be forgotten while this worker lives.
    pub(crate) fn keep_unwritten(&mut self, message_id: &str, unwritten: Unwritten) {
        put(&mut self.unwritten, message_id, unwritten);
    }

    /// Takes out what was kept: whoever asks writes it down.
    pub(crate) fn unwritten(&mut self, message_id: &str) -> Option<Unwritten> {
        self.unwritten.pop(message_id)
    }
}

pub(crate) fn put<V>(cache: &mut LruCache<String, V>, key: &str, value: V) {
    cache.put(key.to_owned(), value);
    if cache.len() > MOST {
        cache.pop_lru();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_is_bounded_and_forgets_the_oldest_first() {
        let mut memory = Memory::default();
        for n in 0..=MOST {
            memory.done(&n.to_string(), 1);
        }
        assert_eq!(memory.done.len(), MOST);
        assert_eq!(memory.was_done("0"), None);
        assert_eq!(memory.was_done(&MOST.to_string()), Some(1));
    }
}
