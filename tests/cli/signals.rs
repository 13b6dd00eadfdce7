//! How it ends: signals, and readers that go away.

use std::io::Write;
use std::net::TcpStream;
use std::process::Stdio;

use rig::program::{Home, Service, address, post};

#[test]
fn a_service_that_is_told_to_stop_exits_with_0() {
    for signal in ["TERM", "INT"] {
        let mut service = Home::new().start(&["listen", "--port", "0"]);
        service.line();
        service.signal(signal);
        assert_eq!(service.wait().code, Some(0), "{signal}");
    }
}

#[test]
fn a_request_that_stalls_does_not_keep_it_from_stopping_and_a_second_interrupt_ends_it_at_once() {
    let mut service = Home::new().start(&["listen", "--port", "0"]);
    let to = address(&service.line());
    let mut stalled = TcpStream::connect(to).expect("connected");
    stalled
        .write_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")
        .expect("sent");
    // Served: the one before it has been taken up.
    post(to, "/", &[], b"{}");
    service.signal("INT");
    service.wait_for_log("stopping (Ctrl-C");
    service.signal("INT");
    let ended = service.wait();
    assert_eq!(ended.code, Some(130), "{ended:?}");
    assert!(
        ended.stderr.contains("interrupted twice"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let home = Home::new();
    let mut child = home
        .command(&["listen", "--port", "0", "--json"])
        .stdin(Stdio::null())
        .spawn()
        .expect("started");
    let mut stdout = std::io::BufReader::new(child.stdout.take().expect("piped"));
    let mut first = String::new();
    std::io::BufRead::read_line(&mut stdout, &mut first).expect("a line");
    drop(stdout);
    let service = Service::of(child);
    post(address(first.trim()), "/", &[], b"{}");
    let ended = service.wait();
    assert_eq!(
        (ended.code, ended.stderr.as_str()),
        (Some(0), ""),
        "{ended:?}"
    );
}

#[test]
fn a_log_that_nobody_reads_any_more_ends_nothing() {
    let home = Home::new();
    let mut child = home
        .command(&["listen", "--port", "0"])
        .stdin(Stdio::null())
        .spawn()
        .expect("started");
    drop(child.stderr.take());
    let mut service = Service::of(child);
    let to = address(&service.line());
    // Refused with a warning in the log.
    assert_eq!(post(to, "/", &[("Content-Length", "9999999")], b""), 413);
    assert_eq!(post(to, "/", &[], b"{}"), 200);
    assert_eq!(service.stop().code, Some(0));
}

#[test]
fn logs_are_json_if_asked_for() {
    let mut service = Home::new().start(&["--log-format", "json", "listen", "--port", "0"]);
    service.line();
    service.signal("TERM");
    let logged = service.wait_for_log("stopping");
    let logged: serde_json::Value = serde_json::from_str(&logged).expect("JSON");
    assert_eq!(
        (logged["level"].as_str(), logged["message"].as_str()),
        (Some("INFO"), Some("stopping (SIGTERM)"))
    );
}
