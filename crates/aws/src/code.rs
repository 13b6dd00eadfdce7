//! Codes of errors that mean the same at every service.

/// What an error of a service means, whichever service it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// We are asked to slow down.
    Throttled,
    /// A fault on the side of the service.
    Server,
    /// AWS refuses us: credentials, permissions, a clock that is off.
    Denied,
}

impl Fault {
    /// Sorts a code, given without a prefix; none if it means something of the one service.
    pub fn of(code: &str) -> Option<Self> {
        match code {
            "RequestThrottled"
            | "Throttling"
            | "ThrottlingException"
            | "ThrottledException"
            | "RequestLimitExceeded"
            | "TooManyRequestsException"
            | "SlowDown" => Some(Self::Throttled),
            "InternalError"
            | "InternalFailure"
            | "ServiceUnavailable"
            | "InternalServerError"
            | "ServiceFailure"
            | "Unknown" => Some(Self::Server),
            "AccessDenied"
            | "AccessDeniedException"
            | "InvalidClientTokenId"
            | "UnrecognizedClientException"
            | "SignatureDoesNotMatch"
            | "InvalidSignatureException"
            | "ExpiredToken"
            | "ExpiredTokenException"
            | "MissingAuthenticationToken"
            | "OptInRequired" => Some(Self::Denied),
            _ => None,
        }
    }
}
