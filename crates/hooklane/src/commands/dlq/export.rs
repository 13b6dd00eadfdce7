//! `dlq export`: dead letters into a file, which `dlq import` reads.

use std::io::ErrorKind;
use std::ops::ControlFlow;
use std::path::Path;

use anyhow::{Context as _, anyhow};
use letters::{End, Filter, Letter, LetterFile};
use queue::Queue;
use serde::Serialize;
use serde_json::value::RawValue;

use super::{conclude, hand, open, scan};
use crate::commands::Context;
use crate::exit::{Exit, Usage};
use crate::output;

pub(super) async fn run(
    path: &Path,
    filter: Filter,
    json: bool,
    context: &Context,
) -> anyhow::Result<Exit> {
    let to_stdout = path == Path::new("-");
    if to_stdout && json {
        let why = "--json prints a result where the dead letters go: give a file, or leave it out";
        return Err(Usage(why.to_owned()).into());
    }
    let queue = open(context).await?;
    let mut place = if to_stdout {
        Place::Stdout
    } else {
        Place::File(create(path)?)
    };
    let (mut exported, mut trouble) = (0, None);
    let report = scan(&queue, |letter| {
        if !filter.matches(&letter) {
            return ControlFlow::Continue(());
        }
        match place.write(&letter, &queue) {
            Ok(()) => exported += 1,
            Err(error) => trouble = Some(error),
        }
        match trouble {
            None => ControlFlow::Continue(()),
            Some(_) => ControlFlow::Break(End::Stopped),
        }
    });
    let report = report.await?;
    if let Some(error) = trouble {
        let what = format!("it holds the first {}", hand::letters(exported));
        return Err(if to_stdout {
            error
        } else {
            anyhow!("{} cannot be written: {error:#}; {what}", path.display())
        });
    }
    if let Place::File(file) = &mut place {
        let told = || format!("cannot make sure of {}", path.display());
        file.sync().with_context(told)?;
        let file = path.display().to_string();
        let complete = report.is_complete();
        let done = Exported {
            exported,
            file: &file,
            complete,
        };
        output::result(json, &done, || {
            format!("{} exported to {file}", hand::letters(exported))
        })?;
    }
    let exit = conclude(&report);
    if report.is_complete() {
        Ok(exit)
    } else {
        Ok(Exit::Failed)
    }
}

#[derive(Serialize)]
struct Exported<'a> {
    exported: usize,
    file: &'a str,
    complete: bool,
}

fn create(path: &Path) -> Result<LetterFile, Usage> {
    LetterFile::create(path).map_err(|error| {
        let path = path.display();
        Usage(match error.kind() {
            ErrorKind::AlreadyExists => {
                format!("{path} exists already and is not overwritten: name another file")
            }
            _ => format!("{path} cannot be made: {error}"),
        })
    })
}

enum Place {
    Stdout,
    File(LetterFile),
}

impl Place {
    fn write(&mut self, letter: &Letter, queue: &Queue) -> anyhow::Result<()> {
        match self {
            Self::Stdout => {
                let line = letters::fresh_line(letter, queue.url());
                output::json(&RawValue::from_string(line)?)
            }
            Self::File(file) => Ok(file.write(letter, queue.url())?),
        }
    }
}
