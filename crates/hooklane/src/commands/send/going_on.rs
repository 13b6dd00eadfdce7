//! The checkpoint of a send of a file: where it lies, and whether the send goes on from the one that is there.

use std::path::{Path, PathBuf};

use producer::{Bound, Checkpoint, CheckpointError, Difference, Saved, SendReport};
use tokio::io::AsyncBufRead;

use crate::exit::Usage;
use crate::output;

/// What a checkpoint is called that was given no place: after its file, beside it.
const SUFFIX: &str = ".hooklane-checkpoint";

/// What was asked for.
#[derive(Debug, Clone, Default)]
pub(super) struct Wish {
    /// Where the checkpoint is to lie.
    pub(super) place: Option<PathBuf>,
    /// Whether to go on from one.
    pub(super) resume: bool,
    /// The line to begin with, if it was given.
    pub(super) from: Option<u64>,
    /// The name of the input, if one was given.
    pub(super) input_name: Option<String>,
}

impl Wish {
    /// Whether it needs an input that can be read again.
    pub(super) fn needs_a_file(&self) -> bool {
        self.place.is_some() || self.resume
    }

    fn path(&self, file: &Path) -> PathBuf {
        self.place.clone().unwrap_or_else(|| {
            let mut name = file.as_os_str().to_owned();
            name.push(SUFFIX);
            name.into()
        })
    }
}

/// What to do about the checkpoint that is there.
#[derive(Debug)]
enum Start {
    /// Begin one, and say this first.
    Afresh(Option<String>),
    /// Go on from it.
    From(Saved),
}

/// The checkpoint of a send of this file; none if none can be kept and none was asked for.
///
/// # Errors
/// When the checkpoint that is there cannot be used, or it has to be said what to do about it.
pub(super) async fn prepare<R: AsyncBufRead + Unpin>(
    wish: &Wish,
    file: &Path,
    reread: impl AsyncFnOnce() -> std::io::Result<R>,
    bound: &Bound,
) -> anyhow::Result<Option<Checkpoint>> {
    let path = wish.path(file);
    let saved = Saved::open(&path).map_err(|error| unusable(&path, &error))?;
    let saved = match decide(wish, file, &path, saved, bound)? {
        Start::From(saved) => saved,
        Start::Afresh(said) => {
            if let Some(said) = said {
                output::complain(&said);
            }
            return begin(wish, &path, bound);
        }
    };
    if !saved.fits(reread().await?).await? {
        return Err(refused(file, &path, Difference::File).into());
    }
    let line = saved.from_line();
    output::complain(&format!(
        "going on from line {line} of {}, as {} says",
        file.display(),
        path.display()
    ));
    let checkpoint = saved.go_on().map_err(|error| unusable(&path, &error))?;
    Ok(Some(checkpoint))
}

fn decide(
    wish: &Wish,
    file: &Path,
    path: &Path,
    saved: Option<Saved>,
    bound: &Bound,
) -> Result<Start, Usage> {
    let Some(saved) = saved else {
        if wish.resume {
            return Err(Usage(format!(
                "there is no checkpoint {}: no send of {} is left to go on from; without --resume it is sent from its start",
                path.display(),
                file.display()
            )));
        }
        return Ok(Start::Afresh(None));
    };
    if wish.from.is_some() {
        return Ok(Start::Afresh(None));
    }
    let is_asked = wish.resume || wish.place.is_some();
    match (differs(wish, saved.bound(), bound), is_asked) {
        (None, true) => Ok(Start::From(saved)),
        (Some(difference), true) => Err(refused(file, path, difference)),
        (Some(Difference::File), false) => Ok(Start::Afresh(Some(format!(
            "{0} was changed since an earlier send stopped at its line {1}: it is sent from its start",
            file.display(),
            saved.from_line()
        )))),
        (difference, false) => Err(undecided(file, saved.from_line(), difference)),
    }
}

fn differs(wish: &Wish, saved: &Bound, now: &Bound) -> Option<Difference> {
    let given = wish.input_name.as_ref();
    saved.differs(now).or_else(|| match given {
        Some(name) if *name != saved.input => Some(Difference::InputName),
        _ => None,
    })
}

/// Nobody can know whether the events are to be sent again.
fn undecided(file: &Path, line: u64, difference: Option<Difference>) -> Usage {
    let file = file.display();
    Usage(match difference {
        None => format!(
            "an earlier send of {file} stopped at line {line}: --resume goes on from there and sends nothing twice; \
             --from 1 sends all of it again, under the same ids"
        ),
        Some(difference) => format!(
            "an earlier send of {file} stopped at line {line}, but {difference}: go on with that one first, or keep \
             another checkpoint for this one with --checkpoint PATH"
        ),
    })
}

fn refused(file: &Path, path: &Path, difference: Difference) -> Usage {
    Usage(format!(
        "cannot go on from {}: {difference}; to send {} anyway, say from which line with --from",
        path.display(),
        file.display()
    ))
}

fn begin(wish: &Wish, path: &Path, bound: &Bound) -> anyhow::Result<Option<Checkpoint>> {
    match Checkpoint::begin(path, bound, wish.from.unwrap_or(1)) {
        Ok(checkpoint) => Ok(Some(checkpoint)),
        Err(error) if wish.place.is_some() => Err(unusable(path, &error)),
        Err(error) => {
            output::complain(&format!(
                "no checkpoint can be kept in {} ({error}): if this send is killed, nobody knows how far it came; \
                 --checkpoint PATH names another place",
                path.display()
            ));
            Ok(None)
        }
    }
}

fn unusable(path: &Path, error: &CheckpointError) -> anyhow::Error {
    let path = path.display();
    match error {
        CheckpointError::Busy => anyhow::anyhow!("the checkpoint {path} is in use: {error}"),
        CheckpointError::Unknown => anyhow::anyhow!(
            "cannot use {path} as a checkpoint: {error}; move it away, or name another place with --checkpoint PATH"
        ),
        CheckpointError::NoFile => anyhow::anyhow!(
            "cannot use {path} as a checkpoint: {error}; name another place with --checkpoint PATH"
        ),
        CheckpointError::Io(error) => anyhow::anyhow!("cannot use {path} as a checkpoint: {error}"),
    }
}

/// Removes the checkpoint of a send that is over, or that came to nothing; gives the path of one that is left.
pub(super) fn end(checkpoint: Option<Checkpoint>, report: Option<&SendReport>) -> Option<PathBuf> {
    let checkpoint = checkpoint?;
    let is_over = report.is_some_and(|report| report.unsent_from.is_none());
    let began = report.is_some_and(|report| report.sent > 0 || !report.in_doubt.is_empty());
    let path = checkpoint.path().to_owned();
    if !is_over && (began || checkpoint.is_resumed()) {
        return Some(path);
    }
    if let Err(error) = checkpoint.remove() {
        output::complain(&format!(
            "the checkpoint {} cannot be removed: {error}",
            path.display()
        ));
    }
    None
}
