//! The checkpoint of a send: a small file from which the same send can go on after it was killed.
//!
//! Before a line goes to the queue, it is noted with its deduplication id, and again when the queue has answered. So
//! whenever the process dies, the lines of which nobody knows are the newest of their groups at most, and they go again
//! with the ids that they had: within five minutes SQS takes none of them twice.

mod state;

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use tokio::io::AsyncBufRead;

pub use state::{Bound, Difference};
pub(crate) use state::{Change, State};

use crate::reader::Lines;

/// Changes are gathered to so many bytes before the file is written anew; it holds the look-ahead besides.
const MAX_CHANGES: usize = 256 * 1024;

/// No checkpoint of ours is larger: 10,000 lines of look-ahead, and the changes.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// Why a checkpoint cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// Another send writes it.
    #[error("it is kept by another send of this file that is running")]
    Busy,
    /// Some other file, or a damaged one.
    #[error("it is no checkpoint of a send, or damaged")]
    Unknown,
    /// A directory, a pipe, a device.
    #[error("it is no file")]
    NoFile,
    /// It cannot be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A checkpoint that an earlier send left. Nobody else can use it while this exists.
#[derive(Debug)]
pub struct Saved {
    path: PathBuf,
    lock: File,
    bound: Bound,
    state: State,
}

impl Saved {
    /// Reads the checkpoint at `path`, if there is one. An empty file counts as none.
    ///
    /// # Errors
    /// When it cannot be read, is no checkpoint, or is kept by a send that is running.
    pub fn open(path: &Path) -> Result<Option<Self>, CheckpointError> {
        // Looked at first: to open a pipe waits for somebody who writes to it.
        match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Ok(found) if !found.is_file() => return Err(CheckpointError::NoFile),
            other => other?,
        };
        let mut file = File::open(path)?;
        lock(&file)?;
        if !is_at(&file, path)? {
            return Err(CheckpointError::Busy);
        }
        let mut text = String::new();
        let read = (&mut file).take(MAX_BYTES).read_to_string(&mut text);
        match read {
            Ok(0) => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(CheckpointError::Unknown);
            }
            other => other?,
        };
        let (bound, state) = state::parse(&text).ok_or(CheckpointError::Unknown)?;
        Ok(Some(Self {
            path: path.to_owned(),
            lock: file,
            bound,
            state,
        }))
    }

    /// What it belongs to.
    pub fn bound(&self) -> &Bound {
        &self.bound
    }

    /// All lines before this one are settled.
    pub fn from_line(&self) -> u64 {
        self.state.from
    }

    /// Whether the file, read from its start, is what it was as far as it had been read.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn fits(&self, file: impl AsyncBufRead + Unpin) -> io::Result<bool> {
        let mut lines = Lines::new(file);
        while lines.place().line < self.state.read.line {
            if lines.next().await?.is_none() {
                return Ok(false);
            }
        }
        Ok(lines.place() == self.state.read || self.state.read.line == 0)
    }

    /// Goes on from it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn go_on(self) -> Result<Checkpoint, CheckpointError> {
        let checkpoint = Checkpoint::write(&self.path, &self.bound, self.state, true);
        drop(self.lock);
        checkpoint
    }
}

/// The checkpoint of a send that is running.
#[derive(Debug)]
pub struct Checkpoint {
    path: PathBuf,
    file: File,
    bound: Bound,
    state: State,
    /// Bytes of changes in the file.
    changes: usize,
    resumed: bool,
}

impl Checkpoint {
    /// Begins one for a send from this line on; what was at `path` is replaced.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn begin(path: &Path, bound: &Bound, from_line: u64) -> Result<Self, CheckpointError> {
        let state = State {
            from: from_line.max(1),
            ..State::default()
        };
        Self::write(path, bound, state, false)
    }

    fn write(
        path: &Path,
        bound: &Bound,
        state: State,
        resumed: bool,
    ) -> Result<Self, CheckpointError> {
        Ok(Self {
            path: path.to_owned(),
            file: replace(path, bound, &state)?,
            bound: bound.clone(),
            state,
            changes: 0,
            resumed,
        })
    }

    /// Whether it goes on from an earlier send.
    pub fn is_resumed(&self) -> bool {
        self.resumed
    }

    /// The name of its input, by which ids are derived.
    pub fn input(&self) -> &str {
        &self.bound.input
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// Notes a change. It is in the file when this returns, and outlives the process, though perhaps not the machine.
    pub(crate) fn note(&mut self, change: Change) -> Result<(), CheckpointError> {
        let line = state::line(&change);
        self.state.apply(change);
        if self.changes + line.len() > MAX_CHANGES {
            self.file = replace(&self.path, &self.bound, &self.state)?;
            self.changes = 0;
            return Ok(());
        }
        self.file.write_all(line.as_bytes())?;
        self.changes += line.len();
        Ok(())
    }

    /// Removes it: there is nothing to go on from.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove(self) -> io::Result<()> {
        fs::remove_file(&self.path)
    }
}

/// Writes a checkpoint beside the place and moves it there, so that there is a whole one at any time.
fn replace(path: &Path, bound: &Bound, state: &State) -> Result<File, CheckpointError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let mut file = File::create_new(&new)?;
    lock(&file)?;
    let text = state::header(bound) + &state::line(&state.as_change());
    file.write_all(text.as_bytes())?;
    // What the name points to must not be empty after a crash of the machine.
    file.sync_all()?;
    fs::rename(&new, path)?;
    Ok(file)
}

/// Takes the file for this process. Where files cannot be locked, nothing is: some network file systems.
fn lock(file: &File) -> Result<(), CheckpointError> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(CheckpointError::Busy),
        Ok(()) | Err(TryLockError::Error(_)) => Ok(()),
    }
}

/// Whether it is still this file that the path names: another send may have replaced it before it was locked.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let (held, named) = (file.metadata()?, fs::metadata(path)?);
    Ok((held.dev(), held.ino()) == (named.dev(), named.ino()))
}

#[cfg(test)]
mod tests;
