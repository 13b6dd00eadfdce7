//! Looks at dead letters in the internal queue, sends them back, drops them into a file and puts them back from it.
//!
//! Viewing takes nothing out: a scan receives everything it can, keeps it invisible until it has seen all, and
//! gives it back. SQS counts that as a receive of each message. What is to be changed stays held ([`take()`]) until it
//! is in its new place; then it is deleted.

mod arrivals;
mod audit;
mod breakage;
mod dropping;
mod filter;
mod groups;
mod held;
mod import;
mod letter;
mod letter_file;
mod listing;
mod moment;
mod moves;
mod order;
mod preview;
mod replay;
mod report;
#[cfg(test)]
mod sample;
mod scan;
mod take;
mod target;
mod text;

pub use audit::Audit;
#[cfg(feature = "breakages")]
pub use breakage::Breakage;
pub use breakage::MISTAKES_CAN_BE_MADE;
pub use dropping::drop_letters;
pub use filter::{
    Filter, FilterError, MAX_IDS, MAX_TEXT_CHARS, NO_HOST, Selection, StatusFilter, parse_moment,
};
pub use groups::{Group, Groups};
pub use import::{
    Checked, ImportEnd, ImportProgress, Imported, MAX_REPORTED, Rejected, RejectedLines,
    check_import, import,
};
pub use letter::{Fate, Letter};
pub use letter_file::{LetterFile, fresh_line, line};
pub use listing::{Exact, Listing, Row, Shown};
pub use moves::{Failure, Outcome, Progress};
pub use order::arrange;
pub use preview::{Consent, Delivered, Preview, PreviewGroup, Warning};
pub use replay::replay;
pub use report::{End, Missing, Report, Unseen};
pub use scan::{MOST_MESSAGES, ScanOptions, scan};
pub use take::{MOST_BYTES, TAKE_LEASE, Taken, take};
pub use target::{Target, Unsendable};
pub use text::pretty;
