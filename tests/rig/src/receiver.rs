//! Receivers: the program's own `listen`, and one whose answers a test decides while it runs.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::program::{Home, Service, documents};
use crate::request::Request;

/// Longer than anything here takes: only a failing test waits so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running `hooklane listen --json`.
pub struct Listener {
    service: Service,
    /// `http://ADDRESS`.
    pub url: String,
}

impl Listener {
    /// Starts one on a port that the system chooses, with these arguments too.
    pub fn start(home: &Home, arguments: &[&str]) -> Self {
        let arguments = [&["listen", "--port", "0", "--json"], arguments].concat();
        let mut service = home.start(&arguments);
        let line = service.line();
        let url = line.strip_prefix("listening on ").expect("the first line");
        Self {
            url: url.to_owned(),
            service,
        }
    }

    /// Stops it and returns every request with the line that was printed of it, in the order received.
    pub fn stop_with_lines(self) -> Vec<(Request, Value)> {
        let ended = self.service.stop();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let lines = documents(&ended.stdout);
        lines
            .into_iter()
            .map(|line| (Request::listened(&line), line))
            .collect()
    }

    /// Stops it and returns every request, in the order received.
    pub fn stop(self) -> Vec<Request> {
        self.stop_with_lines()
            .into_iter()
            .map(|(request, _)| request)
            .collect()
    }
}

/// A receiver that asks the test how to answer.
pub struct Receiver {
    /// `http://ADDRESS`.
    pub url: String,
    desk: Arc<Desk>,
}

type Answer = dyn Fn(&Request, usize) -> u16 + Send + Sync;

struct Desk {
    requests: Mutex<Vec<Request>>,
    arrived: Condvar,
    answer: Box<Answer>,
}

impl Receiver {
    /// `answer` gets each request and how many came before it, and returns the status; it may take its time.
    pub fn start(answer: impl Fn(&Request, usize) -> u16 + Send + Sync + 'static) -> Self {
        let desk = Arc::new(Desk {
            requests: Mutex::default(),
            arrived: Condvar::new(),
            answer: Box::new(answer),
        });
        let serving = desk.clone();
        let address = accept(move |stream| serving.serve(&stream));
        Self {
            url: format!("http://{address}"),
            desk,
        }
    }

    /// Waits until so many requests have come.
    pub fn wait_for(&self, count: usize) {
        let few = |requests: &mut Vec<Request>| requests.len() < count;
        let waited = self
            .desk
            .arrived
            .wait_timeout_while(self.desk.requests(), PATIENCE, few);
        let (requests, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(
            !timeout.timed_out(),
            "{} requests of {count}",
            requests.len()
        );
    }

    /// The requests so far, in the order received.
    pub fn requests(&self) -> Vec<Request> {
        self.desk.requests().clone()
    }
}

impl Desk {
    fn requests(&self) -> MutexGuard<'_, Vec<Request>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers the requests of one connection until the other side closes it.
    fn serve(&self, mut stream: &TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream);
        while let Some(request) = read(&mut reader)? {
            let before = {
                let mut requests = self.requests();
                requests.push(request.clone());
                requests.len() - 1
            };
            self.arrived.notify_all();
            let status = (self.answer)(&request, before);
            write!(
                stream,
                "HTTP/1.1 {status} Status\r\nContent-Length: 0\r\n\r\n"
            )?;
        }
        Ok(())
    }
}

/// Reads a request that has a Content-Length; none at the end of the connection.
fn read(reader: &mut impl BufRead) -> std::io::Result<Option<Request>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut headers = std::collections::BTreeMap::new();
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let length = headers
        .get("content-length")
        .and_then(|length| length.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body)?;
    let at = queue::Clock::system().now();
    Ok(Some(Request { at, headers, body }))
}

/// Serves every connection in a thread of its own, for as long as the tests run.
pub fn accept(
    serve: impl Fn(TcpStream) -> std::io::Result<()> + Send + Sync + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let address = listener.local_addr().expect("bound");
    let serve = Arc::new(serve);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serve = serve.clone();
            // A connection may break off: workers are killed here.
            thread::spawn(move || serve(stream));
        }
    });
    address
}

/// Holds whoever wants to pass until it is opened.
#[derive(Default)]
pub struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    /// Returns when it is open.
    pub fn pass(&self) {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let _open = self
            .opened
            .wait_timeout_while(open, PATIENCE, |open| !*open);
    }

    /// Lets all pass, from now on.
    pub fn open(&self) {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.opened.notify_all();
    }
}
