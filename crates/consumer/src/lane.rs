//! Runs one lane: visit after visit, until it is empty or has to wait. The decisions are `delivery`'s.

use std::sync::Arc;
use std::time::Duration;

use delivery::{
    Attempt, Decision, Hide, Lane, Outcome, REPLAY, Reason, Record, RecordState, Replay,
    RequestFacts, Visit,
};
use event::{EVENT_NAME, Event, is_header_text};
use store::{Key, LedgerError, Seen, WriteError};
use tokio::time::Instant;
use tracing::{debug, warn};
use url::Url;

use crate::dead_letters::{self, NotSent, Verdict};
use crate::held::{Held, Lease, LeaseLost};
use crate::memory::Unwritten;
use crate::post::{Post, Request};
use crate::report;
use crate::settler::{Deletion, Settler};
use crate::shared::Shared;
use crate::tally::Tally;

/// What a lease must outlast beyond the request timeout (DESIGN section 3, "Never POST on borrowed time").
const LEASE_MARGIN: Duration = Duration::from_secs(2);

/// How long a group waits whose head needs a person, since the internal queue refuses it or its record cannot
/// be read: it is held, never deleted. What is refused waits at first for the shortest time, then for as long again as it has waited already, so that in the two weeks that SQS may
/// keep it no receive count comes near the native backstop.
const SHORTEST_HOLD: Duration = Duration::from_secs(5 * 60);
const LONGEST_HOLD: Duration = Duration::from_secs(30 * 60);

/// Why a lane ends before it is empty.
#[derive(Debug)]
enum End {
    /// Its head waits for its next visit.
    Wait(Duration),
    /// The worker stops.
    GiveBack,
    /// The ledger or the internal queue is down.
    Down,
    /// A lease is over, or another worker wrote the ledger first: the messages are no longer ours.
    Lost,
}

impl From<LeaseLost> for End {
    fn from(_: LeaseLost) -> Self {
        Self::Lost
    }
}

/// How a visit that came to a verdict leaves its message: to be deleted.
struct Settled {
    /// The ledger has a record of it.
    recorded: bool,
}

pub(crate) struct LaneRun<'a, P> {
    shared: &'a Shared<P>,
    settler: &'a Settler,
    lane: Lane<Held>,
    lease: Lease,
}

/// Delivers the messages of one lane in order.
pub(crate) async fn run<P: Post>(shared: Arc<Shared<P>>, settler: Settler, lane: Lane<Held>) {
    let Some(head) = lane.head() else { return };
    let visibility = shared.settings.visibility_timeout;
    let lease = Lease::new(shared.source.clone(), visibility, head.message.lease_until);
    let group = head.message.group.clone();
    let _turn = match &group {
        Some(group) => Some(shared.turns.take(group).await),
        None => None,
    };
    let mut run = LaneRun {
        shared: &shared,
        settler: &settler,
        lane,
        lease,
    };
    if let Err(end) = run.deliver().await {
        run.leave(end).await;
    }
}

/// What is known of the head when its visit begins.
struct Known {
    record: Option<Record>,
    seen: Option<Seen>,
    earlier: Option<Replay>,
}

impl<P: Post> LaneRun<'_, P> {
    async fn deliver(&mut self) -> Result<(), End> {
        while !self.lane.is_empty() {
            if self.shared.stop.is_cancelled() {
                return Err(End::GiveBack);
            }
            if !self.shared.gate.is_open() {
                return Err(End::Down);
            }
            let settled = self.visit().await?;
            self.delete_head(settled).await;
        }
        Ok(())
    }

    async fn leave(&self, end: End) {
        let hide = match end {
            End::Wait(wait) => self.lane.hide_for(wait),
            End::Down => self.lane.hide_for(self.shared.gate.backoff()),
            End::GiveBack => self.lane.give_back(),
            // Its head may be another worker's by now: only what is behind it is given back.
            End::Lost => Hide {
                head: None,
                ..self.lane.give_back()
            },
        };
        self.lease.apply(hide).await;
    }

    fn head(&self) -> &Held {
        self.lane
            .head()
            .expect("a visit is of the head of a lane that is not empty")
    }

    fn key(&self) -> Key {
        let message = &self.head().message;
        Key {
            queue: self.shared.source.url().to_owned(),
            message_id: message.message_id.clone(),
            group: message.group.clone(),
        }
    }

    async fn visit(&mut self) -> Result<Settled, End> {
        let message = &self.head().message;
        if self.shared.memory().was_done(&message.message_id) {
            return Ok(Settled { recorded: true });
        }
        let known = self.known().await?;
        let message = &self.head().message;
        let now = self.shared.clock.now();
        let schedule = &self.shared.settings.schedule;
        match Visit::open(schedule, known.record.as_ref(), message.receive_count, now) {
            Visit::TooEarly { remaining } => Err(End::Wait(remaining)),
            Visit::Attempt { n } => self.attempt_from(n, known).await,
            Visit::Watch => {
                let record = self.waiting(Vec::new(), Duration::ZERO);
                let seen = Some(self.write(None, record).await?);
                self.attempt_from(1, Known { seen, ..known }).await
            }
            Visit::SetAside { reason } => {
                let (known, attempts) = known.take_attempts();
                self.set_aside(known, attempts, Verdict::new(reason, None))
                    .await
            }
            Visit::Decided { record } => self.bury(record, known.earlier).await,
        }
    }

    /// Reads what earlier visits left: nothing to read on a first receive.
    async fn known(&self) -> Result<Known, End> {
        let message = &self.head().message;
        let earlier = message.text_attribute(REPLAY).and_then(|text| match Replay::parse(text) {
            Ok(replay) => Some(replay),
            Err(error) => {
                warn!(message = message.message_id, %error, "the replay attribute cannot be read; the event counts as new");
                None
            }
        });
        let mut known = Known {
            record: None,
            seen: None,
            earlier,
        };
        if message.receive_count > 1 {
            known.seen = match self.shared.ledger.read(&self.key()).await {
                Ok(seen) => seen,
                Err(error @ LedgerError::Record { .. }) => {
                    report::unreadable(message, &error);
                    return Err(End::Wait(LONGEST_HOLD));
                }
                Err(error) => return Err(self.ledger_down(&error)),
            };
            self.write_unwritten(&mut known).await?;
            known.record = known.seen.as_ref().map(|s| s.record.clone());
        }
        Ok(known)
    }

    /// Attempts that the ledger could not take count, unless another worker has written since. They are
    /// written down before anything else, since this visit may end without an attempt of its own.
    async fn write_unwritten(&self, known: &mut Known) -> Result<(), End> {
        let unwritten = self
            .shared
            .memory()
            .unwritten(&self.head().message.message_id);
        if let Some(Unwritten { record, seen }) = unwritten
            && seen == known.seen
        {
            known.seen = Some(self.write(seen.as_ref(), record).await?);
        }
        Ok(())
    }

    fn ledger_down(&self, error: &dyn std::fmt::Display) -> End {
        self.shared.gate.close("the ledger", error);
        End::Down
    }

    /// Attempts the head until it is accepted, exhausted or has to wait.
    async fn attempt_from(&mut self, first: u32, known: Known) -> Result<Settled, End> {
        let message = &self.head().message;
        let event = match Event::parse(&message.body) {
            Ok(event) => event,
            Err(invalid) => {
                let verdict = Verdict::new(Reason::InvalidEvent, Some(invalid.to_string()));
                let (known, attempts) = known.take_attempts();
                return self.set_aside(known, attempts, verdict).await;
            }
        };
        let name = message.text_attribute(EVENT_NAME);
        let Some(url) = self.shared.settings.callback.url_for(name).cloned() else {
            let (known, attempts) = known.take_attempts();
            return self
                .set_aside(known, attempts, Verdict::new(Reason::NoCallback, None))
                .await;
        };
        let (known, mut attempts) = known.take_attempts();
        let body = exact_body(message, &event);
        for n in first.. {
            let made = self
                .attempt(n, &url, &event, &body, known.earlier.as_ref())
                .await;
            let (attempt, decision) = match made {
                Ok(made) => made,
                Err(end) if n == first => return Err(end),
                Err(end) => return Err(self.cut_short(&known, attempts, end).await),
            };
            attempts.push(attempt);
            match decision {
                Decision::Done => {
                    Tally::count(&self.shared.tally.delivered);
                    return Ok(Settled {
                        recorded: known.seen.is_some(),
                    });
                }
                Decision::RetryNow if self.shared.stop.is_cancelled() => {
                    return Err(self.cut_short(&known, attempts, End::GiveBack).await);
                }
                Decision::RetryNow => {}
                Decision::RetryAfter(wait) => {
                    self.record_wait(&known, attempts, wait).await?;
                    return Err(End::Wait(wait));
                }
                Decision::Exhausted => {
                    let verdict = Verdict::new(Reason::Exhausted, None);
                    return self.set_aside(known, attempts, verdict).await;
                }
            }
        }
        unreachable!("a schedule ends")
    }

    /// One POST, on a lease that outlasts it.
    async fn attempt(
        &mut self,
        n: u32,
        url: &Url,
        event: &Event,
        body: &bytes::Bytes,
        earlier: Option<&Replay>,
    ) -> Result<(Attempt, Decision), End> {
        let timeout = self.shared.settings.schedule.timeout();
        self.lease
            .outlast(timeout + LEASE_MARGIN, &self.lane)
            .await?;
        let message = &self.head().message;
        let at = self.shared.clock.now();
        let facts = RequestFacts {
            webhook_id: report::webhook_id(event, message, earlier),
            at,
            attempt: n,
            group: message.group.as_deref(),
            sequence_number: message.sequence_number.as_deref(),
            event_name: message
                .text_attribute(EVENT_NAME)
                .filter(|name| is_header_text(name)),
            replay: earlier.is_some(),
        };
        let request = Request {
            url: url.clone(),
            headers: delivery::headers(&facts, &self.shared.settings.callback.authentication, body),
            body: body.clone(),
            timeout,
        };
        let began = Instant::now();
        Tally::count(&self.shared.tally.attempts);
        let outcome: Outcome = tokio::select! {
            outcome = self.shared.post.post(request) => outcome,
            // Not counted: nobody knows what became of it, and a deploy costs no event an attempt.
            () = self.shared.abort.cancelled() => return Err(End::GiveBack),
        };
        let duration = began.elapsed();
        let decision = self.shared.settings.schedule.decide(n, &outcome);
        report::attempt(&facts, message, duration, &outcome, decision);
        let life = earlier.map_or(0, |replay| replay.replays);
        Ok((Attempt::new(life, n, at, duration, &outcome), decision))
    }

    /// The visit is over without acceptance: its attempts are written down before the wait begins.
    async fn record_wait(
        &self,
        known: &Known,
        attempts: Vec<Attempt>,
        wait: Duration,
    ) -> Result<(), End> {
        let record = self.waiting(attempts, wait);
        self.write(known.seen.as_ref(), record).await.map(drop)
    }

    fn waiting(&self, attempts: Vec<Attempt>, wait: Duration) -> Record {
        let not_before = self.shared.clock.now().plus(wait);
        Record {
            attempts,
            state: RecordState::Waiting { not_before },
            receives: self.head().message.receive_count,
        }
    }

    /// The visit ends between two attempts. Those it made count: the next visit goes on from them.
    async fn cut_short(&self, known: &Known, attempts: Vec<Attempt>, end: End) -> End {
        match end {
            End::GiveBack => match self.record_wait(known, attempts, Duration::ZERO).await {
                Ok(()) => End::GiveBack,
                Err(end) => end,
            },
            // Without a lease the ledger may be another worker's to write.
            End::Lost => {
                let record = self.waiting(attempts, Duration::ZERO);
                self.keep_unwritten(record, known.seen.as_ref());
                End::Lost
            }
            end => end,
        }
    }

    fn keep_unwritten(&self, record: Record, seen: Option<&Seen>) {
        let unwritten = Unwritten {
            record,
            seen: seen.cloned(),
        };
        let message_id = &self.head().message.message_id;
        self.shared.memory().keep_unwritten(message_id, unwritten);
    }

    async fn write(&self, seen: Option<&Seen>, record: Record) -> Result<Seen, End> {
        let now = self.shared.clock.now();
        match self
            .shared
            .ledger
            .write(&self.key(), seen, &record, now)
            .await
        {
            Ok(seen) => Ok(seen),
            Err(WriteError::Lost) => {
                debug!(
                    message = self.head().message.message_id,
                    "another worker owns the message: the lane is left to it"
                );
                Err(End::Lost)
            }
            Err(WriteError::Ledger(error)) => {
                self.keep_unwritten(record, seen);
                Err(self.ledger_down(&error))
            }
        }
    }

    /// The event has come to its end: the ledger says so before anything else, so that it is never
    /// attempted again.
    async fn set_aside(
        &mut self,
        known: Known,
        attempts: Vec<Attempt>,
        verdict: Verdict,
    ) -> Result<Settled, End> {
        let state = verdict.into_state(self.shared.clock.now());
        let record = Record {
            attempts,
            state,
            receives: self.head().message.receive_count,
        };
        self.write(known.seen.as_ref(), record.clone()).await?;
        self.bury(record, known.earlier).await
    }

    /// Sends the head to the internal queue; its delete follows. A crash in between repeats a step and
    /// never loses the event: the internal queue drops the second copy by its deduplication id.
    async fn bury(&mut self, record: Record, earlier: Option<Replay>) -> Result<Settled, End> {
        self.lease
            .at_most(dead_letters::AGAIN_WITHIN, &self.lane)
            .await?;
        let message = &self.head().message;
        let callback = &self.shared.settings.callback;
        let url = callback
            .url_for(message.text_attribute(EVENT_NAME))
            .map(delivery::masked);
        let letter = dead_letters::letter(self.shared.source.url(), message, record, earlier, url);
        match dead_letters::send(&self.shared.dead_letters, message, &letter).await {
            Ok(()) => {
                Tally::count(&self.shared.tally.dead_lettered);
                report::dead_letter(message, &letter);
                Ok(Settled { recorded: true })
            }
            Err(NotSent::Down(error)) => {
                self.shared.gate.close("the internal queue", &error);
                Err(End::Down)
            }
            Err(NotSent::Refused(why)) => {
                report::refused(message, &why);
                let held = letter.dead_at.until(self.shared.clock.now());
                Err(End::Wait(held.clamp(SHORTEST_HOLD, LONGEST_HOLD)))
            }
        }
    }

    /// Puts the delete of the head on its way before the next message is attempted.
    async fn delete_head(&mut self, settled: Settled) {
        let record = settled.recorded.then(|| self.key());
        let Some(head) = self.lane.advance() else {
            return;
        };
        self.shared.memory().done(&head.message.message_id);
        let deletion = Deletion {
            confirmed: self.lease.keep_until_deleted(&head.message.receipt_handle),
            receipt_handle: head.message.receipt_handle,
            message_id: head.message.message_id,
            record,
            _in_hand: head.in_hand,
        };
        self.settler.delete(deletion, self.lane.is_empty()).await;
    }
}

impl Known {
    /// The attempts of earlier visits, taken out.
    fn take_attempts(mut self) -> (Self, Vec<Attempt>) {
        let attempts = self
            .record
            .take()
            .map_or_else(Vec::new, |record| record.attempts);
        (self, attempts)
    }
}

/// The bytes as they lie in the queue; only the two FIFO parameters that an upstream system left out are
/// added, at the end (DESIGN section 3, "Exact bytes").
fn exact_body(message: &queue::Received, event: &Event) -> bytes::Bytes {
    let mut missing = Vec::new();
    if let (None, Some(id)) = (event.deduplication_id(), &message.deduplication_id) {
        missing.push((event::DEDUPLICATION_ID, id.as_str()));
    }
    if let (None, Some(group)) = (event.group_id(), &message.group) {
        missing.push((event::GROUP_ID, group.as_str()));
    }
    if missing.is_empty() {
        return message.body.clone();
    }
    event::append_keys(&message.body, &missing).into()
}
