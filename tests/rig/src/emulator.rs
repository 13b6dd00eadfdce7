//! AWS on this machine for tests: ministack, as `scripts/ministack` runs it. One for all tests of a program; it
//! ends when the program does, however that ends, since it reads the program's end of a pipe.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

/// Longer than it takes to start, even on a machine that is busy: only a failing test waits so long.
const PATIENCE: Duration = Duration::from_secs(60);

struct Emulator {
    endpoint: String,
    /// Holds the pipe.
    _child: Child,
}

/// The URL of the emulator, which is started for the first who asks.
pub fn endpoint() -> &'static str {
    static EMULATOR: OnceLock<Emulator> = OnceLock::new();
    &EMULATOR.get_or_init(start).endpoint
}

fn start() -> Emulator {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut child = Command::new(root.join("scripts/ministack"))
        .args(["run", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("scripts/ministack starts: it needs Python 3.11 or later as python3");
    let stdout = child.stdout.take().expect("piped");
    let line = first_line(stdout);
    let endpoint = line.strip_prefix("AWS_ENDPOINT_URL=").expect(
        "ministack runs; if it is not installed: scripts/ministack install (make test does)",
    );
    await_answer(endpoint);
    Emulator {
        endpoint: endpoint.to_owned(),
        _child: child,
    }
}

/// The first line, or nothing; what comes after it is read and dropped.
fn first_line(stdout: impl Read + Send + 'static) -> String {
    let (send, receive) = channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            let _ = send.send(line);
        }
    });
    receive.recv_timeout(PATIENCE).unwrap_or_default()
}

/// It listens before it has started: the first answer comes when it has.
fn await_answer(endpoint: &str) {
    let address = endpoint.strip_prefix("http://").expect("an http URL");
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    let request = format!("GET /_ministack/health HTTP/1.0\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut status = String::new();
    let read = BufReader::new(stream).read_line(&mut status);
    assert!(read.is_ok() && status.contains(" 200"), "{status}");
}
