//! Whether the native redrive of a source queue stays what it should be, a backstop.

use crate::QueueAttributes;
use crate::admin::LEAST_RECEIVE_COUNT;
use crate::limits::MAX_RECEIVE_COUNT;

/// What the native redrive of a source queue means for the worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backstop {
    /// There is none: nothing is taken away, and nothing catches what kills the worker but the worker's
    /// own count.
    Absent,
    /// It is as high as it can be.
    Fits,
    /// Lower than that, but events with attempts left are not near it: worth a warning.
    Low(u32),
    /// So low that it takes away events that only waited behind others: not to be worked with.
    TooLow(u32),
}

/// Judges the native redrive of a source queue.
pub fn backstop(source: &QueueAttributes) -> Backstop {
    match source.redrive {
        None => Backstop::Absent,
        Some((count, _)) if count < LEAST_RECEIVE_COUNT => Backstop::TooLow(count),
        Some((count, _)) if count < MAX_RECEIVE_COUNT => Backstop::Low(count),
        Some(_) => Backstop::Fits,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_redrive_is_warned_of_below_a_thousand_receives_and_refused_below_a_hundred() {
        let judged = |count: u32| {
            let policy = format!(r#"{{"deadLetterTargetArn":"arn:x","maxReceiveCount":{count}}}"#);
            let raw = BTreeMap::from([("RedrivePolicy".to_owned(), policy)]);
            backstop(&QueueAttributes::from_raw(raw))
        };
        assert_eq!(judged(99), Backstop::TooLow(99));
        assert_eq!(judged(100), Backstop::Low(100));
        assert_eq!(judged(999), Backstop::Low(999));
        assert_eq!(judged(1000), Backstop::Fits);
        let none = QueueAttributes::from_raw(BTreeMap::new());
        assert_eq!(backstop(&none), Backstop::Absent);
    }
}
