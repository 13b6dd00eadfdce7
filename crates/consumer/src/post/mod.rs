//! One POST to a callback: the only place where a request leaves for somebody else's network.
//!
//! It knows nothing of events, schedules and retries: a request goes in, and what came of it comes out.

mod failure;
mod guard;
mod retry_after;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use delivery::{Answer, Authentication, EXCERPT_CHARS, Failure, FailureKind};
use ipnet::IpNet;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Response};
use url::{Host, Url};

use failure::{classify, failure};
use guard::Guard;

/// The longest wait for a connection, TLS included. A shorter timeout of the request goes first.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long an idle connection is kept. Receivers close idle connections too, and a request that meets such a close
/// halfway is a failed attempt: this is shorter than the shortest common limit (Node.js: 5 s).
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);

/// Idle connections kept for each host: as many as `worker.max_in_flight` is by default.
const IDLE_PER_HOST: usize = 256;

/// At most this much of an answer's body is read. A connection with more to come is closed.
/// Of the head, hyper takes 100 headers and about 400 KiB at most.
const ANSWER_BYTES: usize = 64 * 1024;

/// What is kept of it: twice what an excerpt can need, so that a secret across its end is still found whole.
const KEPT_BYTES: usize = EXCERPT_CHARS * 4 * 2;

/// One request.
#[derive(Clone)]
pub struct Request {
    /// Where to.
    pub url: Url,
    /// Sent as they are, besides `Host`, `Content-Length` and `Accept: */*`.
    pub headers: Vec<(String, String)>,
    /// Sent as it is.
    pub body: Bytes,
    /// For everything from the name's lookup to the end of the answer's body.
    pub timeout: Duration,
}

/// One POST to a callback, by whatever means.
pub trait Post: Send + Sync + 'static {
    /// Sends the request once: no retry, no redirect.
    ///
    /// # Errors
    /// When no complete answer came back. Any complete answer, whatever its status, is an [`Answer`].
    fn post(&self, request: Request) -> impl Future<Output = Result<Answer, NoAnswer>> + Send;
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoAnswer {
    /// The receiver failed, or the way to it: an attempt like any other.
    Failed(Failure),
    /// We did: no attempt, and nothing that the receiver could mend.
    Shortage(Shortage),
}

impl From<Failure> for NoAnswer {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// This machine, or this process, has run out of descriptors, ports, buffers or memory; the text says of what.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Shortage(pub String);

/// Which callbacks may be called.
#[derive(Debug, Clone, Default)]
pub struct EndpointPolicy {
    /// Whether plain `http` is allowed.
    pub allow_http: bool,
    /// Networks that are allowed although they are not public.
    pub allow_networks: Vec<IpNet>,
}

impl EndpointPolicy {
    /// Says why every attempt at this URL will be refused, where the URL itself tells: its host is an address, or
    /// `localhost`. Other names are judged when they are resolved.
    pub fn refuses(&self, url: &Url) -> Option<String> {
        let guard = Guard::new(self.allow_networks.iter().copied());
        let judged = match url.host() {
            Some(Host::Domain("localhost")) => guard
                .check(Ipv4Addr::LOCALHOST.into())
                .or_else(|blocked| guard.check(Ipv6Addr::LOCALHOST.into()).map_err(|_| blocked)),
            _ => guard.check_literal(url),
        };
        judged.err().map(|blocked| blocked.to_string())
    }
}

/// The HTTP client cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up the HTTPS client: {0}")]
pub struct PostSetupError(String);

/// POSTs over HTTPS, within the [`EndpointPolicy`].
#[derive(Debug, Clone)]
pub struct HttpPost {
    client: Client,
    guard: Guard,
    allow_http: bool,
}

impl HttpPost {
    /// Sets up the client; the system's root certificates are trusted.
    ///
    /// # Errors
    /// When the system has no usable root certificates, for example.
    pub fn new(policy: EndpointPolicy) -> Result<Self, PostSetupError> {
        Self::with_extra_roots(policy, [])
    }

    /// As [`HttpPost::new`], trusting these roots too.
    pub(crate) fn with_extra_roots(
        policy: EndpointPolicy,
        roots: impl IntoIterator<Item = reqwest::Certificate>,
    ) -> Result<Self, PostSetupError> {
        let guard = Guard::new(policy.allow_networks);
        let client = Client::builder()
            .http1_only()
            // Names are the same in any case, yet some receivers look for `X-Payload-Signature` as documented.
            .http1_title_case_headers()
            .https_only(!policy.allow_http)
            .tls_certs_merge(roots)
            .dns_resolver(guard.clone())
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(IDLE_PER_HOST)
            .build()
            .map_err(|error| PostSetupError(failure::innermost(&error)))?;
        Ok(Self {
            client,
            guard,
            allow_http: policy.allow_http,
        })
    }

    fn check_url(&self, url: &Url) -> Result<(), Failure> {
        match url.scheme() {
            "https" => {}
            "http" if self.allow_http => {}
            "http" => {
                let detail = "plain http is refused, see endpoint.allow_http";
                return Err(failure(FailureKind::BlockedAddress, detail));
            }
            _ => {
                return Err(failure(
                    FailureKind::Protocol,
                    "URL is not an http or https one",
                ));
            }
        }
        self.guard
            .check_literal(url)
            .map_err(|blocked| failure(FailureKind::BlockedAddress, blocked.to_string()))
    }
}

impl Post for HttpPost {
    async fn post(&self, request: Request) -> Result<Answer, NoAnswer> {
        self.check_url(&request.url)?;
        let secrets = authentication_values(&request.headers);
        let response = self
            .client
            .post(request.url)
            .headers(header_map(&request.headers)?)
            .body(request.body)
            .timeout(request.timeout)
            .send()
            .await
            .map_err(|error| classify(&error, request.timeout))?;
        read_answer(response, &secrets, request.timeout).await
    }
}

fn header_map(headers: &[(String, String)]) -> Result<HeaderMap, Failure> {
    let mut map = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        match (
            name.parse::<HeaderName>(),
            HeaderValue::from_bytes(value.as_bytes()),
        ) {
            (Ok(name), Ok(value)) => map.append(name, value),
            _ => {
                let detail = format!("header {name} holds a character that HTTP does not carry");
                return Err(failure(FailureKind::Protocol, detail));
            }
        };
    }
    Ok(map)
}

/// Reads the answer as far as it is wanted. A body read to its end leaves the connection for the next request.
async fn read_answer(
    mut response: Response,
    secrets: &[String],
    timeout: Duration,
) -> Result<Answer, NoAnswer> {
    let status = response.status().as_u16();
    let retry_after = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| retry_after::retry_after(value.to_str().ok()?, SystemTime::now()));
    let mut kept = Vec::new();
    let mut read = 0;
    while read < ANSWER_BYTES {
        let chunk = match response.chunk().await {
            Ok(Some(chunk)) => chunk,
            Ok(None) => break,
            Err(error) => match classify(&error, timeout) {
                NoAnswer::Failed(Failure { kind, detail }) => {
                    let detail = format!("after status {status}: {detail}");
                    return Err(failure(kind, detail).into());
                }
                shortage => return Err(shortage),
            },
        };
        read += chunk.len();
        kept.extend_from_slice(&chunk[..chunk.len().min(KEPT_BYTES - kept.len())]);
    }
    Ok(Answer {
        status,
        retry_after,
        excerpt: excerpt(&kept, secrets),
    })
}

/// The values in a request that must not come back in a record.
fn authentication_values(headers: &[(String, String)]) -> Vec<String> {
    let is_authentication = |name: &str| {
        Authentication::HEADERS
            .iter()
            .any(|known| known.eq_ignore_ascii_case(name))
    };
    headers
        .iter()
        .filter(|(name, value)| is_authentication(name) && !value.is_empty())
        .map(|(_, value)| value.clone())
        .collect()
}

/// The excerpt of a body, with the request's own secrets masked: some receivers answer with what they got.
fn excerpt(body: &[u8], secrets: &[String]) -> String {
    let text = String::from_utf8_lossy(body);
    let masked = secrets.iter().fold(text, |text, secret| {
        text.replace(secret.as_str(), "***").into()
    });
    delivery::clean_excerpt(masked.as_bytes())
}
