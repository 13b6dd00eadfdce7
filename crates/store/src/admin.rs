//! Making a ledger and saying what is wrong with one.

use serde::Serialize;

use crate::dynamodb::DynamoDb;
use crate::{LedgerError, LedgerSpec, sqlite};

/// Something about a ledger that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The ledger, as the configuration names it.
    pub ledger: String,
    /// What is wrong.
    pub attribute: &'static str,
    /// How it is.
    pub found: String,
    /// How it should be.
    pub expected: String,
    /// Why, or what to do.
    pub why: &'static str,
}

/// Makes a ledger: the file, or the table with its time to live. One that is there already is left as it is. Says
/// whether it was made.
///
/// # Errors
/// When it cannot be made, or something else is there.
pub async fn create(spec: &LedgerSpec) -> Result<bool, LedgerError> {
    match spec {
        LedgerSpec::Sqlite(path) => {
            let is_new = !path.exists();
            sqlite::File::open(path.clone()).await?;
            Ok(is_new)
        }
        LedgerSpec::DynamoDb(table) => DynamoDb::from_env(table).await.create().await,
    }
}

/// What is wrong with a ledger. To find out, a record is written, read and removed; nothing is made.
///
/// # Errors
/// When it cannot be looked at.
pub async fn check(spec: &LedgerSpec) -> Result<Vec<Problem>, LedgerError> {
    match spec {
        LedgerSpec::DynamoDb(table) => DynamoDb::from_env(table).await.problems().await,
        LedgerSpec::Sqlite(path) => {
            let problem = |found, why| Problem {
                ledger: spec.to_string(),
                attribute: "file",
                found,
                expected: "a ledger that can be written".to_owned(),
                why,
            };
            if !path.exists() {
                let why = "hooklane ledger create makes it, and so does the first hooklane work";
                return Ok(vec![problem("not there".to_owned(), why)]);
            }
            let exposed = spec.exposure().map(|found| Problem {
                expected: "a file that only its owner may write to".to_owned(),
                ..problem(found, "what others write there, the worker believes")
            });
            match sqlite::File::open(path.clone()).await {
                Ok(_) => Ok(exposed.into_iter().collect()),
                Err(error) => {
                    let why = "the worker does not start without it";
                    Ok(vec![problem(error.to_string(), why)])
                }
            }
        }
    }
}
