//! One file per command: what it uses, what it calls, what it prints.

mod config;
mod console;
mod demo;
mod dlq;
mod ledger;
mod listen;
mod local_sqs;
mod pair;
mod person;
mod queues;
mod send;
mod verify;
mod work;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use queue::{Queue, QueueError, Sqs};

use crate::cli::{Cli, Command, Global};
use crate::exit::Exit;
use ::config::{Environment, Invalid, Source};

/// Runs a command.
pub(crate) async fn run(cli: Cli, environment: Environment) -> anyhow::Result<Exit> {
    let context = Context {
        global: cli.global,
        environment,
    };
    match cli.command {
        Command::Demo(arguments) => demo::run(arguments).await,
        Command::LocalSqs(arguments) => local_sqs::run(arguments).await,
        Command::Queues(arguments) => queues::run(arguments, &context).await,
        Command::Ledger(arguments) => ledger::run(arguments, &context).await,
        Command::Send(arguments) => send::run(arguments, &context).await,
        Command::Work(arguments) => work::run(arguments, &context).await,
        Command::Listen(arguments) => listen::run(arguments, &context).await,
        Command::Verify(arguments) => verify::run(&arguments, &context),
        Command::Dlq(arguments) => dlq::run(arguments, &context).await,
        Command::Console(arguments) => console::run(arguments, &context).await,
        Command::Config(arguments) => config::run(&arguments, &context),
    }
}

/// What every command may use.
pub(crate) struct Context {
    global: Global,
    environment: Environment,
}

impl Context {
    /// Reads the configuration, of which the command then takes its part.
    fn configuration(&self) -> Result<Source, Invalid> {
        Source::load(self.global.config.as_deref(), self.environment.clone())
    }
}

/// Opens the internal queue for somebody who looks at it. What is seen is hidden meanwhile and then given back; that AWS
/// does not allow this shows in no result, so it is said here, once.
async fn open_to_look(sqs: &Sqs, url: &str) -> Result<Queue, QueueError> {
    let said = AtomicBool::new(false);
    let queue = Queue::open(sqs, url).await?;
    Ok(queue.watched(move |denied| {
        let is_hiding = denied.action() == Some("ChangeMessageVisibilityBatch");
        if is_hiding && !said.swap(true, Relaxed) {
            tracing::error!(error = %denied, "what was looked at cannot be given back: it stays hidden until its lease ends");
        }
    }))
}

/// Reads a file or, for `-`, standard input, up to `most` bytes.
fn read_bounded(path: &Path, most: u64) -> anyhow::Result<Vec<u8>> {
    use anyhow::Context as _;
    use std::io::Read;

    let name = if path == Path::new("-") {
        "standard input".to_owned()
    } else {
        path.display().to_string()
    };
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        std::io::stdin()
            .lock()
            .take(most + 1)
            .read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(most + 1).read_to_end(&mut bytes))
    };
    read.with_context(|| format!("cannot read {name}"))?;
    anyhow::ensure!(
        bytes.len() as u64 <= most,
        "{name} is larger than {most} bytes, the most a body may have"
    );
    Ok(bytes)
}
