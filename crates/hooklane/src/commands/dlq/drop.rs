//! `dlq drop`: dead letters leave the internal queue for a file.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use event::Timestamp;
use letters::{Failure, Filter, LetterFile, Outcome, Row, Taken, drop_letters};
use queue::Clock;
use serde::Serialize;

use super::meter::Meter;
use super::{hand, open, table};
use crate::cli::Drop;
use crate::commands::Context;
use crate::exit::{Exit, Usage};
use crate::{output, stop};

pub(super) async fn run(arguments: Drop, context: &Context) -> anyhow::Result<Exit> {
    let now = Clock::system().now();
    check_reason(&arguments.why, now)?;
    let selection = arguments
        .chosen
        .read(arguments.died_of.as_deref(), None, now)?;
    let path = place(arguments.file, now)?;
    let json = arguments.output.json;
    let queue = open(context).await?;
    let stop = stop::on_signals()?;
    let meter = Meter::start();
    let by_ids = !selection.ids.is_empty();
    let mut taken = hand::take(&queue, selection, &stop, &meter).await?;
    let unseen = hand::unseen(&taken, by_ids);
    let unseen = unseen.of_the_selection.iter().chain(&unseen.others);
    unseen.for_each(|sentence| output::complain(sentence));
    let selected = taken.letters().len();
    if arguments.dry_run || selected == 0 {
        meter.finish();
        let printed = print_plan(&taken, arguments.dry_run, json);
        hand::complain_of_kept(taken.give_back().await);
        return printed;
    }
    if !arguments.yes {
        meter.finish();
        let letters = hand::in_hand(&taken);
        let question = format!("drop {letters}, keeping them in {}?", path.display());
        if !hand::agreed(&mut taken, &question, "--yes", &stop).await? {
            return hand::leave(taken).await;
        }
    }
    let file = match LetterFile::create(&path) {
        Ok(file) => file,
        Err(error) => {
            hand::leave(taken).await?;
            return Err(cannot_be_made(&path, error).into());
        }
    };
    meter.moving("dropped");
    let audit = hand::audit(Some(arguments.why));
    let outcome = drop_letters(taken, file, &audit, &stop, |progress| meter.show(progress)).await;
    meter.finish();
    let mend = "they are in the file too, so drop them again";
    let exit = hand::conclude(&outcome, "dropped", mend);
    output::outcome(json, &Dropped::of(&outcome, &path), || {
        summary(&outcome, &path)
    })?;
    Ok(exit)
}

/// A reason for the log, and none of those for which events die: that would be meant as a choice of letters.
fn check_reason(why: &str, now: Timestamp) -> Result<(), Usage> {
    if why.trim().is_empty() {
        return Err(Usage(
            "--reason: is empty: say why, for the audit log".to_owned(),
        ));
    }
    match Filter::default().set("reason", why, now) {
        Ok(()) => Err(Usage(format!(
            "--reason: says why they are dropped, for the audit log; --died-of {why} chooses those that died of it"
        ))),
        Err(_) => Ok(()),
    }
}

/// Where the file can be made, as far as can be known before there is anything to put in.
fn place(file: Option<PathBuf>, now: Timestamp) -> Result<PathBuf, Usage> {
    let path = file.unwrap_or_else(|| LetterFile::name_at(now).into());
    if path.exists() {
        return Err(Usage(format!(
            "{} exists already: name another file with --file",
            path.display()
        )));
    }
    let directory = path.parent().filter(|p| !p.as_os_str().is_empty());
    if directory.is_some_and(|directory| !directory.is_dir()) {
        Err(cannot_be_made(&path, "its directory is not there"))
    } else {
        Ok(path)
    }
}

fn cannot_be_made(path: &Path, why: impl Display) -> Usage {
    Usage(format!("{} cannot be made: {why}", path.display()))
}

fn print_plan(taken: &Taken, dry_run: bool, json: bool) -> anyhow::Result<Exit> {
    let plan = Dropped {
        selected: taken.letters().len(),
        dry_run,
        ..Dropped::default()
    };
    output::result(json, &plan, || {
        let rows: Vec<_> = taken.letters().iter().map(Row::from).collect();
        if dry_run {
            format!("would be dropped:\n{}", table::counted(&rows))
        } else {
            "no dead letters to drop".to_owned()
        }
    })?;
    Ok(Exit::Done)
}

fn summary(outcome: &Outcome, path: &Path) -> String {
    let (selected, kept) = (hand::letters(outcome.selected), outcome.done);
    let (dropped, path) = (dropped(outcome), path.display());
    match outcome.not_removed.len() {
        0 => format!(
            "{dropped} of {selected} dropped and kept in {path}; `hooklane dlq import {path}` puts them back"
        ),
        both => format!(
            "{dropped} of {selected} dropped, {kept} kept in {path}; {both} are in the internal queue as well, so do not import {path} before they are dropped"
        ),
    }
}

/// What could not be deleted is in the file, and no more dropped than what failed.
fn dropped(outcome: &Outcome) -> usize {
    outcome.done.saturating_sub(outcome.not_removed.len())
}

#[derive(Default, Serialize)]
struct Dropped<'a> {
    selected: usize,
    dropped: usize,
    /// How many are in the file: those dropped, and those not removed.
    kept: usize,
    failed: usize,
    left: usize,
    not_removed: usize,
    stopped: bool,
    dry_run: bool,
    file: Option<String>,
    failures: &'a [Failure],
}

impl<'a> Dropped<'a> {
    fn of(outcome: &'a Outcome, path: &Path) -> Self {
        Self {
            selected: outcome.selected,
            dropped: dropped(outcome),
            kept: outcome.done,
            failed: outcome.failures.len(),
            left: outcome.left(),
            not_removed: outcome.not_removed.len(),
            stopped: outcome.stopped,
            dry_run: false,
            file: Some(path.display().to_string()),
            failures: &outcome.failures,
        }
    }
}
