//! Answers of every kind, and what is read of them.

use std::sync::Arc;

use tokio::io::AsyncWriteExt;
use tokio::sync::{mpsc, oneshot};

use super::receiver::{ok, read_request};
use super::*;

#[tokio::test]
async fn body_and_headers_arrive_as_they_were_given() {
    let (receiver, seen) = Receiver::recording().await;
    let body = b"{\"a\" : 1 }\n\xff\0";
    let request = Request {
        headers: [
            ("Content-Type", "application/json"),
            ("User-Agent", "Hooklane/0.1.0"),
            ("webhook-id", "m-1 é"),
            ("X-api-key", "abc"),
            ("X-Payload-Signature", "sha256=abc"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec(),
        body: Bytes::from_static(body),
        ..request(&receiver.url(), AMPLE)
    };
    local_post().post(request).await.unwrap();

    let seen = seen.lock().unwrap().clone();
    let head_length = seen.len() - body.len();
    assert_eq!(&seen[head_length..], body);
    let head = String::from_utf8(seen[..head_length].to_vec()).unwrap();
    let mut lines: Vec<&str> = head.trim_end().split("\r\n").collect();
    assert_eq!(
        lines.remove(0),
        format!("POST /hook?token={SECRET} HTTP/1.1")
    );
    lines.sort_unstable();
    let host = format!("Host: {}", receiver.address);
    let length = format!("Content-Length: {}", body.len());
    assert_eq!(
        lines,
        [
            "Accept: */*",
            &length,
            "Content-Type: application/json",
            &host,
            "User-Agent: Hooklane/0.1.0",
            "X-Payload-Signature: sha256=abc",
            "X-api-key: abc",
            "webhook-id: m-1 é",
        ]
    );
}

#[tokio::test]
async fn any_complete_answer_is_an_answer() {
    for status in [200, 201, 204, 301, 400, 404, 429, 500, 503, 599] {
        let receiver =
            Receiver::answering(format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n")).await;
        assert_eq!(
            answer(&local_post(), &receiver.url()).await,
            Answer {
                status,
                retry_after: None,
                excerpt: String::new()
            }
        );
    }
}

/// An answer of status 200 with this in its head, and a body of two bytes.
fn with(lines: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\n{lines}Content-Length: 2\r\n\r\nok").into()
}

#[tokio::test]
async fn an_answer_is_read_however_sloppy_it_is() {
    for bytes in [
        with(""),
        with("X-Powered-By : old\r\n"),
        with("PHP Warning: Unable to load module (x) in Unknown on line 0\r\n"),
        with("no colon at all\r\n"),
        with(": no name\r\n"),
        with("X-Zoë: 1\r\n"),
        with("X-Long: a\r\n b\r\n\tc\r\n"),
        with("Content-Length: 2\r\n"),
        with(&"X-Many: v\r\n".repeat(900)),
        with(&format!("X-Long: {}\r\n", "a".repeat(100_000))),
        [b"HTTP/1.1 200 Tr\xe8s bien\r\nX-Site: caf\xe9\r\n", &with("")[17..]].concat(),
        b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok".to_vec(),
        b"HTTP/1.1 200\r\nContent-Length:2\r\n\r\nok".to_vec(),
        b"\r\nHTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok".to_vec(),
        b"HTTP/1.0 200 OK\r\n\r\nok".to_vec(),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n".to_vec(),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 2\r\n\r\nok".to_vec(),
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n\r\nok".to_vec(),
    ] {
        let text = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned();
        let closes = Receiver::handling(move |mut stream| {
            let bytes = bytes.clone();
            async move {
                read_request(&mut stream).await;
                stream.write_all(&bytes).await.unwrap();
            }
        })
        .await;
        let answer = local_post().post(request(&closes.url(), AMPLE)).await;
        let found = answer.map(|answer| (answer.status, answer.excerpt));
        assert_eq!(found, Ok((200, "ok".to_owned())), "{text}");
    }
}

#[tokio::test]
async fn what_is_no_answer_is_quoted() {
    for (bytes, quoted) in [
        ("SSH-2.0-OpenSSH_9.6\r\n", "\"SSH-2.0-OpenSSH_9.6\""),
        ("ICY 200 OK\r\n\r\n", "\"ICY 200 OK\""),
        ("HTTP/1.1 banana OK\r\n\r\n", "banana"),
        ("HTTP/1.1 000 X\r\n\r\n", "000"),
        ("HTTP/2.0 200 OK\r\n\r\n", "HTTP/2.0 200 OK"),
        ("HTTP/1.1 100 Continue\r\n\r\nsorry\r\n", "\"sorry\""),
    ] {
        let receiver = Receiver::answering(bytes).await;
        let failure = failing(&local_post(), &receiver.url(), AMPLE).await;
        assert_eq!(failure.kind, FailureKind::Protocol, "{}", failure.detail);
        assert!(failure.detail.contains(quoted), "{}", failure.detail);
    }
}

#[tokio::test]
async fn an_answer_says_how_long_to_wait_and_why() {
    let receiver = Receiver::answering(
        "HTTP/1.1 503 Busy\r\nRetry-After: 120\r\nContent-Length: 17\r\n\r\nback\nin\x1b a minute",
    )
    .await;
    assert_eq!(
        answer(&local_post(), &receiver.url()).await,
        Answer {
            status: 503,
            retry_after: Some(Duration::from_secs(120)),
            excerpt: "back in\u{FFFD} a minute".to_owned()
        }
    );
}

#[tokio::test]
async fn an_excerpt_holds_512_characters_of_a_long_answer() {
    let receiver = Receiver::answering(ok("é".repeat(20_000).as_bytes())).await;
    let answer = answer(&local_post(), &receiver.url()).await;
    assert_eq!(answer.excerpt, "é".repeat(512));
}

#[tokio::test]
async fn a_secret_that_a_receiver_sends_back_is_not_kept() {
    for before in [0, 500, 511] {
        let body = format!("{}{SECRET} received", "x".repeat(before));
        let receiver = Receiver::answering(ok(body.as_bytes())).await;
        let excerpt = answer(&local_post(), &receiver.url()).await.excerpt;
        assert!(!excerpt.contains("hu"), "{excerpt}");
        assert!(excerpt.contains('*'), "{excerpt}");
    }
}

#[tokio::test]
async fn a_long_secret_is_not_kept_where_the_answer_is_cut() {
    let token = "0123456789abcdefghijklmnopqrstuvwxyz".repeat(20);
    for echoed in 1..8 {
        let body = format!("no {token}").repeat(echoed);
        let receiver = Receiver::answering(ok(body.as_bytes())).await;
        let mut request = request(&receiver.url(), AMPLE);
        request.url.set_query(Some(&format!("token={token}")));
        let excerpt = local_post().post(request).await.unwrap().excerpt;
        assert!(!excerpt.contains("0123"), "{excerpt}");
    }
}

#[tokio::test]
async fn a_secret_is_not_kept_where_a_quoted_line_is_cut() {
    for before in 50..80 {
        let before = "x".repeat(before);
        let receiver = Receiver::answering(format!("{before}{SECRET} is no such page\r\n")).await;
        let failure = failing(&local_post(), &receiver.url(), AMPLE).await;
        assert!(!failure.detail.contains("hunt"), "{}", failure.detail);
    }
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let (target, _) = Receiver::recording().await;
    for status in [301, 302, 303, 307, 308] {
        let receiver = Receiver::answering(format!(
            "HTTP/1.1 {status} Moved\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n",
            target.url()
        ))
        .await;
        let answer = answer(&local_post(), &receiver.url()).await;
        assert_eq!(answer.status, status);
    }
    assert_eq!(target.accepts(), 0);
}

/// A million zeros, as gzip makes them small: the start of it.
const GZIP_BOMB: &[u8] =
    b"\x1f\x8b\x08\0\0\0\0\0\x02\x03\xec\xc1\x01\x01\0\0\0\x80\x90\xfe\xaf\xee\x08\x0a";

#[tokio::test]
async fn what_is_compressed_stays_compressed() {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
        GZIP_BOMB.len()
    );
    let receiver = Receiver::answering([head.as_bytes(), GZIP_BOMB].concat()).await;
    let answer = answer(&local_post(), &receiver.url()).await;
    assert_eq!(answer.excerpt, delivery::clean_excerpt(GZIP_BOMB));
}

#[tokio::test]
async fn connections_are_reused() {
    let receiver = Receiver::answering(ok(b"thanks")).await;
    let post = local_post();
    for _ in 0..20 {
        answer(&post, &receiver.url()).await;
    }
    assert_eq!(receiver.accepts(), 1);
}

#[tokio::test]
async fn a_url_that_a_receiver_sends_back_is_not_kept_nor_shown() {
    let page = format!("Cannot POST /hook?token={SECRET}");
    let receiver = Receiver::answering(ok(page.as_bytes())).await;
    let excerpt = answer(&local_post(), &receiver.url()).await.excerpt;
    assert_eq!(excerpt, "Cannot POST /hook?token=***");

    let receiver = Receiver::answering(format!("{page}\r\n")).await;
    let failure = failing(&local_post(), &receiver.url(), AMPLE).await;
    assert!(failure.detail.contains("token=***"), "{}", failure.detail);
}

#[tokio::test]
async fn a_connection_that_the_receiver_has_closed_while_idle_costs_no_attempt() {
    let (closed, mut is_closed) = mpsc::channel(1);
    let receiver = Receiver::handling(move |mut stream| {
        let closed = closed.clone();
        async move {
            read_request(&mut stream).await;
            stream.write_all(&ok(b"thanks")).await.unwrap();
            drop(stream);
            closed.send(()).await.unwrap();
        }
    })
    .await;
    let post = local_post();
    for n in 1..=20 {
        assert_eq!(answer(&post, &receiver.url()).await.status, 200);
        is_closed.recv().await.unwrap();
        assert_eq!(receiver.accepts(), n);
    }
}

#[tokio::test]
async fn an_answer_too_long_to_read_costs_its_connection() {
    let receiver = Receiver::answering(ok(&vec![b'x'; 8 << 20])).await;
    let post = local_post();
    for n in 1..=3 {
        assert_eq!(answer(&post, &receiver.url()).await.status, 200);
        assert_eq!(receiver.accepts(), n);
    }
}

/// A receiver that sends the head of an answer and `bytes` of a body that never ends.
async fn receiver_that_stops_after(bytes: usize) -> Receiver {
    let start = Arc::new([b"HTTP/1.1 200 OK\r\n\r\n", &*vec![b'x'; bytes]].concat());
    Receiver::handling(move |mut stream| {
        let start = Arc::clone(&start);
        async move {
            read_request(&mut stream).await;
            stream.write_all(&start).await.unwrap();
            read_request(&mut stream).await; // until the other side has enough
        }
    })
    .await
}

#[tokio::test]
async fn exactly_64_kib_of_an_answer_are_read() {
    let enough = receiver_that_stops_after(64 * 1024).await;
    assert_eq!(answer(&local_post(), &enough.url()).await.status, 200);

    let short = receiver_that_stops_after(64 * 1024 - 1).await;
    let answer = local_post().post(request(&short.url(), PATIENT)).await;
    let excerpt = answer.unwrap().excerpt;
    assert!(excerpt.contains("not complete in time"), "{excerpt}");
}

#[tokio::test]
async fn an_endless_answer_is_cut_off() {
    let (report, written) = oneshot::channel();
    let report = std::sync::Mutex::new(Some(report));
    let receiver = Receiver::handling(move |mut stream| {
        let report = report.lock().unwrap().take().unwrap();
        async move {
            read_request(&mut stream).await;
            let mut written = 0;
            let mut part = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
            while stream.write_all(&part).await.is_ok() {
                written += part.len();
                part = vec![b'x'; 8 * 1024];
            }
            report.send(written).unwrap();
        }
    })
    .await;
    let post = local_post();
    assert_eq!(answer(&post, &receiver.url()).await.status, 200);
    // What was written beyond 64 KiB lay in the buffers of the two sockets.
    let written = written.await.unwrap();
    assert!(written < 32 << 20, "{written} bytes written");
}
