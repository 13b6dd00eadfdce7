//! How a scan ended, and what it cannot have seen.

use std::collections::BTreeSet;
use std::time::Duration;

use queue::{Counts, QueueError};

/// The most group names in a remark.
const NAMED: usize = 3;

/// Why a scan ended.
#[derive(Debug, Clone)]
pub enum End {
    /// Nothing more came.
    Empty,
    /// What was looked for was found.
    Found,
    /// It received as many messages, or as many bytes, as it may.
    Full,
    /// It was told to stop.
    Stopped,
    /// SQS failed.
    Failed(QueueError),
}

/// What came of a scan.
#[derive(Debug, Clone)]
pub struct Report {
    /// Letters shown.
    pub seen: usize,
    /// Letters that came after it had begun, and were not shown.
    pub came_since: usize,
    /// What the queue said it holds, before.
    pub counts: Counts,
    /// Groups in which the native redrive left letters: SQS shows only the first ten of each.
    pub shared_groups: BTreeSet<String>,
    /// Why it ended.
    pub end: End,
    /// When what was not given back comes back by itself, at the latest.
    pub lease: Duration,
    /// Messages that could not be given back.
    pub kept: usize,
}

/// Letters that were counted but not seen, by what explains them best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Missing {
    /// Somebody else held them when the scan began.
    pub elsewhere: u64,
    /// The queue's delay held them.
    pub delayed: u64,
    /// They were visible by the count, and did not come.
    pub behind: u64,
}

/// What a scan cannot have seen, and what else is to be told of it, a sentence each.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Unseen {
    /// It may be of the groups in question.
    pub of_the_selection: Vec<String>,
    /// It is of other groups, or came since.
    pub others: Vec<String>,
}

impl Report {
    /// What a person must know of the scan who selected letters of these groups.
    pub fn unseen(&self, groups: &BTreeSet<&str>) -> Unseen {
        let hides = |group: &String| groups.contains(group.as_str());
        let is_elsewhere = !self.shared_groups.is_empty() && !self.shared_groups.iter().any(hides);
        let (of_the_selection, mut others) = match &self.end {
            End::Found => (Vec::new(), Vec::new()),
            End::Empty => {
                let behind = self.told_of_hidden(&self.hiding(groups));
                let in_hands = self.told_of_withheld();
                if is_elsewhere {
                    (in_hands, behind.into_iter().collect())
                } else {
                    (in_hands.into_iter().chain(behind).collect(), Vec::new())
                }
            }
            End::Full | End::Stopped | End::Failed(_) => (self.told_of_the_end(), Vec::new()),
        };
        others.extend(self.told_besides());
        Unseen {
            of_the_selection,
            others,
        }
    }

    /// The shared groups among these; all, if there are none.
    fn hiding(&self, groups: &BTreeSet<&str>) -> BTreeSet<&str> {
        let shared = self.shared_groups.iter().map(String::as_str);
        let hiding: BTreeSet<_> = shared.clone().filter(|g| groups.contains(g)).collect();
        if hiding.is_empty() {
            shared.collect()
        } else {
            hiding
        }
    }

    /// What the queue counted and the scan did not see. SQS's counts are approximate.
    pub fn missing(&self) -> Missing {
        let missing = self.counts.total().saturating_sub(self.seen as u64);
        let elsewhere = missing.min(self.counts.not_visible);
        let delayed = (missing - elsewhere).min(self.counts.delayed);
        Missing {
            elsewhere,
            delayed,
            behind: missing - elsewhere - delayed,
        }
    }

    /// Says whether the scan ran to its end and saw all that the queue counted.
    pub fn is_complete(&self) -> bool {
        matches!(self.end, End::Empty) && self.missing() == Missing::default()
    }

    /// What a person must know of the scan, a sentence each; nothing if it was complete or found what it
    /// looked for.
    pub fn remarks(&self) -> Vec<String> {
        let mut remarks = self.told_of_the_end();
        remarks.extend(self.told_besides());
        remarks
    }

    fn told_of_the_end(&self) -> Vec<String> {
        match &self.end {
            End::Found => vec![],
            End::Empty => {
                let shared = self.shared_groups.iter().map(String::as_str).collect();
                let hidden = self.told_of_hidden(&shared);
                self.told_of_withheld().into_iter().chain(hidden).collect()
            }
            End::Full => vec![self.broken_off("it holds as much as a scan may")],
            End::Stopped => vec![self.broken_off("it was stopped")],
            End::Failed(error) => vec![self.broken_off(&error.to_string())],
        }
    }

    fn told_besides(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        if self.came_since > 0 && !matches!(self.end, End::Found) {
            let came = messages(self.came_since as u64);
            remarks.push(format!(
                "{came} came since this look began, not part of it: look again"
            ));
        }
        if self.kept > 0 {
            remarks.push(format!(
                "{} could not be given back: hidden for up to {} s, then visible again by themselves",
                messages(self.kept as u64),
                self.lease.as_secs()
            ));
        }
        remarks
    }

    fn broken_off(&self, why: &str) -> String {
        let of = self.counts.total().max(self.seen as u64);
        format!("incomplete, {} of about {of} seen: {why}", self.seen)
    }

    /// What others, or the queue's delay, kept from it.
    fn told_of_withheld(&self) -> Vec<String> {
        let missing = self.missing();
        let mut remarks = Vec::new();
        if missing.elsewhere > 0 {
            remarks.push(format!(
                "incomplete: {} not seen, in the hands of somebody else who looks at the queue or did so a \
                 moment ago; look again in a few minutes",
                messages(missing.elsewhere)
            ));
        }
        if missing.delayed > 0 {
            remarks.push(format!(
                "incomplete: {} not seen, held back by the queue's delay",
                messages(missing.delayed)
            ));
        }
        remarks
    }

    /// What did not come although it was visible: these groups explain it.
    fn told_of_hidden(&self, groups: &BTreeSet<&str>) -> Option<String> {
        let behind = self.missing().behind;
        (behind > 0).then(|| format!("incomplete: {} {}", messages(behind), why_behind(groups)))
    }
}

fn why_behind(groups: &BTreeSet<&str>) -> String {
    if groups.is_empty() {
        return "not seen; SQS's counts are approximate, look again".to_owned();
    }
    let named: Vec<_> = groups.iter().take(NAMED).copied().collect();
    let more = match groups.len() - named.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(
        "hidden: SQS shows only the first ten of a group, and the native redrive left its letters in the \
         groups of their events ({}{more})",
        named.join(", ")
    )
}

fn messages(count: u64) -> String {
    match count {
        1 => "1 message".to_owned(),
        count => format!("{count} messages"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(end: End, seen: usize, visible: u64, not_visible: u64) -> Report {
        Report {
            seen,
            came_since: 0,
            counts: Counts {
                visible,
                not_visible,
                delayed: 0,
            },
            shared_groups: BTreeSet::new(),
            end,
            lease: Duration::from_secs(300),
            kept: 0,
        }
    }

    #[test]
    fn a_scan_that_saw_all_that_was_counted_needs_no_note() {
        for seen in [7, 9] {
            let report = report(End::Empty, seen, 7, 0);
            assert!(report.is_complete());
            assert!(report.remarks().is_empty());
        }
    }

    #[test]
    fn what_others_held_is_told_from_what_did_not_come() {
        let report = report(End::Empty, 5, 9, 3);
        let missing = Missing {
            elsewhere: 3,
            delayed: 0,
            behind: 4,
        };
        assert_eq!(report.missing(), missing);
        assert!(!report.is_complete());
        let remarks = report.remarks();
        assert!(
            remarks[0].starts_with("incomplete: 3 messages not seen, in the hands of"),
            "{remarks:?}"
        );
        assert!(
            remarks[1].starts_with("incomplete: 4 messages not seen; SQS's counts"),
            "{remarks:?}"
        );
    }

    #[test]
    fn groups_that_hide_letters_are_named_but_not_all_of_many() {
        let mut report = report(End::Empty, 50, 60, 0);
        report.shared_groups = (1..=5).map(|n| format!("EventSetup_{n}")).collect();
        let remark = report.remarks().remove(0);
        assert!(
            remark.starts_with("incomplete: 10 messages hidden"),
            "{remark}"
        );
        assert!(
            remark.ends_with("(EventSetup_1, EventSetup_2, EventSetup_3 and 2 more)"),
            "{remark}"
        );
    }

    #[test]
    fn a_scan_that_was_broken_off_says_so_and_one_that_found_its_letter_does_not() {
        let remarks = report(End::Stopped, 5, 300, 0).remarks();
        assert_eq!(remarks, ["incomplete, 5 of about 300 seen: it was stopped"]);
        assert!(report(End::Found, 5, 300, 0).remarks().is_empty());
    }

    #[test]
    fn what_is_hidden_in_other_groups_than_those_selected_is_told_and_no_reason_to_ask() {
        let mut report = report(End::Empty, 50, 60, 0);
        report.came_since = 1;
        report.shared_groups = ["a", "b"].map(str::to_owned).into();
        let of_others = report.unseen(&["c"].into());
        assert_eq!(of_others.of_the_selection, [""; 0]);
        assert_eq!(of_others.others.len(), 2, "{of_others:?}");
        assert!(of_others.others[0].ends_with("(a, b)"), "{of_others:?}");
        let of_b = report.unseen(&["b", "c"].into());
        assert_eq!(of_b.others.len(), 1, "{of_b:?}");
        assert!(of_b.of_the_selection[0].ends_with("(b)"), "{of_b:?}");
        // Nobody knows of which groups these are.
        report.shared_groups.clear();
        report.counts.not_visible = 3;
        assert_eq!(report.unseen(&["c"].into()).of_the_selection.len(), 2);
        assert_eq!(report.remarks().len(), 3);
    }

    #[test]
    fn what_came_since_is_told_and_leaves_a_look_complete() {
        let mut report = report(End::Empty, 5, 5, 0);
        report.came_since = 3;
        assert!(report.is_complete());
        let remark = "3 messages came since this look began, not part of it: look again";
        assert_eq!(report.remarks(), [remark]);
        report.end = End::Found;
        assert!(report.remarks().is_empty());
    }

    #[test]
    fn what_could_not_be_given_back_is_told_with_when_it_comes_back() {
        let mut report = report(End::Found, 5, 5, 0);
        report.kept = 1;
        let remark = "1 message could not be given back: hidden for up to 300 s, then visible again by themselves";
        assert_eq!(report.remarks(), [remark]);
    }
}
