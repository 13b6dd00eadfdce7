//! Arguments: what is refused, and what help says.

use rig::program::{Home, assert_told};

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
            &["dlq", "ls", "--status", "0xx"],
            "--status: \"0xx\" cannot stand here: write a status (500)",
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
fn what_an_argument_or_a_file_holds_forges_no_line_of_a_complaint() {
    const FORGED: &str = "x\nforged\u{b}forged\u{85}forged\u{2028}forged\u{1b}[2Jforged";
    let of = |before: &str| format!("{before}{FORGED}");
    for arguments in [
        &["FORGED"][..],
        &["FORGED", "--x"],
        &["--FORGED"],
        &["listen", "--port", "FORGED"],
        &["listen", "--port", "0", "--save", "file/FORGED"],
        &["demo", "--minute", "FORGED"],
        &["dlq", "ls", "--status", "FORGED"],
        &["dlq", "ls", "--reason", "FORGED"],
        &["dlq", "ls", "--since", "FORGED"],
        &["send", "--lane", "FORGED"],
        &["--config", "FORGED.toml", "config", "check"],
        &["--config", "FORGED.toml", "work"],
        &["verify", "--secret", "s", "--signature", "x", "FORGED"],
        &["config", "check"],
        &["work"],
    ] {
        let arguments: Vec<_> = arguments
            .iter()
            .map(|argument| argument.replace("FORGED", FORGED))
            .collect();
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let mut home = Home::with(&format!("[queue]\n\"{}\" = 1", FORGED.escape_debug()));
        home.write("file", "");
        home.set("HOOKLANE_WORKER__LEDGER", &of("sqlite-"));
        let ended = home.run(&arguments);
        assert_ne!(ended.code, Some(0), "{arguments:?}: {ended:?}");
        for line in [&ended.stderr, &ended.stdout]
            .iter()
            .flat_map(|text| text.split(|c: char| c.is_control() || c == '\u{2028}'))
        {
            assert!(!line.starts_with("forged"), "{arguments:?}: {ended:?}");
        }
    }
    let ended = Home::new()
        .set("HOOKLANE_LOG", &of("a=b"))
        .run(&["config", "check"]);
    assert!(!ended.stderr.contains("\nforged"), "{ended:?}");
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
