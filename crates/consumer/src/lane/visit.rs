//! One visit: a receive of the head on which it is attempted, or set aside, or found to be too early.

use std::time::Duration;

use delivery::{
    Attempt, DeadLetter, Decision, Lifetime, Outcome, Reason, RecordState, Replay, RequestFacts,
    Verdict, Visit,
};
use event::{EVENT_NAME, Event, is_header_text};
use store::Seen;
use tokio::time::Instant;
use url::Url;

use super::records::Known;
use super::{End, LaneRun, Settled};
use crate::breakage::{self, Breakage};
use crate::dead_letters::{self, NotSent};
use crate::gate::Cause;
use crate::post::{NoAnswer, Post, Request};
use crate::report;
use crate::settler::Ended;
use crate::tally::Tally;

/// What a lease must outlast beyond the request timeout (DESIGN section 3, "Never POST on borrowed time").
const LEASE_MARGIN: Duration = Duration::from_secs(2);

/// How long a group waits whose head needs a person, since the internal queue refuses it or its record
/// cannot be read: it is held, never deleted. What is refused waits at first for the shortest time, then for
/// as long again as it has waited already, so that in the two weeks that SQS may keep it no receive count
/// comes near the native backstop.
const SHORTEST_HOLD: Duration = Duration::from_secs(5 * 60);
pub(crate) const LONGEST_HOLD: Duration = Duration::from_secs(30 * 60);

impl<P: Post> LaneRun<'_, P> {
    pub(super) async fn visit(&mut self) -> Result<Settled, End> {
        let message = &self.head().message;
        if self.shared.memory().is_done(&message.message_id) {
            return Ok(Settled::before());
        }
        let known = self.known().await?;
        let message = &self.head().message;
        let now = self.shared.clock.earliest();
        let schedule = &self.shared.settings.schedule;
        let record = known.record.as_ref();
        let life = self.life();
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
    fn life(&self) -> Lifetime {
        let retention = self.shared.watch.retention();
        let timeout = self.shared.settings.schedule.timeout();
        Lifetime::new(self.head().message.sent_at, retention, timeout)
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
        let name = message.text_attribute(EVENT_NAME);
        let Some(url) = self.shared.settings.callback.url_for(name).cloned() else {
            let (known, attempts) = known.take_attempts();
            return self
                .set_aside(known, attempts, Reason::NoCallback, None)
                .await;
        };
        let (known, mut attempts) = known.take_attempts();
        let body = self.exact_body(&event, known.earlier.as_ref());
        let life = self.life();
        for n in first.. {
            let made = self
                .attempt(n, &url, &event, &body, known.earlier.as_ref())
                .await;
            let (attempt, decision) = match made {
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
                Decision::RetryNow if self.shared.stop.is_cancelled() => {
                    return Err(self.cut_short(&known, attempts, End::GiveBack).await);
                }
                Decision::RetryNow if life.allows_attempt(self.shared.clock.now()) => {}
                Decision::RetryNow => {
                    return self.expires(known, attempts, &life).await;
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

    /// The body that is POSTed. A replay has the FIFO parameters of its first life, if it had any: the body is what it
    /// was then.
    fn exact_body(&self, event: &Event, earlier: Option<&Replay>) -> bytes::Bytes {
        let message = &self.head().message;
        let (id, group) = match earlier {
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
        match delivery::completed_body(&message.body, event, id, group) {
            Some(completed) => completed.into(),
            None => message.body.clone(),
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
            // What only keeps its origin (an import of what the native redrive took, say) is none.
            replay: earlier.is_some_and(|replay| replay.replays > 0),
        };
        let request = Request {
            url: url.clone(),
            headers: delivery::headers(&facts, &self.shared.settings.callback.authentication, body),
            body: body.clone(),
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
        let decision = self.shared.settings.schedule.decide(n, &outcome);
        report::attempt(&facts, message, duration, &outcome, decision);
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
        let callback = &self.shared.settings.callback;
        let url = callback
            .url_for(message.text_attribute(EVENT_NAME))
            .map(delivery::masked);
        let source_url = self.shared.source.url();
        let letter =
            dead_letters::letter(source_url, message, verdict, attempts, known.earlier, url);
        self.note_death(&letter).await?;
        self.lease
            .at_most(dead_letters::AGAIN_WITHIN, &self.lane)
            .await?;
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
        let held = letter.dead_at.until(self.shared.clock.now());
        held.clamp(SHORTEST_HOLD, LONGEST_HOLD)
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
