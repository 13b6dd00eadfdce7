//! What DynamoDB says, sorted into what a person can do about it.

use aws::{Fault, NoAnswer};
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};

use super::DynamoDb;
use crate::error::LedgerError;

impl DynamoDb {
    /// The ledger's name, as the configuration has it.
    pub(super) fn name(&self) -> String {
        format!("dynamodb:{}", self.table)
    }

    pub(super) fn failure<E, R>(&self, action: &'static str, error: SdkError<E, R>) -> LedgerError
    where
        E: std::error::Error + ProvideErrorMetadata + 'static,
        R: std::fmt::Debug + 'static,
    {
        let Some(service) = error.as_service_error() else {
            let NoAnswer { message, may_pass } = NoAnswer::of(&error);
            return if may_pass {
                self.unreachable(format!("{action} cannot reach DynamoDB: {message}"))
            } else {
                self.unusable(format!("{action} cannot be sent: {message}"))
            };
        };
        let code = service.code().unwrap_or("Unknown");
        let message = service.message().unwrap_or("no message").to_owned();
        self.answered(action, code, message)
    }

    fn answered(&self, action: &'static str, code: &str, message: String) -> LedgerError {
        let ledger = self.name();
        let short = code.rsplit(['.', '#']).next().unwrap_or(code);
        match (short, Fault::of(short)) {
            ("ResourceNotFoundException", _) => LedgerError::NoTable { ledger },
            // Any table is there, but it is keyed by something else.
            ("ValidationException", _) => LedgerError::NotALedger {
                ledger,
                message: format!("{action}: {message}"),
            },
            // The endpoint of another service, such as a local queue.
            ("UnknownOperationException", _) => self.unusable(format!(
                "{action} is answered by something else than DynamoDB: set AWS_ENDPOINT_URL_DYNAMODB, which \
                 counts before AWS_ENDPOINT_URL"
            )),
            ("ProvisionedThroughputExceededException", _) | (_, Some(Fault::Throttled)) => {
                self.unreachable(format!("{action} is throttled by DynamoDB ({short})"))
            }
            (_, Some(Fault::Server)) => {
                self.unreachable(format!("{action} fails at DynamoDB ({short}: {message})"))
            }
            (_, Some(Fault::Denied)) => LedgerError::Denied {
                ledger,
                action,
                code: short.to_owned(),
                message,
            },
            _ => self.unusable(format!(
                "{action} is rejected by DynamoDB ({short}: {message})"
            )),
        }
    }

    pub(super) fn unreachable(&self, message: String) -> LedgerError {
        let ledger = self.name();
        LedgerError::Unreachable { ledger, message }
    }

    fn unusable(&self, message: String) -> LedgerError {
        let ledger = self.name();
        LedgerError::Unusable { ledger, message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_refusal_names_the_table_and_the_mend() {
        let table = DynamoDb::at("http://127.0.0.1:1", "attempts");
        for (code, transient, expected) in [
            ("ResourceNotFoundException", false, "hooklane ledger create"),
            ("AccessDeniedException", false, "dynamodb:PutItem"),
            ("ExpiredTokenException", false, "refused by AWS"),
            ("ProvisionedThroughputExceededException", true, "throttled"),
            ("ThrottlingException", true, "throttled"),
            ("InternalServerError", true, "fails at DynamoDB"),
            ("ValidationException", false, "worker.ledger"),
            (
                "com.amazonaws.dynamodb.v20120810#RequestLimitExceeded",
                true,
                "throttled",
            ),
            (
                "UnknownOperationException",
                false,
                "AWS_ENDPOINT_URL_DYNAMODB",
            ),
            ("Odd", false, "rejected"),
        ] {
            let error = table.answered("PutItem", code, "because".to_owned());
            let text = error.to_string();
            assert_eq!(error.is_transient(), transient, "{text}");
            assert!(text.contains("dynamodb:attempts"), "{text}");
            assert!(text.contains(expected), "{text}");
        }
    }
}
