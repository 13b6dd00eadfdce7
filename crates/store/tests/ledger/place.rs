//! The places a ledger is kept in, each for one test alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodb::types::AttributeValue;
use rig::emulator;
use store::{Backend, DynamoDb, Key, Ledger, LedgerSpec};
use tempfile::TempDir;

use crate::RETENTION;

pub(crate) enum Place {
    Memory(Arc<dyn Backend>),
    File(TempDir),
    Table(String),
}

impl Place {
    pub(crate) fn memory() -> Self {
        Self::Memory(store::in_memory().unwrap())
    }

    pub(crate) fn file() -> Self {
        Self::File(tempfile::tempdir().unwrap())
    }

    pub(crate) async fn table() -> Self {
        let name = new_table();
        let made = DynamoDb::at(emulator::endpoint(), &name).create().await;
        assert_eq!(made, Ok(true));
        Self::Table(name)
    }

    /// The ledger as one more worker sees it.
    pub(crate) async fn ledger(&self) -> Ledger {
        match self {
            Self::Memory(memory) => Ledger::over(memory.clone(), RETENTION),
            Self::File(folder) => {
                let spec = LedgerSpec::Sqlite(folder.path().join("hooklane.db"));
                Ledger::open(&spec, RETENTION).await.unwrap()
            }
            Self::Table(name) => {
                let table = DynamoDb::at(emulator::endpoint(), name);
                Ledger::over(Arc::new(table), RETENTION)
            }
        }
    }

    /// Somebody else makes a record unreadable.
    pub(crate) async fn spoil(&self, key: &Key) {
        match self {
            Self::Memory(_) => unreachable!("nobody else can reach it"),
            Self::File(folder) => {
                let other = rusqlite::Connection::open(folder.path().join("hooklane.db")).unwrap();
                let spoil = "UPDATE attempts SET record = '{' WHERE message_id = ?1";
                assert_eq!(other.execute(spoil, [&key.message_id]), Ok(1));
            }
            Self::Table(name) => {
                let id = format!("{}#{}", key.queue, key.message_id);
                let spoil = client().update_item().table_name(name);
                spoil
                    .key("id", AttributeValue::S(id))
                    .update_expression("SET #record = :record")
                    .condition_expression("attribute_exists(id)")
                    .expression_attribute_names("#record", "record")
                    .expression_attribute_values(":record", AttributeValue::S("{".to_owned()))
                    .send()
                    .await
                    .unwrap();
            }
        }
    }

    /// Somebody else takes it away.
    pub(crate) async fn remove(&self) {
        match self {
            Self::Memory(_) => unreachable!("nobody else can reach it"),
            Self::File(folder) => {
                let other = rusqlite::Connection::open(folder.path().join("hooklane.db")).unwrap();
                other.execute_batch("DROP TABLE attempts").unwrap();
            }
            Self::Table(name) => {
                let delete = client().delete_table().table_name(name);
                delete.send().await.unwrap();
            }
        }
    }
}

/// The name of a table that is not there.
pub(crate) fn new_table() -> String {
    static TABLES: AtomicU32 = AtomicU32::new(0);
    format!("attempts-{}", TABLES.fetch_add(1, Ordering::Relaxed))
}

/// The SDK alone, as another program would use it.
pub(crate) fn client() -> Client {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(emulator::endpoint())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::new("local", "local", None, None, "local"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    Client::from_conf(config)
}
