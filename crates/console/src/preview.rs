//! What a replay would do, told before it is done.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use delivery::sequence_order;
use event::Timestamp;
use serde::Serialize;
use store::{Ledger, LedgerError, LedgerSpec};
use tokio::time::timeout;

use crate::{Failure, Fate, Letter, Target, order};

/// The most groups whose deliveries are looked up.
const MOST_GROUPS: usize = 1_000;

/// The longest that looking up may take: letters are in hand meanwhile, and a page waits.
const LOOK_UP: Duration = Duration::from_secs(20);

/// The most group names in a warning.
const NAMED: usize = 3;

/// What a replay of some letters would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Preview {
    /// Where they would go: the URL of the queue.
    pub to: String,
    /// Letters that would go.
    pub letters: usize,
    /// Their groups, in the order in which they would begin.
    pub groups: Vec<PreviewGroup>,
    /// Letters that cannot be sent there, and why. What is behind one of them in its group would not go either.
    pub refused: Vec<Failure>,
    /// What a person has to agree to, a sentence each.
    pub warnings: Vec<String>,
    /// What is good to know, a sentence each.
    pub notes: Vec<String>,
}

/// The letters of one message group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PreviewGroup {
    /// The group; none on standard queues.
    pub group: Option<String>,
    /// How many letters.
    pub count: usize,
    /// When the first of their events was sent, if that is known.
    pub first_sent_at: Option<Timestamp>,
    /// When the last one was.
    pub last_sent_at: Option<Timestamp>,
    /// How many of them are older than an event of the group that was delivered since.
    pub overtaken: usize,
    /// How many have lost their place in the order: the native redrive moved them.
    pub misplaced: usize,
}

/// Up to where each message group was delivered, as far as the workers noted it: the first acceptance after a
/// death leaves a note in the ledger.
#[derive(Debug, Clone, Default)]
pub struct Delivered {
    up_to: BTreeMap<String, String>,
    /// Why it is not known of all groups.
    unknown: Option<String>,
}

impl Delivered {
    /// Nothing is known, and why.
    pub fn unknown(why: impl Into<String>) -> Self {
        Self {
            up_to: BTreeMap::new(),
            unknown: Some(why.into()),
        }
    }

    /// Looks up the groups of these letters in the ledger of the workers of `target`, if it is within reach; of at
    /// most 1,000 groups.
    pub async fn look_up(spec: &LedgerSpec, target: &Target, letters: &[Letter]) -> Self {
        let retention = Duration::from_secs(target.queue().attributes().retention_s);
        let look = async {
            match Ledger::look(spec, retention).await {
                Ok(Some(ledger)) => Self::noted(&ledger, target.queue().url(), letters).await,
                Ok(None) => Self::unknown(format!("there is no ledger {spec}")),
                Err(error) => Self::unknown(told(&error)),
            }
        };
        let late = || Self::unknown(format!("no answer within {} s", LOOK_UP.as_secs()));
        timeout(LOOK_UP, look).await.unwrap_or_else(|_| late())
    }

    async fn noted(ledger: &Ledger, queue_url: &str, letters: &[Letter]) -> Self {
        let groups: BTreeSet<_> = letters.iter().filter_map(Letter::ordered_group).collect();
        let mut delivered = Self::default();
        if groups.len() > MOST_GROUPS {
            delivered.unknown = Some(format!("of more than {MOST_GROUPS} groups"));
        }
        for group in groups.into_iter().take(MOST_GROUPS) {
            match ledger.delivered_up_to(queue_url, group).await {
                Ok(Some(number)) => {
                    delivered.up_to.insert(group.to_owned(), number);
                }
                Ok(None) => {}
                Err(error) => return Self::unknown(told(&error)),
            }
        }
        delivered
    }

    fn overtook(&self, letter: &Letter) -> bool {
        let up_to = letter
            .ordered_group()
            .and_then(|group| self.up_to.get(group));
        let number = order::origin_number(letter);
        up_to
            .zip(number)
            .is_some_and(|(up_to, number)| sequence_order(number, up_to).is_lt())
    }
}

fn told(error: &LedgerError) -> String {
    format!("the ledger cannot be read: {error}")
}

impl Preview {
    /// Says what a replay of these letters, in the order given, would do.
    pub fn of(letters: &[Letter], target: &Target, delivered: &Delivered) -> Self {
        let mut groups: Vec<PreviewGroup> = Vec::new();
        let mut places: BTreeMap<Option<String>, usize> = BTreeMap::new();
        let mut refused = Vec::new();
        for letter in letters {
            if let Err(why) = target.outgoing(letter) {
                refused.push(Failure::of(letter, why));
            }
            let group = letter.group().map(str::to_owned);
            let place = *places.entry(group.clone()).or_insert(groups.len());
            if place == groups.len() {
                groups.push(PreviewGroup::new(group));
            }
            groups[place].add(letter, delivered.overtook(letter));
        }
        let mut preview = Self {
            to: target.queue().url().to_owned(),
            letters: letters.len(),
            groups,
            refused,
            warnings: Vec::new(),
            notes: Vec::new(),
        };
        preview.warnings.extend(preview.overtaken());
        preview.notes.extend(preview.misplaced());
        preview.notes.extend(preview.not_known(delivered));
        if !target.queue().is_fifo() {
            preview
                .notes
                .push("a standard queue keeps no order".to_owned());
        }
        preview
    }

    fn overtaken(&self) -> Option<String> {
        let overtaken: Vec<_> = self.groups.iter().filter(|g| g.overtaken > 0).collect();
        if overtaken.is_empty() {
            return None;
        }
        let count: usize = overtaken.iter().map(|g| g.overtaken).sum();
        Some(format!(
            "newer events of {} were delivered since: {count} of these would arrive after them, and their order \
             cannot be restored",
            named(&overtaken)
        ))
    }

    /// Of a group that the redrive filled alone, the letters stand in the order in which they were moved.
    fn misplaced(&self) -> Option<String> {
        let mixed = |g: &&PreviewGroup| g.misplaced > 0 && g.misplaced < g.count;
        let mixed: Vec<_> = self.groups.iter().filter(mixed).collect();
        (!mixed.is_empty()).then(|| {
            format!(
                "letters that the native redrive moved have lost their sequence numbers; in {} they go among the \
                 others by the time in their bodies",
                named(&mixed)
            )
        })
    }

    fn not_known(&self, delivered: &Delivered) -> Option<String> {
        let why = delivered.unknown.as_ref()?;
        Some(format!(
            "whether newer events were delivered since is not known: {why}"
        ))
    }
}

impl PreviewGroup {
    fn new(group: Option<String>) -> Self {
        Self {
            group,
            count: 0,
            first_sent_at: None,
            last_sent_at: None,
            overtaken: 0,
            misplaced: 0,
        }
    }

    fn add(&mut self, letter: &Letter, overtaken: bool) {
        self.count += 1;
        self.overtaken += usize::from(overtaken);
        self.misplaced += usize::from(has_lost_its_number(letter));
        if let Some(at) = letter.sent_at() {
            self.first_sent_at = Some(self.first_sent_at.map_or(at, |first| first.min(at)));
            self.last_sent_at = Some(self.last_sent_at.map_or(at, |last| last.max(at)));
        }
    }
}

fn has_lost_its_number(letter: &Letter) -> bool {
    letter.is_ordered() && matches!(letter.fate, Fate::Backstop(None))
}

fn named(groups: &[&PreviewGroup]) -> String {
    let names = groups
        .iter()
        .take(NAMED)
        .map(|g| g.group.as_deref().unwrap_or("no group"));
    let names: Vec<_> = names.collect();
    match groups.len() - names.len() {
        0 => names.join(", "),
        more => format!("{} and {more} more groups", names.join(", ")),
    }
}
