//! Whether a queue keeps its messages long enough.

use std::time::Duration;

use crate::QueueAttributes;
use crate::admin::source_retention_s;

/// What the retention of a source queue means for the worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeping {
    /// As long as SQS can, or ten days on a standard queue.
    Fits,
    /// Less than that: an event that waits behind others may be dropped with attempts left. Worth a warning.
    Short,
    /// Less than an event may need that waits for nobody: not to be worked with.
    TooShort,
}

/// Judges the retention of a source queue for events that may need `needed` for all their attempts.
pub fn keeping(source: &QueueAttributes, needed: Duration) -> Keeping {
    match source.retention_s {
        s if Duration::from_secs(s) < needed => Keeping::TooShort,
        s if s < source_retention_s(source.fifo) => Keeping::Short,
        _ => Keeping::Fits,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_retention_is_refused_that_the_schedule_outlasts_and_warned_of_below_14_days() {
        let judged = |retention_s: u64, fifo: bool| {
            let raw = BTreeMap::from([
                ("MessageRetentionPeriod".to_owned(), retention_s.to_string()),
                ("FifoQueue".to_owned(), fifo.to_string()),
            ]);
            keeping(
                &QueueAttributes::from_raw(raw),
                Duration::from_secs(339_420),
            )
        };
        assert_eq!(judged(60, true), Keeping::TooShort);
        assert_eq!(judged(339_419, false), Keeping::TooShort);
        assert_eq!(judged(339_420, true), Keeping::Short);
        assert_eq!(judged(345_600, true), Keeping::Short);
        assert_eq!(judged(864_000, true), Keeping::Short);
        assert_eq!(judged(864_000, false), Keeping::Fits);
        assert_eq!(judged(1_209_600, true), Keeping::Fits);
    }
}
