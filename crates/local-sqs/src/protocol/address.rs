//! The addresses of queues.

use crate::engine::{ACCOUNT, ErrorKind, SqsError};

/// Name of the queue a URL means: its last segment. Host and account are not looked at, as with any emulator behind an
/// `endpoint_url`.
pub(super) fn queue_name(url: &str) -> Result<&str, SqsError> {
    match url.rsplit('/').next() {
        Some(name) if !name.is_empty() => Ok(name),
        _ if url.is_empty() => Err(SqsError::missing("QueueUrl")),
        _ => Err(SqsError::new(
            ErrorKind::InvalidAddress,
            format!("The address {url} is not valid for this endpoint."),
        )),
    }
}

pub(super) fn queue_url(base_url: &str, name: &str) -> String {
    format!("{base_url}/{ACCOUNT}/{name}")
}
