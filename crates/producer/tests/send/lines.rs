//! What becomes of lines, good and bad, and how much of an input is in memory.

use std::io::{Cursor, SeekFrom};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use local_sqs::Limits;
use producer::{MAX_LINE_BYTES, MAX_REPORTED, SendOptions, SendReport, StopReason};
use queue::admin::Kind;
use rig::network::Fault;
use tokio::io::{AsyncRead, AsyncSeek, AsyncWriteExt, BufReader, ReadBuf};
use tokio_util::sync::CancellationToken;

use crate::world::{World, body, line, lines};

fn for_setup(id: &str) -> SendOptions {
    SendOptions {
        event_setup: Some(id.to_owned()),
        ..SendOptions::default()
    }
}

fn rejected(report: &SendReport) -> Vec<(u64, String)> {
    let rejected = report.rejected.iter();
    rejected.map(|r| (r.line, r.why.to_string())).collect()
}

#[tokio::test(start_paused = true)]
async fn bad_lines_are_reported_by_number_and_their_group_goes_on() {
    let world = World::new().await;
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(MAX_LINE_BYTES));
    let large = format!("{{\"a\":\"{}\"}}", "x".repeat(1 << 20));
    let deep = format!("{{\"a\":{}", "[".repeat(500_000));
    let input = [
        &b"{\"n\":1}\r\n\n  \t\nnot json\n[]\n{\"n\":6,\"msg_id\":null}\n{\"a\":\"\xff\"}\n"[..],
        b"{\"n\":8,\"n\":9}\n{\"msg_id\":\"a\",\"msg_id\":\"b\"}\n\"text\"\n",
        long.as_bytes(),
        b"\n",
        large.as_bytes(),
        b"\n",
        deep.as_bytes(),
        b"\n{\"a\":\"\xef\xbf\xbf\"}\n{\"n\":15,\"MessageGroupId\":\"EventSetup_8\"}\n{\"n\":16}",
    ]
    .concat();
    let report = world.send_with(&input[..], &for_setup("7"), |_| {}).await;
    let expected = [
        (4, "not valid JSON at byte 1: expected a value"),
        (5, "expected a JSON object, found an array"),
        (6, "`msg_id` must be a string, found null"),
        (7, "not valid UTF-8 at byte 6"),
        (9, "`msg_id` is given twice"),
        (10, "expected a JSON object, found a string"),
        (11, "longer than 2097152 bytes"),
        (
            12,
            "1048754 bytes with its attributes, but the queue takes 1048576, of which 16384 stay free for the record of a dead letter",
        ),
        (
            13,
            "not valid JSON at byte 500004: EOF while parsing a list",
        ),
        (
            14,
            "character U+FFFF at byte 6 cannot be sent: Amazon SQS takes the characters of XML 1.0 only, write it as a JSON escape",
        ),
        (
            15,
            "`MessageGroupId` is `EventSetup_8`, but the event setup given for all lines makes it `EventSetup_7`",
        ),
    ];
    let expected = expected.map(|(line, why)| (line, why.to_owned()));
    assert_eq!(rejected(&report), expected);
    assert_eq!(
        (report.sent, report.rejected_total, report.unsent_from),
        (3, 11, None)
    );
    let all = world.take_all().await;
    assert_eq!(all.len(), 3);
    assert!(
        all[1].body.starts_with(b"{\"n\":8,\"n\":9,"),
        "unknown keys pass untouched"
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_missing_is_filled_in_and_the_rest_keeps_its_bytes() {
    let world = World::new().await;
    let input = concat!(
        r#"{ "z" : 1.50e2, "MessageDeDuplicationId":"mine", "a":"\u00e9é" }"#,
        "\n",
        r#"{"msg_id":"own","event_datetime":"2020-01-01T00:00:00","MessageGroupId":"EventSetup_7"}"#,
    );
    world
        .send_with(input.as_bytes(), &for_setup("7"), |_| {})
        .await;
    let all = world.take_all().await;
    let text = |at: usize| String::from_utf8(all[at].body.to_vec()).unwrap();
    let id = |at: usize| all[at].deduplication_id.clone().unwrap();
    let msg_id = body(&all[0])["msg_id"].as_str().unwrap().to_owned();
    assert_eq!(msg_id.len(), 36);
    assert_eq!(
        text(0),
        format!(
            "{{ \"z\" : 1.50e2, \"MessageDeDuplicationId\":\"{}\", \"a\":\"\\u00e9é\" ,\
             \"event_datetime\":\"2025-02-12T14:30:45\",\"msg_id\":\"{msg_id}\",\"MessageGroupId\":\"EventSetup_7\"}}",
            id(0)
        )
    );
    assert_eq!(
        text(1),
        format!(
            "{{\"msg_id\":\"own\",\"event_datetime\":\"2020-01-01T00:00:00\",\"MessageGroupId\":\"EventSetup_7\",\
             \"MessageDeDuplicationId\":\"{}\"}}",
            id(1)
        )
    );
}

#[tokio::test(start_paused = true)]
async fn the_event_name_travels_as_a_message_attribute() {
    let world = World::new().await;
    let options = SendOptions {
        event_name: Some("talent_created".into()),
        ..for_setup("7")
    };
    world.send_with(&b"{}"[..], &options, |_| {}).await;
    let all = world.take_all().await;
    assert_eq!(all[0].attributes["event"].as_str(), Some("talent_created"));
}

#[tokio::test(start_paused = true)]
async fn a_standard_queue_needs_no_setup_and_gets_no_fifo_keys() {
    let world = World::with(Limits::default(), Kind::Standard).await;
    let input = "{\"n\":1}\n".repeat(25);
    let report = world.send(&input).await;
    assert!(report.is_complete(), "{report:?}");
    let all = world.take_all().await;
    assert_eq!(all.len(), 25);
    for message in &all {
        let body = body(message);
        let mut keys: Vec<_> = body.as_object().unwrap().keys().collect();
        keys.sort();
        assert_eq!(keys, ["event_datetime", "msg_id", "n"]);
    }
}

#[tokio::test(start_paused = true)]
async fn lines_before_the_first_are_skipped_unread() {
    let world = World::new().await;
    let options = SendOptions {
        from_line: 4,
        ..SendOptions::default()
    };
    let input = format!(
        "bad\n{}{}\n{}",
        line(2, 1),
        "x".repeat(MAX_LINE_BYTES + 9),
        line(4, 1)
    );
    let report = world.send_with(input.as_bytes(), &options, |_| {}).await;
    assert!(report.is_complete(), "{report:?}");
    assert_eq!(world.take_numbers("EventSetup_1").await, [4]);
}

#[tokio::test(start_paused = true)]
async fn a_strict_send_sends_nothing_if_a_line_is_bad() {
    let world = World::new().await;
    let strict = async |input: String| {
        let (options, clock) = (SendOptions::default(), world.clock());
        let file = Cursor::new(input.into_bytes());
        let stop = CancellationToken::new();
        let report = producer::send_strict(&world.queue, file, &options, clock, |_| {}, stop).await;
        report.unwrap()
    };
    let report = strict(lines([1; 300]) + "bad\n").await;
    assert_eq!((report.sent, report.unsent_from), (0, Some(1)));
    assert_eq!(
        rejected(&report),
        [(301, "not valid JSON at byte 0: expected value".to_owned())]
    );
    assert!(matches!(report.stopped, Some(StopReason::Strict)));
    assert_eq!(world.take_all().await.len(), 0);

    let report = strict(lines([1; 300])).await;
    assert!(report.is_complete());
    assert_eq!(world.take_all().await.len(), 300);
}

#[tokio::test(start_paused = true)]
async fn rejected_lines_beyond_a_thousand_are_only_counted() {
    let world = World::new().await;
    let report = world.send(&"bad\n".repeat(2500)).await;
    assert_eq!(
        (report.rejected.len(), report.rejected_total),
        (MAX_REPORTED, 2500)
    );
    assert_eq!(report.rejected[999].line, 1000);
}

#[tokio::test(start_paused = true)]
async fn events_of_a_slow_pipe_go_without_waiting_for_more() {
    let world = World::new().await;
    let (reader, mut writer) = tokio::io::duplex(4096);
    let sending = {
        let world = world.clone();
        tokio::spawn(async move {
            world
                .send_with(BufReader::new(reader), &SendOptions::default(), |_| {})
                .await
        })
    };
    for n in 1..=3 {
        writer.write_all(line(n, 1).as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(world.queue.counts().await.unwrap().visible, n);
    }
    drop(writer);
    assert!(sending.await.unwrap().is_complete());
}

/// Lines without end, counted as they are read.
struct Endless {
    next: u64,
    setups: u64,
    bytes: Arc<AtomicU64>,
    fails_at: u64,
}

impl AsyncRead for Endless {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        if self.next > self.fails_at {
            return Poll::Ready(Err(std::io::Error::other("disk on fire")));
        }
        let line = line(self.next, self.next % self.setups);
        buffer.put_slice(line.as_bytes());
        self.next += 1;
        self.bytes.fetch_add(line.len() as u64, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl AsyncSeek for Endless {
    fn start_seek(mut self: Pin<&mut Self>, _: SeekFrom) -> std::io::Result<()> {
        self.next = 1;
        Ok(())
    }

    fn poll_complete(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<u64>> {
        Poll::Ready(Ok(0))
    }
}

fn endless(setups: u64, fails_at: u64) -> (Endless, Arc<AtomicU64>) {
    let bytes = Arc::new(AtomicU64::new(0));
    let endless = Endless {
        next: 1,
        setups,
        bytes: Arc::clone(&bytes),
        fails_at,
    };
    (endless, bytes)
}

#[tokio::test(start_paused = true)]
async fn an_endless_input_never_has_more_than_the_look_ahead_in_memory() {
    let world = World::new().await;
    // The queue takes its time, the input does not: lines pile up, as far as they may.
    world.script(|_| Fault::Slow(Duration::from_secs(1)));
    let (input, bytes) = endless(50, u64::MAX);
    let stop = CancellationToken::new();
    let (mut most, mut read_at_most) = (0, 0);
    let report = world
        .send_until(
            BufReader::with_capacity(4096, input),
            &SendOptions::default(),
            |progress| {
                most = most.max(progress.look_ahead);
                read_at_most = read_at_most.max(bytes.load(Ordering::Relaxed) - progress.bytes);
                if progress.sent > 500 {
                    stop.cancel();
                }
            },
            stop.clone(),
        )
        .await;
    assert!(report.sent > 500);
    assert!((9_800..=10_000).contains(&most), "{most} lines ahead");
    assert!(
        read_at_most <= 4096 + 100,
        "{read_at_most} bytes read ahead"
    );
}

#[tokio::test(start_paused = true)]
async fn nothing_more_is_read_while_a_line_fails() {
    let world = World::new().await;
    world.script(|_| Fault::error(503, "ServiceUnavailable"));
    let (input, bytes) = endless(3, u64::MAX);
    let report = world
        .send_with(BufReader::new(input), &SendOptions::default(), |_| {})
        .await;
    assert_eq!(report.sent, 0);
    assert!(matches!(report.stopped, Some(StopReason::GaveUp { .. })));
    assert!(bytes.load(Ordering::Relaxed) < 10_100 * 45);
}

#[tokio::test(start_paused = true)]
async fn large_events_are_bounded_by_bytes() {
    let world = World::new().await;
    world.script(|_| Fault::Slow(Duration::from_secs(1)));
    let padding = "x".repeat(900_000);
    let input: String = (1..=25)
        .map(|n| line(n, 1).replace("\"n\"", &format!("\"p\":\"{padding}\",\"n\"")))
        .collect();
    let mut most = 0;
    let report = world
        .send_with(input.as_bytes(), &SendOptions::default(), |progress| {
            most = most.max(progress.look_ahead);
        })
        .await;
    assert!(report.is_complete());
    assert!((17..=19).contains(&most), "16 MiB and one: {most}");
}

#[tokio::test(start_paused = true)]
async fn what_was_read_before_the_input_broke_off_is_sent() {
    let world = World::new().await;
    let (input, _) = endless(3, 500);
    let report = world
        .send_with(BufReader::new(input), &SendOptions::default(), |_| {})
        .await;
    assert_eq!((report.sent, report.unsent_from), (500, Some(501)));
    assert_eq!(
        report.stopped.unwrap().to_string(),
        "the input cannot be read on: disk on fire"
    );
}

#[tokio::test(start_paused = true)]
async fn progress_tells_what_fails_and_that_it_is_over() {
    let world = World::new().await;
    let mut failures = 5;
    world.script(move |_| {
        failures -= 1;
        if failures >= 0 {
            Fault::error(400, "RequestThrottled")
        } else {
            Fault::None
        }
    });
    let input = lines([1, 1]);
    let mut told = Vec::new();
    let report = world
        .send_with(input.as_bytes(), &SendOptions::default(), |progress| {
            told.push((progress.sent, progress.failing.map(str::to_owned)));
        })
        .await;
    assert!(report.is_complete());
    let throttled = "SendMessageBatch is throttled by SQS (RequestThrottled)".to_owned();
    assert_eq!(told[0], (0, Some(throttled)));
    assert_eq!(told.last().unwrap(), &(2, None));
}

#[tokio::test(start_paused = true)]
async fn a_strict_send_sends_nothing_of_a_file_that_breaks_off() {
    let world = World::new().await;
    let (file, _) = endless(3, 500);
    let (options, clock) = (SendOptions::default(), world.clock());
    let (file, stop) = (BufReader::new(file), CancellationToken::new());
    let report = producer::send_strict(&world.queue, file, &options, clock, |_| {}, stop).await;
    let report = report.unwrap();
    assert_eq!((report.sent, report.unsent_from), (0, Some(1)));
    assert!(matches!(report.stopped, Some(StopReason::Input(_))));
    assert_eq!(world.calls().len(), 0);
}
