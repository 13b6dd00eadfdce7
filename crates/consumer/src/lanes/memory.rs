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
    /// With how often it could not be deleted.
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
    pub(crate) fn done(&mut self, message_id: &str) {
        if self.done.get(message_id).is_none() {
            put(&mut self.done, message_id, 0);
        }
    }

    /// Whether the message is only to be deleted.
    pub(crate) fn is_done(&self, message_id: &str) -> bool {
        self.done.contains(message_id)
    }

    /// It could not be deleted, once more: says how often by now.
    pub(crate) fn not_deleted(&mut self, message_id: &str) -> u32 {
        self.done.get_mut(message_id).map_or(0, |times| {
            *times = times.saturating_add(1);
            *times
        })
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
    fn failed_deletes_are_counted_until_one_succeeds_however_often_the_message_comes() {
        let mut memory = Memory::default();
        for times in 1..=3 {
            memory.done("a");
            assert_eq!(memory.not_deleted("a"), times);
        }
        memory.deleted("a");
        memory.done("a");
        assert_eq!(memory.not_deleted("a"), 1);
        assert_eq!(memory.not_deleted("unknown"), 0);
    }

    #[test]
    fn the_memory_is_bounded_and_forgets_the_oldest_first() {
        let mut memory = Memory::default();
        for n in 0..=MOST {
            memory.done(&n.to_string());
        }
        assert_eq!(memory.done.len(), MOST);
        assert!(!memory.is_done("0") && memory.is_done(&MOST.to_string()));
    }
}
