//! Imports on virtual time: what was exported or dropped comes back as it was.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use delivery::REPLAY;
use letters::{
    Audit, Checked, ImportEnd, Imported, Letter, LetterFile, ScanOptions, Selection, check_import,
    drop_letters, import, scan, take,
};
use queue::{Attribute, AttributeValue, Outgoing, Queue, ReceiveOptions, Received};
use rig::letters::{Broken, World, letter, native, record};
use rig::network::Fault;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

fn audit() -> Audit {
    Audit {
        who: "night@shift".to_owned(),
        why: None,
    }
}

struct Home {
    _directory: tempfile::TempDir,
    file: PathBuf,
}

impl Home {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("letters.jsonl");
        Self {
            _directory: directory,
            file,
        }
    }

    async fn drop_all(&self, queue: &Queue) {
        let stop = CancellationToken::new();
        let taken = take(queue, Selection::default(), &stop, |_| {}).await;
        let file = LetterFile::create(&self.file).unwrap();
        let dropped = drop_letters(taken.unwrap(), file, &audit(), &stop, |_| {}).await;
        assert!(dropped.is_complete(), "{dropped:?}");
    }

    /// What the file would hold had the letters been in this queue, though they never were.
    async fn export(&self, letters: Vec<Outgoing>) {
        let world = World::new().await;
        for letter in letters {
            world.send(vec![letter]).await;
        }
        let mut file = LetterFile::create(&self.file).unwrap();
        let look = |letter: Letter| {
            file.write(&letter, world.dead.url()).unwrap();
            ControlFlow::Continue(())
        };
        let stop = CancellationToken::new();
        let report = scan(&world.dead, ScanOptions::default(), &stop, look).await;
        assert!(report.unwrap().is_complete());
    }

    fn lines(&self) -> Vec<String> {
        let text = std::fs::read_to_string(&self.file).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    fn write(&self, lines: &[String]) {
        std::fs::write(&self.file, lines.join("\n")).unwrap();
    }
}

fn open(path: &Path) -> BufReader<File> {
    BufReader::new(File::open(path).unwrap())
}

async fn check(queue: &Queue, home: &Home) -> Checked {
    let stop = CancellationToken::new();
    check_import(queue, open(&home.file), 1, &stop)
        .await
        .unwrap()
}

async fn import_all(queue: &Queue, home: &Home) -> Imported {
    import_from(queue, home, 1, u64::MAX).await
}

/// Imports and stops once so many letters are in the queue.
async fn import_from(queue: &Queue, home: &Home, from_line: u64, stop_after: u64) -> Imported {
    let stop = CancellationToken::new();
    let progress = |progress: letters::ImportProgress| {
        if progress.imported >= stop_after {
            stop.cancel();
        }
    };
    import(
        queue,
        open(&home.file),
        from_line,
        &audit(),
        &stop,
        progress,
    )
    .await
}

/// Everything that is in a queue, taken out.
async fn drained(queue: &Queue) -> Vec<Received> {
    let options = ReceiveOptions {
        max: 10,
        wait: Duration::ZERO,
        visibility: Duration::from_secs(30),
    };
    let mut all = Vec::new();
    loop {
        let messages = queue.receive(options).await.unwrap();
        if messages.is_empty() {
            return all;
        }
        let handles: Vec<_> = messages.iter().map(|m| m.receipt_handle.as_str()).collect();
        let deleted = queue.delete_batch(&handles).await.unwrap();
        assert!(deleted.iter().all(Result::is_ok));
        all.extend(messages);
    }
}

fn ids(messages: Vec<Received>) -> Vec<String> {
    let letters = messages.into_iter().map(Letter::read);
    let mut ids: Vec<_> = letters.map(|letter| letter.id().to_owned()).collect();
    ids.sort();
    ids
}

/// Letter `n`, with all that a message may hold.
fn odd(n: u32) -> Outgoing {
    let body = "{\"msg_id\":\"e\",\t\"n\":1.50,\r\n \"s\":\"\u{7f}\u{85}\u{202e}\u{fffd}\u{d7ff}\u{1f980}\\u0000\"} \n";
    let mut odd = letter(&record(n), body);
    let bytes = Attribute {
        data_type: "Binary.png".to_owned(),
        value: AttributeValue::Bytes((0..=255).collect()),
    };
    let number = Attribute {
        data_type: "Number.float".to_owned(),
        value: AttributeValue::Text("1.50".to_owned()),
    };
    odd.attributes.insert("picture".to_owned(), bytes);
    odd.attributes.insert("price".to_owned(), number);
    odd
}

#[tokio::test(start_paused = true)]
async fn a_drop_that_is_undone_at_once_gives_back_every_letter_as_it_was() {
    let (world, home) = (World::new().await, Home::new());
    let mut unrecorded = letter(&record(99), "no JSON");
    unrecorded.attributes.clear();
    let mut sent: Vec<_> = (0..25).map(odd).collect();
    sent.extend((0..25).map(|n| native("EventSetup_3", n)));
    sent.push(unrecorded);
    world.send(sent.clone()).await;
    home.drop_all(&world.dead).await;
    assert_eq!(world.counts().await.total(), 0);

    let checked = check(&world.dead, &home).await;
    assert_eq!((checked.good, checked.rejected.total), (51, 0));
    assert_eq!(checked.foreign, None);
    let imported = import_all(&world.dead, &home).await;
    assert_eq!(imported.imported, 51, "{imported:?}");
    assert_eq!(imported.unsent_from, None);

    let what = |body: &str, group: &Option<String>, attributes: &BTreeMap<String, Attribute>| {
        let own = attributes.iter().filter(|(name, _)| *name != REPLAY);
        let own: Vec<_> = own.map(|(name, a)| format!("{name} {a:?}")).collect();
        (group.clone(), body.to_owned(), own)
    };
    let mut expected: Vec<_> = sent
        .iter()
        .map(|m| what(&m.body, &m.group, &m.attributes))
        .collect();
    let back = drained(&world.dead).await;
    let body = |m: &Received| String::from_utf8(m.body.to_vec()).unwrap();
    let mut found: Vec<_> = back
        .iter()
        .map(|m| what(&body(m), &m.group, &m.attributes))
        .collect();
    // Within a group the order is as it was.
    expected.sort_by(|a, b| a.0.cmp(&b.0));
    found.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(found, expected);
    let problems = back
        .into_iter()
        .map(Letter::read)
        .filter(|l| l.problem().is_some());
    assert_eq!(
        problems.count(),
        1,
        "the one without a record is still known for it"
    );
}

#[tokio::test(start_paused = true)]
async fn letters_of_the_native_redrive_keep_their_identity() {
    let (world, home) = (World::new().await, Home::new());
    world
        .send((0..3).map(|n| native("EventSetup_3", n)).collect())
        .await;
    let mut before = Vec::new();
    let look = |letter: Letter| {
        before.push((letter.id().to_owned(), letter.dead_at(), letter.sent_at()));
        ControlFlow::Continue(())
    };
    let stop = CancellationToken::new();
    scan(&world.dead, ScanOptions::default(), &stop, look)
        .await
        .unwrap();
    for _ in 0..2 {
        let home = Home::new();
        home.drop_all(&world.dead).await;
        tokio::time::sleep(Duration::from_secs(3_600)).await;
        import_all(&world.dead, &home).await;
    }
    home.drop_all(&world.dead).await;
    import_all(&world.dead, &home).await;
    let back = drained(&world.dead).await.into_iter().map(Letter::read);
    let after: Vec<_> = back
        .map(|l| (l.id().to_owned(), l.dead_at(), l.sent_at()))
        .collect();
    assert_eq!(after, before);
}

#[tokio::test(start_paused = true)]
async fn the_same_file_twice_within_five_minutes_leaves_one_copy() {
    let (world, home) = (World::new().await, Home::new());
    home.export((0..25).map(odd).collect()).await;
    for _ in 0..2 {
        let imported = import_all(&world.dead, &home).await;
        assert_eq!(imported.imported, 25);
        tokio::time::sleep(Duration::from_secs(280)).await;
    }
    assert_eq!(world.counts().await.visible, 25);
}

#[tokio::test(start_paused = true)]
async fn a_bad_line_is_named_and_a_queue_of_another_name_too() {
    let (world, home) = (World::new().await, Home::new());
    home.export((0..4).map(odd).collect()).await;
    let mut lines = home.lines();
    lines[0] = lines[0].replace("events-internal.fifo", "others-internal.fifo");
    lines[1].truncate(100);
    lines[3] = lines[3].replace("\"v\":1", "\"v\":2");
    lines.insert(2, String::new());
    home.write(&lines);
    let checked = check(&world.dead, &home).await;
    let named: Vec<_> = checked.rejected.lines.iter().map(|bad| bad.line).collect();
    assert_eq!((checked.good, named), (2, vec![2, 5]));
    let (count, other) = checked.foreign.unwrap();
    assert_eq!(count, 1);
    assert!(other.ends_with("/others-internal.fifo"), "{other}");

    // Whoever sends nevertheless comes as far as the first bad line.
    let imported = import_all(&world.dead, &home).await;
    assert_eq!((imported.imported, imported.unsent_from), (1, Some(2)));
    assert!(matches!(
        imported.stopped,
        Some(ImportEnd::Changed { line: 2, .. })
    ));
}

#[tokio::test(start_paused = true)]
async fn answers_that_are_lost_leave_one_copy_of_each_letter() {
    let (world, home) = (World::new().await, Home::new());
    home.export((0..25).map(odd).collect()).await;
    let broken = Broken {
        action: "SendMessageBatch",
        calls: 1..9,
        how: Fault::AnswerLost,
    };
    let way = world.broken_way_to(&world.dead, broken).await;
    let imported = import_all(&way, &home).await;
    assert_eq!((imported.imported, imported.unsent_from), (25, None));
    assert_eq!(world.counts().await.visible, 25);
}

#[tokio::test(start_paused = true)]
async fn an_import_that_gets_no_answer_for_four_minutes_ends_and_says_where_to_go_on() {
    let (world, home) = (World::new().await, Home::new());
    home.export((0..25).map(odd).collect()).await;
    let way = world.breaking("SendMessageBatch", 1).await;
    let begun = Instant::now();
    let imported = import_all(&way, &home).await;
    let took = begun.elapsed();
    assert!((240..290).contains(&took.as_secs()), "{took:?}");
    assert_eq!((imported.imported, imported.unsent_from), (10, Some(11)));
    assert_eq!(imported.in_doubt, (11..=20).collect::<Vec<_>>());
    let told = imported.stopped.unwrap().to_string();
    assert!(
        told.starts_with("line 11 could not be sent for 4 minutes:"),
        "{told}"
    );

    let imported = import_from(&world.dead, &home, 11, u64::MAX).await;
    assert_eq!((imported.imported, imported.unsent_from), (15, None));
    assert_eq!(ids(drained(&world.dead).await).len(), 25);
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_between_two_calls_and_says_from_which_line_to_go_on() {
    let (world, home) = (World::new().await, Home::new());
    home.export((0..35).map(odd).collect()).await;
    let imported = import_from(&world.dead, &home, 1, 20).await;
    assert_eq!((imported.imported, imported.unsent_from), (20, Some(21)));
    assert!(matches!(imported.stopped, Some(ImportEnd::Asked)));
    assert_eq!(world.counts().await.visible, 20);
    let imported = import_from(&world.dead, &home, 21, 15).await;
    assert_eq!((imported.imported, imported.unsent_from), (15, None));
    assert!(
        imported.stopped.is_none(),
        "it was told to stop, and had nothing left"
    );
    let mut expected: Vec<_> = (0..35).map(|n| format!("origin-{n}")).collect();
    expected.sort();
    assert_eq!(ids(drained(&world.dead).await), expected);
}

#[tokio::test(start_paused = true)]
async fn behind_a_letter_that_sqs_refuses_nothing_of_its_group_goes() {
    let (world, home) = (World::new().await, Home::new());
    let mut letters: Vec<_> = (0..4).map(|n| native("EventSetup_3", n)).collect();
    letters.extend((0..4).map(odd));
    home.export(letters).await;
    let mut lines = home.lines();
    let second = lines
        .iter()
        .position(|line| line.contains("\\\"n-1"))
        .unwrap();
    lines[second] = lines[second].replace("\"type\":\"String\"", "\"type\":\"Strange\"");
    home.write(&lines);
    assert_eq!(check(&world.dead, &home).await.rejected.total, 0);
    let imported = import_all(&world.dead, &home).await;
    assert_eq!((imported.imported, imported.unsent_from), (5, None));
    let rejected = &imported.rejected.lines;
    assert_eq!(rejected.len(), 3, "{rejected:?}");
    assert_eq!(rejected[0].line, second as u64 + 1);
    assert!(
        rejected[0].error.starts_with("refused by SQS: "),
        "{rejected:?}"
    );
    for behind in &rejected[1..] {
        let error = format!("not sent: line {} of its group was refused", second + 1);
        assert_eq!(behind.error, error);
    }
    let back = drained(&world.dead).await;
    let of_group = back
        .iter()
        .filter(|m| m.group.as_deref() == Some("EventSetup_3"));
    let of_group: Vec<_> = of_group.map(|m| m.body.clone()).collect();
    assert_eq!(of_group, [r#"{"msg_id":"n-0"}"#]);
}

#[tokio::test(start_paused = true)]
async fn letters_that_are_too_large_for_one_call_go_in_several() {
    let (world, home) = (World::new().await, Home::new());
    let large = |n| letter(&record(n), &"\u{fc}".repeat(200_000));
    home.export((0..7).map(large).collect()).await;
    let imported = import_all(&world.dead, &home).await;
    assert_eq!((imported.imported, imported.unsent_from), (7, None));
}
