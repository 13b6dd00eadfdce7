//! The program as it is started, on a local queue and with a receiver of its own.

use std::collections::BTreeMap;
use std::process::{Command, Output};

use local_sqs::{Limits, LocalSqs};
use queue::admin::{Kind, Pair, create_pair};
use queue::{Outgoing, Queue, Sqs};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

struct World {
    endpoint: String,
    pair: Pair,
    sqs: Sqs,
    /// Where the ledger is.
    folder: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let local = LocalSqs::new(Limits::default()).with_base_url(&endpoint);
        let sqs = Sqs::in_process(local.http_client());
        tokio::spawn(local.serve(listener, CancellationToken::new()));
        Self {
            pair: create_pair(&sqs, "events", Kind::Fifo).await.unwrap(),
            endpoint,
            sqs,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    async fn queue(&self, url: &str) -> Queue {
        Queue::open(&self.sqs, url).await.unwrap()
    }

    async fn send(&self, group: &str, id: &str, body: &str) {
        let message = Outgoing {
            body: body.to_owned(),
            group: Some(group.to_owned()),
            deduplication_id: Some(id.to_owned()),
            attributes: BTreeMap::new(),
        };
        let source = self.queue(&self.pair.source_url).await;
        let sent = source.send_batch(&[message]).await.unwrap();
        assert!(sent[0].is_ok());
    }

    /// Runs the program once against a callback at this address.
    async fn run(&self, callback: std::net::SocketAddr) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_batch-shell"));
        command.current_dir(self.folder.path()).env_clear().envs([
            ("AWS_ENDPOINT_URL_SQS", self.endpoint.as_str()),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("HOOKLANE_QUEUE__URL", &self.pair.source_url),
            (
                "HOOKLANE_QUEUE__DEAD_LETTER_URL",
                &self.pair.dead_letter_url,
            ),
            (
                "HOOKLANE_CALLBACK__PRODUCTION__URL",
                &format!("http://{callback}/"),
            ),
            ("HOOKLANE_ENDPOINT__ALLOW_HTTP", "true"),
            ("HOOKLANE_ENDPOINT__ALLOW_NETWORKS", r#"["127.0.0.0/8"]"#),
        ]);
        let ran = tokio::task::spawn_blocking(move || command.output());
        ran.await.unwrap().unwrap()
    }
}

/// A receiver that refuses every event in whose body `refused` stands, on its own task.
async fn receiver(refused: &'static str) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut request = Vec::new();
                // One request a connection: its body is the end of what comes.
                while !request.ends_with(b"}") && socket.read_buf(&mut request).await.unwrap() > 0 {
                }
                let is_refused = String::from_utf8_lossy(&request).contains(refused);
                let status = if is_refused { "500 No" } else { "200 OK" };
                let answer =
                    format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                socket.write_all(answer.as_bytes()).await.unwrap();
            });
        }
    });
    address
}

#[tokio::test]
async fn one_batch_is_delivered_and_what_is_left_is_told_with_its_reason() {
    let world = World::new().await;
    world.send("EventSetup_1", "1", r#"{"n":1}"#).await;
    world.send("EventSetup_2", "1", r#"{"bad":1}"#).await;
    world.send("EventSetup_2", "2", r#"{"n":2}"#).await;
    world.send("EventSetup_3", "1", "no event").await;
    let ran = world.run(receiver(r#""bad":"#).await).await;
    let (output, errors) = (ran.stdout, ran.stderr);
    let output = String::from_utf8(output).unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&errors));
    let lines: Vec<serde_json::Value> = output
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let [left] = &lines[..] else {
        panic!("{output}")
    };
    assert_eq!(left["why"], "waits");
    let wait_s = left["wait_s"].as_f64().unwrap();
    assert!(wait_s <= 60.0, "{wait_s}");
    assert_eq!(left["message_ids"].as_array().unwrap().len(), 2);
    let source = world.queue(&world.pair.source_url).await;
    let dead = world.queue(&world.pair.dead_letter_url).await;
    assert_eq!(source.counts().await.unwrap().not_visible, 2);
    assert_eq!(source.counts().await.unwrap().total(), 2);
    assert_eq!(dead.counts().await.unwrap().total(), 1);
}

#[tokio::test]
async fn what_is_configured_wrongly_is_told_and_nothing_is_received() {
    let mut world = World::new().await;
    world.send("EventSetup_1", "1", r#"{"n":1}"#).await;
    world
        .pair
        .dead_letter_url
        .clone_from(&world.pair.source_url);
    let ran = world.run(receiver(r#""bad":"#).await).await;
    let errors = String::from_utf8(ran.stderr).unwrap();
    assert_eq!(ran.status.code(), Some(1));
    assert!(errors.contains("the same queue as queue.url"), "{errors}");
    let source = world.queue(&world.pair.source_url).await;
    assert_eq!(source.counts().await.unwrap().visible, 1);
}
