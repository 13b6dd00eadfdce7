//! Between the workers and SQS: counts the calls, and answers 503 for a while.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::http::{Message, gone};
use crate::journal::{Began, Span, Windows};
use crate::receiver::in_a_thread;

pub(crate) struct Proxy {
    /// `http://ADDRESS`.
    pub(crate) url: String,
    line: Arc<Line>,
}

struct Line {
    began: Began,
    target: SocketAddr,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    is_down: bool,
    down: Windows,
    calls: BTreeMap<String, usize>,
    deleted: usize,
}

impl Proxy {
    pub(crate) fn start(began: Began, target: SocketAddr) -> Self {
        let line = Arc::new(Line {
            began,
            target,
            state: Mutex::default(),
        });
        let (sender, address) = channel();
        let carrying = line.clone();
        in_a_thread(async move {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            let _ = sender.send(listener.local_addr()?);
            loop {
                let (client, _) = listener.accept().await?;
                let _ = client.set_nodelay(true);
                let line = carrying.clone();
                // A connection may break off: workers are killed here.
                tokio::spawn(async move { line.carry(client).await });
            }
        });
        let address = address.recv().expect("a port");
        Self {
            url: format!("http://{address}"),
            line,
        }
    }

    /// From now on every call is answered 503 and does nothing, or goes through again.
    pub(crate) fn set_up(&self, up: bool) {
        let at = self.line.began.elapsed();
        let mut state = self.line.state();
        state.is_down = !up;
        if up {
            state.down.close(at);
        } else {
            state.down.open(at);
        }
    }

    /// When calls were answered 503.
    pub(crate) fn down(&self) -> Vec<Span> {
        self.line.state().down.taken()
    }

    /// The calls so far, by action.
    pub(crate) fn calls(&self) -> BTreeMap<String, usize> {
        self.line.state().calls.clone()
    }

    /// How many messages were asked to be deleted.
    pub(crate) fn deleted(&self) -> usize {
        self.line.state().deleted
    }
}

impl Line {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn carry(&self, client: TcpStream) -> io::Result<()> {
        let mut client = BufReader::new(client);
        let server = TcpStream::connect(self.target).await?;
        server.set_nodelay(true)?;
        let mut server = BufReader::new(server);
        while let Some(call) = Message::read(&mut client).await? {
            let answer = if self.is_refused(&call) {
                Message::answer(503, "{}")
            } else {
                server.get_mut().write_all(&call.bytes()).await?;
                tokio::select! {
                    answer = Message::read(&mut server) => match answer? {
                        Some(answer) => answer,
                        None => return Ok(()),
                    },
                    // A worker that was killed waits no longer; nor does SQS for it.
                    () = gone(&mut client) => return Ok(()),
                }
            };
            client.get_mut().write_all(&answer.bytes()).await?;
        }
        Ok(())
    }

    fn is_refused(&self, call: &Message) -> bool {
        let action = call.header("x-amz-target").rsplit('.').next();
        let mut state = self.state();
        *state
            .calls
            .entry(action.unwrap_or_default().to_owned())
            .or_default() += 1;
        if action == Some("DeleteMessageBatch") {
            let body: serde_json::Value = serde_json::from_slice(&call.body).unwrap_or_default();
            state.deleted += body["Entries"].as_array().map_or(0, Vec::len);
        }
        state.is_down
    }
}
