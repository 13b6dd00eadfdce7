//! Region, credentials, endpoint and HTTP client.

use std::net::IpAddr;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::http::SharedHttpClient;

/// What a client of a service begins with.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Region, credentials, HTTP client, endpoint.
    pub config: SdkConfig,
    /// The endpoint to put into the service's own configuration, if the SDK is not to look for it.
    pub endpoint: Option<Option<String>>,
}

impl Setup {
    /// As the standard AWS environment and profile chain says: region, credentials, `AWS_ENDPOINT_URL` and
    /// `AWS_ENDPOINT_URL_<SERVICE>`. An endpoint on this machine is reached directly, whatever proxy is set.
    pub async fn from_env(service: &str) -> Self {
        let mut chain = aws_config::defaults(behavior());
        if rustls_native_certs::load_native_certs().certs.is_empty() {
            // The SDK's own client would panic; this one fails where https is needed, with a reason.
            chain = chain.http_client(plain_http());
        }
        let config = chain.load().await;
        let own = Variable::read(&format!("{ENDPOINT}_{service}"));
        let shared = config.endpoint_url().filter(|url| !url.is_empty());
        let endpoint = match &own {
            Variable::Set(url) => Some(url.clone()),
            _ => shared.map(str::to_owned),
        };
        let is_blank = [own, Variable::read(ENDPOINT)].contains(&Variable::Blank);
        let config = match &endpoint {
            Some(url) if is_on_this_machine(url) => {
                config.into_builder().http_client(plain_http()).build()
            }
            _ => config,
        };
        // Set to nothing is as good as unset; the SDK would panic.
        let endpoint = is_blank.then_some(endpoint);
        Self { config, endpoint }
    }

    /// An `http` endpoint on this machine, with dummy credentials.
    pub fn at(endpoint: &str) -> Self {
        Self::through(endpoint, plain_http())
    }

    /// An endpoint that an HTTP client of the caller's knows how to reach, with dummy credentials.
    pub fn through(endpoint: &str, http_client: SharedHttpClient) -> Self {
        let credentials = Credentials::new("local", "local", None, None, "local");
        let config = SdkConfig::builder()
            .behavior_version(behavior())
            .endpoint_url(endpoint)
            .region(Region::from_static("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(http_client)
            .build();
        Self {
            config,
            endpoint: None,
        }
    }
}

/// Pinned: a newer behaviour of the SDK is taken on purpose, not by an update.
pub fn behavior() -> BehaviorVersion {
    BehaviorVersion::v2026_01_12()
}

/// Where the standard chain looks for an endpoint; a service has a variable of its own besides.
const ENDPOINT: &str = "AWS_ENDPOINT_URL";

#[derive(PartialEq, Eq)]
enum Variable {
    Unset,
    Blank,
    Set(String),
}

impl Variable {
    fn read(name: &str) -> Self {
        match std::env::var_os(name) {
            None => Self::Unset,
            Some(value) if value.is_empty() => Self::Blank,
            Some(value) => Self::Set(value.to_string_lossy().into_owned()),
        }
    }
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
