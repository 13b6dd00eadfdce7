//! Which share of the deduplication clock a send takes: two that use the same milliseconds for one group lose events.
//!
//! The sends of one user on one machine know of each other by files that they keep locked, one each, named after queue,
//! share and process. The system lets go of a lock when its process ends, however it ends. Of sends on other machines
//! nothing is known; so a share that nobody asked for is drawn at random.

use std::fmt::Write as _;
use std::fs::{self, DirBuilder, File, TryLockError};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use event::Share;
use queue::Queue;

/// The most of a queue's URL that goes into the name of a file.
const MAX_NAME: usize = 180;

/// The share of a send, its own until this is dropped.
pub(super) struct Claim {
    share: Share,
    file: Option<(PathBuf, File)>,
}

impl Claim {
    pub(super) fn share(&self) -> Share {
        self.share
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // Removed while it is locked: a file that can be locked was left by a process that died.
        if let Some((path, _file)) = &self.file {
            let _ = fs::remove_file(path);
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub(super) enum ClaimError {
    #[error("{0}")]
    Taken(String),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Takes the share that was asked for, or a free one.
///
/// # Errors
/// When a send that runs has milliseconds of the share, or no share is free.
pub(super) fn claim(queue: &Queue, wanted: Option<Share>) -> Result<Claim, ClaimError> {
    if !queue.attributes().fifo {
        return Ok(unlocked(wanted.unwrap_or_default()));
    }
    let mut trouble = None;
    for directory in directories() {
        match claim_in(&directory, queue.url(), wanted, random()) {
            Err(ClaimError::Io(error)) => trouble = Some((directory, error)),
            other => return other,
        }
    }
    if let Some((directory, error)) = trouble {
        tracing::warn!(directory = %directory.display(), %error,
            "cannot see whether another send to this queue runs on this machine: give each a --lane");
    }
    let drawn = || Share::draw(random(), &[]).unwrap_or_default();
    Ok(unlocked(wanted.unwrap_or_else(drawn)))
}

fn unlocked(share: Share) -> Claim {
    Claim { share, file: None }
}

/// Where the files may lie: the first that can be written to. Not in the runtime directory, which a cron job does not
/// have.
fn directories() -> Vec<PathBuf> {
    let variable = |name| std::env::var_os(name).map(PathBuf::from);
    let state = variable("XDG_STATE_HOME");
    let home = variable("HOME").map(|home| home.join(".local/state"));
    let own = state
        .into_iter()
        .chain(home)
        .filter(|path| path.is_absolute());
    own.chain([std::env::temp_dir()])
        .map(|path| path.join("hooklane/sends"))
        .collect()
}

fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

fn claim_in(
    directory: &Path,
    queue_url: &str,
    wanted: Option<Share>,
    first: u64,
) -> Result<Claim, ClaimError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)?;
    let open = |path: &Path| {
        let mut options = File::options();
        options.write(true).create(true).truncate(false).open(path)
    };
    // One at a time looks and takes; whoever holds this is done in a moment.
    let gate = open(&directory.join("gate"))?;
    gate.lock()?;
    let queue = file_name(queue_url);
    let running = running(directory, &queue)?;
    let taken: Vec<Share> = running.iter().map(|other| other.share).collect();
    let share = match wanted {
        None => Share::draw(first, &taken).ok_or_else(|| none_free(&running))?,
        Some(share) => match running.iter().find(|other| other.share.meets(share)) {
            None => share,
            Some(other) => return Err(meets(share, other)),
        },
    };
    let name = Running {
        share,
        process: std::process::id(),
    }
    .name(&queue);
    let path = directory.join(name);
    let file = open(&path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::Error(error)) => return Err(error.into()),
        Err(TryLockError::WouldBlock) => {
            return Err(io::Error::from(io::ErrorKind::ResourceBusy).into());
        }
    }
    Ok(Claim {
        share,
        file: Some((path, file)),
    })
}

/// Another send to the queue.
#[derive(Debug, PartialEq, Eq)]
struct Running {
    share: Share,
    process: u32,
}

impl Running {
    fn name(&self, queue: &str) -> String {
        let share = self.share.to_string().replace('/', "-of-");
        format!("{queue}.{share}.{}", self.process)
    }

    /// The queue and the send of a file, if it is one of ours.
    fn parse(name: &str) -> Option<(&str, Self)> {
        let (rest, process) = name.rsplit_once('.')?;
        let (queue, share) = rest.rsplit_once('.')?;
        let share = share.replace("-of-", "/").parse().ok()?;
        let process = process.parse().ok()?;
        Some((queue, Self { share, process }))
    }
}

/// The sends to this queue that run. Removes what those left that died, whatever their queue.
fn running(directory: &Path, queue: &str) -> io::Result<Vec<Running>> {
    let mut running = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some((of, send)) = name.to_str().and_then(Running::parse) else {
            continue;
        };
        let file = match File::options().write(true).open(entry.path()) {
            // It ended just now.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            other => other?,
        };
        match file.try_lock() {
            Ok(()) => fs::remove_file(entry.path())?,
            Err(TryLockError::WouldBlock) if of == queue => running.push(send),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(running)
}

/// The URL of a queue, as far as a file may be called so: its end tells queues apart.
fn file_name(queue_url: &str) -> String {
    let end = queue_url.len().saturating_sub(MAX_NAME);
    let end = queue_url
        .char_indices()
        .map(|(at, _)| at)
        .find(|at| *at >= end);
    let safe = |c: char| {
        if c.is_ascii_alphanumeric() || c == '-' {
            c
        } else {
            '_'
        }
    };
    queue_url[end.unwrap_or(0)..].chars().map(safe).collect()
}

fn meets(share: Share, other: &Running) -> ClaimError {
    let Running {
        share: theirs,
        process,
    } = other;
    ClaimError::Taken(format!(
        "--lane {share} has milliseconds of lane {theirs}, in which another send to this queue is running (process {process}): \
         of two events in the same millisecond one would be lost. Wait for its end, or give all sends lanes of one n, \
         such as --lane 0/2 and --lane 1/2"
    ))
}

fn none_free(running: &[Running]) -> ClaimError {
    let mut others = String::new();
    for (n, other) in running.iter().enumerate() {
        let comma = if n == 0 { "" } else { ", " };
        let _ = write!(others, "{comma}{} (process {})", other.share, other.process);
    }
    ClaimError::Taken(format!(
        "no lane is free: other sends to this queue are running, in the lanes {others}. \
         Wait for the end of one, or give all sends lanes of one n with --lane"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUEUE: &str = "https://sqs.eu-west-1.amazonaws.com/123456789012/events.fifo";

    fn taken(directory: &Path, queue: &str, wanted: Option<&str>) -> Result<Claim, String> {
        let wanted = wanted.map(|share| share.parse().expect("a lane"));
        claim_in(directory, queue, wanted, 5).map_err(|error| error.to_string())
    }

    fn files(directory: &Path) -> usize {
        fs::read_dir(directory).expect("a directory").count()
    }

    #[test]
    fn sends_without_a_lane_get_one_each_until_none_is_left() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut claims = Vec::new();
        for n in 0..16 {
            let claim = taken(directory.path(), QUEUE, None).expect("a lane");
            assert_eq!(claim.share().to_string(), format!("{}/16", (5 + n) % 16));
            claims.push(claim);
        }
        let told = taken(directory.path(), QUEUE, None)
            .err()
            .expect("none is free");
        assert!(told.contains("no lane is free"), "{told}");
        assert!(
            told.contains(&format!("(process {})", std::process::id())),
            "{told}"
        );
        let other_queue = QUEUE.replace("events", "others");
        assert!(taken(directory.path(), &other_queue, None).is_ok());
        let freed = claims.remove(7).share();
        let next = taken(directory.path(), QUEUE, None).expect("the one that was freed");
        assert_eq!(next.share(), freed);
        drop((next, claims));
        assert_eq!(files(directory.path()), 1, "the gate");
    }

    #[test]
    fn a_lane_that_meets_another_is_refused_and_one_beside_it_is_not() {
        let directory = tempfile::tempdir().expect("a directory");
        let _even = taken(directory.path(), QUEUE, Some("0/2")).expect("free");
        for wanted in ["0/2", "0/1", "2/4", "1/3"] {
            let told = taken(directory.path(), QUEUE, Some(wanted))
                .err()
                .expect(wanted);
            assert!(
                told.starts_with(&format!("--lane {wanted} has milliseconds of lane 0/2")),
                "{told}"
            );
        }
        let _odd = taken(directory.path(), QUEUE, Some("1/4")).expect("free");
        let drawn = taken(directory.path(), QUEUE, None).expect("free");
        assert_eq!(
            drawn.share().to_string(),
            "7/16",
            "the first odd one that is not 1/4"
        );
    }

    #[test]
    fn what_a_dead_send_left_is_free_again_and_tidied_away() {
        let directory = tempfile::tempdir().expect("a directory");
        for queue in [QUEUE, "another"] {
            let left = Running {
                share: Share::ALL,
                process: 1,
            };
            let path = directory.path().join(left.name(&file_name(queue)));
            fs::write(path, "").expect("written");
        }
        fs::write(directory.path().join("someone.elses.file"), "").expect("written");
        let claim = taken(directory.path(), QUEUE, None).expect("free");
        assert_eq!(files(directory.path()), 3, "the gate, ours, a stranger's");
        drop(claim);
    }

    #[test]
    fn a_directory_that_cannot_be_written_is_no_refusal() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("file");
        fs::write(&file, "").expect("written");
        let claim = claim_in(&file.join("sends"), QUEUE, None, 0);
        assert!(matches!(claim, Err(ClaimError::Io(_))));
    }

    #[test]
    fn the_longest_queue_still_makes_a_file_name() {
        let queue = format!("https://{}é/events.fifo", "x".repeat(300));
        let name = file_name(&queue);
        assert!(
            name.len() <= MAX_NAME && name.ends_with("__events_fifo"),
            "{name}"
        );
        let send = Running {
            share: Share::ALL,
            process: u32::MAX,
        };
        assert_eq!(
            Running::parse(&send.name(&name)),
            Some((name.as_str(), send))
        );
    }
}
