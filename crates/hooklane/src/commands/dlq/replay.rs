//! `dlq replay`: dead letters become messages of their groups again.

use std::collections::BTreeSet;

use letters::{
    Consent, Delivered, Failure, Outcome, Preview, Row, Taken, Target, Unsendable, replay,
};
use queue::{Clock, Queue, Sqs};
use serde::Serialize;

use super::hand;
use super::meter::Meter;
use super::table;
use crate::cli::Replay;
use crate::commands::{Context, open_to_look};
use crate::exit::{Exit, Usage};
use crate::{output, stop};
use config::Source;

pub(super) async fn run(arguments: Replay, context: &Context) -> anyhow::Result<Exit> {
    let now = Clock::system().now();
    let given = given(&arguments);
    let reason = arguments.reason.as_deref();
    let selection = arguments.chosen.read(reason, Some(arguments.all), now)?;
    let configuration = context.configuration()?;
    let (dead, target) = queues(&configuration, arguments.to.as_deref()).await?;
    let stop = stop::on_signals()?;
    let meter = Meter::start();
    let by_ids = !selection.ids.is_empty();
    let mut taken = hand::take(&dead, selection, &stop, &meter).await?;
    let delivered = match arguments.to {
        Some(_) => Delivered::unknown("the workers note it of queue.url only"),
        None => delivered(&configuration, &target, &taken).await,
    };
    let mut preview = Preview::of(taken.letters(), &target, &delivered);
    preview.add_unseen(hand::unseen(&taken, by_ids));
    if arguments.dry_run {
        meter.finish();
        let printed = print_plan(&taken, &preview, arguments.output.json);
        hand::complain_of_kept(taken.give_back().await);
        return printed;
    }
    tell(&preview);
    let missing = &preview.consents() - &given;
    if !missing.is_empty() && preview.letters > 0 {
        meter.finish();
        if !hand::accepted(&mut taken, &missing, &stop).await? {
            return hand::leave(taken).await;
        }
    }
    meter.moving("replayed");
    let audit = hand::audit(arguments.why);
    let progress = |progress| meter.show(progress);
    let outcome = replay(taken, &target, arguments.rate, &audit, &stop, progress).await;
    meter.finish();
    let exit = hand::conclude(
        &outcome,
        "replayed",
        "they were sent, so repeat this within five minutes, and none is sent twice",
    );
    output::outcome(arguments.output.json, &Replayed::of(&outcome), || {
        summary(&outcome, &preview.to)
    })?;
    Ok(exit)
}

/// What the options accept.
fn given(arguments: &Replay) -> BTreeSet<Consent> {
    let given = [
        (arguments.accept_order, Consent::Order),
        (arguments.accept_hidden, Consent::Hidden),
    ];
    given
        .into_iter()
        .filter_map(|(is_given, consent)| is_given.then_some(consent))
        .collect()
}

/// The internal queue and where its letters go.
async fn queues(configuration: &Source, to: Option<&str>) -> anyhow::Result<(Queue, Target)> {
    let dead_url = config::dead_letter_url(configuration)?;
    let to_url = match to {
        Some(url) => url.to_owned(),
        None => config::queue_url(configuration)?,
    };
    let sqs = Sqs::from_env().await;
    let dead = open_to_look(&sqs, &dead_url).await?;
    let queue = Queue::open(&sqs, &to_url).await?;
    if dead.is_same(&queue) {
        let named = if to.is_some() { "--to" } else { "queue.url" };
        return Err(Usage(format!("{named} names the internal queue itself")).into());
    }
    let target = match to {
        Some(_) => Target::named(queue),
        None => Target::source(queue),
    };
    Ok((dead, target.worded(unsendable)))
}

/// Why a letter cannot go, and the mend.
fn unsendable(why: &Unsendable) -> String {
    match why {
        Unsendable::OfAnotherQueue(_) => format!("{why}: name it with --to"),
        Unsendable::Unreadable(_) => {
            format!("{why}: export it and send its body as a new event")
        }
        Unsendable::WithoutRoom { .. } => {
            format!("{why}; export it and send its body as a new event")
        }
        Unsendable::WithoutGroup => why.to_string(),
    }
}

fn tell(preview: &Preview) {
    let warnings = preview.warnings.iter().map(|warning| &warning.text);
    let sentences = preview.remarks.iter().chain(warnings);
    sentences.for_each(|sentence| output::complain(sentence));
}

fn print_plan(taken: &Taken, preview: &Preview, json: bool) -> anyhow::Result<Exit> {
    output::result(json, &Plan::of(preview), || {
        let rows: Vec<_> = taken.letters().iter().map(Row::from).collect();
        format!(
            "would go to {}, in this order:\n{}",
            preview.to,
            table::counted(&rows)
        )
    })?;
    tell(preview);
    let needed = needed(preview);
    if !needed.is_empty() {
        output::complain(&format!("it would ask, or need {}", needed.join(" ")));
    }
    for refused in &preview.refused {
        output::complain(&format!("{} would fail: {}", refused.id, refused.why));
    }
    Ok(Exit::Done)
}

/// The options that accept what is warned of.
fn needed(preview: &Preview) -> Vec<&'static str> {
    let consents = preview.consents().into_iter();
    consents.map(hand::option).collect()
}

/// What a dry run prints.
#[derive(Serialize)]
struct Plan<'a> {
    selected: usize,
    replayed: usize,
    failed: usize,
    dry_run: bool,
    /// The options that it would need.
    needed: Vec<&'static str>,
    #[serde(flatten)]
    preview: &'a Preview,
}

impl<'a> Plan<'a> {
    fn of(preview: &'a Preview) -> Self {
        Self {
            selected: preview.letters,
            replayed: 0,
            failed: 0,
            dry_run: true,
            needed: needed(preview),
            preview,
        }
    }
}

fn summary(outcome: &Outcome, to: &str) -> String {
    if outcome.selected == 0 {
        return "no dead letters to replay".to_owned();
    }
    let (done, selected) = (outcome.done, hand::letters(outcome.selected));
    let both = match outcome.not_removed.len() {
        0 => String::new(),
        both => format!("; {both} of them are in the internal queue as well"),
    };
    format!("{done} of {selected} replayed to {to}{both}")
}

/// What the workers noted of the groups in their ledger. A ledger that is not configured is no reason to stop.
async fn delivered(configuration: &Source, target: &Target, taken: &Taken) -> Delivered {
    match config::ledger(configuration) {
        Ok(spec) => Delivered::look_up(&spec, target, taken.letters()).await,
        Err(error) => Delivered::unknown(error.to_string()),
    }
}

#[derive(Serialize)]
struct Replayed<'a> {
    selected: usize,
    replayed: usize,
    failed: usize,
    left: usize,
    not_removed: usize,
    stopped: bool,
    dry_run: bool,
    failures: &'a [Failure],
}

impl<'a> Replayed<'a> {
    fn of(outcome: &'a Outcome) -> Self {
        Self {
            selected: outcome.selected,
            replayed: outcome.done,
            failed: outcome.failures.len(),
            left: outcome.left(),
            not_removed: outcome.not_removed.len(),
            stopped: outcome.stopped,
            dry_run: false,
            failures: &outcome.failures,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_that_cannot_be_sent_is_told_what_to_do_on_the_command_line() {
        let queue = || "https://sqs/a.fifo".to_owned();
        for (why, told) in [
            (
                Unsendable::OfAnotherQueue(queue()),
                "it came from another queue, https://sqs/a.fifo: name it with --to",
            ),
            (
                Unsendable::Unreadable("no record".to_owned()),
                "no record; its group and its history are unknown: export it and send its body as a new event",
            ),
            (
                Unsendable::WithoutGroup,
                "it has no message group, and a FIFO queue needs one",
            ),
            (
                Unsendable::WithoutRoom {
                    most: 1024,
                    queue: queue(),
                },
                "body and attributes fill the 1024 bytes that https://sqs/a.fifo takes: there is no room for its \
                 history; export it and send its body as a new event",
            ),
        ] {
            assert_eq!(unsendable(&why), told);
        }
    }
}
