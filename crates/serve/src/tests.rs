//! Real sockets; time is virtual and passes only while nothing else happens.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::*;

const HEAD: Duration = Duration::from_secs(10);
const STANDSTILL: Duration = Duration::from_secs(60);

/// The most bytes that the sockets between two ends hold, and more.
const LARGE: usize = 64 * 1024 * 1024;

/// Answers `/` at once, `/held` when there is a permit, `/large` with more than a client takes unasked.
async fn served(connections: usize) -> (SocketAddr, Arc<Semaphore>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let permits = Arc::new(Semaphore::new(0));
    let held = permits.clone();
    let hold = get(async move || {
        held.acquire().await.unwrap().forget();
        "held"
    });
    let routes = Router::new()
        .route("/", get(|| async { "here" }))
        .route("/held", hold)
        .route("/large", get(|| async { vec![b'x'; LARGE] }));
    let limits = Limits {
        connections,
        head: HEAD,
        standstill: STANDSTILL,
    };
    tokio::spawn(serve(listener, routes, limits, CancellationToken::new()));
    (address, permits)
}

async fn connect(address: SocketAddr, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    stream
}

async fn rest(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    // An end without a warning is an end too.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

async fn asked(address: SocketAddr) -> String {
    rest(connect(address, "GET / HTTP/1.0\r\n\r\n").await).await
}

#[tokio::test(start_paused = true)]
async fn a_connection_on_which_no_whole_head_comes_in_time_is_closed() {
    let (address, _) = served(2).await;
    for begun in ["", "GET / HTTP/1.1\r\nHost: a"] {
        let began = Instant::now();
        let answer = rest(connect(address, begun).await).await;
        assert!(!answer.contains("here"), "{answer:?}");
        let took = began.elapsed();
        assert!(took >= HEAD && took < 2 * HEAD, "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_that_drips_is_cut_off_although_something_comes_all_the_time() {
    let (address, _) = served(2).await;
    let began = Instant::now();
    let (reader, mut writer) = connect(address, "GET / HTTP/1.1\r\nX: ").await.into_split();
    let dripping = async {
        while writer.write_all(b"x").await.is_ok() {
            sleep(HEAD / 4).await;
        }
    };
    let mut reader = reader;
    let mut answer = Vec::new();
    tokio::select! {
        _ = reader.read_to_end(&mut answer) => {}
        () = dripping => {}
    }
    let took = began.elapsed();
    assert!(took >= HEAD && took < 2 * HEAD, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn the_next_head_on_a_connection_has_a_deadline_too() {
    let (address, _) = served(2).await;
    let began = Instant::now();
    let answer = rest(connect(address, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").await).await;
    assert!(answer.ends_with("here"), "{answer}");
    let took = began.elapsed();
    assert!(took >= HEAD && took < 2 * HEAD, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn connections_without_a_request_keep_nobody_waiting_however_many_there_are() {
    let (address, _) = served(4).await;
    let began = Instant::now();
    let mut others = Vec::new();
    for n in 0..40 {
        let begun = if n % 2 == 0 {
            ""
        } else {
            "GET / HTTP/1.1\r\nX: "
        };
        others.push(connect(address, begun).await);
    }
    assert!(asked(address).await.ends_with("here"));
    assert!(began.elapsed() < HEAD / 2, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn what_is_being_answered_is_not_cut_off_for_a_newcomer() {
    let (address, permits) = served(2).await;
    let held = ["GET /held HTTP/1.1\r\nHost: a\r\n\r\n"; 2].map(|text| {
        let answered = async move { rest(connect(address, text).await).await };
        tokio::spawn(answered)
    });
    sleep(Duration::from_secs(1)).await;
    let newcomer = tokio::spawn(asked(address));
    sleep(Duration::from_secs(1)).await;
    assert!(!newcomer.is_finished(), "all seats are taken");
    let began = Instant::now();
    permits.add_permits(2);
    assert!(newcomer.await.unwrap().ends_with("here"));
    for held in held {
        assert!(held.await.unwrap().ends_with("held"));
    }
    // Nobody keeps a seat for later while others wait for one.
    assert!(began.elapsed() < HEAD / 2, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_kept_for_the_next_request_while_there_is_room() {
    let (address, _) = served(2).await;
    let mut stream = connect(address, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let mut answer = vec![0; 1024];
    let length = stream.read(&mut answer).await.unwrap();
    assert!(answer[..length].ends_with(b"here"));
    let again = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    stream.write_all(again).await.unwrap();
    assert!(rest(stream).await.ends_with("here"));
}

#[tokio::test(start_paused = true)]
async fn who_does_not_take_an_answer_is_closed() {
    let (address, _) = served(2).await;
    let stream = connect(address, "GET /large HTTP/1.1\r\nHost: a\r\n\r\n").await;
    sleep(2 * STANDSTILL).await;
    assert!(rest(stream).await.len() < LARGE);
}
