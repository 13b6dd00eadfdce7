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
mod wire;

use std::future::Future;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::{Duration, SystemTime};

use delivery::{Answer, Failure, FailureKind};
use ipnet::IpNet;
use rustls::pki_types::CertificateDer;
use tokio::time::{Instant, timeout_at};
use url::{Host, Url};

use again::{Carried, Carrier, Over};
use answer::{Answered, Unread};
use connect::{Connector, Phase};
use connection::Connection;
use failure::{failure, innermost, kind_of, shortage};
use guard::Guard;
use masking::Secrets;
use pool::Pool;
pub use request::Request;
use wire::{Ending, HEAD_BYTES, Heard, Wire};

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
        let left = deadline.saturating_duration_since(Instant::now());
        let is_second = over == Over::NewConnection && !request.new_connection;
        let mut trip = Trip {
            left: is_second.then_some(left),
            ..Trip::default()
        };
        let ended = timeout_at(deadline, self.travel(request, over, &mut trip)).await;
        trip.arrived(ended.unwrap_or(Err(Ended::Late)), request)
    }
}

/// How far a request has come over one connection.
#[derive(Default)]
struct Trip {
    /// What the first of two trips has left of the request's timeout.
    left: Option<Duration>,
    is_reused: bool,
    phase: Phase,
    wire: Option<Wire>,
    answered: Option<Answered>,
}

/// Why it came no farther.
enum Ended {
    NotConnected(NoAnswer),
    /// There was no head of an answer that could be read.
    Unanswered(hyper::Error),
    /// The request's time was up.
    Late,
}

impl HttpPost {
    async fn travel(&self, request: &Request, over: Over, trip: &mut Trip) -> Result<(), Ended> {
        let outgoing = request
            .for_hyper(self.reuse_connections)
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
        trip.wire = Some(connection.wire());
        connection
            .exchange(outgoing, request.letters(), &mut trip.answered)
            .await
            .map_err(Ended::Unanswered)?;
        let keep_for = trip.answered.as_ref().and_then(|a| a.keep_for(pool::IDLE));
        if let (true, Some(idle)) = (self.reuse_connections, keep_for)
            && connection.is_reusable().await
        {
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
    fn arrived(self, ended: Result<(), Ended>, request: &Request) -> Carried {
        let secrets = Secrets::of(request);
        let heard = self.wire.as_ref().map(Wire::heard).unwrap_or_default();
        let mut ended_unanswered = false;
        let outcome = match (self.answered, ended) {
            (Some(mut answered), ended) => {
                ended_unanswered = ended.is_ok() && answered.is_farewell();
                if ended.is_err() {
                    answered.spoil("it was not complete in time");
                }
                Ok(answer_of(&answered, &secrets))
            }
            (None, Err(Ended::NotConnected(no_answer))) => Err(no_answer),
            (None, Err(Ended::Late)) => {
                let phase = match heard.bytes {
                    0 => self.phase.to_string(),
                    _ => format!("reading the answer: {}", heard.unread(&secrets).place()),
                };
                let timeout = request.timeout;
                let time = match self.left {
                    Some(left) => {
                        format!("{:.1} s, what was left of {timeout:?}", left.as_secs_f64())
                    }
                    None => format!("{timeout:?}"),
                };
                let detail = format!("{phase}: no more within {time}");
                Err(failure_about(FailureKind::Timeout, &detail, &secrets).into())
            }
            (None, Err(Ended::Unanswered(error))) => {
                ended_unanswered = heard.bytes == 0 && heard.is_ended_by_others();
                unanswered(heard, &error, &secrets)
            }
            (None, Ok(())) => Err(failure(FailureKind::Protocol, "no answer").into()),
        };
        Carried {
            outcome,
            was_reused: self.is_reused,
            ended_unanswered,
        }
    }
}

impl Heard {
    /// What its start says, without the request's secrets: what is quoted of it is cut after that.
    fn unread(&self, secrets: &Secrets) -> Unread {
        Unread::of(&secrets.masked(&self.start, true))
    }

    /// Whether the receiver or the network ended the connection.
    fn is_ended_by_others(&self) -> bool {
        match &self.end {
            Some(Ending::Closed) => true,
            Some(Ending::Broke(error)) => shortage(error).is_none(),
            // hyper saw it end before it was read from.
            None => true,
            Some(Ending::TooLong) => false,
        }
    }
}

/// What to make of bytes in which hyper found no head of an answer.
fn unanswered(heard: Heard, error: &hyper::Error, secrets: &Secrets) -> Result<Answer, NoAnswer> {
    let unread = heard.unread(secrets);
    let place = unread.place();
    let (kind, detail) = match heard.end {
        Some(Ending::TooLong) => {
            let limit = HEAD_BYTES / 1024;
            let detail = format!("more than {limit} KiB of head: {place}");
            (FailureKind::Protocol, detail)
        }
        Some(Ending::Broke(error)) => match shortage(&error) {
            Some(shortage) => return Err(NoAnswer::Shortage(shortage)),
            None => {
                let detail = format!("the connection broke: {error}: {place}");
                (kind_of(&error), detail)
            }
        },
        Some(Ending::Closed) if unread.is_no_answer() => (FailureKind::Protocol, not_http(&unread)),
        Some(Ending::Closed) => {
            let detail = format!("the receiver closed the connection: {place}");
            (FailureKind::Reset, detail)
        }
        None if !error.is_parse() => {
            let detail = format!("the connection ended ({}): {place}", innermost(error));
            (FailureKind::Reset, detail)
        }
        None => {
            let why = innermost(error);
            let detail = match unread.status() {
                Some(status) => format!(
                    "status {status} in a head that cannot be read, {why}: {}",
                    unread.line()
                ),
                None => not_http(&unread),
            };
            match unread.into_answered(&format!("its head cannot be read, {why}")) {
                Some(answered) => return Ok(answer_of(&answered, secrets)),
                None => (FailureKind::Protocol, detail),
            }
        }
    };
    Err(failure_about(kind, &detail, secrets).into())
}

fn not_http(unread: &Unread) -> String {
    format!("not an HTTP answer: {}", unread.line())
}

/// A failure whose detail quotes the receiver.
fn failure_about(kind: FailureKind, detail: &str, secrets: &Secrets) -> Failure {
    let detail = secrets.masked(detail.as_bytes(), false);
    failure(kind, String::from_utf8_lossy(&detail))
}

/// With the request's own secrets masked: some receivers answer with what they got.
fn answer_of(answered: &Answered, secrets: &Secrets) -> Answer {
    Answer {
        status: answered.status,
        retry_after: answered.retry_after(SystemTime::now()),
        excerpt: delivery::clean_excerpt(&answered.said(secrets)),
    }
}
