//! What the lanes of one worker share.

use std::sync::{Arc, Mutex, MutexGuard};

use queue::{Clock, Queue, Received};
use store::Ledger;
use tokio_util::sync::CancellationToken;

use crate::lanes::denials::Denials;
use crate::lanes::gate::{Cause, Gate};
use crate::lanes::memory::Memory;
use crate::lanes::notes::Notes;
use crate::lanes::standstill::Standstill;
use crate::lanes::starting::Starting;
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
    pub(crate) starting: Starting,
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
        let stop = CancellationToken::new();
        let starting = Starting::new(limits.max_in_flight, gate.clone(), stop.clone());
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
            starting,
            stop,
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
