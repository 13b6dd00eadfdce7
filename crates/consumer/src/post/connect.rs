//! How a connection is made: look the host up, judge its addresses, connect to one of them, shake hands.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use delivery::{Failure, FailureKind};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use rustls::ClientConfig;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use url::{Host, Url};

use super::connection::Connection;
use super::failure::{failure, innermost, is_reset, shortage};
use super::guard::{Admitted, Guard, Refused};
use super::lookup::Lookups;
use super::wire::Stream;
use super::{NoAnswer, PostSetupError};

/// The longest look-up, the longest wait for a connection and the longest handshake. A shorter timeout of the request
/// goes first.
const PHASE_TIMEOUT: Duration = Duration::from_secs(10);

/// An address that is silent so long gets company: the next one is tried beside it
/// ([RFC 8305](https://www.rfc-editor.org/rfc/rfc8305#section-5)). So no silent address uses up the time of the others.
const NEXT_ADDRESS: Duration = Duration::from_millis(250);

/// Of a name's addresses so many are tried.
const MOST_ADDRESSES: usize = 16;

/// How far a request has come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Phase {
    #[default]
    Starting,
    LookingUp(String),
    Connecting(Vec<SocketAddr>),
    Handshake(SocketAddr),
    /// The request is on its way, or the answer.
    Exchange,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Starting => f.write_str("starting"),
            Self::LookingUp(name) => write!(f, "looking up {name}"),
            Self::Connecting(addresses) => {
                f.write_str("connecting to ")?;
                list(f, addresses)
            }
            Self::Handshake(address) => write!(f, "TLS handshake with {address}"),
            Self::Exchange => f.write_str("waiting for the answer"),
        }
    }
}

fn list(f: &mut fmt::Formatter<'_>, addresses: &[SocketAddr]) -> fmt::Result {
    for (n, address) in addresses.iter().enumerate() {
        let comma = if n == 0 { "" } else { ", " };
        write!(f, "{comma}{address}")?;
    }
    Ok(())
}

/// Makes connections.
#[derive(Clone)]
pub(super) struct Connector {
    guard: Guard,
    lookups: Lookups,
    tls: TlsConnector,
}

impl Connector {
    /// Trusts the system's root certificates, and these.
    ///
    /// # Errors
    /// When there are none.
    pub(super) fn new(
        guard: Guard,
        roots: impl IntoIterator<Item = CertificateDer<'static>>,
    ) -> Result<Self, PostSetupError> {
        Ok(Self {
            guard,
            lookups: Lookups::new(),
            tls: TlsConnector::from(Arc::new(tls_config(roots)?)),
        })
    }

    /// With look-ups of another kind.
    #[cfg(test)]
    pub(super) fn looking_up(mut self, lookups: Lookups) -> Self {
        self.lookups = lookups;
        self
    }

    /// Connects to the URL's host; `phase` says how far that has come, also when this is dropped.
    ///
    /// # Errors
    /// Says which phase failed, and how.
    pub(super) async fn connect(
        &self,
        url: &Url,
        phase: &mut Phase,
    ) -> Result<Connection, NoAnswer> {
        let addresses = self.addresses(url, phase).await?;
        *phase = Phase::Connecting(addresses.iter().map(Admitted::address).collect());
        let stream = in_time(phase, first_of(addresses, connect_to)).await?;
        if url.scheme() != "https" {
            return open(Stream::Plain(stream)).await;
        }
        if let Ok(address) = stream.peer_addr() {
            *phase = Phase::Handshake(address);
        }
        let stream = in_time(phase, self.shake_hands(url, stream)).await?;
        open(Stream::Tls(Box::new(stream))).await
    }

    /// Where the host is, as far as it may be connected to.
    async fn addresses(&self, url: &Url, phase: &mut Phase) -> Result<Vec<Admitted>, NoAnswer> {
        let found = match url.host() {
            Some(Host::Ipv4(address)) => Arc::from([IpAddr::from(address)]),
            Some(Host::Ipv6(address)) => Arc::from([IpAddr::from(address)]),
            Some(Host::Domain(name)) => {
                *phase = Phase::LookingUp(name.to_owned());
                in_time(phase, self.look_up(name)).await?
            }
            None => return Err(failure(FailureKind::Protocol, "URL has no host").into()),
        };
        let port = url.port_or_known_default().unwrap_or_default();
        let sockets = found.iter().map(|&address| SocketAddr::new(address, port));
        let admitted = self.guard.admit(sockets).map_err(|refused| match refused {
            Refused::Blocked(blocked) => failure(FailureKind::BlockedAddress, blocked.to_string()),
            Refused::Empty => failure(FailureKind::Dns, "name has no address"),
        })?;
        Ok(by_turns(admitted))
    }

    async fn look_up(&self, name: &str) -> Result<Arc<[IpAddr]>, NoAnswer> {
        self.lookups.addresses(name).await.map_err(|error| {
            shortage(&error).map_or_else(
                || failure(FailureKind::Dns, format!("name does not resolve: {error}")).into(),
                NoAnswer::Shortage,
            )
        })
    }

    async fn shake_hands(
        &self,
        url: &Url,
        stream: TcpStream,
    ) -> Result<tokio_rustls::client::TlsStream<TcpStream>, NoAnswer> {
        let name = match url.host() {
            Some(Host::Ipv4(address)) => Ok(ServerName::from(IpAddr::from(address))),
            Some(Host::Ipv6(address)) => Ok(ServerName::from(IpAddr::from(address))),
            // The dot of a rooted name belongs to no certificate (RFC 6066, section 3).
            Some(Host::Domain(name)) => ServerName::try_from(name.trim_end_matches('.').to_owned())
                .map_err(|e| e.to_string()),
            None => Err("URL has no host".to_owned()),
        };
        let name = name.map_err(|why| failure(FailureKind::Tls, why))?;
        self.tls.connect(name, stream).await.map_err(|error| {
            if let Some(shortage) = shortage(&error) {
                return NoAnswer::Shortage(shortage);
            }
            let kind = if is_reset(&error) {
                FailureKind::Reset
            } else {
                FailureKind::Tls
            };
            failure(kind, format!("TLS handshake: {error}")).into()
        })
    }
}

async fn open(stream: Stream) -> Result<Connection, NoAnswer> {
    let opened = Connection::open(stream).await;
    opened.map_err(|error| failure(FailureKind::Protocol, innermost(&error)).into())
}

/// As rustls has it by default, with the roots that the system trusts.
fn tls_config(
    roots: impl IntoIterator<Item = CertificateDer<'static>>,
) -> Result<ClientConfig, PostSetupError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let wrong = |error: rustls::Error| PostSetupError(error.to_string());
    let verifier =
        rustls_platform_verifier::Verifier::new_with_extra_roots(roots, provider.clone())
            .map_err(wrong)?;
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(wrong)?
        .dangerous() // says rustls of any verifier that is not its own; this one asks the system
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Within the limit of a phase.
pub(super) async fn in_time<T>(
    phase: &Phase,
    work: impl Future<Output = Result<T, NoAnswer>>,
) -> Result<T, NoAnswer> {
    match timeout(PHASE_TIMEOUT, work).await {
        Ok(done) => done,
        Err(_) => Err(too_slow(phase, PHASE_TIMEOUT).into()),
    }
}

/// A phase took longer than it may.
fn too_slow(phase: &Phase, limit: Duration) -> Failure {
    failure(
        FailureKind::Timeout,
        format!("{phase}: no more within {limit:?}"),
    )
}

/// IPv6 and IPv4 by turns, beginning with what the system puts first, so that a family that leads nowhere holds the
/// other up for a moment only.
fn by_turns(addresses: Vec<Admitted>) -> Vec<Admitted> {
    let first = addresses.first().map(|first| first.address().is_ipv6());
    let (same, other): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .partition(|address| Some(address.address().is_ipv6()) == first);
    let (mut same, mut other) = (same.into_iter(), other.into_iter());
    let pairs = std::iter::from_fn(|| match (same.next(), other.next()) {
        (None, None) => None,
        pair => Some(pair),
    });
    pairs
        .flat_map(|(a, b)| [a, b])
        .flatten()
        .take(MOST_ADDRESSES)
        .collect()
}

/// Connects to whichever address answers first. The next one is tried when one fails, or is silent for a while.
pub(super) async fn first_of<S, C>(
    addresses: Vec<Admitted>,
    connect: impl Fn(Admitted) -> C,
) -> Result<S, NoAnswer>
where
    C: Future<Output = Result<S, (SocketAddr, io::Error)>>,
{
    let mut waiting = addresses.into_iter();
    let mut trying = FuturesUnordered::new();
    trying.extend(waiting.next().map(&connect));
    let mut failures = Vec::new();
    loop {
        tokio::select! {
            biased;
            tried = trying.next() => match tried {
                Some(Ok(stream)) => return Ok(stream),
                Some(Err(failed)) => {
                    failures.push(failed);
                    trying.extend(waiting.next().map(&connect));
                }
                None => return Err(none_of(failures)),
            },
            () = sleep(NEXT_ADDRESS), if !waiting.as_slice().is_empty() => {
                trying.extend(waiting.next().map(&connect));
            }
        }
    }
}

async fn connect_to(address: Admitted) -> Result<TcpStream, (SocketAddr, io::Error)> {
    let address = address.address();
    let connected = async {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    };
    connected.await.map_err(|error| (address, error))
}

/// No address could be connected to. If we could not even try one of them, the receiver has not failed.
pub(super) fn none_of(failures: Vec<(SocketAddr, io::Error)>) -> NoAnswer {
    let ours = failures.iter().find_map(|(address, error)| {
        let shortage = shortage(error)?;
        let is_ours = error.kind() != io::ErrorKind::AddrNotAvailable || is_reachable(*address);
        is_ours.then_some(shortage)
    });
    if let Some(shortage) = ours {
        return NoAnswer::Shortage(shortage);
    }
    let failures = failures
        .iter()
        .map(|(address, error)| format!("{address}: {error}"));
    failure(
        FailureKind::Connect,
        failures.collect::<Vec<_>>().join("; "),
    )
    .into()
}

/// Whether this machine has an address of its own from which that one could be reached: if not, it is no lack of ports
/// that there is none to connect from (IPv6 in most containers). A datagram socket tells without sending anything.
fn is_reachable(address: SocketAddr) -> bool {
    let any: IpAddr = match address {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    UdpSocket::bind((any, 0))
        .and_then(|socket| socket.connect(address))
        .is_ok()
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("guard", &self.guard)
            .finish_non_exhaustive()
    }
}
