use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_000_000);

/// A visit of a message that was sent an hour of Unix time ago, whose queue keeps it for two weeks.
fn open(record: Option<&Record>, receive_count: u32, now: Timestamp) -> Visit {
    let retention = Duration::from_secs(14 * 24 * 3600);
    let life = Lifetime::new(
        Timestamp::from_millis(0),
        retention,
        Duration::from_secs(30),
    );
    Visit::open(&schedule(), record, receive_count, &life, now)
}

fn schedule() -> RetrySchedule {
    RetrySchedule::new(RetrySchedule::avionte()).unwrap()
}

fn record(attempts: u32, state: RecordState) -> Record {
    let refused = Err(crate::Failure {
        kind: FailureKind::Connect,
        detail: "refused".to_owned(),
    });
    Record {
        attempts: (1..=attempts)
            .map(|n| Attempt::new(0, n, NOW, Duration::ZERO, &refused))
            .collect(),
        state,
        receives: 0,
        begun: 0,
    }
}

fn waiting(attempts: u32, not_before_ms: u64) -> Record {
    let not_before = Timestamp::from_millis(not_before_ms);
    let wait_ms = None;
    record(
        attempts,
        RecordState::Waiting {
            not_before,
            wait_ms,
        },
    )
}

#[test]
fn a_receive_is_not_an_attempt() {
    assert_eq!(open(None, 99, NOW), Visit::Attempt { n: 1 });
    assert_eq!(open(Some(&waiting(2, 0)), 3, NOW), Visit::Attempt { n: 3 });
}

#[test]
fn a_message_that_comes_before_its_time_is_hidden_for_the_remainder() {
    let early = open(Some(&waiting(2, 1_000_500)), 2, NOW);
    let remaining = Duration::from_millis(500);
    let cut = Duration::ZERO;
    assert_eq!(early, Visit::TooEarly { remaining, cut });
    assert_eq!(
        open(Some(&waiting(2, 1_000_000)), 2, NOW),
        Visit::Attempt { n: 3 }
    );
}

#[test]
fn no_wait_is_longer_than_it_was_meant_to_be_whatever_the_clocks_say() {
    let found = |wait_s: Option<u64>, left_ms: u64| {
        let not_before = NOW.plus(Duration::from_millis(left_ms));
        let wait_ms = wait_s.map(|s| s * 1_000);
        let state = RecordState::Waiting {
            not_before,
            wait_ms,
        };
        match open(Some(&record(2, state)), 2, NOW) {
            Visit::TooEarly { remaining, cut } => (remaining.as_millis(), cut.as_millis()),
            Visit::Attempt { n: 3 } => (0, 0),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(found(Some(60), 60_000), (60_000, 0));
    assert_eq!(found(Some(60), 61_000), (61_000, 0));
    assert_eq!(found(Some(60), 105_000), (60_000, 45_000));
    // A `Retry-After` that was accepted, and a record that does not say how long its wait was.
    assert_eq!(found(Some(900), 800_000), (800_000, 0));
    assert_eq!(found(None, 800_000), (60_000, 740_000));
    // A visit that was cut short had no wait.
    assert_eq!(found(Some(0), 700), (700, 0));
    assert_eq!(found(Some(0), 45_000), (0, 0));
}

#[test]
fn an_exhausted_event_is_never_attempted_again() {
    let verdict = Verdict {
        reason: Reason::Exhausted,
        detail: None,
        dead_at: NOW,
    };
    let record = record(4, RecordState::Exhausted(verdict.clone()));
    let visit = open(Some(&record), 200, NOW);
    assert_eq!(visit, Visit::Decided { verdict });
}

#[test]
fn an_event_that_has_come_to_its_end_is_only_deleted() {
    for attempts in [1, 4] {
        let record = record(attempts, RecordState::Done);
        let visit = open(Some(&record), 200, NOW);
        assert_eq!(visit, Visit::Done);
    }
}

#[test]
fn records_keep_their_form() {
    let verdict = Verdict {
        reason: Reason::NoCallback,
        detail: None,
        dead_at: NOW,
    };
    let state = |state| serde_json::to_value(state).unwrap();
    let exhausted = serde_json::json!({"exhausted": {
        "reason": "no-callback", "detail": null, "dead_at": "1970-01-01T00:16:40.000Z"
    }});
    assert_eq!(state(RecordState::Exhausted(verdict)), exhausted);
    assert_eq!(state(RecordState::Done), "done");
    let waiting = serde_json::json!({"waiting": {"not_before": "1970-01-01T00:16:40.000Z"}});
    let of_before = RecordState::Waiting {
        not_before: NOW,
        wait_ms: None,
    };
    assert_eq!(state(of_before.clone()), waiting);
    assert_eq!(
        serde_json::from_value::<RecordState>(waiting).ok(),
        Some(of_before)
    );
    let waiting = serde_json::json!({"waiting": {
        "not_before": "1970-01-01T00:16:40.000Z", "wait_ms": 60_000
    }});
    let begun = Timestamp::from_millis(940_000);
    let minute = Duration::from_secs(60);
    assert_eq!(state(RecordState::waiting(begun, minute)), waiting);
}

#[test]
fn a_schedule_made_shorter_ends_an_event_that_has_had_its_attempts() {
    let visit = open(Some(&waiting(4, 0)), 2, NOW);
    let reason = Reason::Exhausted;
    assert_eq!(visit, Visit::SetAside { reason });
}

#[test]
fn an_event_that_never_gets_a_verdict_is_watched_from_a_hundred_receives_on_and_set_aside_after_ten_visits()
 {
    assert_eq!(open(None, 100, NOW), Visit::Watch { n: 1 });
    let mut record = Record::begins(None, NOW);
    for receive_count in 101..110 {
        let visit = open(Some(&record), receive_count, NOW);
        assert_eq!(visit, Visit::Watch { n: 1 }, "receive {receive_count}");
        record = Record::begins(Some(&record), NOW);
    }
    let reason = Reason::ReceiveCountExceeded;
    let visit = open(Some(&record), 110, NOW);
    assert_eq!(visit, Visit::SetAside { reason });
}

#[test]
fn receives_that_no_visit_followed_cost_an_event_no_attempt_with_a_record_too() {
    let after_two = Record {
        receives: 700,
        ..waiting(2, 0)
    };
    for (receive_count, visit) in [
        (701, Visit::Attempt { n: 3 }),
        (799, Visit::Attempt { n: 3 }),
        (800, Visit::Watch { n: 3 }),
        (9_000, Visit::Watch { n: 3 }),
    ] {
        let opened = open(Some(&after_two), receive_count, NOW);
        assert_eq!(opened, visit, "receive {receive_count}");
    }
    let begun = Record::begins(Some(&after_two), NOW);
    assert_eq!(
        (begun.attempts.len(), begun.receives, begun.begun),
        (2, 700, 1)
    );
}

#[test]
fn what_comes_before_its_time_is_hidden_however_often_it_came() {
    let watched = Record {
        begun: MOST_BEGUN,
        ..waiting(2, 1_000_500)
    };
    let (remaining, cut) = (Duration::from_millis(500), Duration::ZERO);
    for record in [waiting(2, 1_000_500), watched] {
        let visit = open(Some(&record), 5_000, NOW);
        assert_eq!(visit, Visit::TooEarly { remaining, cut });
    }
}

#[test]
fn a_record_of_before_visits_were_counted_is_still_read() {
    let text = r#"{"attempts":[],"state":"done","receives":7}"#;
    let record: Record = serde_json::from_str(text).unwrap();
    assert_eq!((record.receives, record.begun), (7, 0));
}

#[test]
fn what_the_queue_would_drop_before_its_visit_is_set_aside_and_what_has_ended_is_not_asked() {
    let retention = Duration::from_secs(14 * 24 * 3600);
    let life = Lifetime::new(NOW, retention, Duration::from_secs(30));
    let before_end = |s: u64| NOW.plus(retention - Duration::from_secs(s));
    let open = |record: Option<&Record>, now| Visit::open(&schedule(), record, 2, &life, now);
    let expiring = Visit::SetAside {
        reason: Reason::Expiring,
    };
    let waiting_until = |not_before: Timestamp| {
        let wait_ms = Some(7_200_000);
        let state = RecordState::Waiting {
            not_before,
            wait_ms,
        };
        record(2, state)
    };
    // It would wait too long, it comes too late, or its turn comes in time.
    for (record, now, visit) in [
        (
            waiting_until(before_end(1_000)),
            before_end(7_200),
            &expiring,
        ),
        (
            waiting_until(before_end(7_200)),
            before_end(1_000),
            &expiring,
        ),
        (
            waiting_until(before_end(7_200)),
            before_end(1_801),
            &Visit::Attempt { n: 3 },
        ),
    ] {
        assert_eq!(&open(Some(&record), now), visit);
    }
    assert_eq!(open(None, before_end(1_000)), expiring);
    assert_eq!(
        open(Some(&record(2, RecordState::Done)), before_end(1)),
        Visit::Done
    );
}
