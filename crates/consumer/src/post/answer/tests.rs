use proptest::prelude::*;

use super::*;

const IDLE: Duration = Duration::from_secs(4);

/// Reads this much, in one piece, and then the end of the connection if that is needed.
fn read(answer: &[u8]) -> (Reader, Fed) {
    let mut reader = Reader::default();
    let fed = reader.feed(answer);
    match fed {
        Fed::More => {
            let fed = reader.closed();
            (reader, fed)
        }
        fed => (reader, fed),
    }
}

fn said(answer: &[u8]) -> Said {
    let (reader, fed) = read(answer);
    assert_eq!(fed, Fed::Done, "{}", String::from_utf8_lossy(answer));
    reader.said(SystemTime::UNIX_EPOCH).expect("an answer")
}

fn unreadable(answer: &[u8]) -> String {
    match read(answer).1 {
        Fed::Unreadable(why) => why,
        fed => panic!("{fed:?}: {}", String::from_utf8_lossy(answer)),
    }
}

fn keep_for(answer: &[u8]) -> Option<Duration> {
    let (reader, _) = read(answer);
    reader.keep_for(IDLE)
}

/// A head of status 200 with this in it, and a body of two bytes.
fn with(lines: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\n{lines}Content-Length: 2\r\n\r\nok").into()
}

#[test]
fn an_answer_is_read_however_sloppy_it_is() {
    for answer in [
        with(""),
        with("X-Powered-By : old\r\n"),
        with("PHP Warning: Unable to load module (x) in Unknown on line 0\r\n"),
        with("no colon at all\r\n"),
        with(": no name\r\n"),
        with("X-Zoë: 1\r\n"),
        with("X-Long: a\r\n b\r\n\tc\r\n"),
        with(" folded onto nothing\r\n"),
        with("Content-Length: 2\r\n"),
        with("\u{0}\u{1}\r\n"),
        with(&"X-Many: v\r\n".repeat(5_000)),
        with(&format!("X-Long: {}\r\n", "a".repeat(100_000))),
        b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok".to_vec(),
        b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok".to_vec(),
        b"HTTP/1.1  200  OK\r\nContent-Length: 2\r\n\r\nok".to_vec(),
        b"HTTP/1.1 200 Tr\xe8s bien\r\nContent-Length:2\r\n\r\nok".to_vec(),
        b"HTTP/1.0 200 OK\r\n\r\nok".to_vec(),
        b"http/1.1 200 OK\r\ncontent-LENGTH : 2 \r\n\r\nok".to_vec(),
        b"HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec(),
        b"\r\n\nHTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok".to_vec(),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 2\r\n\r\nok".to_vec(),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok".to_vec(),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n".to_vec(),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\n chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n".to_vec(),
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n\r\nHTTP/1.1 200 OK\r\n\r\nok".to_vec(),
    ] {
        let said = said(&answer);
        let expected = (200, &b"ok"[..], None);
        let found = (said.status, &said.body[..], said.spoilt);
        assert_eq!(found, expected, "{}", String::from_utf8_lossy(&answer));
    }
}

#[test]
fn a_status_is_known_whatever_becomes_of_the_body() {
    for (answer, body, why) in [
        ("Content-Length: 10\r\n\r\nok", "ok", "closed"),
        (
            "Content-Length: -1\r\n\r\nok",
            "",
            "length is given as \"-1\"",
        ),
        (
            "Content-Length: +2\r\n\r\nok",
            "",
            "length is given as \"+2\"",
        ),
        (
            "Content-Length: 1\r\nContent-Length: 2\r\n\r\nok",
            "",
            "\"1, 2\"",
        ),
        (
            "Content-Length: 99999999999999999999999\r\n\r\nok",
            "",
            "99999",
        ),
        (
            "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
            "ok",
            "closed",
        ),
        (
            "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\nbanana\r\n",
            "ok",
            "begins with \"banana\"",
        ),
        (
            "Transfer-Encoding: chunked\r\n\r\n2\r\nokay\r\n",
            "ok",
            "\"ay\" follows a chunk",
        ),
        (
            "Transfer-Encoding: chunked\r\n\r\n2 ok\r\n",
            "",
            "begins with",
        ),
        (
            "Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n",
            "",
            "begins with",
        ),
        (
            "Transfer-Encoding: chunked\r\n\r\n\r\n",
            "",
            "begins with \"\"",
        ),
    ] {
        for status in [200, 404] {
            let said = said(format!("HTTP/1.1 {status} X\r\n{answer}").as_bytes());
            assert_eq!(
                (said.status, &said.body[..]),
                (status, body.as_bytes()),
                "{answer}"
            );
            let spoilt = said.spoilt.unwrap_or_default();
            assert!(spoilt.contains(why), "{answer}: {spoilt}");
        }
    }
}

#[test]
fn what_is_no_answer_is_quoted() {
    for (answer, quoted) in [
        ("SSH-2.0-OpenSSH_9.6\r\n", "\"SSH-2.0-OpenSSH_9.6\""),
        ("ok\n", "\"ok\""),
        ("ok", "\"ok\""),
        ("ICY 200 OK\r\n\r\n", "\"ICY 200 OK\""),
        ("HTTP/1.1 banana OK\r\n\r\n", "banana"),
        ("HTTP/1.1 99999 OK\r\n\r\n", "99999"),
        ("HTTP/1.1 000 X\r\n\r\n", "000"),
        ("HTTP/1.1 20\r\n\r\n", "20"),
        ("HTTP/1.1200 OK\r\n\r\n", "1200"),
        ("HTTP/1,1 200 OK\r\n\r\n", "HTTP/1,1"),
        ("HTTP/1.1 100 Continue\r\n\r\nsorry\r\n", "\"sorry\""),
    ] {
        let why = unreadable(answer.as_bytes());
        assert!(why.contains(quoted), "{answer}: {why}");
    }
    for (answer, place) in [
        ("", "no answer"),
        ("HTTP/1.1 2", "\"HTTP/1.1 2\""),
        ("HTTP/1.1 200 OK\r\nX-A: b\r\n", "status 200 without"),
        ("HTTP/1.1 200 OK\r\nX-Half: ", "\"X-Half: \""),
        ("HTTP/1.1 100 Continue\r\n\r\n", "1 interim answers"),
    ] {
        let (reader, fed) = read(answer.as_bytes());
        assert_eq!(fed, Fed::More, "{answer}");
        assert!(
            reader.place().contains(place),
            "{answer}: {}",
            reader.place()
        );
    }
}

#[test]
fn a_connection_is_kept_after_a_clean_answer_only() {
    let chunked =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nok\r\n00\r\nX-T: 1\r\n\r\n";
    for answer in [
        with(""),
        with("Connection: keep-alive\r\n"),
        with("Keep-Alive: max=100\r\n"),
        with("Keep-Alive: timeout=60, max=100\r\n"),
        with("Keep-Alive: timeout=x\r\n"),
        chunked.into(),
        b"HTTP/1.1 204 No Content\r\n\r\n".to_vec(),
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 17\r\n\r\n".to_vec(),
        b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 0\r\n\r\n".to_vec(),
        b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n".to_vec(),
    ] {
        assert_eq!(
            keep_for(&answer),
            Some(IDLE),
            "{}",
            String::from_utf8_lossy(&answer)
        );
    }
    for answer in [
        with("Connection: close\r\n"),
        with("Connection: Keep-Alive, Close\r\n"),
        with("Keep-Alive: timeout=0\r\n"),
        with("no colon at all\r\n"),
        with("X-Powered-By : old\r\n"),
        [with(""), b"H".to_vec()].concat(),
        [with(""), with("")].concat(),
        format!("{chunked}\r\n").into(),
        b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec(),
        b"HTTP/1.1 200 OK\r\n\r\nok".to_vec(),
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok".to_vec(),
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            .to_vec(),
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n".to_vec(),
        b"HTTP/1.2 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec(),
        b"HTTP/1.1 204 No Content\r\n\r\nsurprise".to_vec(),
    ] {
        assert_eq!(
            keep_for(&answer),
            None,
            "{}",
            String::from_utf8_lossy(&answer)
        );
    }
}

#[test]
fn a_receivers_own_limit_is_kept_with_room_to_spare() {
    for (limit, expected_ms) in [
        ("1", 500),
        ("2", 1000),
        ("3", 2000),
        ("5", 4000),
        ("75", 4000),
    ] {
        let answer = with(&format!("Keep-Alive: max=5, Timeout = {limit}\r\n"));
        let expected = Duration::from_millis(expected_ms);
        assert_eq!(keep_for(&answer), Some(expected), "{limit}");
    }
}

/// How many bytes of an endless answer are read.
fn taken(start: &str, part: &str) -> (usize, Fed, Option<Said>) {
    let mut reader = Reader::default();
    let mut taken = 0;
    let part = part.repeat(8_192 / part.len());
    let mut next = start.as_bytes();
    loop {
        taken += next.len();
        match reader.feed(next) {
            Fed::More => next = part.as_bytes(),
            fed => return (taken, fed, reader.said(SystemTime::UNIX_EPOCH)),
        }
    }
}

#[test]
fn no_answer_goes_on_for_ever() {
    for (start, part) in [
        ("", "HTTP/1.1 100 Continue\r\n\r\n"),
        ("", "\r\n"),
        ("HTTP/1.1 200 OK\r\n", "X-Another: header\r\n"),
        ("HTTP/1.1 200 OK\r\n", "rubbish\r\n"),
        ("HTTP/1.1 200 OK\r\nConnection: x\r\n", " folded\r\n"),
        ("HTTP/1.1 200 OK\r\nX-Long: ", "aaaaaaaaaaaaaaaa"),
        ("HTTP/1.1 200 ", "reasons and more reasons "),
        ("", "\0"),
    ] {
        let (taken, fed, _) = taken(start, part);
        assert!(matches!(fed, Fed::Unreadable(_)), "{part}");
        assert!(taken <= HEAD_BYTES + 8_192, "{part}: {taken}");
    }
    for (start, part) in [
        ("\r\n", "x"),
        ("Content-Length: 999999999\r\n\r\n", "x"),
        ("Transfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n"),
        ("Transfer-Encoding: chunked\r\n\r\n", "1;a=b\r\nx\r\n"),
        ("Transfer-Encoding: chunked\r\n\r\n2", " "),
        ("Transfer-Encoding: chunked\r\n\r\n", "0"),
        ("Transfer-Encoding: chunked\r\n\r\n2;", "x"),
        (
            "Transfer-Encoding: chunked\r\n\r\n0\r\n",
            "X-Trailer: 1\r\n",
        ),
    ] {
        let start = format!("HTTP/1.1 200 OK\r\n{start}");
        let (taken, fed, said) = taken(&start, part);
        assert_eq!(fed, Fed::Done, "{start}{part}");
        assert_eq!(said.expect("an answer").status, 200);
        assert!(taken <= WIRE_BYTES + 16_384, "{start}{part}: {taken}");
    }
}

fn an_answer() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        Just("HTTP/1.1 200 OK".to_owned()),
        Just("HTTP/1.1 100 Continue".to_owned()),
        Just("Content-Length: 5".to_owned()),
        Just("Transfer-Encoding: chunked".to_owned()),
        Just("Connection: close".to_owned()),
        Just(" folded".to_owned()),
        Just(String::new()),
        Just("5".to_owned()),
        Just("hello".to_owned()),
        Just("0".to_owned()),
        "\\PC{0,10}",
    ];
    let end = prop_oneof![Just("\r\n"), Just("\n")];
    let lines = prop::collection::vec((line, end), 0..20);
    lines.prop_map(|lines| {
        let lines = lines.into_iter().map(|(line, end)| line + end);
        lines.collect::<String>().into_bytes()
    })
}

proptest! {
    #[test]
    fn the_pieces_in_which_an_answer_arrives_mean_nothing(answer in an_answer(), piece in 1_usize..9) {
        let (whole, whole_fed) = read(&answer);
        let mut reader = Reader::default();
        let mut fed = Fed::More;
        let mut pieces = answer.chunks(piece);
        while let (Fed::More, Some(piece)) = (&fed, pieces.next()) {
            fed = reader.feed(piece);
        }
        if fed == Fed::More {
            fed = reader.closed();
        }
        prop_assert_eq!(fed, whole_fed);
        // Whether more came behind it shows only when it has come.
        if pieces.next().is_none() {
            prop_assert_eq!(reader.keep_for(IDLE), whole.keep_for(IDLE));
        }
        let now = SystemTime::UNIX_EPOCH;
        prop_assert_eq!(reader.said(now), whole.said(now));
    }

    #[test]
    fn no_bytes_are_too_strange_to_read(bytes in any::<Vec<u8>>()) {
        read(&bytes);
        read(&[b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", &bytes[..]].concat());
    }
}
