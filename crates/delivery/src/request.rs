//! One request: its identity, its headers and its body (what is on the wire: `docs/SIGNATURES.md`).

use std::borrow::Cow;

use event::{Event, Timestamp, is_header_text};

use crate::{Authentication, Shape};

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
/// system left out, at its end (`docs/DECISIONS.md`, "Exact bytes"). None where nothing is to be added: on a standard queue
/// there is no deduplication id, and the caller passes no group, which is a tenant there.
fn completed_body(
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

/// An event as it lies in a queue, besides its body.
#[derive(Debug, Clone, Copy)]
pub struct InQueue<'a> {
    /// The MessageId.
    pub message_id: &'a str,
    /// The MessageId of its first life, if this is another one.
    pub first_message_id: Option<&'a str>,
    /// The deduplication id of its first life, where the body is to have one.
    pub deduplication_id: Option<&'a str>,
    /// The message group of its first life, where it keeps an order and the body is to have it.
    pub ordered_group: Option<&'a str>,
    /// The message group.
    pub group: Option<&'a str>,
    /// The SQS sequence number (FIFO).
    pub sequence_number: Option<&'a str>,
    /// The event's name.
    pub event_name: Option<&'a str>,
    /// Whether this is a replay.
    pub is_replay: bool,
}

/// What is POSTed of an event, the same for each attempt of a life but for what [`Posting::headers`] is given.
#[derive(Debug, Clone)]
pub struct Posting<'a> {
    /// The event's identity for its receiver, see [`webhook_id`].
    pub webhook_id: &'a str,
    /// The body, exactly.
    pub body: Cow<'a, [u8]>,
    /// What else the headers say.
    pub event: InQueue<'a>,
}

impl<'a> Posting<'a> {
    /// What is POSTed of a body that lies in a queue. `event` is what it was parsed to; what is no event goes as it is.
    pub fn new(
        body: &'a [u8],
        event: Option<&'a Event>,
        in_queue: InQueue<'a>,
        shape: Shape,
    ) -> Self {
        let msg_id = event.and_then(Event::msg_id);
        let completed = event.and_then(|event| {
            completed_body(
                body,
                event,
                in_queue.deduplication_id,
                in_queue.ordered_group,
            )
        });
        let name = in_queue.event_name.filter(|name| is_header_text(name));
        Self {
            webhook_id: webhook_id(msg_id, in_queue.first_message_id, in_queue.message_id),
            body: shape.of(completed.map_or(Cow::Borrowed(body), Cow::Owned)),
            event: InQueue {
                event_name: name,
                ..in_queue
            },
        }
    }

    /// The headers of the n-th attempt of this life, which begins now, in the letters of the documentation: all but those
    /// the HTTP client owns (`Host`, `Accept`, `Content-Length`, `Connection`).
    pub fn headers(
        &self,
        n: u32,
        now: Timestamp,
        authentication: &Authentication,
    ) -> Vec<(String, String)> {
        let (event, timestamp_s) = (&self.event, now.as_secs());
        let mut headers = vec![
            ("Content-Type", "application/json".to_owned()),
            (
                "User-Agent",
                concat!("Hooklane/", env!("CARGO_PKG_VERSION")).to_owned(),
            ),
            ("webhook-id", self.webhook_id.to_owned()),
            ("webhook-timestamp", timestamp_s.to_string()),
            ("X-Hooklane-Attempt", n.to_string()),
        ];
        headers.extend(authentication.header(self.webhook_id, timestamp_s, &self.body));
        let facts = [
            ("X-Hooklane-Group", event.group),
            ("X-Hooklane-Sequence", event.sequence_number),
            ("X-Hooklane-Event", event.event_name),
            ("X-Hooklane-Replay", event.is_replay.then_some("true")),
        ];
        let known = facts
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?.to_owned())));
        headers
            .into_iter()
            .chain(known)
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Secret, SignatureMode};

    const IN_QUEUE: InQueue<'static> = InQueue {
        message_id: "message-1",
        first_message_id: None,
        deduplication_id: None,
        ordered_group: None,
        group: None,
        sequence_number: None,
        event_name: None,
        is_replay: false,
    };

    fn headers(in_queue: InQueue<'_>) -> Vec<(String, String)> {
        let event = Event::parse(br#"{"msg_id":"msg-1"}"#).unwrap();
        let posting = Posting::new(b"{}", Some(&event), in_queue, Shape::Event);
        let now = Timestamp::from_millis(1_739_370_645_123);
        posting.headers(3, now, &Authentication::None)
    }

    fn value(headers: &[(String, String)], name: &str) -> Option<String> {
        headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.clone())
    }

    #[test]
    fn a_request_says_which_event_attempt_group_and_moment_it_is() {
        let headers = headers(InQueue {
            group: Some("EventSetup_7"),
            sequence_number: Some("17"),
            event_name: Some("talent_created"),
            is_replay: true,
            ..IN_QUEUE
        });
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
    fn what_an_event_does_not_have_or_cannot_stand_in_a_header_is_left_out() {
        let headers = headers(InQueue {
            event_name: Some("two\nlines"),
            ..IN_QUEUE
        });
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
    fn what_is_no_event_goes_as_it_is_under_its_message_id() {
        let in_queue = InQueue {
            deduplication_id: Some("x"),
            ordered_group: Some("y"),
            ..IN_QUEUE
        };
        let posting = Posting::new(b"no event", None, in_queue, Shape::Event);
        assert_eq!(&*posting.body, b"no event");
        assert_eq!(posting.webhook_id, "message-1");
    }

    #[test]
    fn a_signature_is_of_the_body_that_is_posted() {
        let event = Event::parse(b"{}").unwrap();
        let in_queue = InQueue {
            ordered_group: Some("g"),
            ..IN_QUEUE
        };
        let secrets = vec![Secret::new("s")];
        let signed = Authentication::signed(SignatureMode::HmacSha256Hex, secrets).unwrap();
        let now = Timestamp::from_millis(1_739_370_645_123);
        let [plain, array] = [Shape::Event, Shape::Array].map(|shape| {
            let posting = Posting::new(b"{}", Some(&event), in_queue, shape);
            (posting.body.to_vec(), posting.headers(1, now, &signed))
        });
        assert_eq!(plain.0, br#"{"MessageGroupId":"g"}"#);
        assert_eq!(array.0, br#"[{"MessageGroupId":"g"}]"#);
        for (body, headers) in [plain, array] {
            let expected = signed.header("message-1", now.as_secs(), &body).unwrap();
            let sent = value(&headers, expected.0);
            assert_eq!(sent.as_deref(), Some(expected.1.as_str()));
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
