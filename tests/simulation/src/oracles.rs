//! What must hold after a history. Each oracle says what it found, an entry each; nothing found is good.

mod attempts;
mod claims;
mod connections;
mod fates;
mod order;
mod replays;
mod standing;

use std::fmt;
use std::time::Duration;

use delivery::RecordState;

use crate::history::Left;
use crate::ledger::LOOK;
use crate::log::{Event, Line, Request, Seen, Worker, Written};
use crate::plan::{Behaviour, Plan};

/// What one oracle found.
pub(crate) type Found = Vec<String>;

/// A visit that ended is written down by then.
const WRITTEN_BY: Duration = Duration::from_secs(30);

const ROUNDING: Duration = Duration::from_millis(2);

/// No clock of a history is further off.
const MOST_OFF: Duration = Duration::from_secs(61);

/// How exact a date is, what a clock may be beyond that and is believed, and by how much two machines' clocks run apart in a
/// history.
const OF_ONE_DATE: Duration = Duration::from_millis(1_000 + 500 + 250);

pub(crate) type Oracle = fn(&View<'_>) -> Found;

/// Every oracle with the promise it holds a history to.
pub(crate) const ORACLES: [(&str, Oracle); 23] = [
    (
        "every event ends delivered or in the internal queue, one live copy, none lost",
        fates::conserved,
    ),
    ("what is dead has the reason it should have", fates::reasons),
    (
        "nothing is dead-lettered after a worker saw it accepted",
        fates::accepted_stays_alive,
    ),
    (
        "nothing is POSTed after it was recorded exhausted",
        fates::dead_stays_dead,
    ),
    (
        "nothing is set aside before the ledger says so",
        fates::recorded_before_set_aside,
    ),
    (
        "what is no event is never POSTed",
        fates::invalid_is_never_posted,
    ),
    ("a dead letter's record tells the truth", fates::records),
    (
        "of every dead letter the ledger knows that it died",
        replays::deaths,
    ),
    (
        "first deliveries happen in sending order",
        order::first_deliveries,
    ),
    (
        "nothing is POSTed before the one ahead of it is accepted or set aside",
        order::one_after_the_other,
    ),
    (
        "never two POSTs of a group at once while leases hold",
        order::one_at_a_time,
    ),
    (
        "no more attempts are recorded than the schedule has, and none is made again that could be recorded",
        attempts::as_many_as_planned,
    ),
    (
        "no retry comes before its wait is over",
        attempts::never_early,
    ),
    (
        "without trouble the waits are the schedule's",
        attempts::schedule,
    ),
    (
        "duplicates only where a worker died or lost its leases, with the same webhook-id",
        attempts::duplicates,
    ),
    (
        "a request goes out again if and only if a reused connection had been closed: once, on a new one",
        connections::once_again,
    ),
    (
        "receive counts stay far from the native backstop",
        standing::receive_counts,
    ),
    (
        "after a graceful restart no group waits longer than 5 s for it",
        standing::restarts,
    ),
    (
        "no event waits long for its first attempt once it is its turn",
        standing::turns,
    ),
    (
        "no lane stands still, and nothing stays in hand",
        standing::all_done,
    ),
    ("a summary tells what was done", claims::summaries),
    (
        "a worker is ready when all is well, and not while what it met is down",
        claims::readiness,
    ),
    (
        "a worker that drains ends when nothing is left, and then",
        claims::drained,
    ),
];

/// The oracles of histories with engineers. What the others say of one life does not hold for several.
pub(crate) const REPLAY_ORACLES: [(&str, Oracle); 14] = [
    (
        "after the last replay every event is delivered, dropped or in the internal queue, in one place",
        replays::conserved,
    ),
    (
        "no letter is sent twice within five minutes, and none that is alive",
        replays::duplicates,
    ),
    (
        "an event is accepted once in each of its lives",
        replays::accepted_once_a_life,
    ),
    (
        "a replay sends the letters of a group in the order of their events",
        replays::order_of_sends,
    ),
    (
        "first deliveries of a replay happen in that order",
        replays::order_of_deliveries,
    ),
    (
        "only what was asked for is sent",
        replays::only_what_was_asked_for,
    ),
    (
        "what an engineer is told is true",
        replays::what_engineers_are_told,
    ),
    (
        "every life is on record, with one body and one webhook-id",
        replays::histories,
    ),
    ("what is noted as delivered was delivered", replays::notes),
    (
        "of every dead letter the ledger knows that it died, replays included",
        replays::deaths,
    ),
    (
        "of every dead letter it is known whether newer events were delivered since",
        replays::newer_deliveries,
    ),
    (
        "never two POSTs of a group at once while leases hold, replays included",
        order::one_at_a_time,
    ),
    (
        "receive counts stay far from the native backstop, replays included",
        standing::receive_counts,
    ),
    ("no lane stands still, replays included", standing::all_done),
];

/// A history with what the oracles ask of it again and again.
pub(crate) struct View<'a> {
    pub(crate) left: &'a Left,
    pub(crate) seen: &'a Seen,
}

impl View<'_> {
    fn plan(&self) -> &Plan {
        &self.left.plan
    }

    fn events(&self) -> impl Iterator<Item = Event> + '_ {
        let groups = self.plan().groups.iter().enumerate();
        groups.flat_map(|(group, plan)| (1..=plan.events.len()).map(move |n| Event { group, n }))
    }

    fn behaviour(&self, event: Event) -> Behaviour {
        self.plan().groups[event.group].events[event.n - 1]
    }

    /// The requests of one event, in the order in which they were made.
    fn requests(&self, event: Event) -> Vec<&Request> {
        let of_event = self
            .seen
            .requests
            .iter()
            .filter(|request| request.event == event);
        of_event.collect()
    }

    /// When a callback first accepted it.
    fn accepted(&self, event: Event) -> Option<Duration> {
        self.requests(event)
            .iter()
            .filter_map(|request| request.accepted)
            .min()
    }

    /// When a worker first knew that it was accepted, or set it aside; if none did, since it died, when a callback first
    /// accepted it.
    fn ended(&self, event: Event) -> Option<Duration> {
        let requests = self.requests(event);
        let taken = requests
            .iter()
            .filter_map(|request| request.seen_accepted());
        let known = taken.chain(self.set_aside(event)).min();
        known.or_else(|| self.accepted(event))
    }

    /// When it was first recorded as exhausted.
    fn exhausted(&self, event: Event) -> Option<Duration> {
        self.exhausted_record(event).map(|written| written.at)
    }

    fn exhausted_record(&self, event: Event) -> Option<&Written> {
        self.seen.written.iter().find(|written| {
            matches!(written.record.state, RecordState::Exhausted(_))
                && self.seen.event_of(&written.message_id) == Some(event)
        })
    }

    /// Whether a worker that stood still wrote a record when it went on, or one that stopped had written a record that the
    /// ledger was slow to take, and another one that had received the message and read the ledger before could not know of
    /// it.
    fn could_not_know(&self, request: &Request, written: &Written) -> bool {
        let mut receives = self.seen.receives.iter().rev();
        let received = receives.find(|receive| {
            receive.worker == request.worker
                && receive.message_id == written.message_id
                && receive.at <= request.at
        });
        let began = received.map_or(Duration::ZERO, |receive| receive.at);
        // It stood still, or it could not extend its lease, or had to stop, and the ledger took its time besides.
        let begun = request
            .at
            .min(written.at)
            .saturating_sub(self.plan().visibility);
        let was_late = self.seen.was_struck(written.worker, began, written.at)
            || (self.plan().profile.has_sqs_faults()
                || self.seen.was_told_to_stop(written.worker, written.at))
                && self.met_a_ledger_fault(written.worker, begun, written.at);
        request.worker != written.worker && began < written.at && was_late
    }

    /// Whether a visit could not be written down since such a late record came first.
    fn lost_to_a_late_record(&self, request: &Request) -> bool {
        let until = request.over().unwrap_or(request.at) + WRITTEN_BY;
        let lost = self.seen.lines.iter().any(|(at, line)| {
            matches!(line, Line::Ledger(who, _, "lost the race") if *who == request.worker)
                && request.at <= *at
                && *at <= until
        });
        let mut written = self.seen.written.iter();
        lost && written.any(|written| {
            written.at <= until
                && self.seen.event_of(&written.message_id) == Some(request.event)
                && self.could_not_know(request, written)
        })
    }

    /// When it was recorded as exhausted, or first sent to the internal queue.
    fn set_aside(&self, event: Event) -> Option<Duration> {
        let buried = self.seen.buried.iter().find(|buried| buried.0 == event);
        [self.exhausted(event), buried.map(|buried| buried.1)]
            .into_iter()
            .flatten()
            .min()
    }

    /// Whether a call of the worker to the ledger failed within a span of time.
    fn met_a_ledger_fault(&self, worker: Worker, from: Duration, until: Duration) -> bool {
        self.seen.lines.iter().any(|(at, line)| {
            let is_fault = matches!(
                line,
                Line::Ledger(who, name, fate)
                    if *who == worker && *name != LOOK && *fate != "lost the race"
            );
            is_fault && from <= *at && *at <= until
        })
    }

    fn is_dead(&self, event: Event) -> bool {
        self.left.dead.iter().any(|dead| dead.event == Some(event))
    }

    /// By how much a wait may be too short: nothing but rounding if clocks are right. What is off by half a second is
    /// believed.
    fn clock_error(&self) -> Duration {
        if self.plan().clocks.is_empty() {
            ROUNDING
        } else {
            Duration::from_secs(2)
        }
    }

    /// By how much a moment may be wrong that a worker wrote down: SQS's time is known to a second and how long the
    /// shortest call took that had an answer by then, which may be long where answers are late; and half a second beyond
    /// that is believed.
    fn error_of(&self, worker: Worker, at: Duration) -> Duration {
        if self.plan().clocks.is_empty() {
            return ROUNDING;
        }
        let dates = self.seen.dated.get(&worker).into_iter().flatten();
        let by_then = dates.filter(|(answered, _)| *answered <= at);
        let shortest = by_then.map(|(_, took)| *took).min();
        shortest.map_or(MOST_OFF, |took| took + OF_ONE_DATE)
    }

    fn was_struck(&self, request: &Request, until: Duration) -> bool {
        self.seen.was_struck(request.worker, request.at, until)
    }
}

/// A moment, for people.
struct At(Duration);

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} s", self.0.as_secs_f64())
    }
}
