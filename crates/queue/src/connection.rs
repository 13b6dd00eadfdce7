//! The SDK clients and how they are set up.

use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::retry::{RetryConfig, RetryPartition};
use aws_sdk_sqs::config::timeout::TimeoutConfig;
use aws_sdk_sqs::config::{
    BehaviorVersion, Builder, Credentials, Region, SharedHttpClient, StalledStreamProtectionConfig,
};

use crate::MAX_WAIT_S;

/// A receive waits up to [`MAX_WAIT_S`]; without a longer attempt timeout a dead connection would hang it
/// for ever (aws-sdk-rust#1094).
const RECEIVE_ATTEMPT_TIMEOUT: Duration = Duration::from_secs(MAX_WAIT_S + 10);

/// Every other call answers within milliseconds.
const CALL_ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Tries of one call within the SDK, the first included. Short: the callers hold messages whose leases
/// run, and have back-offs of their own.
const SDK_ATTEMPTS: u32 = 3;

/// A connection to Amazon SQS, cheap to clone.
///
/// Two clients with separate retry budgets, so that failing polls never starve deletes.
#[derive(Debug, Clone)]
pub struct Sqs {
    pub(crate) receiving: Client,
    pub(crate) calling: Client,
}

impl Sqs {
    /// Connects as the standard AWS environment and profile chain says: region, credentials,
    /// `AWS_ENDPOINT_URL`.
    pub async fn from_env() -> Self {
        let shared = aws_config::defaults(behavior()).load().await;
        Self::with(Builder::from(&shared))
    }

    /// Connects to a local `http` endpoint, with dummy credentials. Unlike the SDK's own client this one
    /// neither goes through the environment's proxy nor needs root certificates, without which that one
    /// panics.
    pub fn at(endpoint: &str) -> Self {
        let http_client = aws_smithy_http_client::Builder::new().build_http();
        Self::with(local(endpoint).http_client(http_client))
    }

    /// Connects through an in-process HTTP client, as `local-sqs` offers one: no socket, and tokio's
    /// paused time works.
    pub fn in_process(http_client: SharedHttpClient) -> Self {
        Self::with(local("http://local-sqs").http_client(http_client))
    }

    fn with(base: Builder) -> Self {
        let client = |partition: &'static str, attempt_timeout| {
            let timeouts = TimeoutConfig::builder()
                .connect_timeout(CONNECT_TIMEOUT)
                .operation_attempt_timeout(attempt_timeout)
                .build();
            Client::from_conf(
                base.clone()
                    .behavior_version(behavior())
                    .retry_config(RetryConfig::standard().with_max_attempts(SDK_ATTEMPTS))
                    .retry_partition(RetryPartition::new(partition))
                    .timeout_config(timeouts)
                    // A long poll is silent by design (aws-sdk-rust#1148).
                    .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
                    .build(),
            )
        };
        Self {
            receiving: client("hooklane-receive", RECEIVE_ATTEMPT_TIMEOUT),
            calling: client("hooklane-call", CALL_ATTEMPT_TIMEOUT),
        }
    }
}

/// Pinned: a newer behaviour of the SDK is taken on purpose, not by an update.
fn behavior() -> BehaviorVersion {
    BehaviorVersion::v2026_01_12()
}

fn local(endpoint: &str) -> Builder {
    Builder::new()
        .endpoint_url(endpoint)
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::new("local", "local", None, None, "local"))
}
