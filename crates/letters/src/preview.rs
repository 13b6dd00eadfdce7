//! What a replay would do, told before it is done.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use delivery::sequence_order;
use event::Timestamp;
use serde::Serialize;
use store::{Ledger, LedgerError, LedgerSpec};
use tokio::time::timeout;

use crate::{Failure, Fate, Letter, Target, Unseen, order};

/// The most groups whose deliveries are looked up.
const MOST_GROUPS: usize = 1_000;

/// The longest that looking up may take: letters are in hand meanwhile, and a page waits.
const LOOK_UP: Duration = Duration::from_secs(20);

/// The most group names in a warning.
const NAMED: usize = 3;

/// How far the clocks of two workers may be apart when they bury events of one group.
const CLOCKS_DIFFER_BY: Duration = Duration::from_secs(60);

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
    #[serde(serialize_with = "texts")]
    pub warnings: Vec<Warning>,
    /// What is good to know, a sentence each.
    #[serde(rename = "notes")]
    pub remarks: Vec<String>,
}

/// What a person accepts. Each is asked for, and given, on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Consent {
    /// That events arrive after newer ones of their group, or may do so.
    Order,
    /// That there are, or may be, letters of the same groups that could not be seen.
    Hidden,
}

/// One thing that a person has to agree to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// What accepts it.
    pub consent: Consent,
    /// A sentence.
    pub text: String,
}

fn texts<S: serde::Serializer>(warnings: &[Warning], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(warnings.iter().map(|warning| &warning.text))
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
    /// Of how many it is not known whether they are.
    pub unknown: usize,
    /// How many have lost their place in the order: the native redrive moved them.
    pub misplaced: usize,
}

/// What the workers noted of each message group, as far as they did: each burial, and the first acceptance after it.
#[derive(Debug, Clone, Default)]
pub struct Delivered {
    groups: BTreeMap<String, Known>,
    /// Why it is not known of all groups.
    unknown: Option<String>,
}

#[derive(Debug, Clone, Default)]
struct Known {
    up_to: Option<String>,
    /// Since when every worker notes the next acceptance. None since.
    watched_since: Option<Timestamp>,
}

/// Whether newer events of a letter's group were delivered since it died.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Newer {
    Delivered,
    None,
    /// It cannot be known, and why.
    Unknown(String),
}

impl Delivered {
    /// Nothing is known, and why.
    pub fn unknown(why: impl Into<String>) -> Self {
        Self {
            groups: BTreeMap::new(),
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
                Err(error) => Self::unknown(unreadable(&error)),
            }
        };
        let late = || Self::unknown(format!("no answer within {} s", LOOK_UP.as_secs()));
        timeout(LOOK_UP, look).await.unwrap_or_else(|_| late())
    }

    async fn noted(ledger: &Ledger, queue_url: &str, letters: &[Letter]) -> Self {
        Self::read(ledger, queue_url, letters)
            .await
            .unwrap_or_else(|error| Self::unknown(unreadable(&error)))
    }

    async fn read(
        ledger: &Ledger,
        queue_url: &str,
        letters: &[Letter],
    ) -> Result<Self, LedgerError> {
        let groups: BTreeSet<_> = letters.iter().filter_map(Letter::ordered_group).collect();
        let mut delivered = Self::default();
        if groups.len() > MOST_GROUPS {
            delivered.unknown = Some(format!("of more than {MOST_GROUPS} groups"));
        }
        // First, since a worker notes a delivery before it ends the watch.
        let watched = ledger.watched_groups(queue_url).await?;
        for group in groups.into_iter().take(MOST_GROUPS) {
            let known = Known {
                up_to: ledger.of_group(queue_url, group).await?.delivered_up_to,
                watched_since: watched.get(group).map(|watch| watch.since),
            };
            delivered.groups.insert(group.to_owned(), known);
        }
        Ok(delivered)
    }

    fn newer_than(&self, letter: &Letter, target: &Target) -> Newer {
        // Nothing can be overtaken where nothing keeps an order.
        if !target.queue().is_fifo() {
            return Newer::None;
        }
        let known = letter
            .ordered_group()
            .and_then(|group| self.groups.get(group));
        let number = order::origin_number(letter);
        let up_to = known.and_then(|known| known.up_to.as_deref());
        match up_to
            .zip(number)
            .map(|(up_to, number)| sequence_order(number, up_to))
        {
            Some(Ordering::Less) => return Newer::Delivered,
            Some(Ordering::Equal) => return Newer::None,
            Some(Ordering::Greater) | None => {}
        }
        let watched_since = known.and_then(|known| known.watched_since);
        match (&letter.fate, watched_since) {
            (Fate::Recorded(record), Some(since))
                if number.is_some() && record.dead_at.plus(CLOCKS_DIFFER_BY) >= since =>
            {
                Newer::None
            }
            (Fate::Backstop(_), _) => Newer::Unknown("the native redrive moved them".to_owned()),
            _ => Newer::Unknown(match &self.unknown {
                Some(why) => why.clone(),
                None => "no worker noted in the ledger that they died".to_owned(),
            }),
        }
    }
}

fn unreadable(error: &LedgerError) -> String {
    format!("the ledger cannot be read: {error}")
}

impl Preview {
    /// Says what a replay of these letters, in the order given, would do.
    pub fn of(letters: &[Letter], target: &Target, delivered: &Delivered) -> Self {
        let mut groups: Vec<PreviewGroup> = Vec::new();
        let mut places: BTreeMap<Option<String>, usize> = BTreeMap::new();
        let (mut refused, mut reasons) = (Vec::new(), BTreeSet::new());
        for letter in letters {
            let group = letter.group().map(str::to_owned);
            let place = *places.entry(group.clone()).or_insert(groups.len());
            if place == groups.len() {
                groups.push(PreviewGroup::new(group));
            }
            let newer = match target.outgoing(letter) {
                Ok(_) => delivered.newer_than(letter, target),
                Err(why) => {
                    refused.push(Failure::of(letter, target.in_words(&why)));
                    Newer::None
                }
            };
            groups[place].add(letter, &newer);
            if let Newer::Unknown(why) = newer {
                reasons.insert(why);
            }
        }
        let mut preview = Self {
            to: target.queue().url().to_owned(),
            letters: letters.len(),
            groups,
            refused,
            warnings: Vec::new(),
            remarks: Vec::new(),
        };
        let order = [preview.overtaken(), preview.not_known(&reasons)];
        preview.warn(Consent::Order, order.into_iter().flatten());
        preview.remarks.extend(preview.misplaced());
        preview
    }

    /// Adds what could not be seen of the selection, and what else is to be told of the look at the queue.
    pub fn add_unseen(&mut self, unseen: Unseen) {
        self.warn(Consent::Hidden, unseen.of_the_selection);
        self.remarks.extend(unseen.others);
    }

    fn warn(&mut self, consent: Consent, texts: impl IntoIterator<Item = String>) {
        let warnings = texts.into_iter().map(|text| Warning { consent, text });
        self.warnings.extend(warnings);
    }

    /// What has to be accepted, each once.
    pub fn consents(&self) -> BTreeSet<Consent> {
        self.warnings.iter().map(|w| w.consent).collect()
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

    fn not_known(&self, reasons: &BTreeSet<String>) -> Option<String> {
        let unknown: Vec<_> = self.groups.iter().filter(|g| g.unknown > 0).collect();
        let count: usize = unknown.iter().map(|g| g.unknown).sum();
        let reasons: Vec<_> = reasons.iter().map(String::as_str).collect();
        (count > 0).then(|| {
            format!(
                "whether newer events of {} were delivered since is not known ({}): {count} of these may arrive \
                 after them",
                named(&unknown),
                reasons.join("; ")
            )
        })
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
            unknown: 0,
            misplaced: 0,
        }
    }

    fn add(&mut self, letter: &Letter, newer: &Newer) {
        self.count += 1;
        self.overtaken += usize::from(*newer == Newer::Delivered);
        self.unknown += usize::from(matches!(newer, Newer::Unknown(_)));
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
