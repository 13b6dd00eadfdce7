//! Queue pairs on the local queue.

use local_sqs::{Limits, LocalSqs};
use queue::admin::{Backstop, CreateError, Kind, backstop, check_pair, create_pair};
use queue::{Queue, Sqs};

fn sqs() -> Sqs {
    Sqs::in_process(LocalSqs::new(Limits::default()).http_client())
}

async fn open_pair(sqs: &Sqs, name: &str, kind: Kind) -> (Queue, Queue) {
    let pair = create_pair(sqs, name, kind).await.unwrap();
    let source = Queue::open(sqs, &pair.source_url).await.unwrap();
    let dead_letters = Queue::open(sqs, &pair.dead_letter_url).await.unwrap();
    (source, dead_letters)
}

#[tokio::test]
async fn a_pair_that_was_made_has_no_problems() {
    let sqs = sqs();
    for (name, kind, endings) in [
        (
            "events",
            Kind::Fifo,
            ["/events.fifo", "/events-internal.fifo"],
        ),
        ("plain", Kind::Standard, ["/plain", "/plain-internal"]),
    ] {
        let (source, dead_letters) = open_pair(&sqs, name, kind).await;
        assert_eq!(check_pair(&source, &dead_letters), []);
        assert!(source.url().ends_with(endings[0]), "{}", source.url());
        assert!(
            dead_letters.url().ends_with(endings[1]),
            "{}",
            dead_letters.url()
        );
        assert_eq!(backstop(source.attributes()), Backstop::Fits);
        assert!(dead_letters.attributes().retention_s >= source.attributes().retention_s);
    }
}

#[tokio::test]
async fn making_a_pair_twice_finds_it() {
    let sqs = sqs();
    let first = create_pair(&sqs, "events", Kind::Fifo).await.unwrap();
    let second = create_pair(&sqs, "events.fifo", Kind::Fifo).await.unwrap();
    assert_eq!(first, second);
}

#[tokio::test]
async fn a_queue_of_that_name_with_other_attributes_is_left_as_it_is() {
    let sqs = sqs();
    create_pair(&sqs, "events", Kind::Standard).await.unwrap();
    // `events-internal` is there already, with the attributes of an internal queue.
    let error = create_pair(&sqs, "events-internal", Kind::Standard)
        .await
        .unwrap_err();
    let CreateError::Differs { name, differences } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(name, "events-internal");
    assert!(
        differences.contains("MessageRetentionPeriod is 1209600 and should be 864000"),
        "{error}"
    );
    assert!(differences.contains("RedrivePolicy is absent"), "{error}");
}

#[tokio::test]
async fn a_queue_that_is_its_own_internal_queue_is_one_problem() {
    let sqs = sqs();
    let (source, _) = open_pair(&sqs, "events", Kind::Fifo).await;
    let problems = check_pair(&source, &source);
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].expected, "another queue");
}

#[tokio::test]
async fn a_pair_of_two_kinds_is_a_problem_of_the_internal_queue() {
    let sqs = sqs();
    let (source, _) = open_pair(&sqs, "events", Kind::Fifo).await;
    let (_, standard) = open_pair(&sqs, "plain", Kind::Standard).await;
    let problems = check_pair(&source, &standard);
    let kind = problems
        .iter()
        .find(|p| p.attribute == "FifoQueue")
        .unwrap();
    assert_eq!(
        (kind.found.as_str(), kind.expected.as_str()),
        ("absent", "true")
    );
    assert_eq!(kind.queue, standard.url());
}
