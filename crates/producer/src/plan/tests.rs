use event::{Draft, Event, Fill, Scope, Share};
use proptest::prelude::*;

use super::*;

const LIMITS: Limits = Limits {
    lines: 40,
    bytes: 4_000,
    batch_bytes: 1_000,
};

const WALL: u64 = 1_739_370_645_000;

fn moment(millis: u64) -> Moment {
    Moment {
        wall: Timestamp::from_millis(WALL + millis),
        elapsed: Duration::from_millis(millis),
    }
}

fn plan() -> Plan {
    Plan::new(LIMITS, DedupClock::new(Scope::MessageGroup, Share::ALL))
}

/// An event of 100 bytes.
fn event(group: Option<&str>) -> Ready {
    let fill = Fill {
        msg_id: "m",
        event_datetime: Timestamp::from_millis(0),
        group_id: group,
    };
    Ready {
        group: group.map(Arc::from),
        draft: Draft::new("{}", &Event::default(), &fill),
        sent_as: None,
        size: 100,
    }
}

fn failed() -> Verdict {
    Verdict::Failed {
        error: "down".to_owned(),
        in_doubt: false,
    }
}

/// A plan with one line for each group named, all of them past the wait before a first use.
fn admitted(groups: &[&str]) -> Plan {
    let mut plan = plan();
    for (line, group) in (1..).zip(groups) {
        plan.admit(line, event(Some(group)), moment(0));
    }
    plan.wake(moment(5));
    plan
}

fn lines(batch: Option<Vec<Sendable>>) -> Vec<u64> {
    let batch = batch.unwrap_or_default();
    batch.into_iter().map(|sendable| sendable.line).collect()
}

fn next(plan: &mut Plan, millis: u64) -> Vec<u64> {
    lines(plan.next_batch(true, moment(millis)))
}

#[test]
fn a_batch_holds_one_event_of_a_group() {
    let mut plan = admitted(&["a", "a", "b", "a", "c"]);
    assert_eq!(next(&mut plan, 5), [1, 3, 5]);
    assert_eq!(next(&mut plan, 9), [0; 0], "their groups are in flight");
}

#[test]
fn the_next_event_of_a_group_follows_when_the_one_before_is_settled() {
    let mut plan = admitted(&["a", "a", "a"]);
    assert_eq!(next(&mut plan, 5), [1]);
    plan.settle(1, Verdict::Sent, moment(8));
    assert_eq!(next(&mut plan, 8), [2]);
    plan.settle(2, Verdict::Refused, moment(9));
    assert_eq!(
        next(&mut plan, 9),
        [3],
        "a refused event does not hold its group"
    );
    plan.settle(3, Verdict::Sent, moment(9));
    assert!(plan.is_done());
    assert!(plan.groups.is_empty());
}

#[test]
fn events_of_one_millisecond_wait_for_the_next() {
    let mut plan = admitted(&["a", "a"]);
    assert_eq!(next(&mut plan, 5), [1]);
    plan.settle(1, Verdict::Sent, moment(5));
    assert_eq!(next(&mut plan, 5), [0; 0]);
    assert_eq!(plan.next_timer(), Some(Duration::from_millis(6)));
    plan.wake(moment(6));
    assert_eq!(next(&mut plan, 6), [2]);
}

#[test]
fn an_unfilled_batch_goes_only_when_asked() {
    let mut plan = admitted(&["a", "b"]);
    assert!(plan.has_batch());
    assert_eq!(lines(plan.next_batch(false, moment(5))), [0; 0]);
    assert_eq!(next(&mut plan, 5), [1, 2]);
}

#[test]
fn a_batch_is_full_at_ten_events_or_at_its_bytes() {
    let groups: Vec<String> = (0..12).map(|n| n.to_string()).collect();
    let groups: Vec<&str> = groups.iter().map(String::as_str).collect();
    let mut plan = admitted(&groups);
    assert_eq!(lines(plan.next_batch(false, moment(5))).len(), 10);

    let mut plan = admitted(&groups);
    plan.limits.batch_bytes = 350;
    assert_eq!(lines(plan.next_batch(false, moment(5))), [1, 2, 3]);
}

#[test]
fn a_failed_event_goes_again_with_the_same_id_and_holds_its_group() {
    let mut plan = admitted(&["a", "a"]);
    let first = plan.next_batch(true, moment(5)).unwrap();
    plan.settle(1, failed(), moment(6));
    assert_eq!(next(&mut plan, 50), [0; 0]);
    assert_eq!(plan.next_timer(), Some(Duration::from_millis(106)));
    plan.wake(moment(106));
    let second = plan.next_batch(true, moment(106)).unwrap();
    assert_eq!(second.len(), 1);
    assert_eq!(first[0].deduplication_id, second[0].deduplication_id);
    assert_eq!(first[0].body, second[0].body);
}

#[test]
fn pauses_double_up_to_ten_seconds() {
    let mut plan = admitted(&["a"]);
    let mut now = 5;
    let mut pauses = Vec::new();
    for _ in 0..9 {
        assert_eq!(next(&mut plan, now), [1]);
        plan.settle(1, failed(), moment(now));
        let again = plan.next_timer().unwrap().as_millis() as u64;
        pauses.push(again - now);
        now = again;
        plan.wake(moment(now));
    }
    assert_eq!(
        pauses,
        [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]
    );
}

#[test]
fn four_minutes_without_success_end_the_send() {
    let mut plan = admitted(&["a", "b", "a"]);
    let mut now = 5;
    assert_eq!(next(&mut plan, now), [1, 2]);
    plan.settle(2, Verdict::Sent, moment(now));
    plan.settle(1, failed(), moment(now));
    while plan.halted().is_none() {
        now = plan.next_timer().unwrap().as_millis() as u64;
        plan.wake(moment(now));
        assert_eq!(next(&mut plan, now), [1]);
        plan.settle(1, failed(), moment(now));
    }
    assert_eq!(
        now, 240_005,
        "the last attempt is four minutes after the first"
    );
    assert!(matches!(plan.halted(), Some(Halt::GaveUp { line: 1, .. })));
    assert!(plan.is_done());
    assert_eq!((plan.unsent_from(), plan.sent_beyond()), (Some(1), vec![2]));
}

#[test]
fn while_a_line_fails_nothing_later_is_begun_and_nothing_admitted() {
    let mut plan = plan();
    for (line, group) in [(3, "a"), (4, "b"), (5, "b"), (6, "c")] {
        plan.admit(line, event(Some(group)), moment(0));
    }
    plan.limits.batch_bytes = 200;
    plan.wake(moment(5));
    assert_eq!(next(&mut plan, 5), [3, 4]);
    plan.settle(4, failed(), moment(6));
    assert!(!plan.has_room());
    assert_eq!(next(&mut plan, 6), [0; 0], "line 6 is later than 4");
    plan.settle(3, Verdict::Sent, moment(7));
    plan.wake(moment(200));
    assert_eq!(next(&mut plan, 200), [4]);
    plan.settle(4, Verdict::Sent, moment(201));
    assert!(plan.has_room());
    assert_eq!(next(&mut plan, 201), [5, 6]);
}

#[test]
fn events_refused_together_go_alone() {
    let mut plan = admitted(&["a", "b", "c"]);
    assert_eq!(next(&mut plan, 5), [1, 2, 3]);
    for line in 1..=3 {
        plan.settle(line, Verdict::RefusedTogether, moment(6));
    }
    assert!(plan.has_room(), "nothing fails");
    for line in 1..=3 {
        assert_eq!(lines(plan.next_batch(false, moment(6))), [line]);
    }
}

#[test]
fn after_a_halt_only_what_is_in_flight_is_settled() {
    let mut plan = admitted(&["a", "b", "a"]);
    plan.limits.batch_bytes = 100;
    assert_eq!(next(&mut plan, 5), [1]);
    plan.halt(Halt::Asked);
    assert_eq!(next(&mut plan, 5), [0; 0]);
    assert!(!plan.is_done() && !plan.has_room());
    plan.settle(1, Verdict::Sent, moment(9));
    assert!(plan.is_done());
    assert_eq!(plan.unsent_from(), Some(2));
}

#[test]
fn an_unanswered_attempt_leaves_its_line_in_doubt() {
    let mut plan = admitted(&["a", "b"]);
    next(&mut plan, 5);
    let error = "no answer".to_owned();
    plan.settle(
        1,
        Verdict::Failed {
            error,
            in_doubt: true,
        },
        moment(6),
    );
    plan.settle(2, failed(), moment(6));
    assert_eq!(plan.in_doubt(), [1]);
}

#[test]
fn a_wall_clock_set_far_back_ends_the_send() {
    let mut plan = admitted(&["a", "a"]);
    assert_eq!(next(&mut plan, 5), [1]);
    let back = Moment {
        wall: Timestamp::from_millis(WALL - 600_000),
        elapsed: Duration::from_millis(6),
    };
    plan.settle(1, Verdict::Sent, back);
    assert!(matches!(plan.halted(), Some(Halt::ClockBehind { by }) if by.as_secs() == 600));
}

#[test]
fn lines_of_a_standard_queue_do_not_wait_for_each_other() {
    let mut plan = plan();
    for line in 1..=3 {
        plan.admit(line, event(None), moment(0));
    }
    let batch = plan.next_batch(true, moment(0)).unwrap();
    assert_eq!(batch.len(), 3);
    assert!(
        batch
            .iter()
            .all(|s| s.deduplication_id.is_none() && s.group.is_none())
    );
}

#[derive(Debug, Clone, Copy)]
enum Fate {
    Sent,
    Refused,
    Failed,
    Together,
}

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let fate = prop_oneof![
        6 => Just(Fate::Sent),
        1 => Just(Fate::Refused),
        2 => Just(Fate::Failed),
        1 => Just(Fate::Together),
    ];
    prop::collection::vec(fate, 1..50)
}

proptest! {
    /// Lines of random groups, answers of random kind after random times: every promise of the plan at once.
    #[test]
    fn order_identity_and_bounds_hold(
        groups in prop::collection::vec(0..6u8, 1..120),
        fates in fates(),
        pauses in prop::collection::vec(0..30u64, 1..20),
        full_first: bool,
    ) {
        let (mut fates, mut pauses) = (fates.into_iter().cycle(), pauses.into_iter().cycle());
        let mut plan = plan();
        let mut now = 0;
        let mut unread = (1..).zip(&groups);
        let mut in_flight: VecDeque<Vec<Sendable>> = VecDeque::new();
        let mut ids: HashMap<u64, Timestamp> = HashMap::new();
        let mut settled: HashMap<u8, Vec<u64>> = HashMap::new();
        let mut last_id: HashMap<u8, Timestamp> = HashMap::new();
        let mut failing = BTreeSet::new();
        let group_of = |line: u64| groups[line as usize - 1];
        loop {
            now += pauses.next().unwrap();
            while plan.has_room() && let Some((line, group)) = unread.next() {
                plan.admit(line, event(Some(&group.to_string())), moment(now));
            }
            prop_assert!(plan.look_ahead() <= LIMITS.lines);
            prop_assert!(plan.bytes < LIMITS.bytes + 100);
            plan.wake(moment(now));
            while let Some(batch) = plan.next_batch(!full_first, moment(now)).or_else(|| plan.next_batch(true, moment(now))) {
                prop_assert!((1..=MAX_BATCH).contains(&batch.len()) && batch.len() * 100 <= LIMITS.batch_bytes);
                for sendable in &batch {
                    let group = group_of(sendable.line);
                    let elsewhere = in_flight.iter().flatten().chain(&batch).filter(|s| group_of(s.line) == group);
                    prop_assert_eq!(elsewhere.count(), 1, "one of a group on its way");
                    let id = sendable.deduplication_id.unwrap();
                    prop_assert!(sendable.body.contains(&id.deduplication_id()));
                    prop_assert!(id.as_millis() <= WALL + now, "never ahead of the wall clock");
                    match ids.insert(sendable.line, id) {
                        Some(before) => prop_assert_eq!(before, id, "another attempt, the same id"),
                        None => {
                            prop_assert!(failing.first().is_none_or(|&first| sendable.line <= first));
                            prop_assert!(last_id.insert(group, id).is_none_or(|last| last < id));
                        }
                    }
                }
                in_flight.push_back(batch);
            }
            if let Some(batch) = in_flight.pop_front() {
                let together = batch.len() > 1;
                for Sendable { line, .. } in batch {
                    let answer = match fates.next().unwrap() {
                        Fate::Failed => {
                            failing.insert(line);
                            failed()
                        }
                        Fate::Together if together => Verdict::RefusedTogether,
                        fate => {
                            failing.remove(&line);
                            settled.entry(group_of(line)).or_default().push(line);
                            if matches!(fate, Fate::Sent) { Verdict::Sent } else { Verdict::Refused }
                        }
                    };
                    plan.settle(line, answer, moment(now));
                }
            } else if plan.is_done() {
                break;
            } else if let Some(at) = plan.next_timer() {
                now = now.max(at.as_millis() as u64);
            }
            if plan.halted().is_some() {
                return Ok(()); // A line whose every attempt fails ends the send; that is another test.
            }
        }
        for (group, lines) in settled {
            let expected: Vec<_> = (1..).zip(&groups).filter(|&(_, g)| *g == group).map(|(line, _)| line).collect();
            prop_assert_eq!(lines, expected, "in order and complete");
        }
        prop_assert_eq!(plan.unsent_from(), None);
        prop_assert_eq!(plan.bytes, 0);
    }
}
