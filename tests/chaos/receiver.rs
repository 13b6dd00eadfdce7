//! The receiver: answers as the script says, writes down what it sees, and can be taken down and up again.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::history::{Ending, Request};
use crate::http::{Message, gone};
use crate::journal::{Began, Span, Windows};

/// What the receiver does with a request.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Answer {
    /// A status, after so long.
    Status(Duration, u16),
    /// None, ever.
    Nothing,
    /// The connection is reset.
    Reset,
    /// The connection is closed in the middle of an answer that accepts.
    Half,
}

type Script = dyn Fn(&str, usize) -> Answer + Send + Sync;

/// On a port of its own, which stays its own while it is down.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    desk: Arc<Desk>,
    up: watch::Sender<bool>,
}

struct Desk {
    began: Began,
    script: Box<Script>,
    seen: Mutex<Seen>,
    accepted: watch::Sender<usize>,
}

#[derive(Default)]
struct Seen {
    requests: Vec<Request>,
    /// Requests of each event.
    counts: HashMap<String, usize>,
    down: Windows,
}

impl Receiver {
    /// `script` gets the id of an event and how many requests for it came before.
    pub(crate) fn start(
        began: Began,
        script: impl Fn(&str, usize) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let desk = Arc::new(Desk {
            began,
            script: Box::new(script),
            seen: Mutex::default(),
            accepted: watch::Sender::new(0),
        });
        let (up, is_up) = watch::channel(true);
        let (sender, address) = channel();
        let serving = desk.clone();
        in_a_thread(async move {
            // Bound and never listening: nobody else gets the port while the receiver is down.
            let port = socket_on(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
            let address = port.local_addr()?;
            let mut listener = socket_on(address)?.listen(1_024)?;
            let _ = sender.send(address);
            let mut is_up = is_up;
            while accept(&serving, listener, &mut is_up).await? {
                listener = socket_on(address)?.listen(1_024)?;
                serving.seen().down.close(serving.began.elapsed());
            }
            Ok(())
        });
        Self {
            address: address.recv().expect("a port"),
            desk,
            up,
        }
    }

    /// Takes it down or up; it comes soon, and the windows say when.
    pub(crate) fn set_up(&self, up: bool) {
        self.up.send_replace(up);
    }

    /// Waits until so many requests were answered with success.
    pub(crate) fn wait_for_accepted(&self, count: usize, patience: Duration) {
        let mut accepted = self.desk.accepted.subscribe();
        let waited = runtime().block_on(async {
            tokio::time::timeout(patience, accepted.wait_for(|n| *n >= count))
                .await
                .is_ok()
        });
        let accepted = *self.desk.accepted.borrow();
        assert!(waited, "{accepted} of {count} accepted");
    }

    /// The requests so far in order of arrival, and when it was down.
    pub(crate) fn seen(&self) -> (Vec<Request>, Vec<Span>) {
        let seen = self.desk.seen();
        (seen.requests.clone(), seen.down.taken())
    }
}

/// Serves in a thread of its own, for as long as the tests run.
pub(crate) fn in_a_thread(serve: impl Future<Output = io::Result<()>> + Send + 'static) {
    thread::spawn(move || runtime().block_on(serve).expect("a socket of this machine"));
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

fn socket_on(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Serves until it is taken down; comes back when it is to be up again, with false if that will never be.
async fn accept(
    desk: &Arc<Desk>,
    listener: TcpListener,
    is_up: &mut watch::Receiver<bool>,
) -> io::Result<bool> {
    let cut = CancellationToken::new();
    loop {
        tokio::select! {
            down = is_up.wait_for(|up| !*up) => match down {
                Ok(_) => break,
                Err(_) => return Ok(false),
            },
            accepted = listener.accept() => {
                let (stream, _) = accepted?;
                let _ = stream.set_nodelay(true);
                let (desk, cut) = (desk.clone(), cut.clone());
                // A connection may break off: workers are killed here.
                tokio::spawn(async move { desk.serve(stream, cut).await });
            }
        }
    }
    desk.seen().down.open(desk.began.elapsed());
    cut.cancel();
    drop(listener);
    Ok(is_up.wait_for(|up| *up).await.is_ok())
}

impl Desk {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers the requests of one connection until it breaks.
    async fn serve(&self, stream: TcpStream, cut: CancellationToken) -> io::Result<()> {
        let mut connection = BufReader::new(stream);
        loop {
            let read = tokio::select! {
                read = Message::read(&mut connection) => read?,
                () = cut.cancelled() => return Ok(()),
            };
            let Some(message) = read else { return Ok(()) };
            let (place, answer) = self.arrived(&message);
            let mut end = End {
                desk: self,
                place: Some(place),
            };
            let went_on = tokio::select! {
                biased;
                () = cut.cancelled() => None,
                went_on = end.answer(answer, &mut connection) => went_on,
            };
            end.is(Ending::Broken);
            if went_on.is_none() {
                return Ok(());
            }
        }
    }

    /// Writes a request down; says where, and how it is to be answered.
    fn arrived(&self, message: &Message) -> (usize, Answer) {
        let id = message.header("webhook-id").to_owned();
        let path = message.start.split(' ').nth(1).unwrap_or_default();
        let life = path.rsplit('/').next().unwrap_or_default();
        let request = Request {
            webhook_id: id.clone(),
            group: message.header("x-hooklane-group").to_owned(),
            attempt: message.header("x-hooklane-attempt").parse().unwrap_or(0),
            life: life.parse().unwrap_or(usize::MAX),
            body: String::from_utf8_lossy(&message.body).into_owned(),
            arrived: self.began.elapsed(),
            ended: None,
        };
        let mut seen = self.seen();
        seen.requests.push(request);
        let place = seen.requests.len() - 1;
        let count = seen.counts.entry(id.clone()).or_default();
        let before = *count;
        *count += 1;
        (place, (self.script)(&id, before))
    }
}

/// The end of one request, written down once: before the answer goes out, so that nothing can follow from the answer
/// earlier than from what is written.
struct End<'a> {
    desk: &'a Desk,
    place: Option<usize>,
}

impl End<'_> {
    fn is(&mut self, ending: Ending) {
        let Some(place) = self.place.take() else {
            return;
        };
        let at = self.desk.began.elapsed();
        self.desk.seen().requests[place].ended = Some((at, ending));
        if ending.is_success() {
            self.desk.accepted.send_modify(|n| *n += 1);
        }
    }

    /// None if that was the last request of the connection.
    async fn answer(
        &mut self,
        answer: Answer,
        connection: &mut BufReader<TcpStream>,
    ) -> Option<()> {
        match answer {
            Answer::Status(after, status) => {
                tokio::select! {
                    () = gone(connection) => {
                        self.is(Ending::Gone);
                        return None;
                    }
                    () = sleep(after) => {}
                }
                self.is(Ending::Status(status));
                let answer = Message::answer(status, &format!("status {status}\n"));
                connection.get_mut().write_all(&answer.bytes()).await.ok()
            }
            Answer::Nothing => {
                gone(connection).await;
                self.is(Ending::Gone);
                None
            }
            Answer::Reset => {
                self.is(Ending::Broken);
                let _ = connection.get_ref().set_zero_linger();
                None
            }
            Answer::Half => {
                self.is(Ending::Broken);
                let half = b"HTTP/1.1 200 OK\r\nContent-Le";
                let _ = connection.get_mut().write_all(half).await;
                None
            }
        }
    }
}
