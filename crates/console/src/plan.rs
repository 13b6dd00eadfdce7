//! What a person is about to do: letters of the snapshot, chosen one by one or by criteria, shown before it is done.
//!
//! A plan names its letters by their MessageIds, so that what was shown is what happens, whatever else dies
//! meanwhile.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use event::Timestamp;
use letters::{Consent, Delivered, Letter, Preview, Target, Unsendable, arrange};

use super::Console;
use super::form::Fields;
use super::layout::counted;
use super::query::Query;
use super::session::random;
use super::snapshot::Snapshot;

/// The most plans that are kept; the oldest goes.
const MOST_PLANS: usize = 16;

/// How long a plan may be carried out. What it says of newer events was true when it was made.
const LASTS: Duration = Duration::from_secs(30 * 60);

/// The longest reason, in characters.
pub(super) const LONGEST_WHY: usize = 500;

/// What is done with letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Replay,
    Drop,
}

impl Kind {
    pub(super) fn verb(self) -> &'static str {
        match self {
            Self::Replay => "Replay",
            Self::Drop => "Drop",
        }
    }

    pub(super) fn done(self) -> &'static str {
        match self {
            Self::Replay => "replayed",
            Self::Drop => "dropped",
        }
    }

    pub(super) fn action(self) -> &'static str {
        match self {
            Self::Replay => "/replay",
            Self::Drop => "/drop",
        }
    }
}

/// What is to be done with which letters.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) id: String,
    pub(super) kind: Kind,
    /// The MessageIds in the internal queue.
    pub(super) letters: BTreeSet<String>,
    /// What has to be accepted before it is carried out.
    pub(super) consents: BTreeSet<Consent>,
    made_at: Timestamp,
}

/// The plans that can be carried out, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Plans(VecDeque<Arc<Plan>>);

impl Plans {
    pub(super) fn make(
        &mut self,
        kind: Kind,
        letters: BTreeSet<String>,
        consents: BTreeSet<Consent>,
        now: Timestamp,
    ) -> Arc<Plan> {
        while self.0.len() >= MOST_PLANS {
            self.0.pop_front();
        }
        let plan = Arc::new(Plan {
            id: random(),
            kind,
            letters,
            consents,
            made_at: now,
        });
        self.0.push_back(plan.clone());
        plan
    }

    /// The plan of this id and kind, if it is not too old.
    pub(super) fn find(&self, id: &str, kind: Kind, now: Timestamp) -> Option<Arc<Plan>> {
        let mut plans = self.0.iter();
        let plan = plans.find(|plan| plan.id == id && plan.kind == kind)?;
        (plan.made_at.until(now) <= LASTS).then(|| plan.clone())
    }

    pub(super) fn forget(&mut self, id: &str) {
        self.0.retain(|plan| plan.id != id);
    }
}

/// The letters that a form means, in the order of a replay.
pub(super) fn chosen(
    snapshot: &Snapshot,
    form: &Fields,
    now: Timestamp,
) -> Result<Vec<Letter>, String> {
    let letters: Vec<Letter> = if form.get("scope") == "all" {
        let query = Query::of(form, now);
        if !query.is_usable() {
            return Err("A criterion cannot be used.".to_owned());
        }
        let matching = snapshot.matching(&query.filter);
        matching.map(|letter| Letter::clone(letter)).collect()
    } else {
        let ids: BTreeSet<&str> = form.all("id").collect();
        if ids.is_empty() {
            return Err("Choose the letters first, with the boxes in front of them.".to_owned());
        }
        let found: Vec<_> = ids.iter().filter_map(|id| snapshot.present(id)).collect();
        if found.len() < ids.len() {
            let gone = counted(ids.len() - found.len(), "letter is", "letters are");
            return Err(format!(
                "{gone} not in the snapshot any more: somebody scanned again, or changed them. Choose again."
            ));
        }
        found
            .into_iter()
            .map(|letter| Letter::clone(letter))
            .collect()
    };
    if letters.is_empty() {
        Err("No dead letter of the snapshot matches any more.".to_owned())
    } else {
        Ok(arrange(letters))
    }
}

/// What a form calls a thing that is accepted.
pub(super) fn name_of(consent: Consent) -> &'static str {
    match consent {
        Consent::Order => "order",
        Consent::Hidden => "hidden",
    }
}

/// Why a letter cannot go, and what can be done about it: the page has no other queue to choose.
fn unsendable(why: &Unsendable) -> String {
    match why {
        Unsendable::OfAnotherQueue(_) => {
            format!("{why}: `hooklane dlq replay --to` sends it to a queue that you name")
        }
        Unsendable::Unreadable(_) | Unsendable::WithoutRoom { .. } => {
            format!("{why}: download its body, and send it as a new event")
        }
        Unsendable::WithoutGroup => why.to_string(),
    }
}

impl Console {
    /// Letters that were chosen one by one are all there are; others may be hidden from those of a filter.
    pub(super) async fn preview_replay(
        &self,
        letters: Vec<Letter>,
        snapshot: &Snapshot,
        by_filter: bool,
    ) -> Preview {
        let target = self.target();
        let delivered = Delivered::look_up(&self.settings.ledger, &target, &letters).await;
        let mut preview = Preview::of(&letters, &target, &delivered);
        let groups = letters.iter().filter_map(Letter::group).collect();
        let mut unseen = snapshot.report.unseen(&groups);
        if !by_filter {
            unseen.others.append(&mut unseen.of_the_selection);
        }
        preview.add_unseen(unseen);
        preview
    }

    /// Where a replay goes.
    pub(super) fn target(&self) -> Target {
        Target::source(self.queues.source.clone()).worded(unsendable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_739_370_645_000);

    #[test]
    fn a_plan_is_kept_for_half_an_hour_and_is_of_one_kind() {
        let mut plans = Plans::default();
        let plan = plans.make(Kind::Drop, BTreeSet::new(), BTreeSet::new(), NOW);
        assert!(plans.find(&plan.id, Kind::Drop, NOW.plus(LASTS)).is_some());
        let later = NOW.plus(LASTS + Duration::from_millis(1));
        assert!(plans.find(&plan.id, Kind::Drop, later).is_none());
        assert!(plans.find(&plan.id, Kind::Replay, NOW).is_none());
        plans.forget(&plan.id);
        assert!(plans.find(&plan.id, Kind::Drop, NOW).is_none());
    }

    #[test]
    fn there_are_at_most_16_plans_and_the_oldest_goes() {
        let mut plans = Plans::default();
        let made: Vec<_> = (0..17)
            .map(|_| plans.make(Kind::Replay, BTreeSet::new(), BTreeSet::new(), NOW))
            .collect();
        assert!(plans.find(&made[0].id, Kind::Replay, NOW).is_none());
        assert!(plans.find(&made[1].id, Kind::Replay, NOW).is_some());
    }
}
