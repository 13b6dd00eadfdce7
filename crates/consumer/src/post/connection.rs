//! One connection to a receiver, and one request and answer over it.

use std::fmt;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Buf;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::client::TlsStream;

use super::answer::{Fed, Reader};

/// Read at once: little, so that no receiver keeps the worker's only thread for long, however much it sends.
const READ_BYTES: usize = 8 * 1024;

/// The oldest connection that carries a request: a name that has moved to another address is followed by then.
const LONGEST_LIFE: Duration = Duration::from_secs(5 * 60);

/// A connection, with or without TLS.
#[derive(Debug)]
pub(super) struct Connection {
    stream: Stream,
    made: Instant,
}

#[derive(Debug)]
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Why an exchange ended without an answer.
#[derive(Debug)]
pub(super) enum Broken {
    /// The receiver closed the connection.
    Closed,
    /// The connection failed.
    Io(io::Error),
    /// What came is no answer; the text quotes it.
    Unreadable(String),
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the receiver closed the connection"),
            Self::Io(error) => write!(f, "the connection broke: {error}"),
            Self::Unreadable(why) => f.write_str(why),
        }
    }
}

impl Connection {
    pub(super) fn new(stream: Stream) -> Self {
        Self {
            stream,
            made: Instant::now(),
        }
    }

    /// Whether it may carry another request: it is young, and the receiver has neither closed it nor said anything since
    /// the last answer.
    ///
    /// The socket itself is asked. What tokio knows of it is as old as its last look at all sockets, and a busy worker
    /// may not have looked since the last answer.
    pub(super) fn is_quiet(&self) -> bool {
        let mut byte = [MaybeUninit::uninit()];
        let looked = SockRef::from(self.stream.tcp()).peek(&mut byte);
        let is_silent = looked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
        is_silent && self.made.elapsed() < LONGEST_LIFE
    }

    /// Sends a request, and reads as much of the answer as is wanted.
    ///
    /// # Errors
    /// When no answer came, or not all of it: `reader` knows what did.
    pub(super) async fn exchange(
        &mut self,
        head: &[u8],
        body: &[u8],
        reader: &mut Reader,
    ) -> Result<Sent, Broken> {
        let mut request = Outgoing::new(head, body);
        poll_fn(|cx| {
            // Side by side: a receiver may answer, and hang up, before it has the whole request.
            request.go_on(self.stream.io(), cx);
            let read = ready!(self.poll_answer(reader, cx));
            Poll::Ready(match (read, request.error.take()) {
                (Ok(()), _) if request.is_sent => Ok(Sent::Whole),
                (Ok(()), _) => Ok(Sent::Partly),
                (Err(Broken::Closed), Some(error)) => Err(Broken::Io(error)),
                (Err(broken), _) => Err(broken),
            })
        })
        .await
    }

    fn poll_answer(
        &mut self,
        reader: &mut Reader,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Broken>> {
        loop {
            let mut space = [MaybeUninit::uninit(); READ_BYTES];
            let mut bytes = ReadBuf::uninit(&mut space);
            ready!(self.stream.io().poll_read(cx, &mut bytes)).map_err(Broken::Io)?;
            let is_closed = bytes.filled().is_empty();
            let fed = match is_closed {
                true => reader.closed(),
                false => reader.feed(bytes.filled()),
            };
            match fed {
                Fed::Done => return Poll::Ready(Ok(())),
                Fed::Unreadable(why) => return Poll::Ready(Err(Broken::Unreadable(why))),
                Fed::More if is_closed => return Poll::Ready(Err(Broken::Closed)),
                Fed::More => {}
            }
        }
    }
}

/// How much of a request had left when its answer was there.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sent {
    Whole,
    Partly,
}

/// A request on its way out.
struct Outgoing<'a> {
    head: &'a [u8],
    body: &'a [u8],
    is_sent: bool,
    /// Why it cannot be sent. The answer may be there nevertheless.
    error: Option<io::Error>,
}

impl<'a> Outgoing<'a> {
    fn new(head: &'a [u8], body: &'a [u8]) -> Self {
        Self {
            head,
            body,
            is_sent: false,
            error: None,
        }
    }

    fn go_on(&mut self, mut stream: Pin<&mut dyn Duplex>, cx: &mut Context<'_>) {
        if self.is_sent || self.error.is_some() {
            return;
        }
        match self.poll_send(&mut stream, cx) {
            Poll::Ready(Ok(())) => self.is_sent = true,
            Poll::Ready(Err(error)) => self.error = Some(error),
            Poll::Pending => {}
        }
    }

    fn poll_send(
        &mut self,
        stream: &mut Pin<&mut dyn Duplex>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while !(self.head.is_empty() && self.body.is_empty()) {
            let parts = [IoSlice::new(self.head), IoSlice::new(self.body)];
            let parts = match self.head.is_empty() {
                true => &parts[1..],
                false => &parts,
            };
            let sent = ready!(stream.as_mut().poll_write_vectored(cx, parts))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            let of_head = sent.min(self.head.len());
            self.head.advance(of_head);
            self.body.advance(sent - of_head);
        }
        stream.as_mut().poll_flush(cx)
    }
}

/// Both directions.
trait Duplex: AsyncRead + AsyncWrite + Unpin {}
impl<S: AsyncRead + AsyncWrite + Unpin> Duplex for S {}

impl Stream {
    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream.get_ref().0,
        }
    }

    fn io(&mut self) -> Pin<&mut dyn Duplex> {
        match self {
            Self::Plain(stream) => Pin::new(stream),
            Self::Tls(stream) => Pin::new(stream.as_mut()),
        }
    }
}
