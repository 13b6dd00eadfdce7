//! The format of a ledger's file, and how a file gets from one to the next.

use rusqlite::{Connection, TransactionBehavior};

/// Tells our files from those of other programs, in SQLite's `application_id`: "HLan".
const APPLICATION: i64 = 0x484c_616e;

/// The steps: the first makes an empty file one of format 1, the second a file of format 1 one of format 2. A step is
/// never changed once a version with it is out.
///
/// A step adds, and leaves what is there as it is: workers of the version before may have the file open, and write down
/// what they attempt. The first versions, which know format 1 alone, set it back to 1 when they try whether they can
/// write, so the step to format 2 must do no harm when it is made again. A file that is only looked at is not migrated:
/// what a step adds may be missing.
pub(super) const STEPS: &[&str] = &["
    CREATE TABLE attempts (
        queue         TEXT NOT NULL,
        message_id    TEXT NOT NULL,
        message_group TEXT,
        version       INTEGER NOT NULL,
        written_at_ms INTEGER NOT NULL,
        record        TEXT NOT NULL,
        PRIMARY KEY (queue, message_id)
    ) STRICT;
    CREATE INDEX attempts_by_age ON attempts (written_at_ms);
"];

/// The newest format.
pub(super) const NEWEST: i64 = STEPS.len() as i64;

/// The format of a file, 0 if nothing was ever written to it; none if it is the database of another program.
pub(super) fn find(connection: &Connection) -> rusqlite::Result<Option<i64>> {
    let query = "SELECT (SELECT application_id FROM pragma_application_id),
                        (SELECT user_version FROM pragma_user_version),
                        (SELECT count(*) FROM sqlite_schema)";
    let found: (i64, i64, i64) =
        connection.query_row(query, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(match found {
        (0, 0, 0) => Some(0),
        (APPLICATION, format @ 1.., _) => Some(format),
        _ => None,
    })
}

/// Makes the steps that a file lacks, all or none. Gives its format then, as [`find`] does: what is no ledger, or a newer
/// one, stays as it is.
pub(super) fn migrate(
    connection: &mut Connection,
    steps: &[&str],
) -> rusqlite::Result<Option<i64>> {
    // Nobody else can write from here on, but may have come first.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let (found, newest) = (find(&transaction)?, steps.len() as i64);
    let Some(format) = found.filter(|format| *format < newest) else {
        return Ok(found);
    };
    for step in steps.iter().skip(format as usize) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", newest)?;
    transaction.commit()?;
    Ok(Some(newest))
}

/// Writes the format of a file again as it is, a write like any other. Gives it as [`find`] does.
pub(super) fn write_again(connection: &Connection) -> rusqlite::Result<Option<i64>> {
    let found = find(connection)?;
    if let Some(format) = found {
        connection.pragma_update(None, "user_version", format)?;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

    use super::*;

    const NEXT: &[&str] = &[STEPS[0], "CREATE TABLE added (a); CREATE TABLE more (a);"];

    fn tables(connection: &Connection) -> i64 {
        let query = "SELECT count(*) FROM sqlite_schema WHERE type = 'table'";
        connection.query_row(query, [], |row| row.get(0)).unwrap()
    }

    /// A file of format 1 with a record in it.
    fn first(mut connection: Connection) -> Connection {
        assert_eq!(migrate(&mut connection, &STEPS[..1]), Ok(Some(1)));
        let insert = "INSERT INTO attempts VALUES ('q', 'm', NULL, 1, 1, '{}')";
        connection.execute(insert, []).unwrap();
        connection
    }

    fn in_memory() -> Connection {
        Connection::open_in_memory().unwrap()
    }

    #[test]
    fn a_file_goes_from_each_format_to_the_newest_and_keeps_what_it_holds() {
        let mut empty = in_memory();
        assert_eq!(migrate(&mut empty, NEXT), Ok(Some(2)));
        assert_eq!((find(&empty), tables(&empty)), (Ok(Some(2)), 3));
        let mut file = first(in_memory());
        for _ in 0..2 {
            assert_eq!(migrate(&mut file, NEXT), Ok(Some(2)));
            assert_eq!((find(&file), tables(&file)), (Ok(Some(2)), 3));
        }
        let count = "SELECT count(*) FROM attempts";
        assert_eq!(file.query_row(count, [], |row| row.get(0)), Ok(1));
    }

    #[test]
    fn of_a_step_that_fails_nothing_is_made() {
        let mut file = first(in_memory());
        let failing = &[
            STEPS[0],
            "CREATE TABLE added (a)",
            "CREATE TABLE attempts (a)",
        ];
        assert!(migrate(&mut file, failing).is_err());
        assert_eq!((find(&file), tables(&file)), (Ok(Some(1)), 1));
    }

    #[test]
    fn a_newer_file_and_another_programs_are_left_as_they_are() {
        let mut newer = first(in_memory());
        newer.pragma_update(None, "user_version", 3).unwrap();
        assert_eq!(migrate(&mut newer, NEXT), Ok(Some(3)));
        assert_eq!((find(&newer), tables(&newer)), (Ok(Some(3)), 1));
        let mut other = in_memory();
        other.execute_batch("CREATE TABLE theirs (a)").unwrap();
        assert_eq!(migrate(&mut other, NEXT), Ok(None));
        assert_eq!((find(&other), tables(&other)), (Ok(None), 1));
        // Somebody has set back what tells the format.
        newer.pragma_update(None, "user_version", 0).unwrap();
        assert_eq!(find(&newer), Ok(None));
    }

    #[test]
    fn of_two_that_migrate_a_file_together_the_second_finds_it_migrated() {
        static WAITS: AtomicBool = AtomicBool::new(false);
        let directory = tempfile::tempdir().unwrap();
        let connect = || Connection::open(directory.path().join("hooklane.db")).unwrap();
        let one = first(connect());
        let mut two = connect();
        let wait = |_| {
            WAITS.store(true, Relaxed);
            std::thread::yield_now();
            true
        };
        two.busy_handler(Some(wait)).unwrap();
        one.execute_batch("BEGIN IMMEDIATE").unwrap();
        let found = std::thread::scope(|scope| {
            let second = scope.spawn(move || migrate(&mut two, NEXT));
            while !WAITS.load(Relaxed) && !second.is_finished() {
                std::thread::yield_now();
            }
            one.execute_batch(NEXT[1]).unwrap();
            one.pragma_update(None, "user_version", 2).unwrap();
            one.execute_batch("COMMIT").unwrap();
            second.join().unwrap()
        });
        assert_eq!(found, Ok(Some(2)));
    }
}
