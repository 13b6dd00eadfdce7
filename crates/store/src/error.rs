//! What can go wrong with a ledger, told so that a person knows which file and what to do.

/// The ledger cannot be used. Names its path.
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
    /// Something else is in the file; it is left as it is.
    #[error("{path} is no attempt ledger ({message}): name another file in worker.ledger")]
    NotALedger {
        /// Where it is.
        path: String,
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
    /// It cannot be used now: locked by another process, read-only, no space left. It may pass.
    #[error("the attempt ledger {ledger} cannot be used: {message}")]
    Unusable {
        /// Where it is.
        ledger: String,
        /// What SQLite said.
        message: String,
    },
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
