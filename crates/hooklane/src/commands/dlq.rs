//! `dlq`: what could not be delivered, and why.

mod drop;
mod export;
mod hand;
mod import;
mod meter;
mod replay;
mod show;
mod table;

use std::ops::ControlFlow;

use indicatif::ProgressBar;
use letters::{End, Filter, Groups, Letter, Listing, Report, ScanOptions, Shown};
use queue::{Clock, Queue, Sqs};

use super::{Context, open_to_look};
use crate::cli::Dlq;
use crate::exit::Exit;
use crate::{logging, output, stop};

/// The most other letters of an event that are named.
const NAMED: usize = 20;

pub(super) async fn run(arguments: Dlq, context: &Context) -> anyhow::Result<Exit> {
    match arguments {
        Dlq::Ls {
            listed,
            limit,
            output,
        } => {
            // What was mistyped is told before anything is asked of the queue.
            let filter = listed.read(Clock::system().now())?;
            ls(&open(context).await?, filter, limit, output.json).await
        }
        Dlq::Show { id, output } => show(&open(context).await?, &id, output.json).await,
        Dlq::Groups { listed, output } => {
            let filter = listed.read(Clock::system().now())?;
            groups(&open(context).await?, filter, output.json).await
        }
        Dlq::Drop(arguments) => drop::run(*arguments, context).await,
        Dlq::Export {
            file,
            listed,
            output,
        } => {
            let filter = listed.read(Clock::system().now())?;
            export::run(&file, filter, output.json, context).await
        }
        Dlq::Import(arguments) => import::run(arguments, context).await,
        Dlq::Replay(arguments) => replay::run(*arguments, context).await,
    }
}

async fn open(context: &Context) -> anyhow::Result<Queue> {
    let url = config::dead_letter_url(&context.configuration()?)?;
    Ok(open_to_look(&Sqs::from_env().await, &url).await?)
}

async fn ls(
    queue: &Queue,
    filter: Filter,
    limit: Option<usize>,
    json: bool,
) -> anyhow::Result<Exit> {
    let is_filtered = !filter.is_empty();
    let mut listing = Listing::of(filter);
    let report = scan(queue, |letter| {
        listing.add(&letter);
        ControlFlow::Continue(())
    });
    let report = report.await?;
    let mut rows = listing.into_rows();
    let matched = rows.len();
    rows.truncate(limit.unwrap_or(matched));
    if json {
        rows.iter().try_for_each(output::json)?;
    } else {
        if !rows.is_empty() {
            output::print(&table::of_letters(&rows, output::width()))?;
        }
        output::line(&table::count(matched, report.seen, is_filtered))?;
    }
    if rows.len() < matched {
        let of = if is_filtered {
            "that match"
        } else {
            "dead letters"
        };
        output::complain(&format!("{} of {matched} {of} are shown", rows.len()));
    }
    Ok(conclude(&report))
}

async fn groups(queue: &Queue, filter: Filter, json: bool) -> anyhow::Result<Exit> {
    let is_filtered = !filter.is_empty();
    let mut groups = Groups::of(filter);
    let report = scan(queue, |letter| {
        groups.add(&letter);
        ControlFlow::Continue(())
    });
    let report = report.await?;
    let rows = groups.into_rows();
    if json {
        rows.iter().try_for_each(output::json)?;
    } else {
        if !rows.is_empty() {
            output::print(&table::of_groups(&rows, output::width()))?;
        }
        let matched = rows.iter().map(|row| row.count).sum::<u64>() as usize;
        output::line(&table::count(matched, report.seen, is_filtered))?;
    }
    Ok(conclude(&report))
}

async fn show(queue: &Queue, id: &str, json: bool) -> anyhow::Result<Exit> {
    let mut found: Option<Letter> = None;
    let mut others = Vec::new();
    let mut meant = None;
    let report = scan(queue, |letter| {
        if letter.message.message_id == id {
            // No other letter can have it.
            (found, others) = (Some(letter), Vec::new());
            return ControlFlow::Break(End::Found);
        }
        if letter.is(id) {
            let older = match &found {
                Some(newest) if newest.life() >= letter.life() => Some(letter),
                _ => found.replace(letter),
            };
            others.extend(older.map(|letter| letter.message.message_id));
            return ControlFlow::Continue(());
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
    let mut shown = Shown::from(&letter);
    shown.others = others;
    output::result(json, &shown, || show::text(&letter))?;
    if !shown.others.is_empty() {
        output::complain(&format!(
            "this is the newest of {} letters of the event; older ones, shown by their message ids: {}",
            shown.others.len() + 1,
            shown.others[..shown.others.len().min(NAMED)].join(", ")
        ));
    }
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
    let report = letters::scan(queue, ScanOptions::default(), &stop, look).await;
    spinner.finish_and_clear();
    Ok(report?)
}

/// Says what the scan cannot have seen, and whether it was broken off.
fn conclude(report: &Report) -> Exit {
    for remark in report.remarks() {
        output::complain(&remark);
    }
    match report.end {
        End::Empty | End::Found | End::Full => Exit::Done,
        End::Stopped | End::Failed(_) => Exit::Failed,
    }
}
