//! What came of one attempt.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::named::named;

/// A complete answer to one attempt: the receiver said something, whatever it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// How long the receiver asked us to wait (`Retry-After`), if it did.
    pub retry_after: Option<Duration>,
    /// The first characters of the answer's body, cleaned (see [`crate::clean_excerpt`]).
    pub excerpt: String,
}

/// An attempt without a complete answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The class, as logs and dead-letter records name it.
    pub kind: FailureKind,
    /// One short line for people; holds no secret and no URL query.
    pub detail: String,
}

named! {
    /// Why an attempt got no complete answer.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub enum FailureKind {
        /// No complete answer within the timeout.
        Timeout = "timeout",
        /// No connection: refused or unreachable.
        Connect = "connect",
        /// The TLS handshake failed: a wrong name, an untrusted or expired certificate.
        Tls = "tls",
        /// The name does not resolve.
        Dns = "dns",
        /// The address is one we refuse to connect to (private, loopback, metadata, …).
        BlockedAddress = "blocked-address",
        /// The connection broke after it was made.
        Reset = "reset",
        /// What came back is not an HTTP answer.
        Protocol = "protocol",
        /// A kind written by another version of this program.
        #[serde(other)]
        Other = "other",
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What one attempt meant: an answer or a failure. A failed delivery is a value, never an error of ours.
pub type Outcome = Result<Answer, Failure>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_has_one_name_in_logs_and_records() {
        for &kind in FailureKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
            assert_eq!(kind.to_string(), kind.as_str());
        }
    }
}
