//! What is particular to SQLite, on real files.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use event::Timestamp;
use store::{Ledger, LedgerError, LedgerSpec, MAX_EXPIRED, WriteError};
use tempfile::TempDir;

use crate::{DAY, RETENTION, key, record, together};

const NOW: Timestamp = Timestamp::from_millis(1_739_370_645_123);

fn directory() -> TempDir {
    tempfile::tempdir().unwrap()
}

async fn open(path: impl Into<PathBuf>) -> Result<Ledger, LedgerError> {
    Ledger::open(&LedgerSpec::Sqlite(path.into()), RETENTION).await
}

#[tokio::test]
async fn what_is_written_is_read_back_after_the_file_was_closed() {
    let directory = directory();
    let path = directory.path().join("hooklane.db");
    let ledger = open(&path).await.unwrap();
    assert_eq!(ledger.read(&key("m-1")).await.unwrap(), None);
    let written = ledger
        .write(&key("m-1"), None, &record(2), NOW)
        .await
        .unwrap();
    drop(ledger);

    let ledger = open(&path).await.unwrap();
    let seen = ledger.read(&key("m-1")).await.unwrap().unwrap();
    assert_eq!(seen, written);
    assert_eq!(seen.record, record(2));
}

#[tokio::test]
async fn a_record_expires_a_day_after_its_message_and_not_before() {
    let ledger = Ledger::in_memory(RETENTION).await.unwrap();
    ledger
        .write(&key("m-1"), None, &record(1), NOW)
        .await
        .unwrap();
    let last = NOW.plus(RETENTION + DAY);
    assert_eq!(ledger.expire(last).await.unwrap(), 0);
    assert_eq!(
        ledger
            .expire(last.plus(Duration::from_millis(1)))
            .await
            .unwrap(),
        1
    );
    assert_eq!(ledger.read(&key("m-1")).await.unwrap(), None);
}

#[tokio::test]
async fn the_note_of_a_group_expires_as_records_do() {
    let ledger = Ledger::in_memory(RETENTION).await.unwrap();
    let queue = key("m").queue;
    let noted = ledger.note_delivered(&queue, "EventSetup_7", "1", NOW);
    noted.await.unwrap();
    let last = NOW.plus(RETENTION + DAY);
    assert_eq!(ledger.expire(last).await, Ok(0));
    assert_eq!(ledger.expire(last.plus(DAY)).await, Ok(1));
    let gone = ledger.delivered_up_to(&queue, "EventSetup_7").await;
    assert_eq!(gone, Ok(None));
}

async fn look(path: impl Into<PathBuf>) -> Result<Option<Ledger>, LedgerError> {
    Ledger::look(&LedgerSpec::Sqlite(path.into()), RETENTION).await
}

fn files(directory: &TempDir) -> Vec<PathBuf> {
    let files = fs::read_dir(directory).unwrap();
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    files
}

#[tokio::test]
async fn a_look_at_a_ledger_that_is_not_there_makes_none() {
    let directory = directory();
    let path = directory.path().join("hooklane.db");
    assert!(look(&path).await.unwrap().is_none());
    let elsewhere = directory.path().join("nowhere").join("hooklane.db");
    assert!(look(elsewhere).await.unwrap().is_none());
    assert!(files(&directory).is_empty());

    let check = async || store::admin::check(&LedgerSpec::Sqlite(path.clone())).await;
    assert_eq!(check().await.unwrap()[0].found, "not there");
    assert!(files(&directory).is_empty());

    fs::write(&path, "").unwrap();
    assert!(look(&path).await.unwrap().is_none());
    assert_eq!(fs::read(&path).unwrap(), b"", "nothing is made of it");
    assert_eq!(files(&directory), std::slice::from_ref(&path));
    // A check opens it as a worker would.
    assert_eq!(check().await, Ok(vec![]));
    assert!(look(&path).await.unwrap().is_some());
}

#[tokio::test]
async fn a_look_sees_what_a_worker_notes_and_leaves_everything_as_it_is() {
    let directory = directory();
    let path = directory.path().join("hooklane.db");
    let queue = key("m").queue;
    let worker = open(&path).await.unwrap();
    let looking = look(&path).await.unwrap().unwrap();
    let noted = worker.note_delivered(&queue, "EventSetup_7", "17", NOW);
    noted.await.unwrap();
    let seen = looking.delivered_up_to(&queue, "EventSetup_7").await;
    assert_eq!(seen, Ok(Some("17".to_owned())));
    drop((worker, looking));
    let alone = vec![path.clone()];
    assert_eq!(files(&directory), alone);

    let looking = look(&path).await.unwrap().unwrap();
    let seen = looking.delivered_up_to(&queue, "EventSetup_7").await;
    assert_eq!(seen, Ok(Some("17".to_owned())));
    let written = looking.note_delivered(&queue, "EventSetup_7", "18", NOW);
    assert!(matches!(written.await, Err(WriteError::Ledger(_))));
    assert!(looking.check().await.is_err());
    drop(looking);
    assert_eq!(files(&directory), alone);
}

#[tokio::test]
async fn a_look_at_something_else_says_so() {
    let directory = directory();
    let path = directory.path().join("hooklane.db");
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE theirs (a)").unwrap();
    let looked = look(&path).await;
    assert!(
        matches!(looked, Err(LedgerError::NotALedger { .. })),
        "{looked:?}"
    );
}

#[tokio::test]
async fn what_is_no_file_is_refused_and_not_waited_for() {
    let directory = directory();
    let at = |name: &str| directory.path().join(name);
    let made = Command::new("mkfifo").arg(at("pipe")).status().unwrap();
    assert!(made.success());
    std::os::unix::fs::symlink(at("pipe"), at("link")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
    for (path, what) in [
        (at("pipe"), "a named pipe"),
        (at("link"), "a named pipe"),
        (at("socket"), "a socket"),
        (directory.path().to_owned(), "a directory"),
        ("/dev/null".into(), "a device"),
    ] {
        let spec = LedgerSpec::Sqlite(path.clone());
        for refused in [
            open(&path).await.map(drop),
            look(&path).await.map(drop),
            store::admin::create(&spec).await.map(drop),
        ] {
            let refused = refused.unwrap_err();
            assert!(
                matches!(refused, LedgerError::NotALedger { .. }),
                "{refused}"
            );
            assert!(refused.to_string().contains(what), "{refused}");
        }
    }
}

#[tokio::test]
async fn a_file_that_others_may_write_is_told_with_what_to_do() {
    let directory = directory();
    let path = directory.path().join("hooklane.db");
    let spec = LedgerSpec::Sqlite(path.clone());
    assert_eq!(spec.exposure(), None);
    // What is no file is refused, and to change its mode would break other things.
    assert_eq!(LedgerSpec::Sqlite("/dev/null".into()).exposure(), None);
    let open = directory.path().join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    let told = LedgerSpec::Sqlite(open.join("not-yet.db")).exposure();
    assert!(told.is_some_and(|told| told.starts_with("everybody")));
    store::admin::create(&spec).await.unwrap();
    let set = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        spec.exposure().unwrap_or_default()
    };
    for (mode, who) in [
        (0o600, ""),
        (0o644, ""),
        (0o620, "its group"),
        (0o602, "everybody"),
        (0o666, "everybody"),
    ] {
        let told = set(&path, mode);
        assert!(told.starts_with(who), "{mode:o} {told}");
        assert_eq!(who.is_empty(), told.is_empty(), "{mode:o} {told}");
        assert_eq!(told.is_empty(), !told.contains("chmod go-w"), "{told}");
        let problems = store::admin::check(&spec).await.unwrap();
        assert_eq!(problems.len(), usize::from(!who.is_empty()), "{mode:o}");
    }
    set(&path, 0o600);
    assert_eq!(set(directory.path(), 0o775), "");
    assert_eq!(set(directory.path(), 0o1777), "");
    let told = set(directory.path(), 0o777);
    let shown = directory.path().display().to_string();
    assert!(told.contains(&format!("write to {shown},")), "{told}");
}

#[tokio::test]
async fn one_call_expires_a_bounded_number_of_records() {
    let ledger = Ledger::in_memory(RETENTION).await.unwrap();
    for n in 0..=MAX_EXPIRED {
        ledger.write(&key(n), None, &record(1), NOW).await.unwrap();
    }
    let later = NOW.plus(RETENTION + DAY * 2);
    assert_eq!(ledger.expire(later).await.unwrap(), MAX_EXPIRED);
    assert_eq!(ledger.expire(later).await.unwrap(), 1);
    assert_eq!(ledger.expire(later).await.unwrap(), 0);
}

#[tokio::test]
async fn the_files_are_for_their_owner_alone() {
    let directory = directory();
    let ledger = open(directory.path().join("hooklane.db")).await.unwrap();
    ledger
        .write(&key("m-1"), None, &record(1), NOW)
        .await
        .unwrap();
    let files: Vec<_> = fs::read_dir(&directory)
        .unwrap()
        .map(|f| f.unwrap())
        .collect();
    assert!(files.len() >= 2, "the database and its log");
    for file in files {
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{:?}", file.path());
    }
}

#[tokio::test]
async fn a_name_that_sqlite_would_take_for_something_else_is_a_file_name() {
    let directory = directory();
    let path = directory.path().join("file:x?mode=memory");
    let ledger = open(&path).await.unwrap();
    ledger
        .write(&key("m-1"), None, &record(1), NOW)
        .await
        .unwrap();
    assert!(fs::metadata(&path).unwrap().is_file());
}

#[tokio::test]
async fn processes_that_open_a_new_file_together_share_one_ledger() {
    let directory = directory();
    let path = directory.path().join("hooklane.db");
    let opened = together(8, |_| open(path.clone())).await;
    let ledgers: Vec<_> = opened.into_iter().map(|l| l.unwrap()).collect();
    let written = together(8, |n| {
        let ledger = ledgers[n].clone();
        async move { ledger.write(&key("m-1"), None, &record(1), NOW).await }
    });
    let written = written.await;
    assert_eq!(written.iter().filter(|w| w.is_ok()).count(), 1);
    assert_eq!(
        written
            .iter()
            .filter(|w| **w == Err(WriteError::Lost))
            .count(),
        7
    );
}

#[tokio::test]
async fn changes_that_wait_together_are_each_answered() {
    let directory = directory();
    let path = directory.path().join("hooklane.db");
    let ledger = open(&path).await.unwrap();
    // Twice each, so that one of two is lost; and more than are made together.
    let written = together(1_000, |n| {
        let ledger = ledger.clone();
        async move { ledger.write(&key(n / 2), None, &record(1), NOW).await }
    });
    let written = written.await;
    assert_eq!(written.iter().filter(|w| w.is_ok()).count(), 500);
    assert_eq!(
        written
            .iter()
            .filter(|w| **w == Err(WriteError::Lost))
            .count(),
        500
    );
    let forgotten = together(500, |n| {
        let ledger = ledger.clone();
        async move { ledger.forget(&[key(n)]).await }
    });
    assert!(forgotten.await.iter().all(Result::is_ok));
    for n in 0..500 {
        assert_eq!(ledger.read(&key(n)).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_change_that_cannot_be_made_fails_for_all_that_waited_with_it() {
    let directory = directory();
    let path = directory.path().join("hooklane.db");
    let ledger = open(&path).await.unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    let refuse = "CREATE TRIGGER full BEFORE INSERT ON attempts WHEN NEW.message_id = '7'
                  BEGIN SELECT RAISE(ABORT, 'no room'); END";
    other.execute_batch(refuse).unwrap();
    let written = together(20, |n| {
        let ledger = ledger.clone();
        async move { ledger.write(&key(n), None, &record(1), NOW).await }
    });
    for (n, written) in written.await.into_iter().enumerate() {
        let there = ledger.read(&key(n)).await.unwrap();
        assert_eq!(
            written.is_ok(),
            there.is_some(),
            "what is said to be written is there, and nothing else"
        );
        assert!(
            n != 7
                || matches!(
                    written,
                    Err(WriteError::Ledger(LedgerError::Unusable { .. }))
                )
        );
    }
}

#[tokio::test(start_paused = true)]
async fn paused_time_stands_still_while_the_ledger_works() {
    let directory = directory();
    let ledger = open(directory.path().join("hooklane.db")).await.unwrap();
    let before = tokio::time::Instant::now();
    let (key, record) = (key("m-1"), record(1));
    let write = ledger.write(&key, None, &record, NOW);
    let in_time = tokio::time::timeout(Duration::from_millis(1), write).await;
    in_time.unwrap().unwrap();
    assert_eq!(tokio::time::Instant::now(), before);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_named_and_left_alone() {
    let directory = directory();
    for garbage in [b"hello".to_vec(), vec![0xA5; 100_000]] {
        let path = directory.path().join("notes.txt");
        fs::write(&path, &garbage).unwrap();
        let error = open(&path).await.unwrap_err();
        assert!(matches!(error, LedgerError::NotALedger { .. }), "{error:?}");
        assert!(error.to_string().contains("notes.txt"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), garbage);
    }
}

#[tokio::test]
async fn the_database_of_another_program_is_left_alone() {
    let directory = directory();
    let path = directory.path().join("cookies.db");
    let other = rusqlite::Connection::open(&path).unwrap();
    other
        .execute_batch("CREATE TABLE cookies (name TEXT)")
        .unwrap();
    drop(other);
    let before = fs::read(&path).unwrap();
    let error = open(&path).await.unwrap_err();
    assert!(matches!(error, LedgerError::NotALedger { .. }), "{error:?}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_refused() {
    let directory = directory();
    let path = directory.path().join("hooklane.db");
    let running = open(&path).await.unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    other.pragma_update(None, "user_version", 2).unwrap();
    let newer = LedgerError::Newer {
        path: path.display().to_string(),
        found: 2,
        supported: 1,
    };
    let text = newer.to_string();
    for part in [path.to_str().unwrap(), "format 2", "use the version that"] {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(open(&path).await.unwrap_err(), newer);
    assert_eq!(look(&path).await.unwrap_err(), newer);
    // One that has it open already says so too, and does not take it for its own.
    assert_eq!(running.check().await, Err(newer));
    let problems = store::admin::check(&LedgerSpec::Sqlite(path)).await;
    assert_eq!(problems.unwrap()[0].found, text);
    let format = other.query_row("PRAGMA user_version", [], |row| row.get(0));
    assert_eq!(format, Ok(2));
}

#[tokio::test]
async fn a_damaged_file_is_named_with_what_to_do() {
    let directory = directory();
    let path = directory.path().join("hooklane.db");
    let ledger = open(&path).await.unwrap();
    ledger
        .write(&key("m-1"), None, &record(1), NOW)
        .await
        .unwrap();
    drop(ledger);
    let mut bytes = fs::read(&path).unwrap();
    assert!(
        !path.with_extension("db-wal").exists(),
        "all is in the one file"
    );
    bytes[4096..].fill(0xA5);
    fs::write(&path, bytes).unwrap();
    let error = match open(&path).await {
        Ok(ledger) => ledger.read(&key("m-1")).await.unwrap_err(),
        Err(error) => error,
    };
    assert!(matches!(error, LedgerError::Damaged { .. }), "{error:?}");
    assert!(error.to_string().contains("move it away"), "{error}");
}

#[tokio::test]
async fn a_place_where_nothing_can_be_made_is_named() {
    let directory = directory();
    let missing = open(directory.path().join("none/hooklane.db"))
        .await
        .unwrap_err();
    assert!(matches!(missing, LedgerError::Open { .. }), "{missing:?}");
    assert!(
        missing.to_string().contains("there is no directory"),
        "{missing}"
    );

    let unwritable = unwritable_directory(directory.path());
    let refused = open(unwritable.join("hooklane.db")).await.unwrap_err();
    assert!(matches!(refused, LedgerError::Open { .. }), "{refused:?}");
}

/// Permissions do not bind root, who cannot write to `/sys` either.
fn unwritable_directory(parent: &Path) -> PathBuf {
    let directory = parent.join("read-only");
    fs::create_dir(&directory).unwrap();
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o500)).unwrap();
    match fs::write(directory.join("probe"), "") {
        Ok(()) => PathBuf::from("/sys"),
        Err(_) => directory,
    }
}

#[tokio::test]
async fn the_check_finds_a_ledger_that_has_become_unwritable() {
    let directory = directory();
    let path = directory.path().join("hooklane.db");
    let ledger = open(&path).await.unwrap();
    ledger.check().await.unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let error = ledger.check().await.unwrap_err();
    assert!(matches!(error, LedgerError::Unusable { .. }), "{error:?}");
    assert!(error.to_string().contains("another process"), "{error}");
    other.execute_batch("ROLLBACK").unwrap();
    ledger.check().await.unwrap();
}

#[test]
fn a_ledger_in_memory_answers_on_the_spot_without_a_runtime() {
    let ledger = now(Ledger::in_memory(RETENTION)).unwrap();
    let written = now(ledger.write(&key("m-1"), None, &record(1), NOW)).unwrap();
    let lost = now(ledger.write(&key("m-1"), None, &record(1), NOW));
    assert_eq!(lost, Err(WriteError::Lost));
    assert_eq!(now(ledger.read(&key("m-1"))).unwrap(), Some(written));
    now(ledger.check()).unwrap();
    now(ledger.forget(&[key("m-1")])).unwrap();
    assert_eq!(now(ledger.read(&key("m-1"))).unwrap(), None);
}

/// What a future answers when it is asked once.
fn now<T>(future: impl Future<Output = T>) -> T {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        std::task::Poll::Ready(answer) => answer,
        std::task::Poll::Pending => panic!("it waits for something"),
    }
}
