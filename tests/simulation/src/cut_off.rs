//! A command on a full internal queue, cut off at one await after the other, and repeated. No workers, no other
//! faults: whatever is wrong at the end, the cut did it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use delivery::{Attempt, DEAD_LETTER, DeadLetter, Death, Origin, Reason, dead_letter_group};
use event::{EVENT_NAME, Timestamp};
use letters::{Filter, Outcome};
use local_sqs::{Limits, LocalSqs};
use queue::admin::{Kind, create_pair};
use queue::{Attribute, Outgoing, Queue, ReceiveOptions, Sqs};
use tokio::time::{Instant, sleep};

use crate::dice::Dice;
use crate::engineer::{Command, CutOff, Desk, Ended};
use crate::history::START;
use crate::log::{Caller, Event, Log};
use crate::network::{Network, event_of};
use crate::plan::{Counts, SqsFaults};
use crate::told::Told;
use crate::wires::Wires;

/// The letters of a command that was cut off are there again by then: within the five minutes for which SQS knows
/// what was sent.
const THERE_AGAIN_WITHIN: Duration = Duration::from_secs(200);

/// What a command is selected by: the name of the event.
const SELECTED: &str = "talent_created";

/// Which command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// A replay.
    Replay,
    /// A drop.
    Drop,
}

/// What came of a command that was cut off.
#[derive(Debug)]
pub struct CutReport {
    /// Whether it was: past the end of its work it is not.
    pub was_cut: bool,
    /// What should not be.
    pub found: Vec<String>,
    /// Everything that happened, in order; a line each.
    pub trace: Vec<String>,
}

/// Kills an engineer, or tells them to stop, at the n-th await of a command; then another one runs it to its end.
pub fn check_cut_off(cut: Cut, killed: bool, crossing: u32) -> CutReport {
    fastrand::seed(0);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let cut_off = if killed {
        CutOff::Killed(crossing)
    } else {
        CutOff::ToldToStop(crossing)
    };
    runtime.block_on(run(cut, cut_off))
}

/// One dead letter as it lies in the internal queue before anything is done.
struct Spec {
    event: Event,
    /// The native redrive moved it: it has no record and lies in the group of its event.
    is_native: bool,
    is_selected: bool,
}

/// A group the worker filled, with two letters of one event, one that the native redrive filled with more than SQS shows at a time, one of both
/// kinds, and one of which nothing is selected. In each, something stays.
fn specs() -> Vec<Spec> {
    let spec = |group, n, is_native, is_selected| Spec {
        event: Event { group, n },
        is_native,
        is_selected,
    };
    // The worker's not in the order of their events: the last to be sent was the first to die.
    let recorded = [4, 3, 2, 2, 1].map(|n| spec(0, n, false, n != 3));
    let native = (1..=14).map(|n| spec(1, n, true, n % 5 != 0));
    let mixed = [3, 1, 2, 4].map(|n| spec(2, n, n % 2 == 0, true));
    let others = (1..=2).map(|n| spec(3, n, false, false));
    let of_the_worker = recorded.into_iter().chain(mixed);
    of_the_worker.chain(native).chain(others).collect()
}

async fn run(cut: Cut, cut_off: CutOff) -> CutReport {
    let local = LocalSqs::seeded(Limits::default(), 0);
    let sqs = Sqs::in_process(local.http_client());
    let pair = create_pair(&sqs, "events", Kind::Fifo)
        .await
        .expect("queues");
    let source = Queue::open(&sqs, &pair.source_url).await.expect("a queue");
    let dead_letters = Queue::open(&sqs, &pair.dead_letter_url)
        .await
        .expect("a queue");
    let specs = specs();
    for (number, spec) in specs.iter().enumerate() {
        let letter = letter(spec, number, source.url());
        let sent = dead_letters.send_batch(&[letter]).await;
        sent.expect("a send")[0].as_ref().expect("a letter");
    }
    let log = Log::new();
    let network = Network {
        to: local.http_client(),
        caller: Caller::Producer,
        wires: Wires::new(None, None),
        faults: Arc::new(SqsFaults::default()),
        trouble: Arc::new(AtomicBool::new(false)),
        dice: Dice::new(0),
        log: log.clone(),
        counts: Told::new(Counts::default(), Dice::new(0)),
    };
    let desk = Desk::new(pair, network);
    let filter = Filter {
        event: Some(SELECTED.to_owned()),
        ..Filter::default()
    };
    let command = match cut {
        Cut::Replay => Command::Replay(filter),
        Cut::Drop => Command::Drop(filter),
    };
    let ended = desk.run(&command, Some(cut_off)).await;
    let mut world = World {
        cut,
        specs,
        source,
        dead_letters,
        desk,
        found: Vec::new(),
    };
    let was_cut = log.seen().runs[0].was_cut_off;
    world.all_there_again().await;
    if let Ended::Told(outcome) = &ended {
        world.nothing_is_half_done(outcome).await;
    }
    match world.desk.run(&command, None).await {
        Ended::Told(outcome) if outcome.is_complete() => {}
        other => world.found.push(format!("the repetition ended: {other:?}")),
    }
    world.judge().await;
    CutReport {
        was_cut,
        found: world.found,
        trace: log.trace(),
    }
}

fn letter(spec: &Spec, number: usize, source_url: &str) -> Outgoing {
    let Event { group, n } = spec.event;
    let sent_at = START.plus(Duration::from_secs(n as u64));
    let group = format!("EventSetup_{group}");
    let id = format!("origin-{}", spec.event);
    let name = if spec.is_selected { SELECTED } else { "other" };
    let name = (EVENT_NAME.to_owned(), Attribute::string(name));
    let record = (DEAD_LETTER.to_owned(), record(spec, source_url, sent_at));
    Outgoing {
        body: format!(
            r#"{{"msg_id":"{}","MessageDeDuplicationId":"{}"}}"#,
            spec.event,
            sent_at.deduplication_id()
        ),
        group: Some(if spec.is_native {
            group
        } else {
            dead_letter_group(Some(&group), &format!("{id}-{number}"))
        }),
        attributes: if spec.is_native {
            [name].into()
        } else {
            [name, record].into()
        },
        deduplication_id: Some(format!("{id}-{number}")),
    }
}

fn record(spec: &Spec, source_url: &str, sent_at: Timestamp) -> Attribute {
    let refused = Err(delivery::Failure {
        kind: delivery::FailureKind::Connect,
        detail: "refused".to_owned(),
    });
    let attempts = (1..=4).map(|n| Attempt::new(0, n, sent_at, Duration::ZERO, &refused));
    let death = Death {
        reason: Reason::Exhausted,
        detail: None,
        dead_at: START.plus(Duration::from_secs(100)),
        callback: None,
    };
    let origin = Origin {
        message_id: format!("origin-{}", spec.event),
        sequence_number: Some(format!("{:020}", spec.event.n)),
        deduplication_id: Some(sent_at.deduplication_id()),
        group: Some(format!("EventSetup_{}", spec.event.group)),
        sent_at,
    };
    let record = DeadLetter::new(source_url, death, origin, None, attempts.collect());
    Attribute::string(record.to_json_within(10_000).expect("there is room"))
}

struct World {
    cut: Cut,
    specs: Vec<Spec>,
    source: Queue,
    dead_letters: Queue,
    desk: Desk,
    found: Vec<String>,
}

impl World {
    async fn all_there_again(&mut self) {
        let began = Instant::now();
        while self.hidden().await > 0 {
            if began.elapsed() > THERE_AGAIN_WITHIN {
                let hidden = self.hidden().await;
                self.found
                    .push(format!("{hidden} letters are still hidden"));
                return;
            }
            sleep(Duration::from_secs(10)).await;
        }
    }

    async fn hidden(&self) -> u64 {
        self.dead_letters
            .counts()
            .await
            .expect("counts")
            .not_visible
    }

    /// Who is told to stop leaves every letter in one place, and knows in which.
    async fn nothing_is_half_done(&mut self, outcome: &Outcome) {
        let counts = self.dead_letters.counts().await.expect("counts");
        let moved = match self.cut {
            Cut::Replay => self.source.counts().await.expect("counts").total() as usize,
            Cut::Drop => self.desk.dropped().len(),
        };
        // Two letters of one event are one event when they are sent.
        let letters = moved..=moved + usize::from(self.cut == Cut::Replay);
        if counts.total() as usize + outcome.done != self.specs.len()
            || !letters.contains(&outcome.done)
        {
            self.found.push(format!(
                "{} letters in the internal queue, {moved} moved, told {outcome:?}",
                counts.total(),
            ));
        }
    }

    /// Every selected event is in its new place, once and in order, and every other one where it was.
    async fn judge(&mut self) {
        let of = |is_selected| {
            let specs = self.specs.iter();
            let specs = specs.filter(move |spec| spec.is_selected == is_selected);
            let mut events: Vec<_> = specs.map(|spec| spec.event).collect();
            events.sort();
            events.dedup();
            events
        };
        let (selected, others) = (of(true), of(false));
        let replayed = take_all(&self.source).await;
        let mut left: Vec<_> = take_all(&self.dead_letters)
            .await
            .into_values()
            .flatten()
            .collect();
        left.sort();
        self.expect("in the internal queue", &left, &others);
        match self.cut {
            Cut::Replay => {
                let replayed: Vec<_> = replayed.into_values().flatten().collect();
                self.expect("in the source queue", &replayed, &selected);
            }
            Cut::Drop => {
                self.expect(
                    "in the source queue",
                    &replayed.into_values().flatten().collect::<Vec<_>>(),
                    &[],
                );
                // A letter that was written and not deleted is written again: in the files, too many is enough.
                let dropped: BTreeSet<_> = self.desk.dropped().into_iter().collect();
                let dropped: Vec<_> = dropped.into_iter().collect();
                self.expect("in the files", &dropped, &selected);
            }
        }
    }

    fn expect(&mut self, place: &str, there: &[Event], expected: &[Event]) {
        if there != expected {
            self.found
                .push(format!("{place}: {there:?}, expected {expected:?}"));
        }
    }
}

/// Everything that a queue holds, by message group, each in its order.
async fn take_all(queue: &Queue) -> BTreeMap<Option<String>, Vec<Event>> {
    let options = ReceiveOptions {
        max: 10,
        wait: Duration::ZERO,
        visibility: Duration::from_secs(600),
    };
    let mut events: BTreeMap<_, Vec<_>> = BTreeMap::new();
    loop {
        let messages = queue.receive(options).await.expect("messages");
        if messages.is_empty() {
            return events;
        }
        let handles: Vec<_> = messages.iter().map(|m| m.receipt_handle.as_str()).collect();
        queue.delete_batch(&handles).await.expect("deletes");
        for message in messages {
            let event = event_of(&String::from_utf8_lossy(&message.body));
            let group = events.entry(message.group).or_default();
            group.push(event.expect("an event"));
        }
    }
}
