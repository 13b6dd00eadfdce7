//! A replay or a drop under way: one at a time, carried on whoever looks, and its outcome kept for a while.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use event::Timestamp;
use letters::{
    Audit, Consent, Failure, LetterFile, Outcome, Progress, Selection, TAKE_LEASE, Taken,
    drop_letters, replay, take,
};
use tokio_util::sync::CancellationToken;

use super::Console;
use super::plan::{Kind, Plan, name_of};
use super::session::random;

/// The most jobs that are remembered; the oldest goes.
const MOST_JOBS: usize = 16;

/// The most failures of a job that are kept one by one.
const MOST_FAILURES: usize = 200;

/// One job.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) id: String,
    /// The plan it carries out.
    plan: Arc<Plan>,
    /// Who began it, and why.
    pub(super) audit: Audit,
    pub(super) began: Timestamp,
    rate: Option<NonZeroU32>,
    stop: CancellationToken,
    state: Mutex<State>,
}

/// How far a job is.
#[derive(Debug, Clone)]
pub(super) enum State {
    /// It gathers its letters; so many dead letters have been looked at.
    Gathering(usize),
    /// It moves them.
    Moving(Progress),
    /// It is over.
    Ended(Arc<Ended>),
}

/// What came of a job.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) at: Timestamp,
    pub(super) result: Result<Done, Nothing>,
}

/// Letters went, or were tried.
#[derive(Debug)]
pub(super) struct Done {
    /// Its lists are cut to [`MOST_FAILURES`].
    pub(super) outcome: Outcome,
    pub(super) failed: usize,
    pub(super) left: usize,
    pub(super) not_removed: usize,
    /// Where dropped letters are.
    pub(super) file: Option<PathBuf>,
    /// Whether letters of the native redrive were among them, behind which there may be more.
    pub(super) of_shared_groups: bool,
}

/// Nothing was changed, and why.
#[derive(Debug)]
pub(super) struct Nothing {
    pub(super) why: String,
    pub(super) remarks: Vec<String>,
}

impl Nothing {
    fn because(why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            remarks: Vec::new(),
        }
    }
}

impl Job {
    pub(super) fn kind(&self) -> Kind {
        self.plan.kind
    }

    /// How many letters were planned.
    pub(super) fn planned(&self) -> usize {
        self.plan.letters.len()
    }

    pub(super) fn state(&self) -> State {
        self.lock().clone()
    }

    pub(super) fn is_running(&self) -> bool {
        !matches!(*self.lock(), State::Ended(_))
    }

    pub(super) fn stop(&self) {
        self.stop.cancel();
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    fn set(&self, state: State) {
        *self.lock() = state;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The jobs that are remembered, the newest first.
#[derive(Debug, Default)]
pub(super) struct Jobs(VecDeque<Arc<Job>>);

impl Jobs {
    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Job>> {
        self.0.iter()
    }

    pub(super) fn find(&self, id: &str) -> Option<Arc<Job>> {
        self.iter().find(|job| job.id == id).cloned()
    }

    /// The job that runs.
    pub(super) fn running(&self) -> Option<Arc<Job>> {
        self.iter().find(|job| job.is_running()).cloned()
    }

    fn of_plan(&self, plan: &str) -> Option<Arc<Job>> {
        self.iter().find(|job| job.plan.id == plan).cloned()
    }

    fn add(&mut self, job: Arc<Job>) {
        self.0.truncate(MOST_JOBS - 1);
        self.0.push_front(job);
    }
}

/// Why a job did not begin.
#[derive(Debug)]
pub(super) enum Refused {
    /// The plan is unknown or too old.
    Expired,
    /// Another job runs.
    Busy(Arc<Job>),
    /// A scan runs.
    Scanning,
    /// These things were warned of, and not accepted.
    NotAccepted(BTreeSet<Consent>),
}

/// What a person confirmed.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) plan: String,
    pub(super) kind: Kind,
    pub(super) audit: Audit,
    pub(super) rate: Option<NonZeroU32>,
    /// What was accepted, by name.
    pub(super) accepted: Vec<String>,
}

impl Console {
    /// Begins to carry out a plan; one that is being carried out already is not begun again.
    pub(super) fn begin(self: &Arc<Self>, order: Order) -> Result<Arc<Job>, Refused> {
        let now = self.clock.now();
        let mut desk = self.desk();
        if let Some(job) = desk.jobs.of_plan(&order.plan) {
            return Ok(job);
        }
        let plan = desk.plans.find(&order.plan, order.kind, now);
        let plan = plan.ok_or(Refused::Expired)?;
        let is_accepted = |consent: &Consent| order.accepted.iter().any(|a| a == name_of(*consent));
        let consents = plan.consents.iter().copied();
        let missing: BTreeSet<_> = consents.filter(|c| !is_accepted(c)).collect();
        if !missing.is_empty() {
            return Err(Refused::NotAccepted(missing));
        }
        if let Some(job) = desk.jobs.running() {
            return Err(Refused::Busy(job));
        }
        if desk.scanning.is_some() {
            return Err(Refused::Scanning);
        }
        desk.plans.forget(&plan.id);
        let job = Arc::new(Job {
            id: random(),
            plan,
            audit: order.audit,
            began: now,
            rate: order.rate,
            stop: self.stop.child_token(),
            state: Mutex::new(State::Gathering(0)),
        });
        desk.jobs.add(job.clone());
        let (console, running) = (self.clone(), job.clone());
        self.tasks.spawn(async move {
            let mut result = console.carry_out(&running).await;
            if let Ok(done) = &mut result {
                console.note_moved(std::mem::take(&mut done.outcome.moved));
            }
            console.forget_counts().await;
            let at = console.clock.now();
            running.set(State::Ended(Arc::new(Ended { at, result })));
        });
        Ok(job)
    }

    async fn carry_out(&self, job: &Job) -> Result<Done, Nothing> {
        let taken = self.gather(job).await?;
        let of_shared_groups = taken.letters().iter().any(|l| l.shared_group().is_some());
        let progress = |progress| job.set(State::Moving(progress));
        let (mut outcome, file) = match job.kind() {
            Kind::Replay => {
                let (target, audit) = (self.target(), &job.audit);
                let outcome = replay(taken, &target, job.rate, audit, &job.stop, progress).await;
                (outcome, None)
            }
            Kind::Drop => {
                let name = LetterFile::name_at(self.clock.now());
                let path = self.settings.drop_dir.join(name);
                let file = match LetterFile::create(&path) {
                    Ok(file) => file,
                    Err(error) => {
                        taken.give_back().await;
                        let why = format!("{} cannot be made: {error}", path.display());
                        return Err(Nothing::because(why));
                    }
                };
                let outcome = drop_letters(taken, file, &job.audit, &job.stop, progress).await;
                (outcome, Some(path))
            }
        };
        let (failed, left) = (outcome.failures.len(), outcome.left());
        let not_removed = outcome.not_removed.len();
        outcome.failures.truncate(MOST_FAILURES);
        outcome.not_removed.truncate(MOST_FAILURES);
        Ok(Done {
            outcome,
            failed,
            left,
            not_removed,
            file,
            of_shared_groups,
        })
    }

    /// Takes the planned letters in hand: all of them, or nothing is changed. Without one of them the others of its
    /// group would go ahead of it.
    async fn gather(&self, job: &Job) -> Result<Taken, Nothing> {
        let selection = Selection {
            ids: job.plan.letters.clone(),
            present_ids: true,
            ..Selection::default()
        };
        let seen = |seen| job.set(State::Gathering(seen));
        let taken = take(&self.queues.dead_letters, selection, &job.stop, seen).await;
        let taken = taken.map_err(|error| Nothing::because(error.to_string()))?;
        let found: HashSet<_> = taken
            .letters()
            .iter()
            .map(|l| &l.message.message_id)
            .collect();
        let missing = job
            .plan
            .letters
            .iter()
            .filter(|id| !found.contains(id))
            .count();
        if missing == 0 && taken.letters().len() == job.planned() {
            return Ok(taken);
        }
        let mut remarks = taken.report().remarks();
        let kept = taken.give_back().await;
        if kept > 0 {
            remarks.push(format!(
                "{kept} could not be given back: hidden for up to {} s, then visible again by themselves",
                TAKE_LEASE.as_secs()
            ));
        }
        let why = if job.is_stopping() {
            "It was stopped.".to_owned()
        } else {
            format!(
                "{missing} of the {} letters are not to be had: somebody else holds them just now, or they were \
                 replayed or dropped meanwhile. Scan again and choose again; if somebody else is looking at the \
                 queue, wait a few minutes.",
                job.planned()
            )
        };
        Err(Nothing { why, remarks })
    }

    /// Takes letters that went out of the snapshot.
    fn note_moved(&self, moved: Vec<String>) {
        let moved: HashSet<String> = moved.into_iter().collect();
        let mut desk = self.desk();
        if let Some(snapshot) = desk.snapshot.as_ref().filter(|_| !moved.is_empty()) {
            desk.snapshot = Some(Arc::new(snapshot.without(&moved)));
        }
    }
}

/// Failures to show, those that were not deleted included.
pub(super) fn failures(done: &Done) -> impl Iterator<Item = &Failure> {
    done.outcome
        .failures
        .iter()
        .chain(&done.outcome.not_removed)
}
