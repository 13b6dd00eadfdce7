//! `queues create` and `queues check`.

use std::fmt::Write;

use queue::admin::{self, Kind, Pair, Problem};
use queue::{Queue, Sqs};
use serde::Serialize;

use super::Context;
use crate::cli::Queues;
use crate::exit::{Exit, Usage};
use crate::output;

pub(super) async fn run(arguments: Queues, context: &Context) -> anyhow::Result<Exit> {
    match arguments {
        Queues::Create {
            name,
            standard,
            output,
        } => create(&name, standard, output.json).await,
        Queues::Check { output } => check(context, output.json).await,
    }
}

#[derive(Serialize)]
struct Created<'a> {
    queue_url: &'a str,
    dead_letter_url: &'a str,
}

async fn create(name: &str, standard: bool, json: bool) -> anyhow::Result<Exit> {
    let kind = if standard { Kind::Standard } else { Kind::Fifo };
    let pair = admin::create_pair(&Sqs::from_env().await, name, kind)
        .await
        .map_err(|error| match error {
            admin::CreateError::Name(error) => anyhow::Error::new(Usage(error.to_string())),
            admin::CreateError::Queue(error) => error.into(),
            error => error.into(),
        })?;
    let created = Created {
        queue_url: &pair.source_url,
        dead_letter_url: &pair.dead_letter_url,
    };
    output::result(json, &created, || section(&pair))?;
    Ok(Exit::Done)
}

/// The section of the configuration that names the pair.
fn section(pair: &Pair) -> String {
    let (url, dead_letter_url) = (&pair.source_url, &pair.dead_letter_url);
    format!("[queue]\nurl = \"{url}\"\ndead_letter_url = \"{dead_letter_url}\"")
}

#[derive(Serialize)]
struct Checked {
    ok: bool,
    problems: Vec<Problem>,
}

async fn check(context: &Context, json: bool) -> anyhow::Result<Exit> {
    let pair = config::queue_pair(&context.configuration()?)?;
    let sqs = Sqs::from_env().await;
    let source = Queue::open(&sqs, &pair.url).await?;
    let dead_letters = Queue::open(&sqs, &pair.dead_letter_url).await?;
    let problems = admin::check_pair(&source, &dead_letters);
    let checked = Checked {
        ok: problems.is_empty(),
        problems,
    };
    output::result(json, &checked, || text(&checked.problems))?;
    if checked.ok {
        Ok(Exit::Done)
    } else {
        Ok(Exit::Failed)
    }
}

fn text(problems: &[Problem]) -> String {
    if problems.is_empty() {
        return "ok: both queues are as they should be".to_owned();
    }
    let mut text = format!(
        "{} wrong:",
        if problems.len() == 1 {
            "1 thing is".to_owned()
        } else {
            format!("{} things are", problems.len())
        }
    );
    for problem in problems {
        let Problem {
            queue,
            attribute,
            found,
            expected,
            why,
        } = problem;
        let _ = write!(
            text,
            "\n  {queue}\n    {attribute} is {found}, should be {expected}: {why}"
        );
    }
    text
}
