//! The command line: parse, wire, run.
//!
//! What a command does is the business of the libraries; here are its arguments, its configuration, what it
//! prints and how it ends.

mod cli;
mod commands;
mod demo;
mod exit;
mod logging;
mod output;
mod stop;

pub use cli::Cli;
pub use exit::{Exit, report};

/// Runs a command to its end.
///
/// # Errors
/// What kept it from doing its work; [`report`] tells it and knows the exit code.
pub async fn run(cli: Cli) -> anyhow::Result<Exit> {
    config::descriptors::raise();
    let environment = config::Environment::of_process();
    logging::start(&cli.global, cli.log_level(), &environment)?;
    commands::run(cli, environment).await
}
