//! The headers of one request (the contract, DESIGN section 4).

use event::Timestamp;

use crate::Authentication;

/// What the headers of an attempt say.
#[derive(Debug, Clone)]
pub struct RequestFacts<'a> {
    /// The event's `msg_id`, else its first MessageId: the same for all attempts and replays.
    pub webhook_id: &'a str,
    /// When this attempt begins.
    pub at: Timestamp,
    /// The attempt within this life, from 1.
    pub attempt: u32,
    /// The message group (FIFO).
    pub group: Option<&'a str>,
    /// The SQS sequence number (FIFO).
    pub sequence_number: Option<&'a str>,
    /// The event's name, if it has one that can stand in a header.
    pub event_name: Option<&'a str>,
    /// Whether this is a replay.
    pub replay: bool,
}

/// The headers of an attempt, all but those the HTTP client owns (`Host`, `Content-Length`).
pub fn headers(
    facts: &RequestFacts<'_>,
    authentication: &Authentication,
    body: &[u8],
) -> Vec<(String, String)> {
    let timestamp_s = facts.at.as_secs();
    let mut headers = vec![
        ("content-type", "application/json".to_owned()),
        (
            "user-agent",
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
            ("content-type", "application/json"),
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
}
