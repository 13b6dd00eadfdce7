//! Queue pairs on the local queue.

use local_sqs::{Limits, LocalSqs};
use std::time::Duration;

use queue::admin::{
    Backstop, CreateError, Kind, NotUsable, Warning, backstop, check_pair, create_pair, is_pair,
    usable_pair,
};
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

#[tokio::test]
async fn a_pair_is_usable_if_it_is_one_and_keeps_its_events_for_all_their_attempts() {
    const DAY: Duration = Duration::from_secs(24 * 3600);
    let sqs = sqs();
    let (source, dead) = open_pair(&sqs, "events", Kind::Fifo).await;
    assert_eq!(usable_pair(&source, &dead, 14 * DAY), Ok(vec![]));
    assert_eq!(
        usable_pair(&source, &dead, 15 * DAY),
        Err(NotUsable::Dropped)
    );
    assert_eq!(is_pair(&dead, &source), Err(NotUsable::Swapped));
    let another = source.url().replace("://", "://another.");
    let same = Queue::open(&sqs, &another).await.unwrap();
    assert_ne!(same.url(), source.url());
    assert_eq!(is_pair(&source, &same), Err(NotUsable::OneQueue));
    let (standard, its_dead) = open_pair(&sqs, "others", Kind::Standard).await;
    assert_eq!(is_pair(&source, &its_dead), Err(NotUsable::TwoKinds));
    assert_eq!(usable_pair(&standard, &its_dead, DAY), Ok(vec![]));
}

#[tokio::test]
async fn what_a_pair_loses_is_refused_and_what_it_may_lose_is_warned_of() {
    const DAY: Duration = Duration::from_secs(24 * 3600);
    let local = LocalSqs::new(Limits::default());
    let sqs = Sqs::in_process(local.http_client());
    let (source, dead) = open_pair(&sqs, "events", Kind::Fifo).await;
    let judged = async |receives: u32, kept_days: u32| {
        let policy = format!(
            r#"{{"deadLetterTargetArn":"{}","maxReceiveCount":{receives}}}"#,
            dead.attributes().arn
        );
        let retention = (kept_days * 86_400).to_string();
        for (queue, attributes) in [
            (
                &source,
                serde_json::json!({"RedrivePolicy": policy, "MessageRetentionPeriod": retention}),
            ),
            (
                &dead,
                serde_json::json!({"MessageRetentionPeriod": retention}),
            ),
        ] {
            let change = serde_json::json!({"QueueUrl": queue.url(), "Attributes": attributes});
            local.ask("SetQueueAttributes", &change.to_string()).await;
        }
        let source = Queue::open(&sqs, source.url()).await.unwrap();
        let dead = Queue::open(&sqs, dead.url()).await.unwrap();
        usable_pair(&source, &dead, 4 * DAY)
    };
    assert_eq!(judged(99, 14).await, Err(NotUsable::TakenAway(99)));
    assert_eq!(judged(1000, 3).await, Err(NotUsable::Dropped));
    let warnings = [
        Warning::TakenAway(100),
        Warning::SourceKeepsShort,
        Warning::InternalKeepsShort,
    ];
    assert_eq!(judged(100, 4).await, Ok(warnings.to_vec()));
    assert_eq!(judged(1000, 14).await, Ok(vec![]));
}
