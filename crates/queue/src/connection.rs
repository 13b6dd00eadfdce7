//! The SDK clients and how they are set up.

use std::net::IpAddr;
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
    /// `AWS_ENDPOINT_URL`. An endpoint on this machine is reached directly, whatever proxy is set.
    pub async fn from_env() -> Self {
        let mut chain = aws_config::defaults(behavior());
        if rustls_native_certs::load_native_certs().certs.is_empty() {
            // The SDK's own client would panic; this one fails where https is needed, with a reason.
            chain = chain.http_client(plain_http());
        }
        let shared = chain.load().await;
        let endpoint = shared
            .endpoint_url()
            .filter(|endpoint| !endpoint.is_empty());
        let mut base = Builder::from(&shared);
        if ENDPOINT_VARIABLES
            .iter()
            .any(|name| is_set_to_nothing(name))
        {
            // As good as unset; the SDK would panic.
            base.set_endpoint_url(endpoint.map(str::to_owned));
        }
        match endpoint {
            Some(endpoint) if is_on_this_machine(endpoint) => {
                Self::with(base.http_client(plain_http()))
            }
            _ => Self::with(base),
        }
    }

    /// Connects to an `http` endpoint on this machine, with dummy credentials.
    pub fn at(endpoint: &str) -> Self {
        Self::with(local(endpoint).http_client(plain_http()))
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
                    // One of its own for every connection: a named one is shared by the whole process.
                    .retry_partition(RetryPartition::custom(partition).build())
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

/// Where the standard chain looks for an endpoint.
const ENDPOINT_VARIABLES: [&str; 2] = ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SQS"];

fn is_set_to_nothing(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|value| value.is_empty())
}

/// An HTTP client without TLS, that neither goes through the environment's proxy nor needs root
/// certificates.
fn plain_http() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new().build_http()
}

fn is_on_this_machine(endpoint: &str) -> bool {
    let Some(rest) = endpoint.strip_prefix("http://") else {
        return false;
    };
    let authority = rest.split('/').next().unwrap_or_default();
    let host = authority
        .rsplit_once(':')
        .map_or(authority, |(host, _)| host);
    let host = host.trim_matches(['[', ']']);
    let is_loopback = |address: IpAddr| address.is_loopback();
    host == "localhost" || host.parse().is_ok_and(is_loopback)
}

fn local(endpoint: &str) -> Builder {
    Builder::new()
        .endpoint_url(endpoint)
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::new("local", "local", None, None, "local"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_on_this_machine_is_told_by_its_host() {
        for (endpoint, here) in [
            ("http://127.0.0.1:9324", true),
            ("http://localhost:9324/", true),
            ("http://localhost", true),
            ("http://[::1]:9324", true),
            ("https://127.0.0.1:9324", false),
            ("http://localstack:4566", false),
            ("http://127.0.0.1.example.com/", false),
            ("http://", false),
        ] {
            assert_eq!(is_on_this_machine(endpoint), here, "{endpoint}");
        }
    }
}
