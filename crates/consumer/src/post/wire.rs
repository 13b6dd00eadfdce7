//! What hyper reads from and writes to: a connection's bytes, bounded, and remembered as far as a failure has to say
//! what came.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, ready};

use hyper::rt::ReadBufCursor;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// Read at once: little, so that no receiver keeps the worker's only thread for long, however much it sends. A poll
/// reads 128 times at most: tokio's budget for a task.
const READ_BYTES: usize = 8 * 1024;

/// The longest head, what comes before it (`100 Continue`, `103 Early Hints`) included.
pub(super) const HEAD_BYTES: usize = 256 * 1024;

/// The most bytes that a body may take: its chunks have sizes, extensions and trailers beside their data.
pub(super) const WIRE_BYTES: usize = 256 * 1024;

/// The bytes of an answer's start that are kept, for what is said of an answer that cannot be read.
const START_BYTES: usize = 16 * 1024;

/// A connection, with or without TLS.
#[derive(Debug)]
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// What came since a request went out.
#[derive(Debug, Default)]
pub(super) struct Heard {
    pub(super) bytes: usize,
    /// The first of them.
    pub(super) start: Vec<u8>,
    /// Whether the head has come, and how much had come by then.
    head: Option<usize>,
    /// How the connection ended, if it did.
    pub(super) end: Option<Ending>,
}

/// How a connection ended, before an answer did.
#[derive(Debug)]
pub(super) enum Ending {
    /// The receiver closed it.
    Closed,
    /// It broke.
    Broke(io::Error),
    /// More came than an answer may have.
    TooLong,
}

/// A connection's bytes, for hyper and for whoever keeps the connection. One of the two is at work at a time, so nobody
/// waits for the lock.
#[derive(Debug, Clone)]
pub(super) struct Wire(Arc<Mutex<Line>>);

#[derive(Debug)]
struct Line {
    stream: Stream,
    heard: Heard,
    /// The names of the present request's fields, in the letters they are to have.
    letters: Vec<String>,
    /// What hyper has written and the socket has not taken, up to one request.
    outgoing: Vec<u8>,
    sent: usize,
    /// Why nothing more can be sent. The answer may be there nevertheless: it is read first.
    unsent: Option<io::Error>,
}

impl Wire {
    pub(super) fn new(stream: Stream) -> Self {
        Self(Arc::new(Mutex::new(Line {
            stream,
            heard: Heard::default(),
            letters: Vec::new(),
            outgoing: Vec::new(),
            sent: 0,
            unsent: None,
        })))
    }

    /// A request with these fields goes out next.
    pub(super) fn begin(&self, letters: Vec<String>) {
        let mut line = self.line();
        line.heard = Heard::default();
        line.letters = letters;
    }

    /// The head of the answer has come.
    pub(super) fn head_came(&self) {
        let heard = &mut self.line().heard;
        heard.head = Some(heard.bytes);
    }

    /// What came, as far as it is known.
    pub(super) fn heard(&self) -> Heard {
        std::mem::take(&mut self.line().heard)
    }

    /// How the connection ended, if it did; told once.
    pub(super) fn ending(&self) -> Option<Ending> {
        self.line().heard.end.take()
    }

    /// Whether the whole request has left.
    pub(super) fn is_sent(&self) -> bool {
        let line = self.line();
        line.unsent.is_none() && line.outgoing.is_empty()
    }

    /// Does this with the socket.
    pub(super) fn with_socket<T>(&self, f: impl FnOnce(&TcpStream) -> T) -> T {
        match &self.line().stream {
            Stream::Plain(stream) => f(stream),
            Stream::Tls(stream) => f(stream.get_ref().0),
        }
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.0.lock().expect("no holder panics")
    }
}

impl Heard {
    /// Whether it may be as much as this. Past the bound nothing more is taken.
    fn is_within(&self) -> bool {
        match self.head {
            None => self.bytes <= HEAD_BYTES,
            Some(head) => self.bytes - head <= WIRE_BYTES,
        }
    }

    fn add(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len();
        let room = START_BYTES - self.start.len();
        self.start
            .extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

impl hyper::rt::Read for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut space: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut line = self.line();
        if !line.heard.is_within() {
            line.heard.end = Some(Ending::TooLong);
            return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
        }
        let mut bytes = [0; READ_BYTES];
        let room = space.remaining().min(READ_BYTES);
        let mut read = ReadBuf::new(&mut bytes[..room]);
        match ready!(line.stream.io().poll_read(cx, &mut read)) {
            Ok(()) if read.filled().is_empty() => {
                let ending = line.unsent.take().map_or(Ending::Closed, Ending::Broke);
                line.heard.end = Some(ending);
            }
            Ok(()) => {
                line.heard.add(read.filled());
                space.put_slice(read.filled());
            }
            Err(error) => {
                let kind = error.kind();
                line.heard.end = Some(Ending::Broke(error));
                return Poll::Ready(Err(kind.into()));
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl hyper::rt::Write for Wire {
    /// Takes all of it: hyper writes a request at once, head first.
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut line = self.line();
        ready!(line.poll_send(cx));
        line.take(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut line = self.line();
        ready!(line.poll_send(cx));
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.line().stream.io().poll_shutdown(cx)
    }
}

impl Line {
    /// Names mean the same in any letters, yet some receivers look for those of the documentation, and hyper has letters
    /// of its own.
    fn take(&mut self, bytes: &[u8]) {
        if self.unsent.is_some() {
            return;
        }
        self.outgoing.extend_from_slice(bytes);
        let letters = std::mem::take(&mut self.letters);
        if letters.is_empty() {
            return;
        }
        for line in self.outgoing.split_mut(|&byte| byte == b'\n').skip(1) {
            let Some(colon) = line.iter().position(|&byte| byte == b':') else {
                // The empty line after the head.
                return;
            };
            let name = &mut line[..colon];
            let wanted = letters
                .iter()
                .find(|letters| letters.as_bytes().eq_ignore_ascii_case(name));
            if let Some(wanted) = wanted {
                name.copy_from_slice(wanted.as_bytes());
            }
        }
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Self {
            stream,
            outgoing,
            sent,
            ..
        } = self;
        let failed = loop {
            match ready!(poll_rest(stream, &outgoing[*sent..], cx)) {
                Ok(0) => break None,
                Ok(more) => *sent += more,
                Err(error) => break Some(error),
            }
        };
        if failed.is_some() {
            self.unsent = failed;
        }
        self.outgoing.clear();
        self.sent = 0;
        Poll::Ready(())
    }
}

/// Sends some of it, or flushes if nothing is left to send.
fn poll_rest(stream: &mut Stream, left: &[u8], cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
    if left.is_empty() {
        return stream.io().poll_flush(cx).map_ok(|()| 0);
    }
    match ready!(stream.io().poll_write(cx, left)) {
        Ok(0) => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
        sent => Poll::Ready(sent),
    }
}

/// Both directions.
trait Duplex: AsyncRead + AsyncWrite + Unpin {}
impl<S: AsyncRead + AsyncWrite + Unpin> Duplex for S {}

impl Stream {
    fn io(&mut self) -> Pin<&mut dyn Duplex> {
        match self {
            Self::Plain(stream) => Pin::new(stream),
            Self::Tls(stream) => Pin::new(stream.as_mut()),
        }
    }
}
