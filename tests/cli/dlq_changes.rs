//! `dlq replay` and `dlq drop`: what they refuse, ask and answer.

use std::collections::BTreeMap;
use std::process::Stdio;

use queue::Outgoing;
use rig::program::{Service, assert_told};

use crate::dlq::{World, two_setups};

/// The value of a key of the world's configuration.
pub(crate) fn configured(world: &World, key: &str) -> String {
    let configuration =
        std::fs::read_to_string(world.home.path("hooklane.toml")).expect("a configuration");
    let line = format!("{key} = \"");
    let value = configuration
        .lines()
        .find_map(|l| l.strip_prefix(&line)?.strip_suffix('"'));
    value.expect("configured").to_owned()
}

#[test]
fn letters_are_not_replayed_into_the_internal_queue_whatever_it_is_called() {
    let world = World::holding(two_setups());
    let internal = configured(&world, "dead_letter_url");
    let other_name = internal.replace("127.0.0.1", "localhost");
    assert_ne!(internal, other_name);
    for to in [internal, other_name] {
        let ended = world
            .home
            .run(&["dlq", "replay", "--all", "--yes", "--to", &to]);
        assert_told(&ended, 2, &["--to names the internal queue itself"]);
    }
    assert_eq!(world.counts().visible, 12);
}

#[test]
fn a_replay_that_failed_exits_with_1_though_nobody_reads_what_it_prints() {
    // They come from another queue than this one.
    let world = World::holding(two_setups());
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let child = world
        .home
        .command(&["dlq", "replay", "--all", "--yes"])
        .stdin(Stdio::null())
        .stdout(writer)
        .spawn();
    let ended = Service::of(child.expect("started")).wait();
    assert_told(&ended, 1, &["name it with --to"]);
}

#[test]
fn a_drop_whose_reason_looks_like_a_filter_is_refused() {
    let world = World::holding(two_setups());
    let arguments = [
        "dlq",
        "drop",
        "--group",
        "EventSetup_7",
        "--reason",
        "exhausted",
        "--yes",
    ];
    let ended = world.home.run(&arguments);
    assert_told(&ended, 2, &["--died-of exhausted"]);
    assert_eq!(world.counts().visible, 12);
}

#[test]
fn a_drop_into_a_directory_that_is_not_there_is_refused_before_anything_is_held() {
    let world = World::holding(two_setups());
    let drop = [
        "dlq", "drop", "--status", "5xx", "--reason", "test", "--file",
    ];
    let ended = world.home.run(&[&drop[..], &["no/such.jsonl"]].concat());
    assert_told(
        &ended,
        2,
        &["no/such.jsonl cannot be made: its directory is not there"],
    );
    assert!(!ended.stderr.contains("--yes"), "{ended:?}");
}

/// What the native redrive leaves: SQS shows ten of them.
fn fifteen_of_a_shared_group() -> Vec<Outgoing> {
    let letter = |n| Outgoing {
        body: "{}".to_owned(),
        group: Some("EventSetup_3".to_owned()),
        deduplication_id: Some(format!("n-{n}")),
        attributes: BTreeMap::new(),
    };
    (0..15).map(letter).collect()
}

#[test]
fn nobody_is_asked_about_nothing() {
    let world = World::holding(fifteen_of_a_shared_group());
    let none = world.home.run(&["dlq", "replay", "--group", "none-such"]);
    assert_told(&none, 0, &["incomplete: 5 messages hidden"]);
    assert_eq!(none.stdout, "no dead letters to replay\n");
    let drop = ["dlq", "drop", "--group", "none-such", "--reason", "test"];
    let none = world.home.run(&drop);
    assert_told(&none, 0, &["incomplete: 5 messages hidden"]);
    assert_eq!(none.stdout, "no dead letters to drop\n");
}

#[test]
fn a_question_says_that_more_goes_than_can_be_seen() {
    let world = World::holding(fifteen_of_a_shared_group());
    let drop = ["dlq", "drop", "--reason", "test", "--group", "EventSetup_3"];
    for command in [&["dlq", "replay", "--all"][..], &drop] {
        let asked = world.home.run(command);
        let told = "10 dead letters, and what their groups hide behind them,";
        assert_told(&asked, 1, &[told]);
    }
}

#[test]
fn what_is_hidden_in_other_groups_is_told_and_asks_for_nothing() {
    let mut letters = two_setups();
    letters.extend(fifteen_of_a_shared_group());
    let world = World::holding(letters);
    let replay = ["dlq", "replay", "--accept-order", "--group"];
    // They come from another queue: it fails, but asks for nothing.
    let ended = world.home.run(&[&replay[..], &["EventSetup_7"]].concat());
    assert_told(
        &ended,
        1,
        &["messages hidden: SQS shows only", "name it with --to"],
    );
    assert!(!ended.stderr.contains("--accept"), "{ended:?}");
    let ended = world.home.run(&[&replay[..], &["EventSetup_3"]].concat());
    assert_told(
        &ended,
        1,
        &["(EventSetup_3)", "Say so with --accept-hidden"],
    );
    let both = ["dlq", "replay", "--group", "EventSetup_3", "--yes"];
    let ended = world.home.run(&both);
    assert_told(
        &ended,
        1,
        &[
            "the native redrive moved them",
            "Say so with --accept-order --accept-hidden",
        ],
    );
    let all = [&both[..], &["--accept-hidden", "--accept-order"]].concat();
    assert_told(
        &world.home.run(&all),
        0,
        &["messages hidden: SQS shows only"],
    );
    assert_eq!(world.counts().visible, 12);
}

#[test]
fn a_limit_of_nothing_is_a_slip() {
    let world = World::holding(two_setups());
    for command in ["replay", "drop"] {
        let limited = [
            "dlq", command, "--group", "g", "--limit", "0", "--reason", "test",
        ];
        let ended = world.home.run(&limited);
        assert_eq!(ended.code, Some(2), "{ended:?}");
    }
}
