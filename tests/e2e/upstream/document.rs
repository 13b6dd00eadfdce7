//! `docs/UPSTREAM.md` as tests read it: its code blocks, tables and examples.

use std::collections::HashMap;

use aws_sdk_sqs::types::MessageAttributeValue;
use event::Timestamp;
use rig::program::repository;
use rig::request::Request;
use rig::world::{World, attribute};
use serde_json::{Value, json};

pub(crate) fn document() -> String {
    let path = repository().join("docs/UPSTREAM.md");
    std::fs::read_to_string(path).expect("the document")
}

/// The code blocks of a language.
pub(crate) fn blocks(document: &str, language: &str) -> Vec<String> {
    let fences = document.split("```").skip(1).step_by(2);
    let blocks = fences.filter_map(|block| block.strip_prefix(&format!("{language}\n")));
    blocks.map(str::to_owned).collect()
}

/// The rows of the table whose first column has this title, cell by cell, without backquotes.
pub(crate) fn table(document: &str, title: &str) -> Vec<Vec<String>> {
    let head = format!("| {title} |");
    let rows = document
        .lines()
        .skip_while(|line| !line.starts_with(&head))
        .skip(2);
    let rows = rows.take_while(|line| line.starts_with('|')).map(|row| {
        let cells = row.trim_matches('|').split('|');
        cells.map(|cell| cell.trim().replace('`', "")).collect()
    });
    let rows: Vec<Vec<String>> = rows.collect();
    assert!(!rows.is_empty(), "no table {title:?}");
    rows
}

/// One message of the document.
#[derive(Debug)]
pub(crate) struct Example {
    /// Message group and deduplication id, on FIFO queues.
    pub(crate) fifo: Option<(String, String)>,
    attributes: Vec<(String, MessageAttributeValue)>,
    pub(crate) body: String,
}

impl Example {
    /// Of `aws sqs send-message …`.
    pub(crate) fn of_cli(block: &str) -> Self {
        let words = shell_words(&block.replace("\\\n", ""));
        assert_eq!(words[..3], ["aws", "sqs", "send-message"]);
        let mut options: HashMap<_, _> = words[3..]
            .chunks(2)
            .map(|pair| (pair[0].as_str(), pair[1].clone()))
            .collect();
        let mut take = |name: &str| options.remove(name);
        assert_eq!(take("--queue-url").as_deref(), Some("$QUEUE_URL"));
        let group = take("--message-group-id");
        let example = Self {
            fifo: group.zip(take("--message-deduplication-id")),
            attributes: attributes(&json(&take("--message-attributes").expect("attributes"))),
            body: take("--message-body").expect("a body"),
        };
        assert!(options.is_empty(), "{options:?}");
        example
    }

    /// Of `sqs.send_message(…)`, whose literals are JSON as well as Python.
    pub(crate) fn of_boto3(block: &str) -> Self {
        let argument = |name: &str| {
            let (_, rest) = block
                .split_once(&format!("{name}="))
                .unwrap_or_else(|| panic!("{name}"));
            let rest = rest.strip_prefix("json.dumps(").unwrap_or(rest);
            let value = serde_json::Deserializer::from_str(rest)
                .into_iter::<Value>()
                .next();
            value
                .expect("a value")
                .unwrap_or_else(|error| panic!("{name}: {error}"))
        };
        let text = |name: &str| argument(name).as_str().expect("a text").to_owned();
        Self {
            fifo: Some((text("MessageGroupId"), text("MessageDeduplicationId"))),
            attributes: attributes(&argument("MessageAttributes")),
            body: argument("MessageBody").to_string(),
        }
    }

    pub(crate) fn send(&self, world: &World) {
        let fifo = self
            .fifo
            .as_ref()
            .map(|(group, id)| (group.as_str(), id.as_str()));
        let attributes: Vec<_> = self
            .attributes
            .iter()
            .map(|(name, value)| (name.as_str(), value.clone()))
            .collect();
        world.send_plainly(fifo, &self.body, &attributes);
    }

    /// Fails unless this request is the example, byte for byte.
    pub(crate) fn assert_delivered(&self, request: &Request) {
        assert_eq!(String::from_utf8_lossy(&request.body), self.body);
        let event = request.event();
        assert_eq!(request.webhook_id(), event["msg_id"]);
        let name = self.attributes[0].1.string_value();
        assert_eq!(Some(request.header("x-hooklane-event")), name);
        let fifo = self
            .fifo
            .as_ref()
            .map(|(group, id)| (json!(group), json!(id)));
        let of_the_body = event
            .get("MessageGroupId")
            .cloned()
            .zip(event.get("MessageDeDuplicationId").cloned());
        assert_eq!(of_the_body, fifo, "the body repeats both ids");
        if let Some((group, id)) = &self.fifo {
            assert_eq!(request.header("x-hooklane-group"), group);
            let sent = Timestamp::parse(&format!("{id}Z")).expect("a time");
            assert_eq!(&sent.deduplication_id(), id);
            assert_eq!(event["event_datetime"], sent.event_datetime());
        }
    }
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn attributes(given: &Value) -> Vec<(String, MessageAttributeValue)> {
    let given = given.as_object().expect("attributes").iter();
    let text = |value: &Value, field: &str| value[field].as_str().expect("a text").to_owned();
    given
        .map(|(name, value)| {
            (
                name.clone(),
                attribute(&text(value, "DataType"), &text(value, "StringValue")),
            )
        })
        .collect()
}

/// Splits as a shell does, as far as the examples need it.
fn shell_words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = None::<String>;
    let mut quote = None;
    for character in line.chars() {
        match quote {
            Some(end) if end == character => quote = None,
            None if matches!(character, '\'' | '"') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            None if character.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    words
}
