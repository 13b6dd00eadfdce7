//! The SDK clients and how they are set up.

use std::time::Duration;

use aws::Setup;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::retry::{RetryConfig, RetryPartition};
use aws_sdk_sqs::config::timeout::TimeoutConfig;
use aws_sdk_sqs::config::{Builder, SharedHttpClient, StalledStreamProtectionConfig};

use crate::dates::Dates;
use crate::{Clock, MAX_WAIT_S};

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
    clock: Clock,
}

impl Sqs {
    /// Connects as the standard AWS environment and profile chain says: region, credentials,
    /// `AWS_ENDPOINT_URL`. An endpoint on this machine is reached directly, whatever proxy is set.
    pub async fn from_env() -> Self {
        Self::with(&Setup::from_env("SQS").await, Clock::system())
    }

    /// Connects to an `http` endpoint on this machine, with dummy credentials.
    pub fn at(endpoint: &str) -> Self {
        Self::with(&Setup::at(endpoint), Clock::system())
    }

    /// Connects through an in-process HTTP client, as `local-sqs` offers one: no socket, and tokio's
    /// paused time works.
    pub fn in_process(http_client: SharedHttpClient) -> Self {
        let clock = Clock::virtual_from(Clock::system().now());
        Self::in_process_at(http_client, clock)
    }

    /// The same, by a clock of the caller's.
    pub fn in_process_at(http_client: SharedHttpClient, clock: Clock) -> Self {
        Self::with(&Setup::through("http://local-sqs", http_client), clock)
    }

    /// The clock that knows SQS's time from the answers of this connection.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    fn with(setup: &Setup, clock: Clock) -> Self {
        let mut base = Builder::from(&setup.config);
        if let Some(endpoint) = &setup.endpoint {
            base.set_endpoint_url(endpoint.clone());
        }
        let client = |partition: &'static str, attempt_timeout| {
            let timeouts = TimeoutConfig::builder()
                .connect_timeout(CONNECT_TIMEOUT)
                .operation_attempt_timeout(attempt_timeout)
                .build();
            Client::from_conf(
                base.clone()
                    .behavior_version(aws::behavior())
                    .retry_config(RetryConfig::standard().with_max_attempts(SDK_ATTEMPTS))
                    // One of its own for every connection: a named one is shared by the whole process.
                    .retry_partition(RetryPartition::custom(partition).build())
                    .timeout_config(timeouts)
                    .interceptor(Dates(clock.clone()))
                    // A long poll is silent by design (aws-sdk-rust#1148).
                    .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
                    .build(),
            )
        };
        Self {
            receiving: client("hooklane-receive", RECEIVE_ATTEMPT_TIMEOUT),
            calling: client("hooklane-call", CALL_ATTEMPT_TIMEOUT),
            clock,
        }
    }
}
