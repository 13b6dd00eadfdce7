//! Where a ledger is, as the configuration names it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Where the attempt ledger is kept: `sqlite:PATH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LedgerSpec {
    /// A SQLite file, made on first use; for one worker.
    Sqlite(PathBuf),
}

/// A text that names no ledger.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// No path behind `sqlite:`.
    #[error("sqlite: needs the path of a file, as in sqlite:hooklane.db")]
    NoPath,
    /// Known, but not built yet.
    #[error("dynamodb: is not supported yet by this version: use sqlite:PATH")]
    DynamoDb,
    /// Anything else.
    #[error("{0:?} names no ledger: use sqlite:PATH")]
    Unknown(String),
}

impl FromStr for LedgerSpec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        match text.split_once(':') {
            Some(("sqlite", "")) => Err(SpecError::NoPath),
            Some(("sqlite", path)) => Ok(Self::Sqlite(path.into())),
            Some(("dynamodb", _)) => Err(SpecError::DynamoDb),
            _ => Err(SpecError::Unknown(text.to_owned())),
        }
    }
}

impl fmt::Display for LedgerSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
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
    }

    #[test]
    fn what_names_no_ledger_is_refused_with_what_to_write_instead() {
        let error = |text: &str| text.parse::<LedgerSpec>().unwrap_err();
        assert_eq!(error("sqlite:"), SpecError::NoPath);
        assert_eq!(error("dynamodb:attempts"), SpecError::DynamoDb);
        for text in ["", "hooklane.db", "SQLITE:x", "postgres:x"] {
            assert_eq!(error(text), SpecError::Unknown(text.to_owned()));
            assert!(error(text).to_string().contains("sqlite:PATH"));
        }
    }
}
