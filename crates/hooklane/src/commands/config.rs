//! `config check`.

use super::Context;
use crate::cli::Config;
use crate::exit::Exit;
use crate::output;
use config::{Problem, Report};

pub(super) fn run(arguments: &Config, context: &Context) -> anyhow::Result<Exit> {
    let Config::Check { output } = arguments;
    let source = context.configuration();
    let report = config::check(source.as_ref());
    if output.json {
        output::json(&report)?;
    } else {
        output::print(&text(&report))?;
    }
    if report.valid {
        Ok(Exit::Done)
    } else {
        Ok(Exit::Unusable)
    }
}

fn text(report: &Report) -> String {
    let told = |what: &str, problems: &[Problem]| match problems.len() {
        0 => String::new(),
        n => {
            let lines = problems.iter().map(|problem| format!("\n  {problem}"));
            format!(
                "\n{n} {what}{}:{}\n",
                if n == 1 { "" } else { "s" },
                lines.collect::<String>()
            )
        }
    };
    let ending = if report.valid { "\n# valid\n" } else { "" };
    let text = [
        &report.text,
        &told("problem", &report.problems),
        &told("warning", &report.warnings),
        ending,
    ]
    .concat();
    text.trim_start().to_owned()
}
