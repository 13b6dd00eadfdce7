//! Where secrets come from, what is part of them, and that none is ever told.

use delivery::Authentication;

use super::*;

#[test]
fn a_variable_that_a_secret_is_taken_from_sets_no_key() {
    let text = GOOD.replace("env:WORKN_SECRET", "env:HOOKLANE_WORKN");
    let config = Place::with(&text)
        .work(&[("HOOKLANE_WORKN", "s3")])
        .expect("valid");
    assert!(matches!(
        config.callback.authentication,
        Authentication::Signed { .. }
    ));
}

#[test]
fn a_line_ending_at_the_end_of_a_variable_is_no_part_of_the_secret() {
    for (written, secret) in [("s 1\n", "s 1"), ("s1\r\n", "s1"), ("s1\n\n", "s1\n")] {
        let config = Place::with(GOOD)
            .work(&[("WORKN_SECRET", written)])
            .expect("valid");
        let Authentication::Signed { secrets, .. } = &config.callback.authentication else {
            panic!("not signed");
        };
        assert_eq!(secrets[0].expose(), secret);
    }
    let place = Place::with(GOOD);
    let problems = told(
        place.work(&[("WORKN_SECRET", "\n")]),
        place.directory.path(),
    );
    assert!(
        problems[0].contains("env:WORKN_SECRET is empty"),
        "{problems:?}"
    );
}

#[test]
fn what_stands_around_a_secret_is_warned_of_by_its_kind_alone() {
    for (secret, said) in [
        ("hunter2 ", "ends with white space"),
        ("\thunter2", "begins with a control character"),
        ("hunter2\u{a0}", "ends with white space"),
        ("hunter2\n\n", "ends with a line end"),
        ("\u{feff}hunter2\n", "begins with a byte order mark"),
        ("hunter2\u{1}", "ends with a control character"),
        ("\u{200b}hunter2", "begins with an invisible character"),
        ("hunter2\u{ad}", "ends with an invisible character"),
        ("\u{ab}hunter2\u{bb}", "begins with a typographic quote"),
        ("hunter2\u{203a}", "ends with a typographic quote"),
        ("\"hunter2\"", "stands between quotes"),
        ("'hunter2'\n", "stands between quotes"),
        ("\u{201c}hunter2\u{201d}", "begins with a typographic quote"),
    ] {
        let place = Place::with(GOOD);
        let variables = [("WORKN_SECRET", secret)];
        let config = place.work(&variables).expect("valid");
        let [warning] = &config.warnings[..] else {
            panic!("{secret:?}: {:?}", config.warnings);
        };
        assert_eq!(warning.key, "callback.production.shared_secret");
        let told = format!("env:WORKN_SECRET {said}: all of it is used as the secret");
        assert!(warning.problem.contains(&told), "{secret:?}: {warning}");
        assert!(!warning.problem.contains("hunter2"), "{warning}");
        let checked = check(place.load(&variables).as_ref());
        assert!(checked.valid && checked.warnings.len() == 1, "{checked:?}");
    }
    for fine in [
        "hunter2",
        "hunter2'",
        "\"hunter2",
        "'",
        "a b",
        "a\u{1}b",
        "\u{e9}",
    ] {
        let config = Place::with(GOOD)
            .work(&[("WORKN_SECRET", fine)])
            .expect(fine);
        assert_eq!(config.warnings, [], "{fine}");
    }
}

#[test]
fn secrets_come_from_files_beside_the_configuration_without_their_line_ending() {
    let place = Place::with(&GOOD.replace(
        "\"env:WORKN_SECRET\"",
        "[\"file:new\", \"env:WORKN_SECRET\"]",
    ));
    for (written, secret) in [
        ("s 1", "s 1"),
        ("s1\n", "s1"),
        ("s1\r\n", "s1"),
        ("s1\n\n", "s1\n"),
    ] {
        place.write("new", written.as_bytes());
        let config = place.work(&[]).expect("valid");
        let Authentication::Signed { secrets, .. } = &config.callback.authentication else {
            panic!("not signed");
        };
        let exposed = secrets.iter().map(delivery::Secret::expose);
        assert_eq!(exposed.collect::<Vec<_>>(), [secret, SECRET]);
    }
    for (written, said) in [
        (b"".to_vec(), "file:new is empty"),
        (b"\n".to_vec(), "file:new is empty"),
        (b"\xff".to_vec(), "file:new is not UTF-8"),
        (vec![b'x'; 100_000], "file:new is longer than 8192 bytes"),
    ] {
        place.write("new", &written);
        let problems = told(place.work(&[]), place.directory.path());
        assert!(
            problems.len() == 1 && problems[0].contains(said),
            "{problems:?}"
        );
    }
    assert!(problems(GOOD, &[("WORKN_SECRET", "")])[0].contains("env:WORKN_SECRET is empty"));
}

#[test]
fn no_secret_is_shown_by_a_check_an_error_or_debug() {
    let text = GOOD.replace("/workn\"", "/workn?token=hunter2-token\"")
        + "\n[callback.non_production]\nurl = \"https://a:hunter2-b@c.example/\"\napi_key = \"hunter2-key\"\n";
    let place = Place::with(&text);
    let source = place.load(&[("WORKN_SECRET", "hunter2")]);
    let report = check(source.as_ref());
    let config = place.work(&[]).expect("valid").callback.authentication;
    let shown = [
        serde_json::to_string(&report).expect("serializable"),
        format!("{report:?} {}", report.text),
        format!("{config:?}"),
    ];
    for shown in shown {
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    assert!(!report.valid);
    assert!(
        report.text.contains("shared_secret = \"env:WORKN_SECRET\""),
        "{}",
        report.text
    );
    assert!(
        report
            .text
            .contains("https://hooks.example.com/workn?token=***"),
        "{}",
        report.text
    );
}
