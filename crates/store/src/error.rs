//! What can go wrong with a ledger, told so that a person knows where and what to do.

use aws::Fault;

/// The ledger cannot be used. Names where it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// The file can be neither opened nor made.
    #[error("the attempt ledger {path} cannot be opened: {message}")]
    Open {
        /// Where it is.
        path: String,
        /// What the system said.
        message: String,
    },
    /// The file or the table is something else; it is left as it is.
    #[error("{ledger} is no attempt ledger ({message}): name another in worker.ledger")]
    NotALedger {
        /// Where it is.
        ledger: String,
        /// What was found.
        message: String,
    },
    /// A newer version of this program wrote the file; it is left as it is.
    #[error(
        "the attempt ledger {path} has format {found}, but this version reads formats up to {supported}: \
         use the version that wrote it"
    )]
    Newer {
        /// Where it is.
        path: String,
        /// The format of the file.
        found: i64,
        /// The newest format known here.
        supported: i64,
    },
    /// The file is damaged.
    #[error(
        "the attempt ledger {path} is damaged ({message}): move it away and start again, what waits for a \
         retry then starts from its first attempt"
    )]
    Damaged {
        /// Where it is.
        path: String,
        /// What SQLite said.
        message: String,
    },
    /// One record cannot be read; the others can.
    #[error(
        "the attempt ledger {ledger} holds an unreadable record of message {message_id}: {message}"
    )]
    Record {
        /// Where it is.
        ledger: String,
        /// Whose record it is.
        message_id: String,
        /// What is wrong with it.
        message: String,
    },
    /// There is no such table.
    #[error(
        "the attempt ledger {ledger} does not exist in this account and region: make it with hooklane ledger \
         create"
    )]
    NoTable {
        /// Where it should be.
        ledger: String,
    },
    /// AWS refuses us: credentials, permissions, a clock that is off.
    #[error(
        "{action} on the attempt ledger {ledger} is refused by AWS ({code}): {message}; {}",
        mend(action, code)
    )]
    Denied {
        /// Where it is.
        ledger: String,
        /// The API action.
        action: &'static str,
        /// The code AWS answered.
        code: String,
        /// AWS's own words.
        message: String,
    },
    /// No answer, a server error, or too many calls: it may pass without anybody changing anything.
    #[error("the attempt ledger {ledger} cannot be used now: {message}")]
    Unreachable {
        /// Where it is.
        ledger: String,
        /// Which call, and why.
        message: String,
    },
    /// It cannot be used: locked by another process, read-only, no space left, not set up.
    #[error("the attempt ledger {ledger} cannot be used: {message}")]
    Unusable {
        /// Where it is.
        ledger: String,
        /// What was said.
        message: String,
    },
}

impl LedgerError {
    /// Says whether the same call may succeed later without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }

    /// Says whether AWS refuses us the call: credentials, permissions, a clock that is off.
    pub fn is_denied(&self) -> bool {
        matches!(self, Self::Denied { .. })
    }
}

fn mend(action: &str, code: &str) -> String {
    if Fault::is_about_permission(code) {
        format!("it needs the permission dynamodb:{action}")
    } else {
        "look at the AWS credentials, and at the clock of this machine".to_owned()
    }
}

/// A record was not written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// What was read is no longer what is there: another worker owns the message.
    #[error("another worker has written the record in the meantime")]
    Lost,
    /// The ledger cannot be used.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}
