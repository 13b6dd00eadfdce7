//! Where a ledger is, as the configuration names it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Where the attempt ledger is kept: `sqlite:PATH` or `dynamodb:TABLE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LedgerSpec {
    /// A SQLite file, made on first use; for workers on one machine.
    Sqlite(PathBuf),
    /// A DynamoDB table, for a fleet.
    DynamoDb(String),
}

/// A text that names no ledger.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// No path behind `sqlite:`.
    #[error("sqlite: needs the path of a file, as in sqlite:hooklane.db")]
    NoPath,
    /// Not what DynamoDB takes for the name of a table.
    #[error(
        "{0:?} cannot name a table: use 3 to 255 letters, digits, hyphens, underscores and dots, as in \
         dynamodb:hooklane-attempts"
    )]
    Table(String),
    /// Anything else.
    #[error("{0:?} names no ledger: use sqlite:PATH or dynamodb:TABLE")]
    Unknown(String),
}

impl LedgerSpec {
    /// Says who besides its owner may write to the file of a ledger that is there, and what to do; none if nobody may.
    /// Who may write to a table is not told here.
    pub fn exposure(&self) -> Option<String> {
        match self {
            Self::Sqlite(path) => crate::sqlite::exposure(path),
            Self::DynamoDb(_) => None,
        }
    }

    /// What would keep a worker on this machine from opening the ledger's file, or from making it: it is no file, or its
    /// directory is missing. None if nothing is known to; a table is not asked for here.
    pub fn obstacle(&self) -> Option<String> {
        match self {
            Self::Sqlite(path) => crate::sqlite::obstacle(path),
            Self::DynamoDb(_) => None,
        }
    }
}

impl FromStr for LedgerSpec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        match text.split_once(':') {
            Some(("sqlite", "")) => Err(SpecError::NoPath),
            Some(("sqlite", path)) => Ok(Self::Sqlite(path.into())),
            Some(("dynamodb", table)) if is_table_name(table) => {
                Ok(Self::DynamoDb(table.to_owned()))
            }
            Some(("dynamodb", table)) => Err(SpecError::Table(table.to_owned())),
            _ => Err(SpecError::Unknown(text.to_owned())),
        }
    }
}

/// As the [naming rules] have it.
///
/// [naming rules]: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
fn is_table_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    (3..=255).contains(&name.len()) && name.chars().all(allowed)
}

impl fmt::Display for LedgerSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::DynamoDb(table) => write!(f, "dynamodb:{table}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_is_named_by_its_kind_and_its_place() {
        let spec: LedgerSpec = "sqlite:var/hooklane.db".parse().unwrap();
        assert_eq!(spec, LedgerSpec::Sqlite("var/hooklane.db".into()));
        assert_eq!(spec.to_string(), "sqlite:var/hooklane.db");
        let spec: LedgerSpec = "dynamodb:Hooklane_attempts-1.prod".parse().unwrap();
        let table = "Hooklane_attempts-1.prod".to_owned();
        assert_eq!(spec, LedgerSpec::DynamoDb(table));
        assert_eq!(spec.to_string(), "dynamodb:Hooklane_attempts-1.prod");
    }

    #[test]
    fn what_names_no_ledger_is_refused_with_what_to_write_instead() {
        let error = |text: &str| text.parse::<LedgerSpec>().unwrap_err();
        assert_eq!(error("sqlite:"), SpecError::NoPath);
        for table in ["", "ab", "a/b", "a b c", "arn:aws:x", &"x".repeat(256)] {
            let table = table.to_owned();
            assert_eq!(error(&format!("dynamodb:{table}")), SpecError::Table(table));
        }
        for text in ["", "hooklane.db", "SQLITE:x", "postgres:x"] {
            assert_eq!(error(text), SpecError::Unknown(text.to_owned()));
            let said = error(text).to_string();
            assert!(said.contains("sqlite:PATH or dynamodb:TABLE"), "{said}");
        }
    }
}
