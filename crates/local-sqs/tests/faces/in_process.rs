use std::future::Future;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::ProvideErrorMetadata;
use local_sqs::{Limits, LocalSqs};
use tokio::time::{Instant, timeout};

use crate::*;

fn client() -> Client {
    client_of(&LocalSqs::seeded(Limits::default(), 1))
}

fn client_of(sqs: &LocalSqs) -> Client {
    let config = config("http://local-sqs").http_client(sqs.http_client());
    Client::from_conf(config.build())
}

/// The result of a future and the milliseconds of (paused) time it took.
async fn timed<T>(future: impl Future<Output = T>) -> (T, u128) {
    let start = Instant::now();
    let result = future.await;
    (result, start.elapsed().as_millis())
}

/// Runs `poll` and, one second into it, `act`; returns what the poll brought and when.
async fn during<T>(poll: impl Future<Output = T>, act: impl Future<Output = ()>) -> (T, u128) {
    let later = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        act.await;
    };
    let (polled, ()) = tokio::join!(timed(poll), later);
    polled
}

#[tokio::test(start_paused = true)]
async fn a_long_poll_of_an_empty_queue_ends_on_time() {
    let client = client();
    let url = create(&client, "q", &[("ReceiveMessageWaitTimeSeconds", "7")]).await;
    let (messages, ms) = timed(receive(&client, &url, 20)).await;
    assert_eq!((bodies(&messages), ms), (vec![], 20_000));
    let own = client.receive_message().queue_url(&url).send();
    let (answer, ms) = timed(own).await;
    assert!(answer.unwrap().messages.is_none());
    assert_eq!(ms, 7000);
}

#[tokio::test(start_paused = true)]
async fn a_long_poll_wakes_at_once_for_whatever_frees_a_message() {
    let client = client();
    let url = &create(&client, "q", &[]).await;

    let arrival = during(receive(&client, url, 20), send(&client, url, "g", "0")).await;
    assert_eq!((bodies(&arrival.0), arrival.1), (vec!["0"], 1000));
    send(&client, url, "g", "1").await;

    let unlock = during(
        receive(&client, url, 20),
        delete(&client, url, &arrival.0[0]),
    )
    .await;
    assert_eq!((bodies(&unlock.0), unlock.1), (vec!["1"], 1000));

    let release = during(
        receive(&client, url, 20),
        hide(&client, url, &unlock.0[0], 0),
    )
    .await;
    assert_eq!((bodies(&release.0), release.1), (vec!["1"], 1000));

    let earlier = during(
        receive(&client, url, 20),
        hide(&client, url, &release.0[0], 3),
    )
    .await;
    assert_eq!((bodies(&earlier.0), earlier.1), (vec!["1"], 4000));

    hide(&client, url, &earlier.0[0], 5).await;
    let expiry = timed(receive(&client, url, 20)).await;
    assert_eq!((bodies(&expiry.0), expiry.1), (vec!["1"], 5000));
}

#[tokio::test(start_paused = true)]
async fn a_long_poll_wakes_for_the_end_of_a_delay_and_for_a_deleted_queue() {
    let client = client();
    let url = &create(&client, "q", &[("DelaySeconds", "3")]).await;
    let delayed = during(receive(&client, url, 20), send(&client, url, "g", "0")).await;
    assert_eq!((bodies(&delayed.0), delayed.1), (vec!["0"], 4000));

    let poll = client
        .receive_message()
        .queue_url(url)
        .wait_time_seconds(20)
        .send();
    let delete = async {
        client.delete_queue().queue_url(url).send().await.unwrap();
    };
    let (answer, ms) = during(poll, delete).await;
    assert!(
        answer
            .unwrap_err()
            .into_service_error()
            .is_queue_does_not_exist()
    );
    assert_eq!(ms, 1000);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_long_poll_takes_nothing() {
    let client = client();
    let url = &create(&client, "q", &[]).await;
    let poll = receive(&client, url, 20);
    assert!(timeout(Duration::from_secs(1), poll).await.is_err());
    send(&client, url, "g", "0").await;
    let (messages, ms) = timed(receive(&client, url, 20)).await;
    assert_eq!((receive_count(&messages[0]), ms), ("1", 0));
}

#[tokio::test(start_paused = true)]
async fn each_of_many_long_polls_gets_a_message() {
    let client = client();
    let url = &create(&client, "q", &[]).await;
    let polls: Vec<_> = (0..50)
        .map(|_| {
            let (client, url) = (client.clone(), url.clone());
            tokio::spawn(async move {
                let one = client
                    .receive_message()
                    .queue_url(url)
                    .wait_time_seconds(20);
                let messages = one.send().await.unwrap().messages.unwrap_or_default();
                bodies(&messages).join(",")
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_secs(1)).await;
    for n in 0..50 {
        send(&client, url, &format!("g{n}"), &n.to_string()).await;
    }
    let mut received = Vec::new();
    for poll in polls {
        received.push(poll.await.unwrap().parse::<u32>().unwrap());
    }
    received.sort_unstable();
    assert!(received.into_iter().eq(0..50));
}

#[tokio::test(start_paused = true)]
async fn a_long_poll_that_leaves_hands_its_watch_to_the_next() {
    let client = client();
    let url = &create(&client, "q", &[]).await;
    send(&client, url, "g", "0").await;
    let held = receive(&client, url, 0).await;
    let impatient = tokio::spawn({
        let (client, url) = (client.clone(), url.clone());
        async move { receive(&client, &url, 20).await }
    });
    let patient = tokio::spawn({
        let (client, url) = (client.clone(), url.clone());
        async move { timed(receive(&client, &url, 20)).await }
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    // This wakes one of the two, the one that came first; it alone learns of the new moment, and goes.
    hide(&client, url, &held[0], 3).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    impatient.abort();
    let (messages, ms) = patient.await.unwrap();
    assert_eq!((bodies(&messages), ms), (vec!["0"], 4000));
}

#[tokio::test(start_paused = true)]
async fn errors_reach_the_sdk_with_their_names() {
    let client = client();
    let missing = client.get_queue_url().queue_name("none").send().await;
    assert!(
        missing
            .unwrap_err()
            .into_service_error()
            .is_queue_does_not_exist()
    );

    let url = &create(&client, "q", &[("VisibilityTimeout", "1")]).await;
    send(&client, url, "g", "0").await;
    let messages = receive(&client, url, 0).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let handle = messages[0].receipt_handle.as_deref().unwrap();
    let expired = client
        .delete_message()
        .queue_url(url)
        .receipt_handle(handle)
        .send()
        .await;
    let expired = expired.unwrap_err().into_service_error();
    assert_eq!(expired.code(), Some("InvalidParameterValue"));
    let text = format!(
        "Value {handle} for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired."
    );
    assert_eq!(expired.message(), Some(&*text));

    let garbage = client
        .delete_message()
        .queue_url(url)
        .receipt_handle("garbage")
        .send()
        .await;
    assert!(
        garbage
            .unwrap_err()
            .into_service_error()
            .is_receipt_handle_is_invalid()
    );

    let taken = client.create_queue().queue_name("q.fifo");
    let taken = taken
        .attributes("FifoQueue".into(), "true")
        .attributes("DelaySeconds".into(), "1");
    assert!(
        taken
            .send()
            .await
            .unwrap_err()
            .into_service_error()
            .is_queue_name_exists()
    );

    let bad_body = client
        .send_message()
        .queue_url(url)
        .message_body("\u{1}")
        .message_group_id("g");
    let bad_body = bad_body.message_deduplication_id("d").send().await;
    assert!(
        bad_body
            .unwrap_err()
            .into_service_error()
            .is_invalid_message_contents()
    );
}

#[tokio::test(start_paused = true)]
async fn a_seed_gives_the_same_trace_again() {
    let run = |seed| async move {
        let client = client_of(&LocalSqs::seeded(Limits::default(), seed));
        let url = &create(&client, "q", &[]).await;
        let mut trace = Vec::new();
        for body in ["0", "1"] {
            send(&client, url, "g", body).await;
            let messages = receive(&client, url, 20).await;
            trace.push(messages.clone());
            tokio::time::sleep(Duration::from_millis(1234)).await;
            delete(&client, url, &messages[0]).await;
        }
        trace
    };
    assert_eq!(run(1).await, run(1).await);
    assert_ne!(run(1).await, run(2).await);
}

#[tokio::test(start_paused = true)]
async fn two_hours_of_long_polls_pass_in_a_moment() {
    let client = client();
    let url = &create(&client, "q", &[]).await;
    let (_, ms) = timed(async {
        for _ in 0..360 {
            receive(&client, url, 20).await;
        }
    })
    .await;
    assert_eq!(ms, 2 * 3_600_000);
}

#[tokio::test(start_paused = true)]
async fn a_long_poll_sees_what_a_slow_move_task_brings() {
    let client = client();
    let _ = create(&client, "dead", &[]).await;
    let dead = "arn:aws:sqs:us-east-1:000000000000:dead.fifo";
    let policy = format!(r#"{{"deadLetterTargetArn":"{dead}","maxReceiveCount":1}}"#);
    let attributes = [
        ("RedrivePolicy", policy.as_str()),
        ("VisibilityTimeout", "0"),
    ];
    // Two dead letters, of different sources, moved back one a second.
    let mut urls = Vec::new();
    for name in ["a", "b"] {
        let url = create(&client, name, &attributes).await;
        send(&client, &url, "g", name).await;
        assert_eq!(receive(&client, &url, 0).await.len(), 1);
        assert_eq!(receive(&client, &url, 0).await.len(), 0);
        urls.push(url);
    }
    let start = async {
        let task = client.start_message_move_task().source_arn(dead);
        task.max_number_of_messages_per_second(1)
            .send()
            .await
            .unwrap();
    };
    let (messages, ms) = during(receive(&client, &urls[1], 20), start).await;
    assert_eq!((bodies(&messages), ms), (vec!["b"], 2000));
}
