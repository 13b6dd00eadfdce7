//! Receivers written by hand, byte by byte: what they do wrong no HTTP library would do.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub(super) struct Receiver {
    pub(super) address: SocketAddr,
    accepts: Arc<AtomicUsize>,
}

impl Receiver {
    /// Handles each connection with `handle`, for as long as the test's runtime lives.
    pub(super) async fn handling<F>(handle: impl Fn(TcpStream) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let accepts = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&accepts);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                counter.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(handle(stream));
            }
        });
        Self { address, accepts }
    }

    /// Answers every request with these bytes and keeps the connection open.
    pub(super) async fn answering(answer: impl Into<Vec<u8>>) -> Self {
        let answer = Arc::new(answer.into());
        Self::handling(move |stream| answer_all(stream, Arc::clone(&answer))).await
    }

    /// Answers every request with this status and body, and keeps the requests.
    pub(super) async fn recording() -> (Self, Arc<Mutex<Vec<u8>>>) {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&seen);
        let receiver = Self::handling(move |mut stream| {
            let record = Arc::clone(&record);
            async move {
                while let Some(request) = read_request(&mut stream).await {
                    record.lock().unwrap().extend_from_slice(&request);
                    let answer = ok(b"");
                    stream.write_all(&answer).await.unwrap();
                }
            }
        })
        .await;
        (receiver, seen)
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// Connections so far.
    pub(super) fn accepts(&self) -> usize {
        self.accepts.load(Ordering::SeqCst)
    }
}

/// A complete answer of status 200.
pub(super) fn ok(body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

pub(super) async fn answer_all(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    answer: Arc<Vec<u8>>,
) {
    while read_request(&mut stream).await.is_some() {
        if stream.write_all(&answer).await.is_err() || stream.flush().await.is_err() {
            return;
        }
    }
}

/// Reads one request, head and body; `None` at the end of the connection.
pub(super) async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Option<Vec<u8>> {
    let mut request = Vec::new();
    loop {
        if let Some(head) = find(&request, b"\r\n\r\n") {
            let length = content_length(&request[..head]);
            if request.len() >= head + 4 + length {
                return Some(request);
            }
        }
        if stream.read_buf(&mut request).await.ok()? == 0 {
            return None;
        }
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}

fn content_length(head: &[u8]) -> usize {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let (_, length) = head.split_once("content-length: ").unwrap();
    length.lines().next().unwrap().trim().parse().unwrap()
}
