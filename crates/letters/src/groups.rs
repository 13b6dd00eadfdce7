//! Dead letters, counted: the shape of `dlq groups`.

use std::collections::BTreeMap;

use delivery::{FailureKind, Reason};
use event::Timestamp;
use serde::Serialize;

use crate::{Filter, Letter};

/// One line of `dlq groups`: how many letters of a group ended in one way at one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Group {
    /// Why they are in the internal queue.
    pub reason: Reason,
    /// The status of the last attempt, if an answer came.
    pub status: Option<u16>,
    /// Its class: `5xx`.
    pub status_class: Option<String>,
    /// What the last attempt failed with, if none came.
    pub error: Option<FailureKind>,
    /// Where they were to go: the host of the callback, with its port unless that is the usual one.
    pub callback_host: Option<String>,
    /// The message group in the source queue.
    pub group: Option<String>,
    /// How many.
    pub count: u64,
    /// When the first of them was set aside, if that is known.
    pub oldest: Option<Timestamp>,
    /// When the last of them was.
    pub newest: Option<Timestamp>,
}

/// The lines of `dlq groups`.
#[derive(Debug, Default)]
pub struct Groups {
    filter: Filter,
    counted: BTreeMap<Ending, Group>,
}

type Ending = (
    Reason,
    Option<u16>,
    Option<&'static str>,
    Option<String>,
    Option<String>,
);

impl Groups {
    /// Counts only the letters that a filter means.
    pub fn of(filter: Filter) -> Self {
        Self {
            filter,
            ..Self::default()
        }
    }

    /// Counts a letter if it is meant.
    pub fn add(&mut self, letter: &Letter) {
        if !self.filter.matches(letter) {
            return;
        }
        let first = Group::of(letter);
        let counted = self.counted.entry(first.ending()).or_insert(first);
        counted.count += 1;
        if let Some(at) = letter.dead_at() {
            counted.oldest = Some(counted.oldest.map_or(at, |oldest| oldest.min(at)));
            counted.newest = Some(counted.newest.map_or(at, |newest| newest.max(at)));
        }
    }

    /// The lines, the most frequent first.
    pub fn into_rows(self) -> Vec<Group> {
        let mut rows: Vec<_> = self.counted.into_values().collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.count));
        rows
    }
}

impl Group {
    /// The line on which this letter is counted, without it.
    fn of(letter: &Letter) -> Self {
        let last = letter.attempts().last();
        let status = last.and_then(|attempt| attempt.status);
        Self {
            reason: letter.reason(),
            status,
            status_class: status.map(|status| format!("{}xx", status / 100)),
            error: last.and_then(|attempt| attempt.error),
            callback_host: letter.callback_host(),
            group: letter.group().map(str::to_owned),
            count: 0,
            oldest: None,
            newest: None,
        }
    }

    fn ending(&self) -> Ending {
        (
            self.reason,
            self.status,
            self.error.map(FailureKind::as_str),
            self.group.clone(),
            self.callback_host.clone(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{Sample, answer, failure};

    #[test]
    fn letters_are_counted_by_how_they_ended_and_at_which_host() {
        let answered = [failure(FailureKind::Dns), answer(503, "")];
        let failed = [failure(FailureKind::Timeout)];
        let mut groups = Groups::default();
        for (callback, outcomes) in [
            (Some("https://a.example/x?t=***"), &answered[..]),
            (Some("https://a.example:443/y"), &answered[..]),
            (Some("https://a.example/x"), &answered[..]),
            (Some("http://[::1]:8080/"), &failed[..]),
            (Some("http://[::1]:8080/"), &failed[..]),
            (None, &[]),
        ] {
            let sample = Sample {
                callback,
                outcomes,
                ..Sample::default()
            };
            groups.add(&sample.letter());
        }
        let rows = serde_json::to_value(groups.into_rows()).unwrap();
        let of = |row: usize| {
            let row = &rows[row];
            serde_json::json!([
                row["count"],
                row["status"],
                row["status_class"],
                row["error"],
                row["callback_host"]
            ])
        };
        assert_eq!(of(0), serde_json::json!([3, 503, "5xx", null, "a.example"]));
        assert_eq!(
            of(1),
            serde_json::json!([2, null, null, "timeout", "[::1]:8080"])
        );
        assert_eq!(of(2), serde_json::json!([1, null, null, null, null]));
    }

    #[test]
    fn letters_that_the_filter_does_not_mean_are_not_counted() {
        let mut groups = Groups::of(Filter {
            status: Some(crate::StatusFilter::NoAttempt),
            ..Filter::default()
        });
        groups.add(&Sample::default().letter());
        let outcomes = &[answer(500, "")];
        groups.add(
            &Sample {
                outcomes,
                ..Sample::default()
            }
            .letter(),
        );
        let counts: Vec<_> = groups.into_rows().iter().map(|row| row.count).collect();
        assert_eq!(counts, [1]);
    }
}
