//! `dlq`: what could not be delivered, and why.

mod drop;
mod hand;
mod meter;
mod replay;
mod show;
mod table;

use std::ops::ControlFlow;

use console::{End, Groups, Letter, Listing, Report, ScanOptions, Shown};
use indicatif::ProgressBar;
use queue::{Queue, Sqs};

use super::Context;
use crate::cli::Dlq;
use crate::config;
use crate::exit::Exit;
use crate::{logging, output, stop};

pub(super) async fn run(arguments: Dlq, context: &Context) -> anyhow::Result<Exit> {
    match arguments {
        Dlq::Ls { output } => ls(&open(context).await?, output.json).await,
        Dlq::Show { id, output } => show(&open(context).await?, &id, output.json).await,
        Dlq::Groups { output } => groups(&open(context).await?, output.json).await,
        Dlq::Drop(arguments) => drop::run(*arguments, context).await,
        Dlq::Replay(arguments) => replay::run(*arguments, context).await,
    }
}

async fn open(context: &Context) -> anyhow::Result<Queue> {
    let url = config::dead_letter_url(&context.configuration()?)?;
    Ok(Queue::open(&Sqs::from_env().await, &url).await?)
}

async fn ls(queue: &Queue, json: bool) -> anyhow::Result<Exit> {
    let mut listing = Listing::default();
    let report = scan(queue, |letter| {
        listing.add(&letter);
        ControlFlow::Continue(())
    });
    let report = report.await?;
    let rows = listing.into_rows();
    match json {
        true => rows.iter().try_for_each(output::json)?,
        false => output::print(&table::of_letters(&rows))?,
    }
    Ok(conclude(&report))
}

async fn groups(queue: &Queue, json: bool) -> anyhow::Result<Exit> {
    let mut groups = Groups::default();
    let report = scan(queue, |letter| {
        groups.add(&letter);
        ControlFlow::Continue(())
    });
    let report = report.await?;
    let rows = groups.into_rows();
    match json {
        true => rows.iter().try_for_each(output::json)?,
        false => output::print(&table::of_groups(&rows))?,
    }
    Ok(conclude(&report))
}

async fn show(queue: &Queue, id: &str, json: bool) -> anyhow::Result<Exit> {
    let mut found = None;
    let mut meant = None;
    let report = scan(queue, |letter| {
        if letter.is(id) {
            found = Some(letter);
            return ControlFlow::Break(End::Found);
        }
        if meant.is_none() && letter.msg_id().is_some_and(|msg_id| msg_id == id) {
            meant = Some(letter.id().to_owned());
        }
        ControlFlow::Continue(())
    });
    let report = report.await?;
    let Some(letter) = found else {
        conclude(&report);
        let seen = report.seen;
        // The id that logs and receivers know an event by. Several dead letters may have it.
        if let Some(meant) = meant {
            anyhow::bail!("{id:?} is a msg_id: give the dead letter's own id, {meant}");
        }
        anyhow::bail!(
            "none of the {seen} dead letters seen has the id {id:?}: `hooklane dlq ls` lists them"
        );
    };
    output::result(json, &Shown::from(&letter), || show::text(&letter))?;
    Ok(conclude(&report))
}

/// Scans until the end or Ctrl-C, and shows how far it is on a terminal.
async fn scan(
    queue: &Queue,
    mut look: impl FnMut(Letter) -> ControlFlow<End>,
) -> anyhow::Result<Report> {
    let stop = stop::on_signals()?;
    // Drawn on standard error, and only if that is a terminal.
    let spinner = ProgressBar::new_spinner().with_message("dead letters seen");
    logging::share_terminal_with(spinner.clone());
    let look = |letter| {
        spinner.inc(1);
        spinner.set_message(format!("{} dead letters seen", spinner.position()));
        look(letter)
    };
    let report = console::scan(queue, ScanOptions::default(), &stop, look).await;
    spinner.finish_and_clear();
    Ok(report?)
}

/// Says what the scan cannot have seen, and whether it was broken off.
fn conclude(report: &Report) -> Exit {
    for note in report.notes() {
        output::complain(&note);
    }
    match report.end {
        End::Empty | End::Found | End::Full => Exit::Done,
        End::Stopped | End::Failed(_) => Exit::Failed,
    }
}
