//! Reads the parameters that every event carries; whatever else a body holds is only checked to be JSON.

use std::fmt;
use std::ops::Range;

use serde::Deserializer as _;
use serde::de::{self, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::InvalidEvent;

/// What one body says about itself. Does not hold the body.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Event {
    msg_id: Option<String>,
    event_datetime: Option<String>,
    group_id: Option<String>,
    deduplication_id: Option<String>,
    deduplication_id_span: Option<Range<usize>>,
}

impl Event {
    /// Reads a body: a JSON object whose known parameters, where present, have their documented type and come once.
    ///
    /// An integer is written without fraction or exponent and may be of any size. Nested JSON is scanned without
    /// recursion, so depth is bounded only by the size of the body.
    ///
    /// # Errors
    /// [`InvalidEvent`] says what is wrong without repeating anything of the body.
    pub fn parse(body: &[u8]) -> Result<Self, InvalidEvent> {
        let text = std::str::from_utf8(body).map_err(|error| InvalidEvent::NotUtf8 {
            at: error.valid_up_to(),
        })?;
        match text.trim_start_matches(JSON_WHITESPACE).bytes().next() {
            None => return Err(InvalidEvent::Empty),
            Some(b'{') => {}
            Some(first) => return Err(not_an_object(text, first)),
        }
        let mut scan = Scan {
            text,
            event: Self::default(),
            seen: [false; PARAMETERS.len()],
            problem: None,
        };
        let mut json = serde_json::Deserializer::from_str(text);
        let walked = json.deserialize_map(&mut scan).and_then(|()| json.end());
        match (scan.problem, walked) {
            (Some(problem), _) => Err(problem),
            (None, Err(error)) => Err(InvalidEvent::not_json(text, &error)),
            (None, Ok(())) => Ok(scan.event),
        }
    }

    /// The unique id of this event, if the body carries one.
    pub fn msg_id(&self) -> Option<&str> {
        self.msg_id.as_deref()
    }

    /// The `event_datetime` of the body, as written.
    pub fn event_datetime(&self) -> Option<&str> {
        self.event_datetime.as_deref()
    }

    /// The `MessageGroupId` of the body.
    pub fn group_id(&self) -> Option<&str> {
        self.group_id.as_deref()
    }

    /// The `MessageDeDuplicationId` of the body.
    pub fn deduplication_id(&self) -> Option<&str> {
        self.deduplication_id.as_deref()
    }

    /// The bytes of the body that hold the value of `MessageDeDuplicationId`, quotes included.
    pub(crate) fn deduplication_id_span(&self) -> Option<Range<usize>> {
        self.deduplication_id_span.clone()
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Integer,
    String,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Integer => "an integer",
            Self::String => "a string",
        }
    }
}

/// The parameters every event may carry and their types, as the upstream documentation has them.
const PARAMETERS: [(&str, Kind); 9] = [
    ("mkt_id", Kind::Integer),
    ("event_datetime", Kind::String),
    ("msg_id", Kind::String),
    ("ext_customer_id", Kind::String),
    ("ent_id", Kind::Integer),
    ("ext_branch_id", Kind::String),
    ("branch_id", Kind::Integer),
    (crate::DEDUPLICATION_ID, Kind::String),
    (crate::GROUP_ID, Kind::String),
];

const JSON_WHITESPACE: [char; 4] = [' ', '\t', '\n', '\r'];

fn not_an_object(text: &str, first: u8) -> InvalidEvent {
    match serde_json::from_str::<IgnoredAny>(text) {
        Ok(_) => InvalidEvent::NotAnObject {
            found: type_of(first),
        },
        Err(error) => InvalidEvent::not_json(text, &error),
    }
}

/// The JSON type of a valid value, told by its first byte.
const fn type_of(first: u8) -> &'static str {
    match first {
        b'{' => "an object",
        b'[' => "an array",
        b'"' => "a string",
        b't' | b'f' => "a boolean",
        b'n' => "null",
        _ => "a number",
    }
}

/// Walks the top level of one object, in the order of the text.
struct Scan<'a> {
    text: &'a str,
    event: Event,
    seen: [bool; PARAMETERS.len()],
    problem: Option<InvalidEvent>,
}

impl<'de> Visitor<'de> for &mut Scan<'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        // Keys and values stay raw: a raw value borrows from the text, which tells where it stands.
        while let Some((key, value)) = map.next_entry::<&RawValue, &RawValue>()? {
            let Some(index) = parameter_index(key.get()) else {
                continue;
            };
            if let Err(problem) = self.take(index, value) {
                self.problem = Some(problem);
                return Err(de::Error::custom("invalid parameter"));
            }
        }
        Ok(())
    }
}

impl Scan<'_> {
    fn take(&mut self, index: usize, value: &RawValue) -> Result<(), InvalidEvent> {
        let (parameter, kind) = PARAMETERS[index];
        if std::mem::replace(&mut self.seen[index], true) {
            return Err(InvalidEvent::GivenTwice { parameter });
        }
        check_type(value.get(), kind).map_err(|found| InvalidEvent::WrongType {
            parameter,
            expected: kind.name(),
            found,
        })?;
        let slot = match parameter {
            "msg_id" => &mut self.event.msg_id,
            "event_datetime" => &mut self.event.event_datetime,
            crate::GROUP_ID => &mut self.event.group_id,
            crate::DEDUPLICATION_ID => {
                self.event.deduplication_id_span = Some(span_of(self.text, value.get()));
                &mut self.event.deduplication_id
            }
            _ => return Ok(()),
        };
        *slot = serde_json::from_str(value.get()).ok();
        Ok(())
    }
}

fn parameter_index(raw_key: &str) -> Option<usize> {
    let position = |name: &str| PARAMETERS.iter().position(|(known, _)| *known == name);
    let inner = raw_key.strip_prefix('"')?.strip_suffix('"')?;
    if !inner.contains('\\') {
        return position(inner);
    }
    // A key may spell a parameter with escapes. One that is no Unicode text is none of ours.
    position(&serde_json::from_str::<String>(raw_key).ok()?)
}

/// Checks a valid JSON value against a type; the error is the type found.
fn check_type(raw: &str, kind: Kind) -> Result<(), &'static str> {
    let first = raw.as_bytes().first().copied().unwrap_or_default();
    match (kind, type_of(first)) {
        (Kind::Integer, "a number") if raw.contains(['.', 'e', 'E']) => {
            Err("a number with a fraction or exponent")
        }
        (Kind::Integer, "a number") => Ok(()),
        // The scan accepts any \u escape; only decoding notices half a surrogate pair.
        (Kind::String, "a string") if raw.contains('\\') => serde_json::from_str::<String>(raw)
            .map(drop)
            .map_err(|_| "a string that is not Unicode text"),
        (Kind::String, "a string") => Ok(()),
        (_, found) => Err(found),
    }
}

/// Where `part`, a slice of `text`, stands in it.
fn span_of(text: &str, part: &str) -> Range<usize> {
    let start = part.as_ptr().addr() - text.as_ptr().addr();
    start..start + part.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn parse(body: &str) -> Result<Event, InvalidEvent> {
        Event::parse(body.as_bytes())
    }

    fn error(body: &str) -> String {
        parse(body).expect_err(body).to_string()
    }

    #[test]
    fn the_parameters_of_a_full_event_are_read() {
        let event = parse(
            r#" {"mkt_id": 4, "event_datetime": "2025-02-12T14:30:45", "msg_id": "m-1", "ext_customer_id": "c",
               "ent_id": -5, "ext_branch_id": "", "branch_id": 123456789012345678901234567890,
               "MessageDeDuplicationId": "d", "MessageGroupId": "EventSetup_7", "other": [null, {"msg_id": 1}]}
            "#,
        )
        .unwrap();
        assert_eq!(event.msg_id(), Some("m-1"));
        assert_eq!(event.event_datetime(), Some("2025-02-12T14:30:45"));
        assert_eq!(event.group_id(), Some("EventSetup_7"));
        assert_eq!(event.deduplication_id(), Some("d"));
    }

    #[test]
    fn absent_parameters_are_fine() {
        assert_eq!(parse("{}"), Ok(Event::default()));
    }

    #[test]
    fn unknown_parameters_may_be_anything_even_twice() {
        assert!(
            parse(r#"{"x":1,"x":null,"Msg_Id":2,"MessageDeduplicationId":3,"\ud800":"\udead"}"#)
                .is_ok()
        );
    }

    #[test]
    fn a_wrong_type_is_named_with_what_was_expected() {
        assert_eq!(
            error(r#"{"mkt_id":"4"}"#),
            "`mkt_id` must be an integer, found a string"
        );
        assert_eq!(
            error(r#"{"msg_id":null}"#),
            "`msg_id` must be a string, found null"
        );
        assert_eq!(
            error(r#"{"ent_id":true}"#),
            "`ent_id` must be an integer, found a boolean"
        );
        assert_eq!(
            error(r#"{"MessageGroupId":{}}"#),
            "`MessageGroupId` must be a string, found an object"
        );
        for fraction in ["1.0", "1e3", "-2E1"] {
            assert_eq!(
                error(&format!(r#"{{"branch_id":{fraction}}}"#)),
                "`branch_id` must be an integer, found a number with a fraction or exponent"
            );
        }
        assert_eq!(
            error(r#"{"msg_id":"\ud800"}"#),
            "`msg_id` must be a string, found a string that is not Unicode text"
        );
    }

    #[test]
    fn every_parameter_is_checked() {
        for (name, kind) in PARAMETERS {
            assert!(
                error(&format!(r#"{{"{name}":[]}}"#)).contains(kind.name()),
                "{name}"
            );
            let good = if kind == Kind::Integer { "1" } else { "\"\"" };
            assert_eq!(
                error(&format!(r#"{{"{name}":{good},"a":0,"{name}":{good}}}"#)),
                format!("`{name}` is given twice")
            );
        }
    }

    #[test]
    fn an_escaped_key_is_the_same_key() {
        assert_eq!(
            error(r#"{"msg_id":"a","msg\u005fid":"b"}"#),
            "`msg_id` is given twice"
        );
        assert_eq!(
            parse(r#"{"msg\u005Fid":"\u0061"}"#).unwrap().msg_id(),
            Some("a")
        );
    }

    #[test]
    fn what_is_not_an_object_is_named() {
        for (body, found) in [
            ("[1]", "an array"),
            ("\"x\"", "a string"),
            (" 1", "a number"),
            ("null", "null"),
            ("true", "a boolean"),
        ] {
            assert_eq!(
                error(body),
                format!("expected a JSON object, found {found}")
            );
        }
        for empty in ["", " \r\n\t"] {
            assert_eq!(error(empty), "the body is empty, expected a JSON object");
        }
    }

    #[test]
    fn what_is_not_json_is_placed() {
        assert_eq!(error("secret"), "not valid JSON at byte 0: expected value");
        assert_eq!(
            error(r#"{"a":1,}"#),
            "not valid JSON at byte 7: trailing comma"
        );
        assert_eq!(
            error(r#"{"a":1} {"b":2}"#),
            "not valid JSON at byte 8: trailing characters"
        );
        assert_eq!(
            error("{\"a\":\n1,\n\"b\" 2}"),
            "not valid JSON at byte 13: expected `:`"
        );
        assert_eq!(
            error("{\n\n\n\"a\":\n1 2}"),
            "not valid JSON at byte 11: expected `,` or `}`"
        );
        assert_eq!(
            error("{'a':1}"),
            "not valid JSON at byte 1: key must be a string"
        );
        assert!(error(r#"{"a":"#).starts_with("not valid JSON at byte "));
        assert_eq!(
            Event::parse(b"{\"a\":\"\xff\"}").unwrap_err().to_string(),
            "not valid UTF-8 at byte 6"
        );
    }

    #[test]
    fn an_error_repeats_nothing_of_the_body() {
        for body in [
            r#"{"msg_id":"SECRET"SECRET}"#,
            r#"{"mkt_id":"SECRET"}"#,
            "SECRET",
            r#"["SECRET"]"#,
            r#"{SECRET"#,
        ] {
            assert!(!error(body).contains("SECRET"), "{}", error(body));
        }
    }

    #[test]
    fn deep_json_needs_no_stack() {
        let deep = |open: &str, close: &str| {
            format!(
                "{{\"a\":{}1{}}}",
                open.repeat(300_000),
                close.repeat(300_000)
            )
        };
        assert!(parse(&deep("[", "]")).is_ok());
        assert!(parse(&deep("{\"a\":", "}")).is_ok());
        assert!(parse(&"[".repeat(1_000_000)).is_err());
        assert!(parse(&format!("{{\"msg_id\":{}", "[".repeat(1_000_000))).is_err());
    }

    #[test]
    fn the_span_of_a_deduplication_id_holds_its_quoted_value() {
        let body = r#"{ "MessageDeDuplicationId" :  "a\"b" , "x":1}"#;
        let span = parse(body).unwrap().deduplication_id_span().unwrap();
        assert_eq!(&body[span], r#""a\"b""#);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let _ = Event::parse(&bytes);
        }

        #[test]
        fn a_body_is_accepted_exactly_when_serde_json_reads_an_object_with_the_right_types(
            text in r#"[ ]?\{("(mkt_id|msg_id|x)":(1|"a"|null|\[\]|1\.5|\{"a":1\}),?){0,3}\}?"#,
        ) {
            let value: Option<serde_json::Map<_, Value>> = serde_json::from_str(&text).ok();
            let twice = ["\"mkt_id\"", "\"msg_id\""].iter().any(|key| text.matches(key).count() > 1);
            let expected = value.is_some_and(|map| {
                map.get("mkt_id").is_none_or(Value::is_i64) && map.get("msg_id").is_none_or(Value::is_string)
            });
            prop_assert_eq!(parse(&text).is_ok(), expected && !twice);
        }
    }
}
