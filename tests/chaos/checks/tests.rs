//! Every check passes a good run and catches a doctored one, naming the event.

use std::time::Duration;

use delivery::{Answer, Attempt, DeadLetter, Death, Origin, Reason};

use super::*;
use crate::history::{End, Ending, Letter, Life, Sent};
use crate::journal::Began;

const FAILING: &str = "b1";

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn sent(id: &str) -> Sent {
    Sent {
        id: id.to_owned(),
        group: id[..1].to_owned(),
        at: millis(0),
    }
}

/// Answered ten milliseconds after it arrived.
fn request(id: &str, attempt: u32, life: usize, at: u64, status: u16) -> Request {
    Request {
        webhook_id: id.to_owned(),
        group: id[..1].to_owned(),
        attempt,
        life,
        body: format!("{{\"msg_id\":\"{id}\"}}"),
        arrived: millis(at),
        ended: Some((millis(at + 10), Ending::Status(status))),
    }
}

fn letter(began: Began, id: &str, dead_at: u64, attempts: &[(u32, u64)]) -> Letter {
    let answer = Ok(Answer {
        status: 500,
        retry_after: None,
        excerpt: String::new(),
    });
    let attempts = attempts.iter();
    let attempts = attempts
        .map(|&(n, at)| Attempt::new(0, n, began.at(millis(at)), millis(10), &answer))
        .collect();
    let death = Death {
        reason: Reason::Exhausted,
        detail: None,
        dead_at: began.at(millis(dead_at)),
        callback: None,
    };
    let origin = Origin {
        message_id: id.to_owned(),
        sequence_number: None,
        deduplication_id: None,
        group: None,
        sent_at: began.at(millis(0)),
    };
    Letter {
        id: id.to_owned(),
        record: Some(DeadLetter::new("queue", death, origin, None, attempts)),
    }
}

fn stopped(told: u64, code: i32) -> Life {
    let end = End::Stopped {
        told: millis(told),
        ended: millis(told + 100),
        code: Some(code),
    };
    Life {
        end,
        log: String::new(),
    }
}

/// Group a: the second recovers; the third is accepted, its worker 1 killed at once, and comes again when the lease
/// is over. Group b: the first fails for good, its first visit cut short by the same kill.
fn good() -> History {
    let began = Began::now();
    let killed = Life {
        end: End::Killed(millis(4_200)),
        log: String::new(),
    };
    History {
        began,
        wait: millis(2_000),
        events: ["a1", "b1", "a2", "b2", "a3"].map(sent).to_vec(),
        requests: vec![
            request("a1", 1, 0, 100, 200),
            request("a2", 1, 0, 120, 503),
            request("a2", 2, 0, 140, 503),
            request("a2", 3, 1, 2_160, 201),
            request("a3", 1, 1, 4_150, 200),
            request("b1", 1, 1, 4_180, 500),
            request("a3", 1, 2, 15_000, 200),
            request("b1", 1, 2, 15_100, 500),
            request("b1", 2, 2, 15_120, 500),
            request("b1", 3, 2, 17_200, 500),
            request("b1", 4, 2, 17_220, 500),
            request("b2", 1, 2, 17_300, 200),
        ],
        lives: vec![stopped(3_000, 0), killed, stopped(20_000, 0)],
        letters: vec![letter(
            began,
            FAILING,
            17_240,
            &[(1, 15_100), (2, 15_120), (3, 17_200), (4, 17_220)],
        )],
        listed: vec![FAILING.to_owned()],
        receiver_down: Vec::new(),
        sqs_down: Vec::new(),
        left: 0,
    }
}

/// The checks that fail once a good run is doctored, with the event that each names first.
fn caught(doctor: impl FnOnce(&mut History)) -> Vec<(&'static str, String)> {
    let mut history = good();
    doctor(&mut history);
    history.requests.sort_by_key(|request| request.arrived);
    let verdicts = all(&history).into_iter();
    let failed = verdicts.filter(|verdict| !verdict.violations.is_empty());
    failed
        .map(|verdict| {
            let event = verdict.violations[0].event.clone();
            (verdict.promise, event.unwrap_or_default())
        })
        .collect()
}

fn by(promise: &'static str, event: &str) -> (&'static str, String) {
    (promise, event.to_owned())
}

fn nth<'a>(history: &'a mut History, id: &str, attempt: u32, life: usize) -> &'a mut Request {
    let mut requests = history.requests.iter_mut();
    let found = requests.find(|r| (&*r.webhook_id, r.attempt, r.life) == (id, attempt, life));
    found.expect("a request")
}

fn moved(request: &mut Request, at: u64) {
    let took = request.ended_at() - request.arrived;
    request.arrived = millis(at);
    request.ended = request.ended.map(|(_, ending)| (millis(at) + took, ending));
}

fn record(history: &mut History) -> &mut DeadLetter {
    history.letters[0].record.as_mut().expect("a record")
}

#[test]
fn a_good_run_breaks_no_promise() {
    assert_eq!(caught(|_| {}), []);
}

#[test]
fn an_event_that_is_nowhere_is_caught() {
    let told = caught(|h| h.requests.retain(|r| r.webhook_id != "b2"));
    assert_eq!(told, [by("nothing vanishes", "b2")]);
    let told = caught(|h| h.letters.clear());
    assert!(told.contains(&by("nothing vanishes", FAILING)), "{told:?}");
}

#[test]
fn a_dead_letter_that_is_not_listed_and_an_event_nobody_sent_are_caught() {
    let told = caught(|h| h.listed.clear());
    assert_eq!(told, [by("nothing vanishes", FAILING)]);
    let told = caught(|h| h.listed.push("x9".to_owned()));
    assert_eq!(told, [by("nothing vanishes", "")]);
}

#[test]
fn a_second_copy_of_a_dead_letter_is_caught() {
    let told = caught(|h| h.letters.push(h.letters[0].clone()));
    assert_eq!(told, [by("one place, one copy", FAILING)]);
}

#[test]
fn an_accepted_event_that_is_dead_as_well_is_caught_unless_its_worker_was_killed() {
    let dead = |id: &'static str, dead_at| {
        move |h: &mut History| {
            let attempts = [1, 2, 3, 4].map(|n| (n, dead_at - 3_000 * u64::from(5 - n)));
            h.letters.push(letter(h.began, id, dead_at, &attempts));
            h.listed.push(id.to_owned());
        }
    };
    let told = caught(dead("b2", 60_000));
    assert!(told.contains(&by("one place, one copy", "b2")), "{told:?}");
    let told = caught(dead("a3", 60_000));
    assert!(
        !told
            .iter()
            .any(|(promise, _)| *promise == "one place, one copy")
    );
}

#[test]
fn a_message_that_is_left_behind_is_caught() {
    let told = caught(|h| h.left = 1);
    assert_eq!(told, [by("the source queue is empty", "")]);
}

#[test]
fn an_overtaking_is_caught() {
    let told = caught(|h| moved(nth(h, "a3", 1, 1), 1_000));
    let expected = [
        by("first deliveries in order", "a3"),
        by("nobody goes ahead", "a3"),
    ];
    assert_eq!(told[..2], expected);
}

#[test]
fn a_follower_of_an_event_that_is_not_done_is_caught_though_the_order_of_deliveries_is_right() {
    let told = caught(|h| {
        let mut early = request("b2", 1, 2, 16_000, 500);
        early.body = nth(h, "b2", 1, 2).body.clone();
        h.requests.push(early);
    });
    assert_eq!(told, [by("nobody goes ahead", "b2")]);
}

#[test]
fn two_requests_of_a_group_at_once_are_caught() {
    let told = caught(|h| nth(h, "b1", 1, 1).ended = Some((millis(15_105), Ending::Status(500))));
    assert_eq!(told, [by("one request of a group at a time", "b1")]);
}

#[test]
fn a_fifth_attempt_is_caught() {
    let told = caught(|h| nth(h, "b2", 1, 2).attempt = 5);
    assert!(
        told.contains(&by("at most four attempts", "b2")),
        "{told:?}"
    );
}

#[test]
fn a_receive_that_counts_as_an_attempt_is_caught_unless_the_receiver_was_down() {
    let told = caught(|h| nth(h, "b2", 1, 2).attempt = 2);
    assert_eq!(told, [by("attempts are counted as made", "b2")]);
    let told = caught(|h| {
        nth(h, "b2", 1, 2).attempt = 2;
        h.receiver_down
            .push(Span::new(millis(17_260), millis(17_290)));
    });
    assert_eq!(told, []);
}

#[test]
fn a_retry_before_its_wait_is_caught() {
    let told = caught(|h| moved(nth(h, "a2", 3, 1), 2_100));
    assert_eq!(told, [by("no retry before its wait", "a2")]);
    let told = caught(|h| {
        let third = h.began.at(millis(17_000));
        record(h).attempts[2].at = third;
        moved(nth(h, FAILING, 3, 2), 17_001);
    });
    assert_eq!(told, [by("no retry before its wait", FAILING)]);
}

#[test]
fn a_recorded_attempt_that_nobody_saw_is_caught() {
    let told = caught(|h| record(h).attempts[3].status = Some(502));
    assert!(
        told.contains(&by("dead letters tell the truth", FAILING)),
        "{told:?}"
    );
    let told = caught(|h| {
        let late = h.began.at(millis(17_235));
        record(h).attempts[3].at = late;
    });
    assert!(
        told.contains(&by("dead letters tell the truth", FAILING)),
        "{told:?}"
    );
    let told = caught(|h| h.letters[0].record = None);
    assert!(
        told.contains(&by("dead letters tell the truth", FAILING)),
        "{told:?}"
    );
}

#[test]
fn a_post_that_is_not_on_the_record_is_caught_unless_its_worker_was_killed() {
    let told = caught(|h| nth(h, FAILING, 1, 1).life = 0);
    assert_eq!(told, [by("only crashes hide a POST", FAILING)]);
}

#[test]
fn an_event_that_dies_without_its_attempts_is_caught() {
    let told = caught(|h| record(h).attempts.truncate(0));
    assert_eq!(told, [by("none dead without its attempts", FAILING)]);
    let told = caught(|h| record(h).reason = Reason::ReceiveCountExceeded);
    assert_eq!(told, [by("none dead without its attempts", FAILING)]);
}

#[test]
fn a_post_after_exhaustion_is_caught() {
    let told = caught(|h| h.requests.push(request(FAILING, 4, 1, 18_000, 500)));
    assert!(
        told.contains(&by("silence after exhaustion", FAILING)),
        "{told:?}"
    );
}

#[test]
fn a_duplicate_of_a_worker_that_was_well_is_caught() {
    let told = caught(|h| h.lives[1] = stopped(4_200, 0));
    let expected = [
        by("only crashes hide a POST", FAILING),
        by("duplicates only after a crash", "a3"),
    ];
    assert_eq!(told, expected);
    // A kill long after the delete excuses nothing.
    let told = caught(|h| h.lives[1].end = End::Killed(millis(5_500)));
    assert_eq!(told, [by("duplicates only after a crash", "a3")]);
}

#[test]
fn a_duplicate_that_looks_like_another_event_is_caught() {
    let told = caught(|h| nth(h, "a3", 1, 2).body.push(' '));
    assert_eq!(told, [by("one event, one identity", "a3")]);
}

#[test]
fn a_stop_that_fails_or_takes_too_long_is_caught() {
    let told = caught(|h| h.lives[0] = stopped(3_000, 1));
    assert_eq!(told, [by("a stop is clean", "")]);
    let told = caught(|h| {
        h.lives[0].end = End::Stopped {
            told: millis(3_000),
            ended: millis(18_000),
            code: Some(0),
        };
    });
    assert_eq!(told, [by("a stop is clean", "")]);
}
