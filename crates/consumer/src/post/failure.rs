//! What kind of failure an error of the HTTP client is, and the one line about it that people get to see.

use std::error::Error;
use std::io;
use std::time::Duration;

use delivery::{Failure, FailureKind};

use super::guard::{BlockedAddress, Unresolved};
use super::{NoAnswer, Shortage};

/// The longest detail, in characters.
const DETAIL_CHARS: usize = 200;

/// A failure; `detail` becomes one clean line of at most [`DETAIL_CHARS`] characters.
pub(super) fn failure(kind: FailureKind, detail: impl AsRef<str>) -> Failure {
    let detail = delivery::clean_excerpt(detail.as_ref().as_bytes());
    let detail = detail.chars().take(DETAIL_CHARS).collect();
    Failure { kind, detail }
}

/// What this machine has run out of, if that is why a call failed: descriptors (of the process, of the system),
/// buffers, memory, or ports.
pub(super) fn shortage(error: &io::Error) -> Option<Shortage> {
    let is_ours = matches!(
        error.raw_os_error()?,
        libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM | libc::EADDRNOTAVAIL
    );
    is_ours.then(|| Shortage(error.to_string()))
}

/// Classifies by the types in the chain of causes. The texts are those of the innermost causes, which know nothing of
/// the URL.
pub(super) fn classify(error: &reqwest::Error, timeout: Duration) -> NoAnswer {
    let mut io = causes(error).filter_map(|cause| cause.downcast_ref::<io::Error>());
    match io.find_map(shortage) {
        Some(shortage) => NoAnswer::Shortage(shortage),
        None => NoAnswer::Failed(failed(error, timeout)),
    }
}

fn failed(error: &reqwest::Error, timeout: Duration) -> Failure {
    if let Some(blocked) = find::<BlockedAddress>(error) {
        return failure(FailureKind::BlockedAddress, blocked.to_string());
    }
    if let Some(unresolved) = find::<Unresolved>(error) {
        return failure(FailureKind::Dns, unresolved.to_string());
    }
    if error.is_timeout() {
        let detail = match error.is_connect() {
            true => "no connection in time".to_owned(),
            false => format!("no complete answer within {timeout:?}"),
        };
        return failure(FailureKind::Timeout, detail);
    }
    if let Some(tls) = find::<rustls::Error>(error) {
        return failure(FailureKind::Tls, tls.to_string());
    }
    let mut io = causes(error).filter_map(|cause| cause.downcast_ref::<io::Error>());
    if let Some(io) = io.find(|io| is_reset(io)) {
        return failure(FailureKind::Reset, io.to_string());
    }
    if error.is_connect() {
        return failure(FailureKind::Connect, innermost(error));
    }
    match find::<hyper::Error>(error) {
        Some(http) if http.is_incomplete_message() || http.is_canceled() || http.is_closed() => {
            failure(
                FailureKind::Reset,
                "connection closed before the answer was complete",
            )
        }
        _ => failure(FailureKind::Protocol, innermost(error)),
    }
}

/// A connection that was there and broke; in the handshake too.
fn is_reset(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::NotConnected
            | io::ErrorKind::UnexpectedEof
    )
}

fn find<E: Error + 'static>(error: &reqwest::Error) -> Option<&E> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

/// What lies at the bottom of an error.
pub(super) fn innermost(error: &reqwest::Error) -> String {
    root(error).to_string()
}

fn root(error: &reqwest::Error) -> &(dyn Error + 'static) {
    causes(error).last().unwrap_or(error)
}

/// The causes beneath an error, outermost first.
fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(error.source(), |cause| beneath(*cause))
}

/// What an `io::Error` was made from is not its `source` but what that one's source is.
fn beneath<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref)
    {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}
