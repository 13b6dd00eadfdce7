//! `dlq`: what the internal queue holds, and that looking takes nothing out.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use delivery::{
    Answer, Attempt, DEAD_LETTER, DeadLetter, Death, Origin, Reason, dead_letter_group,
};
use event::Timestamp;
use queue::{Attribute, Counts, Outgoing, Queue, Sqs};

use crate::support::{Home, LocalSqs, assert_told, documents};

const SENT: Timestamp = Timestamp::from_millis(1_739_370_645_123);

/// A local queue pair, and the internal queue of it.
struct World {
    _local: LocalSqs,
    home: Home,
    dead_letters: Queue,
    runtime: tokio::runtime::Runtime,
}

impl World {
    /// With so many dead letters of one event setup.
    fn with(letters: u32) -> Self {
        let local = LocalSqs::start(&[]);
        let home = local.home("events");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let configuration = std::fs::read_to_string(home.path("hooklane.toml")).expect("read");
        let url = configuration
            .lines()
            .find_map(|line| line.strip_prefix("dead_letter_url = \"")?.strip_suffix('"'));
        let sqs = Sqs::at(&local.variables[0].1);
        let dead_letters = runtime
            .block_on(Queue::open(&sqs, url.expect("a URL")))
            .expect("opened");
        let world = Self {
            _local: local,
            home,
            dead_letters,
            runtime,
        };
        let letters: Vec<_> = (0..letters).map(letter).collect();
        for batch in letters.chunks(10) {
            let sent = world
                .runtime
                .block_on(world.dead_letters.send_batch(batch))
                .expect("sent");
            assert!(sent.iter().all(Result::is_ok), "{sent:?}");
        }
        world
    }

    fn counts(&self) -> Counts {
        self.runtime
            .block_on(self.dead_letters.counts())
            .expect("counted")
    }
}

fn letter(n: u32) -> Outgoing {
    let at = SENT.plus(Duration::from_secs(n.into()));
    let answer = Ok(Answer {
        status: 500,
        retry_after: None,
        excerpt: "out of order\u{9b}2J".to_owned(),
    });
    let attempt = |n| {
        let wait = Duration::from_secs(if n < 3 { 0 } else { 60 });
        Attempt::new(0, n, at.plus(wait), Duration::from_millis(8), &answer)
    };
    let death = Death {
        reason: Reason::Exhausted,
        detail: None,
        dead_at: at.plus(Duration::from_secs(60)),
        callback: Some("https://hooks.example.com/workn".to_owned()),
    };
    let origin = Origin {
        message_id: format!("origin-{n}"),
        sequence_number: Some(format!("{n:020}")),
        deduplication_id: Some(at.deduplication_id()),
        group: Some("EventSetup_7".to_owned()),
        sent_at: at,
    };
    let group = dead_letter_group(origin.group.as_deref(), &origin.message_id);
    let record = DeadLetter::new(
        "https://sqs/events.fifo",
        death,
        origin,
        None,
        (1..=4).map(attempt).collect(),
    );
    let json = record.to_json_within(10_000).expect("it fits");
    Outgoing {
        body: format!(r#"{{"msg_id":"e-{n}","amount":1.50}}"#),
        group: Some(group),
        deduplication_id: Some(record.origin.message_id),
        attributes: BTreeMap::from([(DEAD_LETTER.to_owned(), Attribute::string(json))]),
    }
}

#[test]
fn all_300_dead_events_of_one_setup_are_listed_and_counted_and_stay_where_they_are() {
    let world = World::with(300);
    let before = world.counts();
    let listed = world.home.run(&["dlq", "ls", "--json"]);
    assert_eq!(
        (listed.code, listed.stderr.as_str()),
        (Some(0), ""),
        "{listed:?}"
    );
    let ids: Vec<_> = documents(&listed.stdout)
        .iter()
        .map(|row| row["id"].clone())
        .collect();
    let expected: Vec<_> = (0..300).map(|n| format!("origin-{n}")).collect();
    assert_eq!(ids, expected);

    let counted = world.home.run(&["dlq", "groups", "--json"]);
    let groups = documents(&counted.stdout);
    assert_eq!(groups.len(), 1, "{counted:?}");
    assert_eq!(groups[0]["count"], 300);
    assert_eq!(groups[0]["status"], 500);
    assert_eq!(groups[0]["group"], "EventSetup_7");
    assert_eq!(groups[0]["oldest"], "2025-02-12T14:31:45.123Z");
    assert_eq!(world.counts(), before);
}

#[test]
fn a_dead_letter_is_shown_with_its_four_attempts_by_either_id() {
    let world = World::with(3);
    let shown = world.home.run(&["dlq", "show", "origin-1", "--json"]);
    assert_eq!(shown.code, Some(0), "{shown:?}");
    let shown = documents(&shown.stdout).remove(0);
    assert_eq!(shown["id"], "origin-1");
    assert_eq!(
        shown["record"]["attempts"][3]["at"],
        "2025-02-12T14:31:46.123Z"
    );
    assert_eq!(shown["body"]["msg_id"], "e-1");

    let present = shown["message_id"].as_str().expect("an id");
    let text = world.home.run(&["dlq", "show", present]);
    assert_eq!(text.code, Some(0), "{text:?}");
    for part in [
        "origin-1",
        "  4        2025-02-12T14:31:46.123Z  60.0 s",
        "\"amount\": 1.50",
    ] {
        assert!(
            text.stdout.contains(part),
            "{part:?} is not in {}",
            text.stdout
        );
    }
    assert!(!text.stdout.contains('\u{9b}'), "{}", text.stdout);
}

#[test]
fn an_id_that_no_letter_has_is_told() {
    let world = World::with(3);
    let ended = world.home.run(&["dlq", "show", "nobody"]);
    assert_told(
        &ended,
        1,
        &[
            "none of the 3 dead letters",
            "\"nobody\"",
            "hooklane dlq ls",
        ],
    );
}

#[test]
fn a_msg_id_is_answered_with_the_id_of_its_dead_letter() {
    let world = World::with(3);
    let ended = world.home.run(&["dlq", "show", "e-1"]);
    assert_told(&ended, 1, &["\"e-1\" is a msg_id", "own id, origin-1"]);
}

#[test]
fn ctrl_c_gives_everything_back_and_shows_what_was_seen() {
    let world = World::with(300);
    let service = world.home.start(&["dlq", "ls"]);
    let deadline = Instant::now() + Duration::from_secs(30);
    while world.counts().not_visible == 0 {
        assert!(Instant::now() < deadline, "{:?}", world.counts());
    }
    service.signal("INT");
    let ended = service.wait();
    assert_told(&ended, 1, &["of about 300 seen: it was stopped"]);
    assert!(
        ended.stdout.ends_with(" dead letters\n"),
        "{}",
        ended.stdout
    );
    let counts = world.counts();
    assert_eq!((counts.visible, counts.not_visible), (300, 0));
}

#[test]
fn an_internal_queue_that_is_not_there_is_named() {
    let world = World::with(0);
    world.home.write(
        "hooklane.toml",
        "[queue]\ndead_letter_url = \"http://127.0.0.1:1/000000000000/nowhere.fifo\"\n",
    );
    let ended = world.home.run(&["dlq", "ls"]);
    assert_told(&ended, 1, &["nowhere.fifo does not exist"]);
}

#[test]
fn an_empty_internal_queue_is_no_error() {
    let world = World::with(0);
    let ended = world.home.run(&["dlq", "ls"]);
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (Some(0), "no dead letters\n"),
        "{ended:?}"
    );
}
