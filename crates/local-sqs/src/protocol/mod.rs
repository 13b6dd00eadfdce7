//! Requests in, answers out: the AWS JSON 1.0 protocol and, for a few calls, the older query protocol. Knows the engine and
//! no transport: [`handle`] and [`resume`] are plain functions of the engine, the bytes and the time, so a wrapper can lose,
//! repeat or delay requests and answers as it likes.

mod actions;
mod address;
mod messages;
mod move_tasks;
mod query;
mod queues;
mod receive;
mod shapes;

use serde::Serialize;
use serde::de::DeserializeOwned;

use receive::Outcome;

use crate::engine::{Engine, ErrorKind, SqsError, UnixMs};

pub use query::{QUERY_CONTENT_TYPE, read_query, write_query};
pub use receive::LongPoll;

/// Content type of the AWS JSON protocol.
pub const JSON_CONTENT_TYPE: &str = "application/x-amz-json-1.0";

/// Prefix of `X-Amz-Target`; the action follows.
pub const TARGET_PREFIX: &str = "AmazonSQS.";

/// An answer ready to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// `Content-Type`.
    pub content_type: &'static str,
    /// `x-amzn-RequestId`.
    pub request_id: String,
    /// `x-amzn-query-error`, with errors of the JSON protocol.
    pub query_error: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

/// What became of a request.
#[derive(Debug)]
pub enum Answer {
    /// It is answered.
    Reply(Reply),
    /// It is a long poll and there is nothing yet: call [`resume`] when the queue was stirred
    /// ([`Engine::take_stirred`]) or [`LongPoll::wake_at`] has come. Dropping it takes nothing out of the queue.
    Wait(LongPoll),
}

/// Answers one request of the JSON protocol: `action` is what follows [`TARGET_PREFIX`] in `X-Amz-Target`, and queue URLs start
/// with `base_url`.
pub fn handle(
    engine: &mut Engine,
    base_url: &str,
    action: &str,
    body: &[u8],
    now: UnixMs,
) -> Answer {
    engine.advance(now);
    let outcome = actions::run(engine, base_url, action, body, now);
    answer(engine, outcome)
}

/// Looks again for a long poll; after its end the answer is an empty one.
pub fn resume(engine: &mut Engine, poll: LongPoll, now: UnixMs) -> Answer {
    engine.advance(now);
    let outcome = receive::attempt(engine, poll, now);
    answer(engine, outcome)
}

fn answer(engine: &mut Engine, outcome: Result<Outcome, SqsError>) -> Answer {
    match outcome {
        Ok(Outcome::Done(body)) => Answer::Reply(success(engine, body)),
        Ok(Outcome::Wait(poll)) => Answer::Wait(poll),
        Err(error) => Answer::Reply(failure(engine, &error)),
    }
}

/// The answer to a long poll that ends before its time because the server stops.
pub fn give_up(engine: &mut Engine) -> Reply {
    success(engine, nothing())
}

fn success(engine: &mut Engine, body: Vec<u8>) -> Reply {
    let request_id = engine.next_id().to_string();
    Reply {
        status: 200,
        content_type: JSON_CONTENT_TYPE,
        request_id,
        query_error: None,
        body,
    }
}

/// The answer to a refused request.
pub fn failure(engine: &mut Engine, error: &SqsError) -> Reply {
    #[derive(Serialize)]
    struct Body<'a> {
        #[serde(rename = "__type")]
        kind: String,
        message: &'a str,
    }
    let wire = error.kind.wire();
    let body = Body {
        kind: format!("com.amazonaws.sqs#{}", wire.json_type),
        message: &error.message,
    };
    Reply {
        status: wire.status,
        content_type: JSON_CONTENT_TYPE,
        request_id: engine.next_id().to_string(),
        query_error: Some(format!("{};Sender", wire.query_code)),
        body: to_json(&body),
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, SqsError> {
    serde_json::from_slice(body)
        .map_err(|error| SqsError::new(ErrorKind::Serialization, error.to_string()))
}

/// Shapes of answers always serialise: they hold strings, numbers and maps with text keys.
fn to_json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

/// The body of an answer that says nothing.
fn nothing() -> Vec<u8> {
    b"{}".to_vec()
}
