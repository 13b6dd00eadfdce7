//! SQS's time, learnt from its answers.

use std::time::Duration;

use event::Timestamp;
use local_sqs::{Limits, LocalSqs};
use queue::admin::{Kind, create_pair};
use queue::{Clock, Queue, ReceiveOptions, Sqs};

/// 2025-01-01, where the time of a seeded SQS starts.
const START: Timestamp = Timestamp::from_millis(1_735_689_600_000);

fn distance(one: Timestamp, other: Timestamp) -> Duration {
    one.until(other).max(other.until(one))
}

#[tokio::test(start_paused = true)]
async fn every_answer_of_sqs_corrects_a_clock_that_is_off() {
    for off_ms in [45_000, -45_000, 86_400_000] {
        let local = LocalSqs::seeded(Limits::default(), 1);
        let clock = Clock::virtual_from(START);
        clock.set_forward(off_ms);
        let sqs = Sqs::in_process_at(local.http_client(), clock.clone());
        assert_eq!(clock.off_ms(), None, "nobody has said otherwise");
        create_pair(&sqs, "events", Kind::Fifo).await.unwrap();
        tokio::time::advance(Duration::from_secs(90)).await;
        let truth = START.plus(Duration::from_secs(90));
        assert!(distance(clock.now(), truth) <= Duration::from_millis(1_020));
        assert!(clock.earliest() <= truth && truth <= clock.latest());
        // Somebody sets it right.
        clock.set_forward(-off_ms);
        assert_eq!((clock.now(), clock.off_ms()), (truth, None));
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_counted_by_a_clock_that_goes_on_while_the_machine_is_suspended() {
    let local = LocalSqs::seeded(Limits::default(), 1);
    let clock = Clock::virtual_from(START);
    let sqs = Sqs::in_process_at(local.http_client(), clock.clone());
    let pair = create_pair(&sqs, "events", Kind::Fifo).await.unwrap();
    let queue = Queue::open(&sqs, &pair.source_url).await.unwrap();
    let outgoing = queue::Outgoing {
        body: "{}".to_owned(),
        group: Some("g".to_owned()),
        deduplication_id: Some("1".to_owned()),
        attributes: Default::default(),
    };
    queue.send_batch(&[outgoing]).await.unwrap();
    let options = ReceiveOptions {
        max: 1,
        wait: Duration::ZERO,
        visibility: Duration::from_secs(60),
    };
    let received = queue.receive(options).await.unwrap().remove(0);
    let left = || clock.uptime().until(received.lease_until);
    assert_eq!(left(), Duration::from_secs(60));
    clock.suspend(Duration::from_secs(50));
    assert_eq!(left(), Duration::from_secs(10));
    clock.suspend(Duration::from_secs(50));
    assert_eq!(left(), Duration::ZERO);
}
