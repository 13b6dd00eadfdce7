//! The deduplication memory: five minutes, kept after the message itself was deleted.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};

use sha2::{Digest, Sha256};

use super::{Id, Seq, UnixMs};

/// How long a deduplication id is remembered, counted from the first send that used it.
pub const DEDUPLICATION_INTERVAL_MS: u64 = 5 * 60 * 1000;

/// What one remembered id counts for in [`super::Limits::bytes`].
pub(super) const ENTRY_BYTES: usize = 128;

/// First half of a SHA-256: keeps the memory of an id at a fixed size.
type Fingerprint = [u8; 16];

/// The first send of a deduplication id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Original {
    pub(super) id: Id,
    pub(super) seq: Seq,
}

/// Deduplication ids of one FIFO queue.
#[derive(Debug)]
pub(super) struct Dedup {
    /// `DeduplicationScope=messageGroup` at the creation of the queue. Recorded from AWS: changing the attribute
    /// later changes what is shown, not what is done.
    per_group: bool,
    seen: HashMap<Fingerprint, Original>,
    /// In order of expiry, one entry per key of `seen`.
    expiries: VecDeque<(UnixMs, Fingerprint)>,
}

impl Dedup {
    pub(super) fn new(per_group: bool) -> Self {
        Self {
            per_group,
            seen: HashMap::new(),
            expiries: VecDeque::new(),
        }
    }

    /// The message that used this id first within the last five minutes.
    pub(super) fn find(&self, group: &str, id: &str) -> Option<Original> {
        self.seen.get(&self.fingerprint(group, id)).copied()
    }

    /// Remembers an id; an id that is remembered already keeps its original and its expiry.
    pub(super) fn remember(&mut self, group: &str, id: &str, original: Original, now: UnixMs) {
        let key = self.fingerprint(group, id);
        if let Entry::Vacant(entry) = self.seen.entry(key) {
            entry.insert(original);
            let expiry = now + DEDUPLICATION_INTERVAL_MS;
            self.expiries.push_back((expiry, key));
        }
    }

    /// Forgets what is older than five minutes.
    pub(super) fn advance(&mut self, now: UnixMs) {
        while let Some((_, key)) = self.expiries.pop_front_if(|(expiry, _)| *expiry <= now) {
            self.seen.remove(&key);
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.seen.len() * ENTRY_BYTES
    }

    fn fingerprint(&self, group: &str, id: &str) -> Fingerprint {
        let mut hash = Sha256::new();
        if self.per_group {
            hash.update(group.as_bytes());
        }
        // Neither ids nor groups can hold a space, so the two cannot run together.
        hash.update(b" ");
        hash.update(id.as_bytes());
        let digest = hash.finalize();
        std::array::from_fn(|i| digest[i])
    }
}

#[cfg(test)]
mod tests {
    use super::super::ids::Ids;
    use super::*;

    fn original(seq: Seq) -> Original {
        Original {
            id: Ids::new(seq).next(),
            seq,
        }
    }

    #[test]
    fn an_id_is_remembered_for_five_minutes_from_the_first_send() {
        let mut dedup = Dedup::new(false);
        dedup.remember("g", "d", original(1), 1000);
        dedup.remember("g", "d", original(2), 2000);
        dedup.advance(300_999);
        assert_eq!(dedup.find("g", "d"), Some(original(1)));
        dedup.advance(301_000);
        assert_eq!(dedup.find("g", "d"), None);
        assert_eq!(dedup.bytes(), 0);
    }

    #[test]
    fn the_scope_is_the_queue_or_the_group() {
        for per_group in [false, true] {
            let mut dedup = Dedup::new(per_group);
            dedup.remember("a", "d", original(1), 0);
            assert_eq!(dedup.find("b", "d").is_none(), per_group);
            assert!(dedup.find("a", "d").is_some());
        }
    }
}
