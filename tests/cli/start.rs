//! A worker whose queue cannot be opened yet: it waits, and says so.

use std::net::{SocketAddr, TcpListener};

use rig::program::{Home, Service, address, get};

/// A worker of this endpoint, and where it tells its state.
fn start(endpoint: SocketAddr) -> (Service, SocketAddr) {
    let mut home = Home::new();
    for (name, value) in [
        ("AWS_ENDPOINT_URL", format!("http://{endpoint}").as_str()),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "local"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
        ("HOOKLANE_QUEUE__URL", "http://sqs/1/events.fifo"),
        ("HOOKLANE_QUEUE__DEAD_LETTER_URL", "http://sqs/1/dead.fifo"),
        ("HOOKLANE_CALLBACK__PRODUCTION__URL", "https://127.0.0.1:9/"),
        ("HOOKLANE_WORKER__ADMIN_LISTEN", "127.0.0.1:0"),
    ] {
        home.set(name, value);
    }
    let mut worker = home.start(&["work"]);
    let line = worker.wait_for_log("state on http://");
    let (url, _) = line.rsplit_once(": /healthz").expect("an address");
    let state = address(url);
    (worker, state)
}

fn assert_waits(state: SocketAddr, why: &str) {
    let live = get(state, "/healthz");
    assert!(live.starts_with("HTTP/1.1 200 "), "{live}");
    let ready = get(state, "/readyz");
    assert!(ready.starts_with("HTTP/1.1 503 "), "{ready}");
    assert!(ready.contains(why), "{ready}");
    let metrics = get(state, "/metrics");
    assert!(metrics.contains("\nhooklane_ready 0\n"), "{metrics}");
}

#[test]
fn a_worker_whose_queue_does_not_answer_is_alive_and_not_ready_from_its_first_moment() {
    // Connections are taken by the system and never answered.
    let silent = TcpListener::bind("127.0.0.1:0").expect("bound");
    let (worker, state) = start(silent.local_addr().expect("bound"));
    assert_waits(state, "starting");
    assert_eq!(worker.stop().code, Some(0));
}

#[test]
fn a_worker_whose_queue_cannot_be_reached_says_why_it_is_not_ready() {
    let nobody = TcpListener::bind("127.0.0.1:0").expect("bound");
    let endpoint = nobody.local_addr().expect("bound");
    drop(nobody);
    let (mut worker, state) = start(endpoint);
    worker.wait_for_log("the queue cannot be opened");
    assert_waits(state, "starting: the queue cannot be opened: ");
    assert_eq!(worker.stop().code, Some(0));
}
