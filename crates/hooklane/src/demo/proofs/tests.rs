//! Every proof holds for a good run and fails for a doctored one, naming the event.

use std::time::Duration;

use delivery::{Answer, Attempt, Reason};
use event::Timestamp;

use super::*;
use crate::demo::observations::{Letter, Request, Sent};
use crate::demo::scenario::Part;

const MINUTE: Duration = Duration::from_secs(3);

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn sent(id: &str, group: &str, part: Part) -> Sent {
    Sent {
        id: id.to_owned(),
        group: group.to_owned(),
        part,
    }
}

/// Answered two milliseconds after it arrived.
fn request(id: &str, group: &str, nth: u32, at: u64, status: u16) -> Request {
    Request {
        id: id.to_owned(),
        group: group.to_owned(),
        nth,
        attempt: Some(nth),
        arrived: millis(at),
        answered: Some((millis(at + 2), status)),
        signed: true,
    }
}

fn letter(id: &str, reason: Reason, attempts: u32) -> Letter {
    let answer = Ok(Answer {
        status: 500,
        retry_after: None,
        excerpt: String::new(),
    });
    let attempt = |n| Attempt::new(0, n, Timestamp::from_millis(0), millis(2), &answer);
    Letter {
        id: id.to_owned(),
        reason,
        detail: None,
        attempts: (1..=attempts).map(attempt).collect(),
    }
}

/// Two groups: in `a` the second event recovers, in `b` the first is down and the second no event.
fn good() -> Observations {
    Observations {
        sent: vec![
            sent("a1", "a", Part::Accepted),
            sent("b1", "b", Part::Down),
            sent("a2", "a", Part::Recovers),
            sent("b2", "b", Part::NotAnEvent),
            sent("a3", "a", Part::Accepted),
            sent("b3", "b", Part::Accepted),
        ],
        requests: vec![
            request("a1", "a", 1, 0, 200),
            request("b1", "b", 1, 1, 500),
            request("a2", "a", 1, 5, 503),
            request("b1", "b", 2, 6, 500),
            request("a2", "a", 2, 10, 503),
            request("b1", "b", 3, 3_050, 500),
            request("b1", "b", 4, 3_055, 500),
            request("a2", "a", 3, 3_060, 201),
            request("a3", "a", 1, 4_000, 200),
            request("b3", "b", 1, 4_100, 200),
        ],
        letters: vec![
            letter("b1", Reason::Exhausted, 4),
            letter("b2", Reason::InvalidEvent, 0),
        ],
        left: 0,
        waits: vec![Duration::ZERO, MINUTE, Duration::ZERO],
    }
}

/// The faults of the only proof that fails once the observations are doctored.
fn faults(claim: &str, doctor: impl FnOnce(&mut Observations)) -> Vec<String> {
    let mut observations = good();
    doctor(&mut observations);
    let failed: Vec<Proof> = all(&observations)
        .into_iter()
        .filter(|proof| !proof.holds())
        .collect();
    let claims: Vec<_> = failed.iter().map(|proof| proof.claim).collect();
    assert_eq!(claims, [claim]);
    failed
        .into_iter()
        .filter_map(|p| p.result.err())
        .flatten()
        .collect()
}

/// As [`faults`] for the claim alone, where one wrong thing breaks several.
fn among(claim: &str, doctor: impl FnOnce(&mut Observations)) -> Vec<String> {
    let mut observations = good();
    doctor(&mut observations);
    let proof = all(&observations).into_iter().find(|p| p.claim == claim);
    proof
        .and_then(|proof| proof.result.err())
        .unwrap_or_default()
}

fn swap_order(observations: &mut Observations, first: &str, second: &str) {
    let place = |id| observations.sent.iter().position(|sent| sent.id == id);
    let (first, second) = (place(first).unwrap(), place(second).unwrap());
    observations.sent.swap(first, second);
}

#[test]
fn a_good_run_is_proved_with_its_figures() {
    let findings: Vec<_> = all(&good())
        .into_iter()
        .map(|proof| proof.result.expect(proof.claim))
        .collect();
    assert_eq!(
        findings,
        [
            "2 groups: every event waited for the one ahead of it",
            "6 sent = 4 accepted once + 2 in the internal queue",
            "2 retried at once, after 3s, at once; 0.0 s late at most",
            "10 requests, each with the HMAC-SHA256 of its exact body",
        ]
    );
}

#[test]
fn an_overtaking_breaks_the_order() {
    let told = faults("order kept", |o| swap_order(o, "a2", "a3"));
    assert_eq!(told, ["a3: overtaken by a2, which was sent after it"]);
}

#[test]
fn a_follower_that_is_delivered_during_a_wait_breaks_the_order() {
    let told = faults("order kept", |o| {
        let follower = o.requests.iter().position(|r| r.id == "a3").unwrap();
        let mut follower = o.requests.remove(follower);
        (follower.arrived, follower.answered) = (millis(20), Some((millis(22), 200)));
        o.requests.insert(5, follower);
    });
    assert_eq!(told, ["a2: overtaken by a3, which was sent after it"]);
}

#[test]
fn a_request_that_comes_before_the_answer_to_the_one_ahead_breaks_the_order() {
    let told = faults("order kept", |o| {
        let ahead = o.requests.iter_mut().rfind(|r| r.id == "a2").unwrap();
        ahead.answered = Some((millis(4_001), 201));
    });
    assert_eq!(told, ["a3: POSTed before a2 was answered"]);
}

#[test]
fn an_event_that_changes_its_group_breaks_the_order() {
    let told = faults("order kept", |o| o.requests[0].group = "b".to_owned());
    assert_eq!(told, ["a1: sent in group a, came as one of group b"]);
}

#[test]
fn an_event_that_is_nowhere_is_missing() {
    let told = among("nothing missing", |o| {
        o.requests.retain(|request| request.id != "a3");
    });
    assert_eq!(told, ["a3: neither accepted nor in the internal queue"]);
    let told = faults("nothing missing", |o| {
        o.letters.retain(|letter| letter.id != "b1");
    });
    assert_eq!(told, ["b1: neither accepted nor in the internal queue"]);
}

#[test]
fn an_event_that_is_accepted_twice_is_told() {
    let told = among("nothing missing", |o| {
        o.requests.push(request("b3", "b", 2, 4_110, 200));
    });
    assert_eq!(told, ["b3: accepted 2 times"]);
}

#[test]
fn a_second_copy_of_a_dead_letter_is_told() {
    let told = faults("nothing missing", |o| o.letters.push(o.letters[0].clone()));
    assert_eq!(told, ["b1: 2 copies in the internal queue"]);
}

#[test]
fn an_event_that_is_accepted_and_dead_is_told() {
    let told = among("nothing missing", |o| {
        o.letters.push(letter("a1", Reason::Exhausted, 1));
    });
    assert_eq!(told, ["a1: accepted, and in the internal queue as well"]);
}

#[test]
fn what_was_never_sent_and_what_was_left_behind_are_told() {
    let told = faults("nothing missing", |o| {
        o.requests.push(request("x", "a", 1, 5_000, 404));
        o.letters.push(letter("y", Reason::NoCallback, 0));
        o.left = 3;
    });
    assert_eq!(
        told,
        [
            "x: came, but was never sent",
            "y: is in the internal queue, but was never sent",
            "the source queue still holds 3"
        ]
    );
}

#[test]
fn a_wait_that_is_too_short_or_too_long_is_told() {
    let third = |at: u64| {
        move |o: &mut Observations| {
            let third = o.requests.iter_mut().rfind(|r| r.id == "a2").unwrap();
            (third.arrived, third.answered) = (millis(at), Some((millis(at + 2), 201)));
        }
    };
    // The second attempt was answered at 12 ms.
    assert_eq!(
        faults("waits kept", third(2_900)),
        ["a2: 2.9 s before attempt 3, 3.0 s were due"]
    );
    let late = |o: &mut Observations| {
        third(5_100)(o);
        let follower = o.requests.iter_mut().find(|r| r.id == "a3").unwrap();
        (follower.arrived, follower.answered) = (millis(5_200), Some((millis(5_201), 200)));
    };
    assert_eq!(
        faults("waits kept", late),
        ["a2: 5.1 s before attempt 3, 3.0 s were due"]
    );
    assert!(among("waits kept", third(3_012)).is_empty());
}

#[test]
fn a_second_attempt_that_waits_is_told() {
    let told = faults("waits kept", |o| {
        for request in o.requests.iter_mut().filter(|r| r.id == "b1" && r.nth > 1) {
            request.arrived += millis(3_000);
            request.answered = request
                .answered
                .map(|(at, status)| (at + millis(3_000), status));
        }
        o.requests.retain(|request| request.id != "b3");
        o.requests.push(request("b3", "b", 1, 7_000, 200));
    });
    assert_eq!(told, ["b1: 3.0 s before attempt 2, 0.0 s were due"]);
}

#[test]
fn an_attempt_too_few_or_too_many_is_told() {
    let told = among("waits kept", |o| {
        o.requests.retain(|r| !(r.id == "b1" && r.nth == 4));
    });
    assert_eq!(
        told,
        [
            "b1: 3 attempts, 4 were due",
            "b1: its record says 500, 500, 500, 500, the receiver answered 500, 500, 500"
        ]
    );
    let told = among("waits kept", |o| {
        o.requests.push(request("b2", "b", 1, 5_000, 400));
    });
    assert_eq!(told[0], "b2: 1 attempt, 0 were due");
}

#[test]
fn an_attempt_that_counts_itself_wrongly_is_told() {
    let told = faults("waits kept", |o| o.requests[3].attempt = Some(1));
    assert_eq!(told, ["b1: X-Hooklane-Attempt of attempt 2 says 1"]);
}

#[test]
fn a_dead_letter_that_records_other_answers_is_told() {
    let told = faults("waits kept", |o| o.letters[0].attempts[1].status = None);
    assert_eq!(
        told,
        ["b1: its record says 500, no answer, 500, 500, the receiver answered 500, 500, 500, 500"]
    );
}

#[test]
fn one_unsigned_request_is_told() {
    let told = faults("all signed", |o| o.requests[4].signed = false);
    assert_eq!(told, ["a2: attempt 2 not signed"]);
}

#[test]
fn a_run_in_which_nothing_happened_proves_nothing() {
    let nothing = Observations {
        sent: Vec::new(),
        requests: Vec::new(),
        letters: Vec::new(),
        ..good()
    };
    let failed: Vec<_> = all(&nothing).into_iter().filter(|p| !p.holds()).collect();
    let claims: Vec<_> = failed.iter().map(|proof| proof.claim).collect();
    assert_eq!(claims, ["nothing missing", "all signed"]);
}
