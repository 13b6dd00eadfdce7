//! What earlier versions have left is read, and what is written over it they read: they may run beside this one.
//!
//! Written by hand as it lay there on the day this was written (format 1); it is never to be changed.

use aws_sdk_dynamodb::types::AttributeValue;
use delivery::{Reason, RecordState, Verdict};
use event::Timestamp;
use rusqlite::{Connection, params};

use crate::place::{Place, client};
use crate::{key, record};

const QUEUE: &str = "https://sqs.us-east-1.amazonaws.com/123456789012/events.fifo";

/// What a file was made with.
const FILE: &str = "
    PRAGMA journal_mode = wal;
    CREATE TABLE attempts (
        queue         TEXT NOT NULL,
        message_id    TEXT NOT NULL,
        message_group TEXT,
        version       INTEGER NOT NULL,
        written_at_ms INTEGER NOT NULL,
        record        TEXT NOT NULL,
        PRIMARY KEY (queue, message_id)
    ) STRICT;
    CREATE INDEX attempts_by_age ON attempts (written_at_ms);
    PRAGMA application_id = 1212965230;
    PRAGMA user_version = 1;
";

const WAITING: &str = r#"{"attempts":[{"life":0,"n":1,"at":"2025-02-12T14:30:45.123Z","duration_ms":8,"status":null,"error":"connect","excerpt":"refused"},{"life":0,"n":2,"at":"2025-02-12T14:30:45.123Z","duration_ms":8,"status":null,"error":"connect","excerpt":"refused"}],"state":{"waiting":{"not_before":"2025-02-12T14:30:45.123Z","wait_ms":0}},"receives":1,"begun":0}"#;
const WAITING_EARLIER: &str =
    r#"{"attempts":[],"state":{"waiting":{"not_before":"2025-02-12T14:30:45.123Z"}}}"#;
const EXHAUSTED: &str = r#"{"attempts":[],"state":{"exhausted":{"reason":"no-callback","detail":null,"dead_at":"2025-02-12T14:30:45.123Z"}},"receives":1,"begun":0}"#;
const DONE: &str = r#"{"attempts":[],"state":"done","receives":1,"begun":0}"#;
const GROUP: &str = r#"{"attempts":[],"state":{"group":{"newest_dead":"17","delivered_up_to":"16"}},"receives":0,"begun":0}"#;
const GROUP_EARLIER: &str =
    r#"{"attempts":[],"state":{"delivered_up_to":"16"},"receives":0,"begun":0}"#;
const WATCHED: &str = r#"{"attempts":[],"state":{"watched":{"EventSetup_7":{"since":"2025-02-12T14:30:45.123Z","last":"2025-02-12T14:30:45.123Z"}}},"receives":0,"begun":0}"#;

/// Each under its id and its message group.
const LEFT: [(&str, Option<&str>, &str); 7] = [
    ("m-waiting", Some("EventSetup_7"), WAITING),
    ("m-earlier", Some("EventSetup_7"), WAITING_EARLIER),
    ("m-exhausted", Some("EventSetup_7"), EXHAUSTED),
    ("m-done", Some("EventSetup_7"), DONE),
    ("group:EventSetup_7", Some("EventSetup_7"), GROUP),
    ("group:EventSetup_8", Some("EventSetup_8"), GROUP_EARLIER),
    ("groups:watched", None, WATCHED),
];

const AT: Timestamp = Timestamp::from_millis(1_739_370_645_123);

/// Everything that is left was written three times.
const VERSION: i64 = 3;

/// A file as an earlier version left it.
fn file() -> Place {
    let place = Place::file();
    let connection = connect(&place);
    connection.execute_batch(FILE).unwrap();
    let insert = "INSERT INTO attempts VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    for (id, group, text) in LEFT {
        let row = params![QUEUE, id, group, VERSION, AT.as_millis() as i64, text];
        connection.execute(insert, row).unwrap();
    }
    place
}

fn connect(place: &Place) -> Connection {
    let Place::File(folder) = place else {
        unreachable!("a file is asked for")
    };
    Connection::open(folder.path().join("hooklane.db")).unwrap()
}

/// A table as an earlier version left it.
async fn table() -> Place {
    let place = Place::table().await;
    let Place::Table(name) = &place else {
        unreachable!("a table was made")
    };
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let number = |n: i64| AttributeValue::N(n.to_string());
    let expires_at = crate::now().as_millis() as i64 / 1_000 + 3_600;
    for (id, group, record) in LEFT {
        let put = client().put_item().table_name(name);
        let mut put = put
            .item("id", text(&format!("{QUEUE}#{id}")))
            .item("version", number(VERSION))
            .item("writer", text("dcb5f1c3-5dd8-4f2f-9d1d-3f8a1f6f7a10"))
            .item("record", text(record))
            .item("expires_at", number(expires_at));
        if let Some(group) = group {
            put = put.item("message_group", text(group));
        }
        put.send().await.unwrap();
    }
    place
}

/// Puts an item as one of the next format.
async fn make_newer(place: &Place, id: &str) {
    let Place::Table(name) = place else {
        unreachable!("a table is asked for")
    };
    let id = AttributeValue::S(format!("{QUEUE}#{id}"));
    let update = client().update_item().table_name(name).key("id", id);
    update
        .update_expression("SET #format = :format")
        .condition_expression("attribute_exists(id)")
        .expression_attribute_names("#format", "format")
        .expression_attribute_values(":format", AttributeValue::N("2".to_owned()))
        .send()
        .await
        .unwrap();
}

/// What stands there, as an earlier version finds it: version, message group and text.
async fn found(place: &Place, id: &str) -> (i64, Option<String>, String) {
    match place {
        Place::Table(name) => {
            let id = AttributeValue::S(format!("{QUEUE}#{id}"));
            let get = client().get_item().table_name(name).key("id", id);
            let item = get.send().await.unwrap().item.unwrap();
            let text = |name: &str| item.get(name).map(|value| value.as_s().unwrap().clone());
            let version = item["version"].as_n().unwrap().parse().unwrap();
            (version, text("message_group"), text("record").unwrap())
        }
        _ => {
            let query = "SELECT version, message_group, record FROM attempts
                 WHERE queue = ?1 AND message_id = ?2";
            let row = connect(place).query_row(query, params![QUEUE, id], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            });
            row.unwrap()
        }
    }
}

mod of_a_file {
    use super::{notes_are_read_and_changed, records_are_read_and_replaced};

    #[tokio::test]
    async fn records_that_an_earlier_version_left_are_read_and_replaced() {
        records_are_read_and_replaced(super::file()).await;
    }

    #[tokio::test]
    async fn notes_that_an_earlier_version_left_are_read_and_changed() {
        notes_are_read_and_changed(super::file()).await;
    }

    #[tokio::test]
    async fn its_format_stays_so_that_an_earlier_version_may_use_it_too() {
        let place = super::file();
        place.ledger().await.check().await.unwrap();
        let format = super::connect(&place).query_row("PRAGMA user_version", [], |row| row.get(0));
        assert_eq!(format, Ok(1));
    }
}

mod of_a_table {
    use store::{LedgerError, WriteError};

    use super::{QUEUE, notes_are_read_and_changed, records_are_read_and_replaced};

    #[tokio::test]
    async fn records_that_an_earlier_version_left_are_read_and_replaced() {
        records_are_read_and_replaced(super::table().await).await;
    }

    #[tokio::test]
    async fn notes_that_an_earlier_version_left_are_read_and_changed() {
        notes_are_read_and_changed(super::table().await).await;
    }

    #[tokio::test]
    async fn what_a_newer_version_left_is_trouble_and_not_nothing() {
        let place = super::table().await;
        for id in ["m-waiting", "group:EventSetup_7", "groups:watched"] {
            super::make_newer(&place, id).await;
        }
        let ledger = place.ledger().await;
        let key = crate::key("m-waiting");
        let error = ledger.read(&key).await.unwrap_err();
        let is_named = |error: &LedgerError, id: &str| {
            let text = error.to_string();
            assert!(text.contains("it has format 2"), "{text}");
            matches!(error, LedgerError::Record { message_id, .. } if message_id == id)
        };
        assert!(is_named(&error, "m-waiting"), "{error:?}");
        let record = crate::record(2);
        let lost = ledger.write(&key, None, &record, crate::now()).await;
        assert_eq!(lost, Err(WriteError::Lost));
        let error = ledger.of_group(QUEUE, "EventSetup_7").await.unwrap_err();
        assert!(is_named(&error, "group:EventSetup_7"), "{error:?}");
        let died = ledger.note_death(QUEUE, "EventSetup_7", "18", crate::now());
        assert_eq!(died.await, Err(WriteError::Ledger(error)));
        let error = ledger.watched_groups(QUEUE).await.unwrap_err();
        assert!(is_named(&error, "groups:watched"), "{error:?}");
        // The others can be used.
        assert!(ledger.read(&crate::key("m-done")).await.is_ok());
        assert_eq!(ledger.check().await, Ok(()));
    }
}

async fn records_are_read_and_replaced(place: Place) {
    let ledger = place.ledger().await;
    let read = async |id: &str| ledger.read(&key(id)).await.unwrap().unwrap();
    assert_eq!(read("m-waiting").await.record, record(2));
    assert_eq!(read("m-done").await.record.state, RecordState::Done);
    let verdict = Verdict {
        reason: Reason::NoCallback,
        detail: None,
        dead_at: AT,
    };
    let exhausted = RecordState::Exhausted(verdict);
    assert_eq!(read("m-exhausted").await.record.state, exhausted);
    let waiting = RecordState::Waiting {
        not_before: AT,
        wait_ms: None,
    };
    let earlier = read("m-earlier").await;
    assert_eq!(earlier.record.state, waiting);
    assert_eq!((earlier.record.receives, earlier.record.begun), (0, 0));
    assert_eq!(earlier.version, VERSION);

    let (key, record) = (key("m-earlier"), record(2));
    let written = ledger.write(&key, Some(&earlier), &record, crate::now());
    written.await.unwrap();
    let group = Some("EventSetup_7".to_owned());
    let expected = (VERSION + 1, group, WAITING.to_owned());
    assert_eq!(found(&place, "m-earlier").await, expected);
    ledger.forget(std::slice::from_ref(&key)).await.unwrap();
    assert_eq!(ledger.read(&key).await, Ok(None));
}

async fn notes_are_read_and_changed(place: Place) {
    let ledger = place.ledger().await;
    let note = ledger.of_group(QUEUE, "EventSetup_7").await.unwrap();
    assert_eq!(note.newest_dead.as_deref(), Some("17"));
    assert_eq!(note.delivered_up_to.as_deref(), Some("16"));
    let note = ledger.of_group(QUEUE, "EventSetup_8").await.unwrap();
    assert_eq!(note.newest_dead, None);
    assert_eq!(note.delivered_up_to.as_deref(), Some("16"));
    let watched = ledger.watched_groups(QUEUE).await.unwrap();
    let watch = watched["EventSetup_7"];
    assert_eq!((watch.since, watch.last), (AT, AT));

    let now = crate::now();
    let died = ledger.note_death(QUEUE, "EventSetup_8", "17", now);
    died.await.unwrap();
    let group = Some("EventSetup_8".to_owned());
    let expected = (VERSION + 1, group, GROUP.to_owned());
    assert_eq!(found(&place, "group:EventSetup_8").await, expected);
    let settled = ledger.note_delivered(QUEUE, "EventSetup_7", "18", now);
    assert_eq!(settled.await, Ok(true));
    let unwatched = ledger.unwatch(QUEUE, "EventSetup_7", now).await;
    unwatched.unwrap();
    let none = WATCHED.split_once("{\"EventSetup_7\"").unwrap().0;
    let none = format!("{none}{{}}}},\"receives\":0,\"begun\":0}}");
    let expected = (VERSION + 1, None, none);
    assert_eq!(found(&place, "groups:watched").await, expected);
}
