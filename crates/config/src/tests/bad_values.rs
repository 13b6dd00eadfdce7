//! One value wrong at a time: which key is named, and what is said.

use super::*;

/// Checks a table: a variable laid over [`GOOD`] `|` the key that is named `|` part of what is said.
fn check(table: &str) {
    for row in table.lines().filter(|row| !row.trim().is_empty()) {
        let columns = row.trim().split(" | ").collect::<Vec<_>>();
        let [variable, key, said] = columns[..] else {
            panic!("not three columns: {row}");
        };
        let (name, value) = variable.split_once('=').expect("a variable");
        let problems = problems(GOOD, &[(name, value)]);
        let [problem] = problems.as_slice() else {
            panic!("{variable}: not one problem: {problems:#?}");
        };
        let begins = problem.starts_with(&format!("{key}: "));
        let ends = problem.ends_with(&format!(" ({name})"));
        assert!(
            begins && problem.contains(said) && ends,
            "{variable}: {problem}"
        );
    }
}

#[test]
fn a_good_configuration_has_no_problems() {
    let config = Place::with(GOOD).work(&[]).expect("valid");
    assert_eq!(
        config.callback.url.expect("one").as_str(),
        "https://hooks.example.com/workn"
    );
    assert_eq!(config.schedule.attempts(), 4);
    assert_eq!(config.worker.max_in_flight, 256);
    assert!(config.endpoint.reuse_connections);
    assert_eq!(config.worker.max_bytes_in_flight, 256 * 1024 * 1024);
    assert!(!config.endpoint.allow_http && config.endpoint.allow_networks.is_empty());
    assert_eq!(config.warnings, []);
}

#[test]
fn queue_urls_that_cannot_be() {
    check(
        r#"
        HOOKLANE_QUEUE__URL=events.fifo | queue.url | not a URL
        HOOKLANE_QUEUE__URL= | queue.url | empty
        HOOKLANE_QUEUE__URL=ftp://sqs/1/events.fifo | queue.url | not the URL of a queue
        HOOKLANE_QUEUE__URL=https://sqs.example/1/ | queue.url | is not the name of a queue
        HOOKLANE_QUEUE__URL=https://sqs.example/1/a.b.fifo | queue.url | is not the name of a queue
        HOOKLANE_QUEUE__URL=https://u:p@sqs.example/1/a.fifo | queue.url | no user, query or fragment
        HOOKLANE_QUEUE__URL=https://sqs.example/1/a.fifo?x=1 | queue.url | no user, query or fragment
        HOOKLANE_QUEUE__URL=[1] | queue.url | found a list
        HOOKLANE_QUEUE__DEAD_LETTER_URL=http://sqs.us-east-1.amazonaws.com:443/123456789012/events.fifo | queue.dead_letter_url | the same queue as queue.url
        HOOKLANE_QUEUE__DEAD_LETTER_URL=http://127.0.0.1:9324/123456789012/events.fifo | queue.dead_letter_url | the same queue as queue.url
        HOOKLANE_QUEUE__DEAD_LETTER_URL=https://sqs.example/1/internal | queue.dead_letter_url | a standard queue behind a FIFO source
    "#,
    );
}

#[test]
fn a_fifo_internal_queue_behind_a_standard_source_is_told_at_the_internal_queue() {
    let problems = problems(
        GOOD,
        &[("HOOKLANE_QUEUE__URL", "https://sqs.example/1/events")],
    );
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(
        problems[0].starts_with("queue.dead_letter_url: a FIFO queue behind a standard source"),
        "{problems:?}"
    );
}

#[test]
fn callbacks_that_cannot_be() {
    check(
        r#"
        HOOKLANE_CALLBACK__PRODUCTION__URL=hooks.example.com/workn | callback.production.url | not a URL
        HOOKLANE_CALLBACK__PRODUCTION__URL=http://hooks.example.com/ | callback.production.url | plain http is not allowed
        HOOKLANE_CALLBACK__PRODUCTION__URL=ftp://hooks.example.com/ | callback.production.url | not a way to deliver
        HOOKLANE_CALLBACK__PRODUCTION__URL=https://me:hunter2@hooks.example.com/ | callback.production.url | holds a user or a password
        HOOKLANE_CALLBACK__PRODUCTION__URL=https://hooks.example.com/#top | callback.production.url | holds a fragment
        HOOKLANE_CALLBACK__PRODUCTION__EVENTS__talent_created=http://hooks.example.com/ | callback.production.events.talent_created | plain http is not allowed
        HOOKLANE_CALLBACK__PRODUCTION__EVENTS__talent_created=7 | callback.production.events.talent_created | not a URL
        HOOKLANE_CALLBACK__PRODUCTION__SIGNATURE=md5 | callback.production.signature | standard-webhooks
        HOOKLANE_CALLBACK__PRODUCTION__API_KEY=env:WORKN_SECRET | callback.production.api_key | contradicts
        HOOKLANE_RETRY=x | retry | found a text: write a table
        HOOKLANE_ENVIRONMENT=staging | environment | write one of "production", "non-production"
    "#,
    );
}

#[test]
fn secrets_that_cannot_be_had() {
    check(
        r#"
        HOOKLANE_CALLBACK__PRODUCTION__SHARED_SECRET=hunter2 | callback.production.shared_secret | named here, never written: write env:NAME or file:PATH
        HOOKLANE_CALLBACK__PRODUCTION__SHARED_SECRET=["env:WORKN_SECRET", "hunter2"] | callback.production.shared_secret | item 2: a secret is named here
        HOOKLANE_CALLBACK__PRODUCTION__SHARED_SECRET=env:NO_SUCH_SECRET | callback.production.shared_secret | the environment variable "NO_SUCH_SECRET" is not set
        HOOKLANE_CALLBACK__PRODUCTION__SHARED_SECRET=env: | callback.production.shared_secret | names nothing
        HOOKLANE_CALLBACK__PRODUCTION__SHARED_SECRET=file:no-such-file | callback.production.shared_secret | file:no-such-file cannot be read
        HOOKLANE_CALLBACK__PRODUCTION__SHARED_SECRET=secretsmanager:prod/workn | callback.production.shared_secret | not supported yet by this version
        HOOKLANE_CALLBACK__PRODUCTION__SHARED_SECRET=ssm:/prod/workn | callback.production.shared_secret | not supported yet by this version
        HOOKLANE_CALLBACK__PRODUCTION__SHARED_SECRET=[] | callback.production.shared_secret | an empty list signs nothing
        HOOKLANE_CALLBACK__PRODUCTION__SHARED_SECRET=true | callback.production.shared_secret | never written
    "#,
    );
}

#[test]
fn schedules_that_cannot_be() {
    check(
        r#"
        HOOKLANE_RETRY__PROFILE=avionté | retry.profile | write one of "avionte", "avaza"
        HOOKLANE_RETRY__DELAYS=["0s", "1 minute"] | retry.delays | item 2: "1 minute" is not a duration
        HOOKLANE_RETRY__DELAYS=[0, 60] | retry.delays | 60 has no unit
        HOOKLANE_RETRY__DELAYS=["13d"] | retry.delays | a delay of 13d is too long
        HOOKLANE_RETRY__DELAYS=1m | retry.delays | found a text: write a list
        HOOKLANE_RETRY__ACCEPT=[] | retry.accept | name at least one status
        HOOKLANE_RETRY__ACCEPT=[200, 302] | retry.accept | 302 cannot mean accepted
        HOOKLANE_RETRY__ACCEPT=[-200] | retry.accept | out of range
        HOOKLANE_RETRY__TIMEOUT=0s | retry.timeout | out of range
        HOOKLANE_RETRY__TIMEOUT=16m | retry.timeout | write "1ms" to "15m"
        HOOKLANE_RETRY__RETRY_AFTER=shorten | retry.retry_after | "ignore", "lengthen"
        HOOKLANE_RETRY__RETRY_AFTER_MAX=20d | retry.retry_after_max | too long
    "#,
    );
    let many = format!("[{}]", vec!["\"0s\""; 51].join(","));
    let problems = problems(GOOD, &[("HOOKLANE_RETRY__DELAYS", &many)]);
    assert!(
        problems[0].contains("51 delays are too many: give at most 50"),
        "{problems:?}"
    );
}

#[test]
fn workers_and_endpoints_that_cannot_be() {
    check(
        r#"
        HOOKLANE_WORKER__LEDGER=dynamodb:a/b | worker.ledger | 3 to 255 letters
        HOOKLANE_WORKER__LEDGER=attempts.db | worker.ledger | sqlite:PATH
        HOOKLANE_WORKER__LEDGER=sqlite: | worker.ledger | path of a file
        HOOKLANE_WORKER__MAX_IN_FLIGHT=0 | worker.max_in_flight | write 1 to 10000
        HOOKLANE_WORKER__MAX_BYTES_IN_FLIGHT=256 | worker.max_bytes_in_flight | not a size: write
        HOOKLANE_WORKER__MAX_BYTES_IN_FLIGHT=512KiB | worker.max_bytes_in_flight | write "1MiB" to "64GiB"
        HOOKLANE_WORKER__MAX_IN_FLIGHT=10001 | worker.max_in_flight | write 1 to 10000
        HOOKLANE_WORKER__MAX_IN_FLIGHT=many | worker.max_in_flight | write a whole number
        HOOKLANE_WORKER__MAX_IN_FLIGHT=99999999999999999999 | worker.max_in_flight | write a whole number
        HOOKLANE_WORKER__VISIBILITY_TIMEOUT=39s | worker.visibility_timeout | at least 40s
        HOOKLANE_WORKER__VISIBILITY_TIMEOUT=12h | worker.visibility_timeout | at most 11h
        HOOKLANE_WORKER__VISIBILITY_TIMEOUT=90500ms | worker.visibility_timeout | whole number of seconds
        HOOKLANE_WORKER__SHUTDOWN_GRACE=2h | worker.shutdown_grace | out of range
        HOOKLANE_WORKER__ADMIN_LISTEN=localhost:9464 | worker.admin_listen | not an address with a port
        HOOKLANE_ENDPOINT__REUSE_CONNECTIONS=no | endpoint.reuse_connections | write true or false
        HOOKLANE_ENDPOINT__ALLOW_HTTP=yes | endpoint.allow_http | write true or false
        HOOKLANE_ENDPOINT__ALLOW_NETWORKS=["10.0.0.0/40"] | endpoint.allow_networks | is not a network
    "#,
    );
}

#[test]
fn a_timeout_that_outlasts_the_default_lease_asks_for_a_longer_one() {
    let problems = problems(GOOD, &[("HOOKLANE_RETRY__TIMEOUT", "3m")]);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(
        problems[0].starts_with("worker.visibility_timeout: 2m is too short: give at least 190s"),
        "{problems:?}"
    );
}

#[test]
fn a_signature_without_a_secret_is_a_contradiction() {
    let text =
        "[callback.production]\nurl = \"https://a.example\"\nsignature = \"hmac-sha256-hex\"";
    let text = GOOD.split("[callback").next().expect("queues").to_owned() + text;
    let problems = problems(&text, &[]);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(
        problems[0].starts_with("callback.production.signature: says how a shared_secret signs"),
        "{problems:?}"
    );
}

#[test]
fn a_secret_that_its_mode_cannot_use_is_told_before_anything_is_sent() {
    let mode = "HOOKLANE_CALLBACK__PRODUCTION__SIGNATURE";
    let problems = problems(GOOD, &[(mode, "standard-webhooks")]);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].contains("is not base64"), "{problems:?}");
    assert!(!problems[0].contains(SECRET), "{problems:?}");
}

/// The worker's settings where so many file descriptors may be open.
fn with_descriptors(descriptors: u64, variables: &[(&str, &str)]) -> Source {
    let secret = [("WORKN_SECRET", SECRET)].into_iter();
    let environment: Environment = secret.chain(variables.iter().copied()).collect();
    let place = Place::with(GOOD);
    let source = Source::load(
        Some(&place.path()),
        environment.with_descriptors(descriptors),
    );
    source.expect("well-formed")
}

#[test]
fn more_posts_at_the_same_time_than_there_are_file_descriptors_for_are_a_problem_with_both_numbers()
{
    let asked = [("HOOKLANE_WORKER__MAX_IN_FLIGHT", "1200")];
    let invalid = work(&with_descriptors(1_024, &asked))
        .err()
        .expect("too many");
    let problem = invalid.problems()[0].to_string();
    assert!(
        problem.starts_with("worker.max_in_flight: 1200 POSTs at the same time need 2560 file descriptors, and this process may open 1024: write at most 432, or raise"),
        "{problem}"
    );
    assert!(work(&with_descriptors(2_560, &asked)).is_ok());
    let report = crate::check(Ok(&with_descriptors(1_024, &asked)));
    assert!(!report.valid && report.problems[0].to_string() == problem);
}

#[test]
fn the_default_of_posts_at_the_same_time_is_what_the_file_descriptors_are_enough_for() {
    let config = work(&with_descriptors(256, &[])).expect("valid");
    assert_eq!(config.worker.max_in_flight, 48);
    let warning = config.warnings[0].to_string();
    assert!(
        warning.contains("256 POSTs at the same time need 672")
            && warning.contains("there will be 48"),
        "{warning}"
    );
    let none = work(&with_descriptors(100, &[])).err().expect("too few");
    assert!(
        none.problems()[0]
            .to_string()
            .contains("too few for a single one")
    );
}
