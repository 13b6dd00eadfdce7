//! The bytes of a request.

use std::time::Duration;

use bytes::Bytes;
use delivery::{Failure, FailureKind};
use url::{Position, Url};

use super::answer::is_token;
use super::failure::failure;

/// One request.
#[derive(Clone)]
pub struct Request {
    /// Where to.
    pub url: Url,
    /// Sent as they are, in these letters, besides `Host`, `Content-Length` and `Accept: */*`.
    pub headers: Vec<(String, String)>,
    /// Sent as it is.
    pub body: Bytes,
    /// For everything from the name's lookup to the end of the answer's body.
    pub timeout: Duration,
    /// Whether no connection may be used that carried a request before: whatever made the last attempt fail may lie with
    /// it.
    pub new_connection: bool,
}

impl Request {
    /// Scheme, host and port: what a connection is good for.
    pub(super) fn origin(&self) -> &str {
        &self.url[..Position::BeforePath]
    }

    /// The head of the request. Names of fields mean the same in any letters, yet some receivers look for those of the
    /// documentation.
    ///
    /// # Errors
    /// Names the field that holds what HTTP does not carry; its value may be secret.
    pub(super) fn head(&self, keep_alive: bool) -> Result<Vec<u8>, Failure> {
        let target = &self.url[Position::BeforePath..Position::AfterQuery];
        let host = &self.url[Position::BeforeHost..Position::AfterPort];
        let length = self.body.len();
        let mut head = format!(
            "POST {target} HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\nContent-Length: {length}\r\n"
        )
        .into_bytes();
        if !keep_alive {
            head.extend_from_slice(b"Connection: close\r\n");
        }
        for (name, value) in &self.headers {
            if !is_token(name.as_bytes()) || !is_field_value(value.as_bytes()) {
                let detail = format!("header {name} holds a character that HTTP does not carry");
                return Err(failure(FailureKind::Protocol, detail));
            }
            for part in [name, ": ", value, "\r\n"] {
                head.extend_from_slice(part.as_bytes());
            }
        }
        head.extend_from_slice(b"\r\n");
        Ok(head)
    }
}

fn is_field_value(value: &[u8]) -> bool {
    let is_carried = |byte: &u8| *byte == b'\t' || !byte.is_ascii_control();
    value.iter().all(is_carried)
}
