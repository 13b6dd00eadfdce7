use proptest::prelude::*;

use super::*;

const IDLE: Duration = Duration::from_secs(4);

/// An answer of status 200 with this field.
fn with(name: &'static str, value: &str) -> Answered {
    let response = http::Response::builder().header(name, value);
    Answered::new(&response.body(()).unwrap().into_parts().0)
}

#[test]
fn a_receivers_own_limit_is_kept_with_room_to_spare() {
    for (said, expected_ms) in [
        ("timeout=1", Some(500)),
        ("timeout=2", Some(1000)),
        ("max=5, Timeout = \"3\"", Some(2000)),
        ("timeout=5; max=100", Some(4000)),
        ("timeout=75", Some(4000)),
        ("timeout=0", None),
        ("timeout=x", Some(4000)),
        ("max=100", Some(4000)),
    ] {
        let mut answered = with("Keep-Alive", said);
        answered.end();
        let expected = expected_ms.map(Duration::from_millis);
        assert_eq!(answered.keep_for(IDLE), expected, "{said}");
    }
}

#[test]
fn a_connection_is_kept_only_after_a_body_that_ended() {
    let mut whole = with("Server", "x");
    whole.take(b"ok");
    assert_eq!(whole.keep_for(IDLE), None);
    whole.end();
    assert_eq!(whole.keep_for(IDLE), Some(IDLE));

    let mut spoilt = with("Server", "x");
    spoilt.spoil("closed");
    spoilt.spoil("something later");
    assert_eq!(spoilt.keep_for(IDLE), None);
    assert_eq!(
        spoilt.said(&Secrets::default()),
        b"[the body is not whole: closed] "
    );

    let mut long = with("Server", "x");
    long.take(&vec![b'x'; BODY_BYTES]);
    assert!(!long.wants_more());
    assert_eq!(
        (long.keep_for(IDLE), long.said(&Secrets::default()).len()),
        (None, KEPT_BYTES)
    );
}

#[test]
fn what_cannot_be_read_is_an_answer_if_its_status_and_the_end_of_its_head_are_there() {
    let unread = Unread::of(b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: -1\r\n\r\nok");
    let answered = unread.into_answered("no length").unwrap();
    assert_eq!(answered.status, 200);
    let said = String::from_utf8(answered.said(&Secrets::default())).unwrap();
    assert_eq!(
        said,
        "[the body is not whole: no length: \"Content-Length: -1\"] "
    );
    for start in [
        &b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n"[..],
        b"HTTP/1.1 000 X\r\n\r\n",
        b"HTTP/1.1 banana\r\n\r\n",
        b"sorry\r\n\r\n",
        b"",
    ] {
        assert_eq!(Unread::of(start).into_answered(""), None);
    }
}

#[test]
fn what_came_is_told_with_its_line() {
    for (start, place) in [
        ("", "no answer"),
        ("HTTP/1.1 2", "only \"HTTP/1.1 2\""),
        ("SSH-2.0-OpenSSH_9.6\r\n", "only \"SSH-2.0-OpenSSH_9.6\""),
        ("\r\nICY 200 OK\r\n\r\n", "only \"ICY 200 OK\""),
        ("HTTP/1.1 100 Continue\r\n\r\nsorry\r\nb", "only \"sorry\""),
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 X\r\nLink: y\r\n\r\n",
            "2 interim answers and no final one",
        ),
        (
            "HTTP/1.1 503 No\r\nX-A: b\r\nX-Half: ",
            "status 503 without the end of its head, which stops at \"X-Half:\"",
        ),
    ] {
        assert_eq!(Unread::of(start.as_bytes()).place(), place);
    }
}

proptest! {
    #[test]
    fn no_bytes_are_too_strange_to_tell_of(bytes in any::<Vec<u8>>()) {
        Unread::of(&bytes).place();
        Unread::of(&[b"HTTP/1.1 100 X\r\n\r\nHTTP/1.1 200 OK\r\n", &bytes[..], b"\n\n"].concat()).place();
    }
}
