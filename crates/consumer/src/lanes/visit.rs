//! One visit: a receive of the head on which it is attempted, or set aside, or found to be too early.

use std::borrow::Cow;
use std::time::Duration;

use delivery::{
    Attempt, DeadLetter, Decision, InQueue, Lifetime, Outcome, Posting, Reason, RecordState,
    Replay, Target, Verdict, Visit,
};
use event::{EVENT_NAME, Event};
use queue::limits::AGAIN_WITHIN;
use store::Seen;
use tokio::time::Instant;
use url::Url;

use super::end::End;
use super::records::Known;
use super::running::{LaneRun, Settled};
use crate::breakage::{self, Breakage};
use crate::lanes::dead_letters::{self, NotSent};
use crate::lanes::gate::Cause;
use crate::lanes::settler::Ended;
use crate::post::{NoAnswer, Post, Request};
use crate::report;
use crate::tally::Tally;

/// What a lease must outlast beyond the request timeout (`docs/DECISIONS.md`, "Never POST on borrowed time").
const LEASE_MARGIN: Duration = Duration::from_secs(2);

impl<P: Post> LaneRun<'_, P> {
    pub(super) async fn visit(&mut self) -> Result<Settled, End> {
        let message = &self.head().message;
        if self.shared.memory().is_done(&message.message_id) {
            return Ok(Settled::before());
        }
        let known = self.known().await?;
        let message = &self.head().message;
        let now = self.shared.clock.earliest();
        let schedule = &known.target.schedule;
        let record = known.record.as_ref();
        let life = self.life(&known.target);
        let visit = Visit::open(schedule, record, message.receive_count, &life, now);
        match breakage::visit(visit, record, message.receive_count) {
            Visit::TooEarly { remaining, cut } if cut.is_zero() => Err(End::Wait(remaining)),
            Visit::TooEarly { remaining, cut } => self.shorten(known, remaining, cut).await,
            Visit::Attempt { n } => self.attempt_from(n, known).await,
            Visit::Watch { n } => {
                let known = self.begin_watched(known).await?;
                self.attempt_from(n, known).await
            }
            Visit::SetAside { reason } => {
                let (known, attempts) = known.take_attempts();
                let detail = (reason == Reason::Expiring).then(|| too_late(&life));
                self.set_aside(known, attempts, reason, detail).await
            }
            Visit::Decided { verdict } => {
                let (known, attempts) = known.take_attempts();
                self.bury(known, attempts, verdict).await
            }
            Visit::Done => Ok(Settled::before()),
        }
    }

    /// How long the queue keeps the head: told by when it was sent to it, a replay too.
    fn life(&self, target: &Target) -> Lifetime {
        let retention = self.shared.watch.retention();
        Lifetime::new(
            self.head().message.sent_at,
            retention,
            target.schedule.timeout(),
        )
    }

    /// Attempts the head until it is accepted, exhausted or has to wait.
    async fn attempt_from(&mut self, first: u32, known: Known) -> Result<Settled, End> {
        let message = &self.head().message;
        let event = match Event::parse(&message.body) {
            Ok(event) => event,
            Err(invalid) => {
                let (known, attempts) = known.take_attempts();
                let detail = Some(invalid.to_string());
                return self
                    .set_aside(known, attempts, Reason::InvalidEvent, detail)
                    .await;
            }
        };
        let (known, mut attempts) = known.take_attempts();
        let Some(url) = known.target.url.clone() else {
            return self
                .set_aside(known, attempts, Reason::NoCallback, None)
                .await;
        };
        let life = self.life(&known.target);
        for n in first.. {
            let (attempt, decision) = match self.attempt(n, &url, &event, &known).await {
                Ok(made) => made,
                // Nothing to write down, unless that this visit came to its end.
                Err(end) if n == first && !known.is_watched => return Err(end),
                Err(end) => return Err(self.cut_short(&known, attempts, end).await),
            };
            attempts.push(attempt);
            match decision {
                Decision::Done => {
                    Tally::count(&self.shared.tally.delivered);
                    let message = &self.head().message;
                    let number = first_number(message, known.earlier.as_ref());
                    self.shared.notes.accepted(message.group.as_deref(), number);
                    return Ok(self.settled(known.seen, attempts));
                }
                Decision::RetryNow => {
                    if let Err(end) = self.shared.starting.again() {
                        return Err(self.cut_short(&known, attempts, end).await);
                    }
                    if !life.allows_attempt(self.shared.clock.now()) {
                        return self.expires(known, attempts, &life).await;
                    }
                }
                Decision::RetryAfter(wait) if !self.can_wait(wait, &life) => {
                    return self.expires(known, attempts, &life).await;
                }
                Decision::RetryAfter(wait) => {
                    let remaining = self.record_wait(&known, attempts, wait).await?;
                    return Err(End::Wait(remaining));
                }
                Decision::Exhausted => {
                    return self
                        .set_aside(known, attempts, Reason::Exhausted, None)
                        .await;
                }
            }
        }
        unreachable!("a schedule ends")
    }

    /// The head as it lies in the queue. A replay has the FIFO parameters of its first life, if it had any: its body is
    /// what it was then.
    fn in_queue<'m>(&'m self, earlier: Option<&'m Replay>) -> InQueue<'m> {
        let message = &self.head().message;
        let (deduplication_id, ordered_group) = match earlier {
            Some(Replay { origin, .. }) => {
                let is_fifo = origin.is_ordered() || self.shared.source.is_fifo();
                let group = origin.group.as_deref().filter(|_| is_fifo);
                (origin.deduplication_id.as_deref(), group)
            }
            None => (
                message.deduplication_id.as_deref(),
                self.shared.ordered_group(message),
            ),
        };
        InQueue {
            message_id: &message.message_id,
            first_message_id: earlier.map(|replay| replay.origin.message_id.as_str()),
            deduplication_id,
            ordered_group,
            group: message.group.as_deref(),
            sequence_number: message.sequence_number.as_deref(),
            event_name: message.text_attribute(EVENT_NAME),
            // What only keeps its origin (an import of what the native redrive took, say) is none.
            is_replay: earlier.is_some_and(|replay| replay.replays > 0),
        }
    }

    fn can_wait(&self, wait: Duration, life: &Lifetime) -> bool {
        let now = self.shared.clock.now();
        life.allows_visit(now.plus(wait), now) || Breakage::LeftToExpire.is_made()
    }

    /// The queue would drop the event before its next attempt, and tell nobody.
    async fn expires(
        &mut self,
        known: Known,
        attempts: Vec<Attempt>,
        life: &Lifetime,
    ) -> Result<Settled, End> {
        self.set_aside(known, attempts, Reason::Expiring, Some(too_late(life)))
            .await
    }

    fn settled(&self, seen: Option<Seen>, attempts: Vec<Attempt>) -> Settled {
        Settled::now(Ended {
            seen,
            record: self.record(attempts, RecordState::Done),
        })
    }

    /// One POST, on a lease that outlasts it.
    async fn attempt(
        &mut self,
        n: u32,
        url: &Url,
        event: &Event,
        known: &Known,
    ) -> Result<(Attempt, Decision), End> {
        let (target, earlier) = (&known.target, known.earlier.as_ref());
        let timeout = target.schedule.timeout();
        self.lease.outlast(timeout + LEASE_MARGIN).await?;
        let message = &self.head().message;
        let at = self.shared.clock.now();
        let in_queue = self.in_queue(earlier);
        let posting = Posting::new(&message.body, Some(event), in_queue, target.shape);
        let request = Request {
            url: url.clone(),
            headers: posting.headers(n, at, &target.authentication),
            body: match &posting.body {
                Cow::Borrowed(_) => message.body.clone(),
                Cow::Owned(body) => body.clone().into(),
            },
            timeout,
            new_connection: n > 1,
        };
        let began = Instant::now();
        let made = tokio::select! {
            biased;
            made = self.shared.post.post(request) => Some(made),
            () = self.shared.abort.cancelled() => None,
        };
        let outcome: Outcome = match made {
            Some(Err(NoAnswer::Shortage(shortage))) => {
                self.shared.gate.close(Cause::Shortage, &shortage);
                return Err(End::Short);
            }
            Some(Err(NoAnswer::Failed(failure))) => Err(failure),
            Some(Ok(answer)) => Ok(answer),
            // Not written down: nobody knows what became of it, and a deploy costs no event an attempt.
            None => {
                Tally::count(&self.shared.tally.attempts);
                return Err(End::GiveBack);
            }
        };
        Tally::count(&self.shared.tally.attempts);
        let duration = began.elapsed();
        let decision = target.schedule.decide(n, &outcome);
        report::attempt(n, &posting, message, duration, &outcome, decision);
        let life = earlier.map_or(0, |replay| replay.replays);
        Ok((Attempt::new(life, n, at, duration, &outcome), decision))
    }

    /// The event has come to its end: the ledger says so before anything else, so that it is never
    /// attempted again.
    async fn set_aside(
        &mut self,
        known: Known,
        attempts: Vec<Attempt>,
        reason: Reason,
        detail: Option<String>,
    ) -> Result<Settled, End> {
        let verdict = Verdict {
            reason,
            detail,
            dead_at: self.shared.clock.now(),
        };
        let record = self.record(attempts.clone(), RecordState::Exhausted(verdict.clone()));
        let seen = Some(self.write(known.seen.as_ref(), record).await?);
        self.bury(Known { seen, ..known }, attempts, verdict).await
    }

    /// Notes the death in the ledger and sends the head to the internal queue; its delete follows. A crash in between
    /// repeats a step and never loses the event: the internal queue drops the second copy by its deduplication id. No
    /// letter lies there whose death no other worker could know of.
    async fn bury(
        &mut self,
        known: Known,
        attempts: Vec<Attempt>,
        verdict: Verdict,
    ) -> Result<Settled, End> {
        let message = &self.head().message;
        let url = known.target.url.as_ref().map(delivery::masked);
        let source_url = self.shared.source.url();
        let letter =
            dead_letters::letter(source_url, message, verdict, attempts, known.earlier, url);
        self.note_death(&letter).await?;
        self.lease.at_most(AGAIN_WITHIN).await?;
        let message = &self.head().message;
        if Breakage::DeleteBeforeDeadLetter.is_made() {
            let _ = self
                .shared
                .source
                .delete_batch(&[&message.receipt_handle])
                .await;
        }
        match dead_letters::send(&self.shared.dead_letters, message, &letter).await {
            Ok(()) => {
                Tally::count(&self.shared.tally.dead_lettered);
                if letter.reason == Reason::Expiring {
                    Tally::count(&self.shared.tally.expiring);
                }
                report::dead_letter(message, &letter);
                Ok(self.settled(known.seen, Vec::new()))
            }
            Err(NotSent::Down(error)) => {
                self.shared.gate.close(Cause::InternalQueue, &error);
                Err(End::Down)
            }
            Err(NotSent::Refused(why)) => {
                report::refused(message, &why);
                Err(End::Wait(self.hold_for(&letter)))
            }
            Err(NotSent::Denied(error)) => {
                report::denied(message, &error);
                Err(End::Wait(self.hold_for(&letter)))
            }
        }
    }

    fn hold_for(&self, letter: &DeadLetter) -> Duration {
        delivery::hold(letter.dead_at.until(self.shared.clock.now()))
    }
}

fn too_late(life: &Lifetime) -> String {
    let ends = life.ends();
    format!(
        "the source queue keeps it until {ends}, and its next attempt would have come too close to that"
    )
}

/// The event's place in its group: a replay has a newer sequence number than everything before it.
fn first_number<'a>(message: &'a queue::Received, earlier: Option<&'a Replay>) -> Option<&'a str> {
    match earlier {
        Some(replay) if !Breakage::PresentNumberNoted.is_made() => {
            replay.origin.sequence_number.as_deref()
        }
        _ => message.sequence_number.as_deref(),
    }
}
