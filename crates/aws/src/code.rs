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
    /// Whether a permission is missing; the other codes of [`Fault::Denied`] say that AWS does not know who calls, or
    /// does not believe it.
    pub fn is_about_permission(code: &str) -> bool {
        ["AccessDenied", "AccessDeniedException", "NotAuthorized"].contains(&code)
    }

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
            | "NotAuthorized"
            | "IncompleteSignature"
            | "RequestExpired"
            | "InvalidAccessKeyId"
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
