//! Where values come from, and that everything is told at once.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use delivery::Authentication;

use super::*;

#[test]
fn all_mistakes_are_told_at_once_each_with_its_line() {
    let text = r#"
environment = "production"
colour = "blue"

[queue]
url = "https://sqs.example/1/events.fifo"

[callback.production]
url = "http://hooks.example.com/"
shared_secret = "hunter2"

[retry]
delay = ["0s"]
accept = [500]

[worker]
max_in_flight = 0
"#;
    let problems = problems(text, &[("HOOKLANE_WORKER__LEDGR", "sqlite:x")]);
    let begin_and_end = [
        ("colour: unknown key", "(hooklane.toml:3)"),
        (
            "retry.delay: unknown key: did you mean retry.delays?",
            "(hooklane.toml:13)",
        ),
        (
            "HOOKLANE_WORKER__LEDGR: unknown key: did you mean HOOKLANE_WORKER__LEDGER?",
            "",
        ),
        (
            "queue.dead_letter_url: missing: set it in ",
            "or as HOOKLANE_QUEUE__DEAD_LETTER_URL",
        ),
        ("callback.production.url: plain http", "(hooklane.toml:9)"),
        (
            "callback.production.shared_secret: a secret is named here",
            "(hooklane.toml:10)",
        ),
        ("retry.accept: 500", "(hooklane.toml:14)"),
        ("worker.max_in_flight: 0", "(hooklane.toml:17)"),
    ];
    assert_eq!(problems.len(), begin_and_end.len(), "{problems:#?}");
    for (problem, (begin, end)) in problems.iter().zip(begin_and_end) {
        assert!(
            problem.starts_with(begin) && problem.ends_with(end),
            "{problem}"
        );
    }
}

#[test]
fn an_unknown_environment_does_not_hide_what_else_is_wrong_with_the_callbacks() {
    let text =
        GOOD.replace("https://hooks", "http://hooks") + "[callback.non_production]\nurl = \"x\"\n";
    let problems = problems(&text, &[("HOOKLANE_ENVIRONMENT", "prod")]);
    let keys = problems
        .iter()
        .map(|problem| problem.split(": ").next().unwrap_or_default());
    assert_eq!(
        keys.collect::<Vec<_>>(),
        [
            "environment",
            "callback.production.url",
            "callback.non_production.url"
        ]
    );
}

#[test]
fn every_syntax_error_has_its_line_and_quotes_nothing() {
    let place = Place::with("[queue]\nurl = \"hunter2\nx = = 1\n[queue]\n");
    let invalid = place.load(&[]).err().expect("no TOML").to_string();
    assert!(invalid.contains("hooklane.toml:2: not TOML: "), "{invalid}");
    assert!(invalid.contains("hooklane.toml:3: not TOML: "), "{invalid}");
    assert!(!invalid.contains("hunter2"), "{invalid}");
}

#[test]
fn a_file_that_was_asked_for_must_be_there_and_the_default_need_not() {
    let missing = Path::new("/nonexistent/hooklane.toml");
    let told = Source::load(Some(missing), Environment::default())
        .err()
        .expect("absent")
        .to_string();
    assert!(
        told.starts_with("/nonexistent/hooklane.toml: cannot be read"),
        "{told}"
    );
    let named = [("HOOKLANE_CONFIG", "/nonexistent/other.toml")]
        .into_iter()
        .collect();
    let told = Source::load(None, named).err().expect("absent").to_string();
    assert!(
        told.starts_with("/nonexistent/other.toml: cannot be read"),
        "{told}"
    );
    // The tests run where there is no hooklane.toml.
    let url = "https://sqs.example/1/events.fifo";
    let source = Source::load(None, [("HOOKLANE_QUEUE__URL", url)].into_iter().collect())
        .expect("none is needed");
    assert_eq!(queue_url(&source).as_deref(), Ok(url));
}

#[test]
fn files_that_are_no_text_are_refused() {
    let place = Place::with("");
    place.write("hooklane.toml", b"environment = \"\xff\"");
    assert!(
        place
            .load(&[])
            .err()
            .expect("not UTF-8")
            .to_string()
            .contains("it is not UTF-8")
    );
    place.write("hooklane.toml", &vec![b'#'; 1024 * 1024 + 1]);
    assert!(
        place
            .load(&[])
            .err()
            .expect("too large")
            .to_string()
            .contains("larger than 1 MiB")
    );
    let directory = Source::load(Some(place.directory.path()), Environment::default());
    assert!(
        directory
            .err()
            .expect("a directory")
            .to_string()
            .contains("cannot be read")
    );
}

#[test]
fn variables_lie_over_the_file_with_toml_values_and_plain_texts() {
    let config = Place::with(GOOD)
        .work(&[
            ("HOOKLANE_RETRY__DELAYS", "[\"1s\", \"2s\"]"),
            ("HOOKLANE_RETRY__TIMEOUT", "5s"),
            ("HOOKLANE_WORKER__MAX_IN_FLIGHT", "7"),
            ("HOOKLANE_WORKER__VISIBILITY_TIMEOUT", "\"1m\""),
            ("HOOKLANE_ENDPOINT__ALLOW_HTTP", "true"),
            (
                "HOOKLANE_ENDPOINT__ALLOW_NETWORKS",
                "[\"127.0.0.1\", \"10.1.2.3/8\"]",
            ),
            (
                "HOOKLANE_CALLBACK__PRODUCTION__EVENTS__talent_created",
                "http://a.example/t",
            ),
            (
                "HOOKLANE_CALLBACK__PRODUCTION__EVENTS__talentDeleted",
                "http://a.example/d",
            ),
            (
                "HOOKLANE_CALLBACK__PRODUCTION__EVENTS__JOB",
                "http://a.example/j",
            ),
        ])
        .expect("valid");
    let settings = config.schedule.settings();
    assert_eq!(settings.delays, [1, 2].map(Duration::from_secs));
    assert_eq!(settings.timeout, Duration::from_secs(5));
    assert_eq!(config.worker.max_in_flight, 7);
    assert_eq!(config.worker.visibility_timeout, Duration::from_secs(60));
    let networks = config
        .endpoint
        .allow_networks
        .iter()
        .map(ToString::to_string);
    assert_eq!(networks.collect::<Vec<_>>(), ["127.0.0.1/32", "10.0.0.0/8"]);
    let events = config.callback.events.keys().map(String::as_str);
    assert_eq!(
        events.collect::<Vec<_>>(),
        ["job", "talentDeleted", "talent_created"]
    );
}

#[test]
fn variables_that_are_not_utf8_or_set_no_key_are_told_and_ours_that_set_none_are_not() {
    use std::os::unix::ffi::OsStringExt;
    let place = Place::with(GOOD);
    let not_text = std::ffi::OsString::from_vec(vec![0xff]);
    let variables = [
        ("WORKN_SECRET".into(), SECRET.into()),
        ("HOOKLANE_LOG".into(), "debug".into()),
        ("HOOKLANE_CONFIG".into(), place.path().into_os_string()),
        ("HOOKLANE_QUEUE__URL".into(), not_text),
        ("HOOKLANE_COLOUR".into(), "blue".into()),
    ];
    let variables: [(std::ffi::OsString, std::ffi::OsString); 5] = variables;
    let source = Source::load(None, variables.into_iter().collect()).expect("readable");
    let problems = told(work(&source), place.directory.path());
    assert_eq!(problems.len(), 2, "{problems:#?}");
    assert!(
        problems[0].starts_with("HOOKLANE_QUEUE__URL: not UTF-8"),
        "{problems:#?}"
    );
    assert!(
        problems[1].starts_with("HOOKLANE_COLOUR: unknown key: there are environment, queue,"),
        "{problems:#?}"
    );
}

#[test]
fn each_command_asks_for_its_part_only() {
    let only_dead = "[queue]\ndead_letter_url = \"https://sqs.example/1/internal.fifo\"\n[retry]\ntimeout = 5\n";
    let source = Place::with(only_dead).load(&[]).expect("readable");
    assert_eq!(
        dead_letter_url(&source).as_deref(),
        Ok("https://sqs.example/1/internal.fifo")
    );
    let missing = queue_url(&source).expect_err("no source queue").to_string();
    assert!(
        missing.starts_with("queue.url: missing: set it in "),
        "{missing}"
    );
    assert!(queue_pair(&source).is_err());
}

#[test]
fn the_environment_chooses_the_callback_and_the_other_needs_no_secret_at_hand() {
    let staging = "\n[callback.non_production]\nurl = \"https://staging.example/\"\napi_key = \"env:STAGING_KEY\"\n";
    let place = Place::with(&(GOOD.to_owned() + staging));
    let config = place.work(&[]).expect("valid");
    assert_eq!(
        config.callback.url.expect("one").host_str(),
        Some("hooks.example.com")
    );
    assert!(check(place.load(&[]).as_ref()).valid);

    let variables = [
        ("HOOKLANE_ENVIRONMENT", "non-production"),
        ("STAGING_KEY", "k1"),
    ];
    let config = place.work(&variables).expect("valid");
    assert_eq!(
        config.callback.url.expect("one").host_str(),
        Some("staging.example")
    );
    assert!(matches!(
        config.callback.authentication,
        Authentication::ApiKey { .. }
    ));
}

#[test]
fn a_callback_at_an_address_that_will_be_refused_is_warned_of() {
    let place = Place::with(GOOD);
    let url = "HOOKLANE_CALLBACK__PRODUCTION__URL";
    let event = "HOOKLANE_CALLBACK__PRODUCTION__EVENTS__a";
    for (variable, host, key) in [
        (url, "127.0.0.1:8080", "callback.production.url"),
        (url, "localhost", "callback.production.url"),
        (url, "[::ffff:10.0.0.1]", "callback.production.url"),
        (event, "169.254.169.254", "callback.production.events.a"),
    ] {
        let config = place
            .work(&[(variable, &format!("https://{host}/"))])
            .expect("valid");
        let [warning] = &config.warnings[..] else {
            panic!("{host}: {:?}", config.warnings)
        };
        assert_eq!(warning.key, key);
        assert!(
            warning.problem.contains("not in endpoint.allow_networks"),
            "{warning}"
        );
    }
    let allowed = [
        (url, "https://localhost/"),
        ("HOOKLANE_ENDPOINT__ALLOW_NETWORKS", "[\"::1\"]"),
    ];
    assert_eq!(place.work(&allowed).expect("valid").warnings, []);
    let checked = check(place.load(&[(url, "https://10.0.0.1/")]).as_ref());
    assert!(checked.valid && checked.warnings.len() == 1, "{checked:?}");
}

#[test]
fn a_ledger_that_others_may_write_is_warned_of() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("hooklane.db");
    std::fs::write(&path, "").expect("written");
    let ledger = format!("sqlite:{}", path.display());
    let given = [("HOOKLANE_WORKER__LEDGER", ledger.as_str())];
    let place = Place::with(GOOD);
    for (mode, warned) in [(0o600, 0), (0o666, 1)] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("set");
        let config = place.work(&given).expect("valid");
        assert_eq!(config.warnings.len(), warned, "{:?}", config.warnings);
        let checked = check(place.load(&given).as_ref());
        assert!(checked.valid, "{checked:?}");
        assert_eq!(checked.warnings.len(), warned, "{checked:?}");
    }
}

#[test]
fn a_ledger_that_no_worker_here_could_open_is_warned_of() {
    let place = Place::with(GOOD);
    let directory = tempfile::tempdir().expect("a directory");
    let shown = directory.path().display();
    for (path, why) in [
        (
            format!("{shown}/none/hooklane.db"),
            format!("there is no directory {shown}/none"),
        ),
        (
            shown.to_string(),
            "it is a directory, not a file".to_owned(),
        ),
        ("/dev/null".to_owned(), "it is a device".to_owned()),
        ("/".to_owned(), "it is a directory".to_owned()),
    ] {
        let ledger = format!("sqlite:{path}");
        let given = [("HOOKLANE_WORKER__LEDGER", ledger.as_str())];
        let checked = check(place.load(&given).as_ref());
        let [warning] = &checked.warnings[..] else {
            panic!("{path}: {checked:?}")
        };
        assert!(checked.valid, "it may be meant for another machine");
        assert_eq!(warning.key, "worker.ledger");
        assert!(warning.problem.contains(&why), "{warning}");
        // Who starts a worker is told once: by the error.
        assert_eq!(place.work(&given).expect("valid").warnings, []);
    }
}

#[test]
fn profiles_are_changed_key_by_key() {
    let place = Place::with(GOOD);
    let avaza = [
        ("HOOKLANE_RETRY__PROFILE", "avaza"),
        ("HOOKLANE_RETRY__RETRY_AFTER", "lengthen"),
    ];
    let config = place.work(&avaza).expect("valid");
    let settings = config.schedule.settings();
    assert_eq!(
        (settings.delays.len(), settings.accept.as_slice()),
        (13, &[200][..])
    );
    let max = Duration::from_secs(15 * 60);
    assert_eq!(settings.retry_after, delivery::RetryAfter::Lengthen { max });
    let none = place
        .work(&[("HOOKLANE_RETRY__DELAYS", "[]")])
        .expect("valid");
    assert_eq!(none.schedule.attempts(), 1);
}

#[test]
fn the_ledger_lies_beside_the_configuration() {
    let place = Place::with(GOOD);
    let config = place.work(&[]).expect("valid");
    assert_eq!(
        config.worker.ledger,
        store::LedgerSpec::Sqlite(place.directory.path().join("hooklane.db"))
    );
    let odd = place
        .work(&[("HOOKLANE_WORKER__LEDGER", "sqlite::memory:")])
        .expect("a file of that name");
    assert_eq!(
        odd.worker.ledger,
        store::LedgerSpec::Sqlite(place.directory.path().join(":memory:"))
    );
}

#[test]
fn a_table_is_named_as_it_is() {
    let place = Place::with(GOOD);
    let table = [("HOOKLANE_WORKER__LEDGER", "dynamodb:attempts")];
    let config = place.work(&table).expect("valid");
    let ledger = store::LedgerSpec::DynamoDb("attempts".to_owned());
    assert_eq!(config.worker.ledger, ledger);
}

#[test]
fn a_check_shows_every_value_in_use_with_its_place() {
    let place = Place::with(GOOD);
    let report = check(place.load(&[("HOOKLANE_RETRY__TIMEOUT", "5s")]).as_ref());
    assert!(report.valid, "{:?}", report.problems);
    for (line, source) in [
        ("environment = \"production\"", "# default"),
        ("timeout = \"5s\"", "# HOOKLANE_RETRY__TIMEOUT"),
        ("max_in_flight = 256", "# default"),
        (
            "url = \"https://hooks.example.com/workn\"",
            "hooklane.toml:7",
        ),
    ] {
        let shown = report.text.lines().find(|shown| shown.starts_with(line));
        assert!(
            shown.is_some_and(|shown| shown.ends_with(source)),
            "{line}: {}",
            report.text
        );
    }
    let again = report
        .text
        .parse::<toml::Table>()
        .expect("what is shown is TOML");
    assert_eq!(again, report.config);
}
