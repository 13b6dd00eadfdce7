//! `local-sqs`: what it prints, who it serves.

use rig::program::{Home, LocalSqs, address, assert_told, documents, taken_port};

#[test]
fn the_lines_it_prints_are_all_that_a_client_needs() {
    let sqs = LocalSqs::start(&[]);
    let names = sqs
        .variables
        .iter()
        .map(|(name, _)| name.as_str())
        .collect::<Vec<_>>();
    assert_eq!(
        names,
        [
            "AWS_ENDPOINT_URL",
            "AWS_REGION",
            "AWS_DEFAULT_REGION",
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY"
        ]
    );
    assert!(
        sqs.variables[0].1.starts_with("http://127.0.0.1:"),
        "{}",
        sqs.variables[0].1
    );
    let home = sqs.home("events");
    let checked = home.run(&["queues", "check", "--json"]);
    assert_eq!(
        documents(&checked.stdout),
        [serde_json::json!({"ok": true, "problems": []})],
        "{checked:?}"
    );
    let ended = sqs.service.stop();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(
        ended.stdout,
        "export AWS_ENDPOINT_URL AWS_REGION AWS_DEFAULT_REGION AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY\n"
    );
}

#[test]
fn it_warns_that_it_is_not_for_production() {
    let mut sqs = LocalSqs::start(&[]);
    sqs.service.wait_for_log("not for production");
}

#[test]
fn beyond_its_bound_a_message_is_refused_with_the_reason_and_the_sender_knows_where_to_go_on() {
    let sqs = LocalSqs::start(&["--max-messages", "2"]);
    let home = sqs.home("events");
    home.write("events.jsonl", "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n");
    let mut sending = home.start(&["send", "events.jsonl", "--event-setup", "1", "--json"]);
    sending.wait_for_log("local-sqs is full: it holds 2 messages");
    let ended = sending.stop();
    assert_told(&ended, 1, &["the same command again with --from 3"]);
    let report = &documents(&ended.stdout)[0];
    assert_eq!(
        (&report["sent"], &report["unsent_from"]),
        (&2.into(), &3.into()),
        "{report}"
    );
}

#[test]
fn a_port_that_is_taken_is_told() {
    let (_listener, port) = taken_port();
    let listen = format!("127.0.0.1:{port}");
    let ended = Home::new().run(&["local-sqs", "--listen", &listen]);
    assert_told(
        &ended,
        1,
        &[
            &format!("cannot listen on {listen}"),
            "choose another --listen",
        ],
    );
}

#[test]
fn it_stops_on_both_signals_even_while_a_client_polls() {
    for signal in ["TERM", "INT"] {
        let sqs = LocalSqs::start(&[]);
        let _idle = std::net::TcpStream::connect(address(&sqs.variables[0].1)).expect("connected");
        sqs.service.signal(signal);
        let ended = sqs.service.wait();
        assert_eq!(ended.code, Some(0), "{signal}: {ended:?}");
    }
}
