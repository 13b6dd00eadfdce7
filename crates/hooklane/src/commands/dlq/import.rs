//! `dlq import`: dead letters from a file back into the internal queue.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::path::Path;

use anyhow::{Context as _, bail};
use indicatif::{ProgressBar, ProgressStyle};
use letters::{Checked, ImportEnd, Imported, Rejected, RejectedLines, check_import, import};
use queue::Queue;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::{hand, open};
use crate::cli::Import;
use crate::commands::Context;
use crate::exit::{Exit, Usage};
use crate::{logging, output, stop};

/// Read at once.
const BUFFER_BYTES: usize = 256 * 1024;

/// The most taken from standard input, which is kept in a file without a name since it is read twice.
const MOST_SPOOLED: u64 = 4 * 1024 * 1024 * 1024;

/// The most lines told one by one on standard error.
const TOLD: usize = 20;

const STYLE: &str = "{bar:30} {percent:>3} %  {msg}, {eta} left";

pub(super) async fn run(arguments: Import, context: &Context) -> anyhow::Result<Exit> {
    let source = Source::open(&arguments.file)?;
    let name = source.name(&arguments.file);
    let queue = open(context).await?;
    let stop = stop::on_signals()?;
    let file = source.into_file(&stop).await?;
    let (from, json) = (arguments.from, arguments.output.json);
    let checked = check(&queue, &file, from, &stop, &name).await?;
    if checked.stopped || checked.rejected.total > 0 {
        tell_bad(&checked, &name);
        let nothing = Imported {
            rejected: checked.rejected,
            unsent_from: Some(from),
            stopped: checked.stopped.then_some(ImportEnd::Asked),
            ..Imported::default()
        };
        return print(&nothing, json);
    }
    if let Some((count, other)) = &checked.foreign {
        output::complain(&format!(
            "{count} of {} come from another queue, {other}: they are put into {}",
            hand::letters(checked.good as usize),
            queue.url()
        ));
    }
    let bar = bar(&file);
    let progress = |progress: letters::ImportProgress| {
        bar.set_position(progress.bytes);
        bar.set_message(format!("{} imported", progress.imported));
    };
    let audit = hand::audit(arguments.why);
    let input = BufReader::with_capacity(BUFFER_BYTES, &file);
    let imported = import(&queue, input, from, &audit, &stop, progress).await;
    bar.finish_and_clear();
    for complaint in complaints(&imported, &name) {
        output::complain(&complaint);
    }
    print(&imported, json)
}

/// What is read.
enum Source {
    File(File),
    /// What can be read once only.
    Stream(Box<dyn Read + Send>),
}

impl Source {
    fn open(path: &Path) -> Result<Self, Usage> {
        if path == Path::new("-") {
            return Ok(Self::Stream(Box::new(io::stdin())));
        }
        let unreadable =
            |why: &dyn std::fmt::Display| Usage(format!("cannot read {}: {why}", path.display()));
        let file = File::open(path).map_err(|error| unreadable(&error))?;
        let metadata = file.metadata().map_err(|error| unreadable(&error))?;
        match metadata {
            metadata if metadata.is_dir() => Err(unreadable(&"it is a directory")),
            metadata if metadata.is_file() => Ok(Self::File(file)),
            _ => Ok(Self::Stream(Box::new(file))),
        }
    }

    fn name(&self, path: &Path) -> String {
        if path == Path::new("-") {
            "standard input".to_owned()
        } else {
            path.display().to_string()
        }
    }

    /// A file that can be read twice.
    async fn into_file(self, stop: &CancellationToken) -> anyhow::Result<File> {
        let stream = match self {
            Self::File(file) => return Ok(file),
            Self::Stream(stream) => stream,
        };
        let spooled = tokio::task::spawn_blocking(|| spool(stream));
        tokio::select! {
            spooled = spooled => spooled?,
            () = stop.cancelled() => bail!("stopped; nothing was sent"),
        }
    }
}

fn spool(stream: impl Read) -> anyhow::Result<File> {
    let mut file = tempfile::tempfile().context("cannot keep standard input in a file")?;
    let copied = io::copy(&mut stream.take(MOST_SPOOLED + 1), &mut file);
    let copied = copied.context("cannot read standard input to its end")?;
    anyhow::ensure!(
        copied <= MOST_SPOOLED,
        "standard input is larger than {MOST_SPOOLED} bytes: give a file"
    );
    Ok(file)
}

async fn check(
    queue: &Queue,
    mut file: &File,
    from: u64,
    stop: &CancellationToken,
    name: &str,
) -> anyhow::Result<Checked> {
    let unreadable = || format!("cannot read {name}; nothing was sent");
    file.rewind().with_context(unreadable)?;
    let input = BufReader::with_capacity(BUFFER_BYTES, file);
    let checked = check_import(queue, input, from, stop).await;
    checked.with_context(unreadable)
}

/// Drawn on standard error, and only if that is a terminal.
fn bar(file: &File) -> ProgressBar {
    let bytes = file.metadata().map_or(0, |metadata| metadata.len());
    let bar = ProgressBar::new(bytes);
    if let Ok(style) = ProgressStyle::with_template(STYLE) {
        bar.set_style(style);
    }
    logging::share_terminal_with(bar.clone());
    bar
}

fn tell_bad(checked: &Checked, name: &str) {
    if checked.stopped {
        output::complain("stopped; nothing was sent");
        return;
    }
    for complaint in rejections(&checked.rejected, name, "bad") {
        output::complain(&complaint);
    }
    output::complain("nothing was sent: mend these lines, or take them out, and import again");
}

fn rejections(rejected: &RejectedLines, name: &str, what: &str) -> Vec<String> {
    let told = rejected.lines.iter().take(TOLD);
    let mut told: Vec<_> = told
        .map(|Rejected { line, error }| format!("{name}:{line}: {error}"))
        .collect();
    let more = rejected.total - told.len() as u64;
    if more > 0 {
        told.push(format!("{name}: {more} more lines are {what}"));
    }
    told
}

/// What went wrong: for standard error.
fn complaints(imported: &Imported, name: &str) -> Vec<String> {
    let mut told = rejections(&imported.rejected, name, "not imported");
    if let Some(why) = &imported.stopped {
        told.push(format!("the import ended early: {why}"));
    }
    if let Some(line) = imported.unsent_from {
        told.push(format!(
            "to go on, give the same command again with --from {line}; within five minutes SQS drops what it has \
             already"
        ));
    }
    if !imported.sent_beyond.is_empty() {
        let lines = listed(&imported.sent_beyond);
        told.push(format!("lines after it that it has already: {lines}"));
    }
    if !imported.in_doubt.is_empty() {
        let lines = listed(&imported.in_doubt);
        told.push(format!(
            "lines that it may have, since no answer came: {lines}"
        ));
    }
    told
}

/// At most a batch of them.
fn listed(lines: &[u64]) -> String {
    let lines: Vec<_> = lines.iter().map(u64::to_string).collect();
    lines.join(", ")
}

fn print(imported: &Imported, json: bool) -> anyhow::Result<Exit> {
    output::outcome(json, &Printed::of(imported), || summary(imported))?;
    match (imported.rejected.total, imported.unsent_from) {
        (0, None) => Ok(Exit::Done),
        _ => Ok(Exit::Failed),
    }
}

fn summary(imported: &Imported) -> String {
    let mut summary = format!("{} imported", hand::letters(imported.imported as usize));
    match imported.rejected.total {
        0 => {}
        1 => summary += ", 1 line rejected",
        lines => summary += &format!(", {lines} lines rejected"),
    }
    if let Some(line) = imported.unsent_from {
        summary += &format!(", not imported from line {line}");
    }
    summary
}

/// The report as `--json` prints it.
#[derive(Serialize)]
struct Printed<'a> {
    imported: u64,
    rejected: &'a [Rejected],
    rejected_total: u64,
    unsent_from: Option<u64>,
    sent_beyond: &'a [u64],
    in_doubt: &'a [u64],
    stopped: Option<String>,
}

impl<'a> Printed<'a> {
    fn of(imported: &'a Imported) -> Self {
        Self {
            imported: imported.imported,
            rejected: &imported.rejected.lines,
            rejected_total: imported.rejected.total,
            unsent_from: imported.unsent_from,
            sent_beyond: &imported.sent_beyond,
            in_doubt: &imported.in_doubt,
            stopped: imported.stopped.as_ref().map(ImportEnd::to_string),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejected(lines: std::ops::Range<u64>) -> RejectedLines {
        let bad = |line| Rejected {
            line,
            error: "not valid JSON".to_owned(),
        };
        RejectedLines {
            total: lines.end - lines.start,
            lines: lines.map(bad).collect(),
        }
    }

    #[test]
    fn a_complete_import_has_nothing_to_complain_of() {
        let imported = Imported {
            imported: 1,
            ..Imported::default()
        };
        assert_eq!(complaints(&imported, "f"), Vec::<String>::new());
        assert_eq!(summary(&imported), "1 dead letter imported");
    }

    #[test]
    fn an_import_that_ended_early_says_where_to_go_on_and_what_is_in_the_queue() {
        let imported = Imported {
            imported: 10,
            rejected: rejected(3..4),
            unsent_from: Some(11),
            sent_beyond: vec![12, 13],
            in_doubt: vec![11],
            stopped: Some(ImportEnd::Asked),
        };
        let expected = [
            "f:3: not valid JSON",
            "the import ended early: stopped on request",
            "to go on, give the same command again with --from 11; within five minutes SQS drops what it has already",
            "lines after it that it has already: 12, 13",
            "lines that it may have, since no answer came: 11",
        ];
        assert_eq!(complaints(&imported, "f"), expected);
        let expected = "10 dead letters imported, 1 line rejected, not imported from line 11";
        assert_eq!(summary(&imported), expected);
    }

    #[test]
    fn of_many_bad_lines_the_first_are_told() {
        let told = rejections(&rejected(1..101), "f", "bad");
        assert_eq!(told.len(), TOLD + 1);
        assert_eq!(told[TOLD], "f: 80 more lines are bad");
    }
}
