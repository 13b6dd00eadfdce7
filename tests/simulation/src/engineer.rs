//! Engineers who run commands on the internal queue, each over a network of their own. They are killed as workers
//! are, and told to stop as a person does it.

use std::fs;
use std::future::pending;
use std::path::PathBuf;
use std::time::Duration;

use letters::{Audit, Filter, LetterFile, Outcome, Selection, TAKE_LEASE, Target};
use queue::admin::Pair;
use queue::{Clock, Queue};
use tempfile::TempDir;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::history::START;
use crate::log::{Caller, Event, Log};
use crate::network::{Network, event_of};
use crate::wires::Wires;

/// What one engineer does.
#[derive(Debug, Clone)]
pub(crate) struct Engineer {
    /// From the beginning of the history.
    pub(crate) begins: Duration,
    pub(crate) command: Command,
    pub(crate) cut_off: Option<CutOff>,
}

/// A command, and what it is about.
#[derive(Debug, Clone)]
pub(crate) enum Command {
    Replay(Filter),
    Drop(Filter),
}

/// What ends a command at the n-th time it waits for the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CutOff {
    Killed(u32),
    ToldToStop(u32),
}

/// How a command came to its end.
#[derive(Debug, Clone)]
pub(crate) enum Ended {
    Told(Outcome),
    /// Before anything was taken in hand.
    Failed(String),
    Killed,
}

/// Where engineers work, and where they keep what they drop.
pub(crate) struct Desk {
    pub(crate) pair: Pair,
    pub(crate) network: Network,
    pub(crate) log: Log,
    files: TempDir,
}

impl Desk {
    pub(crate) fn new(pair: Pair, network: Network) -> Self {
        Self {
            pair,
            log: network.log.clone(),
            network,
            files: tempfile::tempdir().expect("a folder"),
        }
    }

    /// Does what is planned. Who is killed is followed by another one, who does the same as soon as the letters are
    /// there again.
    pub(crate) async fn work(&self, engineer: &Engineer) {
        sleep(engineer.begins).await;
        let ended = self.run(&engineer.command, engineer.cut_off).await;
        if matches!(ended, Ended::Killed) {
            sleep(TAKE_LEASE).await;
            self.run(&engineer.command, None).await;
        }
    }

    /// Runs a command, until it ends or is killed.
    pub(crate) async fn run(&self, command: &Command, cut_off: Option<CutOff>) -> Ended {
        let run = self.log.begun(command);
        let wires = match cut_off {
            Some(CutOff::Killed(crossing)) => Wires::new(Some(crossing), None),
            Some(CutOff::ToldToStop(crossing)) => Wires::new(None, Some(crossing)),
            None => Wires::new(None, None),
        };
        let network = Network {
            caller: Caller::Engineer(run),
            wires: wires.clone(),
            dice: self.network.dice.fork(),
            ..self.network.clone()
        };
        let queues = network
            .queues(&self.pair, Clock::virtual_from(START.plus(self.log.now())))
            .await;
        wires.arm();
        let stop = CancellationToken::new();
        let mut task = tokio::spawn(carry_out(
            command.clone(),
            queues,
            self.file(run),
            stop.clone(),
        ));
        let told_to_stop = async {
            wires.until_held().await;
            self.log.cut_off(run);
            stop.cancel();
            wires.release();
            pending::<()>().await;
        };
        let ended = tokio::select! {
            biased;
            () = wires.until_cut() => {
                self.log.cut_off(run);
                task.abort();
                Ended::Killed
            }
            () = told_to_stop => unreachable!("it waits for ever"),
            ended = &mut task => ended.expect("a command does not panic"),
        };
        self.log.ended(run, &ended);
        ended
    }

    fn file(&self, run: usize) -> PathBuf {
        self.files.path().join(format!("{run}.jsonl"))
    }

    /// Which events lie in the files of drops.
    pub(crate) fn dropped(&self) -> Vec<Event> {
        let files = fs::read_dir(&self.files).expect("a folder");
        let mut dropped = Vec::new();
        for file in files {
            let text = fs::read_to_string(file.expect("a file").path()).expect("lines");
            dropped.extend(text.lines().map(|line| {
                let line: serde_json::Value = serde_json::from_str(line).expect("a whole line");
                let event = line["body"].as_str().and_then(event_of);
                event.expect("an event")
            }));
        }
        dropped.sort();
        dropped
    }
}

async fn carry_out(
    command: Command,
    (source, dead_letters): (Queue, Queue),
    file: PathBuf,
    stop: CancellationToken,
) -> Ended {
    let (Command::Replay(filter) | Command::Drop(filter)) = &command;
    let selection = Selection {
        filter: filter.clone(),
        ..Selection::default()
    };
    let taken = match letters::take(&dead_letters, selection, &stop, |_| {}).await {
        Ok(taken) => taken,
        Err(error) => return Ended::Failed(error.to_string()),
    };
    let audit = Audit {
        who: "an engineer".to_owned(),
        why: None,
    };
    Ended::Told(match command {
        Command::Replay(_) => {
            let target = Target::source(source);
            letters::replay(taken, &target, None, &audit, &stop, |_| {}).await
        }
        Command::Drop(_) => {
            let file = LetterFile::create(&file).expect("a new file");
            letters::drop_letters(taken, file, &audit, &stop, |_| {}).await
        }
    })
}
