//! `ledger create` and `ledger check`.

use std::fmt::Write;

use serde::Serialize;
use store::LedgerSpec;
use store::admin::{self, Problem};

use super::Context;
use crate::cli::Ledger;
use crate::exit::Exit;
use crate::output;

pub(super) async fn run(arguments: Ledger, context: &Context) -> anyhow::Result<Exit> {
    let spec = config::ledger(&context.configuration()?)?;
    match arguments {
        Ledger::Create { output } => create(&spec, output.json).await,
        Ledger::Check { output } => check(&spec, output.json).await,
    }
}

#[derive(Serialize)]
struct Created {
    ledger: String,
    created: bool,
}

async fn create(spec: &LedgerSpec, json: bool) -> anyhow::Result<Exit> {
    let created = Created {
        created: admin::create(spec).await?,
        ledger: spec.to_string(),
    };
    let Created {
        created: is_new,
        ledger,
    } = &created;
    output::result(json, &created, || {
        if *is_new {
            format!("{ledger} is made")
        } else {
            format!("{ledger} was there already")
        }
    })?;
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct Checked {
    ok: bool,
    problems: Vec<Problem>,
}

async fn check(spec: &LedgerSpec, json: bool) -> anyhow::Result<Exit> {
    let problems = admin::check(spec).await?;
    let checked = Checked {
        ok: problems.is_empty(),
        problems,
    };
    output::result(json, &checked, || text(spec, &checked.problems))?;
    if checked.ok {
        Ok(Exit::Done)
    } else {
        Ok(Exit::Failed)
    }
}

fn text(spec: &LedgerSpec, problems: &[Problem]) -> String {
    let mut text = match problems.len() {
        0 => return format!("ok: {spec} is as it should be"),
        1 => "1 thing is wrong:".to_owned(),
        more => format!("{more} things are wrong:"),
    };
    for problem in problems {
        let Problem {
            ledger,
            attribute,
            found,
            expected,
            why,
        } = problem;
        let _ = write!(
            text,
            "\n  {ledger}\n    {attribute} is {found}, should be {expected}: {why}"
        );
    }
    text
}
