//! What is played: the events that are sent, and how the receivers answer each of them. Pure.

use std::ops::RangeInclusive;
use std::time::Duration;

use event::group_of_setup;
use serde_json::json;

/// The attempts of the schedule (Avionté: the attempt, at once, after one minute, at once).
const ATTEMPTS: u32 = 4;

/// Events of each event setup that our producer sends.
const EVENTS_PER_SETUP: u32 = 10;

/// Messages of the upstream system.
const UPSTREAM_EVENTS: u32 = 6;

/// The one of them that is not JSON.
const UPSTREAM_NOT_JSON: u32 = 3;

/// What an event meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// The first attempt is accepted.
    Accepted,
    /// Two attempts fail; the third, after the minute, is accepted.
    Recovers,
    /// No attempt is accepted.
    Down,
    /// It is no event: never POSTed.
    NotAnEvent,
}

impl Part {
    /// How many attempts there are to be.
    pub(super) fn attempts(self) -> u32 {
        match self {
            Self::Accepted => 1,
            Self::Recovers => 3,
            Self::Down => ATTEMPTS,
            Self::NotAnEvent => 0,
        }
    }

    /// How its receiver answers the `nth` request for it, counted from 1.
    pub(super) fn answer(self, nth: u32) -> u16 {
        match self {
            Self::Accepted => 200,
            Self::Recovers if nth <= 2 => 503,
            Self::Recovers => 201,
            Self::Down => 500,
            Self::NotAnEvent => 400,
        }
    }
}

/// One receiver: events of one name go to its path.
#[derive(Debug)]
pub(super) struct Receiver {
    /// The name of the events it is for.
    pub(super) event: &'static str,
    /// The path of its URL.
    pub(super) path: &'static str,
    /// The event setups that send it events.
    setups: RangeInclusive<u32>,
    /// What it does, in words.
    pub(super) does: &'static str,
    /// How long it takes to answer.
    pub(super) takes: Duration,
    /// The part of an event, by its setup and its number within it.
    part: fn(u32, u32) -> Part,
}

/// The receivers of what our producer sends.
pub(super) const RECEIVERS: [Receiver; 4] = [
    Receiver {
        event: "talent_created",
        path: "/accepts",
        setups: 1..=17,
        does: "accepts",
        takes: Duration::ZERO,
        part: |_, _| Part::Accepted,
    },
    Receiver {
        event: "shift_filled",
        path: "/is-slow",
        setups: 18..=18,
        does: "accepts, but slowly",
        takes: Duration::from_millis(250),
        part: |_, _| Part::Accepted,
    },
    Receiver {
        event: "placement_changed",
        path: "/recovers",
        setups: 19..=21,
        does: "fails twice for some events, then accepts",
        takes: Duration::ZERO,
        part: |_, number| match number {
            4 => Part::Recovers,
            _ => Part::Accepted,
        },
    },
    Receiver {
        event: "timesheet_approved",
        path: "/is-down-for-some",
        setups: 22..=24,
        does: "is down for some events, for good",
        takes: Duration::ZERO,
        part: |setup, number| match (setup, number) {
            (_, 3) | (24, 7) => Part::Down,
            _ => Part::Accepted,
        },
    },
];

/// The receiver of what the upstream system sends.
pub(super) const UPSTREAM: Receiver = Receiver {
    event: "invoice_sent",
    path: "/accepts-upstream",
    setups: 25..=25,
    does: "accepts; sent by an upstream system",
    takes: Duration::ZERO,
    part: |_, number| match number {
        UPSTREAM_NOT_JSON => Part::NotAnEvent,
        _ => Part::Accepted,
    },
};

/// One event of the scenario, before it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Planned {
    /// Its `msg_id`.
    pub(super) id: String,
    /// Its message group.
    pub(super) group: String,
    pub(super) part: Part,
    /// What is sent.
    pub(super) body: String,
}

impl Receiver {
    /// The message groups whose events come here.
    pub(super) fn groups(&self) -> Vec<String> {
        self.setups.clone().map(group).collect()
    }

    /// The events that our producer sends here, as its lines: those of one setup in order, setups in turn.
    pub(super) fn planned(&self) -> Vec<Planned> {
        let turns = (1..=EVENTS_PER_SETUP).flat_map(|number| {
            let setups = self.setups.clone();
            setups.map(move |setup| (setup, number))
        });
        let planned = turns.map(|(setup, number)| {
            let (id, group) = (id(setup, number), group(setup));
            let body = json!({
                "mkt_id": 7,
                "msg_id": id,
                "ext_customer_id": "acme",
                "MessageGroupId": group,
                "record": { "id": setup * 1_000 + number },
            });
            Planned {
                part: (self.part)(setup, number),
                body: body.to_string(),
                id,
                group,
            }
        });
        planned.collect()
    }
}

/// The messages of the upstream system: their bodies name neither group nor deduplication id, and one is not
/// even JSON.
pub(super) fn upstream() -> Vec<Planned> {
    let setup = *UPSTREAM.setups.start();
    let planned = (1..=UPSTREAM_EVENTS).map(|number| {
        let (id, part) = (id(setup, number), (UPSTREAM.part)(setup, number));
        let event = json!({
            "mkt_id": 7,
            "event_datetime": "2025-02-12T14:30:45",
            "msg_id": id,
            "invoice": number,
        });
        Planned {
            body: match part {
                Part::NotAnEvent => format!("Invoice {number} was sent"),
                _ => event.to_string(),
            },
            group: group(setup),
            id,
            part,
        }
    });
    planned.collect()
}

/// How many events are sent in all.
pub(super) fn events() -> usize {
    RECEIVERS.iter().map(|r| r.planned().len()).sum::<usize>() + upstream().len()
}

fn id(setup: u32, number: u32) -> String {
    format!("evt-{setup:02}-{number:02}")
}

fn group(setup: u32) -> String {
    group_of_setup(&setup.to_string()).expect("a number names an event setup")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn all() -> Vec<Planned> {
        let ours = RECEIVERS.iter().flat_map(Receiver::planned);
        ours.chain(upstream()).collect()
    }

    #[test]
    fn at_least_200_events_of_at_least_20_setups_are_sent_and_no_two_alike() {
        let ours: Vec<_> = RECEIVERS.iter().flat_map(Receiver::planned).collect();
        let groups: BTreeSet<_> = ours.iter().map(|planned| &planned.group).collect();
        assert!(
            ours.len() >= 200 && groups.len() >= 20,
            "{} of {}",
            ours.len(),
            groups.len()
        );
        let ids: BTreeSet<_> = all().into_iter().map(|planned| planned.id).collect();
        assert_eq!(ids.len(), events());
    }

    #[test]
    fn every_part_is_played_by_somebody() {
        for part in [Part::Accepted, Part::Recovers, Part::Down, Part::NotAnEvent] {
            assert!(all().iter().any(|planned| planned.part == part), "{part:?}");
        }
        assert!(
            RECEIVERS
                .iter()
                .any(|receiver| receiver.takes > Duration::ZERO)
        );
    }

    #[test]
    fn a_receiver_answers_as_often_as_its_part_says() {
        let accepted = |part: Part, nth| [200, 201].contains(&part.answer(nth));
        for part in [Part::Accepted, Part::Recovers] {
            let first = (1..=ATTEMPTS).find(|nth| accepted(part, *nth));
            assert_eq!(first, Some(part.attempts()), "{part:?}");
        }
        assert!((1..=ATTEMPTS).all(|nth| !accepted(Part::Down, nth)));
    }

    #[test]
    fn an_upstream_body_names_no_group_and_one_is_not_json() {
        let bodies = upstream().into_iter().map(|planned| planned.body);
        let (events, others): (Vec<_>, Vec<_>) =
            bodies.partition(|body| serde_json::from_str::<serde_json::Value>(body).is_ok());
        assert!(events.iter().all(|body| !body.contains("Message")));
        assert_eq!(others.len(), 1);
    }
}
