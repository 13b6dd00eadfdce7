//! A call that AWS refuses is said once, with the permission that is missing: one row for each call of each command.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use rig::program::{Ended, Home, LocalSqs, PATIENCE, address, assert_told, documents};

use crate::dlq::World;
use crate::dlq_changes::configured;

/// What stands between the program and SQS and refuses one action.
struct Denying {
    address: SocketAddr,
}

impl Denying {
    fn before(endpoint: &str, action: &'static str) -> Self {
        let sqs = address(endpoint);
        let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
        let address = listener.local_addr().expect("bound");
        // Ends with the process: nobody waits for it.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                thread::spawn(move || answer(stream, sqs, action));
            }
        });
        Self { address }
    }

    fn lead(&self, home: &mut Home) {
        home.set("AWS_ENDPOINT_URL", &format!("http://{}", self.address));
    }
}

/// Answers the first request of a connection and closes it.
fn answer(stream: TcpStream, sqs: SocketAddr, action: &str) -> Option<()> {
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let mut client = BufReader::new(stream);
    let (mut head, mut length, mut is_denied) = (String::new(), 0, false);
    loop {
        let mut line = String::new();
        client.read_line(&mut line).ok()?;
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        is_denied |= lower.starts_with("x-amz-target:") && line.trim_end().ends_with(action);
        if line.trim().is_empty() {
            break;
        }
        if !lower.starts_with("connection:") {
            head += &line;
        }
    }
    let mut body = vec![0; length];
    client.read_exact(&mut body).ok()?;
    if is_denied {
        let why = format!(
            r#"{{"__type":"com.amazonaws.sqs#AccessDeniedException","message":"User: arn:aws:sts::1:assumed-role/task is not authorized to perform: {action}"}}"#
        );
        let head = format!(
            "HTTP/1.1 403 Forbidden\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            why.len()
        );
        return client.get_mut().write_all((head + &why).as_bytes()).ok();
    }
    let mut server = TcpStream::connect(sqs).ok()?;
    server.write_all(head.as_bytes()).ok()?;
    server.write_all(b"Connection: close\r\n\r\n").ok()?;
    server.write_all(&body).ok()?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).ok()?;
    client.get_mut().write_all(&answer).ok()
}

/// How a program ends that is refused an action: with one line that names the permission, besides what became of single
/// letters.
fn assert_said_once(ended: &Ended, action: &str, permission: &str) {
    let needed = format!("needs the permission {permission}");
    let is_of_letters =
        |line: &&str| line.contains(" WARN ") || line.contains("could not be deleted");
    let lines = ended.stderr.lines().filter(|line| !is_of_letters(line));
    let lines = lines.filter(|line| line.contains(&needed));
    assert_eq!(lines.count(), 1, "{action}: {}", ended.stderr);
}

#[test]
fn a_producer_is_told_which_permission_it_lacks() {
    for (action, permission) in [
        ("GetQueueAttributes", "sqs:GetQueueAttributes"),
        ("SendMessageBatch", "sqs:SendMessage"),
    ] {
        let local = LocalSqs::start(&[]);
        let mut home = local.home("events");
        Denying::before(&local.variables[0].1, action).lead(&mut home);
        let events = "{\"MessageGroupId\":\"EventSetup_7\",\"n\":1}\n".repeat(3);
        let sent = home.run_with(&["send"], events.as_bytes());
        assert_told(&sent, 1, &[]);
        assert_said_once(&sent, action, permission);
    }
}

#[test]
fn who_makes_or_checks_queues_is_told_which_permission_is_lacking() {
    for (arguments, action, permission) in [
        (
            &["queues", "create", "others"][..],
            "CreateQueue",
            "sqs:CreateQueue",
        ),
        (
            &["queues", "create", "others"],
            "SetQueueAttributes",
            "sqs:SetQueueAttributes",
        ),
        (
            &["queues", "create", "others"],
            "GetQueueAttributes",
            "sqs:GetQueueAttributes",
        ),
        // Of queues that are there with other attributes the URL is asked.
        (
            &["queues", "create", "events", "--standard"],
            "GetQueueUrl",
            "sqs:GetQueueUrl",
        ),
        (
            &["queues", "check"],
            "GetQueueAttributes",
            "sqs:GetQueueAttributes",
        ),
    ] {
        let local = LocalSqs::start(&[]);
        let mut home = local.home("events");
        if action == "GetQueueUrl" {
            let plain = create_plainly(&local, "events-internal");
            assert!(plain, "a queue with other attributes");
        }
        Denying::before(&local.variables[0].1, action).lead(&mut home);
        let ended = home.run(arguments);
        assert_told(&ended, 1, &[]);
        assert_said_once(&ended, action, permission);
    }
}

/// Makes a standard queue with the attributes that SQS gives by itself.
fn create_plainly(local: &LocalSqs, name: &str) -> bool {
    let endpoint = address(&local.variables[0].1);
    let mut stream = TcpStream::connect(endpoint).expect("connected");
    let body = format!("{{\"QueueName\":\"{name}\"}}");
    let request = format!(
        "POST / HTTP/1.1\r\nHost: {endpoint}\r\nConnection: close\r\nX-Amz-Target: AmazonSQS.CreateQueue\r\n\
         Content-Type: application/x-amz-json-1.0\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).expect("asked");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    answer.starts_with("HTTP/1.1 200")
}

#[test]
fn an_engineer_is_told_which_permission_is_lacking() {
    for (arguments, action, permission, code) in [
        (
            &["dlq", "ls"][..],
            "GetQueueAttributes",
            "sqs:GetQueueAttributes",
            1,
        ),
        (&["dlq", "ls"], "ReceiveMessage", "sqs:ReceiveMessage", 1),
        (
            &["dlq", "ls"],
            "ChangeMessageVisibilityBatch",
            "sqs:ChangeMessageVisibility",
            0,
        ),
        (
            &[
                "dlq",
                "drop",
                "--group",
                "EventSetup_7",
                "--reason",
                "test",
                "--yes",
            ],
            "DeleteMessageBatch",
            "sqs:DeleteMessage",
            1,
        ),
        (
            &["dlq", "import", "letters.jsonl"],
            "SendMessageBatch",
            "sqs:SendMessage",
            1,
        ),
    ] {
        let mut world = World::with(2);
        let exported = world.home.run(&["dlq", "export", "letters.jsonl"]);
        assert_eq!(exported.code, Some(0), "{exported:?}");
        let endpoint = world.endpoint();
        Denying::before(&endpoint, action).lead(&mut world.home);
        let ended = world.home.run(arguments);
        assert_eq!(ended.code, Some(code), "{action}: {ended:?}");
        assert_said_once(&ended, action, permission);
    }
}

#[test]
fn letters_that_may_not_be_deleted_are_not_called_dropped() {
    let mut world = World::with(2);
    let endpoint = world.endpoint();
    Denying::before(&endpoint, "DeleteMessageBatch").lead(&mut world.home);
    let drop = ["dlq", "drop", "--group", "EventSetup_7", "--reason", "test"];
    let told = |file, more| {
        let arguments = [&drop[..], &["--yes", "--file", file], more].concat();
        let ended = world.home.run(&arguments);
        assert_told(
            &ended,
            1,
            &["2 dead letters could not be deleted", "drop them again"],
        );
        ended.stdout
    };
    let text = told("a.jsonl", &[]);
    assert!(
        text.starts_with("0 of 2 dead letters dropped, 2 kept in a.jsonl"),
        "{text}"
    );
    assert!(text.contains("do not import a.jsonl"), "{text}");
    let document = documents(&told("b.jsonl", &["--json"])).remove(0);
    for (field, number) in [
        ("selected", 2),
        ("dropped", 0),
        ("kept", 2),
        ("not_removed", 2),
    ] {
        assert_eq!(document[field], number, "{field}: {document}");
    }
    assert_eq!(world.counts().visible, 2);
}

#[test]
fn letters_that_may_not_be_deleted_were_replayed_and_are_told() {
    let mut world = World::with(2);
    let endpoint = world.endpoint();
    Denying::before(&endpoint, "DeleteMessageBatch").lead(&mut world.home);
    let to = configured(&world, "url");
    let replay = ["dlq", "replay", "--all", "--to", &to];
    let told = |more: &[&str]| {
        let ended = world
            .home
            .run(&[&replay[..], &["--yes", "--accept-order"], more].concat());
        assert_told(
            &ended,
            1,
            &["2 dead letters could not be deleted", "within five minutes"],
        );
        ended.stdout
    };
    let text = told(&[]);
    assert!(text.contains("2 of 2 dead letters replayed"), "{text}");
    assert!(
        text.contains("2 of them are in the internal queue as well"),
        "{text}"
    );
    let document = documents(&told(&["--json"])).remove(0);
    assert_eq!(document["replayed"], 2, "{document}");
    assert_eq!(document["not_removed"], 2, "{document}");
}

#[test]
fn a_worker_that_may_not_read_its_queues_attributes_does_not_start_and_says_why() {
    let world = World::with(0);
    let mut world = world;
    world.home.set("WORKN_SECRET", "s");
    world.home.set(
        "HOOKLANE_CALLBACK__PRODUCTION__URL",
        "https://hooks.example.com/",
    );
    world.home.set("HOOKLANE_ENVIRONMENT", "production");
    world
        .home
        .set("HOOKLANE_WORKER__ADMIN_LISTEN", "127.0.0.1:0");
    let endpoint = world.endpoint();
    Denying::before(&endpoint, "GetQueueAttributes").lead(&mut world.home);
    let ended = world.home.run(&["work", "--drain"]);
    assert_told(&ended, 1, &["needs the permission sqs:GetQueueAttributes"]);
}
