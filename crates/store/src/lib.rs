//! What outlives a worker: the attempt ledger.
//!
//! One record per message that was attempted and not accepted. What a record means is decided in
//! `delivery`; here it is kept, so that a crash neither shortens a wait nor forgets an attempt, and so that
//! of two workers that hold the same message only one goes on. Beside the records lie notes of message groups of which
//! an event died, for whoever replays it.

pub mod admin;
mod backend;
mod dynamodb;
mod error;
mod groups;
mod ledger;
mod note;
mod reporting;
mod slot;
mod spec;
mod sqlite;

pub use backend::{Backend, BoxFuture, Key, MAX_EXPIRED, Seen};
pub use dynamodb::DynamoDb;
pub use error::{LedgerError, WriteError};
pub use groups::MOST_WATCHED;
pub use ledger::Ledger;
pub use note::{GroupNote, Note, NoteKey, SeenNote, Watch, Watched};
pub use spec::{LedgerSpec, SpecError};
pub use sqlite::in_memory;
