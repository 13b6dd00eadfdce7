//! Looks at dead letters in the internal queue.
//!
//! Viewing takes nothing out: a scan receives everything it can, keeps it invisible until it has seen all, and
//! gives it back. SQS counts that as a receive of each message.

mod filter;
mod held;
mod letter;
mod listing;
mod moment;
mod report;
mod scan;
mod text;

pub use filter::{
    Filter, FilterError, MAX_IDS, MAX_TEXT_CHARS, Selection, StatusFilter, parse_moment,
};
pub use letter::{Fate, Letter};
pub use listing::{Exact, Group, Groups, Listing, Row, Shown};
pub use report::{End, Missing, Report};
pub use scan::{MOST_MESSAGES, ScanOptions, scan};
pub use text::pretty;
