//! The table itself: made, and looked at, for `hooklane ledger`.

use std::time::Duration;

use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::operation::create_table::CreateTableError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
    TableDescription, TableStatus, TimeToLiveDescription, TimeToLiveSpecification,
    TimeToLiveStatus,
};
use tokio::time::sleep;

use super::DynamoDb;
use super::item::{EXPIRES_AT, ID};
use crate::admin::Problem;
use crate::error::LedgerError;

/// A new table is there within some twenty seconds; so often and so far apart we look.
const LOOKS: u32 = 240;
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);

/// The partition key of a ledger, as [`key_schema`] tells it.
const KEY_SCHEMA: &str = "id (S, HASH)";

const NO_TABLE: &str = "hooklane ledger create makes it";
const WRONG_KEYS: &str = "it was made for something else: name another table in worker.ledger";
const NO_TIME_TO_LIVE: &str =
    "records of events that are long gone would stay: hooklane ledger create switches it on";
const OTHER_TIME_TO_LIVE: &str =
    "DynamoDB would remove records by it: switch it off, then run hooklane ledger create";
const NO_ACCESS: &str = "the worker needs dynamodb:GetItem, PutItem and BatchWriteItem on it";

impl DynamoDb {
    /// Makes the table, or finds it as it should be; says whether it was made. Time to live is switched on
    /// where it is not.
    ///
    /// # Errors
    /// When AWS refuses, or a table of that name has other keys or another time to live.
    pub async fn create(&self) -> Result<bool, LedgerError> {
        let is_new = match self.describe().await {
            Err(LedgerError::NoTable { .. }) => self.create_table().await?,
            described => described.map(|_| false)?,
        };
        let description = self.active().await?;
        let found = key_schema(&description);
        if found != KEY_SCHEMA {
            return Err(self.differs(format!("its key is {found}, not {KEY_SCHEMA}")));
        }
        self.switch_time_to_live_on().await?;
        Ok(is_new)
    }

    /// What is wrong with the table, in the order in which it is to be mended.
    ///
    /// # Errors
    /// When it cannot be looked at.
    pub async fn problems(&self) -> Result<Vec<Problem>, LedgerError> {
        let problem = |attribute, found: String, expected: &str, why| Problem {
            ledger: self.name(),
            attribute,
            found,
            expected: expected.to_owned(),
            why,
        };
        let description = match self.describe().await {
            Err(LedgerError::NoTable { .. }) => {
                return Ok(vec![problem(
                    "table",
                    "not there".to_owned(),
                    "there",
                    NO_TABLE,
                )]);
            }
            described => described?,
        };
        let keys = key_schema(&description);
        if keys != KEY_SCHEMA {
            return Ok(vec![problem("key schema", keys, KEY_SCHEMA, WRONG_KEYS)]);
        }
        let mut problems = Vec::new();
        match TimeToLive::of(self.time_to_live().await?.as_ref()) {
            TimeToLive::On => {}
            TimeToLive::Off(found) => {
                problems.push(problem("time to live", found, ON, NO_TIME_TO_LIVE));
            }
            TimeToLive::Elsewhere(found) => {
                problems.push(problem("time to live", found, ON, OTHER_TIME_TO_LIVE));
            }
        }
        match self.probe().await {
            Ok(()) => {}
            Err(LedgerError::Denied {
                action,
                code,
                message,
                ..
            }) => {
                let found = format!("{action} refused ({code}: {message})");
                problems.push(problem("access", found, "read and write", NO_ACCESS));
            }
            Err(error) => return Err(error),
        }
        Ok(problems)
    }

    async fn describe(&self) -> Result<TableDescription, LedgerError> {
        let answer = self.client.describe_table().table_name(&self.table).send();
        let answer = answer.await;
        let table = answer.map_err(|error| self.failure("DescribeTable", error))?;
        let missing = || self.unreachable("DescribeTable describes nothing".to_owned());
        table.table.ok_or_else(missing)
    }

    /// Says whether it was made here, not by somebody else in the meantime.
    async fn create_table(&self) -> Result<bool, LedgerError> {
        let attribute = AttributeDefinition::builder()
            .attribute_name(ID)
            .attribute_type(ScalarAttributeType::S)
            .build()
            .expect("name and type are set");
        let key = KeySchemaElement::builder()
            .attribute_name(ID)
            .key_type(KeyType::Hash)
            .build()
            .expect("name and type are set");
        let made = self
            .client
            .create_table()
            .table_name(&self.table)
            .attribute_definitions(attribute)
            .key_schema(key)
            // Nobody knows how many events will fail.
            .billing_mode(BillingMode::PayPerRequest)
            .send()
            .await;
        match made {
            Ok(_) => Ok(true),
            Err(error) => match error.as_service_error() {
                Some(CreateTableError::ResourceInUseException(_)) => Ok(false),
                _ => Err(self.failure("CreateTable", error)),
            },
        }
    }

    /// Waits until the table can be used.
    async fn active(&self) -> Result<TableDescription, LedgerError> {
        for look in 0..LOOKS {
            if look > 0 {
                sleep(BETWEEN_LOOKS).await;
            }
            match self.describe().await {
                // An updating table serves as before.
                Ok(table) => match table.table_status() {
                    Some(TableStatus::Active | TableStatus::Updating) => return Ok(table),
                    _ => continue,
                },
                // DescribeTable may not know yet of what CreateTable has made.
                Err(LedgerError::NoTable { .. }) => continue,
                Err(error) => return Err(error),
            }
        }
        let waited = (BETWEEN_LOOKS * LOOKS).as_secs();
        Err(self.unreachable(format!("it is not active after {waited} s: run this again")))
    }

    async fn time_to_live(&self) -> Result<Option<TimeToLiveDescription>, LedgerError> {
        let describe = self.client.describe_time_to_live();
        let answer = describe.table_name(&self.table).send().await;
        let answer = answer.map_err(|error| self.failure("DescribeTimeToLive", error))?;
        Ok(answer.time_to_live_description)
    }

    async fn switch_time_to_live_on(&self) -> Result<(), LedgerError> {
        match TimeToLive::of(self.time_to_live().await?.as_ref()) {
            TimeToLive::On => return Ok(()),
            TimeToLive::Off(_) => {}
            TimeToLive::Elsewhere(found) => {
                return Err(self.differs(format!("its time to live is {found}, not {ON}")));
            }
        }
        let specification = TimeToLiveSpecification::builder()
            .enabled(true)
            .attribute_name(EXPIRES_AT)
            .build()
            .expect("both are set");
        let update = self
            .client
            .update_time_to_live()
            .table_name(&self.table)
            .time_to_live_specification(specification);
        let Err(error) = update.send().await else {
            return Ok(());
        };
        // Refused if another process has just done it.
        let is_invalid = error.code() == Some("ValidationException");
        let described = self.time_to_live().await?;
        match TimeToLive::of(described.as_ref()) {
            TimeToLive::On if is_invalid => Ok(()),
            _ => Err(self.failure("UpdateTimeToLive", error)),
        }
    }

    fn differs(&self, message: String) -> LedgerError {
        let ledger = self.name();
        LedgerError::NotALedger { ledger, message }
    }
}

/// Time to live as it should be.
const ON: &str = "on expires_at";

enum TimeToLive {
    On,
    Off(String),
    Elsewhere(String),
}

impl TimeToLive {
    fn of(description: Option<&TimeToLiveDescription>) -> Self {
        let status = description.and_then(TimeToLiveDescription::time_to_live_status);
        let attribute = description.and_then(TimeToLiveDescription::attribute_name);
        match (status, attribute) {
            // It may take an hour until it is on.
            (Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling), Some(EXPIRES_AT)) => {
                Self::On
            }
            (Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling), other) => {
                Self::Elsewhere(format!("on {}", other.unwrap_or("another attribute")))
            }
            (Some(TimeToLiveStatus::Disabling), _) => Self::Off("being switched off".to_owned()),
            _ => Self::Off("off".to_owned()),
        }
    }
}

/// All keys with their types: `id (S, HASH)`.
fn key_schema(table: &TableDescription) -> String {
    let kind = |name: &str| {
        let defined = table.attribute_definitions().iter();
        let mut named = defined.filter(|definition| definition.attribute_name() == name);
        named
            .next()
            .map_or("?", |definition| definition.attribute_type().as_str())
    };
    let keys = table.key_schema().iter().map(|key| {
        let name = key.attribute_name();
        format!("{name} ({}, {})", kind(name), key.key_type().as_str())
    });
    keys.collect::<Vec<_>>().join(", ")
}
