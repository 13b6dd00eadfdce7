//! `config check`.

use super::Context;
use crate::cli::Config;
use crate::config::{self, Report};
use crate::exit::Exit;
use crate::output;

pub(super) fn run(arguments: &Config, context: &Context) -> anyhow::Result<Exit> {
    let Config::Check { output } = arguments;
    let source = context.configuration();
    let report = config::check(source.as_ref());
    match output.json {
        true => output::json(&report)?,
        false => output::print(&text(&report))?,
    }
    match report.valid {
        true => Ok(Exit::Done),
        false => Ok(Exit::Unusable),
    }
}

fn text(report: &Report) -> String {
    let problems = report
        .problems
        .iter()
        .map(|problem| format!("  {problem}\n"));
    match report.problems.len() {
        0 => format!("{}\n# valid\n", report.text.trim_start()),
        1 => format!(
            "{}\n1 problem:\n{}",
            report.text,
            problems.collect::<String>()
        )
        .trim_start()
        .to_owned(),
        n => format!(
            "{}\n{n} problems:\n{}",
            report.text,
            problems.collect::<String>()
        )
        .trim_start()
        .to_owned(),
    }
}
