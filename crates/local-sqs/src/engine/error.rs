//! What SQS answers instead of a result: one table of codes.

/// The kinds of refusal, each with the names it has on the wire (see [`ErrorKind::wire`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(
    missing_docs,
    reason = "the variants are the names in the SQS API reference"
)]
pub enum ErrorKind {
    BatchEntryIdsNotDistinct,
    BatchRequestTooLong,
    EmptyBatchRequest,
    InvalidAddress,
    InvalidAttributeName,
    InvalidAttributeValue,
    InvalidBatchEntryId,
    InvalidMessageContents,
    InvalidParameterValue,
    MissingParameter,
    OverLimit,
    PurgeQueueInProgress,
    QueueDoesNotExist,
    QueueNameExists,
    ReceiptHandleIsInvalid,
    ResourceNotFound,
    Serialization,
    TooManyEntriesInBatchRequest,
    UnknownOperation,
    UnsupportedOperation,
}

/// How an error looks on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wire {
    /// Shape name after `com.amazonaws.sqs#` in `__type`.
    pub json_type: &'static str,
    /// Code of the older query protocol, which SDKs still read from `x-amzn-query-error`.
    pub query_code: &'static str,
    /// HTTP status.
    pub status: u16,
}

impl ErrorKind {
    /// Returns the names and the status AWS uses for this error (its Smithy model and recorded answers).
    #[rustfmt::skip]
    pub const fn wire(self) -> Wire {
        use ErrorKind as K;
        let (json_type, query_code, status) = match self {
            K::BatchEntryIdsNotDistinct     => ("BatchEntryIdsNotDistinct", "AWS.SimpleQueueService.BatchEntryIdsNotDistinct", 400),
            K::BatchRequestTooLong          => ("BatchRequestTooLong", "AWS.SimpleQueueService.BatchRequestTooLong", 400),
            K::EmptyBatchRequest            => ("EmptyBatchRequest", "AWS.SimpleQueueService.EmptyBatchRequest", 400),
            K::InvalidAddress               => ("InvalidAddress", "InvalidAddress", 404),
            K::InvalidAttributeName         => ("InvalidAttributeName", "InvalidAttributeName", 400),
            K::InvalidAttributeValue        => ("InvalidAttributeValue", "InvalidAttributeValue", 400),
            K::InvalidBatchEntryId          => ("InvalidBatchEntryId", "AWS.SimpleQueueService.InvalidBatchEntryId", 400),
            K::InvalidMessageContents       => ("InvalidMessageContents", "InvalidMessageContents", 400),
            K::InvalidParameterValue        => ("InvalidParameterValueException", "InvalidParameterValue", 400),
            K::MissingParameter             => ("MissingRequiredParameterException", "MissingParameter", 400),
            K::OverLimit                    => ("OverLimit", "OverLimit", 403),
            K::PurgeQueueInProgress         => ("PurgeQueueInProgress", "AWS.SimpleQueueService.PurgeQueueInProgress", 403),
            K::QueueDoesNotExist            => ("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue", 400),
            K::QueueNameExists              => ("QueueNameExists", "QueueAlreadyExists", 400),
            K::ReceiptHandleIsInvalid       => ("ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid", 404),
            K::ResourceNotFound             => ("ResourceNotFoundException", "ResourceNotFoundException", 404),
            K::Serialization                => ("SerializationException", "SerializationException", 400),
            K::TooManyEntriesInBatchRequest => ("TooManyEntriesInBatchRequest", "AWS.SimpleQueueService.TooManyEntriesInBatchRequest", 400),
            K::UnknownOperation             => ("UnknownOperationException", "InvalidAction", 400),
            K::UnsupportedOperation         => ("UnsupportedOperation", "AWS.SimpleQueueService.UnsupportedOperation", 400),
        };
        Wire { json_type, query_code, status }
    }
}

/// A refused request, or a refused entry of a batch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind:?}: {message}")]
pub struct SqsError {
    /// Which error.
    pub kind: ErrorKind,
    /// The text AWS sends with it.
    pub message: String,
}

impl SqsError {
    /// An error with its message.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    /// "Value V for parameter P is invalid. Reason: R"
    pub fn invalid_value(value: impl std::fmt::Display, parameter: &str, reason: &str) -> Self {
        let message =
            format!("Value {value} for parameter {parameter} is invalid. Reason: {reason}");
        Self::new(ErrorKind::InvalidParameterValue, message)
    }

    /// A required parameter is absent.
    pub fn missing(parameter: &str) -> Self {
        let message = format!("The request must contain the parameter {parameter}.");
        Self::new(ErrorKind::MissingParameter, message)
    }

    pub(crate) fn no_such_queue() -> Self {
        Self::new(
            ErrorKind::QueueDoesNotExist,
            "The specified queue does not exist.",
        )
    }

    pub(crate) fn unknown_attribute(name: &str) -> Self {
        Self::new(
            ErrorKind::InvalidAttributeName,
            format!("Unknown Attribute {name}."),
        )
    }

    pub(crate) fn attribute_value(name: &str, reason: &str) -> Self {
        let message = format!(
            "Invalid value for the parameter {name}.{}{reason}",
            if reason.is_empty() { "" } else { " Reason: " }
        );
        Self::new(ErrorKind::InvalidAttributeValue, message)
    }
}
