//! Scans of the internal queue on virtual time.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

use delivery::{DEAD_LETTER, REPLAY, Reason, Replay};
use letters::{End, Groups, Letter, Listing, Missing, Report, ScanOptions, Shown, scan};
use queue::admin::Kind;
use queue::{Attribute, Counts, Outgoing, Queue};
use rig::letters::{World, letter, native, record};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

async fn scan_all(queue: &Queue) -> (Vec<Letter>, Report) {
    scan_with(queue, ScanOptions::default()).await
}

async fn scan_with(queue: &Queue, options: ScanOptions) -> (Vec<Letter>, Report) {
    let mut letters = Vec::new();
    let look = |letter| {
        letters.push(letter);
        ControlFlow::Continue(())
    };
    let report = scan(queue, options, &CancellationToken::new(), look).await;
    (letters, report.unwrap())
}

fn visible(visible: u64) -> Counts {
    Counts {
        visible,
        ..Counts::default()
    }
}

#[tokio::test(start_paused = true)]
async fn all_300_dead_events_of_one_setup_are_listed_by_time_of_death() {
    let world = World::new().await;
    world.send_dead_events(300).await;
    let (letters, report) = scan_all(&world.dead).await;
    assert!(report.is_complete(), "{report:?}");
    assert_eq!(report.remarks(), [""; 0]);
    let mut listing = Listing::default();
    letters.iter().for_each(|letter| listing.add(letter));
    let rows = listing.into_rows();
    let expected: Vec<_> = (0..300).map(|n| format!("origin-{n}")).collect();
    assert_eq!(
        rows.iter().map(|row| row.id.clone()).collect::<Vec<_>>(),
        expected
    );
    let row = serde_json::to_value(&rows[0]).unwrap();
    let expected = serde_json::json!({
        "id": "origin-0", "reason": "exhausted", "group": "EventSetup_7", "event": "talent_created",
        "msg_id": "e-0", "attempts": 4, "last_status": 500, "last_error": null,
        "sent_at": "2025-02-12T14:30:45.000Z", "dead_at": "2025-02-12T14:30:45.000Z",
        "callback": "https://hooks.example.com/workn",
    });
    assert_eq!(row, expected);
}

#[tokio::test(start_paused = true)]
async fn viewing_takes_nothing_out_and_counts_as_one_receive() {
    let world = World::new().await;
    world.send_dead_events(25).await;
    scan_all(&world.dead).await;
    assert_eq!(world.counts().await, visible(25));
    let (letters, _) = scan_all(&world.dead).await;
    assert!(
        letters
            .iter()
            .all(|letter| letter.message.receive_count == 2)
    );
}

#[tokio::test(start_paused = true)]
async fn a_scan_longer_than_its_lease_keeps_what_it_holds() {
    let world = World::new().await;
    world.send_dead_events(25).await;
    let options = ScanOptions {
        wait: Duration::from_secs(2),
        lease: Duration::from_secs(3),
        ..ScanOptions::default()
    };
    let (letters, report) = scan_with(&world.dead, options).await;
    assert_eq!(letters.len(), 25);
    assert!(report.is_complete());
    let (letters, _) = scan_all(&world.dead).await;
    assert!(
        letters
            .iter()
            .all(|letter| letter.message.receive_count == 2),
        "none came twice"
    );
}

#[tokio::test(start_paused = true)]
async fn an_empty_queue_ends_a_scan_after_two_receives() {
    let world = World::new().await;
    let before = tokio::time::Instant::now();
    let (letters, report) = scan_all(&world.dead).await;
    assert!(letters.is_empty());
    assert!(report.is_complete());
    assert_eq!(before.elapsed(), Duration::from_secs(2));
}

/// Scans while a letter arrives every so often.
async fn scan_while_letters_arrive(
    world: &World,
    every: Duration,
    arriving: impl Fn(u32) -> Outgoing,
) -> (Vec<Letter>, Report) {
    let feed = async {
        for n in 1_000.. {
            tokio::time::sleep(every).await;
            world.send(vec![arriving(n)]).await;
        }
    };
    tokio::select! {
        scanned = scan_all(&world.dead) => scanned,
        () = feed => unreachable!("it feeds for ever"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_scan_ends_while_letters_arrive_and_shows_what_was_there_when_it_began() {
    for kind in [Kind::Fifo, Kind::Standard] {
        for every_ms in [10, 250, 1_000] {
            let world = World::of(kind).await;
            let is_fifo = world.dead.is_fifo();
            let arriving = |n: u32| {
                let sent = letter(&record(n), "{}");
                Outgoing {
                    group: sent.group.filter(|_| is_fifo),
                    deduplication_id: sent.deduplication_id.filter(|_| is_fifo),
                    ..sent
                }
            };
            world.send((0..40).map(arriving).collect()).await;
            let began = tokio::time::Instant::now();
            let every = Duration::from_millis(every_ms);
            let (letters, report) = scan_while_letters_arrive(&world, every, arriving).await;
            let case = format!("{kind:?}, every {every_ms} ms: {report:?}");
            assert_eq!((letters.len(), report.seen), (40, 40), "{case}");
            assert!(report.is_complete() && report.came_since > 0, "{case}");
            assert!(began.elapsed() < Duration::from_secs(10), "{case}");
            let told = report.remarks().concat();
            assert!(told.contains("came since this look began"), "{told}");
            assert_eq!(world.counts().await.not_visible, 0, "{case}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_look_ends_too_while_letters_arrive() {
    let world = World::new().await;
    world.send_dead_events(40).await;
    let arriving = |n: u32| letter(&record(n), "{}");
    let every = Duration::from_secs(1);
    // Those that were there have been received before.
    scan_all(&world.dead).await;
    let (letters, report) = scan_while_letters_arrive(&world, every, arriving).await;
    assert_eq!(letters.len(), 40, "{report:?}");
    let (letters, report) = scan_while_letters_arrive(&world, every, arriving).await;
    assert!(letters.len() > 40 && report.is_complete(), "{report:?}");
}

#[tokio::test(start_paused = true)]
async fn a_scan_ends_while_the_native_redrive_fills_a_group_that_hides_most_of_its_letters() {
    let world = World::new().await;
    let letters = (0..100).map(|n| native("EventSetup_7", n));
    world.send(letters.collect()).await;
    world.send_dead_events(5).await;
    let began = tokio::time::Instant::now();
    let every = Duration::from_millis(700);
    // Into the group, and into others.
    let arriving = |n: u32| match n % 2 {
        0 => native("EventSetup_7", n),
        _ => native(&format!("EventSetup_{n}"), n),
    };
    let (letters, report) = scan_while_letters_arrive(&world, every, arriving).await;
    assert_eq!(letters.len(), 15, "{report:?}");
    assert_eq!(report.missing().behind, 90);
    assert!(report.came_since > 0, "{report:?}");
    assert!(began.elapsed() < Duration::from_secs(20), "{report:?}");
}

#[tokio::test(start_paused = true)]
async fn a_scan_that_is_stopped_gives_everything_back() {
    let world = World::new().await;
    world.send_dead_events(100).await;
    let stop = CancellationToken::new();
    let mut seen = 0;
    let look = |_| {
        seen += 1;
        if seen == 20 {
            stop.cancel();
        }
        ControlFlow::Continue(())
    };
    let report = scan(&world.dead, ScanOptions::default(), &stop, look)
        .await
        .unwrap();
    assert!(matches!(report.end, End::Stopped));
    assert!((20..100).contains(&report.seen), "{}", report.seen);
    assert_eq!(world.counts().await, visible(100));
}

#[tokio::test(start_paused = true)]
async fn a_scan_that_found_its_letter_ends_and_gives_everything_back() {
    let world = World::new().await;
    world.send_dead_events(100).await;
    let mut found = None;
    let look = |letter: Letter| {
        if letter.is("origin-95") {
            found = Some(letter);
            ControlFlow::Break(End::Found)
        } else {
            ControlFlow::Continue(())
        }
    };
    let stop = CancellationToken::new();
    let report = scan(&world.dead, ScanOptions::default(), &stop, look)
        .await
        .unwrap();
    assert!(matches!(report.end, End::Found));
    assert!(report.seen <= 10, "the first receive had it");
    assert!(report.remarks().is_empty());
    assert_eq!(world.counts().await, visible(100));
    let found = found.unwrap();
    assert!(
        found.is(&found.message.message_id),
        "the present id names it too"
    );
}

#[tokio::test(start_paused = true)]
async fn a_scan_ends_when_it_holds_as_many_as_it_may() {
    let world = World::new().await;
    world.send_dead_events(100).await;
    let options = ScanOptions {
        most: 30,
        ..ScanOptions::default()
    };
    let (_, report) = scan_with(&world.dead, options).await;
    assert!(matches!(report.end, End::Full));
    assert!(!report.is_complete());
    assert_eq!(world.counts().await, visible(100));
}

#[tokio::test(start_paused = true)]
async fn a_scan_that_breaks_shows_what_it_saw_and_gives_it_back() {
    let world = World::new().await;
    world.send_dead_events(100).await;
    let breaking = world.breaking("ReceiveMessage", 3).await;
    let (letters, report) = scan_all(&breaking).await;
    assert!(matches!(report.end, End::Failed(_)), "{report:?}");
    assert_eq!(letters.len(), 30);
    assert!(
        report.remarks()[0].contains("30 of about 100 seen"),
        "{:?}",
        report.remarks()
    );
    assert_eq!(world.counts().await, visible(100));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_given_back_is_told_and_comes_back_by_itself() {
    let world = World::new().await;
    world.send_dead_events(10).await;
    let breaking = world.breaking("ChangeMessageVisibilityBatch", 0).await;
    let (_, report) = scan_all(&breaking).await;
    assert_eq!(report.kept, 10);
    assert_eq!(report.remarks().len(), 1);
    tokio::time::sleep(report.lease).await;
    assert_eq!(world.counts().await, visible(10));
}

#[tokio::test(start_paused = true)]
async fn a_second_engineer_at_the_same_time_is_told() {
    let world = World::new().await;
    world.send_dead_events(100).await;
    let (seen, mut watched) = watch::channel(0);
    let look = |_| {
        seen.send_modify(|seen| *seen += 1);
        ControlFlow::Continue(())
    };
    let stop = CancellationToken::new();
    let first = scan(&world.dead, ScanOptions::default(), &stop, look);
    let second = async {
        watched.wait_for(|seen| *seen == 100).await.unwrap();
        scan_all(&world.dead).await
    };
    let (first, (letters, second)) = tokio::join!(first, second);
    assert!(first.unwrap().is_complete());
    assert!(letters.len() < 100);
    assert!(!second.is_complete());
    assert!(
        second.remarks()[0].contains("somebody else"),
        "{:?}",
        second.remarks()
    );
    assert_eq!(world.counts().await, visible(100));
}

#[tokio::test(start_paused = true)]
async fn of_25_letters_of_a_group_filled_by_the_native_redrive_ten_are_shown_and_15_told() {
    let world = World::new().await;
    world
        .send((0..25).map(|n| native("EventSetup_7", n)).collect())
        .await;
    world.send_dead_events(5).await;
    let (letters, report) = scan_all(&world.dead).await;
    assert_eq!(letters.len(), 15);
    assert_eq!(report.missing().behind, 15);
    let notes = report.remarks();
    assert!(
        notes[0].starts_with("incomplete: 15 messages hidden"),
        "{notes:?}"
    );
    assert!(notes[0].contains("(EventSetup_7)"), "{notes:?}");

    let mut groups = Groups::default();
    letters.iter().for_each(|letter| groups.add(letter));
    let rows = groups.into_rows();
    let counted: Vec<_> = rows.iter().map(|g| (g.reason, g.status, g.count)).collect();
    let expected = [
        (Reason::ReceiveCountExceeded, None, 10),
        (Reason::Exhausted, Some(500), 5),
    ];
    assert_eq!(counted, expected);
    assert!(
        rows.iter()
            .all(|g| g.group.as_deref() == Some("EventSetup_7"))
    );
    assert_eq!(rows[1].oldest, Some(record(0).dead_at));
    assert_eq!(rows[1].newest, Some(record(4).dead_at));
}

#[tokio::test(start_paused = true)]
async fn the_native_redrive_itself_leaves_a_letter_under_its_first_id() {
    let world = World::new().await;
    let sent = world
        .source
        .send_batch(&[native("EventSetup_7", 1)])
        .await
        .unwrap();
    let id = sent[0].as_ref().unwrap().message_id.clone();
    let options = queue::ReceiveOptions {
        max: 10,
        wait: Duration::ZERO,
        visibility: Duration::ZERO,
    };
    for _ in 0..=queue::limits::MAX_RECEIVE_COUNT {
        world.source.receive(options).await.unwrap();
    }
    let (letters, report) = scan_all(&world.dead).await;
    assert!(report.is_complete());
    assert_eq!(letters[0].id(), id);
    assert_eq!(letters[0].reason(), Reason::ReceiveCountExceeded);
    assert_eq!(letters[0].group(), Some("EventSetup_7"));
}

#[tokio::test(start_paused = true)]
async fn a_replayed_event_that_the_native_redrive_took_keeps_its_first_life() {
    let world = World::new().await;
    let first = record(1);
    let replay = Replay {
        v: 1,
        replays: 1,
        origin: first.origin.clone(),
        attempts: first.attempts.clone(),
        trimmed: false,
    };
    let mut message = native("EventSetup_7", 1);
    let json = serde_json::to_string(&replay).unwrap();
    message
        .attributes
        .insert(REPLAY.to_owned(), Attribute::string(json));
    world.send(vec![message]).await;
    let (letters, _) = scan_all(&world.dead).await;
    assert_eq!(letters[0].id(), "origin-1");
    assert_eq!(letters[0].attempts_made(), 4);
    assert_eq!(letters[0].reason(), Reason::ReceiveCountExceeded);
}

#[tokio::test(start_paused = true)]
async fn a_letter_whose_record_cannot_be_read_is_shown_with_what_is_wrong() {
    let world = World::new().await;
    let damaged = |n: u32, attribute: Option<Attribute>| Outgoing {
        attributes: attribute
            .map(|a| (DEAD_LETTER.to_owned(), a))
            .into_iter()
            .collect(),
        ..letter(&record(n), "not JSON")
    };
    let bytes = Attribute {
        data_type: "Binary".to_owned(),
        value: queue::AttributeValue::Bytes(vec![1]),
    };
    world
        .send(vec![
            damaged(1, Some(Attribute::string("{\"v\":1}"))),
            damaged(2, Some(bytes)),
            damaged(3, None),
        ])
        .await;
    let (letters, report) = scan_all(&world.dead).await;
    assert!(report.is_complete());
    let problem = |n: u32| {
        let group = format!("EventSetup_7#origin-{n}");
        let letter = letters.iter().find(|l| l.group() == Some(&group)).unwrap();
        assert_eq!(letter.reason(), Reason::Other);
        assert_eq!(letter.id(), letter.message.message_id);
        letter.problem().unwrap().to_owned()
    };
    assert!(problem(1).contains("missing field"), "{}", problem(1));
    assert!(problem(2).contains("not text"), "{}", problem(2));
    assert!(problem(3).contains("without its record"), "{}", problem(3));
}

#[tokio::test(start_paused = true)]
async fn a_shown_letter_keeps_every_digit_of_its_body_and_every_field_of_its_record() {
    let world = World::new().await;
    let body = r#"{"n":1.50,"n":12345678901234567890123}"#;
    let mut sent = letter(&record(1), body);
    let json = sent.attributes[DEAD_LETTER]
        .as_str()
        .unwrap()
        .replacen('{', r#"{"newer":1,"#, 1);
    sent.attributes
        .insert(DEAD_LETTER.to_owned(), Attribute::string(&json));
    world.send(vec![sent]).await;
    let (letters, _) = scan_all(&world.dead).await;
    let shown = serde_json::to_string(&Shown::from(&letters[0])).unwrap();
    assert!(shown.contains(&format!(r#""body":{body}"#)), "{shown}");
    assert!(shown.contains(&format!(r#""record":{json}"#)), "{shown}");
    let fields: BTreeMap<String, serde_json::Value> = serde_json::from_str(&shown).unwrap();
    assert_eq!(fields["id"], "origin-1");
}

#[tokio::test(start_paused = true)]
async fn a_standard_internal_queue_is_scanned_too() {
    let world = World::of(Kind::Standard).await;
    let plain = |n: u32| Outgoing {
        group: None,
        deduplication_id: None,
        ..letter(&record(n), "{}")
    };
    world.send((0..25).map(plain).collect()).await;
    let (letters, report) = scan_all(&world.dead).await;
    assert_eq!(letters.len(), 25);
    assert_eq!(report.missing(), Missing::default());
    assert_eq!(world.counts().await, visible(25));
}
