//! Why a call had no answer, in one line that says what to do.

use std::fmt::Debug;

use aws_smithy_runtime_api::client::result::SdkError;

/// A call that the service did not answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoAnswer {
    /// The innermost cause or, where something is not set up, what to do.
    pub message: String,
    /// Whether the same call may succeed later without anybody changing anything.
    pub may_pass: bool,
}

impl NoAnswer {
    /// What stands behind an error without an answer of the service.
    pub fn of<E, R>(error: &SdkError<E, R>) -> Self
    where
        E: std::error::Error + 'static,
        R: Debug + 'static,
    {
        let causes = causes(error);
        let is_told = |gap: &&Gap| causes.iter().any(|cause| cause.contains(gap.theirs));
        if let Some(gap) = GAPS.iter().find(is_told) {
            return Self {
                message: gap.ours.to_owned(),
                may_pass: gap.may_pass,
            };
        }
        // The last cause is the one that names the thing.
        let last = causes.last().map_or("", String::as_str);
        Self {
            message: last.replace('\n', ", "),
            may_pass: !matches!(error, SdkError::ConstructionFailure(_)),
        }
    }
}

/// An error and everything below it, in their own words.
fn causes(error: &(dyn std::error::Error + 'static)) -> Vec<String> {
    std::iter::successors(Some(error), |cause| cause.source())
        .map(ToString::to_string)
        .collect()
}

/// Something the AWS environment lacks.
struct Gap {
    /// How the SDK tells it.
    theirs: &'static str,
    /// A line that tells what to do.
    ours: &'static str,
    /// Whether waiting may mend it.
    may_pass: bool,
}

const NO_CREDENTIALS: &str =
    "no AWS credentials are found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE";

const GAPS: [Gap; 6] = [
    Gap {
        theirs: "scheme is not http",
        ours: "no root certificates are found, without which AWS cannot be trusted: install ca-certificates, or set SSL_CERT_FILE",
        may_pass: false,
    },
    Gap {
        theirs: "no credentials found",
        ours: NO_CREDENTIALS,
        // The credentials of an instance or a task may be slow to come.
        may_pass: true,
    },
    Gap {
        // The instance metadata service is the last place the chain asks.
        theirs: "IMDS",
        ours: NO_CREDENTIALS,
        may_pass: true,
    },
    Gap {
        theirs: "Missing Region",
        ours: "no AWS region is set: set AWS_REGION",
        may_pass: false,
    },
    Gap {
        theirs: "invalid value for field: `region`",
        ours: "the AWS region cannot be one: set AWS_REGION, for example to us-east-1",
        may_pass: false,
    },
    Gap {
        theirs: "endpoint must contain scheme",
        ours: "AWS_ENDPOINT_URL is no URL: begin it with http:// or https://",
        may_pass: false,
    },
];
