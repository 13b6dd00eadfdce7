//! One connection to a receiver, and one request and answer over it. HTTP/1.1 is hyper's.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, Connection as Driver, SendRequest};
use socket2::SockRef;
use tokio::time::Instant;

use super::answer::{Answered, BODY_BYTES};
use super::wire::{Stream, WIRE_BYTES, Wire};

/// The oldest connection that carries a request: a name that has moved to another address is followed by then.
const LONGEST_LIFE: Duration = Duration::from_secs(5 * 60);

/// The most fields of an answer.
const FIELDS: usize = 1000;

/// A connection that is open.
#[derive(Debug)]
pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    driver: Driven,
    wire: Wire,
    made: Instant,
}

/// hyper's side of a connection. It has no task of its own: whoever waits for an answer drives it.
#[derive(Debug)]
struct Driven(Option<Driver<Wire, Full<Bytes>>>);

impl Connection {
    /// Speaks HTTP/1.1 over a stream, and believes what sloppy receivers send.
    ///
    /// # Errors
    /// None that a stream can cause: nothing is sent yet.
    pub(super) async fn open(stream: Stream) -> hyper::Result<Self> {
        let wire = Wire::new(stream);
        let (sender, driver) = Builder::new()
            .max_buf_size(super::wire::HEAD_BYTES)
            .max_headers(FIELDS)
            .allow_spaces_after_header_name_in_responses(true)
            .allow_obsolete_multiline_headers_in_responses(true)
            .ignore_invalid_headers_in_responses(true)
            .handshake(wire.clone())
            .await?;
        Ok(Self {
            sender,
            driver: Driven(Some(driver)),
            wire,
            made: Instant::now(),
        })
    }

    /// What has come over it, as long as it lasts and after.
    pub(super) fn wire(&self) -> Wire {
        self.wire.clone()
    }

    /// Whether it may carry another request: it is young, and the receiver has neither closed it nor said anything since
    /// the last answer.
    ///
    /// The socket itself is asked. What tokio knows of it is as old as its last look at all sockets, and a busy worker
    /// may not have looked since the last answer.
    pub(super) fn is_quiet(&self) -> bool {
        let looked = self.wire.with_socket(|socket| {
            let mut byte = [MaybeUninit::uninit()];
            SockRef::from(socket).peek(&mut byte)
        });
        let is_silent = looked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
        is_silent && self.sender.is_ready() && self.made.elapsed() < LONGEST_LIFE
    }

    /// Sends a request, and reads as much of the answer as is wanted: `answered` has it as soon as its head is there.
    ///
    /// # Errors
    /// When no head came that hyper could read.
    pub(super) async fn exchange(
        &mut self,
        request: http::Request<Full<Bytes>>,
        letters: Vec<String>,
        answered: &mut Option<Answered>,
    ) -> hyper::Result<()> {
        self.wire.begin(letters);
        let response = self.sender.send_request(request);
        let response = self.driver.drive(response).await?;
        self.wire.head_came();
        let (head, body) = response.into_parts();
        let answered = answered.insert(Answered::new(&head));
        self.read(body, answered).await;
        Ok(())
    }

    async fn read(&mut self, mut body: Incoming, answered: &mut Answered) {
        while answered.wants_more() {
            match self.driver.drive(body.frame()).await {
                Some(Ok(frame)) => answered.take(frame.data_ref().map_or(&[], |data| data)),
                Some(Err(error)) => answered.spoil(&said_of_body(&self.wire, &error)),
                None => answered.end(),
            }
        }
    }

    /// Whether it may be kept after this answer: the request has left, the answer ended, neither side wants to close,
    /// and nothing came behind.
    pub(super) async fn is_reusable(&mut self) -> bool {
        // What came behind the answer, and that it is over, hyper sees only when it looks.
        self.driver.drive(std::future::ready(())).await;
        self.wire.is_sent() && self.is_quiet()
    }
}

/// Why a body is not whole.
fn said_of_body(wire: &Wire, error: &hyper::Error) -> String {
    use super::wire::Ending;
    match wire.ending() {
        Some(Ending::Closed) => "the receiver closed the connection".to_owned(),
        Some(Ending::Broke(error)) => format!("the connection broke: {error}"),
        Some(Ending::TooLong) => format!(
            "more than {} KiB for {} KiB of it: its chunks hold more around their data than in it",
            WIRE_BYTES / 1024,
            BODY_BYTES / 1024
        ),
        None => super::failure::innermost(error),
    }
}

impl Driven {
    /// Waits for something that comes over this connection.
    async fn drive<F: Future>(&mut self, awaited: F) -> F::Output {
        let mut awaited = pin!(awaited);
        poll_fn(|cx| {
            self.poll(cx);
            awaited.as_mut().poll(cx)
        })
        .await
    }

    /// How it ends, its requests are told.
    fn poll(&mut self, cx: &mut Context<'_>) {
        let Some(driver) = &mut self.0 else { return };
        if let Poll::Ready(_told) = Pin::new(driver).poll(cx) {
            self.0 = None;
        }
    }
}
