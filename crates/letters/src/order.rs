//! The order in which letters go back: group by group, within a group as the events were first sent.

use std::cmp::Ordering;
use std::collections::{BTreeMap, VecDeque};

use delivery::sequence_order;
use event::{Event, Timestamp};

use crate::breakage::Breakage;
use crate::{Fate, Letter};

/// Puts letters in the order of a replay: the group whose first event is the oldest comes first.
///
/// Sequence numbers tell the order of a group. A letter of the native redrive has lost its first one: its place
/// among the others of its group is found by the time in its body.
pub fn arrange(letters: Vec<Letter>) -> Vec<Letter> {
    let mut groups: BTreeMap<Option<String>, Vec<Letter>> = BTreeMap::new();
    for letter in letters {
        let group = letter.ordered_group().map(str::to_owned);
        groups.entry(group).or_default().push(letter);
    }
    let arranged = groups.into_iter().map(|(group, letters)| match group {
        Some(_) => arrange_group(letters),
        None => by_time(letters),
    });
    let mut groups: Vec<_> = arranged.collect();
    groups.sort_by_key(|letters| letters.first().map(sent_at));
    groups.into_iter().flatten().collect()
}

/// Letters of a standard queue: nothing but the time tells their order.
fn by_time(mut letters: Vec<Letter>) -> Vec<Letter> {
    letters.sort_by_cached_key(sent_at);
    letters
}

fn arrange_group(letters: Vec<Letter>) -> Vec<Letter> {
    let (mut known, mut unknown): (Vec<_>, Vec<_>) = letters
        .into_iter()
        .partition(|letter| origin_number(letter).is_some());
    if !Breakage::OrderOfDeath.is_made() {
        known.sort_by(|a, b| by_number(origin_number(a), origin_number(b)));
    }
    // They are in order as they were moved to the internal queue; one that was dropped and put back stands at its end.
    unknown.sort_by(|a, b| {
        let moved = a.moved_at().cmp(&b.moved_at());
        moved.then_with(|| by_number(present_number(a), present_number(b)))
    });
    merge(known.into(), unknown.into())
}

/// Merges two lists by time without changing the order within either.
fn merge(mut known: VecDeque<Letter>, mut unknown: VecDeque<Letter>) -> Vec<Letter> {
    let mut merged = Vec::with_capacity(known.len() + unknown.len());
    while let (Some(a), Some(b)) = (known.front(), unknown.front()) {
        let next = if sent_at(a) <= sent_at(b) {
            known.pop_front()
        } else {
            unknown.pop_front()
        };
        merged.extend(next);
    }
    merged.extend(known);
    merged.extend(unknown);
    merged
}

/// Splits off what must wait, both in the order given: the letters after the last one that their group shows of a
/// shared group. SQS hides what is behind that one until it is gone, and it may be older than they are.
pub(crate) fn before_hidden(letters: Vec<Letter>) -> (Vec<Letter>, Vec<Letter>) {
    let group = |letter: &Letter| letter.group().map(str::to_owned);
    let shared = letters.iter().enumerate();
    let shared = shared.filter(|(_, letter)| letter.shared_group().is_some());
    let last: BTreeMap<_, _> = shared.map(|(at, letter)| (group(letter), at)).collect();
    let is_before = |at, letter: &Letter| last.get(&group(letter)).is_none_or(|last| at <= *last);
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for (at, letter) in letters.into_iter().enumerate() {
        if is_before(at, &letter) {
            before.push(letter);
        } else {
            after.push(letter);
        }
    }
    (before, after)
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
            time_in_body(letter).unwrap_or(letter.moved_at())
        }
    }
}

/// The deduplication id is the time of sending (`docs/DECISIONS.md`, "Three senders").
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

/// One line for each group, in the order given; letters of standard queues do not wait for each other. Two letters
/// of one event become one item: two faults together can leave a copy, and it must not be delivered twice.
pub(crate) fn lines(letters: Vec<Letter>) -> Vec<VecDeque<Item>> {
    let mut lines: Vec<VecDeque<Item>> = Vec::new();
    let mut of_group: BTreeMap<String, usize> = BTreeMap::new();
    let mut of_event: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for letter in letters {
        if let Some(&(line, at)) = of_event.get(letter.id())
            && lines[line][at].letter.message.body == letter.message.body
            && !Breakage::CopiesSent.is_made()
        {
            join(&mut lines[line][at], letter);
            continue;
        }
        let line = match letter.ordered_group() {
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
    let other = if letter.life() > item.letter.life() {
        std::mem::replace(&mut item.letter, letter)
    } else {
        letter
    };
    item.copies.push(other);
}

#[cfg(test)]
mod tests {
    use delivery::{DEAD_LETTER, DeadLetter, Origin};
    use queue::Attribute;

    use super::*;
    use crate::sample::{DEAD, Sample};

    /// A letter of the worker: its id is its group and sequence number.
    fn recorded(group: &str, number: u64) -> Letter {
        life(group, number, 0, "{}")
    }

    fn life(group: &str, number: u64, replays: u32, body: &str) -> Letter {
        let id = format!("{group}-{number}");
        let sample = Sample {
            id: &id,
            body,
            ..Sample::default()
        };
        let mut message = sample.letter().message;
        let record = message.text_attribute(DEAD_LETTER).unwrap();
        let record = DeadLetter::parse(record).unwrap();
        let record = DeadLetter {
            replays,
            origin: Origin {
                sequence_number: Some(number.to_string()),
                group: Some(group.to_owned()),
                sent_at: DEAD.plus(std::time::Duration::from_secs(number)),
                ..record.origin
            },
            ..record
        };
        let json = record.to_json_within(100_000).unwrap();
        message.message_id = format!("present {id} {replays}");
        message
            .attributes
            .insert(DEAD_LETTER.to_owned(), Attribute::string(json));
        Letter::read(message)
    }

    /// A letter of the native redrive, which says in its body when it was sent.
    fn moved(group: &str, present: u64, seconds: u64) -> Letter {
        let at = DEAD.plus(std::time::Duration::from_secs(seconds));
        let body = format!(
            r#"{{"MessageDeDuplicationId":"{}"}}"#,
            at.deduplication_id()
        );
        let mut message = recorded(group, 0).message;
        message.attributes.clear();
        message.body = body.into();
        message.group = Some(group.to_owned());
        message.message_id = format!("{group}-moved-{present}");
        message.deduplication_id = None;
        message.sequence_number = Some(present.to_string());
        Letter::read(message)
    }

    fn ids(letters: &[Letter]) -> Vec<&str> {
        letters.iter().map(Letter::id).collect()
    }

    #[test]
    fn letters_go_group_by_group_and_within_one_by_the_first_sequence_number() {
        let letters = [("b", 10), ("a", 30), ("b", 9), ("a", 8), ("b", 100)];
        let letters = letters.map(|(group, number)| recorded(group, number));
        let arranged = arrange(letters.into());
        assert_eq!(ids(&arranged), ["a-8", "a-30", "b-9", "b-10", "b-100"]);
    }

    #[test]
    fn what_the_redrive_moved_takes_its_place_by_the_time_in_its_body_and_keeps_its_own_order() {
        let letters = vec![
            moved("a", 2, 25),
            recorded("a", 30),
            moved("a", 1, 15),
            recorded("a", 20),
            recorded("a", 10),
            // Later in the internal queue, though its body says earlier.
            moved("a", 3, 5),
        ];
        let arranged = arrange(letters);
        assert_eq!(
            ids(&arranged),
            [
                "a-10",
                "a-moved-1",
                "a-20",
                "a-moved-2",
                "a-moved-3",
                "a-30"
            ]
        );
    }

    #[test]
    fn letters_without_a_group_go_by_time() {
        let ungrouped = |seconds| {
            let mut message = moved("a", seconds, seconds).message;
            (message.group, message.sequence_number) = (None, None);
            Letter::read(message)
        };
        let arranged = arrange([3, 1, 2].map(ungrouped).into());
        assert_eq!(ids(&arranged), ["a-moved-1", "a-moved-2", "a-moved-3"]);
    }

    #[test]
    fn a_letter_of_the_redrive_that_was_put_back_takes_its_first_place() {
        let native = |present, seconds| {
            let mut message = moved("a", present, 0).message;
            message.body = "{}".into();
            message.sent_at = DEAD.plus(std::time::Duration::from_secs(seconds));
            Letter::read(message)
        };
        let first = native(1, 1);
        // It was dropped, and imported when the others were there.
        let mut put_back = native(4, 60).message;
        let identity = delivery::Replay::new(0, crate::target::origin_of(&first));
        let identity = Attribute::string(identity.to_json_within(10_000).unwrap());
        put_back
            .attributes
            .insert(delivery::REPLAY.to_owned(), identity);
        let letters = vec![native(2, 2), native(3, 3), Letter::read(put_back)];
        let arranged = arrange(letters);
        assert_eq!(ids(&arranged), ["a-moved-1", "a-moved-2", "a-moved-3"]);
    }

    #[test]
    fn two_letters_of_one_event_are_one_item_of_which_the_latest_life_speaks() {
        let letters = vec![
            life("a", 1, 0, "{}"),
            life("a", 1, 1, "{}"),
            life("a", 1, 0, "{}"),
            recorded("a", 2),
        ];
        let mut lines = lines(letters);
        assert_eq!((lines.len(), lines[0].len()), (1, 2));
        let first = lines[0].pop_front().unwrap();
        assert_eq!((first.letter.replays(), first.copies.len()), (1, 2));
    }

    #[test]
    fn letters_that_differ_in_their_bodies_are_two_events_whatever_their_ids_say() {
        let letters = vec![life("a", 1, 0, "{}"), life("a", 1, 0, r#"{"b":1}"#)];
        assert_eq!(lines(letters)[0].len(), 2);
    }

    #[test]
    fn letters_without_a_group_do_not_wait_for_each_other() {
        let ungrouped = |n: u64| {
            let mut message = moved("a", n, n).message;
            message.group = None;
            Letter::read(message)
        };
        assert_eq!(lines(vec![ungrouped(1), ungrouped(2)]).len(), 2);
    }
}
