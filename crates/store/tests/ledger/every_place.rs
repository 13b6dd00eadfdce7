//! What holds wherever the ledger is kept.

use store::{Key, LedgerError, WriteError};

use crate::place::Place;
use crate::{RETENTION, key, now, record, together, write};

/// Each claim as a test of its own in each place.
macro_rules! hold {
    (in $($place:ident = $new:expr),+; $claims:tt) => {
        $(hold!(@place $place, $new, $claims);)+
    };
    (@place $place:ident, $new:expr, { $($claim:ident)+ }) => {
        mod $place {
            use crate::place::Place;
            $(
                #[tokio::test]
                async fn $claim() {
                    super::$claim($new).await;
                }
            )+
        }
    };
}

hold! {
    in memory = Place::memory(), file = Place::file(), table = Place::table().await;
    {
        what_one_worker_writes_another_reads
        of_two_workers_that_read_the_same_only_the_first_writes
        a_forgotten_record_is_not_written_over
        records_are_told_apart_by_queue_and_message
        of_workers_that_race_one_writes_each_version_and_none_is_lost
        many_records_are_forgotten_at_once
        a_record_stays_as_long_as_its_message_may
        a_check_leaves_nothing_and_disturbs_nothing
        what_was_delivered_in_a_group_is_noted_and_never_goes_back
        of_those_who_note_a_group_together_the_highest_stays
        a_group_is_watched_from_its_death_until_something_newer_is_delivered
        groups_that_die_together_are_all_watched
    }
}

// Nobody else can reach what is in memory.
mod reachable {
    use super::{a_ledger_that_was_taken_away_fails_every_call, an_unreadable_record_is_named};
    hold! {
        in file = Place::file(), table = Place::table().await;
        {
            an_unreadable_record_is_named
            a_ledger_that_was_taken_away_fails_every_call
        }
    }
}

async fn what_one_worker_writes_another_reads(place: Place) {
    let (one, two) = (place.ledger().await, place.ledger().await);
    assert_eq!(one.read(&key("m")).await, Ok(None));
    let written = write(&one, "m", None, 2).await.unwrap();
    let seen = two.read(&key("m")).await.unwrap().unwrap();
    assert_eq!(seen, written);
    assert_eq!(seen.record, record(2));
    let no_group = Key {
        group: None,
        ..key("standard")
    };
    let written = one.write(&no_group, None, &record(1), now()).await.unwrap();
    assert_eq!(two.read(&no_group).await, Ok(Some(written)));
}

async fn of_two_workers_that_read_the_same_only_the_first_writes(place: Place) {
    let (one, two) = (place.ledger().await, place.ledger().await);
    let first = write(&one, "m", None, 1).await.unwrap();
    let lost = write(&two, "m", None, 1).await;
    assert_eq!(lost, Err(WriteError::Lost));

    let seen = two.read(&key("m")).await.unwrap().unwrap();
    let second = write(&two, "m", Some(&seen), 2).await;
    let lost = write(&one, "m", Some(&first), 3).await;
    assert_eq!(lost, Err(WriteError::Lost));
    assert_eq!(one.read(&key("m")).await, Ok(second.ok()));
}

async fn a_forgotten_record_is_not_written_over(place: Place) {
    let (one, two) = (place.ledger().await, place.ledger().await);
    let seen = write(&one, "m", None, 1).await.unwrap();
    two.forget(&[key("m")]).await.unwrap();
    let lost = write(&one, "m", Some(&seen), 2).await;
    assert_eq!(lost, Err(WriteError::Lost));
    assert_eq!(one.read(&key("m")).await, Ok(None));
}

async fn records_are_told_apart_by_queue_and_message(place: Place) {
    let ledger = place.ledger().await;
    let elsewhere = Key {
        queue: "https://sqs.us-east-1.amazonaws.com/123456789012/other.fifo".to_owned(),
        ..key("m-1")
    };
    for (key, attempts) in [(key("m-1"), 1), (elsewhere.clone(), 2), (key("m-2"), 3)] {
        let record = record(attempts);
        ledger.write(&key, None, &record, now()).await.unwrap();
    }
    let gone = [key("m-1"), key("never-there")];
    ledger.forget(&gone).await.unwrap();
    assert_eq!(ledger.read(&key("m-1")).await, Ok(None));
    let read = async |key| ledger.read(&key).await.unwrap().unwrap().record;
    assert_eq!(read(elsewhere).await, record(2));
    assert_eq!(read(key("m-2")).await, record(3));
}

/// Each write adds one attempt, so a lost write would be missing at the end.
async fn of_workers_that_race_one_writes_each_version_and_none_is_lost(place: Place) {
    const WORKERS: usize = 6;
    const WRITES_EACH: usize = 5;
    let mut ledgers = Vec::new();
    for _ in 0..WORKERS {
        ledgers.push(place.ledger().await);
    }
    let written = together(WORKERS, |n| {
        let ledger = ledgers[n].clone();
        async move {
            let mut versions = Vec::new();
            // In each round of everybody's tries one succeeds.
            for _ in 0..WORKERS * WRITES_EACH * 2 {
                let seen = ledger.read(&key("m")).await.unwrap();
                let made = seen.as_ref().map_or(0, |seen| seen.record.attempts.len());
                match write(&ledger, "m", seen.as_ref(), made as u32 + 1).await {
                    Ok(written) => versions.push(written.version),
                    Err(why) => assert_eq!(why, WriteError::Lost),
                }
                if versions.len() == WRITES_EACH {
                    break;
                }
            }
            versions
        }
    });
    let mut versions: Vec<_> = written.await.into_iter().flatten().collect();
    versions.sort_unstable();
    let all: Vec<_> = (1..=(WORKERS * WRITES_EACH) as i64).collect();
    assert_eq!(versions, all);
    let last = ledgers[0].read(&key("m")).await.unwrap().unwrap();
    assert_eq!(last.record.attempts.len(), WORKERS * WRITES_EACH);
}

async fn many_records_are_forgotten_at_once(place: Place) {
    let ledger = place.ledger().await;
    let written = together(60, |n| {
        let ledger = ledger.clone();
        async move { write(&ledger, n, None, 1).await }
    });
    assert!(written.await.iter().all(Result::is_ok));
    // One stays, some were never there, and all are named twice.
    let keys: Vec<_> = (1..70).flat_map(|n| [key(n), key(n)]).collect();
    ledger.forget(&keys).await.unwrap();
    for n in 0..60 {
        let is_there = ledger.read(&key(n)).await.unwrap().is_some();
        assert_eq!(is_there, n == 0, "{n}");
    }
    ledger.forget(&[]).await.unwrap();
}

async fn a_record_stays_as_long_as_its_message_may(place: Place) {
    let ledger = place.ledger().await;
    let written = write(&ledger, "m", None, 1).await;
    assert_eq!(ledger.expire(now().plus(RETENTION)).await, Ok(0));
    assert_eq!(ledger.read(&key("m")).await, Ok(written.ok()));
}

async fn a_check_leaves_nothing_and_disturbs_nothing(place: Place) {
    let (one, two) = (place.ledger().await, place.ledger().await);
    let written = write(&one, "m", None, 1).await;
    let checks = together(4, |n| {
        let ledger = [&one, &two][n % 2].clone();
        async move { ledger.check().await }
    });
    assert!(checks.await.iter().all(Result::is_ok));
    assert_eq!(two.read(&key("m")).await, Ok(written.ok()));
    if let Place::Table(name) = &place {
        let scan = crate::place::client().scan().table_name(name).send().await;
        assert_eq!(scan.unwrap().count, 1);
    }
}

async fn what_was_delivered_in_a_group_is_noted_and_never_goes_back(place: Place) {
    let (one, two) = (place.ledger().await, place.ledger().await);
    let queue = &key("m").queue;
    let group = "EventSetup_7#of/this:one";
    assert_eq!(one.delivered_up_to(queue, group).await, Ok(None));
    for (number, noted) in [
        ("9", "9"),
        ("10", "10"),
        ("000009", "10"),
        ("10", "10"),
        ("18849496460467696128", "18849496460467696128"),
    ] {
        let written = one.note_delivered(queue, group, number, now()).await;
        assert_eq!(written, Ok(true), "nothing of it died");
        let read = two.delivered_up_to(queue, group).await;
        assert_eq!(read, Ok(Some(noted.to_owned())));
    }
    let elsewhere = one.delivered_up_to("https://sqs/other.fifo", group).await;
    assert_eq!(elsewhere, Ok(None));
    assert_eq!(one.delivered_up_to(queue, "EventSetup_7").await, Ok(None));
}

async fn of_those_who_note_a_group_together_the_highest_stays(place: Place) {
    const WORKERS: usize = 6;
    let ledger = place.ledger().await;
    let noted = together(WORKERS, |n| {
        let ledger = ledger.clone();
        async move {
            let number = (n + 5).to_string();
            let queue = key("m").queue;
            ledger
                .note_delivered(&queue, "EventSetup_7", &number, now())
                .await
        }
    });
    assert_eq!(noted.await, vec![Ok(true); WORKERS]);
    let highest = ledger
        .delivered_up_to(&key("m").queue, "EventSetup_7")
        .await;
    assert_eq!(highest, Ok(Some("10".to_owned())));
}

async fn a_group_is_watched_from_its_death_until_something_newer_is_delivered(place: Place) {
    let (one, two) = (place.ledger().await, place.ledger().await);
    let (queue, group) = (&key("m").queue, "EventSetup_7");
    let died_at = now();
    let deaths = [(group.to_owned(), died_at)].into();
    assert_eq!(two.watched_groups(queue).await, Ok([].into()));
    for number in ["9", "10"] {
        one.note_death(queue, group, number, now()).await.unwrap();
        one.watch(queue, &deaths, now()).await.unwrap();
    }
    let watched = two.watched_groups(queue).await.unwrap();
    assert_eq!(watched[group].since, died_at);
    // A replay of the first leaves the second.
    let settled = two.note_delivered(queue, group, "9", now()).await;
    assert_eq!(settled, Ok(false));
    two.unwatch(queue, group, now()).await.unwrap();
    assert_eq!(one.watched_groups(queue).await, Ok(watched));
    let settled = two.note_delivered(queue, group, "11", now()).await;
    assert_eq!(settled, Ok(true));
    two.unwatch(queue, group, now()).await.unwrap();
    two.unwatch(queue, group, now()).await.unwrap();
    assert_eq!(one.watched_groups(queue).await, Ok([].into()));
    let note = one.of_group(queue, group).await.unwrap();
    assert_eq!(note.newest_dead.as_deref(), Some("10"));
    assert_eq!(note.delivered_up_to.as_deref(), Some("11"));
}

async fn groups_that_die_together_are_all_watched(place: Place) {
    const WORKERS: usize = 6;
    let ledger = place.ledger().await;
    let queue = key("m").queue;
    let watched = together(WORKERS, |n| {
        let (ledger, queue) = (ledger.clone(), queue.clone());
        async move {
            let deaths = [(format!("EventSetup_{n}"), now())].into();
            ledger.watch(&queue, &deaths, now()).await
        }
    });
    assert_eq!(watched.await, vec![Ok(()); WORKERS]);
    assert_eq!(ledger.watched_groups(&queue).await.unwrap().len(), WORKERS);
}

async fn an_unreadable_record_is_named(place: Place) {
    let ledger = place.ledger().await;
    for id in ["m-1", "m-2"] {
        let written = write(&ledger, id, None, 1).await;
        written.unwrap();
    }
    place.spoil(&key("m-1")).await;
    let error = ledger.read(&key("m-1")).await.unwrap_err();
    let named = matches!(&error, LedgerError::Record { message_id, .. } if message_id == "m-1");
    assert!(named, "{error:?}");
    assert!(ledger.read(&key("m-2")).await.unwrap().is_some());
}

async fn a_ledger_that_was_taken_away_fails_every_call(place: Place) {
    let ledger = place.ledger().await;
    let seen = write(&ledger, "m", None, 1).await;
    place.remove().await;
    assert!(ledger.read(&key("m")).await.is_err());
    let written = write(&ledger, "m", seen.as_ref().ok(), 2);
    assert!(matches!(written.await, Err(WriteError::Ledger(_))));
    assert!(ledger.forget(&[key("m")]).await.is_err());
    assert!(ledger.check().await.is_err());
    let queue = key("m").queue;
    let noted = ledger.note_delivered(&queue, "EventSetup_7", "1", now());
    assert!(matches!(noted.await, Err(WriteError::Ledger(_))));
    assert!(
        ledger
            .delivered_up_to(&queue, "EventSetup_7")
            .await
            .is_err()
    );
}
