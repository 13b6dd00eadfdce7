//! Writes parameters into a body and leaves every other byte where it was.

use std::ops::Range;

use crate::{DEDUPLICATION_ID, Event, GROUP_ID, Timestamp};

/// Adds members at the end of a JSON object: before its final `}`, with every byte before and after untouched.
///
/// The body must be one that [`Event::parse`] accepts; what has no `}` comes back as it is. Keys that the object
/// already has would be there twice: whether they are is the caller's knowledge.
pub fn append_keys(body: &[u8], additions: &[(&str, &str)]) -> Vec<u8> {
    let Some(close) = body.iter().rposition(|&byte| byte == b'}') else {
        return body.to_vec();
    };
    let (head, tail) = body.split_at(close);
    let mut added = Vec::new();
    let mut first = head.trim_ascii_end().ends_with(b"{");
    for (key, value) in additions {
        if !std::mem::take(&mut first) {
            added.push(b',');
        }
        push_string(&mut added, key);
        added.push(b':');
        push_string(&mut added, value);
    }
    [head, &added, tail].concat()
}

fn push_string(out: &mut Vec<u8>, text: &str) {
    // `Value`'s Display is JSON and cannot fail, unlike a serializer over a writer.
    out.extend_from_slice(serde_json::Value::from(text).to_string().as_bytes());
}

/// What a producer fills in where an event left it out.
#[derive(Debug, Clone, Copy)]
pub struct Fill<'a> {
    /// A fresh unique id.
    pub msg_id: &'a str,
    /// When the event happened, if it does not say so.
    pub event_datetime: Timestamp,
    /// The message group on a FIFO queue; on a standard queue `None`, and the body gets neither of the two FIFO keys.
    pub group_id: Option<&'a str>,
}

/// A body that is complete but for its deduplication id, which is known only when its turn to be sent comes.
///
/// The id always has the same length, so the size of the body is known before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    body: String,
    /// The 23 bytes of the deduplication id; `None` on a standard queue.
    id_span: Option<Range<usize>>,
}

const NO_ID: &str = "0000-00-00T00:00:00.000";

impl Draft {
    /// Completes `body`, whose parsed form is `event`. The order and bytes of what is there do not change, except that
    /// for a FIFO queue the value of its own `MessageDeDuplicationId` makes room for ours.
    pub fn new(body: &str, event: &Event, fill: &Fill<'_>) -> Self {
        let event_datetime = fill.event_datetime.event_datetime();
        let mut additions = Vec::new();
        if event.event_datetime().is_none() {
            additions.push(("event_datetime", event_datetime.as_str()));
        }
        if event.msg_id().is_none() {
            additions.push(("msg_id", fill.msg_id));
        }
        let Some(group_id) = fill.group_id else {
            return Self {
                body: text(append_keys(body.as_bytes(), &additions)),
                id_span: None,
            };
        };
        if event.group_id().is_none() {
            additions.push((GROUP_ID, group_id));
        }
        match event.deduplication_id_span() {
            Some(span) => Self::replacing(body, span, &additions),
            None => Self::appending(body, additions),
        }
    }

    fn replacing(body: &str, value: Range<usize>, additions: &[(&str, &str)]) -> Self {
        let mut body = body.to_owned();
        body.replace_range(value.clone(), &format!("\"{NO_ID}\""));
        let start = value.start + 1;
        Self {
            body: text(append_keys(body.as_bytes(), additions)),
            id_span: Some(start..start + NO_ID.len()),
        }
    }

    fn appending(body: &str, mut additions: Vec<(&str, &str)>) -> Self {
        additions.push((DEDUPLICATION_ID, NO_ID));
        let close = body.rfind('}').unwrap_or(body.len());
        let body_end = body.len() - close;
        let body = text(append_keys(body.as_bytes(), &additions));
        // The id was added last: between it and the old end of the body stands its closing quote.
        let end = body.len() - body_end - 1;
        Self {
            id_span: Some(end - NO_ID.len()..end),
            body,
        }
    }

    /// Writes the deduplication id into the body; nothing happens on a standard queue.
    pub fn stamp(&mut self, deduplication_id: Timestamp) {
        if let Some(span) = self.id_span.clone() {
            self.body
                .replace_range(span, &deduplication_id.deduplication_id());
        }
    }

    /// The body, with the id of the last [`Draft::stamp`].
    pub fn body(&self) -> &str {
        &self.body
    }

    /// The body, with the id of the last [`Draft::stamp`].
    pub fn into_body(self) -> String {
        self.body
    }
}

/// The body was text, and only text was put into it at the borders of characters.
fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, Value};

    use super::*;

    const ID: Timestamp = Timestamp::from_millis(1_739_370_645_123);
    const FILL: Fill<'static> = Fill {
        msg_id: "fresh",
        event_datetime: ID,
        group_id: Some("EventSetup_7"),
    };

    fn stamped(body: &str, fill: &Fill<'_>) -> String {
        let event = Event::parse(body.as_bytes()).unwrap();
        let mut draft = Draft::new(body, &event, fill);
        let length = draft.body().len();
        draft.stamp(ID);
        assert_eq!(
            draft.body().len(),
            length,
            "the size is known before the id"
        );
        let stamped = draft.body().to_owned();
        assert_eq!(draft.into_body(), stamped);
        stamped
    }

    fn appended(body: &str, additions: &[(&str, &str)]) -> String {
        String::from_utf8(append_keys(body.as_bytes(), additions)).unwrap()
    }

    #[test]
    fn keys_are_added_at_the_end() {
        assert_eq!(
            appended(r#"{"a":1}"#, &[("b", "x"), ("c", "y")]),
            r#"{"a":1,"b":"x","c":"y"}"#
        );
    }

    #[test]
    fn an_empty_object_and_white_space_are_handled() {
        assert_eq!(appended("{}", &[("b", "x")]), r#"{"b":"x"}"#);
        assert_eq!(appended(" { } \n", &[("b", "x")]), " { \"b\":\"x\"} \n");
        assert_eq!(
            appended("{\"a\":\"{\" }\r\n", &[("b", "x")]),
            "{\"a\":\"{\" ,\"b\":\"x\"}\r\n"
        );
        assert_eq!(
            appended(r#"{"a":{}}"#, &[("b", "x")]),
            r#"{"a":{},"b":"x"}"#
        );
    }

    #[test]
    fn added_text_is_escaped() {
        assert_eq!(appended("{}", &[("q\"", "\\\n")]), r#"{"q\"":"\\\n"}"#);
    }

    #[test]
    fn a_body_without_an_end_comes_back_as_it_is() {
        assert_eq!(appended("[1]", &[("b", "x")]), "[1]");
    }

    #[test]
    fn what_is_missing_is_filled_in() {
        assert_eq!(
            stamped(r#"{"mkt_id":1}"#, &FILL),
            concat!(
                r#"{"mkt_id":1,"event_datetime":"2025-02-12T14:30:45","msg_id":"fresh","#,
                r#""MessageGroupId":"EventSetup_7","MessageDeDuplicationId":"2025-02-12T14:30:45.123"}"#
            )
        );
    }

    #[test]
    fn an_own_deduplication_id_is_replaced_in_place() {
        let body = concat!(
            r#"{ "MessageDeDuplicationId" : "old \u00e9", "z":1.0e3,"msg_id":"m","#,
            r#""event_datetime":"then", "MessageGroupId":"EventSetup_7" } "#
        );
        let expected = body.replace(r#"old \u00e9"#, "2025-02-12T14:30:45.123");
        assert_eq!(stamped(body, &FILL), expected);
    }

    #[test]
    fn a_standard_queue_gets_neither_fifo_key() {
        let fill = Fill {
            group_id: None,
            ..FILL
        };
        let body = r#"{"msg_id":"m","event_datetime":"t","MessageDeDuplicationId":"own"}"#;
        assert_eq!(stamped(body, &fill), body);
    }

    #[test]
    fn a_second_stamp_replaces_the_first() {
        let event = Event::parse(b"{}").unwrap();
        let mut draft = Draft::new("{}", &event, &FILL);
        draft.stamp(Timestamp::from_millis(0));
        let first = draft.body().to_owned();
        draft.stamp(ID);
        assert_eq!(
            draft.body(),
            first.replace("1970-01-01T00:00:00.000", "2025-02-12T14:30:45.123")
        );
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".*".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(".*", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    fn object() -> impl Strategy<Value = Map<String, Value>> {
        prop::collection::btree_map("x.*", json(), 0..5).prop_map(|map| map.into_iter().collect())
    }

    proptest! {
        #[test]
        fn appending_keeps_the_prefix_and_stays_json(
            members in object(), pretty: bool, space in "[ \t\r\n]{0,3}", key in "y.*", value in ".*",
        ) {
            let mut expected = members.clone();
            let json = Value::Object(members);
            let body = if pretty { format!("{json:#}{space}") } else { format!("{json}{space}") };
            let out = append_keys(body.as_bytes(), &[(&key, &value)]);
            let prefix = body.trim_end().len() - 1;
            prop_assert_eq!(&out[..prefix], &body.as_bytes()[..prefix]);
            let end = format!("}}{space}");
            prop_assert!(out.ends_with(end.as_bytes()));
            expected.insert(key, value.into());
            prop_assert_eq!(serde_json::from_slice::<Value>(&out).unwrap(), Value::Object(expected));
        }

        #[test]
        fn a_draft_changes_only_what_it_fills(members in object(), own_id: Option<String>, pretty: bool) {
            let mut members = members;
            if let Some(own_id) = own_id {
                members.insert(DEDUPLICATION_ID.into(), own_id.into());
            }
            let json = Value::Object(members.clone());
            let body = if pretty { format!("{json:#}") } else { json.to_string() };
            let sent: Value = serde_json::from_str(&stamped(&body, &FILL)).unwrap();
            members.insert(DEDUPLICATION_ID.into(), "2025-02-12T14:30:45.123".into());
            members.insert(GROUP_ID.into(), "EventSetup_7".into());
            members.insert("msg_id".into(), "fresh".into());
            members.insert("event_datetime".into(), "2025-02-12T14:30:45".into());
            prop_assert_eq!(sent, Value::Object(members));
        }
    }
}
