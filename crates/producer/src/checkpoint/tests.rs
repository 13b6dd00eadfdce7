use std::fs;
use std::process::Command;

use event::Timestamp;
use tempfile::TempDir;

use super::*;
use crate::reader::Place;

fn bound() -> Bound {
    Bound {
        queue: "https://sqs/1/events.fifo".to_owned(),
        event_setup: None,
        event: Some("talent_created".to_owned()),
        input: "events".to_owned(),
        size: 10,
        modified_ns: 20,
    }
}

fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("checkpoint");
    (directory, path)
}

fn change(from: u64, out: &[u64], done: &[u64]) -> Change {
    let out = out.iter().map(|&line| (line, id(line)));
    Change {
        from,
        read: Place {
            line: from + 5,
            digest: u64::MAX - from,
        },
        out: out.collect(),
        done: done.to_vec(),
    }
}

fn id(line: u64) -> Option<Timestamp> {
    Some(Timestamp::from_millis(1_739_370_645_000 + line))
}

fn open(path: &Path) -> Saved {
    Saved::open(path).unwrap().expect("a checkpoint")
}

#[test]
fn what_was_noted_is_read_again() {
    let (_directory, path) = place();
    let mut checkpoint = Checkpoint::begin(&path, &bound(), 1).unwrap();
    checkpoint.note(change(1, &[1, 2, 3], &[])).unwrap();
    checkpoint.note(change(1, &[], &[2])).unwrap();
    checkpoint.note(change(3, &[4], &[1, 2])).unwrap();
    drop(checkpoint);
    let saved = open(&path);
    assert_eq!((saved.bound(), saved.from_line()), (&bound(), 3));
    assert_eq!(saved.state.out, [(3, id(3)), (4, id(4))].into());
    assert!(saved.state.done.is_empty(), "{:?}", saved.state.done);
    let checkpoint = saved.go_on().unwrap();
    assert!(checkpoint.is_resumed());
    drop(checkpoint);
    assert_eq!(open(&path).state.out.len(), 2);
}

#[test]
fn a_change_that_was_cut_off_does_not_count_and_one_that_is_damaged_spoils_all() {
    let (_directory, path) = place();
    let mut checkpoint = Checkpoint::begin(&path, &bound(), 1).unwrap();
    checkpoint.note(change(1, &[1], &[])).unwrap();
    let whole = fs::read_to_string(&path).unwrap();
    checkpoint.note(change(2, &[], &[1])).unwrap();
    drop(checkpoint);
    let longer = fs::read_to_string(&path).unwrap();
    for end in whole.len()..longer.len() {
        fs::write(&path, &longer[..end]).unwrap();
        assert_eq!(open(&path).from_line(), 1, "{end}");
    }
    for text in [
        whole.replacen("\"from\"", "\"form\"", 1),
        whole.replacen(":1,", ":2,", 1),
        whole[..10].to_owned(),
        "{\"n\":1}\n".to_owned(),
        "not ours\n".to_owned(),
    ] {
        fs::write(&path, &text).unwrap();
        let opened = Saved::open(&path);
        assert!(matches!(opened, Err(CheckpointError::Unknown)), "{text}");
    }
}

#[test]
fn no_file_and_an_empty_one_are_no_checkpoint() {
    let (directory, path) = place();
    assert!(Saved::open(&path).unwrap().is_none());
    fs::write(&path, "").unwrap();
    assert!(Saved::open(&path).unwrap().is_none());
    let opened = Saved::open(directory.path());
    assert!(matches!(opened, Err(CheckpointError::NoFile)));
    // To open a pipe would wait without end.
    let pipe = directory.path().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    assert!(matches!(Saved::open(&pipe), Err(CheckpointError::NoFile)));
}

#[test]
fn it_is_kept_by_one_send_at_a_time() {
    let (_directory, path) = place();
    let mut checkpoint = Checkpoint::begin(&path, &bound(), 1).unwrap();
    let busy = || matches!(Saved::open(&path), Err(CheckpointError::Busy));
    assert!(busy());
    for from in 1..20_000 {
        checkpoint.note(change(from, &[from], &[])).unwrap();
    }
    assert!(busy(), "written anew, it is kept still");
    drop(checkpoint);
    let saved = open(&path);
    assert!(busy());
    let checkpoint = saved.go_on().unwrap();
    assert!(busy());
    checkpoint.remove().unwrap();
    assert!(Saved::open(&path).unwrap().is_none());
}

#[test]
fn it_stays_small_however_long_the_send() {
    let (directory, path) = place();
    let mut checkpoint = Checkpoint::begin(&path, &bound(), 1).unwrap();
    let mut largest = 0;
    for line in 1..20_000 {
        checkpoint.note(change(line, &[line], &[])).unwrap();
        checkpoint.note(change(line + 1, &[], &[line])).unwrap();
        largest = largest.max(fs::metadata(&path).unwrap().len());
    }
    assert!(largest <= MAX_CHANGES as u64 + 1024, "{largest}");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    drop(checkpoint);
    assert_eq!(open(&path).from_line(), 20_000);
}

#[test]
fn what_differs_is_named() {
    let other = |change: fn(&mut Bound)| {
        let mut now = bound();
        change(&mut now);
        bound().differs(&now)
    };
    assert_eq!(other(|_| {}), None);
    assert_eq!(other(|now| now.input.clear()), None);
    assert_eq!(other(|now| now.size += 1), Some(Difference::File));
    assert_eq!(other(|now| now.modified_ns += 1), Some(Difference::File));
    assert_eq!(other(|now| now.queue.clear()), Some(Difference::Queue));
    assert_eq!(other(|now| now.event = None), Some(Difference::Options));
    let setup = |now: &mut Bound| now.event_setup = Some("7".to_owned());
    assert_eq!(other(setup), Some(Difference::Options));
}

#[tokio::test]
async fn a_file_fits_if_its_part_that_was_read_is_the_same() {
    let (_directory, path) = place();
    let read = &b"{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n"[..];
    let mut lines = Lines::new(read);
    for _ in 0..2 {
        lines.next().await.unwrap();
    }
    let mut checkpoint = Checkpoint::begin(&path, &bound(), 1).unwrap();
    let read_so_far = Change {
        read: lines.place(),
        ..change(1, &[1], &[])
    };
    checkpoint.note(read_so_far).unwrap();
    drop(checkpoint);
    let saved = open(&path);
    assert!(saved.fits(read).await.unwrap());
    assert!(
        saved
            .fits(&b"{\"n\":1}\n{\"n\":2}\n{\"n\":4}\n"[..])
            .await
            .unwrap()
    );
    for changed in [
        &b"{\"n\":0}\n{\"n\":2}\n{\"n\":3}\n"[..],
        b"{\"n\":1}\n",
        b"",
    ] {
        assert!(!saved.fits(changed).await.unwrap());
    }
}
