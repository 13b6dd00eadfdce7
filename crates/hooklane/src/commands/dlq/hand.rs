//! What replay and drop have in common: letters are taken in hand, a person agrees, and the outcome is told.

use std::collections::BTreeSet;
use std::io::{BufRead, IsTerminal, Write, stderr, stdin};
use std::time::Duration;

use anyhow::bail;
use letters::{Audit, Consent, End, Letter, Outcome, Selection, Taken, Unseen};
use queue::Queue;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::meter::Meter;
use crate::commands::person;
use crate::exit::Exit;
use crate::output;

/// For so long a question waits for its answer; the letters stay held meanwhile.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// The most failures told one by one on standard error.
const TOLD: usize = 20;

/// Takes what is selected in hand. What is incomplete is given back at once: nothing is done by halves.
pub(super) async fn take(
    queue: &Queue,
    selection: Selection,
    stop: &CancellationToken,
    meter: &Meter,
) -> anyhow::Result<Taken> {
    let taken = letters::take(queue, selection, stop, |seen| meter.seen(seen)).await?;
    let report = taken.report();
    let missing = taken.missing_ids();
    let why = match report.end {
        End::Stopped => "stopped".to_owned(),
        End::Failed(error) => error.to_string(),
        _ if !missing.is_empty() => {
            report
                .remarks()
                .iter()
                .for_each(|remark| output::complain(remark));
            format!(
                "none of the {} dead letters seen has the id {:?}{}: `hooklane dlq ls` lists them",
                report.seen,
                missing[0],
                match missing.len() - 1 {
                    0 => String::new(),
                    more => format!(" ({more} more ids are unknown too)"),
                }
            )
        }
        End::Empty | End::Found | End::Full => return Ok(taken),
    };
    meter.finish();
    let kept = taken.give_back().await;
    complain_of_kept(kept);
    bail!("{why}; nothing was changed");
}

/// What the scan cannot have seen of the groups that were selected, and what else there is to tell; nothing to
/// somebody who names letters, and has all of them.
pub(super) fn unseen(taken: &Taken, by_ids: bool) -> Unseen {
    let groups = taken.letters().iter().filter_map(Letter::group).collect();
    if by_ids {
        Unseen::default()
    } else {
        taken.report().unseen(&groups)
    }
}

/// Asks on the terminal, holding the letters meanwhile; without a terminal the answer is no, and what would have said
/// yes is told.
pub(super) async fn agreed(
    taken: &mut Taken,
    question: &str,
    options: &str,
    stop: &CancellationToken,
) -> anyhow::Result<bool> {
    if !is_a_person_here() {
        output::complain(&format!("{question} Say so with {options}"));
        return Ok(false);
    }
    ask(taken, question, stop).await
}

/// Has a person accept each thing that was warned of and that no option accepts.
pub(super) async fn accepted(
    taken: &mut Taken,
    missing: &BTreeSet<Consent>,
    stop: &CancellationToken,
) -> anyhow::Result<bool> {
    let what = format!("replay {}", in_hand(taken));
    if !missing.is_empty() && !is_a_person_here() {
        let options: Vec<_> = missing.iter().copied().map(option).collect();
        let question = format!("{what} nevertheless?");
        return agreed(taken, &question, &options.join(" "), stop).await;
    }
    for consent in missing {
        let although = match consent {
            Consent::Order => "although their order may not be restored",
            Consent::Hidden => "although not all of their groups could be seen",
        };
        if !ask(taken, &format!("{what} {although}?"), stop).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The option that accepts it.
pub(super) fn option(consent: Consent) -> &'static str {
    match consent {
        Consent::Order => "--accept-order",
        Consent::Hidden => "--accept-hidden",
    }
}

fn is_a_person_here() -> bool {
    stdin().is_terminal() && stderr().is_terminal()
}

async fn ask(taken: &mut Taken, question: &str, stop: &CancellationToken) -> anyhow::Result<bool> {
    let _ = write!(stderr(), "{} [y/N] ", output::one_line(question));
    let (tell, answer) = oneshot::channel();
    // A thread of its own: reading from a terminal cannot be interrupted, and must not keep the program from ending.
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = stdin().lock().read_line(&mut line);
        let _ = tell.send(read.is_ok() && matches!(line.trim(), "y" | "Y" | "yes"));
    });
    tokio::select! {
        answer = answer => Ok(answer.unwrap_or(false)),
        () = taken.hold() => Ok(false),
        () = stop.cancelled() => Ok(false),
        () = tokio::time::sleep(PATIENCE) => Ok(false),
    }
}

/// `7 dead letters`.
pub(super) fn letters(count: usize) -> String {
    match count {
        1 => "1 dead letter".to_owned(),
        count => format!("{count} dead letters"),
    }
}

/// What a person is asked about: behind the letters that a shared group shows there can be more.
pub(super) fn in_hand(taken: &Taken) -> String {
    let told = letters(taken.letters().len());
    if taken.letters().iter().any(|l| l.shared_group().is_some()) {
        format!("{told}, and what their groups hide behind them,")
    } else {
        told
    }
}

/// Gives everything back after a no.
pub(super) async fn leave(taken: Taken) -> anyhow::Result<Exit> {
    complain_of_kept(taken.give_back().await);
    output::complain("nothing was changed");
    Ok(Exit::Failed)
}

pub(super) fn complain_of_kept(kept: usize) {
    if kept > 0 {
        output::complain(&format!(
            "{kept} could not be given back: hidden for up to {} s, then visible again by themselves",
            letters::TAKE_LEASE.as_secs()
        ));
    }
}

pub(super) fn audit(why: Option<String>) -> Audit {
    Audit {
        who: person::name(),
        why,
    }
}

/// What is left to tell of an outcome, on standard error, and the exit code.
pub(super) fn conclude(outcome: &Outcome, verb: &str, mend: &str) -> Exit {
    if let Some(why) = &outcome.halted {
        output::complain(why);
    }
    for failure in outcome.failures.iter().take(TOLD) {
        output::complain(&format!("{}: {}", failure.id, failure.why));
    }
    if let Some(more) = outcome.failures.len().checked_sub(TOLD + 1) {
        output::complain(&format!("and {} more failed", more + 1));
    }
    if !outcome.not_removed.is_empty() {
        output::complain(&format!(
            "{} could not be deleted from the internal queue ({}: {}): {mend}",
            letters(outcome.not_removed.len()),
            outcome.not_removed[0].id,
            outcome.not_removed[0].why
        ));
    }
    if outcome.stopped {
        output::complain(&format!(
            "stopped: {} {verb}, {} left as they were; the same command goes on from there",
            outcome.done,
            outcome.left()
        ));
    } else if outcome.left() > 0 {
        output::complain(&format!(
            "{} not tried and left as they were{}",
            outcome.left(),
            if outcome.failures.is_empty() {
                ""
            } else {
                ": one ahead of them in their group failed"
            }
        ));
    }
    complain_of_kept(outcome.kept);
    if outcome.is_complete() {
        Exit::Done
    } else {
        Exit::Failed
    }
}
