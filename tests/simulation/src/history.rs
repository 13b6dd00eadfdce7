//! One history, from its seed to what is left at its end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use delivery::{DEAD_LETTER, DeadLetter};
use event::Timestamp;
use letters::Filter;
use local_sqs::{Limits, LocalSqs};
use producer::SendOptions;
use queue::admin::{Pair, create_pair};
use queue::{Clock, Counts, Outgoing, Queue, ReceiveOptions, Sqs};
use serde_json::{Value, json};
use store::{Ledger, Watched};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::callback::Callbacks;
use crate::dice::Dice;
use crate::engineer::{Command, Desk};
use crate::fleet::Fleet;
use crate::log::{Caller, Event, Log, Worker};
use crate::network::{Network, event_of};
use crate::plan::{Behaviour, Plan};
use crate::told::Told;
use crate::wires::Wires;

/// 2025-01-01, where the time of a seeded SQS starts.
pub(crate) const START: Timestamp = Timestamp::from_millis(1_735_689_600_000);

/// A worker that drains sees within this time that the queue is empty, and one that was not ready that all is well.
const ALL_WELL_WITHIN: Duration = Duration::from_secs(600);

/// No event dies more often than twice and is accepted then.
const LAST_REPLAYS: u32 = 3;

/// Between two looks whether all is done.
const LOOK: Duration = Duration::from_secs(5);

/// The native redrive takes what was received so often.
const REDRIVEN_AFTER: u32 = 100;

/// What a history left.
pub(crate) struct Left {
    pub(crate) plan: Arc<Plan>,
    pub(crate) log: Log,
    /// What the source queue still held at the end.
    pub(crate) counts: Counts,
    pub(crate) dead: Vec<Dead>,
    /// Of each group, up to where the ledger says that it was delivered.
    pub(crate) noted: Vec<Option<String>>,
    /// The groups whose next acceptance every worker would note.
    pub(crate) watched: Watched,
    /// What lies in the files of drops.
    pub(crate) dropped: Vec<Event>,
    /// A worker that was to drain the queue came to its end.
    pub(crate) drained: bool,
    /// Workers that were not ready long after all was well.
    pub(crate) unready: BTreeSet<Worker>,
    /// What went wrong with the producer.
    pub(crate) unsent: Vec<String>,
}

/// What lies in the internal queue.
pub(crate) struct Dead {
    pub(crate) message_id: String,
    pub(crate) event: Option<Event>,
    pub(crate) letter: Option<DeadLetter>,
}

/// Lives a plan. The seed is for what else is up to chance: ids, jitter, what is not planned.
pub(crate) fn run(seed: u64, plan: Plan) -> Left {
    fastrand::seed(seed);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(live(seed, Arc::new(plan)))
}

async fn live(seed: u64, plan: Arc<Plan>) -> Left {
    let dice = Dice::new(seed ^ 0x5eed);
    let log = Log::new();
    let local = LocalSqs::seeded(Limits::default(), seed);
    let sqs = Sqs::in_process(local.http_client());
    let pair = create_pair(&sqs, "events", plan.kind)
        .await
        .expect("queues");
    set_up(&local, &pair, &plan).await;
    let source = Queue::open(&sqs, &pair.source_url).await.expect("a queue");
    let dead_letters = Queue::open(&sqs, &pair.dead_letter_url)
        .await
        .expect("a queue");
    let trouble = Arc::new(AtomicBool::new(true));
    let network = Network {
        to: local.http_client(),
        caller: Caller::Producer,
        wires: Wires::new(None, None),
        faults: Arc::new(plan.sqs.clone()),
        trouble: trouble.clone(),
        dice: dice.fork(),
        log: log.clone(),
        counts: Told::new(plan.counts, dice.fork()),
    };
    let quiet = Network {
        faults: Arc::default(),
        ..network.clone()
    };
    let ledger = store::in_memory().expect("a ledger");
    let clock = Clock::virtual_from(START);
    let ending = CancellationToken::new();
    let fleet = Arc::new(Fleet {
        plan: plan.clone(),
        pair: pair.clone(),
        source: source.clone(),
        network: network.clone(),
        ledger: ledger.clone(),
        callbacks: Callbacks::new(plan.clone(), dice.fork(), log.clone()),
        dice: dice.fork(),
        trouble: trouble.clone(),
        log: log.clone(),
        ending: ending.clone(),
        tasks: TaskTracker::new(),
    });
    for slot in 0..plan.workers.len() {
        fleet.tasks.spawn(fleet.clone().live(slot));
    }
    let (desk, engineering) = (Desk::new(pair, network.clone()), TaskTracker::new());
    let desk = Arc::new(desk);
    for number in 0..plan.engineers.len() {
        let (desk, plan) = (desk.clone(), plan.clone());
        engineering.spawn(async move { desk.work(&plan.engineers[number]).await });
    }
    let sending = TaskTracker::new();
    for group in (0..plan.groups.len()).filter(|group| plan.groups[*group].upstream) {
        let upstream = upstream(
            plan.clone(),
            group,
            source.clone(),
            dice.fork(),
            log.clone(),
        );
        sending.spawn(upstream);
    }
    sending.close();
    let faulty = if plan.is_fifo() {
        Sqs::in_process(network.client())
    } else {
        // A standard queue keeps what is sent again: a producer's faults are not a worker's.
        Sqs::in_process(quiet.client())
    };
    let unsent = produce(&plan, &faulty, source.url(), clock, &dice).await;
    sending.wait().await;
    let draining = plan.drained.then(|| tokio::spawn(fleet.clone().drain()));
    // Engineers are at work from the beginning; the last one begins when all is well again.
    let mut at_the_end = if plan.engineers.is_empty() {
        0
    } else {
        LAST_REPLAYS
    };
    while log.now() < plan.deadline() {
        if log.now() >= plan.trouble() {
            trouble.store(false, Relaxed);
        }
        let counts = source.counts().await.expect("counts");
        let is_quiet = counts.total() == 0 && engineering.is_empty();
        let is_well = !trouble.load(Relaxed);
        match at_the_end {
            0 if is_quiet => break,
            1.. if is_quiet && is_well && is_whole(&dead_letters).await => {
                at_the_end -= 1;
                desk.run(&Command::Replay(Filter::default()), None).await;
            }
            _ => sleep(LOOK).await,
        }
    }
    trouble.store(false, Relaxed);
    let drained = match draining {
        Some(draining) => timeout(ALL_WELL_WITHIN, draining).await.is_ok(),
        None => true,
    };
    let all_well_by = log.now() + ALL_WELL_WITHIN;
    while log.now() < all_well_by && !log.seen().unready().is_empty() {
        sleep(LOOK).await;
    }
    let unready = log.seen().unready();
    ending.cancel();
    fleet.tasks.close();
    fleet.tasks.wait().await;
    let ledger = Ledger::over(ledger, Duration::ZERO);
    let watched = ledger.watched_groups(source.url()).await.expect("groups");
    let mut noted = Vec::new();
    for group in &plan.groups {
        let up_to = ledger.delivered_up_to(source.url(), &group.name).await;
        noted.push(up_to.expect("a note, or none"));
    }
    Left {
        plan,
        noted,
        watched,
        log,
        counts: source.counts().await.expect("counts"),
        dead: take_all(&dead_letters).await,
        dropped: desk.dropped(),
        drained,
        unready,
        unsent,
    }
}

/// The native redrive takes what is received more often than any event of a history should be.
async fn set_up(local: &LocalSqs, pair: &Pair, plan: &Plan) {
    let attributes = json!({"QueueUrl": pair.source_url, "AttributeNames": ["RedrivePolicy"]});
    let known = local
        .ask("GetQueueAttributes", &attributes.to_string())
        .await;
    let known: Value = serde_json::from_str(&known).expect("attributes");
    let policy = known["Attributes"]["RedrivePolicy"]
        .as_str()
        .expect("a redrive policy");
    let mut policy: Value = serde_json::from_str(policy).expect("a redrive policy");
    policy["maxReceiveCount"] = REDRIVEN_AFTER.into();
    let mut attributes = json!({"RedrivePolicy": policy.to_string()});
    if let Some(retention) = plan.retention {
        attributes["MessageRetentionPeriod"] = retention.as_secs().to_string().into();
    }
    let change = json!({"QueueUrl": pair.source_url, "Attributes": attributes});
    local.ask("SetQueueAttributes", &change.to_string()).await;
}

/// The producer's runs, one after the other: each sends a part of every group, in order.
async fn produce(plan: &Plan, sqs: &Sqs, url: &str, clock: Clock, dice: &Dice) -> Vec<String> {
    let mut next: BTreeMap<usize, usize> = (0..plan.groups.len())
        .filter(|group| !plan.groups[*group].upstream)
        .map(|group| (group, 1))
        .collect();
    let queue = loop {
        if let Ok(queue) = Queue::open(sqs, url).await {
            break queue;
        }
        sleep(Duration::from_secs(1)).await;
    };
    let mut unsent = Vec::new();
    for session in 1..=plan.sessions {
        let lines = lines(plan, &mut next, session == plan.sessions, dice);
        let options = SendOptions::default();
        let stop = CancellationToken::new();
        let report = producer::send(
            &queue,
            lines.as_bytes(),
            &options,
            clock.clone(),
            |_| {},
            stop,
        )
        .await;
        match report {
            Ok(report) if report.is_complete() => {}
            other => unsent.push(format!("the producer could not send all: {other:?}")),
        }
        let gap = dice.one_of(&[0, 0, 3, 1_000, 40_000]);
        sleep(Duration::from_millis(gap)).await;
    }
    unsent
}

fn lines(plan: &Plan, next: &mut BTreeMap<usize, usize>, all: bool, dice: &Dice) -> String {
    let mut lines = String::new();
    loop {
        let open: Vec<usize> = next
            .iter()
            .filter(|(group, n)| **n <= plan.groups[**group].events.len())
            .map(|(group, _)| *group)
            .collect();
        if open.is_empty() || (!all && dice.percent(4)) {
            return lines;
        }
        let group = dice.one_of(&open);
        let n = next.get_mut(&group).expect("an open group");
        lines += &format!(
            "{{\"msg_id\":\"{}\",\"mkt_id\":7,\"MessageGroupId\":\"{}\"}}\n",
            Event { group, n: *n },
            plan.groups[group].name
        );
        *n += 1;
    }
}

/// A system of the customer's own that sends one group, what is no event included, over a line without faults.
async fn upstream(plan: Arc<Plan>, group: usize, queue: Queue, dice: Dice, log: Log) {
    for (position, behaviour) in plan.groups[group].events.iter().enumerate() {
        let event = Event {
            group,
            n: position + 1,
        };
        let mkt_id = match behaviour {
            Behaviour::Invalid => "\"x\"",
            _ => "7",
        };
        let body = format!("{{\"msg_id\":\"{event}\",\"mkt_id\":{mkt_id}}}");
        let outgoing = Outgoing {
            body: body.clone(),
            group: plan.is_fifo().then(|| plan.groups[group].name.clone()),
            deduplication_id: plan.is_fifo().then(|| event.to_string()),
            attributes: BTreeMap::new(),
        };
        let mut answers = queue.send_batch(&[outgoing]).await.expect("a send");
        let sent = answers.pop().expect("an answer").expect("a send");
        log.queued(&sent.message_id, event_of(&body).expect("an event"));
        sleep(dice.millis(0..=dice.one_of(&[0, 100, 20_000]))).await;
    }
}

/// Whether nobody has anything of it in hand.
async fn is_whole(queue: &Queue) -> bool {
    queue.counts().await.expect("counts").not_visible == 0
}

async fn take_all(queue: &Queue) -> Vec<Dead> {
    let options = ReceiveOptions {
        max: 10,
        wait: Duration::from_secs(1),
        visibility: Duration::from_secs(3600),
    };
    let mut dead = Vec::new();
    loop {
        let batch = queue.receive(options).await.expect("dead letters");
        if batch.is_empty() {
            return dead;
        }
        dead.extend(batch.into_iter().map(|message| {
            Dead {
                message_id: message.message_id.clone(),
                event: event_of(&String::from_utf8_lossy(&message.body)),
                letter: message
                    .text_attribute(DEAD_LETTER)
                    .and_then(|text| DeadLetter::parse(text).ok()),
            }
        }));
    }
}
