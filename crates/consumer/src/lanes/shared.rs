//! What the lanes of one worker share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use queue::{Clock, Queue, Received};
use store::Ledger;
use tokio::sync::OwnedMutexGuard;
use tokio_util::sync::CancellationToken;

use crate::lanes::denials::Denials;
use crate::lanes::gate::{Cause, Gate};
use crate::lanes::memory::Memory;
use crate::lanes::notes::Notes;
use crate::lanes::standstill::Standstill;
use crate::routes::Routes;
use crate::settings::{Limits, Settings};
use crate::tally::Tally;
use crate::watch::Watch;

pub(crate) struct Shared<P> {
    pub(crate) routes: Routes,
    pub(crate) limits: Limits,
    pub(crate) source: Queue,
    pub(crate) dead_letters: Queue,
    pub(crate) ledger: Ledger,
    pub(crate) post: P,
    pub(crate) clock: Clock,
    pub(crate) memory: Arc<Mutex<Memory>>,
    pub(crate) notes: Arc<Notes>,
    pub(crate) tally: Arc<Tally>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) standstill: Arc<Standstill>,
    pub(crate) watch: Watch,
    pub(crate) turns: Turns,
    /// No new attempts: what is held is given back after the attempt in hand.
    pub(crate) stop: CancellationToken,
    /// The grace is over: attempts in hand are dropped.
    pub(crate) abort: CancellationToken,
}

/// What lanes work with.
pub struct Wiring<P> {
    /// Where events come from.
    pub source: Queue,
    /// The internal queue.
    pub dead_letters: Queue,
    /// The attempt ledger.
    pub ledger: Ledger,
    /// How one POST is made.
    pub post: P,
    /// The wall clock.
    pub clock: Clock,
}

impl<P> Shared<P> {
    /// Puts together what lanes share; nothing runs yet.
    pub(crate) fn new(settings: Settings, wiring: Wiring<P>) -> Self {
        let gate = Arc::new(Gate::new());
        let denials = Arc::<Denials>::default();
        let source = denials.watch_source(wiring.source, gate.clone());
        let ledger = denials.watch_ledger(wiring.ledger);
        let dead_letters = denials.watch(wiring.dead_letters);
        let needed = settings.schedule.longest_life();
        let notes = Notes::new(source.url(), ledger.clone(), wiring.clock.clone());
        let (routes, limits) = settings.split();
        Self {
            watch: Watch::new(&source, &dead_letters, needed),
            routes,
            limits,
            notes: Arc::new(notes),
            source,
            dead_letters,
            ledger,
            post: wiring.post,
            clock: wiring.clock,
            memory: Arc::default(),
            tally: Arc::default(),
            gate,
            standstill: Arc::default(),
            turns: Turns::default(),
            stop: CancellationToken::new(),
            abort: CancellationToken::new(),
        }
    }

    /// Opens the gate again if it can be.
    pub(crate) async fn try_gate(&self) {
        match self.may_open().await {
            Some(why) => self.gate.reopen(why),
            None => self.gate.still_closed(),
        }
    }

    /// Tries whatever may have closed the gate, and says why it can open. What is found amiss that did not close it is said
    /// too.
    async fn may_open(&self) -> Option<&'static str> {
        let gate = &self.gate;
        if let Err(error) = self.ledger.check().await {
            gate.close(Cause::Ledger, &error);
            return None;
        }
        if let Err(error) = self.dead_letters.counts().await {
            gate.close(Cause::InternalQueue, &error);
            return None;
        }
        // Only an attempt to hide can tell whether it is allowed, and so it is made only then.
        if !gate.is_closed_by(Cause::Hiding) || self.source.check_may_hide().await.is_ok() {
            return Some("all is well again");
        }
        // What is due is attempted all the same. Nothing is received while an event waits, so receives stay as few as visits.
        let is_due = !gate.is_waited_for();
        is_due.then_some("messages still cannot be hidden, but none waits any more")
    }

    pub(crate) fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().expect("no holder panics")
    }

    /// The message group, where it keeps an order. On a standard queue it is a tenant ([fair queues]): nothing of it
    /// waits for anything else.
    ///
    /// [fair queues]: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues.html
    pub(crate) fn ordered_group<'m>(&self, message: &'m Received) -> Option<&'m str> {
        let group = message.group.as_deref();
        group.filter(|_| self.source.is_fifo())
    }
}

/// One lane of a group at a time within this worker. SQS sees to that while leases hold; this covers the
/// moment in which one ran out and the group came again.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<Groups>);

type Turn = tokio::sync::Mutex<()>;

#[derive(Debug, Default)]
struct Groups {
    turns: HashMap<String, Weak<Turn>>,
    /// Past groups are swept out when there are so many: twice what was left after the last sweep.
    sweep_at: usize,
}

/// Not worth a sweep.
const FEW_GROUPS: usize = 1_024;

impl Turns {
    /// Waits for the group's turn, which lasts until the guard is dropped.
    pub(crate) async fn take(&self, group: &str) -> OwnedMutexGuard<()> {
        let turn = self.0.lock().expect("no holder panics").turn_of(group);
        turn.lock_owned().await
    }
}

impl Groups {
    fn turn_of(&mut self, group: &str) -> Arc<Turn> {
        if let Some(turn) = self.turns.get(group).and_then(Weak::upgrade) {
            return turn;
        }
        if self.turns.len() >= self.sweep_at.max(FEW_GROUPS) {
            self.turns.retain(|_, turn| turn.strong_count() > 0);
            self.sweep_at = 2 * self.turns.len();
        }
        let turn = Arc::new(Turn::default());
        self.turns.insert(group.to_owned(), Arc::downgrade(&turn));
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn two_lanes_of_one_group_take_turns_and_two_groups_do_not_wait_for_each_other() {
        let turns = Turns::default();
        let first = turns.take("a").await;
        let _other = turns.take("b").await;
        let mut second = std::pin::pin!(turns.take("a"));
        assert!(futures_util::poll!(&mut second).is_pending());
        drop(first);
        assert!(futures_util::poll!(&mut second).is_ready());
    }

    #[test]
    fn groups_that_are_past_do_not_pile_up() {
        let mut groups = Groups::default();
        for group in 0..10 * FEW_GROUPS {
            groups.turn_of(&group.to_string());
        }
        assert!(groups.turns.len() <= FEW_GROUPS);
    }
}
