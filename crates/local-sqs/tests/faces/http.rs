use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::{
    DeleteMessageBatchRequestEntry, MessageAttributeValue, QueueAttributeName,
    SendMessageBatchRequestEntry,
};
use local_sqs::{Limits, LocalSqs};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::*;

struct Server {
    sqs: LocalSqs,
    address: String,
    stop: CancellationToken,
    task: JoinHandle<std::io::Result<()>>,
}

impl Server {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let stop = CancellationToken::new();
        let sqs = LocalSqs::new(Limits::default());
        let task = tokio::spawn(sqs.clone().serve(listener, stop.clone()));
        Self {
            sqs,
            address,
            stop,
            task,
        }
    }

    fn client(&self) -> Client {
        Client::from_conf(config(&format!("http://{}", self.address)).build())
    }

    /// Returns once so many long polls wait.
    async fn polls(&self, count: usize) {
        let reached = async {
            while self.sqs.waiting_polls() != count {
                tokio::task::yield_now().await;
            }
        };
        timeout(Duration::from_secs(10), reached).await.unwrap();
    }

    async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.address).await.unwrap()
    }

    /// Sends a request as it stands and reads the answer to its end.
    async fn exchange(&self, head: &str, body: &str) -> String {
        let mut stream = self.connect().await;
        let request = format!(
            "{head}host: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    async fn json(&self, action: &str, body: &str) -> String {
        let head = format!(
            "POST / HTTP/1.1\r\nx-amz-target: AmazonSQS.{action}\r\ncontent-type: application/x-amz-json-1.0\r\n"
        );
        self.exchange(&head, body).await
    }
}

#[tokio::test]
async fn the_sdk_sends_receives_and_deletes_in_batches() {
    let server = Server::start().await;
    let client = server.client();
    let url = &create(&client, "q", &[]).await;
    assert_eq!(
        *url,
        format!("http://{}/000000000000/q.fifo", server.address)
    );
    let entry = |n: usize| {
        let binary = MessageAttributeValue::builder()
            .data_type("Binary")
            .binary_value(Blob::new([0, 255]));
        let text = MessageAttributeValue::builder()
            .data_type("String")
            .string_value("é");
        SendMessageBatchRequestEntry::builder()
            .id(n.to_string())
            .message_body(format!("body {n}"))
            .message_group_id("g")
            .message_deduplication_id(n.to_string())
            .message_attributes("binary", binary.build().unwrap())
            .message_attributes("text", text.build().unwrap())
            .build()
            .unwrap()
    };
    let entries = (0..10).map(entry).collect();
    // The SDK checks the digests of bodies and attributes itself.
    let sent = client
        .send_message_batch()
        .queue_url(url)
        .set_entries(Some(entries))
        .send()
        .await
        .unwrap();
    assert_eq!((sent.successful.len(), sent.failed.len()), (10, 0));

    let answer = client
        .receive_message()
        .queue_url(url)
        .max_number_of_messages(10)
        .message_attribute_names("All");
    let messages = answer.send().await.unwrap().messages.unwrap();
    assert!(
        bodies(&messages)
            .into_iter()
            .eq((0..10).map(|n| format!("body {n}")))
    );
    let attributes = messages[0].message_attributes.as_ref().unwrap();
    assert_eq!(attributes["binary"].binary_value, Some(Blob::new([0, 255])));
    assert_eq!(attributes["text"].string_value.as_deref(), Some("é"));

    let entry = |(n, message): (usize, &Message)| {
        let handle = message.receipt_handle.as_deref().unwrap();
        DeleteMessageBatchRequestEntry::builder()
            .id(n.to_string())
            .receipt_handle(handle)
            .build()
            .unwrap()
    };
    let mut entries: Vec<_> = messages.iter().take(9).enumerate().map(entry).collect();
    entries.push(
        DeleteMessageBatchRequestEntry::builder()
            .id("bad")
            .receipt_handle("garbage")
            .build()
            .unwrap(),
    );
    let deleted = client
        .delete_message_batch()
        .queue_url(url)
        .set_entries(Some(entries))
        .send()
        .await
        .unwrap();
    assert_eq!(deleted.successful.len(), 9);
    assert_eq!(
        (deleted.failed[0].id(), deleted.failed[0].code()),
        ("bad", "ReceiptHandleIsInvalid")
    );
    assert!(deleted.failed[0].sender_fault());

    let attributes = client
        .get_queue_attributes()
        .queue_url(url)
        .attribute_names(QueueAttributeName::All);
    let attributes = attributes.send().await.unwrap().attributes.unwrap();
    assert_eq!(
        attributes[&QueueAttributeName::ApproximateNumberOfMessages],
        "0"
    );
    assert_eq!(
        attributes[&QueueAttributeName::ApproximateNumberOfMessagesNotVisible],
        "1"
    );
    server.stop().await;
}

#[tokio::test]
async fn a_stop_answers_waiting_polls_at_once_with_nothing() {
    let server = Server::start().await;
    let client = server.client();
    let url = create(&client, "q", &[]).await;
    let poll = tokio::spawn(async move { receive(&client, &url, 20).await });
    server.polls(1).await;
    server.stop().await;
    let long_before_its_end = timeout(Duration::from_secs(10), poll).await;
    assert!(long_before_its_end.unwrap().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_half_a_request() {
    let server = Server::start().await;
    let mut stream = server.connect().await;
    stream
        .write_all(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nhalf")
        .await
        .unwrap();
    server.json("ListQueues", "{}").await;
    server.stop().await;
}

#[tokio::test]
async fn a_connection_dropped_while_polling_takes_nothing() {
    let server = Server::start().await;
    let client = server.client();
    let url = &create(&client, "q", &[]).await;
    let mut stream = server.connect().await;
    let body = format!(r#"{{"QueueUrl":"{url}","WaitTimeSeconds":20}}"#);
    let head = "POST / HTTP/1.1\r\nhost: x\r\nx-amz-target: AmazonSQS.ReceiveMessage\r\n";
    let request = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
    stream.write_all(request.as_bytes()).await.unwrap();
    server.polls(1).await;
    drop(stream);
    server.polls(0).await;
    send(&client, url, "g", "0").await;
    let messages = receive(&client, url, 20).await;
    assert_eq!(
        (bodies(&messages), receive_count(&messages[0])),
        (vec!["0"], "1")
    );
    server.stop().await;
}

#[tokio::test]
async fn errors_look_like_those_of_aws() {
    let server = Server::start().await;
    let answer = server.json("GetQueueUrl", r#"{"QueueName":"none"}"#).await;
    for part in [
        "HTTP/1.1 400 Bad Request\r\n",
        "\r\ncontent-type: application/x-amz-json-1.0\r\n",
        "\r\nx-amzn-query-error: AWS.SimpleQueueService.NonExistentQueue;Sender\r\n",
        "\r\nx-amzn-requestid: ",
        r#"{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"The specified queue does not exist."}"#,
    ] {
        assert!(answer.contains(part), "{part} not in {answer}");
    }
    server.stop().await;
}

#[tokio::test]
async fn what_is_no_request_is_refused() {
    let server = Server::start().await;
    let huge = "x".repeat((8 << 20) + 1);
    let target = "POST / HTTP/1.1\r\nx-amz-target: AmazonSQS.SendMessage\r\n";
    let table = [
        (target, "{not json", "HTTP/1.1 400 "),
        (target, r#"{"QueueUrl":7}"#, "HTTP/1.1 400 "),
        (target, "[]", "HTTP/1.1 400 "),
        (target, "", "HTTP/1.1 400 "),
        (target, &huge, "HTTP/1.1 413 "),
        (
            "POST / HTTP/1.1\r\nx-amz-target: AmazonSQS.Bogus\r\n",
            "{}",
            "HTTP/1.1 400 ",
        ),
        (
            "POST / HTTP/1.1\r\nx-amz-target: AmazonSQS.AddPermission\r\n",
            "{}",
            "HTTP/1.1 400 ",
        ),
        ("POST / HTTP/1.1\r\n", "{}", "HTTP/1.1 400 "),
        ("GET / HTTP/1.1\r\n", "", "HTTP/1.1 405 "),
    ];
    for (head, body, status) in table {
        let answer = server.exchange(head, body).await;
        let start = &body[..body.len().min(20)];
        assert!(answer.starts_with(status), "{head} {start} → {answer}");
    }
    server.stop().await;
}

#[tokio::test]
async fn the_query_protocol_is_answered_in_xml() {
    let server = Server::start().await;
    let url = create(&server.client(), "q", &[]).await;
    let form = |form: String| {
        let server = &server;
        async move {
            let head = "POST / HTTP/1.1\r\ncontent-type: application/x-www-form-urlencoded; charset=utf-8\r\n";
            server.exchange(head, &form).await
        }
    };
    let answer = form(format!(
        "Action=GetQueueAttributes&AttributeName.1=QueueArn&QueueUrl={url}"
    ))
    .await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(
        answer.contains("\r\ncontent-type: text/xml\r\n"),
        "{answer}"
    );
    let arn = "<Attribute><Name>QueueArn</Name><Value>arn:aws:sqs:us-east-1:000000000000:q.fifo</Value></Attribute>";
    assert!(answer.contains(arn), "{answer}");
    let answer = form("Action=GetQueueUrl&QueueName=none".to_owned()).await;
    assert!(
        answer.contains("<Code>AWS.SimpleQueueService.NonExistentQueue</Code>"),
        "{answer}"
    );
    server.stop().await;
}

#[tokio::test]
async fn pages_and_tags_and_move_tasks_reach_the_sdk() {
    let server = Server::start().await;
    let client = server.client();
    let dead = &create(&client, "dead", &[]).await;
    let policy = r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead.fifo","maxReceiveCount":1}"#;
    let url = &create(
        &client,
        "q",
        &[("RedrivePolicy", policy), ("VisibilityTimeout", "0")],
    )
    .await;

    let page = client.list_queues().max_results(1).send().await.unwrap();
    assert_eq!(page.queue_urls(), std::slice::from_ref(dead));
    let next = client
        .list_queues()
        .max_results(1)
        .set_next_token(page.next_token)
        .send()
        .await
        .unwrap();
    assert_eq!(
        (next.queue_urls(), next.next_token()),
        (std::slice::from_ref(url), None)
    );
    let sources = client
        .list_dead_letter_source_queues()
        .queue_url(dead)
        .send()
        .await
        .unwrap();
    assert_eq!(sources.queue_urls(), std::slice::from_ref(url));

    client
        .tag_queue()
        .queue_url(url)
        .tags("a", "1")
        .tags("b", "2")
        .send()
        .await
        .unwrap();
    client
        .untag_queue()
        .queue_url(url)
        .tag_keys("a")
        .send()
        .await
        .unwrap();
    let tags = client
        .list_queue_tags()
        .queue_url(url)
        .send()
        .await
        .unwrap()
        .tags
        .unwrap();
    assert_eq!(
        tags.into_iter().collect::<Vec<_>>(),
        [("b".to_owned(), "2".to_owned())]
    );

    send(&client, url, "g", "0").await;
    assert_eq!(receive(&client, url, 0).await.len(), 1);
    assert_eq!(receive(&client, url, 0).await.len(), 0);
    let arn = "arn:aws:sqs:us-east-1:000000000000:dead.fifo";
    client
        .start_message_move_task()
        .source_arn(arn)
        .send()
        .await
        .unwrap();
    let tasks = client
        .list_message_move_tasks()
        .source_arn(arn)
        .send()
        .await
        .unwrap();
    let task = &tasks.results()[0];
    assert_eq!(
        (task.status(), task.approximate_number_of_messages_moved()),
        (Some("COMPLETED"), 1)
    );
    assert_eq!(bodies(&receive(&client, url, 0).await), ["0"]);

    client.purge_queue().queue_url(url).send().await.unwrap();
    client.delete_queue().queue_url(url).send().await.unwrap();
    let gone = client.get_queue_url().queue_name("q.fifo").send().await;
    assert!(
        gone.unwrap_err()
            .into_service_error()
            .is_queue_does_not_exist()
    );
    server.stop().await;
}

#[tokio::test]
async fn an_answer_is_dated_by_the_clock_of_the_queues() {
    let server = Server::start().await;
    // A thousand days, so that no date of the machine's own could be taken for it.
    let ahead = Duration::from_secs(1_000 * 24 * 3600);
    let years = |answer: &str| {
        let date = answer.lines().find_map(|line| {
            let (name, date) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("date").then_some(date)
        });
        let year = date
            .and_then(|date| date.split(' ').nth(3))
            .expect("a date");
        year.parse::<u32>().expect("a year")
    };
    let before = years(&server.json("ListQueues", "{}").await);
    server.sqs.pass(ahead);
    let after = years(&server.json("ListQueues", "{}").await);
    assert!(after >= before + 2, "{before}, {after}");
    server.stop().await;
}

#[tokio::test]
async fn a_face_on_a_socket_and_one_in_process_share_their_queues() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let sqs = LocalSqs::new(Limits::default()).with_base_url("http://queues.example/");
    let inside = Client::from_conf(
        config("http://local-sqs")
            .http_client(sqs.http_client())
            .build(),
    );
    let stop = CancellationToken::new();
    let server = tokio::spawn(sqs.serve(listener, stop.clone()));
    let outside = Client::from_conf(config(&endpoint).build());
    let url = &create(&inside, "q", &[]).await;
    assert_eq!(url, "http://queues.example/000000000000/q.fifo");
    let poll = tokio::spawn({
        let (outside, url) = (outside.clone(), url.clone());
        async move { receive(&outside, &url, 20).await }
    });
    send(&inside, url, "g", "0").await;
    assert_eq!(bodies(&poll.await.unwrap()), ["0"]);
    stop.cancel();
    server.await.unwrap().unwrap();
    let refused = timeout(Duration::from_secs(5), TcpStream::connect(&endpoint[7..])).await;
    assert!(refused.unwrap().is_err());
}

#[tokio::test]
async fn what_a_web_page_makes_a_browser_send_does_nothing() {
    let server = Server::start().await;
    let client = server.client();
    let url = &create(&client, "q", &[]).await;
    send(&client, url, "g", "0").await;
    let form = format!(
        "Action=SendMessage&QueueUrl={url}&MessageBody=evil&MessageGroupId=g&MessageDeduplicationId=e"
    );
    let purge = format!("Action=PurgeQueue&QueueUrl={url}");
    for browser in [
        "origin: https://evil.example\r\n",
        "origin: null\r\n",
        "sec-fetch-site: cross-site\r\n",
        "host: rebound.evil.example:9324\r\n",
    ] {
        for (kind, body) in [
            ("application/x-www-form-urlencoded", &form),
            ("application/x-www-form-urlencoded", &purge),
            ("text/plain", &form),
        ] {
            let head = format!(
                "POST / HTTP/1.1\r\nx-amz-target: AmazonSQS.ListQueues\r\ncontent-type: {kind}\r\n{browser}"
            );
            let answer = server.exchange(&head, body).await;
            assert!(answer.starts_with("HTTP/1.1 403 "), "{browser} {answer}");
            assert!(!answer.contains("access-control-"), "{answer}");
        }
        let preflight = format!("OPTIONS / HTTP/1.1\r\n{browser}");
        let answer = server.exchange(&preflight, "").await;
        assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    }
    assert_eq!(bodies(&receive(&client, url, 0).await), ["0"]);
    server.stop().await;
}
