//! A record or a note as an item of the table.
//!
//! An item may have 400 KB. A record has at most 51 attempts (50 waits), each with an excerpt of at most 512
//! characters and some 250 bytes besides, and a line of detail: under 120 KB with four bytes for each character.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use event::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::slot::Slot;

/// The partition key, a string.
pub(super) const ID: &str = "id";
/// Which write of the record or note it was.
pub(super) const VERSION: &str = "version";
/// Which write of all: an id of its own for each.
pub(super) const WRITER: &str = "writer";
/// When DynamoDB may remove the item, in Unix seconds: the table's time to live.
pub(super) const EXPIRES_AT: &str = "expires_at";
/// The record or note, as JSON.
const RECORD: &str = "record";
/// For people.
const GROUP: &str = "message_group";
/// How the item is to be read. Items without one are of the first format.
const FORMAT: &str = "format";

/// The newest format. Items of several formats lie in one table while workers of several versions run, and none is
/// migrated: a version reads those of all before it, and writes its own. Versions that know the first alone do not look
/// at the format.
const NEWEST: i64 = 1;

pub(super) type Item = HashMap<String, AttributeValue>;

pub(super) fn id(slot: &Slot) -> AttributeValue {
    AttributeValue::S(id_text(slot))
}

/// The queue, a URL without a fragment, ends at the first `#`.
pub(super) fn id_text(slot: &Slot) -> String {
    format!("{}#{}", slot.queue, slot.id)
}

pub(super) fn number(number: i64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

pub(super) fn write(
    slot: &Slot,
    version: i64,
    writer: &str,
    kept: &impl Serialize,
    expires: Timestamp,
) -> Item {
    let text = serde_json::to_string(kept).expect("what is kept has only string keys");
    let expires_s = expires.as_millis().div_ceil(1000).cast_signed();
    let mut item = Item::from([
        (ID.to_owned(), id(slot)),
        (VERSION.to_owned(), number(version)),
        (WRITER.to_owned(), AttributeValue::S(writer.to_owned())),
        (FORMAT.to_owned(), number(NEWEST)),
        (RECORD.to_owned(), AttributeValue::S(text)),
        (EXPIRES_AT.to_owned(), number(expires_s)),
    ]);
    if let Some(group) = &slot.group {
        item.insert(GROUP.to_owned(), AttributeValue::S(group.clone()));
    }
    item
}

/// What an item says and which version of it, or what is wrong with it. One of a newer format is not taken for something
/// else, even if it could be read.
pub(super) fn read<T: DeserializeOwned>(item: &Item) -> Result<(T, i64), String> {
    let format = if item.contains_key(FORMAT) {
        whole_number(item, FORMAT)?
    } else {
        1
    };
    if format > NEWEST {
        return Err(format!(
            "it has format {format}, but this version reads formats up to {NEWEST}: use the version that wrote it"
        ));
    }
    let version = whole_number(item, VERSION)?;
    let Some(AttributeValue::S(text)) = item.get(RECORD) else {
        return Err(format!("its {RECORD} is no text"));
    };
    let kept = serde_json::from_str(text).map_err(|error| error.to_string())?;
    Ok((kept, version))
}

fn whole_number(item: &Item, name: &str) -> Result<i64, String> {
    let number = match item.get(name) {
        Some(AttributeValue::N(number)) => number.parse().ok(),
        _ => None,
    };
    number.ok_or_else(|| format!("its {name} is no whole number"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use delivery::{Answer, Attempt, EXCERPT_CHARS, Record, RecordState};

    use super::*;

    /// The largest item that DynamoDB takes, in bytes.
    const LARGEST: usize = 400 * 1024;

    fn slot() -> Slot {
        Slot {
            queue: "https://sqs.us-east-1.amazonaws.com/123456789012/events.fifo".to_owned(),
            id: "6f9cf112-8a3b-4b0e-9d5e-000000000000".to_owned(),
            group: Some("EventSetup_7".to_owned()),
        }
    }

    fn longest_record() -> Record {
        let at = Timestamp::from_millis(1_739_370_645_123);
        let answer = Ok(Answer {
            status: 500,
            retry_after: None,
            excerpt: "\u{1F980}".repeat(EXCERPT_CHARS),
        });
        let attempt = |n| Attempt::new(u32::MAX, n, at, Duration::MAX, &answer);
        let attempts = delivery::MAX_DELAYS as u32 + 1;
        Record {
            attempts: (1..=attempts).map(attempt).collect(),
            state: RecordState::waiting(at, Duration::ZERO),
            receives: u32::MAX,
            begun: u32::MAX,
        }
    }

    #[test]
    fn the_longest_record_fits_an_item() {
        let at = Timestamp::from_millis(1_739_370_645_123);
        let item = write(&slot(), i64::MAX, "writer", &longest_record(), at);
        let size: usize = item
            .iter()
            .map(|(name, value)| match value {
                AttributeValue::S(text) | AttributeValue::N(text) => name.len() + text.len(),
                other => panic!("{other:?}"),
            })
            .sum();
        assert!(size * 3 < LARGEST, "{size}");
        assert_eq!(read(&item), Ok((longest_record(), i64::MAX)));
    }

    #[test]
    fn an_item_expires_no_earlier_than_its_record() {
        let at = Timestamp::from_millis(1_739_370_645_001);
        let item = write(&slot(), 1, "writer", &longest_record(), at);
        assert_eq!(item[EXPIRES_AT], AttributeValue::N("1739370646".to_owned()));
    }

    #[test]
    fn an_item_of_a_newer_format_is_refused_and_one_without_a_format_is_of_the_first() {
        let at = Timestamp::from_millis(1_739_370_645_001);
        let item = write(&slot(), 7, "writer", &longest_record(), at);
        let with = |format: AttributeValue| {
            let mut item = item.clone();
            item.insert(FORMAT.to_owned(), format);
            read::<Record>(&item)
        };
        assert_eq!(item[FORMAT], number(1));
        assert_eq!(with(number(1)), Ok((longest_record(), 7)));
        let refused = with(number(2)).unwrap_err();
        assert!(refused.contains("format 2"), "{refused}");
        assert!(
            refused.contains("use the version that wrote it"),
            "{refused}"
        );
        let no_number = AttributeValue::S("2".to_owned());
        assert_eq!(
            with(no_number),
            Err("its format is no whole number".to_owned())
        );
        let mut earlier = item.clone();
        earlier.remove(FORMAT);
        assert_eq!(read(&earlier), Ok((longest_record(), 7)));
    }
}
