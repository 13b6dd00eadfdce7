//! What lies at the path of a ledger before SQLite opens it, and who else may write there: whoever can, can make an
//! event be sent again, or never.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;

use crate::LedgerError;

/// Refuses what is there and is no file: to open a named pipe would wait for its other end for ever.
pub(super) fn refuse_no_file(shown: &str, path: &Path) -> Result<(), LedgerError> {
    match no_file(path) {
        Some(message) => Err(LedgerError::NotALedger {
            ledger: shown.to_owned(),
            message,
        }),
        None => Ok(()),
    }
}

/// What would keep a worker on this machine from opening the ledger, or from making it; none if nothing is known to.
pub(crate) fn obstacle(path: &Path) -> Option<String> {
    no_file(path).or_else(|| {
        let directory = directory(path)?;
        // What cannot be looked at may be there.
        let is_missing = !directory.try_exists().unwrap_or(true);
        is_missing.then(|| no_directory(directory))
    })
}

/// That a ledger's file cannot be made, for want of its directory.
pub(super) fn no_directory(directory: &Path) -> String {
    format!("there is no directory {}", directory.display())
}

/// What lies there and is no file. What cannot be looked at is told by whoever opens it.
fn no_file(path: &Path) -> Option<String> {
    let found = fs::metadata(path).ok()?;
    (!found.is_file()).then(|| format!("it is {}, not a file", kind(&found)))
}

/// Where a file lies; none for `/`.
fn directory(path: &Path) -> Option<&Path> {
    path.parent().map(|found| match found {
        here if here.as_os_str().is_empty() => Path::new("."),
        directory => directory,
    })
}

fn kind(found: &Metadata) -> &'static str {
    let kind = found.file_type();
    match () {
        () if kind.is_dir() => "a directory",
        () if kind.is_fifo() => "a named pipe",
        () if kind.is_socket() => "a socket",
        () => "a device",
    }
}

/// Says who else may write to a ledger, and what to do; none if nobody may. A directory that everybody may write to
/// counts, unless it is sticky: they could replace the file, or be there first. What is no file is refused elsewhere.
pub(crate) fn exposure(path: &Path) -> Option<String> {
    let file = match fs::metadata(path) {
        Ok(found) if !found.is_file() => return None,
        Ok(found) => found.permissions().mode(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(_) => return None,
    };
    let told = |who, what: &Path| {
        let shown = what.display();
        format!(
            "{who} may write to {shown}, and so decide which events are sent again, or never: chmod go-w {shown}"
        )
    };
    let directory = directory(path)?;
    match () {
        () if file & BY_ALL > 0 => Some(told("everybody", path)),
        () if file & BY_GROUP > 0 => Some(told("its group", path)),
        () if mode(directory).ok()? & (BY_ALL | STICKY) == BY_ALL => {
            Some(told("everybody", directory))
        }
        () => None,
    }
}

const BY_GROUP: u32 = 0o020;
const BY_ALL: u32 = 0o002;
const STICKY: u32 = 0o1000;

fn mode(path: &Path) -> io::Result<u32> {
    fs::metadata(path).map(|found| found.permissions().mode())
}
