//! What kind of failure an error of the connection is, and the one line about it that people get to see.

use std::error::Error;
use std::io;

use delivery::{Failure, FailureKind};

use super::Shortage;

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

/// What an established connection broke of: by TLS, or otherwise.
pub(super) fn kind_of(error: &io::Error) -> FailureKind {
    match error.get_ref() {
        Some(inner) if inner.is::<rustls::Error>() => FailureKind::Tls,
        _ => FailureKind::Reset,
    }
}

/// Whether a connection was there and broke, in its handshake.
pub(super) fn is_reset(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::NotConnected
            | io::ErrorKind::UnexpectedEof
    )
}

/// What lies at the bottom of an error of hyper's.
pub(super) fn innermost(error: &hyper::Error) -> String {
    let mut bottom: &dyn Error = error;
    while let Some(source) = bottom.source() {
        bottom = source;
    }
    bottom.to_string()
}
