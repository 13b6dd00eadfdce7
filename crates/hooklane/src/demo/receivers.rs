//! The receivers: they check the signature, answer as their parts say, and write down what they see.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::serve::ListenerExt;
use delivery::{Secret, SignatureMode};
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use super::observations::Request;
use super::scenario::{Part, RECEIVERS, Receiver, UPSTREAM, upstream};

/// All receivers, on one socket of this machine. They are gone when this is dropped.
pub(super) struct Receivers {
    address: SocketAddr,
    desk: Arc<Desk>,
    _serving: AbortOnDropHandle<()>,
}

/// How far the events are, as the receivers know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Seen {
    /// Events accepted.
    pub(super) accepted: usize,
    /// Events that failed twice and have not come a third time.
    pub(super) waiting: usize,
}

struct Desk {
    secret: Secret,
    parts: HashMap<String, Part>,
    began: Instant,
    journal: Mutex<Vec<Request>>,
}

/// What a body says of its event.
#[derive(Deserialize, Default)]
struct Named {
    msg_id: Option<String>,
    #[serde(rename = "MessageGroupId")]
    group: Option<String>,
}

impl Receivers {
    /// Opens them; requests are to be signed with this secret.
    pub(super) async fn open(secret: Secret) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.context("no socket on 127.0.0.1 for the receivers")?;
        let address = listener.local_addr()?;
        // Answers are small and written in one piece: waiting for more to send would only delay them.
        let listener = listener.tap_io(|socket| {
            let _ = socket.set_nodelay(true);
        });
        let planned = RECEIVERS.iter().flat_map(Receiver::planned);
        let parts = planned.chain(upstream()).map(|p| (p.id, p.part));
        let desk = Arc::new(Desk {
            secret,
            parts: parts.collect(),
            began: Instant::now(),
            journal: Mutex::default(),
        });
        let app = Router::new().fallback(receive).with_state(desk.clone());
        let serving = tokio::spawn(async move {
            // It ends with the demo.
            let _ = axum::serve(listener, app).await;
        });
        Ok(Self {
            address,
            desk,
            _serving: AbortOnDropHandle::new(serving),
        })
    }

    /// The URL of a receiver.
    pub(super) fn url(&self, receiver: &Receiver) -> anyhow::Result<url::Url> {
        Ok(format!("http://{}{}", self.address, receiver.path).parse()?)
    }

    /// Everything they wrote down, in the order of arrival.
    pub(super) fn requests(&self) -> Vec<Request> {
        self.desk.journal().clone()
    }

    pub(super) fn seen(&self) -> Seen {
        let journal = self.desk.journal();
        let count = |is: fn(&Request) -> bool| journal.iter().filter(|request| is(request)).count();
        let failed_twice = count(|r| r.nth == 2 && r.answered.is_some() && !r.is_accepted());
        let came_again = count(|request| request.nth == 3);
        Seen {
            accepted: count(Request::is_accepted),
            waiting: failed_twice.saturating_sub(came_again),
        }
    }
}

async fn receive(
    State(desk): State<Arc<Desk>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, &'static str) {
    let (place, status) = desk.arrived(&headers, &body);
    tokio::time::sleep(takes(uri.path())).await;
    desk.answered(place, status);
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, body_of(status))
}

impl Desk {
    fn journal(&self) -> MutexGuard<'_, Vec<Request>> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a request down; says where, and how it is to be answered.
    fn arrived(&self, headers: &HeaderMap, body: &[u8]) -> (usize, u16) {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let named: Named = serde_json::from_slice(body).unwrap_or_default();
        let id = named.msg_id.or(text("webhook-id").map(str::to_owned));
        let id = id.unwrap_or_default();
        let mut journal = self.journal();
        let earlier = journal.iter().filter(|request| request.id == id).count();
        let nth = earlier as u32 + 1;
        let status = self.parts.get(&id).map_or(404, |part| part.answer(nth));
        journal.push(Request {
            id,
            group: named.group.unwrap_or_default(),
            nth,
            attempt: text("x-hooklane-attempt").and_then(|n| n.parse().ok()),
            arrived: self.began.elapsed(),
            answered: None,
            signed: text("x-payload-signature").is_some_and(|s| self.is_signed(s, body)),
        });
        (journal.len() - 1, status)
    }

    fn answered(&self, place: usize, status: u16) {
        let at = self.began.elapsed();
        if let Some(request) = self.journal().get_mut(place) {
            request.answered = Some((at, status));
        }
    }

    fn is_signed(&self, signature: &str, body: &[u8]) -> bool {
        let secrets = std::slice::from_ref(&self.secret);
        delivery::verify(secrets, signature, None, None, body) == Some(SignatureMode::HmacSha256Hex)
    }
}

fn takes(path: &str) -> Duration {
    let mut receivers = RECEIVERS.iter().chain([&UPSTREAM]);
    receivers
        .find(|receiver| receiver.path == path)
        .map_or(Duration::ZERO, |receiver| receiver.takes)
}

fn body_of(status: StatusCode) -> &'static str {
    match status.as_u16() {
        200 | 201 => "thank you\n",
        503 => "back in a minute\n",
        500 => "something is broken here\n",
        _ => "that is not for me\n",
    }
}

#[cfg(test)]
mod tests {
    use delivery::Authentication;

    use super::*;

    const RECOVERS: &[u8] = br#"{"msg_id":"evt-19-04","MessageGroupId":"EventSetup_19"}"#;

    fn desk() -> Desk {
        let planned = RECEIVERS.iter().flat_map(Receiver::planned);
        Desk {
            secret: Secret::new("s"),
            parts: planned.map(|p| (p.id, p.part)).collect(),
            began: Instant::now(),
            journal: Mutex::default(),
        }
    }

    fn signed_with(secret: &str, body: &[u8]) -> HeaderMap {
        let secrets = vec![Secret::new(secret)];
        let authentication =
            Authentication::signed(SignatureMode::HmacSha256Hex, secrets).expect("usable");
        let (name, value) = authentication.header("id", 0, body).expect("signed");
        let value = value.parse().expect("a value");
        HeaderMap::from_iter([(name.parse().expect("a name"), value)])
    }

    #[test]
    fn a_receiver_counts_the_requests_of_an_event_and_answers_by_its_count() {
        let desk = desk();
        let statuses = [1, 2, 3].map(|_| desk.arrived(&HeaderMap::new(), RECOVERS).1);
        assert_eq!(statuses, [503, 503, 201]);
        let nths: Vec<_> = desk.journal().iter().map(|request| request.nth).collect();
        assert_eq!(nths, [1, 2, 3]);
    }

    #[test]
    fn a_signature_holds_for_its_secret_and_its_bytes_alone() {
        let desk = desk();
        let mut changed = RECOVERS.to_vec();
        changed.push(b' ');
        desk.arrived(&signed_with("s", RECOVERS), RECOVERS);
        desk.arrived(&signed_with("another", RECOVERS), RECOVERS);
        desk.arrived(&signed_with("s", RECOVERS), &changed);
        desk.arrived(&HeaderMap::new(), RECOVERS);
        let signed: Vec<_> = desk.journal().iter().map(|r| r.signed).collect();
        assert_eq!(signed, [true, false, false, false]);
    }

    #[test]
    fn what_nobody_sent_is_written_down_too_and_not_accepted() {
        let desk = desk();
        let headers = HeaderMap::from_iter([(
            "webhook-id".parse().expect("a name"),
            "m-1".parse().expect("a value"),
        )]);
        assert_eq!(desk.arrived(&headers, b"no event").1, 404);
        assert_eq!(desk.journal()[0].id, "m-1");
    }
}
