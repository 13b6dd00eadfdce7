//! `dlq`: what the internal queue holds, and that looking takes nothing out.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use delivery::{
    Answer, Attempt, DEAD_LETTER, DeadLetter, Death, Failure, FailureKind, Origin, Outcome, Reason,
    dead_letter_group,
};
use event::Timestamp;
use queue::{Attribute, Counts, Outgoing, Queue, Sqs};
use rig::program::{Home, LocalSqs, assert_told, documents};

const SENT: Timestamp = Timestamp::from_millis(1_739_370_645_123);

/// A local queue pair, and the internal queue of it.
pub(crate) struct World {
    local: LocalSqs,
    pub(crate) home: Home,
    dead_letters: Queue,
    runtime: tokio::runtime::Runtime,
}

impl World {
    /// With so many dead letters of one event setup.
    pub(crate) fn with(letters: u32) -> Self {
        Self::holding((0..letters).map(letter).collect())
    }

    pub(crate) fn holding(letters: Vec<Outgoing>) -> Self {
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
            local,
            home,
            dead_letters,
            runtime,
        };
        for batch in letters.chunks(10) {
            let sent = world
                .runtime
                .block_on(world.dead_letters.send_batch(batch))
                .expect("sent");
            assert!(sent.iter().all(Result::is_ok), "{sent:?}");
        }
        world
    }

    /// Runs `dlq` with these arguments and returns the ids it lists.
    pub(crate) fn ids(&self, arguments: &[&str]) -> Vec<String> {
        let listed = self
            .home
            .run(&[&["dlq", "ls", "--json"], arguments].concat());
        assert_eq!(listed.code, Some(0), "{listed:?}");
        let rows = documents(&listed.stdout).into_iter();
        rows.map(|row| row["id"].as_str().expect("an id").to_owned())
            .collect()
    }

    pub(crate) fn endpoint(&self) -> String {
        self.local.variables[0].1.clone()
    }

    pub(crate) fn counts(&self) -> Counts {
        self.runtime
            .block_on(self.dead_letters.counts())
            .expect("counted")
    }
}

fn letter(n: u32) -> Outgoing {
    letter_of("EventSetup_7", n, &answer(500))
}

fn answer(status: u16) -> Outcome {
    Ok(Answer {
        status,
        retry_after: None,
        excerpt: "out of order\u{9b}2J".to_owned(),
    })
}

/// The letter of an event that was sent `n` seconds after [`SENT`] and died a minute later.
fn letter_of(group: &str, n: u32, outcome: &Outcome) -> Outgoing {
    let at = SENT.plus(Duration::from_secs(n.into()));
    let attempt = |n| {
        let wait = Duration::from_secs(if n < 3 { 0 } else { 60 });
        Attempt::new(0, n, at.plus(wait), Duration::from_millis(8), outcome)
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
        group: Some(group.to_owned()),
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

/// Twelve letters of two event setups: 0 to 5 of the first, 6 to 11 of the second; every third one timed out.
pub(crate) fn two_setups() -> Vec<Outgoing> {
    let timeout = Err(Failure {
        kind: FailureKind::Timeout,
        detail: "no answer within 30 s".to_owned(),
    });
    let letters = (0..12).map(|n| {
        let group = if n < 6 {
            "EventSetup_7"
        } else {
            "EventSetup_8"
        };
        let outcome = if n % 3 == 0 {
            timeout.clone()
        } else {
            answer(503)
        };
        letter_of(group, n, &outcome)
    });
    letters.collect()
}

#[test]
fn a_filter_lists_what_it_means_and_says_of_how_many() {
    let world = World::holding(two_setups());
    for (arguments, expected) in [
        (&["--group", "EventSetup_8"][..], &[6, 7, 8, 9, 10, 11][..]),
        (
            &["--group", "EventSetup_8", "--status", "5xx"],
            &[7, 8, 10, 11],
        ),
        (
            &["--status", "timeout", "--reason", "exhausted"],
            &[0, 3, 6, 9],
        ),
        (&["--contains", "E-11"], &[11]),
        (
            &[
                "--contains",
                "WITHIN 30 S",
                "--until",
                "2025-02-12 14:31:49",
            ],
            &[0, 3],
        ),
        // The table shows seconds: what it shows can be typed.
        (&["--since", "2025-02-12T14:31:55Z"], &[10, 11]),
        (&["--event", "talent_created"], &[]),
    ] {
        let expected: Vec<_> = expected.iter().map(|n| format!("origin-{n}")).collect();
        assert_eq!(world.ids(arguments), expected, "{arguments:?}");
    }
    let listed = world.home.run(&["dlq", "ls", "--status", "503"]);
    assert!(
        listed.stdout.ends_with("\n8 of 12 dead letters\n"),
        "{listed:?}"
    );
    assert!(
        listed.stdout.contains("  2025-02-12T14:31:46Z  "),
        "{listed:?}"
    );
    let none = world.home.run(&["dlq", "ls", "--status", "404"]);
    assert_eq!(none.stdout, "none of 12 dead letters match\n");

    let counted = world
        .home
        .run(&["dlq", "groups", "--json", "--status", "503"]);
    let groups = documents(&counted.stdout);
    assert_eq!(groups.len(), 2, "{counted:?}");
    for group in groups {
        assert_eq!(group["count"], 4);
        assert_eq!(group["status_class"], "5xx");
        assert_eq!(group["callback_host"], "hooks.example.com");
    }
}

#[test]
fn a_limit_shows_the_first_to_die_and_says_how_many_there_are() {
    let world = World::holding(two_setups());
    let arguments = [
        "dlq",
        "ls",
        "--json",
        "--group",
        "EventSetup_8",
        "--limit",
        "2",
    ];
    let listed = world.home.run(&arguments);
    let ids: Vec<_> = documents(&listed.stdout)
        .iter()
        .map(|row| row["id"].clone())
        .collect();
    assert_eq!(ids, ["origin-6", "origin-7"]);
    assert_told(&listed, 0, &["2 of 6 that match are shown"]);
    let all = world.home.run(&["dlq", "ls", "--limit", "12"]);
    assert_eq!(all.stderr, "");
}

#[test]
fn of_the_copies_of_an_event_the_newest_is_shown_and_the_others_are_named() {
    let copies = [3, 9, 6].map(|died_after| {
        let mut copy = letter_of("EventSetup_7", died_after, &answer(500));
        let json = copy.attributes[DEAD_LETTER].as_str().expect("text");
        let json = json.replace(&format!("origin-{died_after}"), "origin-1");
        copy.attributes
            .insert(DEAD_LETTER.to_owned(), Attribute::string(json));
        copy
    });
    let world = World::holding(copies.into());
    let listed = world.home.run(&["dlq", "ls"]);
    assert!(
        listed.stdout.contains("\norigin-1  3       2025-"),
        "{listed:?}"
    );
    let shown = world.home.run(&["dlq", "show", "origin-1", "--json"]);
    let document = documents(&shown.stdout).remove(0);
    assert_eq!(document["record"]["dead_at"], "2025-02-12T14:31:54.123Z");
    let others = document["others"].as_array().expect("others");
    assert_eq!(others.len(), 2);
    let other = others[0].as_str().expect("an id");
    assert_told(&shown, 0, &["the newest of 3 letters of the event", other]);
    let other = world.home.run(&["dlq", "show", other, "--json"]);
    let other = documents(&other.stdout).remove(0);
    assert_ne!(other["record"]["dead_at"], document["record"]["dead_at"]);
    assert!(other.get("others").is_none());
}
