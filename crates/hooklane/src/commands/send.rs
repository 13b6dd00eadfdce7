//! `send`: events from a file or standard input into the queue.

mod going_on;
mod progress;
mod report;
mod shares;

use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use anyhow::Context as _;
use producer::{Bound, Checkpoint, InputName, SendError, SendOptions, SendReport};
use queue::{Clock, Queue, Sqs};
use tokio::fs::File;
use tokio::io::BufReader;

use super::Context;
use crate::cli::Send;
use crate::exit::{Exit, Usage};
use crate::{output, stop};
use going_on::Wish;
use progress::Meter;
use report::{Again, Sent, complaints, summary};

/// Read at once: a file is read by a thread of its own, which has to be worth asking.
const BUFFER_BYTES: usize = 256 * 1024;

pub(super) async fn run(arguments: Send, context: &Context) -> anyhow::Result<Exit> {
    let url = config::queue_url(&context.configuration()?)?;
    let event_setup = arguments.event_setup.map(id_alone).transpose()?;
    let wish = Wish {
        place: arguments.checkpoint,
        resume: arguments.resume,
        from: arguments.from,
        input_name: arguments.input_name,
    };
    let input = Input::open(&arguments.file, arguments.strict, wish.needs_a_file()).await?;
    let queue = Queue::open(&Sqs::from_env().await, &url).await?;
    let claim = shares::claim(&queue, arguments.lane)?;
    let name = wish.input_name.clone().or_else(|| input.name());
    let mut options = SendOptions {
        event_setup,
        event_name: arguments.event,
        share: claim.share(),
        from_line: arguments.from.unwrap_or(1),
        input: name.as_deref().map(InputName::new),
    };
    let mut checkpoint = checkpoint(&wish, &input, &options, &queue, name).await?;
    if let Some(checkpoint) = &checkpoint {
        options.input = Some(InputName::new(checkpoint.input()));
    }
    let again = options.input.map_or(Again::NewIds, |_| Again::SameIds);
    let sent = send(&queue, input, &options, checkpoint.as_mut()).await;
    let left = going_on::end(checkpoint, sent.as_ref().ok());
    let report = sent?;
    let again = left.as_ref().map_or(again, |_| Again::FromCheckpoint);
    let name = if arguments.file == Path::new("-") {
        "standard input".to_owned()
    } else {
        arguments.file.display().to_string()
    };
    for line in complaints(&report, &name, again) {
        output::complain(&line);
    }
    let document = Sent::of(&report, left.as_deref());
    output::result(arguments.output.json, &document, || summary(&report))?;
    if report.is_complete() {
        Ok(Exit::Done)
    } else {
        Ok(Exit::Failed)
    }
}

/// Who gives the whole group, as it stands in an event, means the setup and not `EventSetup_EventSetup_7`.
fn id_alone(setup: String) -> Result<String, Usage> {
    match event::setup_of_group(&setup) {
        Some(id) => Err(Usage(format!(
            "--event-setup: {setup:?} is a message group: give the id alone, {id}"
        ))),
        None => Ok(setup),
    }
}

/// What is read.
enum Input {
    Standard,
    /// A pipe with a name, say: it has no size and cannot be read again.
    Stream {
        file: File,
        strict: bool,
    },
    File {
        file: File,
        path: PathBuf,
        bytes: u64,
        modified_ns: u64,
        strict: bool,
    },
}

impl Input {
    async fn open(path: &Path, strict: bool, twice: bool) -> anyhow::Result<Self> {
        if path == Path::new("-") {
            let needs = match (strict, twice) {
                (true, _) => "--strict reads its input twice",
                (_, true) => "a checkpoint is of no use for what cannot be read again",
                _ => return Ok(Self::Standard),
            };
            return Err(Usage(format!("{needs}: give it a file")).into());
        }
        let unreadable = || format!("cannot read {}", path.display());
        let file = File::open(path).await.with_context(unreadable)?;
        let metadata = file.metadata().await.with_context(unreadable)?;
        anyhow::ensure!(
            !metadata.is_dir(),
            "cannot read {}: it is a directory",
            path.display()
        );
        if !metadata.is_file() {
            return if twice {
                Err(Usage(format!(
                    "a checkpoint is of no use for what cannot be read again: {} is no regular file",
                    path.display()
                ))
                .into())
            } else {
                Ok(Self::Stream { file, strict })
            };
        }
        let modified = metadata.modified().with_context(unreadable)?;
        let modified = modified.duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Self::File {
            file,
            path: path.to_owned(),
            bytes: metadata.len(),
            modified_ns: u64::try_from(modified.as_nanos()).unwrap_or(u64::MAX),
            strict,
        })
    }

    /// What a file is known by: where it lies and when it was written. So a file sent again has the same ids, and
    /// another file, or the same one with the next day's events, has none of them.
    fn name(&self) -> Option<String> {
        let Self::File {
            path, modified_ns, ..
        } = self
        else {
            return None;
        };
        let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.clone());
        Some(format!("{}\n{modified_ns}", path.display()))
    }
}

async fn checkpoint(
    wish: &Wish,
    input: &Input,
    options: &SendOptions,
    queue: &Queue,
    name: Option<String>,
) -> anyhow::Result<Option<Checkpoint>> {
    let (
        Input::File {
            path,
            bytes,
            modified_ns,
            ..
        },
        Some(name),
    ) = (input, name)
    else {
        return Ok(None);
    };
    let bound = Bound {
        queue: queue.url().to_owned(),
        event_setup: options.event_setup.clone(),
        event: options.event_name.clone(),
        input: name,
        size: *bytes,
        modified_ns: *modified_ns,
    };
    let reread = async || {
        let file = File::open(path).await?;
        Ok(BufReader::with_capacity(BUFFER_BYTES, file))
    };
    going_on::prepare(wish, path, reread, &bound).await
}

async fn send(
    queue: &Queue,
    input: Input,
    options: &SendOptions,
    checkpoint: Option<&mut Checkpoint>,
) -> anyhow::Result<SendReport> {
    let (clock, stop) = (Clock::system(), stop::on_signals()?);
    let meter = Meter::start(match &input {
        Input::File { bytes, .. } => Some(*bytes),
        Input::Standard | Input::Stream { .. } => None,
    });
    let show = |progress: producer::Progress<'_>| meter.show(&progress);
    let report = match input {
        Input::Standard => {
            let input = BufReader::with_capacity(BUFFER_BYTES, tokio::io::stdin());
            producer::send(queue, input, options, clock, show, stop).await
        }
        Input::Stream { file, strict } | Input::File { file, strict, .. } => {
            let input = BufReader::with_capacity(BUFFER_BYTES, file);
            if strict {
                producer::send_strict_checkpointed(
                    queue, input, options, checkpoint, clock, show, stop,
                )
                .await
            } else {
                producer::send_checkpointed(queue, input, options, checkpoint, clock, show, stop)
                    .await
            }
        }
    };
    report.map_err(|error| match error {
        SendError::EventSetup(error) => Usage(format!("--event-setup: {error}")).into(),
        SendError::EventName => Usage(format!("--event: {error}")).into(),
        SendError::Rewind(_) => error.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_setup_given_as_its_group_is_told_its_id() {
        assert_eq!(id_alone("7".to_owned()).expect("an id"), "7");
        let said = id_alone("EventSetup_7".to_owned())
            .expect_err("a group")
            .to_string();
        assert!(said.ends_with("give the id alone, 7"), "{said}");
    }
}
