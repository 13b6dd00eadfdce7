//! What an import sends for a line.

use std::collections::BTreeMap;

use delivery::{REPLAY, dead_letter_group};
use event::unsendable_character;
use queue::limits::MAX_ID;
use queue::{Attribute, AttributeValue, Outgoing, QueueAttributes};

use crate::letter_file::Line;

/// The message that puts a letter back: its body, attributes and group, and the deduplication id that its line
/// has. To a standard queue neither of the two means anything.
///
/// # Errors
/// Why the queue would not take it.
pub(super) fn message(line: &Line, queue: &QueueAttributes) -> Result<Outgoing, String> {
    sendable(&line.body).map_err(|why| format!("body: {why}"))?;
    let (group, deduplication_id) = if queue.fifo {
        (Some(group(line)?), Some(deduplication_id(line)?))
    } else {
        (None, None)
    };
    let outgoing = Outgoing {
        body: line.body.clone(),
        group,
        deduplication_id,
        attributes: attributes(line)?,
    };
    fitting(outgoing, line, queue.maximum_message_size)
}

fn attributes(line: &Line) -> Result<BTreeMap<String, Attribute>, String> {
    let attributes = line.message_attributes()?;
    for (name, attribute) in &attributes {
        let told = |why| {
            format!(
                "attribute {:?}: {why}",
                name.chars().take(80).collect::<String>()
            )
        };
        match &attribute.value {
            AttributeValue::Text(text) => sendable(text).map_err(told)?,
            AttributeValue::Bytes(bytes) if bytes.is_empty() => return Err(told(EMPTY.to_owned())),
            AttributeValue::Bytes(_) => {}
        }
    }
    Ok(attributes)
}

/// A letter from a standard queue gets a group of its own, as the worker would give it.
fn group(line: &Line) -> Result<String, String> {
    let group = line.put_back.group.clone();
    let group = group.unwrap_or_else(|| dead_letter_group(line.group.as_deref(), &line.id));
    id(&group).map_err(|why| format!("group: {why}"))?;
    Ok(group)
}

fn deduplication_id(line: &Line) -> Result<String, String> {
    let given = &line.put_back.deduplication_id;
    id(given).map_err(|why| format!("deduplication id: {why}"))?;
    Ok(given.clone())
}

fn id(text: &str) -> Result<(), String> {
    match text.len() {
        1..=MAX_ID if text.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(()),
        _ => Err(format!(
            "not 1 to {MAX_ID} letters, digits and punctuation of ASCII"
        )),
    }
}

const EMPTY: &str = "it is empty";

fn sendable(text: &str) -> Result<(), String> {
    match unsendable_character(text) {
        _ if text.is_empty() => Err(EMPTY.to_owned()),
        Some((at, character)) => Err(format!(
            "SQS does not take U+{:04X}, at byte {at}",
            u32::from(character)
        )),
        None => Ok(()),
    }
}

/// What an export added is left out where there is no room for it.
fn fitting(mut outgoing: Outgoing, line: &Line, most: usize) -> Result<Outgoing, String> {
    if outgoing.size() > most && line.has_given_identity() {
        outgoing.attributes.remove(REPLAY);
    }
    match outgoing.size() {
        size if size > most => Err(format!(
            "{size} bytes of body and attributes: the queue takes {most}"
        )),
        _ => Ok(outgoing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Letter;
    use crate::letter_file::line as written;
    use crate::sample::Sample;

    fn queue(fifo: bool, maximum_message_size: usize) -> QueueAttributes {
        QueueAttributes {
            fifo,
            dedup_scope: queue::DedupScope::MessageGroup,
            maximum_message_size,
            retention_s: 1,
            redrive: None,
            arn: String::new(),
            created_s: None,
            raw: BTreeMap::new(),
        }
    }

    fn saved(letter: &Letter) -> Line {
        Line::parse(written(letter, "q", "fresh").as_bytes()).unwrap()
    }

    #[test]
    fn a_letter_of_a_standard_queue_gets_a_group_of_its_own_in_a_fifo_queue_and_the_other_way_none()
    {
        let mut letter = Sample::default().letter();
        let to_standard = message(&saved(&letter), &queue(false, 10_000)).unwrap();
        assert_eq!(
            (to_standard.group, to_standard.deduplication_id),
            (None, None)
        );
        (letter.message.group, letter.message.deduplication_id) = (None, None);
        let to_fifo = message(&saved(&letter), &queue(true, 10_000)).unwrap();
        assert_eq!(to_fifo.group.as_deref(), Some("EventSetup_7#Origin-1"));
        assert_eq!(to_fifo.deduplication_id.as_deref(), Some("fresh"));
    }

    #[test]
    fn an_identity_that_was_added_is_left_out_where_it_does_not_fit() {
        let mut native = Sample {
            body: &"x".repeat(900),
            ..Sample::default()
        }
        .letter()
        .message;
        native.attributes.clear();
        native.deduplication_id = Some("d".to_owned());
        let line = saved(&Letter::read(native));
        let with = |most| message(&line, &queue(true, most)).map(|m| m.attributes.len());
        assert_eq!(with(10_000), Ok(1));
        assert_eq!(with(1_000), Ok(0));
        assert_eq!(
            with(899),
            Err("900 bytes of body and attributes: the queue takes 899".to_owned())
        );
    }

    #[test]
    fn what_sqs_would_not_take_is_told() {
        let good = saved(&Sample::default().letter());
        let refused = |change: &dyn Fn(&mut Line)| {
            let mut line = good.clone();
            change(&mut line);
            message(&line, &queue(true, 10_000)).unwrap_err()
        };
        assert_eq!(refused(&|line| line.body.clear()), "body: it is empty");
        let said = refused(&|line| line.body = "a\u{ffff}".to_owned());
        assert_eq!(said, "body: SQS does not take U+FFFF, at byte 1");
        let said = refused(&|line| line.put_back.group = Some("a b".to_owned()));
        assert!(said.starts_with("group: not 1 to 128"), "{said}");
        let said = refused(&|line| line.put_back.deduplication_id = "x".repeat(129));
        assert!(said.starts_with("deduplication id: not 1 to 128"), "{said}");
        let said = refused(&|line| {
            let value = line.attributes["event"].clone();
            line.attributes
                .extend((0..10).map(|n| (n.to_string(), value.clone())));
        });
        assert_eq!(said, "12 attributes: SQS takes 10");
    }
}
