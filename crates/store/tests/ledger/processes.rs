//! Two processes on one SQLite file: this program runs itself as the other.

use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use store::{Ledger, LedgerSpec, WriteError};

use crate::{RETENTION, key, write};

/// Tells a run of this program that it is one of the processes, and which file is meant.
const FILE: &str = "HOOKLANE_TEST_LEDGER";

const MESSAGES: u32 = 20;
const WRITES_EACH: u32 = 5;

/// Each process writes every record so often, each time with one attempt more than it read. A write that went
/// lost, or that two processes were told to have made, would leave another number.
#[tokio::test]
async fn of_processes_that_race_one_writes_each_version_and_none_is_lost() {
    if let Some(path) = std::env::var_os(FILE) {
        return write_all(Path::new(&path)).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hooklane.db");
    let this = std::env::current_exe().unwrap();
    let start = || {
        let name = "processes::of_processes_that_race_one_writes_each_version_and_none_is_lost";
        let mut process = Command::new(&this);
        process.args(["--exact", name]).env(FILE, &path);
        process.stdout(Stdio::null()).spawn().unwrap()
    };
    // The file is not there yet: both make it.
    let processes = [start(), start()];
    let ended = processes.map(|mut process| process.wait().unwrap());
    assert!(ended.iter().all(ExitStatus::success), "{ended:?}");

    let ledger = open(&path).await;
    for message in 0..MESSAGES {
        let seen = ledger.read(&key(message)).await.unwrap().unwrap();
        assert_eq!(seen.version, i64::from(2 * WRITES_EACH));
        assert_eq!(seen.record.attempts.len() as u32, 2 * WRITES_EACH);
    }
}

async fn open(path: &Path) -> Ledger {
    let spec = LedgerSpec::Sqlite(path.to_owned());
    Ledger::open(&spec, RETENTION).await.unwrap()
}

async fn write_all(path: &Path) {
    let ledger = open(path).await;
    for message in 0..MESSAGES {
        let mut written = 0;
        // Each loss is a write of the other's, so it ends.
        while written < WRITES_EACH {
            let seen = ledger.read(&key(message)).await.unwrap();
            let made = seen.as_ref().map_or(0, |seen| seen.record.attempts.len());
            match write(&ledger, message, seen.as_ref(), made as u32 + 1).await {
                Ok(_) => written += 1,
                Err(why) => assert_eq!(why, WriteError::Lost),
            }
        }
    }
}
