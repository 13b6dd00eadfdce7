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
async fn a_good_status_with_a_body_that_stalls_is_a_timeout() {
    let receiver =
        receiver_that_stalls_after("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf").await;
    // Long enough for the status to arrive on a busy machine.
    let failure = failing(&local_post(), &receiver.url(), 10 * SHORT).await;
    assert_eq!(failure.kind, FailureKind::Timeout);
    assert!(failure.detail.contains("200"), "{}", failure.detail);
}

#[tokio::test]
async fn a_connection_that_breaks_is_a_reset() {
    for start in [
        "",
        "HTTP/1.1 2",
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ] {
        let receiver = receiver_that_leaves_after(start).await;
        let kind = kind_of_failure(&local_post(), &receiver.url(), AMPLE).await;
        assert_eq!(kind, FailureKind::Reset, "{start:?}");
    }
}

#[tokio::test]
async fn a_connection_that_is_reset_is_a_reset() {
    for start in ["", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"] {
        let receiver = Receiver::handling(move |mut stream| async move {
            read_request(&mut stream).await;
            stream.write_all(start.as_bytes()).await.unwrap();
            stream.set_zero_linger().unwrap(); // closing now sends RST
        })
        .await;
        let kind = kind_of_failure(&local_post(), &receiver.url(), AMPLE).await;
        assert_eq!(kind, FailureKind::Reset, "{start:?}");
    }
}

#[tokio::test]
async fn what_is_not_http_is_a_protocol_failure() {
    for garbage in [
        "SSH-2.0-OpenSSH_9.6\r\n",
        "\0\0\0\0\0\0\0\0\r\n\r\n",
        "HTTP/1.1 banana OK\r\n\r\n",
        "HTTP/1.1 99999 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nbanana\r\n",
    ] {
        let receiver = receiver_that_stalls_after(garbage).await;
        let kind = kind_of_failure(&local_post(), &receiver.url(), AMPLE).await;
        assert_eq!(kind, FailureKind::Protocol, "{garbage:?}");
    }
}

#[tokio::test]
async fn endless_headers_are_a_protocol_failure() {
    for (start, part) in [
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
async fn endless_promises_of_an_answer_are_a_timeout() {
    let receiver = receiver_that_repeats("", "HTTP/1.1 100 Continue\r\n\r\n").await;
    let kind = kind_of_failure(&local_post(), &receiver.url(), SHORT).await;
    assert_eq!(kind, FailureKind::Timeout);
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
    let NoAnswer::Failed(failure) = local_post().post(request).await.unwrap_err() else {
        panic!("a shortage of ours");
    };
    assert_eq!(failure.kind, FailureKind::Protocol);
    assert!(failure.detail.contains("webhook-id"), "{}", failure.detail);
    assert!(!failure.detail.contains(SECRET), "{}", failure.detail);
    assert_eq!(receiver.accepts(), 0);
}
