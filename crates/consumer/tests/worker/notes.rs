//! What the ledger is told when a group goes on after a death: up to which event it has been delivered. Deliveries
//! neither wait for that nor depend on it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use delivery::{REPLAY, Replay};
use queue::{Attribute, Outgoing, ReceiveOptions};
use rig::ledger;
use store::{LedgerError, Note, NoteKey};
use tokio::time::sleep;

use crate::world::faults::pass;
use crate::world::{self, Reply, World, number};

const GROUP: &str = "EventSetup_1";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Notes {
    Work,
    Fail,
    Hang,
}

/// How notes go now, and what was asked.
#[derive(Clone)]
struct Control(Arc<Mutex<State>>);

struct State {
    deaths: Notes,
    deliveries: Notes,
    delivered: Option<String>,
    /// How often it was noted that a group went on.
    written: u32,
    /// How long it takes to have groups watched.
    watching: Duration,
    /// Reads and writes, but for those of which groups are watched.
    calls: u32,
}

impl Control {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            deaths: Notes::Work,
            deliveries: Notes::Work,
            delivered: None,
            written: 0,
            watching: Duration::ZERO,
            calls: 0,
        })))
    }

    fn set(&self, deliveries: Notes) {
        self.0.lock().unwrap().deliveries = deliveries;
    }

    fn written(&self) -> u32 {
        self.0.lock().unwrap().written
    }

    /// What happens to a call.
    fn fault(&self, call: ledger::Call<'_>) -> ledger::Fault {
        let mut state = self.0.lock().unwrap();
        match call {
            ledger::Call::Read
            | ledger::Call::Write(_)
            | ledger::Call::ReadNote(NoteKey::Group { .. }) => {
                state.calls += 1;
                ledger::Fault::None
            }
            ledger::Call::WriteNote(Note::Group(note)) => {
                state.calls += 1;
                state.note(&note.delivered_up_to).fault()
            }
            ledger::Call::WriteNote(Note::Watched(_)) => ledger::Fault::Slow(state.watching),
            _ => ledger::Fault::None,
        }
    }
}

impl State {
    /// How it goes with a note of a group that was delivered up to there.
    fn note(&mut self, delivered: &Option<String>) -> Notes {
        if *delivered == self.delivered {
            return self.deaths;
        }
        if self.deliveries == Notes::Work {
            self.delivered.clone_from(delivered);
            self.written += 1;
        }
        self.deliveries
    }
}

impl Notes {
    fn fault(self) -> ledger::Fault {
        match self {
            Self::Work => ledger::Fault::None,
            Self::Hang => ledger::Fault::Silence,
            Self::Fail => ledger::Fault::Fails(LedgerError::Unreachable {
                ledger: "troubled".to_owned(),
                message: "down".to_owned(),
            }),
        }
    }
}

/// A world in which these events fail in their first life; replays are accepted.
async fn world(failing: &'static [u32]) -> (World, Control) {
    let script = move |seen: &world::Seen| match seen.header("X-Hooklane-Replay") {
        None if failing.contains(&number(seen)) => Reply::Status(500),
        _ => Reply::Status(200),
    };
    over(World::new(script).await)
}

fn over(mut world: World) -> (World, Control) {
    let control = Control::new();
    let troubled = control.clone();
    world.ledger = ledger::breakable(move |call| troubled.fault(call));
    (world, control)
}

async fn noted(world: &World) -> Option<String> {
    let noted = world.ledger.delivered_up_to(world.source.url(), GROUP);
    noted.await.unwrap()
}

/// The sequence number with which an event came, and comes again as long as it is not replayed.
fn sequence_number(world: &World, n: u32) -> String {
    let seen = world.receiver.seen();
    let of_event = seen.iter().find(|s| s.group() == GROUP && number(s) == n);
    of_event
        .and_then(|s| s.header("X-Hooklane-Sequence"))
        .unwrap()
        .to_owned()
}

/// Sends the dead letter of an event back to the source queue.
async fn replay(world: &World, n: u32) {
    let options = ReceiveOptions {
        max: 10,
        wait: Duration::ZERO,
        visibility: Duration::ZERO,
    };
    let dead = world.dead_letters.receive(options).await.unwrap();
    let message = dead.into_iter().find(|m| world::n_of(&m.body) == n);
    let message = message.unwrap();
    let record = message.text_attribute(delivery::DEAD_LETTER).unwrap();
    let replay = Replay::of(delivery::DeadLetter::parse(record).unwrap());
    let outgoing = Outgoing {
        body: String::from_utf8(message.body.to_vec()).unwrap(),
        group: Some(GROUP.to_owned()),
        deduplication_id: Some(format!("{}~r", message.message_id)),
        attributes: [(
            REPLAY.to_owned(),
            Attribute::string(replay.to_json_within(100_000).unwrap()),
        )]
        .into(),
    };
    let sent = world.source.send_batch(&[outgoing]).await.unwrap();
    assert!(sent[0].is_ok());
}

#[tokio::test(start_paused = true)]
async fn after_a_death_the_ledger_says_once_that_the_group_went_on() {
    let (world, control) = world(&[1]).await;
    world.send(GROUP, 1..=4).await;
    let summary = world.drain().await;
    assert_eq!((summary.delivered, summary.dead_lettered), (3, 1));
    let first = noted(&world).await;
    assert!(first > Some(sequence_number(&world, 1)), "{first:?}");
    assert_eq!(control.written(), 1);

    world.send(GROUP, 5..=9).await;
    world.drain().await;
    assert_eq!(noted(&world).await, first);
    assert_eq!(control.written(), 1, "nothing new can be said of the dead");
}

#[tokio::test(start_paused = true)]
async fn a_group_that_ends_with_a_death_and_one_without_are_not_noted() {
    let (world, control) = world(&[3]).await;
    world.send(GROUP, 1..=3).await;
    world.send("EventSetup_2", 1..=2).await;
    world.drain().await;
    assert_eq!(noted(&world).await, None);
    assert_eq!(control.written(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_group_is_noted_while_the_worker_goes_on() {
    let (world, _) = world(&[1]).await;
    world.send(GROUP, 1..=2).await;
    let worker = world.start();
    world.until_seen(5).await;
    pass(2).await;
    assert_eq!(noted(&world).await, Some(sequence_number(&world, 2)));
    // That is all there is to tell until the next death.
    world.send(GROUP, 3..=3).await;
    world.until_seen(6).await;
    pass(2).await;
    assert_eq!(noted(&world).await, Some(sequence_number(&world, 2)));
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_replay_that_is_accepted_is_noted_under_its_first_number() {
    let (world, _) = world(&[1, 2]).await;
    world.send(GROUP, 1..=2).await;
    let worker = world.start();
    world.until_seen(8).await;
    pass(2).await;
    assert_eq!(noted(&world).await, None);
    replay(&world, 1).await;
    world.until_seen(9).await;
    pass(2).await;
    assert_eq!(noted(&world).await, Some(sequence_number(&world, 1)));
    // The second still lies there: what comes after it is told, too.
    world.send(GROUP, 3..=3).await;
    world.until_seen(10).await;
    pass(2).await;
    assert_eq!(noted(&world).await, Some(sequence_number(&world, 3)));
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_death_of_a_replay_is_one_more_death_in_its_group() {
    let (world, control) = over(World::new(|s| always(s, 1)).await);
    world.send(GROUP, 1..=2).await;
    let worker = world.start();
    world.until_seen(5).await;
    pass(2).await;
    replay(&world, 1).await;
    world.until_seen(9).await;
    for (n, noted_n) in [(3, 3), (4, 3)] {
        world.send(GROUP, n..=n).await;
        world.until_seen(7 + n as usize).await;
        pass(2).await;
        assert_eq!(noted(&world).await, Some(sequence_number(&world, noted_n)));
    }
    assert_eq!(control.written(), 2);
    worker.stop().await;
}

/// One event fails in every life, and the second in its first.
fn always(seen: &world::Seen, failing: u32) -> Reply {
    let is_replay = seen.header("X-Hooklane-Replay").is_some();
    Reply::Status(match number(seen) {
        n if n == failing => 500,
        20 if !is_replay => 500,
        _ => 200,
    })
}

#[tokio::test(start_paused = true)]
async fn a_replay_dies_under_its_first_number() {
    let (world, control) = over(World::new(|s| always(s, 19)).await);
    world.send(GROUP, 19..=20).await;
    let worker = world.start();
    world.until_seen(8).await;
    replay(&world, 19).await;
    world.until_seen(12).await;
    replay(&world, 20).await;
    world.until_seen(13).await;
    pass(2).await;
    // Nothing that died is newer than what is noted now.
    world.send(GROUP, 21..=21).await;
    world.until_seen(14).await;
    pass(2).await;
    assert_eq!(noted(&world).await, Some(sequence_number(&world, 20)));
    assert_eq!(control.written(), 1);
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_note_that_cannot_be_written_holds_nothing_up_and_is_written_when_it_can() {
    for trouble in [Notes::Fail, Notes::Hang] {
        let (world, control) = world(&[1]).await;
        control.set(trouble);
        world.send(GROUP, 1..=40).await;
        let worker = world.start();
        world.until_seen(4 + 39).await;
        let last = world.receiver.seen().last().unwrap().at;
        assert!(last < Duration::from_secs(65), "{trouble:?}: {last:?}");
        pass(60).await;
        assert!(worker.health.is_ready(), "{trouble:?}");
        assert_eq!(world.counts().await.total(), 0, "{trouble:?}");
        control.set(Notes::Work);
        assert_eq!(noted(&world).await, None);

        pass(12).await;
        assert_eq!(noted(&world).await, Some(sequence_number(&world, 40)));
        worker.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_stops_writes_its_notes_and_waits_two_seconds_for_them_at_most() {
    for (notes, longest_s) in [(Notes::Work, 1), (Notes::Hang, 2)] {
        let (mut world, control) = world(&[1]).await;
        world.settings.visibility_timeout = Duration::from_secs(40);
        control.set(notes);
        world.send(GROUP, 1..=2).await;
        let worker = world.start();
        world.until_seen(5).await;
        // So that no long poll is to be waited for: it brings this.
        worker.stop.cancel();
        world.send("EventSetup_2", 3..=3).await;
        let told = world.receiver.now();
        worker.stop().await;
        let took = world.receiver.now() - told;
        assert!(
            took <= Duration::from_secs(longest_s),
            "{notes:?}: {took:?}"
        );
        control.set(Notes::Work);
        let written = noted(&world).await.is_some();
        assert_eq!(written, notes == Notes::Work);
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_was_started_after_a_death_notes_what_it_delivers() {
    let (world, control) = world(&[1, 2]).await;
    world.send(GROUP, 1..=2).await;
    assert_eq!(world.drain().await.dead_lettered, 2);
    world.send(GROUP, 3..=4).await;
    assert_eq!(world.drain().await.delivered, 2);
    let noted = noted(&world).await;
    assert!(noted > Some(sequence_number(&world, 2)), "{noted:?}");
    assert_eq!(control.written(), 1);
    let watched = world
        .ledger
        .watched_groups(world.source.url())
        .await
        .unwrap();
    assert!(watched.is_empty(), "{watched:?}");
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_runs_beside_hears_of_a_death_and_notes_what_it_delivered_since() {
    let (world, _) = world(&[1]).await;
    // It has looked into the ledger before.
    let beside = world.start();
    pass(1).await;
    let buries = world.start();
    world.send(GROUP, 1..=1).await;
    world.until_seen(4).await;
    world.send(GROUP, 2..=2).await;
    world.until_seen(5).await;
    buries.stop().await;
    pass(6).await;
    assert_eq!(noted(&world).await, Some(sequence_number(&world, 2)));
    beside.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_death_that_cannot_be_noted_is_not_sent_to_the_internal_queue_before_it_can() {
    let (world, control) = world(&[1]).await;
    control.0.lock().unwrap().deaths = Notes::Fail;
    world.send(GROUP, 1..=2).await;
    let worker = world.start();
    world.until_seen(4).await;
    pass(5).await;
    assert!(!worker.health.is_ready());
    assert_eq!(world.dead_letters.counts().await.unwrap().total(), 0);
    control.0.lock().unwrap().deaths = Notes::Work;
    world.until_seen(5).await;
    assert_eq!(world.dead_letters.counts().await.unwrap().total(), 1);
    worker.stop().await;
    assert_eq!(noted(&world).await, Some(sequence_number(&world, 2)));
}

#[tokio::test(start_paused = true)]
async fn events_that_are_accepted_at_once_cost_the_ledger_no_call() {
    let (world, control) = world(&[1]).await;
    world.send(GROUP, 1..=1).await;
    world.drain().await;
    control.0.lock().unwrap().calls = 0;
    for group in 2..40 {
        let name = format!("EventSetup_{group}");
        world.send(&name, group * 10..=group * 10 + 3).await;
    }
    assert_eq!(world.drain().await.delivered, 152);
    assert_eq!(control.0.lock().unwrap().calls, 0);
}

#[tokio::test(start_paused = true)]
async fn groups_that_die_while_others_are_noted_are_all_watched() {
    let (world, control) = world(&[]).await;
    control.0.lock().unwrap().watching = Duration::from_secs(1);
    let worker = world.start();
    let groups: Vec<String> = (1..=12).map(|n| format!("EventSetup_{n}")).collect();
    for group in &groups {
        world.send_body(group, "no event").await;
        sleep(Duration::from_millis(300)).await;
    }
    pass(60).await;
    worker.stop().await;
    assert_eq!(world.dead().await.len(), groups.len());
    let watched = world.ledger.watched_groups(world.source.url()).await;
    let watched: Vec<String> = watched.unwrap().into_keys().collect();
    let mut expected = groups.clone();
    expected.sort();
    assert_eq!(watched, expected);
}
