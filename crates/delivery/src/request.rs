//! One request: its identity, its headers and its body (the contract, DESIGN section 4).

use event::{Event, Timestamp, is_header_text};

use crate::Authentication;

/// The longest `msg_id` that serves as `webhook-id`.
const LONGEST_ID: usize = 256;

/// The identity of an event for its receiver, the same for all attempts and replays: its `msg_id`, else its first
/// MessageId, if that is known. What cannot stand in a header is passed over.
pub fn webhook_id<'a>(
    msg_id: Option<&'a str>,
    first_message_id: Option<&'a str>,
    message_id: &'a str,
) -> &'a str {
    [msg_id, first_message_id]
        .into_iter()
        .flatten()
        .find(|id| id.len() <= LONGEST_ID && is_header_text(id))
        .unwrap_or(message_id)
}

/// The body where it is not exactly the bytes that lie in the queue: with the two FIFO parameters that an upstream
/// system left out, at its end (DESIGN section 3, "Exact bytes"). None where nothing is to be added: on a standard queue
/// there is no deduplication id, and the caller passes no group, which is a tenant there.
pub fn completed_body(
    body: &[u8],
    event: &Event,
    deduplication_id: Option<&str>,
    group: Option<&str>,
) -> Option<Vec<u8>> {
    let mut missing = Vec::new();
    if let (None, Some(id)) = (event.deduplication_id(), deduplication_id) {
        missing.push((event::DEDUPLICATION_ID, id));
    }
    if let (None, Some(group)) = (event.group_id(), group) {
        missing.push((event::GROUP_ID, group));
    }
    (!missing.is_empty()).then(|| event::append_keys(body, &missing))
}

/// What the headers of an attempt say.
#[derive(Debug, Clone)]
pub struct RequestFacts<'a> {
    /// The event's `msg_id`, else its first MessageId: the same for all attempts and replays.
    pub webhook_id: &'a str,
    /// When this attempt begins.
    pub at: Timestamp,
    /// The attempt within this life, from 1.
    pub attempt: u32,
    /// The message group.
    pub group: Option<&'a str>,
    /// The SQS sequence number (FIFO).
    pub sequence_number: Option<&'a str>,
    /// The event's name, if it has one that can stand in a header.
    pub event_name: Option<&'a str>,
    /// Whether this is a replay.
    pub replay: bool,
}

/// The headers of an attempt, in the letters of the documentation: all but those the HTTP client owns (`Host`, `Accept`,
/// `Content-Length`, `Connection`).
pub fn headers(
    facts: &RequestFacts<'_>,
    authentication: &Authentication,
    body: &[u8],
) -> Vec<(String, String)> {
    let timestamp_s = facts.at.as_secs();
    let mut headers = vec![
        ("Content-Type", "application/json".to_owned()),
        (
            "User-Agent",
            concat!("Hooklane/", env!("CARGO_PKG_VERSION")).to_owned(),
        ),
        ("webhook-id", facts.webhook_id.to_owned()),
        ("webhook-timestamp", timestamp_s.to_string()),
        ("X-Hooklane-Attempt", facts.attempt.to_string()),
    ];
    headers.extend(authentication.header(facts.webhook_id, timestamp_s, body));
    headers.extend(
        facts
            .group
            .map(|group| ("X-Hooklane-Group", group.to_owned())),
    );
    headers.extend(
        facts
            .sequence_number
            .map(|n| ("X-Hooklane-Sequence", n.to_owned())),
    );
    headers.extend(
        facts
            .event_name
            .map(|name| ("X-Hooklane-Event", name.to_owned())),
    );
    headers.extend(
        facts
            .replay
            .then(|| ("X-Hooklane-Replay", "true".to_owned())),
    );
    headers
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts<'a>() -> RequestFacts<'a> {
        RequestFacts {
            webhook_id: "msg-1",
            at: Timestamp::from_millis(1_739_370_645_123),
            attempt: 3,
            group: None,
            sequence_number: None,
            event_name: None,
            replay: false,
        }
    }

    fn value(headers: &[(String, String)], name: &str) -> Option<String> {
        headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.clone())
    }

    #[test]
    fn a_request_says_which_event_attempt_group_and_moment_it_is() {
        let facts = RequestFacts {
            group: Some("EventSetup_7"),
            sequence_number: Some("17"),
            event_name: Some("talent_created"),
            replay: true,
            ..facts()
        };
        let headers = headers(&facts, &Authentication::None, b"{}");
        for (name, expected) in [
            ("Content-Type", "application/json"),
            ("webhook-id", "msg-1"),
            ("webhook-timestamp", "1739370645"),
            ("X-Hooklane-Attempt", "3"),
            ("X-Hooklane-Group", "EventSetup_7"),
            ("X-Hooklane-Sequence", "17"),
            ("X-Hooklane-Event", "talent_created"),
            ("X-Hooklane-Replay", "true"),
        ] {
            assert_eq!(value(&headers, name).as_deref(), Some(expected), "{name}");
        }
    }

    #[test]
    fn what_an_event_does_not_have_is_left_out() {
        let headers = headers(&facts(), &Authentication::None, b"{}");
        for name in [
            "X-Hooklane-Group",
            "X-Hooklane-Sequence",
            "X-Hooklane-Event",
            "X-Hooklane-Replay",
        ] {
            assert_eq!(value(&headers, name), None, "{name}");
        }
    }

    #[test]
    fn an_event_is_known_by_its_msg_id_and_else_by_its_first_message_id() {
        let long = "x".repeat(257);
        for (msg_id, first, expected) in [
            (Some("msg-1"), Some("first"), "msg-1"),
            (Some(&long[..256]), Some("first"), &long[..256]),
            (Some(&long), Some("first"), "first"),
            (Some("two\nlines"), Some("first"), "first"),
            (None, Some(""), "present"),
            (None, Some("zoë"), "present"),
            (None, None, "present"),
        ] {
            assert_eq!(webhook_id(msg_id, first, "present"), expected, "{msg_id:?}");
        }
    }

    #[test]
    fn only_what_an_upstream_system_left_out_is_added_to_a_body() {
        let completed = |body: &str, id, group| {
            let event = Event::parse(body.as_bytes()).unwrap();
            let body = completed_body(body.as_bytes(), &event, id, group)?;
            Some(String::from_utf8(body).unwrap())
        };
        let both = r#"{"MessageDeDuplicationId":"a","MessageGroupId":"b"}"#;
        assert_eq!(completed(both, Some("x"), Some("y")), None);
        assert_eq!(completed("{}", None, None), None);
        assert_eq!(
            completed(r#"{"MessageGroupId":"b"}"#, Some("x"), Some("y")).as_deref(),
            Some(r#"{"MessageGroupId":"b","MessageDeDuplicationId":"x"}"#)
        );
        assert_eq!(
            completed(r#"{"MessageDeDuplicationId":"a"}"#, Some("x"), Some("y")).as_deref(),
            Some(r#"{"MessageDeDuplicationId":"a","MessageGroupId":"y"}"#)
        );
    }
}
