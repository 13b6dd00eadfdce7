//! What is particular to DynamoDB.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType,
    ScalarAttributeType, TimeToLiveSpecification,
};
use rig::emulator;
use rig::network::Fault;
use serde_json::json;
use store::admin::Problem;
use store::{DynamoDb, Ledger, LedgerError, WriteError};

use crate::network::{Calls, table_behind};
use crate::place::{Place, client, new_table};
use crate::{DAY, RETENTION, key, now, record, together, write};

/// A ledger behind a network that does this to the first calls of an action; the others pass.
fn behind(place: &Place, action: &'static str, faults: Vec<Fault>) -> (Ledger, Calls) {
    let Place::Table(name) = place else {
        unreachable!("a table is asked for")
    };
    let faults = std::sync::Mutex::new(faults.into_iter());
    let (table, calls) = table_behind(name, move |call| {
        if call.action == action {
            faults.lock().unwrap().next().unwrap_or(Fault::None)
        } else {
            Fault::None
        }
    });
    (Ledger::over(Arc::new(table), RETENTION), calls)
}

fn refusal(code: &str) -> Fault {
    let body = json!({ "__type": format!("com.amazonaws.dynamodb.v20120810#{code}"), "message": "because" });
    Fault::Answer(400, body.to_string())
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_is_not_taken_for_a_lost_race() {
    let place = Place::table().await;
    let new = || behind(&place, "PutItem", vec![Fault::AnswerLost]);
    let (ledger, calls) = new();
    let first = write(&ledger, "m", None, 1).await;
    let first = first.unwrap();
    assert_eq!(calls.actions(), ["PutItem", "PutItem"]);
    let (ledger, calls) = new();
    let second = write(&ledger, "m", Some(&first), 2);
    let second = second.await.unwrap();
    assert_eq!(calls.actions(), ["PutItem", "PutItem"]);
    assert_eq!((first.version, second.version), (1, 2));
    assert_eq!(ledger.read(&key("m")).await, Ok(Some(second)));
}

#[tokio::test]
async fn to_look_at_a_note_takes_one_read_and_to_note_what_is_noted_already_too() {
    let place = Place::table().await;
    let (ledger, calls) = behind(&place, "PutItem", vec![]);
    let queue = key("m").queue;
    let noted = ledger.note_delivered(&queue, "EventSetup_7", "17", now());
    assert_eq!(noted.await, Ok(true));
    assert_eq!(calls.actions(), ["GetItem", "PutItem"]);
    let noted = ledger.note_delivered(&queue, "EventSetup_7", "16", now());
    assert_eq!(noted.await, Ok(true));
    let looked = ledger.delivered_up_to(&queue, "EventSetup_7").await;
    assert_eq!(looked, Ok(Some("17".to_owned())));
    assert_eq!(calls.actions()[2..], ["GetItem", "GetItem"]);
}

#[tokio::test]
async fn a_lost_race_is_seen_as_such_although_its_answer_is_lost() {
    let place = Place::table().await;
    let other = place.ledger().await;
    let theirs = write(&other, "m", None, 1).await;
    let (ledger, calls) = behind(&place, "PutItem", vec![Fault::AnswerLost]);
    // The very same record, for the same version: only the writer differs.
    let lost = write(&ledger, "m", None, 1).await;
    assert_eq!(lost, Err(WriteError::Lost));
    assert_eq!(calls.actions(), ["PutItem", "PutItem"]);
    assert_eq!(other.read(&key("m")).await, Ok(theirs.ok()));
}

#[tokio::test]
async fn a_read_asks_for_the_last_write() {
    let (ledger, calls) = behind(&Place::table().await, "GetItem", vec![]);
    ledger.read(&key("m")).await.unwrap();
    assert_eq!(calls.all()[0].json()["ConsistentRead"], true);
}

#[tokio::test]
async fn an_event_costs_one_item_and_each_use_of_it_one_call() {
    let (ledger, calls) = behind(&Place::table().await, "", vec![]);
    let seen = write(&ledger, "m", None, 1).await;
    let seen = seen.unwrap();
    ledger.read(&key("m")).await.unwrap();
    let written = write(&ledger, "m", Some(&seen), 2);
    written.await.unwrap();
    ledger.forget(&[key("m")]).await.unwrap();
    // By time to live.
    assert_eq!(ledger.expire(now().plus(DAY * 365)).await, Ok(0));
    let expected = ["PutItem", "GetItem", "PutItem", "BatchWriteItem"];
    assert_eq!(calls.actions(), expected);
}

#[tokio::test]
async fn what_a_batch_leaves_undone_is_asked_for_again() {
    let place = Place::table().await;
    let plain = place.ledger().await;
    for n in 0..30 {
        let written = write(&plain, n, None, 1).await;
        written.unwrap();
    }
    let Place::Table(name) = &place else {
        unreachable!()
    };
    let first = AtomicU32::new(0);
    let (table, calls) = table_behind(name, move |call| {
        match first.fetch_add(1, Ordering::Relaxed) {
            0 => undone(&call.json()),
            _ => Fault::None,
        }
    });
    let keys: Vec<_> = (0..30).map(key).collect();
    let ledger = Ledger::over(Arc::new(table), RETENTION);
    ledger.forget(&keys).await.unwrap();
    // 25, the same again, and the other 5.
    assert_eq!(calls.actions().len(), 3);
    for key in &keys {
        assert_eq!(plain.read(key).await, Ok(None));
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_is_never_done_is_given_up() {
    let (table, calls) = table_behind("attempts", |call| undone(&call.json()));
    let ledger = Ledger::over(Arc::new(table), RETENTION);
    let error = ledger.forget(&[key("m")]).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    assert!(error.to_string().contains("leaves 1 of its items undone"));
    assert_eq!(calls.actions().len(), 6);
}

/// DynamoDB answers that it has done nothing of a batch.
fn undone(body: &serde_json::Value) -> Fault {
    let answer = json!({ "UnprocessedItems": body["RequestItems"] });
    Fault::Answer(200, answer.to_string())
}

#[tokio::test]
async fn a_missing_table_is_named_with_what_makes_it() {
    let table = DynamoDb::at(emulator::endpoint(), "nowhere");
    let ledger = Ledger::over(Arc::new(table), RETENTION);
    let written = match write(&ledger, "m", None, 1).await {
        Err(WriteError::Ledger(error)) => error,
        other => panic!("{other:?}"),
    };
    for error in [
        ledger.read(&key("m")).await.unwrap_err(),
        written,
        ledger.forget(&[key("m")]).await.unwrap_err(),
        ledger.check().await.unwrap_err(),
    ] {
        assert!(matches!(error, LedgerError::NoTable { .. }), "{error:?}");
        let text = error.to_string();
        assert!(text.contains("dynamodb:nowhere"), "{text}");
        assert!(text.contains("hooklane ledger create"), "{text}");
    }
}

#[tokio::test]
async fn a_refused_call_is_told_with_the_permission_it_needs() {
    let refused = vec![refusal("AccessDeniedException")];
    let (ledger, calls) = behind(&Place::table().await, "BatchWriteItem", refused);
    let error = ledger.forget(&[key("m")]).await.unwrap_err();
    assert!(!error.is_transient());
    let text = error.to_string();
    assert!(text.contains("dynamodb:BatchWriteItem"), "{text}");
    assert_eq!(calls.actions().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_throttled_call_is_tried_three_times_and_may_pass_later() {
    let throttled = |_: &_| refusal("ProvisionedThroughputExceededException");
    let (table, calls) = table_behind("attempts", throttled);
    let ledger = Ledger::over(Arc::new(table), RETENTION);
    let error = ledger.read(&key("m")).await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    assert!(error.to_string().contains("throttled"), "{error}");
    assert_eq!(calls.actions().len(), 3);
}

#[tokio::test]
async fn a_record_says_when_it_may_go_and_is_read_until_it_has() {
    // Without a time to live, so that it stays.
    let name = new_table();
    make_table(&name, &[("id", KeyType::Hash)]).await;
    let table = DynamoDb::at(emulator::endpoint(), &name);
    let ledger = Ledger::over(Arc::new(table), RETENTION);
    let long_ago = event::Timestamp::from_millis(1_739_370_645_123);
    let written = ledger.write(&key("m"), None, &record(1), long_ago).await;
    assert_eq!(ledger.read(&key("m")).await, Ok(written.ok()));

    let scan = client().scan().table_name(&name).send().await.unwrap();
    let expected_s = 1_739_370_646 + (RETENTION + DAY).as_secs();
    let expected = AttributeValue::N(expected_s.to_string());
    assert_eq!(scan.items()[0]["expires_at"], expected);
}

#[tokio::test]
async fn processes_that_make_a_table_together_make_one() {
    let name = new_table();
    let tables = together(4, |_| {
        let table = DynamoDb::at(emulator::endpoint(), &name);
        async move { table.create().await }
    });
    let made = tables.await;
    assert_eq!(
        made.iter().filter(|m| **m == Ok(true)).count(),
        1,
        "{made:?}"
    );
    assert_eq!(
        made.iter().filter(|m| **m == Ok(false)).count(),
        3,
        "{made:?}"
    );
    let table = DynamoDb::at(emulator::endpoint(), &name);
    assert_eq!(table.problems().await, Ok(vec![]));
}

#[tokio::test]
async fn a_time_to_live_that_is_off_is_told_and_switched_on() {
    let name = new_table();
    let table = DynamoDb::at(emulator::endpoint(), &name);
    assert_eq!(told(&table.problems().await.unwrap()), ["table not there"]);
    make_table(&name, &[("id", KeyType::Hash)]).await;
    assert_eq!(told(&table.problems().await.unwrap()), ["time to live off"]);
    assert_eq!(table.create().await, Ok(false));
    assert_eq!(table.problems().await, Ok(vec![]));
}

#[tokio::test]
async fn a_time_to_live_on_another_attribute_is_told_and_left() {
    let name = new_table();
    make_table(&name, &[("id", KeyType::Hash)]).await;
    set_time_to_live(&name, "written_at").await;
    let table = DynamoDb::at(emulator::endpoint(), &name);
    let error = table.create().await.unwrap_err();
    assert!(matches!(error, LedgerError::NotALedger { .. }), "{error:?}");
    let expected = ["time to live on written_at"];
    assert_eq!(told(&table.problems().await.unwrap()), expected);
}

#[tokio::test]
async fn a_table_that_was_made_for_something_else_is_told_and_left() {
    let name = new_table();
    make_table(&name, &[("pk", KeyType::Hash), ("id", KeyType::Range)]).await;
    let table = DynamoDb::at(emulator::endpoint(), &name);
    let expected = ["key schema pk (S, HASH), id (S, RANGE)"];
    assert_eq!(told(&table.problems().await.unwrap()), expected);
    let ledger = Ledger::over(Arc::new(table.clone()), RETENTION);
    for error in [
        table.create().await.unwrap_err(),
        ledger.check().await.unwrap_err(),
    ] {
        assert!(matches!(error, LedgerError::NotALedger { .. }), "{error:?}");
        assert!(error.to_string().contains(&name), "{error}");
    }
}

#[tokio::test]
async fn a_permission_that_is_missing_is_a_problem() {
    let Place::Table(name) = Place::table().await else {
        unreachable!()
    };
    for action in ["PutItem", "GetItem", "BatchWriteItem"] {
        let (table, _) = table_behind(&name, move |call| {
            if call.action == action {
                refusal("AccessDeniedException")
            } else {
                Fault::None
            }
        });
        let found = told(&table.problems().await.unwrap());
        let expected = format!("access {action} refused (AccessDeniedException: because)");
        assert_eq!(found, [expected]);
    }
}

#[tokio::test]
async fn a_table_that_cannot_be_looked_at_is_an_error() {
    let refused = |_: &_| refusal("AccessDeniedException");
    let (table, _) = table_behind("attempts", refused);
    let error = table.problems().await.unwrap_err();
    assert!(matches!(error, LedgerError::Denied { .. }), "{error:?}");
    assert!(error.to_string().contains("dynamodb:DescribeTable"));
}

fn told(problems: &[Problem]) -> Vec<String> {
    let told = |p: &Problem| format!("{} {}", p.attribute, p.found);
    problems.iter().map(told).collect()
}

/// A table of somebody else's, with keys of type string.
async fn make_table(name: &str, keys: &[(&str, KeyType)]) {
    let mut create = client()
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest);
    for (name, kind) in keys {
        let attribute = AttributeDefinition::builder()
            .attribute_name(*name)
            .attribute_type(ScalarAttributeType::S);
        let key = KeySchemaElement::builder()
            .attribute_name(*name)
            .key_type(kind.clone());
        create = create
            .attribute_definitions(attribute.build().unwrap())
            .key_schema(key.build().unwrap());
    }
    create.send().await.unwrap();
}

async fn set_time_to_live(name: &str, attribute: &str) {
    let specification = TimeToLiveSpecification::builder()
        .enabled(true)
        .attribute_name(attribute)
        .build()
        .unwrap();
    let update = client().update_time_to_live().table_name(name);
    let update = update.time_to_live_specification(specification);
    update.send().await.unwrap();
}
