//! Which way a request goes: through the environment's proxy, or, to what is near, directly. A proxy has a machine and
//! links of its own: it could only answer for other services than those that are meant.

use std::net::{IpAddr, Ipv6Addr};

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::{Builder, ConnectorBuilder};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::{
    RuntimeComponents, RuntimeComponentsBuilder,
};
use aws_smithy_types::config_bag::ConfigBag;
use url::{Host, Url};

const TLS: Provider = Provider::Rustls(CryptoMode::AwsLc);

/// The client for whatever the environment names: through the proxy of `HTTPS_PROXY` and its siblings, as the SDK's own,
/// except to what is near ([`is_near`]).
pub(crate) fn by_environment() -> SharedHttpClient {
    let far = Builder::new().build_with_connector_fn(|settings, components| {
        let mut connector = ConnectorBuilder::default().tls_provider(TLS);
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        connector.set_proxy_config(Some(ProxyConfig::from_env()));
        connector.build()
    });
    SharedHttpClient::new(Routes {
        near: Builder::new().tls_provider(TLS).build_https(),
        far,
    })
}

/// An HTTP client without TLS, that neither goes through the environment's proxy nor needs root certificates.
pub(crate) fn plain_http() -> SharedHttpClient {
    Builder::new().build_http()
}

/// Whether a URL leads to this machine or its links: where a task, a pod or an instance gets its credentials
/// (169.254.170.2, 169.254.170.23, 169.254.169.254 and, by IPv6, what AWS keeps in fd00:ec2::/32).
pub(crate) fn is_near(url: &str) -> bool {
    let url = Url::parse(url).ok();
    match url.as_ref().and_then(Url::host) {
        Some(Host::Ipv4(address)) => address.is_loopback() || address.is_link_local(),
        Some(Host::Ipv6(address)) => match address.to_canonical() {
            IpAddr::V4(address) => address.is_loopback() || address.is_link_local(),
            IpAddr::V6(address) => {
                address.is_loopback() || address.is_unicast_link_local() || is_of_aws(address)
            }
        },
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

fn is_of_aws(address: Ipv6Addr) -> bool {
    address.segments()[..2] == [0xfd00, 0x0ec2]
}

#[derive(Debug)]
struct Routes<T> {
    near: T,
    far: T,
}

impl HttpClient for Routes<SharedHttpClient> {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Routes {
            near: self.near.http_connector(settings, components),
            far: self.far.http_connector(settings, components),
        })
    }

    fn validate_base_client_config(
        &self,
        components: &RuntimeComponentsBuilder,
        config: &ConfigBag,
    ) -> Result<(), BoxError> {
        self.far.validate_base_client_config(components, config)
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.far.connector_metadata()
    }
}

impl HttpConnector for Routes<SharedHttpConnector> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        if is_near(request.uri()) {
            self.near.call(request)
        } else {
            self.far.call(request)
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
    use aws_smithy_types::body::SdkBody;

    use super::*;

    #[test]
    fn where_this_machine_gets_its_credentials_is_near() {
        for (url, near) in [
            ("http://169.254.170.2/v2/credentials/abc", true),
            ("http://169.254.170.23/v1/credentials", true),
            ("http://169.254.169.254/latest/api/token", true),
            ("http://[fd00:ec2::254]/latest/api/token", true),
            ("http://[fd00:ec2::23]/v1/credentials", true),
            ("http://[fe80::1]/", true),
            ("http://[::ffff:169.254.170.2]/", true),
            ("http://2852039166/", true),
            ("http://127.0.0.1:9324", true),
            ("http://localhost:9324/", true),
            ("http://localhost", true),
            ("http://[::1]", true),
            ("http://[::1]:9324", true),
            ("https://127.0.0.1:9324", true),
            ("http://LOCALHOST:1", true),
            ("http://169.253.170.2/", false),
            ("http://[fd00:ec3::254]/", false),
            ("http://10.0.0.1/", false),
            ("https://sqs.us-east-1.amazonaws.com/", false),
            ("http://localstack:4566", false),
            ("http://127.0.0.1.example.com/", false),
            ("http://169.254.170.2.example.com/", false),
            ("http://169.254.170.2@example.com/", false),
            ("http://", false),
            ("", false),
        ] {
            assert_eq!(is_near(url), near, "{url}");
        }
    }

    /// Answers with this status.
    #[derive(Debug)]
    struct Answers(u16);

    impl HttpConnector for Answers {
        fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
            let status = self.0.try_into().expect("a status");
            HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::empty())))
        }
    }

    #[tokio::test]
    async fn what_is_near_is_reached_without_a_detour() {
        let routes = Routes {
            near: SharedHttpConnector::new(Answers(201)),
            far: SharedHttpConnector::new(Answers(202)),
        };
        for (url, expected) in [
            ("http://169.254.170.2/v2/credentials/abc", 201),
            ("https://sqs.us-east-1.amazonaws.com/", 202),
        ] {
            let answer = routes.call(HttpRequest::get(url).expect("a request")).await;
            assert_eq!(answer.expect("answered").status().as_u16(), expected);
        }
    }
}
