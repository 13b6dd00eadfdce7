//! The ledger in a DynamoDB table: one item per record or note, for any number of workers.
//!
//! Its partition key is queue and message together: by queue alone, all of a queue's writes would go to one
//! partition, which takes 1,000 a second ([partitions]).
//!
//! [partitions]: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html

mod connection;
mod failure;
mod item;
mod table;

use std::collections::{HashMap, HashSet};
use std::time::{Duration, SystemTime};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{
    AttributeValue, DeleteRequest, ReturnValuesOnConditionCheckFailure, WriteRequest,
};
use delivery::{Record, RecordState};
use event::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::sleep;
use uuid::Uuid;

use self::item::{ID, Item, VERSION, WRITER};
use crate::backend::{Backend, BoxFuture, Key, Seen};
use crate::error::LedgerError;
use crate::note::{Note, NoteKey, SeenNote};
use crate::slot::Slot;

/// The most that one call of BatchWriteItem takes.
const BATCH: usize = 25;

/// How often the part of a batch that DynamoDB left undone is asked for again, and the first wait before it;
/// each later one is twice as long, so together under two seconds.
const BATCH_RETRIES: u32 = 5;
const BATCH_BACKOFF: Duration = Duration::from_millis(50);

/// After so long DynamoDB removes what a check that died half-way has left.
const CHECK_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// A table in DynamoDB.
#[derive(Debug, Clone)]
pub struct DynamoDb {
    client: Client,
    table: String,
}

impl DynamoDb {
    /// What lies in a slot, and which version of it.
    async fn get<T: DeserializeOwned>(&self, slot: &Slot) -> Result<Option<(T, i64)>, LedgerError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key(ID, item::id(slot))
            // The last write counts, whoever made it: an older record would allow an attempt too many, or one
            // before its time.
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| self.failure("GetItem", error))?;
        // An item whose time has run out but is not removed yet still tells the truth: its message may live on
        // if the queue's retention was raised.
        let found = answer.item.map(|item| item::read(&item)).transpose();
        found.map_err(|message| LedgerError::Record {
            ledger: self.name(),
            message_id: slot.id.clone(),
            message,
        })
    }

    async fn put(
        &self,
        slot: &Slot,
        replaces: Option<i64>,
        kept: &impl Serialize,
        expires: Timestamp,
    ) -> Result<Option<i64>, LedgerError> {
        let writer = Uuid::new_v4().to_string();
        let version = replaces.unwrap_or(0) + 1;
        let item = item::write(slot, version, &writer, kept, expires);
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let put = match replaces {
            None => put
                .condition_expression("attribute_not_exists(#id)")
                .expression_attribute_names("#id", ID),
            Some(replaced) => put
                .condition_expression("#version = :replaced")
                .expression_attribute_names("#version", VERSION)
                .expression_attribute_values(":replaced", item::number(replaced)),
        };
        match put.send().await {
            Ok(_) => Ok(Some(version)),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(refused)) => {
                    // The SDK asks again when an answer is lost; what stands in the way is then our own write.
                    Ok(is_by(refused.item(), &writer).then_some(version))
                }
                _ => Err(self.failure("PutItem", error)),
            },
        }
    }

    async fn delete(&self, slots: impl Iterator<Item = Slot>) -> Result<(), LedgerError> {
        // A batch that names an item twice is refused.
        let ids: HashSet<_> = slots.map(|slot| item::id_text(&slot)).collect();
        let ids: Vec<_> = ids.into_iter().collect();
        for batch in ids.chunks(BATCH) {
            let deletes = batch.iter().map(|id| delete_request(id)).collect();
            self.delete_batch(deletes).await?;
        }
        Ok(())
    }

    async fn delete_batch(&self, mut deletes: Vec<WriteRequest>) -> Result<(), LedgerError> {
        for retry in 0..=BATCH_RETRIES {
            if retry > 0 {
                sleep(BATCH_BACKOFF * 2_u32.pow(retry - 1)).await;
            }
            let answer = self
                .client
                .batch_write_item()
                .request_items(&self.table, deletes)
                .send()
                .await
                .map_err(|error| self.failure("BatchWriteItem", error))?;
            let mut left = answer.unprocessed_items.unwrap_or_default();
            // Under the table's name, or under its ARN.
            deletes = left.drain().flat_map(|(_, left)| left).collect();
            if deletes.is_empty() {
                return Ok(());
            }
        }
        Err(self.unreachable(format!(
            "BatchWriteItem leaves {} of its items undone: it is throttled",
            deletes.len()
        )))
    }

    /// Does with a record of its own all that is done with the others.
    async fn probe(&self) -> Result<(), LedgerError> {
        let slot = Slot {
            queue: "hooklane-check".to_owned(),
            id: Uuid::new_v4().to_string(),
            group: None,
        };
        let now = now();
        let record = Record {
            attempts: Vec::new(),
            state: RecordState::waiting(now, Duration::ZERO),
            receives: 0,
            begun: 0,
        };
        self.put(&slot, None, &record, now.plus(CHECK_LIFETIME))
            .await?;
        let found: Option<(Record, i64)> = self.get(&slot).await?;
        self.delete([slot].into_iter()).await?;
        match found {
            Some(_) => Ok(()),
            None => Err(self.unreachable("what was just written is not there".to_owned())),
        }
    }
}

impl Backend for DynamoDb {
    fn read<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Seen>, LedgerError>> {
        Box::pin(async move {
            let found = self.get(&Slot::from(key)).await?;
            Ok(found.map(|(record, version)| Seen { record, version }))
        })
    }

    fn write<'a>(
        &'a self,
        key: &'a Key,
        replaces: Option<i64>,
        record: &'a Record,
        _now: Timestamp,
        expires: Timestamp,
    ) -> BoxFuture<'a, Result<Option<i64>, LedgerError>> {
        Box::pin(async move { self.put(&Slot::from(key), replaces, record, expires).await })
    }

    fn forget<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<(), LedgerError>> {
        Box::pin(self.delete(keys.iter().map(Slot::from)))
    }

    fn read_note<'a>(
        &'a self,
        key: &'a NoteKey,
    ) -> BoxFuture<'a, Result<Option<SeenNote>, LedgerError>> {
        Box::pin(async move {
            let found = self.get(&Slot::from(key)).await?;
            Ok(found.map(|(note, version)| SeenNote { note, version }))
        })
    }

    fn write_note<'a>(
        &'a self,
        key: &'a NoteKey,
        replaces: Option<i64>,
        note: &'a Note,
        _now: Timestamp,
        expires: Timestamp,
    ) -> BoxFuture<'a, Result<Option<i64>, LedgerError>> {
        Box::pin(async move { self.put(&Slot::from(key), replaces, note, expires).await })
    }

    /// DynamoDB does it, by the table's time to live.
    fn expire(&self, _before: Timestamp) -> BoxFuture<'_, Result<usize, LedgerError>> {
        Box::pin(async { Ok(0) })
    }

    /// Writes, reads and removes a record: three calls, and no more items than before.
    fn check(&self) -> BoxFuture<'_, Result<(), LedgerError>> {
        Box::pin(self.probe())
    }
}

fn is_by(found: Option<&Item>, writer: &str) -> bool {
    let found = found.and_then(|item| item.get(WRITER));
    found == Some(&AttributeValue::S(writer.to_owned()))
}

fn delete_request(id: &str) -> WriteRequest {
    let key = HashMap::from([(ID.to_owned(), AttributeValue::S(id.to_owned()))]);
    let delete = DeleteRequest::builder().set_key(Some(key)).build();
    let delete = delete.expect("the key is set");
    WriteRequest::builder().delete_request(delete).build()
}

fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let millis = since_epoch.unwrap_or_default().as_millis();
    Timestamp::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
}
