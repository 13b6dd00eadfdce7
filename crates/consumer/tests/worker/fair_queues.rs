//! A standard queue whose messages have a group ([fair queues]): the group is a tenant, and keeps nothing in order.
//!
//! [fair queues]: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues.html

use std::collections::BTreeMap;
use std::time::Duration;

use delivery::{REPLAY, Record, RecordState, Replay};
use queue::admin::Kind;
use queue::{Attribute, Outgoing};
use store::Key;

use crate::world::{Reply, Seen, World, about, number};

const TENANT: &str = "tenant-A";

fn body(n: u32) -> String {
    format!("{{\"n\": {n}}}")
}

async fn send(world: &World, body: &str, replay: Option<&Replay>) {
    let carried = replay.map(|replay| replay.to_json_within(100_000).unwrap());
    let carried = carried.map(|text| (REPLAY.to_owned(), Attribute::string(text)));
    let outgoing = Outgoing {
        body: body.to_owned(),
        group: Some(TENANT.to_owned()),
        deduplication_id: None,
        attributes: carried.into_iter().collect(),
    };
    for sent in world.source.send_batch(&[outgoing]).await.unwrap() {
        sent.unwrap();
    }
}

/// Five events of one tenant, delivered by a receiver that answers as the script says.
async fn five(script: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> World {
    let world = World::of(Kind::Standard, script).await;
    for n in 0..5 {
        send(&world, &body(n), None).await;
    }
    world
}

#[tokio::test(start_paused = true)]
async fn no_event_waits_behind_another_of_its_tenant_that_fails() {
    let world = five(|seen| Reply::Status(if number(seen) == 0 { 500 } else { 200 })).await;
    world.drain().await;
    let seen = world.receiver.seen();
    assert_eq!(seen.len(), 4 + 4);
    for seen in seen.iter().filter(|seen| number(seen) > 0) {
        assert!(about(seen.at, 0), "{seen:?}");
        assert_eq!(seen.header("X-Hooklane-Group"), Some(TENANT));
    }
    assert_eq!(world.dead().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn no_event_waits_behind_another_of_its_tenant_that_is_slow() {
    let script = |_: &Seen| Reply::After(Duration::from_secs(20), 200);
    let world = five(script).await;
    world.drain().await;
    let seen = world.receiver.seen();
    assert_eq!(seen.len(), 5);
    assert!(seen.iter().all(|seen| about(seen.at, 0)), "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn a_body_is_posted_as_it_was_sent_at_every_attempt_and_in_every_life() {
    let world = World::of(Kind::Standard, |seen| {
        Reply::Status(match seen.header("X-Hooklane-Replay") {
            None => 500,
            Some(_) => 200,
        })
    })
    .await;
    send(&world, &body(7), None).await;
    world.drain().await;
    let (message, letter) = world.dead().await.pop().expect("one");
    assert_eq!(letter.origin.group.as_deref(), Some(TENANT));
    assert_eq!(&message.body[..], body(7).as_bytes());
    send(&world, &body(7), Some(&Replay::of(letter))).await;
    world.drain().await;
    let bodies = world.receiver.bodies();
    assert_eq!(bodies, vec![body(7); 5]);
}

#[tokio::test(start_paused = true)]
async fn a_count_of_one_that_lags_does_not_hide_what_the_ledger_knows() {
    let world = World::of(Kind::Standard, |_| Reply::Status(200)).await;
    let mut answers = world
        .source
        .send_batch(&[Outgoing {
            body: body(1),
            group: Some(TENANT.to_owned()),
            deduplication_id: None,
            attributes: BTreeMap::new(),
        }])
        .await
        .unwrap();
    let key = Key {
        queue: world.source.url().to_owned(),
        message_id: answers.pop().unwrap().unwrap().message_id,
        group: None,
    };
    // Another worker received it, delivered it and could not delete it. SQS tells of that receive later.
    let record = Record {
        attempts: Vec::new(),
        state: RecordState::Done,
        receives: 1,
        begun: 0,
    };
    let now = world.clock.now();
    world.ledger.write(&key, None, &record, now).await.unwrap();
    world.drain().await;
    assert!(world.receiver.seen().is_empty());
    assert_eq!(world.ledger.read(&key).await.unwrap(), None);
}
