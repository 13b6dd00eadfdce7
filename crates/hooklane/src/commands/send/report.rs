//! What a send tells at its end.

use std::fmt::Write;
use std::path::Path;

use producer::{BadLine, Rejection, SendReport, StopReason};
use serde::Serialize;

/// Line numbers that are listed before they are counted only.
const LISTED: usize = 20;

/// What it means to send the same input again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// A checkpoint was left to go on from.
    FromCheckpoint,
    /// Lines keep their ids.
    SameIds,
    /// Lines without a `msg_id` are new events.
    NewIds,
}

/// The report as `--json` prints it.
#[derive(Serialize)]
pub(super) struct Sent<'a> {
    sent: u64,
    rejected: Vec<Rejected>,
    rejected_total: u64,
    unsent_from: Option<u64>,
    sent_beyond: &'a [u64],
    in_doubt: &'a [u64],
    stopped: Option<String>,
    /// The checkpoint that was left, to go on from.
    checkpoint: Option<&'a Path>,
}

#[derive(Serialize)]
struct Rejected {
    line: u64,
    error: String,
}

impl<'a> Sent<'a> {
    pub(super) fn of(report: &'a SendReport, checkpoint: Option<&'a Path>) -> Self {
        let rejected = report.rejected.iter().map(|rejected| Rejected {
            line: rejected.line,
            error: with_option(&rejected.why),
        });
        Self {
            sent: report.sent,
            rejected: rejected.collect(),
            rejected_total: report.rejected_total,
            unsent_from: report.unsent_from,
            sent_beyond: &report.sent_beyond,
            in_doubt: &report.in_doubt,
            stopped: report.stopped.as_ref().map(StopReason::to_string),
            checkpoint,
        }
    }
}

/// Why a line was not sent, and the option that would mend it.
fn with_option(why: &Rejection) -> String {
    match why {
        Rejection::Bad(BadLine::NoSetup) => format!("{why} (`--event-setup`)"),
        Rejection::DuplicateOfAnother => format!("{why} (`--lane`)"),
        why => why.to_string(),
    }
}

/// What went wrong, line by line: for standard error.
pub(super) fn complaints(report: &SendReport, name: &str, again: Again) -> Vec<String> {
    let mut complaints = Vec::new();
    for rejected in &report.rejected {
        complaints.push(format!(
            "{name}:{}: not sent: {}",
            rejected.line,
            with_option(&rejected.why)
        ));
    }
    let more = report.rejected_total - report.rejected.len() as u64;
    if more > 0 {
        complaints.push(format!(
            "{name}: {more} more lines are bad and were not sent"
        ));
    }
    if report.rejected_total > 0 && report.sent == 0 && report.stopped.is_none() {
        complaints.push(format!(
            "{name}: no line could be sent: each line must be one event, a JSON object on one line"
        ));
    }
    match (&report.stopped, report.unsent_from) {
        (Some(StopReason::Strict), _) => {
            complaints.push("nothing was sent: mend the lines above and send again".to_owned());
        }
        (stopped, unsent_from) => {
            complaints.extend(
                stopped
                    .as_ref()
                    .map(|why| format!("the send ended early: {why}")),
            );
            let or = match again {
                Again::FromCheckpoint => ", or with --resume, which sends nothing twice",
                Again::SameIds | Again::NewIds => "",
            };
            let go_on =
                |line| format!("to go on, give the same command again with --from {line}{or}");
            complaints.extend(unsent_from.map(go_on));
        }
    }
    if !report.sent_beyond.is_empty() {
        let lines = listed(&report.sent_beyond);
        complaints.push(format!(
            "lines after it that were sent already and that --from sends again: {lines}"
        ));
    }
    if !report.in_doubt.is_empty() {
        let lines = listed(&report.in_doubt);
        complaints.push(format!(
            "lines that the queue may have taken, since no answer came: {lines}"
        ));
    }
    if report.unsent_from.is_some() && again == Again::NewIds {
        complaints.push(
            "lines without a msg_id get new ones when this input is sent again, unless --input-name names it"
                .to_owned(),
        );
    }
    complaints
}

fn listed(lines: &[u64]) -> String {
    let mut listed = String::new();
    for line in lines.iter().take(LISTED) {
        let comma = if listed.is_empty() { "" } else { ", " };
        let _ = write!(listed, "{comma}{line}");
    }
    if lines.len() > LISTED {
        let _ = write!(
            listed,
            " and {} more (all are in the output of --json)",
            lines.len() - LISTED
        );
    }
    listed
}

pub(super) fn summary(report: &SendReport) -> String {
    let events = |n: u64| {
        if n == 1 {
            "1 event".to_owned()
        } else {
            format!("{n} events")
        }
    };
    let lines = |n: u64| {
        if n == 1 {
            "1 line".to_owned()
        } else {
            format!("{n} lines")
        }
    };
    let mut summary = format!("{} sent", events(report.sent));
    if report.rejected_total > 0 {
        let _ = write!(summary, ", {} rejected", lines(report.rejected_total));
    }
    if let Some(line) = report.unsent_from {
        let _ = write!(summary, ", not sent from line {line}");
    }
    summary
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> SendReport {
        SendReport {
            sent: 0,
            rejected: Vec::new(),
            rejected_total: 0,
            unsent_from: None,
            sent_beyond: Vec::new(),
            in_doubt: Vec::new(),
            stopped: None,
        }
    }

    #[test]
    fn a_complete_send_has_nothing_to_complain_of() {
        let report = SendReport {
            sent: 1,
            ..report()
        };
        assert_eq!(
            complaints(&report, "f", Again::SameIds),
            Vec::<String>::new()
        );
        assert_eq!(summary(&report), "1 event sent");
    }

    #[test]
    fn a_file_of_which_no_line_is_an_event_is_told_what_a_line_must_be() {
        let bad = |line| producer::Rejected {
            line,
            why: Rejection::Bad(BadLine::NotASetup),
        };
        let mut report = SendReport {
            rejected: vec![bad(1), bad(2)],
            rejected_total: 2,
            ..report()
        };
        let told = complaints(&report, "pretty.json", Again::FromCheckpoint);
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(
            told[2].contains("one event, a JSON object on one line"),
            "{told:?}"
        );
        report.sent = 1;
        assert_eq!(
            complaints(&report, "pretty.json", Again::FromCheckpoint).len(),
            2
        );
    }

    #[test]
    fn a_line_is_told_with_the_option_that_mends_it() {
        for (why, text) in [
            (
                Rejection::Bad(BadLine::NoSetup),
                "names no event setup: it has no `MessageGroupId`, and no event setup is given for all lines \
                 (`--event-setup`)",
            ),
            (
                Rejection::DuplicateOfAnother,
                "taken for a duplicate of another producer's event in the same millisecond and dropped: producers \
                 that send to one group at the same time need a lane each (`--lane`)",
            ),
            (
                Rejection::Bad(BadLine::NotASetup),
                "`MessageGroupId` must be `EventSetup_<id>`",
            ),
        ] {
            assert_eq!(with_option(&why), text);
        }
    }

    #[test]
    fn a_send_that_stopped_says_where_to_go_on_and_what_was_sent_beyond() {
        let report = SendReport {
            unsent_from: Some(7),
            sent_beyond: (8..40).collect(),
            in_doubt: vec![7],
            stopped: Some(StopReason::Asked),
            ..report()
        };
        let told = complaints(&report, "events.jsonl", Again::FromCheckpoint).join("\n");
        assert!(
            told.contains("the same command again with --from 7"),
            "{told}"
        );
        assert!(
            told.contains("8, 9, 10,") && told.contains("and 12 more"),
            "{told}"
        );
        assert!(
            told.contains("may have taken, since no answer came: 7"),
            "{told}"
        );
        assert!(told.contains("or with --resume"), "{told}");
        assert_eq!(summary(&report), "0 events sent, not sent from line 7");
        let told = complaints(&report, "standard input", Again::NewIds).join("\n");
        assert!(!told.contains("--resume"), "{told}");
        assert!(told.contains("unless --input-name names it"), "{told}");
    }

    #[test]
    fn the_json_has_the_fields_of_the_contract() {
        let report = SendReport {
            rejected: vec![producer::Rejected {
                line: 3,
                why: Rejection::Refused("not JSON".to_owned()),
            }],
            rejected_total: 1,
            ..report()
        };
        let json = serde_json::to_value(Sent::of(&report, None)).expect("serializable");
        assert_eq!(json["sent"], 0);
        assert_eq!(
            json["rejected"],
            serde_json::json!([{"line": 3, "error": "not JSON"}])
        );
        assert!(json["unsent_from"].is_null());
    }
}
