//! Moves letters in hand: each is put in its new place first and deleted after, so that a crash at any moment leaves
//! it in at least one of the two.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::num::NonZeroU32;
use std::time::Duration;

use queue::{EntryError, EntryErrorKind, MAX_BATCH, Queue};
use serde::Serialize;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::breakage::Breakage;
use crate::order::{self, Item};
use crate::{Audit, End, Letter, Taken};

/// A lease must outlast one call that puts, a pause, and one call that deletes. A call makes three tries of ten
/// seconds, with pauses of its own.
const LEASE_NEEDED: Duration = Duration::from_secs(85);

/// Tries of what may succeed later, and the wait before the second; it doubles up to [`LONGEST_PAUSE`].
const TRIES: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// Where letters go.
pub(crate) trait Place {
    /// The word of the audit log.
    const ACTION: &'static str;

    /// Which letters must wait for each other: within a line, one is put after the one ahead of it is safe.
    fn lines(&self, letters: Vec<Letter>) -> Vec<VecDeque<Item>>;

    /// Puts up to [`MAX_BATCH`] letters, each of another line, where they are safe; answers for each, in the order
    /// given.
    fn put(&mut self, letters: &[&Letter]) -> impl Future<Output = Vec<Put>>;

    /// What the place is called.
    fn name(&self) -> String;
}

/// What came of putting one letter.
#[derive(Debug, Clone)]
pub(crate) enum Put {
    /// It is safe there; as what.
    Safe(String),
    /// This letter cannot be put there; its line waits.
    Refused(String),
    /// It may work later, and it is not known whether it worked.
    Later(String),
    /// It was not tried: the round has taken long already.
    NotYet,
    /// Nothing more can be put.
    Halt(String),
}

/// How far a move is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Letters selected.
    pub selected: usize,
    /// Letters moved.
    pub done: usize,
    /// Letters that failed.
    pub failed: usize,
}

/// A letter that was not moved, or not removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The event's first MessageId.
    pub id: String,
    /// Its MessageId in the internal queue.
    pub message_id: String,
    /// The message group of the event.
    pub group: Option<String>,
    /// Why.
    #[serde(rename = "error")]
    pub why: String,
}

impl Failure {
    pub(crate) fn of(letter: &Letter, why: impl Into<String>) -> Self {
        Self {
            id: letter.id().to_owned(),
            message_id: letter.message.message_id.clone(),
            group: letter.group().map(str::to_owned),
            why: why.into(),
        }
    }
}

/// What came of a replay or a drop.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// Letters selected.
    pub selected: usize,
    /// Letters that went, copies included.
    pub done: usize,
    /// The MessageIds, in the internal queue, of the letters that went.
    pub moved: Vec<String>,
    /// Letters that could not be moved. What is behind one of them in its group was not tried.
    pub failures: Vec<Failure>,
    /// Letters that went, and lie in the internal queue nevertheless since they could not be deleted.
    pub not_removed: Vec<Failure>,
    /// Whether it was told to stop.
    pub stopped: bool,
    /// What made it end before all were tried.
    pub halted: Option<String>,
    /// Letters that could not be given back: hidden until their leases end, within [`TAKE_LEASE`](crate::TAKE_LEASE).
    pub kept: usize,
}

impl Outcome {
    /// Letters that were not tried: it stopped, or one ahead of them in their group failed.
    pub fn left(&self) -> usize {
        self.selected
            .saturating_sub(self.done + self.failures.len())
    }

    /// Whether everything that was selected went.
    pub fn is_complete(&self) -> bool {
        self.done == self.selected && self.not_removed.is_empty()
    }
}

pub(crate) async fn run<P: Place>(
    taken: Taken,
    place: P,
    rate: Option<NonZeroU32>,
    audit: &Audit,
    stop: &CancellationToken,
    progress: impl FnMut(Progress),
) -> Outcome {
    let mut mover = Mover {
        name: place.name(),
        queue: taken.sweep.queue.clone(),
        taken,
        place,
        pace: Pace::new(rate),
        audit,
        stop,
        progress,
        lines: BTreeMap::new(),
        next_line: 0,
        failed: BTreeSet::new(),
        behind: BTreeSet::new(),
        safe: Vec::new(),
        failed_rounds: 0,
        outcome: Outcome::default(),
    };
    mover.line_up();
    mover.run().await
}

struct Mover<'a, P, F> {
    taken: Taken,
    queue: Queue,
    place: P,
    name: String,
    pace: Pace,
    audit: &'a Audit,
    stop: &'a CancellationToken,
    progress: F,
    /// What is not moved yet. A line whose head failed is taken out.
    lines: BTreeMap<usize, VecDeque<Item>>,
    next_line: usize,
    /// Groups of which a letter failed: nothing that comes later goes ahead of it.
    failed: BTreeSet<String>,
    /// Shared groups that letters went from since the queue was last looked at.
    behind: BTreeSet<String>,
    /// What is where it should be and still has to be deleted.
    safe: Vec<Safe>,
    /// Rounds in a row of which something has to be tried again.
    failed_rounds: u32,
    outcome: Outcome,
}

struct Safe {
    letter: Letter,
    tries: u32,
}

impl<P: Place, F: FnMut(Progress)> Mover<'_, P, F> {
    async fn run(mut self) -> Outcome {
        loop {
            self.taken.sweep.held.extend().await;
            // What was sent and cannot be deleted would be sent twice after five minutes: no more of it.
            let round = if self.goes_on() && !self.is_deleting_again() {
                self.next_round()
            } else {
                Vec::new()
            };
            if round.is_empty() && self.safe.is_empty() {
                if self.goes_on() && self.line_up_more().await {
                    continue;
                }
                break;
            }
            let letters: Vec<_> = round.iter().map(|(_, item)| &item.letter).collect();
            if Breakage::DeleteFirst.is_made() {
                let handles = self.handles(letters.iter().copied());
                remove(&self.queue, &handles).await;
            }
            // The deletes of one round go with the sends of the next.
            let handles = self.handles(self.safe.iter().map(|safe| &safe.letter));
            let (answers, removed) =
                tokio::join!(self.place.put(&letters), remove(&self.queue, &handles));
            self.note_removed(removed);
            let moved = self.judge(round, answers);
            self.tell();
            self.pause(moved).await;
        }
        self.outcome.selected += self.taken.letters.len();
        self.outcome.stopped = self.stop.is_cancelled() && self.outcome.left() > 0;
        self.outcome.kept = self.taken.give_back().await;
        self.outcome
    }

    fn goes_on(&self) -> bool {
        !self.stop.is_cancelled() && self.outcome.halted.is_none()
    }

    fn is_deleting_again(&self) -> bool {
        self.safe.iter().any(|safe| safe.tries > 0)
    }

    fn line_up(&mut self) {
        let letters = std::mem::take(&mut self.taken.letters);
        let (mut letters, waiting) = order::before_hidden(letters);
        self.taken.letters = waiting;
        self.outcome.selected += letters.len();
        self.taken.reduce_limit(letters.len());
        letters.retain(|letter| {
            !letter
                .ordered_group()
                .is_some_and(|g| self.failed.contains(g))
        });
        for line in self.place.lines(letters) {
            self.lines.insert(self.next_line, line);
            self.next_line += 1;
        }
        self.tell();
    }

    /// Looks behind the letters that went from shared groups. Says whether there was more, or something waited for
    /// that.
    async fn line_up_more(&mut self) -> bool {
        let behind = std::mem::take(&mut self.behind);
        if behind.is_empty() && self.taken.letters.is_empty() {
            return false;
        }
        if !behind.is_empty() {
            self.taken.take_more(&behind, self.stop).await;
        }
        if let End::Failed(error) = self.taken.report().end {
            self.outcome.halted = Some(format!(
                "what is behind the moved letters cannot be seen: {error}"
            ));
        }
        let before = self.lines.len();
        self.line_up();
        self.lines.len() > before
    }

    /// The heads of up to ten lines whose leases last long enough.
    fn next_round(&mut self) -> Vec<(usize, Item)> {
        self.lines.retain(|_, line| !line.is_empty());
        let mut round = Vec::new();
        let size = self.pace.round();
        let numbers: Vec<_> = self.lines.keys().take(size).copied().collect();
        for number in numbers {
            let Some(item) = self.lines.get_mut(&number).and_then(VecDeque::pop_front) else {
                continue;
            };
            if self.is_ours(&item) {
                round.push((number, item));
            } else {
                self.fail(
                    number,
                    &item,
                    "its lease is over, or could not be extended: somebody else may have it",
                );
            }
        }
        round
    }

    fn is_ours(&self, item: &Item) -> bool {
        let held = &self.taken.sweep.held;
        let enough = held.now() + LEASE_NEEDED;
        let lease = held.lease(&item.letter.message.message_id);
        lease.is_some_and(|(_, until)| until >= enough)
    }

    /// Says how many events are safe now.
    fn judge(&mut self, round: Vec<(usize, Item)>, answers: Vec<Put>) -> usize {
        let (mut moved, mut again) = (0, None);
        for ((number, item), answer) in round.into_iter().zip(answers) {
            match answer {
                Put::Safe(as_what) => {
                    moved += 1;
                    self.note_safe(item, &as_what);
                }
                Put::Refused(why) => self.fail(number, &item, &why),
                Put::Later(why) => {
                    again = Some(why);
                    let line = self.lines.entry(number).or_default();
                    if Breakage::NextAfterFailed.is_made() {
                        line.push_back(item);
                    } else {
                        line.push_front(item);
                    }
                }
                Put::NotYet => self.lines.entry(number).or_default().push_front(item),
                Put::Halt(why) => {
                    self.outcome.halted = Some(why);
                    self.lines.entry(number).or_default().push_front(item);
                }
            }
        }
        self.failed_rounds = if again.is_some() || self.is_deleting_again() {
            self.failed_rounds + 1
        } else {
            0
        };
        if let Some(why) = again.filter(|_| self.failed_rounds >= TRIES) {
            self.outcome.halted = Some(why);
        }
        moved
    }

    fn note_safe(&mut self, item: Item, as_what: &str) {
        for letter in item.into_letters() {
            self.audit.done(P::ACTION, &letter, &self.name, as_what);
            self.outcome.done += 1;
            self.outcome.moved.push(letter.message.message_id.clone());
            self.behind.extend(letter.shared_group().map(str::to_owned));
            self.safe.push(Safe { letter, tries: 0 });
        }
    }

    /// A letter failed, and what is behind it must not go ahead of it.
    fn fail(&mut self, line: usize, item: &Item, why: &str) {
        self.lines.remove(&line);
        let group = item.letter.ordered_group();
        self.failed.extend(group.map(str::to_owned));
        self.audit.failed(P::ACTION, &item.letter, why);
        self.outcome.failures.push(Failure::of(&item.letter, why));
    }

    /// The handles of letters, in their order; nothing where the lease was lost.
    fn handles<'l>(&self, letters: impl Iterator<Item = &'l Letter>) -> Vec<Option<String>> {
        let held = &self.taken.sweep.held;
        let leases = letters.map(|letter| held.lease(&letter.message.message_id));
        leases
            .map(|lease| lease.map(|(handle, _)| handle.to_owned()))
            .collect()
    }

    fn note_removed(&mut self, removed: Vec<Removed>) {
        for (mut safe, removed) in std::mem::take(&mut self.safe).into_iter().zip(removed) {
            safe.tries += 1;
            match removed {
                Removed::Gone => self
                    .taken
                    .sweep
                    .held
                    .forget(&safe.letter.message.message_id),
                Removed::Later(_) if safe.tries < TRIES => self.safe.push(safe),
                Removed::Later(why) | Removed::Never(why) => {
                    self.outcome.halted = Some(format!("nothing can be deleted: {why}"));
                    self.note_not_removed(&safe.letter, &why);
                }
                Removed::Lost => self.note_not_removed(&safe.letter, LEASE_LOST),
            }
        }
    }

    fn note_not_removed(&mut self, letter: &Letter, why: &str) {
        self.audit.failed("delete", letter, why);
        self.outcome.not_removed.push(Failure::of(letter, why));
    }

    async fn pause(&mut self, moved: usize) {
        if self.failed_rounds > 0 {
            let pause = FIRST_PAUSE * 2_u32.saturating_pow(self.failed_rounds - 1);
            return sleep(pause.min(LONGEST_PAUSE)).await;
        }
        let until = self.pace.next(moved);
        if self.goes_on() && until > Instant::now() {
            tokio::select! {
                () = sleep_until(until) => {}
                () = self.stop.cancelled() => {}
            }
        }
    }

    fn tell(&mut self) {
        (self.progress)(Progress {
            selected: self.outcome.selected + self.taken.letters.len(),
            done: self.outcome.done,
            failed: self.outcome.failures.len(),
        });
    }
}

/// What came of deleting one message.
enum Removed {
    Gone,
    Later(String),
    /// As it is now, none can be deleted.
    Never(String),
    /// This one is no longer ours.
    Lost,
}

/// Deletes messages; answers for each, in the order given.
async fn remove(queue: &Queue, handles: &[Option<String>]) -> Vec<Removed> {
    let mut removed: Vec<_> = handles.iter().map(|_| Removed::Lost).collect();
    let held = handles
        .iter()
        .enumerate()
        .filter_map(|(at, handle)| Some((at, handle.as_deref()?)));
    let held: Vec<_> = held.collect();
    for batch in held.chunks(MAX_BATCH) {
        let handles: Vec<_> = batch.iter().map(|(_, handle)| *handle).collect();
        let answers = match queue.delete_batch(&handles).await {
            Ok(answers) => answers.into_iter().map(of_entry).collect::<Vec<_>>(),
            Err(error) => std::iter::repeat_with(|| {
                if error.is_transient() {
                    Removed::Later(error.to_string())
                } else {
                    Removed::Never(error.to_string())
                }
            })
            .take(batch.len())
            .collect::<Vec<_>>(),
        };
        for ((at, _), answer) in batch.iter().zip(answers) {
            removed[*at] = answer;
        }
    }
    removed
}

const LEASE_LOST: &str = "its lease was lost before it was deleted";

fn of_entry(answer: Result<(), EntryError>) -> Removed {
    match answer {
        Ok(()) => Removed::Gone,
        Err(_) if Breakage::FailedDeletesIgnored.is_made() => Removed::Gone,
        Err(error) if error.kind() == EntryErrorKind::HandleLost => Removed::Lost,
        Err(error) if error.is_transient() => Removed::Later(error.to_string()),
        Err(error) => Removed::Never(error.to_string()),
    }
}

/// So many letters a second.
struct Pace {
    rate: Option<NonZeroU32>,
    due: Instant,
}

impl Pace {
    fn new(rate: Option<NonZeroU32>) -> Self {
        Self {
            rate,
            due: Instant::now(),
        }
    }

    /// How many go at once: never more than a second's worth.
    fn round(&self) -> usize {
        let a_second = self.rate.map_or(MAX_BATCH, |rate| rate.get() as usize);
        a_second.min(MAX_BATCH)
    }

    /// When the next ones may go.
    fn next(&mut self, moved: usize) -> Instant {
        let now = Instant::now();
        if let Some(rate) = self.rate {
            let taken = Duration::from_secs(1) * moved as u32 / rate.get();
            self.due = self.due.max(now) + taken;
        }
        self.due
    }
}
