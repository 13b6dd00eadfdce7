//! What can go wrong at a queue, told so that a person knows what to do.

use aws::{Fault, NoAnswer};
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::BatchResultErrorEntry;

/// A call to SQS that failed as a whole.
#[derive(Debug, Clone, thiserror::Error)]
pub enum QueueError {
    /// The queue is not there.
    #[error("queue {url} does not exist: check the name, the region and the account")]
    NotFound {
        /// The queue's URL or name.
        url: String,
    },
    /// AWS refuses us: credentials, permissions, a clock that is off.
    #[error(
        "{action} on {queue} is refused by AWS ({code}): {message}; {}",
        mend(action, code)
    )]
    Denied {
        /// The API action.
        action: &'static str,
        /// The queue's URL or name.
        queue: String,
        /// The code AWS answered.
        code: String,
        /// AWS's own words.
        message: String,
    },
    /// SQS asks us to slow down.
    #[error("{action} is throttled by SQS ({code})")]
    Throttled {
        /// The API action.
        action: &'static str,
        /// The code AWS answered.
        code: String,
    },
    /// No answer, or a server error: it may pass.
    #[error("{action} cannot reach SQS: {message}")]
    Unreachable {
        /// The API action.
        action: &'static str,
        /// The innermost cause.
        message: String,
    },
    /// The request cannot be made as things are set up here: waiting does not mend it.
    #[error("{action} cannot be sent: {message}")]
    Misconfigured {
        /// The API action.
        action: &'static str,
        /// What is missing and what to do.
        message: String,
    },
    /// SQS refuses what was asked.
    #[error("{action} is rejected by SQS ({code}): {message}")]
    Rejected {
        /// The API action.
        action: &'static str,
        /// The code SQS answered.
        code: String,
        /// SQS's own words.
        message: String,
    },
}

impl QueueError {
    /// Says whether the same call may succeed later without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Throttled { .. } | Self::Unreachable { .. })
    }

    /// Says whether AWS refuses us the call: credentials, permissions, a clock that is off.
    pub fn is_denied(&self) -> bool {
        matches!(self, Self::Denied { .. })
    }

    /// Says whether a message of the call is at fault and not the queue, its key or our rights: another message may
    /// then be taken.
    pub fn blames_message(&self) -> bool {
        matches!(self, Self::Rejected { code, .. } if blames_message(code))
    }

    /// The API action that failed, where the error is about one.
    pub fn action(&self) -> Option<&'static str> {
        match self {
            Self::NotFound { .. } => None,
            Self::Denied { action, .. }
            | Self::Throttled { action, .. }
            | Self::Unreachable { action, .. }
            | Self::Misconfigured { action, .. }
            | Self::Rejected { action, .. } => Some(action),
        }
    }

    /// The code SQS answered, if it answered.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Denied { code, .. }
            | Self::Throttled { code, .. }
            | Self::Rejected { code, .. } => Some(code),
            Self::NotFound { .. } => Some("QueueDoesNotExist"),
            Self::Unreachable { .. } | Self::Misconfigured { .. } => None,
        }
    }

    pub(crate) fn from_sdk<E, R>(action: &'static str, url: &str, error: SdkError<E, R>) -> Self
    where
        E: std::error::Error + ProvideErrorMetadata + 'static,
        R: std::fmt::Debug + 'static,
    {
        let (code, message) = match error.as_service_error() {
            Some(service) => (
                service.code().unwrap_or("Unknown").to_owned(),
                service.message().unwrap_or("no message").to_owned(),
            ),
            None => return Self::without_answer(action, &error),
        };
        match kind_of(&code, &message) {
            EntryErrorKind::QueueMissing => Self::NotFound {
                url: url.to_owned(),
            },
            EntryErrorKind::Denied => Self::Denied {
                action,
                queue: url.to_owned(),
                code,
                message,
            },
            EntryErrorKind::Throttled => Self::Throttled { action, code },
            EntryErrorKind::Server => Self::Unreachable {
                action,
                message: format!("{code}: {message}"),
            },
            _ => Self::Rejected {
                action,
                code,
                message,
            },
        }
    }

    fn without_answer<E, R>(action: &'static str, error: &SdkError<E, R>) -> Self
    where
        E: std::error::Error + 'static,
        R: std::fmt::Debug + 'static,
    {
        let NoAnswer { message, may_pass } = NoAnswer::of(error);
        if may_pass {
            Self::Unreachable { action, message }
        } else {
            Self::Misconfigured { action, message }
        }
    }
}

/// What to do about a call that AWS refuses.
fn mend(action: &str, code: &str) -> String {
    if code.contains("KMS") || code.contains("Kms") {
        // Reading decrypts, and so does sending, which makes a data key besides ([key management]).
        //
        // [key management]: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
        return match permission(action) {
            "SendMessage" => "it needs the permissions kms:GenerateDataKey and kms:Decrypt",
            _ => "it needs the permission kms:Decrypt",
        }
        .to_owned()
            + " on the queue's key";
    }
    if Fault::is_about_permission(short(code)) {
        format!("it needs the permission sqs:{}", permission(action))
    } else {
        "look at the AWS credentials, and at the clock of this machine".to_owned()
    }
}

/// The permission that a call needs: that of a batch is called as the single action is ([permissions]).
///
/// [permissions]: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-permissions-reference.html
fn permission(action: &str) -> &str {
    action.strip_suffix("Batch").unwrap_or(action)
}

/// One entry of a batch call that failed while the call itself succeeded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct EntryError {
    /// The code SQS answered for the entry.
    pub code: String,
    /// SQS's own words.
    pub message: String,
    /// Whether SQS holds us to be at fault; if not, the same entry may succeed later.
    pub sender_fault: bool,
}

/// What a failed entry means for its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryErrorKind {
    /// The receipt handle is no longer ours: the visibility timeout ran out, the message was received
    /// again, or it is gone.
    HandleLost,
    /// SQS asks us to slow down.
    Throttled,
    /// A fault on the side of SQS.
    Server,
    /// The queue is not there.
    QueueMissing,
    /// AWS refuses us.
    Denied,
    /// The entry itself is refused: too large, a character that is not allowed, an attribute that is wrong.
    Refused,
}

impl EntryError {
    /// Sorts the error.
    pub fn kind(&self) -> EntryErrorKind {
        match kind_of(&self.code, &self.message) {
            EntryErrorKind::Refused if !self.sender_fault => EntryErrorKind::Server,
            kind => kind,
        }
    }

    /// Says whether the same entry may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(
            self.kind(),
            EntryErrorKind::Throttled | EntryErrorKind::Server
        )
    }

    /// Says whether the message is at fault and not the queue, its key or our rights: another message may then be
    /// taken.
    pub fn blames_message(&self) -> bool {
        blames_message(&self.code)
    }

    /// The error of the whole call that this entry stands for, if AWS refuses us: then it refuses all of them.
    pub(crate) fn denial(&self, action: &'static str, url: &str) -> Option<QueueError> {
        (self.kind() == EntryErrorKind::Denied).then(|| QueueError::Denied {
            action,
            queue: url.to_owned(),
            code: self.code.clone(),
            message: self.message.clone(),
        })
    }

    /// An entry that SQS did not answer for, although it answered the call.
    pub(crate) fn unanswered() -> Self {
        Self {
            code: "Unanswered".to_owned(),
            message: "SQS said nothing of this entry".to_owned(),
            sender_fault: false,
        }
    }
}

impl From<&BatchResultErrorEntry> for EntryError {
    fn from(entry: &BatchResultErrorEntry) -> Self {
        Self {
            code: entry.code().to_owned(),
            message: entry.message().unwrap_or("no message").to_owned(),
            sender_fault: entry.sender_fault(),
        }
    }
}

/// The codes of `SendMessage` and the common ones ([SQS API reference]).
///
/// [SQS API reference]: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
fn blames_message(code: &str) -> bool {
    matches!(
        short(code),
        "InvalidMessageContents"
            | "InvalidParameterValue"
            | "InvalidParameterCombination"
            | "InvalidAttributeValue"
            | "MissingParameter"
            | "BatchRequestTooLong"
            | "ValidationError"
            | "ValidationException"
    )
}

/// Codes come with and without the prefix of the query protocol; a lost FIFO handle has no code of its own
/// ("Value … for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.").
fn kind_of(code: &str, message: &str) -> EntryErrorKind {
    let short = short(code);
    match short {
        "QueueDoesNotExist" | "NonExistentQueue" => EntryErrorKind::QueueMissing,
        "ReceiptHandleIsInvalid" | "MessageNotInflight" => EntryErrorKind::HandleLost,
        "InvalidParameterValue"
            if message.contains("ReceiptHandle") || message.contains("receipt handle") =>
        {
            EntryErrorKind::HandleLost
        }
        // A queue that holds all it may: `local-sqs` at its limits, SQS with too many messages in flight.
        "OverLimit" | "KmsThrottled" => EntryErrorKind::Throttled,
        "Unanswered" => EntryErrorKind::Server,
        "InvalidSecurity" | "KmsAccessDenied" => EntryErrorKind::Denied,
        _ => match Fault::of(short) {
            Some(Fault::Throttled) => EntryErrorKind::Throttled,
            Some(Fault::Server) => EntryErrorKind::Server,
            Some(Fault::Denied) => EntryErrorKind::Denied,
            None => EntryErrorKind::Refused,
        },
    }
}

/// A code without the prefix of its protocol.
fn short(code: &str) -> &str {
    code.rsplit(['.', '#']).next().unwrap_or(code)
}

#[cfg(test)]
mod tests {
    use aws_sdk_sqs::error::ConnectorError;
    use aws_sdk_sqs::operation::receive_message::ReceiveMessageError;

    use super::*;

    fn entry(code: &str, message: &str, sender_fault: bool) -> EntryError {
        EntryError {
            code: code.to_owned(),
            message: message.to_owned(),
            sender_fault,
        }
    }

    #[test]
    fn an_expired_fifo_handle_is_told_from_other_invalid_parameters() {
        let expired = "Value AQ== for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.";
        let long = "One or more parameters are invalid. Reason: Message must be shorter than 1048576 bytes.";
        assert_eq!(
            entry("InvalidParameterValue", expired, true).kind(),
            EntryErrorKind::HandleLost
        );
        assert_eq!(
            entry("InvalidParameterValue", long, true).kind(),
            EntryErrorKind::Refused
        );
        assert_eq!(
            entry("ReceiptHandleIsInvalid", "", true).kind(),
            EntryErrorKind::HandleLost
        );
    }

    /// A failure to send, as the SDK tells it.
    fn unsent(cause: &str) -> QueueError {
        let cause = ConnectorError::other(cause.into(), None);
        let error: SdkError<ReceiveMessageError, ()> = SdkError::dispatch_failure(cause);
        QueueError::from_sdk("ReceiveMessage", "https://sqs/q", error)
    }

    #[test]
    fn a_surrounding_that_is_not_set_up_is_told_in_one_line_with_what_to_do() {
        let none = unsent("no credentials found in chain. Attempted:\n  Environment: not enabled");
        assert!(none.to_string().ends_with("or AWS_PROFILE") && none.is_transient());
        let region = unsent("Invalid Configuration: Missing Region");
        assert!(region.to_string().ends_with("set AWS_REGION") && !region.is_transient());
        let odd = unsent("invalid value for field: `region` - must be a valid host label");
        assert!(odd.to_string().contains("set AWS_REGION, for example") && !odd.is_transient());
        assert!(
            unsent("connection\nrefused")
                .to_string()
                .ends_with("connection, refused")
        );
    }

    #[test]
    fn codes_are_known_with_and_without_their_prefix() {
        let missing = "AWS.SimpleQueueService.NonExistentQueue";
        assert_eq!(
            entry(missing, "", true).kind(),
            EntryErrorKind::QueueMissing
        );
        assert_eq!(
            entry("com.amazonaws.sqs#RequestThrottled", "", true).kind(),
            EntryErrorKind::Throttled
        );
    }

    #[test]
    fn a_message_is_blamed_for_what_is_in_it_and_for_nothing_else() {
        for (code, blamed) in [
            ("InvalidMessageContents", true),
            ("AWS.SimpleQueueService.BatchRequestTooLong", true),
            ("KMS.DisabledException", false),
            ("AccessDenied", false),
        ] {
            assert_eq!(entry(code, "", true).blames_message(), blamed, "{code}");
            let call = QueueError::Rejected {
                action: "SendMessageBatch",
                code: code.to_owned(),
                message: String::new(),
            };
            assert_eq!(call.blames_message(), blamed, "{code}");
        }
        assert!(!unsent("connection refused").blames_message());
    }

    #[test]
    fn a_refusal_names_the_permission_or_the_key_or_the_credentials() {
        for (action, code, mend) in [
            ("ReceiveMessage", "AccessDenied", "sqs:ReceiveMessage"),
            (
                "SendMessageBatch",
                "AccessDeniedException",
                "sqs:SendMessage",
            ),
            (
                "DeleteMessageBatch",
                "com.amazonaws.sqs#AccessDeniedException",
                "sqs:DeleteMessage",
            ),
            (
                "ChangeMessageVisibilityBatch",
                "AccessDenied",
                "sqs:ChangeMessageVisibility",
            ),
            (
                "GetQueueAttributes",
                "NotAuthorized",
                "sqs:GetQueueAttributes",
            ),
            ("GetQueueUrl", "AccessDenied", "sqs:GetQueueUrl"),
            (
                "ReceiveMessage",
                "KMS.AccessDeniedException",
                "permission kms:Decrypt",
            ),
            (
                "SendMessageBatch",
                "KmsAccessDenied",
                "kms:GenerateDataKey and kms:Decrypt",
            ),
            ("ReceiveMessage", "ExpiredTokenException", "credentials"),
            ("ReceiveMessage", "InvalidClientTokenId", "credentials"),
        ] {
            let denied = entry(code, "no", true).denial(action, "https://sqs/q");
            let text = denied.expect(code).to_string();
            assert!(
                text.contains(mend) && text.contains("https://sqs/q"),
                "{text}"
            );
            assert_eq!(text.contains("permission"), mend != "credentials", "{text}");
        }
        assert!(
            entry("InternalError", "", false)
                .denial("SendMessageBatch", "q")
                .is_none()
        );
    }

    #[test]
    fn an_unknown_fault_of_the_service_may_pass_and_one_of_ours_may_not() {
        assert!(entry("Odd", "", false).is_transient());
        assert!(!entry("Odd", "", true).is_transient());
    }
}
