//! `dlq export` and `dlq import`: dead letters in a file, and back.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;

use queue::Outgoing;
use rig::program::{Home, assert_told, documents};

use crate::dlq::{World, two_setups};

fn read(home: &Home, name: &str) -> String {
    std::fs::read_to_string(home.path(name)).expect("read")
}

/// Everything `dlq ls` says of every letter.
fn listed(world: &World) -> String {
    world.home.run(&["dlq", "ls", "--json"]).stdout
}

#[test]
fn an_export_takes_nothing_out_and_is_its_owners_alone() {
    let world = World::holding(two_setups());
    let before = world.counts();
    let exported = world.home.run(&["dlq", "export", "all.jsonl", "--json"]);
    assert_eq!(exported.code, Some(0), "{exported:?}");
    let document = documents(&exported.stdout).remove(0);
    assert_eq!(
        (&document["exported"], &document["file"]),
        (&12.into(), &"all.jsonl".into())
    );
    assert_eq!(world.counts(), before);
    let lines = documents(&read(&world.home, "all.jsonl"));
    let mut ids: Vec<_> = lines
        .iter()
        .map(|line| line["id"].as_str().expect("an id"))
        .collect();
    ids.sort();
    let mut expected = world.ids(&[]);
    expected.sort();
    assert_eq!(ids, expected);
    let mode = std::fs::metadata(world.home.path("all.jsonl"))
        .expect("there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);

    let file = read(&world.home, "all.jsonl");
    let again = world.home.run(&["dlq", "export", "all.jsonl"]);
    assert_told(
        &again,
        2,
        &["all.jsonl exists already and is not overwritten"],
    );
    assert_eq!(read(&world.home, "all.jsonl"), file);
    let nowhere = world.home.run(&["dlq", "export", "no/such/folder"]);
    assert_told(
        &nowhere,
        2,
        &["no/such/folder cannot be made: No such file"],
    );
}

#[test]
fn an_export_of_some_goes_to_standard_output_too() {
    let world = World::holding(two_setups());
    let exported = world
        .home
        .run(&["dlq", "export", "-", "--group", "EventSetup_8"]);
    assert_eq!(
        (exported.code, exported.stderr.as_str()),
        (Some(0), ""),
        "{exported:?}"
    );
    let lines = documents(&exported.stdout);
    assert_eq!(lines.len(), 6);
    assert!(lines.iter().all(|line| line["group"] == "EventSetup_8"));
    let both = world.home.run(&["dlq", "export", "-", "--json"]);
    assert_told(
        &both,
        2,
        &["--json prints a result where the dead letters go"],
    );
}

#[test]
fn what_was_dropped_is_imported_as_it_was_and_the_audit_log_says_by_whom() {
    let world = World::holding(two_setups());
    let before = listed(&world);
    let drop = [
        "dlq",
        "drop",
        "--until",
        "2100-01-01",
        "--reason",
        "a test",
        "--file",
        "d.jsonl",
        "--yes",
    ];
    let dropped = world.home.run(&drop);
    assert_eq!(dropped.code, Some(0), "{dropped:?}");
    assert_eq!(listed(&world), "");
    let import = [
        "dlq",
        "import",
        "d.jsonl",
        "--why",
        "dropped by mistake",
        "--json",
        "--log-format",
        "json",
    ];
    let imported = world.home.run(&import);
    assert_eq!(imported.code, Some(0), "{imported:?}");
    let document = documents(&imported.stdout).remove(0);
    assert_eq!(document["imported"], 12);
    assert!(document["unsent_from"].is_null(), "{document}");
    assert_eq!(listed(&world), before);

    let audit = documents(&imported.stderr);
    let audit: Vec<_> = audit
        .iter()
        .filter(|line| line["target"] == "audit")
        .collect();
    assert_eq!(audit.len(), 12, "{}", imported.stderr);
    assert_eq!(audit[0]["action"], "import");
    assert_eq!(audit[0]["why"], "dropped by mistake");
    assert!(
        audit[0]["to"]
            .as_str()
            .expect("a URL")
            .ends_with("/events-internal.fifo")
    );

    // Once more, at once: SQS drops what it has.
    let again = world.home.run(&["dlq", "import", "d.jsonl"]);
    assert_eq!(again.stdout, "12 dead letters imported\n");
    assert_eq!(world.counts().visible, 12);
}

#[test]
fn some_lines_of_another_queues_export_are_imported_from_standard_input() {
    let world = World::holding(two_setups());
    let exported = world.home.run(&["dlq", "export", "-"]).stdout;
    let other = exported.replace("/events-internal.fifo", "/others-internal.fifo");
    let some: String = other
        .lines()
        .filter(|line| line.contains("EventSetup_8"))
        .map(|line| format!("{line}\n"))
        .collect();
    let empty = World::with(0);
    let imported = empty
        .home
        .run_with(&["dlq", "import", "-", "--from", "3"], some.as_bytes());
    assert_told(
        &imported,
        0,
        &[
            "4 of 4 dead letters come from another queue, http",
            "others-internal.fifo: they are put into http",
        ],
    );
    assert_eq!(imported.stdout, "4 dead letters imported\n");
    assert_eq!(empty.counts().visible, 4);
}

#[test]
fn a_bad_line_is_named_and_nothing_is_sent() {
    let world = World::holding(two_setups());
    world.home.run(&["dlq", "export", "all.jsonl"]);
    let mut lines: Vec<_> = read(&world.home, "all.jsonl")
        .lines()
        .map(str::to_owned)
        .collect();
    lines[2] = "{\"msg_id\":\"an event\"}".to_owned();
    lines[7].truncate(200);
    let empty = World::with(0);
    empty.home.write("bad.jsonl", lines.join("\n"));
    let imported = empty.home.run(&["dlq", "import", "bad.jsonl", "--json"]);
    assert_told(
        &imported,
        1,
        &[
            "bad.jsonl:3: no letter of an export: missing field",
            "bad.jsonl:8: not valid JSON, at column 200",
            "nothing was sent",
        ],
    );
    let document = documents(&imported.stdout).remove(0);
    assert_eq!(
        (&document["imported"], &document["unsent_from"]),
        (&0.into(), &1.into())
    );
    assert_eq!(document["rejected"][1]["line"], 8);
    assert_eq!(empty.counts().total(), 0);
    for (file, said) in [
        ("nowhere.jsonl", "No such file"),
        (".", "it is a directory"),
    ] {
        let unreadable = empty.home.run(&["dlq", "import", file]);
        assert_told(&unreadable, 2, &[&format!("cannot read {file}: "), said]);
    }
}

#[test]
fn an_export_that_cannot_have_seen_all_says_so() {
    let native = (0..12).map(|n| Outgoing {
        body: "{}".to_owned(),
        group: Some("EventSetup_7".to_owned()),
        deduplication_id: Some(n.to_string()),
        attributes: BTreeMap::new(),
    });
    let world = World::holding(native.collect());
    let exported = world.home.run(&["dlq", "export", "some.jsonl", "--json"]);
    assert_told(&exported, 1, &["incomplete: 2 messages hidden"]);
    let document = documents(&exported.stdout).remove(0);
    assert_eq!(
        (&document["exported"], &document["complete"]),
        (&10.into(), &false.into())
    );
}
