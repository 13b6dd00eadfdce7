//! One POST to a callback: the only place where a request leaves for somebody else's network.
//!
//! It knows nothing of events, schedules and retries: a request goes in, and what came of it comes out.

pub mod again;
mod answer;
mod connect;
mod connection;
mod failure;
mod guard;
mod lookup;
mod masking;
mod pool;
mod request;
mod retry_after;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::SystemTime;

use delivery::{Answer, Failure, FailureKind};
use ipnet::IpNet;
use rustls::pki_types::CertificateDer;
use tokio::time::{Instant, timeout_at};
use url::{Host, Url};

use again::{Carried, Carrier, Over};
use answer::{Reader, Said};
use connect::{Connector, Phase};
use connection::{Broken, Connection, Sent};
use failure::{failure, kind_of, shortage};
use guard::Guard;
use masking::Secrets;
use pool::Pool;
pub use request::Request;

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

/// Which callbacks may be called, and how.
#[derive(Debug, Clone)]
pub struct EndpointPolicy {
    /// Whether a connection carries several requests. Not for receivers that answer twice: with one stray answer each
    /// later one is taken for that of the next request.
    pub reuse_connections: bool,
    /// Whether plain `http` is allowed.
    pub allow_http: bool,
    /// Networks that are allowed although they are not public.
    pub allow_networks: Vec<IpNet>,
}

impl Default for EndpointPolicy {
    fn default() -> Self {
        Self {
            reuse_connections: true,
            allow_http: false,
            allow_networks: Vec::new(),
        }
    }
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
    connector: Connector,
    pool: Pool,
    guard: Guard,
    allow_http: bool,
    reuse_connections: bool,
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
        roots: impl IntoIterator<Item = CertificateDer<'static>>,
    ) -> Result<Self, PostSetupError> {
        let guard = Guard::new(policy.allow_networks);
        Ok(Self {
            connector: Connector::new(guard.clone(), roots)?,
            pool: Pool::default(),
            guard,
            allow_http: policy.allow_http,
            reuse_connections: policy.reuse_connections,
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
        again::attempt(self, &request).await
    }
}

impl Carrier for HttpPost {
    async fn carry(&self, request: &Request, over: Over, deadline: Instant) -> Carried {
        let mut trip = Trip::default();
        let ended = timeout_at(deadline, self.travel(request, over, &mut trip)).await;
        let ended = ended.unwrap_or(Err(Ended::Late));
        Carried {
            was_reused: trip.is_reused,
            ended_unanswered: trip.reader.is_untouched()
                && matches!(&ended, Err(Ended::Broken(broken)) if broken.is_by_others()),
            outcome: trip.outcome(ended, request),
        }
    }
}

/// How far a request has come over one connection.
#[derive(Default)]
struct Trip {
    is_reused: bool,
    phase: Phase,
    reader: Reader,
}

/// Why it came no farther.
enum Ended {
    NotConnected(NoAnswer),
    Broken(Broken),
    /// The request's time was up.
    Late,
}

impl HttpPost {
    async fn travel(&self, request: &Request, over: Over, trip: &mut Trip) -> Result<(), Ended> {
        let head = request
            .head(self.reuse_connections)
            .map_err(|failure| Ended::NotConnected(failure.into()))?;
        let kept = match over {
            Over::AnyConnection => self.pool.take(request.origin()),
            Over::NewConnection => None,
        };
        trip.is_reused = kept.is_some();
        let mut connection = match kept {
            Some(connection) => connection,
            None => self.connect(&request.url, &mut trip.phase).await?,
        };
        trip.phase = Phase::Exchange;
        let sent = connection
            .exchange(&head, &request.body, &mut trip.reader)
            .await
            .map_err(Ended::Broken)?;
        let keep_for = trip.reader.keep_for(pool::IDLE);
        if let (Sent::Whole, true, Some(idle)) = (sent, self.reuse_connections, keep_for) {
            self.pool.put(request.origin(), connection, idle);
        }
        Ok(())
    }

    /// A new connection. What idle ones take up is given up for it before there is a shortage.
    async fn connect(&self, url: &Url, phase: &mut Phase) -> Result<Connection, Ended> {
        let connected = match self.connector.connect(url, phase).await {
            Err(NoAnswer::Shortage(_)) if self.pool.clear() => {
                self.connector.connect(url, phase).await
            }
            connected => connected,
        };
        connected.map_err(Ended::NotConnected)
    }
}

impl Trip {
    /// What came of it. An answer whose head has arrived is one, whatever becomes of its body.
    fn outcome(mut self, ended: Result<(), Ended>, request: &Request) -> Result<Answer, NoAnswer> {
        let secrets = Secrets::of(request);
        let place = self.reader.place();
        let no_answer = match ended {
            Ok(()) => None,
            Err(Ended::NotConnected(no_answer)) => Some(no_answer),
            Err(Ended::Broken(broken)) => {
                self.reader.spoil(&broken.to_string());
                Some(broken.no_answer(&place, &secrets))
            }
            Err(Ended::Late) => {
                self.reader.spoil("it was not complete in time");
                let phase = match self.reader.is_untouched() {
                    true => self.phase.to_string(),
                    false => format!("reading the answer: {place}"),
                };
                let detail = format!("{phase}: no more within {:?}", request.timeout);
                Some(failure_about(FailureKind::Timeout, &detail, &secrets).into())
            }
        };
        let Some(said) = self.reader.said(SystemTime::now()) else {
            let nothing = || failure(FailureKind::Protocol, "no answer").into();
            return Err(no_answer.unwrap_or_else(nothing));
        };
        Ok(Answer {
            status: said.status,
            retry_after: said.retry_after,
            excerpt: excerpt(&said, &secrets),
        })
    }
}

impl Broken {
    /// Whether the receiver or the network ended the connection.
    fn is_by_others(&self) -> bool {
        match self {
            Self::Closed => true,
            Self::Io(error) => shortage(error).is_none(),
            Self::Unreadable(_) => false,
        }
    }

    fn no_answer(&self, place: &str, secrets: &Secrets) -> NoAnswer {
        let kind = match self {
            Self::Closed => FailureKind::Reset,
            Self::Unreadable(_) => FailureKind::Protocol,
            Self::Io(error) => match shortage(error) {
                Some(shortage) => return NoAnswer::Shortage(shortage),
                None => kind_of(error),
            },
        };
        let detail = match self {
            Self::Unreadable(why) => why.clone(),
            _ => format!("{self}: {place}"),
        };
        failure_about(kind, &detail, secrets).into()
    }
}

/// A failure whose detail quotes the receiver.
fn failure_about(kind: FailureKind, detail: &str, secrets: &Secrets) -> Failure {
    let detail = secrets.masked(detail.as_bytes());
    failure(kind, String::from_utf8_lossy(&detail))
}

/// The excerpt of a body, with the request's own secrets masked: some receivers answer with what they got. What became
/// of a body that is not whole stands before it.
fn excerpt(said: &Said, secrets: &Secrets) -> String {
    let note = said
        .spoilt
        .as_ref()
        .map(|why| format!("[the body is not whole: {why}] "));
    let text = [note.unwrap_or_default().as_bytes(), &said.body].concat();
    delivery::clean_excerpt(&secrets.masked(&text))
}
