//! Arguments: what is refused, and what help says.

use crate::support::{Home, assert_told};

#[test]
fn arguments_that_cannot_be_exit_with_2_and_say_what_can() {
    for (arguments, said) in [
        (&["deliver"][..], "unrecognized subcommand"),
        (&[], "Usage: hooklane"),
        (&["listen"], "--port <N>"),
        (&["listen", "--port", "70000"], "70000"),
        (
            &["listen", "--port", "0", "--respond", "200,99"],
            "statuses from 200 to 599",
        ),
        (&["verify", "body.json"], "--secret <SECRET>"),
        (&["send", "--lane", "2/2"], "0 <= i < n"),
        (&["send", "--from", "0"], "0 is not in 1.."),
        (
            &["local-sqs", "--listen", "localhost:0"],
            "write an address with its port, as in 127.0.0.1:9324",
        ),
        (&["local-sqs", "--max-messages", "0"], "0 is not in 1.."),
        (&["demo", "--minute", "soon"], "\"30s\""),
        (
            &["work", "--log-format", "xml"],
            "[possible values: text, json]",
        ),
        (&["dlq", "show"], "<ID>"),
        (&["dlq", "ls", "--limit", "0"], "0 is not in 1.."),
        (
            &["dlq", "ls", "--status", "6xx"],
            "--status: \"6xx\" cannot stand here: write a status (500)",
        ),
        (&["dlq", "ls", "--reason", "tired"], "--reason: \"tired\""),
        (
            &["dlq", "groups", "--since", "soon"],
            "or how long ago: 30m",
        ),
        (
            &["dlq", "ls", "--since", "1h", "--until", "2h"],
            "nothing can match",
        ),
        // What an unset variable leaves must not mean every letter.
        (&["dlq", "ls", "--group", ""], "--group: it is empty"),
        (&["queues", "create"], "<NAME>"),
    ] {
        let ended = Home::new().run(arguments);
        assert_eq!(ended.code, Some(2), "{arguments:?}: {ended:?}");
        assert!(
            ended.stderr.contains(said),
            "{arguments:?}: {}",
            ended.stderr
        );
        assert_eq!(ended.stdout, "", "{arguments:?}");
    }
}

#[test]
fn help_names_every_command_and_shows_examples() {
    let help = Home::new().run(&["--help"]);
    assert_eq!(help.code, Some(0));
    for command in [
        "demo",
        "local-sqs",
        "queues",
        "ledger",
        "send",
        "work",
        "listen",
        "verify",
        "dlq",
        "config",
    ] {
        assert!(
            help.stdout.contains(&format!("\n  {command} ")),
            "{command}: {}",
            help.stdout
        );
    }
    assert!(help.stdout.contains("Examples:"), "{}", help.stdout);
    let viewing = Home::new().run(&["dlq", "--help"]);
    assert!(
        viewing.stdout.contains("counts it as a receive"),
        "{}",
        viewing.stdout
    );
}

#[test]
fn the_version_is_that_of_the_user_agent() {
    let version = Home::new().run(&["--version"]);
    assert_eq!(version.code, Some(0));
    assert_eq!(
        version.stdout,
        format!("hooklane {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn a_log_level_that_is_none_is_told() {
    let ended = Home::new()
        .set("HOOKLANE_LOG", "consumer=loud")
        .run(&["config", "check"]);
    assert_told(
        &ended,
        2,
        &["HOOKLANE_LOG: ", "write error, warn, info, debug or trace"],
    );
}
