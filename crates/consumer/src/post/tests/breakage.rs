//! Receivers that are not there, or are there and do not behave.

use std::sync::Arc;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use super::receiver::read_request;
use super::*;

/// A receiver that reads the request, says this much, and then neither speaks nor hangs up.
async fn receiver_that_stalls_after(start: &'static str) -> Receiver {
    Receiver::handling(move |mut stream| async move {
        read_request(&mut stream).await;
        stream.write_all(start.as_bytes()).await.unwrap();
        read_request(&mut stream).await;
    })
    .await
}

/// A receiver that reads the request, says this much, and hangs up.
async fn receiver_that_leaves_after(start: &'static str) -> Receiver {
    Receiver::handling(move |mut stream| async move {
        read_request(&mut stream).await;
        stream.write_all(start.as_bytes()).await.unwrap();
    })
    .await
}

/// A receiver that says this over and over.
async fn receiver_that_repeats(start: &'static str, part: &'static str) -> Receiver {
    let part = Arc::new(part.repeat(100));
    Receiver::handling(move |mut stream| {
        let part = Arc::clone(&part);
        async move {
            read_request(&mut stream).await;
            stream.write_all(start.as_bytes()).await.unwrap();
            while stream.write_all(part.as_bytes()).await.is_ok() {}
        }
    })
    .await
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_a_dns_failure() {
    let kind = kind_of_failure(&local_post(), "http://hooks.invalid/", AMPLE).await;
    assert_eq!(kind, FailureKind::Dns);
}

#[tokio::test]
async fn a_refused_connection_is_a_connect_failure() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let kind = kind_of_failure(&local_post(), &format!("http://{address}/"), AMPLE).await;
    assert_eq!(kind, FailureKind::Connect);
}

#[tokio::test]
async fn silence_is_a_timeout() {
    for start in [
        "",
        "HTTP/1.1 2",
        "HTTP/1.1 200 OK\r\nX-Half: ",
        "HTTP/1.1 100 Continue\r\n\r\n",
    ] {
        let receiver = receiver_that_stalls_after(start).await;
        let kind = kind_of_failure(&local_post(), &receiver.url(), SHORT).await;
        assert_eq!(kind, FailureKind::Timeout, "{start:?}");
    }
}

#[tokio::test]
async fn a_failure_says_how_far_it_came() {
    for (start, phase) in [
        ("", "waiting for the answer"),
        ("HTTP/1.1 2", "reading the answer: only \"HTTP/1.1 2\""),
        (
            "HTTP/1.1 200 OK\r\nX-Half: ",
            "reading the answer: status 200",
        ),
    ] {
        let receiver = receiver_that_stalls_after(start).await;
        let failure = failing(&local_post(), &receiver.url(), PATIENT).await;
        assert!(failure.detail.contains(phase), "{}", failure.detail);
    }
}

/// What spoils the body of an answer whose status has arrived.
const SPOILT: [(&str, &str); 4] = [
    ("Content-Length: 10\r\n\r\nhalf", "half"),
    ("Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", "half"),
    (
        "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nbanana\r\n",
        "half",
    ),
    ("Content-Length: -1\r\n\r\n", "-1"),
];

fn assert_is_status(answer: &Answer, status: u16, said: &str) {
    let Answer { excerpt, .. } = answer;
    assert_eq!(answer.status, status, "{excerpt}");
    let is_noted = excerpt.starts_with("[the body is not whole: ");
    assert!(is_noted && excerpt.contains(said), "{excerpt}");
}

#[tokio::test]
async fn a_status_that_arrived_whole_is_that_status_whatever_becomes_of_the_body() {
    for (rest, said) in SPOILT {
        for status in [200, 503] {
            let start = format!("HTTP/1.1 {status} X\r\n{rest}");
            let start: &'static str = start.leak();
            let leaves = receiver_that_leaves_after(start).await;
            assert_is_status(&answer(&local_post(), &leaves.url()).await, status, said);

            let stalls = receiver_that_stalls_after(start).await;
            let answer = local_post().post(request(&stalls.url(), PATIENT)).await;
            assert_is_status(&answer.unwrap(), status, said);
        }
    }
}

#[tokio::test]
async fn a_connection_that_breaks_is_a_reset() {
    for start in ["", "HTTP/1.1 2", "HTTP/1.1 200 OK\r\nX-Half: "] {
        let receiver = receiver_that_leaves_after(start).await;
        let kind = kind_of_failure(&local_post(), &receiver.url(), AMPLE).await;
        assert_eq!(kind, FailureKind::Reset, "{start:?}");
    }
}

#[tokio::test]
async fn a_connection_that_is_reset_is_a_reset() {
    let receiver = Receiver::handling(move |mut stream| async move {
        read_request(&mut stream).await;
        stream.set_zero_linger().unwrap(); // closing now sends RST
    })
    .await;
    let kind = kind_of_failure(&local_post(), &receiver.url(), AMPLE).await;
    assert_eq!(kind, FailureKind::Reset);
}

#[tokio::test]
async fn what_is_not_http_is_a_protocol_failure() {
    for garbage in [
        "SSH-2.0-OpenSSH_9.6\r\n",
        "\0\0\0\0\0\0\0\0\r\n\r\n",
        "HTTP/1.1 banana OK\r\n\r\n",
        "HTTP/1.1 99999 OK\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nsorry\r\n",
    ] {
        let receiver = receiver_that_stalls_after(garbage).await;
        let kind = kind_of_failure(&local_post(), &receiver.url(), AMPLE).await;
        assert_eq!(kind, FailureKind::Protocol, "{garbage:?}");
    }
}

#[tokio::test]
async fn an_endless_head_is_a_protocol_failure() {
    for (start, part) in [
        ("", "HTTP/1.1 100 Continue\r\n\r\n"),
        ("HTTP/1.1 200 OK\r\n", "X-Another: header\r\n"),
        ("HTTP/1.1 200 OK\r\nX-Long: ", "aaaaaaaaaaaaaaaa"),
        ("HTTP/1.1 200 ", "reasons and more reasons "),
    ] {
        let receiver = receiver_that_repeats(start, part).await;
        let kind = kind_of_failure(&local_post(), &receiver.url(), AMPLE).await;
        assert_eq!(kind, FailureKind::Protocol, "{part:?}");
    }
}

#[tokio::test]
async fn chunks_without_end_cost_their_connection_only() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (size, part) in [("2", " "), ("", "0"), ("2;", "x"), ("", "1;x=y\r\nz\r\n")] {
        let start: &'static str = format!("{head}{size}").leak();
        let receiver = receiver_that_repeats(start, part).await;
        let answer = answer(&local_post(), &receiver.url()).await;
        assert_is_status(&answer, 200, "chunk");
    }
}

#[tokio::test]
async fn a_header_that_cannot_be_sent_is_named_and_its_value_is_not() {
    let (receiver, _) = Receiver::recording().await;
    let request = Request {
        headers: vec![(
            "webhook-id".to_owned(),
            format!("{SECRET}\r\nX-Injected: 1"),
        )],
        ..request(&receiver.url(), AMPLE)
    };
    let failure = failure_of(local_post().post(request).await);
    assert_eq!(failure.kind, FailureKind::Protocol);
    assert!(failure.detail.contains("webhook-id"), "{}", failure.detail);
    assert!(!failure.detail.contains(SECRET), "{}", failure.detail);
    assert_eq!(receiver.accepts(), 0);
}
