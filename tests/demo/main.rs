//! The demo as a process: what a stranger runs first.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

fn demo(minute: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hooklane"));
    command
        .args(["demo", "--minute", minute])
        // Nothing of the machine's own configuration matters to it.
        .env("HOOKLANE_CONFIG", "/nowhere/hooklane.toml")
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        .env("http_proxy", "http://127.0.0.1:1")
        .env_remove("HOOKLANE_LOG")
        .stdin(Stdio::null());
    command
}

/// The number at the start of the line that ends in `what`.
fn figure(text: &str, what: &str) -> usize {
    let line = text.lines().find_map(|line| {
        let (figure, rest) = line.trim_start().split_once(' ')?;
        rest.starts_with(what).then_some(figure)
    });
    let line = line.unwrap_or_else(|| panic!("no {what} in:\n{text}"));
    line.parse().expect("a number")
}

#[test]
fn the_demo_proves_its_claims_and_shows_its_dead_letters() {
    let output = demo("2s").output().expect("the demo runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{errors}");
    assert_eq!(errors, "", "nothing is logged");

    let (sent, accepted) = (figure(&text, "events sent"), figure(&text, "accepted"));
    let dead_letters = figure(&text, "dead letters");
    assert!(sent >= 200 && sent == accepted + dead_letters, "{text}");
    for claim in ["order kept", "nothing missing", "waits kept", "all signed"] {
        assert!(
            text.contains(&format!("  ok   {claim}")),
            "{claim}:\n{text}"
        );
    }
    let exhausted = text.lines().filter(|line| line.contains("exhausted"));
    for line in exhausted.clone() {
        assert_eq!(line.matches(" 500").count(), 4, "{line}");
        let waits = line.split('+').skip(1);
        let seconds = waits.filter_map(|wait| wait.split('.').next()?.parse::<u32>().ok());
        assert!(seconds.max() >= Some(2), "{line}");
    }
    assert_eq!(exhausted.count(), dead_letters - 1);
    assert!(
        text.contains("invalid-event  never POSTed: not valid JSON"),
        "{text}"
    );
}

#[test]
fn output_that_is_no_terminal_is_a_few_plain_lines() {
    let output = demo("1s").output().expect("the demo runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(!text.contains(['\x1b', '\r']), "{text:?}");
    assert!(text.lines().count() < 50, "{text}");
    assert!(
        text.lines().all(|line| line.chars().count() <= 100),
        "{text}"
    );
}

#[test]
fn a_minute_that_no_queue_can_wait_is_a_usage_error() {
    let output = demo("13d").output().expect("the demo runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{errors}");
    assert!(errors.starts_with("hooklane: --minute: "), "{errors}");
}

#[test]
fn ctrl_c_ends_it_cleanly_and_proves_nothing() {
    let mut running = Running::start(demo("1h"));
    running.until("waiting for attempt 3");
    running.interrupt();
    let (status, rest) = running.end();
    assert_eq!(status.code(), Some(1), "{rest}");
    assert!(rest.contains("Stopped after"), "{rest}");
    assert!(!rest.contains("order kept"), "{rest}");
}

/// A demo that runs; killed if the test fails.
struct Running {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Running {
    fn start(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .expect("the demo starts");
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        Self { child, stdout }
    }

    fn until(&mut self, word: &str) {
        let mut line = String::new();
        while !line.contains(word) {
            line.clear();
            let read = self.stdout.read_line(&mut line).expect("a line");
            assert!(read > 0, "the demo ended before it said {word:?}");
        }
    }

    fn interrupt(&self) {
        // The shell's own `kill`: not every machine has the program.
        let kill = format!("kill -INT {}", self.child.id());
        let sent = Command::new("sh").args(["-c", &kill]).status();
        assert!(sent.expect("a shell").success());
    }

    fn end(&mut self) -> (ExitStatus, String) {
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).expect("UTF-8");
        (self.child.wait().expect("it ends"), rest)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
