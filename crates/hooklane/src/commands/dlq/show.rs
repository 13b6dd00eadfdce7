//! One dead letter for a reader: what it is, every attempt, the body.

use delivery::Attempt;
use event::Timestamp;
use letters::{Fate, Letter, pretty};

use super::table::{aligned, one_line, result};
use crate::output;

pub(super) fn text(letter: &Letter) -> String {
    let body = String::from_utf8_lossy(&letter.message.body);
    format!(
        "{}\n{}\nBody, {} bytes\n{}",
        aligned(&summary(letter)),
        attempts(letter),
        letter.message.body.len(),
        output::printable(&pretty(&body)),
    )
}

/// The facts, a line each; those that are not known are left out.
fn summary(letter: &Letter) -> Vec<Vec<String>> {
    let message = &letter.message;
    let time = |at: Option<Timestamp>| at.map(|at| at.to_string());
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let mut facts = vec![
        ("id", Some(letter.id().to_owned())),
        ("reason", Some(reason(letter))),
        ("event", owned(letter.event())),
        ("msg_id", letter.msg_id()),
        ("group", owned(letter.group())),
    ];
    if let Fate::Recorded(record) = &letter.fate {
        let origin = &record.origin;
        facts.extend([
            ("sequence number", origin.sequence_number.clone()),
            ("deduplication id", origin.deduplication_id.clone()),
            ("source queue", Some(record.source_queue.clone())),
            ("callback", record.callback.clone()),
        ]);
    }
    let replays = letter.replays();
    facts.extend([
        ("replays", (replays > 0).then(|| replays.to_string())),
        ("sent at", time(letter.sent_at())),
        ("dead at", time(letter.dead_at())),
        ("message id now", Some(message.message_id.clone())),
        ("receives", Some(message.receive_count.to_string())),
    ]);
    let known = facts
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)));
    known
        .map(|(name, value)| vec![name.to_owned(), one_line(&value)])
        .collect()
}

fn reason(letter: &Letter) -> String {
    let reason = letter.reason().as_str();
    match &letter.fate {
        Fate::Recorded(record) => match &record.detail {
            Some(detail) => format!("{reason}: {detail}"),
            None => reason.to_owned(),
        },
        Fate::Backstop(_) => {
            format!("{reason}, moved here by the native redrive, which writes no record")
        }
        Fate::Unreadable(problem) => problem.clone(),
    }
}

fn attempts(letter: &Letter) -> String {
    let attempts = letter.attempts();
    let Some(first) = attempts.first() else {
        return "No attempts on record\n".to_owned();
    };
    let several_lives = attempts.iter().any(|attempt| attempt.life != first.life);
    let title = |title: &str| title.to_owned();
    let mut table = vec![vec![
        title("ATTEMPT"),
        title("AT"),
        title("AFTER"),
        title("TOOK"),
        title("RESULT"),
    ]];
    let mut excerpts = vec![None];
    for attempt in attempts {
        table.push(attempt_line(attempt, first.at, several_lives));
        excerpts.push(Some(one_line(&attempt.excerpt)).filter(|text| !text.is_empty()));
    }
    let mut out = "Attempts\n".to_owned();
    for (line, excerpt) in aligned(&table).lines().zip(excerpts) {
        out.push_str(&format!("  {line}\n"));
        if let Some(excerpt) = excerpt {
            out.push_str(&format!("      {excerpt}\n"));
        }
    }
    if matches!(&letter.fate, Fate::Recorded(record) if record.trimmed) {
        out.push_str("  (excerpts or attempts were left out so that the message fits its queue)\n");
    }
    out
}

fn attempt_line(attempt: &Attempt, first: Timestamp, several_lives: bool) -> Vec<String> {
    let Attempt { life, n, .. } = attempt;
    vec![
        if several_lives {
            format!("{n} of life {}", life.saturating_add(1))
        } else {
            n.to_string()
        },
        attempt.at.to_string(),
        format!("{:.1} s", first.until(attempt.at).as_secs_f64()),
        format!("{} ms", attempt.duration_ms),
        result(attempt.status, attempt.error),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use delivery::{Answer, DEAD_LETTER, DeadLetter, Death, Origin, Reason, Replay};
    use queue::{Attribute, Received};

    use super::*;

    const SENT: Timestamp = Timestamp::from_millis(1_739_370_645_000);

    fn attempts_of(life: u32, excerpt: &str) -> Vec<Attempt> {
        let answer = Ok(Answer {
            status: 500,
            retry_after: None,
            excerpt: excerpt.to_owned(),
        });
        let at = |n: u32| SENT.plus(Duration::from_secs(if n < 3 { 0 } else { 60 }));
        (1..=4)
            .map(|n| Attempt::new(life, n, at(n), Duration::from_millis(8), &answer))
            .collect()
    }

    fn origin() -> Origin {
        Origin {
            message_id: "5fea7756".to_owned(),
            sequence_number: Some("00000000000000000001".to_owned()),
            deduplication_id: Some(SENT.deduplication_id()),
            group: Some("EventSetup_7".to_owned()),
            sent_at: SENT,
        }
    }

    fn record(earlier: Option<Replay>, excerpt: &str) -> DeadLetter {
        let death = Death {
            reason: Reason::Exhausted,
            detail: None,
            dead_at: SENT.plus(Duration::from_secs(60)),
            callback: Some("https://hooks.example.com/workn".to_owned()),
        };
        let life = earlier.as_ref().map_or(0, |replay| replay.replays);
        DeadLetter::new(
            "https://sqs/1/events.fifo",
            death,
            origin(),
            earlier,
            attempts_of(life, excerpt),
        )
    }

    fn letter(attributes: &[(&str, String)]) -> Letter {
        let attributes = attributes
            .iter()
            .map(|(name, value)| (name.to_string(), Attribute::string(value)));
        Letter::read(Received {
            message_id: "aa11".to_owned(),
            receipt_handle: String::new(),
            body: r#"{"msg_id":"e-1","n":1.50}"#.into(),
            group: Some("EventSetup_7#5fea7756".to_owned()),
            deduplication_id: Some("5fea7756".to_owned()),
            sequence_number: None,
            receive_count: 3,
            sent_at: SENT,
            first_received_at: None,
            redriven_from: None,
            attributes: attributes.collect::<BTreeMap<_, _>>(),
            lease_until: queue::Uptime::default(),
        })
    }

    fn recorded(record: &DeadLetter) -> Letter {
        letter(&[(DEAD_LETTER, record.to_json_within(10_000).unwrap())])
    }

    #[test]
    fn a_letter_is_shown_with_every_attempt_and_its_body() {
        let expected = "\
id                5fea7756
reason            exhausted
msg_id            e-1
group             EventSetup_7
sequence number   00000000000000000001
deduplication id  2025-02-12T14:30:45.000
source queue      https://sqs/1/events.fifo
callback          https://hooks.example.com/workn
sent at           2025-02-12T14:30:45.000Z
dead at           2025-02-12T14:31:45.000Z
message id now    aa11
receives          3

Attempts
  ATTEMPT  AT                        AFTER   TOOK  RESULT
  1        2025-02-12T14:30:45.000Z  0.0 s   8 ms  500
      out of order
  2        2025-02-12T14:30:45.000Z  0.0 s   8 ms  500
      out of order
  3        2025-02-12T14:31:45.000Z  60.0 s  8 ms  500
      out of order
  4        2025-02-12T14:31:45.000Z  60.0 s  8 ms  500
      out of order

Body, 25 bytes
{
  \"msg_id\": \"e-1\",
  \"n\": 1.50
}";
        assert_eq!(text(&recorded(&record(None, "out of order"))), expected);
    }

    #[test]
    fn both_lives_of_a_replayed_event_are_told_apart() {
        let earlier = Replay {
            v: 1,
            replays: 1,
            origin: origin(),
            attempts: attempts_of(0, ""),
            trimmed: false,
        };
        let shown = text(&recorded(&record(Some(earlier), "")));
        assert!(shown.contains("\n  1 of life 1  "), "{shown}");
        assert!(shown.contains("\n  4 of life 2  "), "{shown}");
        assert!(shown.contains("\nreplays           1\n"), "{shown}");
    }

    #[test]
    fn what_a_receiver_answered_cannot_command_the_terminal() {
        let mut hostile = record(None, "");
        hostile.attempts[0].excerpt = "\u{1b}]0;owned\u{7}\u{202e}\nsecond line".to_owned();
        let shown = text(&recorded(&hostile));
        assert!(
            shown.contains("      \\u{1b}]0;owned\\u{7}\\u{202e} second line\n"),
            "{shown}"
        );
    }

    #[test]
    fn a_letter_without_a_readable_record_is_shown_with_what_is_wrong() {
        let shown = text(&letter(&[(DEAD_LETTER, "{".to_owned())]));
        assert!(
            shown.contains("hooklane.dead_letter cannot be read: EOF"),
            "{shown}"
        );
        assert!(shown.contains("No attempts on record"), "{shown}");
        assert!(shown.contains("\"n\": 1.50"), "{shown}");
    }
}
