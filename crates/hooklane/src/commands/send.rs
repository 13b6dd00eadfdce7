//! `send`: events from a file or standard input into the queue.

mod progress;

use std::fmt::Write;
use std::path::Path;

use anyhow::Context as _;
use producer::{SendError, SendOptions, SendReport, StopReason};
use queue::{Clock, Queue, Sqs};
use serde::Serialize;
use tokio::fs::File;
use tokio::io::BufReader;

use super::Context;
use crate::cli::Send;
use crate::config;
use crate::exit::{Exit, Usage};
use crate::{output, stop};
use progress::Meter;

/// Read at once: a file is read by a thread of its own, which has to be worth asking.
const BUFFER_BYTES: usize = 256 * 1024;

/// Line numbers that are listed before they are counted only.
const LISTED: usize = 20;

pub(super) async fn run(arguments: Send, context: &Context) -> anyhow::Result<Exit> {
    let url = config::queue_url(&context.configuration()?)?;
    let event_setup = arguments.event_setup.map(id_alone).transpose()?;
    let input = Input::open(&arguments.file, arguments.strict).await?;
    let options = SendOptions {
        event_setup,
        event_name: arguments.event,
        lane: arguments.lane,
        from_line: arguments.from,
    };
    let queue = Queue::open(&Sqs::from_env().await, &url).await?;
    let report = send(&queue, input, &options).await?;
    let name = match arguments.file == Path::new("-") {
        true => "standard input".to_owned(),
        false => arguments.file.display().to_string(),
    };
    for line in complaints(&report, &name) {
        output::complain(&line);
    }
    output::result(arguments.output.json, &Sent::of(&report), || {
        summary(&report)
    })?;
    match report.is_complete() {
        true => Ok(Exit::Done),
        false => Ok(Exit::Failed),
    }
}

/// Who gives the whole group, as it stands in an event, means the setup and not `EventSetup_EventSetup_7`.
fn id_alone(setup: String) -> Result<String, Usage> {
    match event::setup_of_group(&setup) {
        Some(id) => Err(Usage(format!(
            "--event-setup: {setup:?} is a message group: give the id alone, {id}"
        ))),
        None => Ok(setup),
    }
}

/// What is read.
enum Input {
    StandardInput,
    File {
        file: File,
        bytes: u64,
        strict: bool,
    },
}

impl Input {
    async fn open(path: &Path, strict: bool) -> anyhow::Result<Self> {
        if path == Path::new("-") {
            return match strict {
                true => {
                    Err(Usage("--strict reads its input twice: give it a file".to_owned()).into())
                }
                false => Ok(Self::StandardInput),
            };
        }
        let unreadable = || format!("cannot read {}", path.display());
        let file = File::open(path).await.with_context(unreadable)?;
        let metadata = file.metadata().await.with_context(unreadable)?;
        anyhow::ensure!(
            !metadata.is_dir(),
            "cannot read {}: it is a directory",
            path.display()
        );
        Ok(Self::File {
            file,
            bytes: metadata.len(),
            strict,
        })
    }
}

async fn send(queue: &Queue, input: Input, options: &SendOptions) -> anyhow::Result<SendReport> {
    let (clock, stop) = (Clock::system(), stop::on_signals()?);
    let report = match input {
        Input::StandardInput => {
            let meter = Meter::start(None);
            let input = BufReader::with_capacity(BUFFER_BYTES, tokio::io::stdin());
            producer::send(
                queue,
                input,
                options,
                clock,
                |progress| meter.show(&progress),
                stop,
            )
            .await
        }
        Input::File {
            file,
            bytes,
            strict,
        } => {
            let meter = Meter::start(Some(bytes));
            let input = BufReader::with_capacity(BUFFER_BYTES, file);
            let show = |progress: producer::Progress<'_>| meter.show(&progress);
            match strict {
                true => producer::send_strict(queue, input, options, clock, show, stop).await,
                false => producer::send(queue, input, options, clock, show, stop).await,
            }
        }
    };
    report.map_err(|error| match error {
        SendError::EventSetup(error) => Usage(format!("--event-setup: {error}")).into(),
        SendError::EventName => Usage(format!("--event: {error}")).into(),
        SendError::Rewind(_) => error.into(),
    })
}

/// The report as `--json` prints it.
#[derive(Serialize)]
struct Sent<'a> {
    sent: u64,
    rejected: Vec<Rejected<'a>>,
    rejected_total: u64,
    unsent_from: Option<u64>,
    sent_beyond: &'a [u64],
    in_doubt: &'a [u64],
    stopped: Option<String>,
}

#[derive(Serialize)]
struct Rejected<'a> {
    line: u64,
    error: &'a str,
}

impl<'a> Sent<'a> {
    fn of(report: &'a SendReport) -> Self {
        let rejected = report.rejected.iter().map(|rejected| Rejected {
            line: rejected.line,
            error: &rejected.error,
        });
        Self {
            sent: report.sent,
            rejected: rejected.collect(),
            rejected_total: report.rejected_total,
            unsent_from: report.unsent_from,
            sent_beyond: &report.sent_beyond,
            in_doubt: &report.in_doubt,
            stopped: report.stopped.as_ref().map(StopReason::to_string),
        }
    }
}

/// What went wrong, line by line: for standard error.
fn complaints(report: &SendReport, name: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    for rejected in &report.rejected {
        complaints.push(format!(
            "{name}:{}: not sent: {}",
            rejected.line, rejected.error
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
            let go_on = |line| format!("to go on, give the same command again with --from {line}");
            complaints.extend(unsent_from.map(go_on));
        }
    }
    if !report.sent_beyond.is_empty() {
        let lines = listed(&report.sent_beyond);
        complaints.push(format!(
            "lines after it that were sent already, to be taken out before: {lines}"
        ));
    }
    if !report.in_doubt.is_empty() {
        let lines = listed(&report.in_doubt);
        complaints.push(format!(
            "lines that the queue may have taken, since no answer came: {lines}"
        ));
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

fn summary(report: &SendReport) -> String {
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
        assert_eq!(complaints(&report, "f"), Vec::<String>::new());
        assert_eq!(summary(&report), "1 event sent");
    }

    #[test]
    fn a_file_of_which_no_line_is_an_event_is_told_what_a_line_must_be() {
        let bad = |line| producer::Rejected {
            line,
            error: "not valid JSON".to_owned(),
        };
        let mut report = SendReport {
            rejected: vec![bad(1), bad(2)],
            rejected_total: 2,
            ..report()
        };
        let told = complaints(&report, "pretty.json");
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(
            told[2].contains("one event, a JSON object on one line"),
            "{told:?}"
        );
        report.sent = 1;
        assert_eq!(complaints(&report, "pretty.json").len(), 2);
    }

    #[test]
    fn an_event_setup_given_as_its_group_is_told_its_id() {
        assert_eq!(id_alone("7".to_owned()).expect("an id"), "7");
        let said = id_alone("EventSetup_7".to_owned())
            .expect_err("a group")
            .to_string();
        assert!(said.ends_with("give the id alone, 7"), "{said}");
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
        let told = complaints(&report, "events.jsonl").join("\n");
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
        assert_eq!(summary(&report), "0 events sent, not sent from line 7");
    }

    #[test]
    fn the_json_has_the_fields_of_the_contract() {
        let report = SendReport {
            rejected: vec![producer::Rejected {
                line: 3,
                error: "not JSON".to_owned(),
            }],
            rejected_total: 1,
            ..report()
        };
        let json = serde_json::to_value(Sent::of(&report)).expect("serializable");
        assert_eq!(json["sent"], 0);
        assert_eq!(
            json["rejected"],
            serde_json::json!([{"line": 3, "error": "not JSON"}])
        );
        assert!(json["unsent_from"].is_null());
    }
}
