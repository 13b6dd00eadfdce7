//! The order in which letters go back: group by group, within a group as the events were first sent.

use std::cmp::Ordering;
use std::collections::{BTreeMap, VecDeque};

use delivery::sequence_order;
use event::{Event, Timestamp};

use crate::{Fate, Letter};

/// Puts letters in the order of a replay: the group whose first event is the oldest comes first.
///
/// Sequence numbers tell the order of a group. A letter of the native redrive has lost its first one: its place
/// among the others of its group is found by the time in its body.
pub(crate) fn arrange(letters: Vec<Letter>) -> Vec<Letter> {
    let mut groups: BTreeMap<Option<String>, Vec<Letter>> = BTreeMap::new();
    for letter in letters {
        let group = letter.group().map(str::to_owned);
        groups.entry(group).or_default().push(letter);
    }
    let mut groups: Vec<_> = groups.into_values().map(arrange_group).collect();
    groups.sort_by_key(|letters| letters.first().map(sent_at));
    groups.into_iter().flatten().collect()
}

fn arrange_group(letters: Vec<Letter>) -> Vec<Letter> {
    let (mut known, mut unknown): (Vec<_>, Vec<_>) = letters
        .into_iter()
        .partition(|letter| origin_number(letter).is_some());
    known.sort_by(|a, b| by_number(origin_number(a), origin_number(b)));
    // In the internal queue they stand in the order in which they were moved there.
    unknown.sort_by(|a, b| by_number(present_number(a), present_number(b)));
    merge(known.into(), unknown.into())
}

/// Merges two lists by time without changing the order within either.
fn merge(mut known: VecDeque<Letter>, mut unknown: VecDeque<Letter>) -> Vec<Letter> {
    let mut merged = Vec::with_capacity(known.len() + unknown.len());
    while let (Some(a), Some(b)) = (known.front(), unknown.front()) {
        let next = match sent_at(a) <= sent_at(b) {
            true => known.pop_front(),
            false => unknown.pop_front(),
        };
        merged.extend(next);
    }
    merged.extend(known);
    merged.extend(unknown);
    merged
}

/// The sequence number of the event's first life.
pub(crate) fn origin_number(letter: &Letter) -> Option<&str> {
    match &letter.fate {
        Fate::Recorded(record) => record.origin.sequence_number.as_deref(),
        Fate::Backstop(Some(replay)) => replay.origin.sequence_number.as_deref(),
        Fate::Backstop(None) | Fate::Unreadable(_) => None,
    }
}

fn present_number(letter: &Letter) -> Option<&str> {
    letter.message.sequence_number.as_deref()
}

fn by_number(a: Option<&str>, b: Option<&str>) -> Ordering {
    sequence_order(a.unwrap_or_default(), b.unwrap_or_default())
}

/// When the event was first sent, as well as the letter tells.
fn sent_at(letter: &Letter) -> Timestamp {
    match &letter.fate {
        Fate::Recorded(record) => record.origin.sent_at,
        Fate::Backstop(Some(replay)) if replay.replays > 0 => replay.origin.sent_at,
        Fate::Backstop(_) | Fate::Unreadable(_) => {
            time_in_body(letter).unwrap_or(letter.message.sent_at)
        }
    }
}

/// The deduplication id is the time of sending (DESIGN section 1).
fn time_in_body(letter: &Letter) -> Option<Timestamp> {
    let event = Event::parse(&letter.message.body).ok()?;
    Timestamp::parse(&format!("{}Z", event.deduplication_id()?))
}

/// One event to be moved, with the other letters of the same event.
pub(crate) struct Item {
    pub(crate) letter: Letter,
    /// Letters of which this one is the last word: a copy, or an earlier life. They go when it goes.
    pub(crate) copies: Vec<Letter>,
}

impl Item {
    pub(crate) fn alone(letter: Letter) -> Self {
        Self {
            letter,
            copies: Vec::new(),
        }
    }

    pub(crate) fn into_letters(self) -> impl Iterator<Item = Letter> {
        std::iter::once(self.letter).chain(self.copies)
    }
}

/// One line for each group, in the order given; letters without a group do not wait for each other. Two letters
/// of one event become one item: two faults together can leave a copy, and it must not be delivered twice.
pub(crate) fn lines(letters: Vec<Letter>) -> Vec<VecDeque<Item>> {
    let mut lines: Vec<VecDeque<Item>> = Vec::new();
    let mut of_group: BTreeMap<String, usize> = BTreeMap::new();
    let mut of_event: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for letter in letters {
        if let Some(&(line, at)) = of_event.get(letter.id())
            && lines[line][at].letter.message.body == letter.message.body
        {
            join(&mut lines[line][at], letter);
            continue;
        }
        let line = match letter.group() {
            Some(group) => *of_group.entry(group.to_owned()).or_insert(lines.len()),
            None => lines.len(),
        };
        if line == lines.len() {
            lines.push(VecDeque::new());
        }
        of_event.insert(letter.id().to_owned(), (line, lines[line].len()));
        lines[line].push_back(Item::alone(letter));
    }
    lines
}

/// The letter of the latest life speaks for all.
fn join(item: &mut Item, letter: Letter) {
    let life = |letter: &Letter| (letter.replays(), letter.dead_at());
    let other = match life(&letter) > life(&item.letter) {
        true => std::mem::replace(&mut item.letter, letter),
        false => letter,
    };
    item.copies.push(other);
}
