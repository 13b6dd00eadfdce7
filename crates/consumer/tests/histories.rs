//! Many short histories from fixed seeds: calls fail or lose their answers, SQS actions and the ledger are
//! down for a while, receivers do as they like, workers are replaced. What must hold holds after each.

mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use delivery::{DeadLetter, Reason};
use local_sqs::{Limits, LocalSqs};
use queue::Received;
use queue::admin::Kind;
use tokio::time::Instant;
use world::faults::{Call, Fault, with_faults};
use world::ledger::Breakable;
use world::{Reply, Seen, World, n_of, number};

/// How many, unless `HISTORIES` says otherwise.
const SEEDS: u64 = 20;

/// A fault-free end of each history follows after so long.
const TROUBLE: Duration = Duration::from_secs(600);

/// SplitMix64: the same seed, the same history.
#[derive(Clone)]
struct Dice(Arc<AtomicU64>);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(Arc::new(AtomicU64::new(seed)))
    }

    fn below(&self, bound: u64) -> u64 {
        let golden = 0x9e37_79b9_7f4a_7c15;
        let mut z = self
            .0
            .fetch_add(golden, Ordering::Relaxed)
            .wrapping_add(golden);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }

    fn seconds(&self, least: u64, most: u64) -> Duration {
        Duration::from_secs(least + self.below(most - least + 1))
    }
}

/// Single calls fail at a rate, and one action is down for a while.
fn trouble(
    dice: Dice,
    on: Arc<AtomicBool>,
    outages: bool,
) -> impl Fn(&Call) -> Fault + Send + Sync {
    const ACTIONS: [&str; 4] = [
        "ReceiveMessage",
        "DeleteMessageBatch",
        "ChangeMessageVisibilityBatch",
        "SendMessageBatch",
    ];
    let start = Instant::now();
    let rate = dice.below(20);
    let down = ACTIONS[dice.below(4) as usize];
    let from = dice.seconds(0, 100);
    let until = from + dice.seconds(1, if outages { 300 } else { 1 });
    move |call| {
        let at = start.elapsed();
        if !on.load(Ordering::Relaxed) || at > TROUBLE {
            return Fault::None;
        }
        let is_down = call.action == down && (from..until).contains(&at);
        match dice.below(100) {
            _ if is_down => Fault::Unavailable,
            n if n < rate => Fault::Unavailable,
            n if n < 2 * rate => Fault::AnswerLost,
            _ => Fault::None,
        }
    }
}

/// Requests and what the receiver answered (0: nothing).
type Answers = Arc<Mutex<Vec<(Seen, u16)>>>;

/// Most events are accepted at once, some never, some now and then.
fn whims(dice: Dice, answers: Answers) -> impl Fn(&Seen) -> Reply + Send + Sync {
    move |seen| {
        let n = number(seen);
        let status = match (n % 5, dice.below(3)) {
            (0, _) | (1, 0..2) => [500, 404, 0][dice.below(3) as usize],
            _ => 200,
        };
        answers.lock().unwrap().push((seen.clone(), status));
        match (status, dice.below(4)) {
            (0, _) => Reply::Refused,
            (status, 0) => Reply::After(dice.seconds(0, 20), status),
            (status, _) => Reply::Status(status),
        }
    }
}

async fn history(seed: u64) {
    let dice = Dice::new(seed);
    // Either one worker that everything happens to, or workers that are replaced while calls fail: what a
    // worker remembers of a delete or a record that could not be written dies with it.
    let replaced = seed.is_multiple_of(2);
    let (on, answers) = (Arc::new(AtomicBool::new(false)), Answers::default());
    let network = with_faults(
        LocalSqs::new(Limits::default()).http_client(),
        trouble(dice.clone(), on.clone(), !replaced),
    );
    let script = whims(dice.clone(), answers.clone());
    let mut world = World::on(network, Kind::Fifo, script).await;
    let ledger = match replaced {
        false => Some(Breakable::under(&mut world).await),
        true => None,
    };
    let mut events = BTreeMap::new();
    for group in (0..=dice.below(3)).map(|g| format!("EventSetup_{g}")) {
        let count = 1 + dice.below(14) as u32;
        for n in 1..=count {
            match dice.below(10) {
                0 => world.send_body(&group, "[]").await,
                _ => world.send_body(&group, &format!("{{\"n\":{n}}}")).await,
            };
        }
        events.insert(group, count);
    }
    on.store(true, Ordering::Relaxed);
    if replaced {
        // As a deploy does it: the next one starts, then the one before is stopped.
        let mut previous = world.start();
        for _ in 0..dice.below(5) {
            tokio::time::sleep(dice.seconds(1, 100)).await;
            std::mem::replace(&mut previous, world.start()).stop().await;
        }
        previous.stop().await;
    }
    let outage = async {
        if let Some(ledger) = &ledger {
            tokio::time::sleep(dice.seconds(0, 70)).await;
            ledger.set_broken();
            tokio::time::sleep(dice.seconds(1, 90)).await;
            ledger.mend();
        }
    };
    let drained = tokio::time::timeout(Duration::from_secs(24 * 3600), world.drain());
    let (drained, ()) = tokio::join!(drained, outage);
    drained.expect("no lane stands still for ever");
    on.store(false, Ordering::Relaxed);
    assert_eq!(world.counts().await.total(), 0);
    let dead = world.dead().await;
    let answers = answers.lock().unwrap();
    for (group, count) in events {
        check(&group, count, &answers, &dead);
    }
}

fn check(group: &str, count: u32, answers: &[(Seen, u16)], dead: &[(Received, DeadLetter)]) {
    let of_group = || answers.iter().filter(|a| a.0.group() == group);
    assert!(
        of_group().is_sorted_by_key(|a| number(&a.0)),
        "{group} out of order"
    );
    let dead = dead
        .iter()
        .filter(|d| d.1.origin.group.as_deref() == Some(group));
    let (invalid, exhausted): (Vec<_>, Vec<_>) =
        dead.partition(|d| d.1.reason == Reason::InvalidEvent);
    let attempted: BTreeSet<u32> = of_group().map(|a| number(&a.0)).collect();
    assert_eq!(attempted.len() + invalid.len(), count as usize, "{group}");

    let accepted = of_group().filter(|a| a.1 == 200).map(|a| number(&a.0));
    let mut ended: Vec<_> = accepted
        .chain(exhausted.iter().map(|d| n_of(&d.0.body)))
        .collect();
    ended.sort_unstable();
    assert!(ended.iter().eq(&attempted), "{group}: {ended:?} ended");
    for (_, letter) in exhausted {
        let end = (letter.reason, letter.attempts.len());
        assert_eq!(end, (Reason::Exhausted, 4), "{group}");
    }
    for n in attempted {
        let made: Vec<_> = of_group().filter(|a| number(&a.0) == n).collect();
        let attempts = made.iter().map(|a| a.0.attempt());
        assert!(
            attempts.eq(1..=made.len() as u32) && made.len() <= 4,
            "{made:?}"
        );
        let waited = made.get(2).map(|third| third.0.at - made[1].0.at);
        assert!(
            waited.is_none_or(|wait| wait >= Duration::from_secs(60)),
            "{made:?}"
        );
    }
}

#[test]
fn whatever_fails_every_event_ends_once_in_order_after_at_most_four_attempts() {
    let seeds = std::env::var("HISTORIES").map_or(SEEDS, |n| n.parse().unwrap());
    for seed in 0..seeds {
        let run = move || {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .start_paused(true)
                .build()
                .unwrap()
                .block_on(history(seed));
        };
        assert!(std::panic::catch_unwind(run).is_ok(), "seed {seed}");
    }
}
