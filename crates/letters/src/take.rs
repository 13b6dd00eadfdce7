//! Takes letters in hand: everything is received, what is selected stays held, the rest is given back.

use std::collections::{BTreeSet, HashSet};
use std::ops::ControlFlow;
use std::time::Duration;

use queue::{Queue, QueueError};
use tokio_util::sync::CancellationToken;

use crate::scan::Sweep;
use crate::{End, Letter, Report, ScanOptions, Selection, order};

/// The most that is kept of selected letters, in bytes of bodies and attributes.
pub const MOST_BYTES: usize = 256 * 1024 * 1024;

/// For how long selected letters are hidden if this program dies. Much shorter than the five minutes for which SQS
/// remembers a deduplication id: whoever repeats a replay that was cut off can do so while the repetition of what
/// was sent is still swallowed.
pub const TAKE_LEASE: Duration = Duration::from_secs(180);

/// Letters in hand. Give them back, or hand them to [`replay`](crate::replay()) or [`drop_letters`](crate::drop_letters); if this is
/// forgotten they come back when their leases end.
pub struct Taken {
    pub(crate) sweep: Sweep,
    pub(crate) letters: Vec<Letter>,
    selection: Selection,
    missing: Vec<String>,
    bytes: usize,
    end: End,
    pub(crate) kept: usize,
}

/// Receives everything, holds what is selected and gives the rest back. With letters of the native redrive among
/// the selected the rest stays held too: behind them there may be more, which only becomes visible, and could
/// not be told from the rest.
///
/// Do not drop this future while it runs: what it holds would stay hidden until the leases end.
///
/// # Errors
/// When the queue's counts cannot be read; nothing has been received then. What broke off the scan is in the
/// report.
pub async fn take(
    queue: &Queue,
    selection: Selection,
    stop: &CancellationToken,
    mut on_seen: impl FnMut(usize),
) -> Result<Taken, QueueError> {
    let options = ScanOptions {
        lease: TAKE_LEASE,
        ..ScanOptions::default()
    };
    let mut taken = Taken {
        sweep: Sweep::begin(queue, options).await?,
        letters: Vec::new(),
        selection,
        missing: Vec::new(),
        bytes: 0,
        end: End::Empty,
        kept: 0,
    };
    let mut seen = 0;
    taken
        .gather(
            stop,
            |_| true,
            |_| {
                seen += 1;
                on_seen(seen);
            },
        )
        .await;
    taken.note_missing();
    taken.cut();
    if !taken
        .letters
        .iter()
        .any(|letter| letter.shared_group().is_some())
    {
        taken.give_back_others().await;
    }
    Ok(taken)
}

impl Taken {
    /// The selected letters, in the order of a replay.
    pub fn letters(&self) -> &[Letter] {
        &self.letters
    }

    /// What the scan saw, and what it cannot have seen.
    pub fn report(&self) -> Report {
        self.sweep.report(self.end.clone(), self.kept)
    }

    /// The ids somebody asked for that were not seen.
    pub fn missing_ids(&self) -> &[String] {
        &self.missing
    }

    /// Keeps the letters in hand until this future is dropped: race it against a person's answer.
    pub async fn hold(&mut self) {
        self.sweep.held.hold().await;
    }

    /// Gives everything back. Says how many messages could not be given back; they come back when their leases end.
    pub async fn give_back(mut self) -> usize {
        self.kept + self.sweep.held.give_back().await
    }

    /// Receives what has become visible behind letters that went from these shared groups, and takes what is
    /// selected of it. Nothing else, though it may be selected too: an event that was replayed can be dead again.
    ///
    /// What is left of these groups is given back before: SQS withholds what is behind a message in hand.
    pub(crate) async fn take_more(&mut self, behind: &BTreeSet<String>, stop: &CancellationToken) {
        self.bytes = self.letters.iter().map(Letter::size).sum();
        let Sweep { held, shared, .. } = &mut self.sweep;
        let is_left = |id: &str| shared.get(id).is_some_and(|group| behind.contains(group));
        self.kept += held.give_back_unless(|id| !is_left(id)).await;
        let is_behind = |letter: &Letter| letter.shared_group().is_some_and(|g| behind.contains(g));
        self.gather(stop, is_behind, |_| {}).await;
        self.cut();
    }

    async fn gather(
        &mut self,
        stop: &CancellationToken,
        wanted: impl Fn(&Letter) -> bool,
        mut on_letter: impl FnMut(&Letter),
    ) {
        let Self {
            sweep,
            letters,
            selection,
            bytes,
            ..
        } = self;
        self.end = sweep
            .run(stop, |letter| {
                on_letter(&letter);
                if !wanted(&letter) || !selection.selects(&letter) {
                    return ControlFlow::Continue(());
                }
                *bytes += letter.size();
                letters.push(letter);
                if *bytes > MOST_BYTES {
                    ControlFlow::Break(End::Full)
                } else {
                    ControlFlow::Continue(())
                }
            })
            .await;
        self.letters = order::arrange(std::mem::take(&mut self.letters));
    }

    fn note_missing(&mut self) {
        let ids = |letter| [Letter::id(letter), &letter.message.message_id];
        let found: HashSet<&str> = self.letters.iter().flat_map(ids).collect();
        let asked = self.selection.ids.iter();
        let missing = asked.filter(|id| !found.contains(id.as_str())).cloned();
        self.missing = missing.collect();
    }

    /// Keeps the first so many, and the other letters of their events: what is left of an event that went would
    /// deliver it once more.
    fn cut(&mut self) {
        let Some(limit) = self.selection.limit else {
            return;
        };
        let event = |letter: &Letter| (letter.id().to_owned(), letter.message.body.clone());
        let rest = self.letters.split_off(limit.min(self.letters.len()));
        if rest.is_empty() {
            return;
        }
        let events: HashSet<_> = self.letters.iter().map(event).collect();
        let copies = rest.into_iter().filter(|l| events.contains(&event(l)));
        self.letters.extend(copies);
    }

    /// How many more letters may be taken.
    pub(crate) fn reduce_limit(&mut self, by: usize) {
        if let Some(limit) = &mut self.selection.limit {
            *limit = limit.saturating_sub(by);
        }
    }

    async fn give_back_others(&mut self) {
        let ids = self.letters.iter().map(|l| l.message.message_id.as_str());
        let ids: HashSet<_> = ids.collect();
        let kept = self.sweep.held.give_back_unless(|id| ids.contains(id));
        self.kept += kept.await;
    }
}
