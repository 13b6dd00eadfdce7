//! The SDK client and how it is set up.

use std::time::Duration;

use aws::Setup;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{Builder, SharedHttpClient, StalledStreamProtectionConfig};

use super::DynamoDb;

/// DynamoDB answers within milliseconds, and whoever waits holds messages whose leases run: a call is over
/// after [`TIMEOUT`], whatever happened.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);
const TIMEOUT: Duration = Duration::from_secs(12);

/// Tries of one call within the SDK, the first included.
const SDK_ATTEMPTS: u32 = 3;

impl DynamoDb {
    /// The table of that name in the account and region of the standard AWS environment and profile chain.
    pub async fn from_env(table: &str) -> Self {
        Self::with(table, &Setup::from_env("DYNAMODB").await)
    }

    /// A table behind an `http` endpoint on this machine, with dummy credentials.
    pub fn at(endpoint: &str, table: &str) -> Self {
        Self::with(table, &Setup::at(endpoint))
    }

    /// The same, through an HTTP client of the caller's, which may lose what it pleases.
    pub fn through(endpoint: &str, http_client: SharedHttpClient, table: &str) -> Self {
        Self::with(table, &Setup::through(endpoint, http_client))
    }

    fn with(table: &str, setup: &Setup) -> Self {
        let mut config = Builder::from(&setup.config);
        if let Some(endpoint) = &setup.endpoint {
            config.set_endpoint_url(endpoint.clone());
        }
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .operation_timeout(TIMEOUT)
            .build();
        let config = config
            .behavior_version(aws::behavior())
            .retry_config(RetryConfig::standard().with_max_attempts(SDK_ATTEMPTS))
            .timeout_config(timeouts)
            // The time limits bound it.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .build();
        Self {
            client: Client::from_conf(config),
            table: table.to_owned(),
        }
    }
}
