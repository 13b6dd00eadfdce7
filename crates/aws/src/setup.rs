//! Region, credentials, endpoint and HTTP client.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::http::SharedHttpClient;

use crate::route::{by_environment, is_near, plain_http};

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
    /// `AWS_ENDPOINT_URL_<SERVICE>`. This machine and its links are reached directly, whatever proxy is set: an endpoint
    /// here, and where a task, a pod or an instance gets its credentials.
    pub async fn from_env(service: &str) -> Self {
        let http_client = if rustls_native_certs::load_native_certs().certs.is_empty() {
            // With TLS the SDK would panic; this one fails where https is needed, with a reason.
            plain_http()
        } else {
            by_environment()
        };
        let chain = aws_config::defaults(behavior()).http_client(http_client);
        let config = chain.load().await;
        let own = Variable::read(&format!("{ENDPOINT}_{service}"));
        let shared = config.endpoint_url().filter(|url| !url.is_empty());
        let endpoint = match &own {
            Variable::Set(url) => Some(url.clone()),
            _ => shared.map(str::to_owned),
        };
        let is_blank = [own, Variable::read(ENDPOINT)].contains(&Variable::Blank);
        let config = match &endpoint {
            // Without TLS no root certificates are read.
            Some(url) if url.starts_with("http://") && is_near(url) => {
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
