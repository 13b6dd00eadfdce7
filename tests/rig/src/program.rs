//! Runs the program: to its end, or as a service that is told to stop.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Longer than anything here takes, even on a machine that is busy: only a failing test waits so long.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A directory to run in, and the environment to run with. Nothing of the surroundings is passed on.
pub struct Home {
    directory: tempfile::TempDir,
    variables: Vec<(String, String)>,
}

/// What a run that ended left.
#[derive(Debug)]
pub struct Ended {
    /// The exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// What it printed on standard output.
    pub stdout: String,
    /// What it printed on standard error.
    pub stderr: String,
}

impl Default for Home {
    fn default() -> Self {
        Self::new()
    }
}

impl Home {
    /// A home without a configuration.
    pub fn new() -> Self {
        Self {
            directory: tempfile::tempdir().expect("a directory"),
            // No questions to a metadata service that is not there.
            variables: vec![("AWS_EC2_METADATA_DISABLED".to_owned(), "true".to_owned())],
        }
    }

    /// A home with a configuration file.
    pub fn with(configuration: &str) -> Self {
        let home = Self::new();
        home.write("hooklane.toml", configuration);
        home
    }

    /// Sets a variable of the environment.
    pub fn set(&mut self, name: &str, value: &str) -> &mut Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Where a file of the directory is.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file of the directory.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).expect("written");
    }

    /// Runs the program to its end.
    pub fn run(&self, arguments: &[&str]) -> Ended {
        self.run_with(arguments, b"")
    }

    /// Runs the program to its end, with this on standard input.
    pub fn run_with(&self, arguments: &[&str], stdin: &[u8]) -> Ended {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .spawn()
            .expect("started");
        let mut input = child.stdin.take().expect("piped");
        let given = stdin.to_vec();
        // It may end without reading.
        let writing = thread::spawn(move || drop(input.write_all(&given)));
        let ended = Service::of(child).wait();
        writing.join().expect("written");
        ended
    }

    /// Starts the program and leaves it running.
    pub fn start(&self, arguments: &[&str]) -> Service {
        Service::of(
            self.command(arguments)
                .stdin(Stdio::null())
                .spawn()
                .expect("started"),
        )
    }

    /// The program with these arguments, to be started by the caller; its outputs are piped.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command
            .args(arguments)
            .current_dir(self.directory.path())
            .env_clear()
            .env("HOME", self.directory.path())
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }
}

/// The program, running. Killed if a test forgets it.
pub struct Service {
    child: Child,
    stdout: Lines,
    stderr: Lines,
}

impl Service {
    /// A process that was started.
    pub fn of(mut child: Child) -> Self {
        // A test may have taken standard output for itself.
        let stdout = child.stdout.take().map_or_else(Lines::none, Lines::of);
        let stderr = child.stderr.take().map_or_else(Lines::none, Lines::of);
        Self {
            child,
            stdout,
            stderr,
        }
    }

    /// The next line on standard output.
    pub fn line(&mut self) -> String {
        match self.try_line() {
            Some(line) => line,
            None => panic!(
                "no line on standard output; on standard error: {}",
                self.stderr.rest()
            ),
        }
    }

    /// The next line on standard output, if one comes before it ends.
    pub fn try_line(&mut self) -> Option<String> {
        self.stdout.next()
    }

    /// Waits for a line on standard error that contains this.
    pub fn wait_for_log(&mut self, text: &str) -> String {
        let mut seen = String::new();
        while let Some(line) = self.stderr.next() {
            if line.contains(text) {
                return line;
            }
            seen += &line;
        }
        panic!("{text:?} was never logged: {seen}");
    }

    /// Sends a signal by its name: `TERM`, `INT`.
    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &id])
            .status()
            .expect("kill");
        assert!(sent.success(), "kill -{name} {id}");
    }

    /// Stops it with SIGTERM.
    pub fn stop(self) -> Ended {
        self.signal("TERM");
        self.wait()
    }

    /// Waits for its end.
    pub fn wait(mut self) -> Ended {
        let status = self.end();
        Ended {
            code: status.code(),
            stdout: self.stdout.rest(),
            stderr: self.stderr.rest(),
        }
    }

    fn end(&mut self) -> ExitStatus {
        // Both end when the program does.
        let deadline = Instant::now() + PATIENCE;
        self.stdout.drain(deadline);
        self.stderr.drain(deadline);
        if Instant::now() >= deadline {
            self.child.kill().expect("killed");
            panic!(
                "it did not end: {} {}",
                self.stdout.rest(),
                self.stderr.rest()
            );
        }
        self.child.wait().expect("ended")
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines of a stream, read by a thread so that waiting for one has a bound.
struct Lines {
    lines: Receiver<String>,
    kept: Vec<String>,
}

impl Lines {
    fn none() -> Self {
        Self::of(std::io::empty())
    }

    fn of(stream: impl Read + Send + 'static) -> Self {
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stream).lines() {
                let Ok(line) = line else { break };
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self {
            lines,
            kept: Vec::new(),
        }
    }

    fn next(&mut self) -> Option<String> {
        self.lines.recv_timeout(PATIENCE).ok()
    }

    fn drain(&mut self, deadline: Instant) {
        while let Ok(line) = self
            .lines
            .recv_timeout(deadline.saturating_duration_since(Instant::now()))
        {
            self.kept.push(line);
        }
    }

    fn rest(&mut self) -> String {
        self.kept.extend(self.lines.try_iter());
        self.kept.drain(..).map(|line| line + "\n").collect()
    }
}

/// A running `hooklane local-sqs`, and the variables that lead to it.
pub struct LocalSqs {
    /// The process.
    pub service: Service,
    /// Names and values, the endpoint first.
    pub variables: Vec<(String, String)>,
}

impl LocalSqs {
    /// Starts one on a port that the system chooses, with these arguments too.
    pub fn start(arguments: &[&str]) -> Self {
        let arguments = [&["local-sqs", "--listen", "127.0.0.1:0"], arguments].concat();
        let mut service = Home::new().start(&arguments);
        let lines = (0..5).map(|_| service.line()).collect::<Vec<_>>();
        let variables = lines.iter().map(|line| {
            let (name, value) = line.split_once('=').expect("NAME=value");
            (name.to_owned(), value.to_owned())
        });
        Self {
            variables: variables.collect(),
            service,
        }
    }

    /// A home whose commands come here, with a queue pair in its configuration.
    pub fn home(&self, name: &str) -> Home {
        let mut home = Home::new();
        for (variable, value) in &self.variables {
            home.set(variable, value);
        }
        let created = home.run(&["queues", "create", name]);
        assert_eq!(created.code, Some(0), "{created:?}");
        home.write("hooklane.toml", created.stdout);
        home
    }
}

/// Sends an HTTP request and returns the status of the answer. The length is that of the body unless the headers
/// say how it is sent.
pub fn post(address: SocketAddr, path: &str, headers: &[(&str, &str)], body: &[u8]) -> u16 {
    let mut request = format!("POST {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    for (name, value) in headers {
        request += &format!("{name}: {value}\r\n");
    }
    if !headers
        .iter()
        .any(|(name, _)| ["Content-Length", "Transfer-Encoding"].contains(name))
    {
        request += &format!("Content-Length: {}\r\n", body.len());
    }
    request += "\r\n";
    let mut stream = TcpStream::connect(address).expect("connected");
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    // The answer may come, and the connection break off, before the end of the body.
    let _ = stream.write_all(&[request.as_bytes(), body].concat());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3)?.parse().ok());
    status.unwrap_or_else(|| panic!("not an answer: {answer}"))
}

/// Asks for a page and returns the answer as it came, head and body.
pub fn get(address: SocketAddr, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    let mut stream = TcpStream::connect(address).expect("connected");
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    stream.write_all(request.as_bytes()).expect("asked");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    answer
}

/// The address in a line that ends in `http://ADDRESS`.
pub fn address(line: &str) -> SocketAddr {
    let (_, address) = line.rsplit_once("http://").expect("a URL");
    address.parse().expect("an address")
}

/// A port that something listens on until the listener is dropped.
pub fn taken_port() -> (std::net::TcpListener, u16) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
    let port = listener.local_addr().expect("bound").port();
    (listener, port)
}

/// Fails unless the run ended so, with one clear message (no debug format, no panic) that holds these.
pub fn assert_told(ended: &Ended, code: i32, said: &[&str]) {
    assert_eq!(ended.code, Some(code), "{ended:?}");
    for text in said {
        assert!(
            ended.stderr.contains(text),
            "{text:?} is not in {}",
            ended.stderr
        );
    }
    assert!(ended.stderr.contains("hooklane: "), "{}", ended.stderr);
    for text in [
        "panicked",
        "Some(",
        "Err(",
        "Os {",
        "Custom {",
        "Error {",
        "backtrace",
    ] {
        assert!(
            !ended.stderr.contains(text),
            "{text:?} is in {}",
            ended.stderr
        );
    }
}

/// The JSON documents on standard output, one a line.
pub fn documents(text: &str) -> Vec<serde_json::Value> {
    let documents = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")));
    documents.collect()
}

/// The program. Cargo builds it for the tests of its own package, and says where; others take what was built beside
/// them.
fn program() -> PathBuf {
    if let Some(built) = std::env::var_os("CARGO_BIN_EXE_hooklane") {
        return built.into();
    }
    let test = std::env::current_exe().expect("a program");
    // Tests are a directory below the programs.
    let mut beside = test.ancestors().map(|folder| folder.join("hooklane"));
    beside
        .find(|program| program.is_file())
        .expect("hooklane is built: make test does, or cargo build --package hooklane")
}

/// The directory of the repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
