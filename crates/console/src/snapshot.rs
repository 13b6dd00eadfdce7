//! What the pages show of the internal queue: the letters of the last scan, and how old they are.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use event::Timestamp;
use letters::{Filter, Letter, Report};

/// The letters of one scan.
#[derive(Debug)]
pub(super) struct Snapshot {
    /// By time of death, those that died together as they were sent.
    pub(super) letters: Vec<Arc<Letter>>,
    /// When the scan ended.
    pub(super) taken_at: Timestamp,
    /// What came of the scan.
    pub(super) report: Arc<Report>,
    /// How many letters have been replayed or dropped since, and are not here any more.
    pub(super) changed: usize,
    /// Where the letters are that have an id, the event's first or the present one.
    places: HashMap<String, Vec<usize>>,
}

impl Snapshot {
    pub(super) fn new(
        letters: Vec<Arc<Letter>>,
        taken_at: Timestamp,
        report: Arc<Report>,
        changed: usize,
    ) -> Self {
        let mut places = HashMap::<_, Vec<_>>::with_capacity(letters.len() * 2);
        for (place, letter) in letters.iter().enumerate() {
            let (first, present) = (letter.id(), letter.message.message_id.as_str());
            places.entry(first.to_owned()).or_default().push(place);
            if first != present {
                places.entry(present.to_owned()).or_default().push(place);
            }
        }
        Self {
            letters,
            taken_at,
            report,
            changed,
            places,
        }
    }

    /// The letters that have this id; several if a fault left copies of one event.
    pub(super) fn find(&self, id: &str) -> impl ExactSizeIterator<Item = &Arc<Letter>> {
        let places = self.places.get(id).map_or(&[][..], Vec::as_slice);
        places.iter().map(|place| &self.letters[*place])
    }

    /// The letter that has this MessageId now; no other has.
    pub(super) fn present(&self, id: &str) -> Option<&Arc<Letter>> {
        self.find(id).find(|letter| letter.message.message_id == id)
    }

    /// The letters a filter means, in the order of the snapshot.
    pub(super) fn matching<'a>(&'a self, filter: &Filter) -> impl Iterator<Item = &'a Arc<Letter>> {
        let letters = self.letters.iter();
        letters.filter(|letter| filter.matches(letter))
    }

    /// The letter that has been here longest, of those that say since when.
    pub(super) fn oldest(&self) -> Option<(&Letter, Timestamp)> {
        let mut letters = self.letters.iter();
        letters.find_map(|letter| Some((&**letter, letter.dead_at()?)))
    }

    /// The snapshot without letters that are gone, by their present MessageIds.
    pub(super) fn without(&self, gone: &HashSet<String>) -> Self {
        let left = self.letters.iter();
        let left = left.filter(|letter| !gone.contains(&letter.message.message_id));
        let left: Vec<_> = left.cloned().collect();
        let changed = self.changed + self.letters.len() - left.len();
        Self::new(left, self.taken_at, self.report.clone(), changed)
    }
}
