//! Connections that carry several requests, and receivers that close them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::receiver::{ok, read_request};
use super::*;

/// What a receiver does with a request.
#[derive(Clone, Copy)]
enum Does {
    Answer,
    Close,
    Reset,
    /// Says this much and closes.
    Say(&'static str),
    /// Says this much and no more.
    SayAndStall(&'static str),
    Stall,
}

/// A receiver that treats the requests of each connection as told; `later` holds for all connections but the first.
struct Scripted {
    receiver: Receiver,
    requests: Arc<AtomicUsize>,
}

impl Scripted {
    async fn new(first: &'static [Does], later: &'static [Does]) -> Self {
        let requests = Arc::new(AtomicUsize::new(0));
        let (seen, connections) = (requests.clone(), AtomicUsize::new(0));
        let receiver = Receiver::handling(move |stream| {
            let is_first = connections.fetch_add(1, Ordering::SeqCst) == 0;
            play(stream, if is_first { first } else { later }, seen.clone())
        })
        .await;
        Self { receiver, requests }
    }

    /// Connections and requests so far.
    fn seen(&self) -> (usize, usize) {
        let requests = self.requests.load(Ordering::SeqCst);
        (self.receiver.accepts(), requests)
    }
}

async fn play(mut stream: TcpStream, script: &[Does], requests: Arc<AtomicUsize>) {
    for does in script {
        if read_request(&mut stream).await.is_none() {
            return;
        }
        requests.fetch_add(1, Ordering::SeqCst);
        match does {
            Does::Answer => stream.write_all(&ok(b"thanks")).await.unwrap(),
            Does::Close => return,
            Does::Reset => return stream.set_zero_linger().unwrap(),
            Does::Say(text) => return stream.write_all(text.as_bytes()).await.unwrap(),
            Does::SayAndStall(text) => {
                stream.write_all(text.as_bytes()).await.unwrap();
                std::future::pending::<()>().await;
            }
            Does::Stall => std::future::pending().await,
        }
    }
}

#[tokio::test]
async fn a_request_lost_with_a_reused_connection_goes_out_again_and_is_one_attempt() {
    for script in [
        &[Does::Answer, Does::Close][..],
        &[Does::Answer, Does::Reset],
        &[Does::Answer, Does::Answer, Does::Close],
    ] {
        let scripted = Scripted::new(script, script).await;
        let post = local_post();
        for _ in 0..20 {
            let answer = answer(&post, &scripted.receiver.url()).await;
            assert_eq!((answer.status, answer.excerpt.as_str()), (200, "thanks"));
        }
    }
}

/// What Apache and HAProxy say to an idle connection before they close it.
const FAREWELL: &str =
    "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: keep, Close\r\n\r\n";

#[tokio::test]
async fn a_reused_connection_that_is_closed_with_a_408_is_no_attempt() {
    let script = &[Does::Answer, Does::Say(FAREWELL)];
    let scripted = Scripted::new(script, script).await;
    let post = local_post();
    for _ in 0..10 {
        assert_eq!(answer(&post, &scripted.receiver.url()).await.status, 200);
    }
    assert_eq!(scripted.seen(), (10, 19));
}

#[tokio::test]
async fn a_408_is_an_answer_on_a_new_connection_and_where_the_connection_stays() {
    const TOO_SLOW: &str = "HTTP/1.1 408 Too Slow\r\nContent-Length: 0\r\n\r\n";
    const STAYS: &[Does] = &[Does::Answer, Does::Say(TOO_SLOW)];
    const TWICE: &[Does] = &[Does::Answer, Does::Say(FAREWELL)];
    for (first, later) in [
        (&TWICE[1..], &TWICE[..1]),
        (STAYS, &STAYS[..1]),
        (TWICE, &TWICE[1..]),
    ] {
        let scripted = Scripted::new(first, later).await;
        let post = local_post();
        let url = scripted.receiver.url();
        if first.len() > 1 {
            answer(&post, &url).await;
        }
        assert_eq!(answer(&post, &url).await.status, 408);
    }
}

#[tokio::test]
async fn nothing_goes_out_again_after_a_408_that_ran_out_of_time() {
    const HALF: &str =
        "HTTP/1.1 408 Request Timeout\r\nContent-Length: 9\r\nConnection: close\r\n\r\nhalf";
    let scripted = Scripted::new(&[Does::Answer, Does::SayAndStall(HALF)], &[Does::Answer]).await;
    let post = local_post();
    let url = scripted.receiver.url();
    answer(&post, &url).await;
    let late = post.post(request(&url, PATIENT)).await.unwrap();
    assert_eq!(late.status, 408);
    assert_eq!(scripted.seen(), (1, 2));
}

#[tokio::test]
async fn it_goes_out_again_once_and_on_a_new_connection() {
    let scripted = Scripted::new(&[Does::Answer, Does::Close], &[Does::Close]).await;
    let post = local_post();
    let url = scripted.receiver.url();
    answer(&post, &url).await;
    let failure = failing(&post, &url, AMPLE).await;
    assert_eq!(failure.kind, FailureKind::Reset);
    assert!(failure.detail.contains("sent again"), "{}", failure.detail);
    assert_eq!(scripted.seen(), (2, 3));
}

#[tokio::test]
async fn a_new_connection_that_ends_unanswered_is_a_failure() {
    let scripted = Scripted::new(&[Does::Close], &[Does::Answer]).await;
    let failure = failing(&local_post(), &scripted.receiver.url(), AMPLE).await;
    assert_eq!(failure.kind, FailureKind::Reset);
    assert!(!failure.detail.contains("reused"), "{}", failure.detail);
    assert_eq!(scripted.seen(), (1, 1));
}

#[tokio::test]
async fn nothing_goes_out_again_after_a_byte_of_an_answer() {
    for said in ["H", "\r\n", "HTTP/1.1 100 Continue\r\n\r\n", "rubbish"] {
        let script: &'static [Does] = vec![Does::Answer, Does::Say(said)].leak();
        let scripted = Scripted::new(script, &[Does::Answer]).await;
        let post = local_post();
        let url = scripted.receiver.url();
        answer(&post, &url).await;
        let failure = failing(&post, &url, AMPLE).await;
        let says_so = failure.detail.contains("on a reused connection");
        assert!(says_so, "{}", failure.detail);
        assert_eq!(scripted.seen(), (1, 2), "{said:?}");
    }
}

#[tokio::test]
async fn a_second_time_that_is_too_short_says_how_long_it_was() {
    let scripted = Scripted::new(&[Does::Answer, Does::Close], &[Does::Stall]).await;
    let post = local_post();
    let url = scripted.receiver.url();
    answer(&post, &url).await;
    let failure = failing(&post, &url, PATIENT).await;
    assert_eq!(failure.kind, FailureKind::Timeout);
    let says_so = failure.detail.ends_with("s, what was left of 1.5s");
    assert!(says_so, "{}", failure.detail);
}

#[tokio::test]
async fn nothing_goes_out_again_after_a_timeout() {
    let scripted = Scripted::new(&[Does::Answer, Does::Stall], &[Does::Answer]).await;
    let post = local_post();
    let url = scripted.receiver.url();
    answer(&post, &url).await;
    let failure = failing(&post, &url, PATIENT).await;
    assert_eq!(failure.kind, FailureKind::Timeout);
    let says_so = failure.detail.contains("on a reused connection");
    assert!(says_so, "{}", failure.detail);
    assert_eq!(scripted.seen(), (1, 2));
}

#[tokio::test]
async fn an_attempt_after_a_failure_takes_a_new_connection() {
    let scripted = Scripted::new(&[Does::Answer; 9], &[Does::Answer; 9]).await;
    let post = local_post();
    let url = scripted.receiver.url();
    answer(&post, &url).await;
    let request = Request {
        new_connection: true,
        ..request(&url, AMPLE)
    };
    post.post(request).await.unwrap();
    assert_eq!(scripted.seen(), (2, 2));
}

#[tokio::test]
async fn without_reuse_every_request_has_its_own_connection_and_says_so() {
    let (receiver, seen) = Receiver::recording().await;
    let policy = EndpointPolicy {
        reuse_connections: false,
        ..local()
    };
    let post = HttpPost::new(policy).unwrap();
    for n in 1..=3 {
        answer(&post, &receiver.url()).await;
        assert_eq!(receiver.accepts(), n);
    }
    let seen = String::from_utf8(seen.lock().unwrap().clone()).unwrap();
    assert_eq!(seen.matches("\r\nConnection: close\r\n").count(), 3);
}

/// So much later.
async fn later(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

fn ok_with(line: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n{line}\r\n").into()
}

#[tokio::test]
async fn an_idle_connection_is_kept_for_as_long_as_both_sides_want() {
    for (line, idle_ms, connections) in [
        ("", 3_900, 1),
        ("", 4_000, 2),
        ("Keep-Alive: timeout=2\r\n", 900, 1),
        ("Keep-Alive: timeout=2\r\n", 1_000, 2),
        ("Keep-Alive: timeout=1\r\n", 500, 2),
    ] {
        let receiver = Receiver::answering(ok_with(line)).await;
        let post = local_post();
        tokio::time::pause();
        tokio::time::resume();
        answer(&post, &receiver.url()).await;
        // What passes by itself is not to count.
        later(Duration::from_millis(idle_ms)).await;
        answer(&post, &receiver.url()).await;
        let found = receiver.accepts();
        assert_eq!(found, connections, "{line:?} after {idle_ms} ms");
    }
}

#[tokio::test]
async fn a_connection_in_steady_use_is_replaced_after_some_minutes() {
    let receiver = Receiver::answering(ok_with("")).await;
    let post = local_post();
    for _ in 0..150 {
        answer(&post, &receiver.url()).await;
        later(Duration::from_secs(3)).await;
    }
    assert_eq!(receiver.accepts(), 2);
}

#[tokio::test]
async fn a_stray_answer_costs_its_connection_and_is_no_answer_to_the_next_request() {
    let (go_on, waits) = mpsc::channel(1);
    let waits = Arc::new(tokio::sync::Mutex::new(waits));
    let (said, mut hears) = mpsc::channel(1);
    let receiver = Receiver::handling(move |mut stream| {
        let (waits, said) = (waits.clone(), said.clone());
        async move {
            while let Some(request) = read_request(&mut stream).await {
                let status = if request.ends_with(b"refused") {
                    "400 No"
                } else {
                    "200 OK"
                };
                let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
                stream.write_all(answer.as_bytes()).await.unwrap();
                // Once more, when nobody asked.
                waits.lock().await.recv().await;
                stream.write_all(&ok_with("")).await.unwrap();
                said.send(()).await.unwrap();
            }
        }
    })
    .await;
    let post = local_post();
    for (body, status) in [(&b"good"[..], 200), (b"refused", 400), (b"good", 200)] {
        let request = Request {
            body: Bytes::from_static(body),
            ..request(&receiver.url(), AMPLE)
        };
        assert_eq!(post.post(request).await.unwrap().status, status);
        go_on.send(()).await.unwrap();
        hears.recv().await.unwrap();
    }
    assert_eq!(receiver.accepts(), 3);
}

#[tokio::test]
async fn an_answer_before_the_whole_request_is_an_answer_and_costs_its_connection() {
    let receiver = Receiver::handling(|mut stream| async move {
        stream.write_all(&ok(b"enough")).await.unwrap();
        read_request(&mut stream).await;
    })
    .await;
    let request = Request {
        body: vec![b'x'; 64 << 20].into(),
        ..request(&receiver.url(), AMPLE)
    };
    let answer = local_post().post(request).await.unwrap();
    assert_eq!(answer.excerpt, "enough");
}

/// A carrier that does as told, and notes what it was asked.
struct Told {
    carried: std::sync::Mutex<Vec<(Over, Instant)>>,
    was_reused: bool,
    ended_unanswered: bool,
}

impl Carrier for Told {
    async fn carry(&self, _: &Request, over: Over, deadline: Instant) -> Carried {
        self.carried.lock().unwrap().push((over, deadline));
        Carried {
            outcome: Err(failure(FailureKind::Reset, "closed").into()),
            was_reused: self.was_reused,
            ended_unanswered: self.ended_unanswered,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_second_time_has_what_is_left_of_the_first_ones_timeout() {
    for (was_reused, ended_unanswered, times) in [
        (true, true, 2),
        (true, false, 1),
        (false, true, 1),
        (false, false, 1),
    ] {
        let told = Told {
            carried: std::sync::Mutex::default(),
            was_reused,
            ended_unanswered,
        };
        let deadline = Instant::now() + AMPLE;
        let request = request("http://127.0.0.1/", AMPLE);
        failure_of(again::attempt(&told, &request).await);
        let expected = [
            (Over::AnyConnection, deadline),
            (Over::NewConnection, deadline),
        ];
        assert_eq!(*told.carried.lock().unwrap(), expected[..times]);
    }
}
