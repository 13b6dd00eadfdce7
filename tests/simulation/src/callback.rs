//! Callbacks that do as scripted, and the POSTs that reach them.

use std::collections::HashMap;
use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use consumer::post::again::{Carried, Carrier, Over, attempt};
use consumer::post::{NoAnswer, Post, Request};
use delivery::{Answer, Failure, FailureKind};
use tokio::time::{Instant, sleep, timeout_at};

use crate::dice::Dice;
use crate::log::{self, Event, Line, Log, Taken, Worker};
use crate::plan::{Behaviour, Plan};
use crate::wires::Wires;

/// All callbacks of a history.
#[derive(Debug, Clone)]
pub(crate) struct Callbacks {
    plan: Arc<Plan>,
    dice: Dice,
    /// How often each event came.
    times: Arc<Mutex<HashMap<Event, u32>>>,
    log: Log,
}

/// What the callback does with one request.
enum Reaction {
    Answers(Duration, u16),
    BreaksBefore,
    BreaksAfter,
    Stalls,
    Kills,
    /// It accepts, so long after.
    AcceptsTooLate(Duration),
}

impl Callbacks {
    pub(crate) fn new(plan: Arc<Plan>, dice: Dice, log: Log) -> Self {
        Self {
            plan,
            dice,
            times: Arc::default(),
            log,
        }
    }

    pub(crate) fn of(&self, worker: Worker, wires: Wires) -> Way {
        Way {
            callbacks: self.clone(),
            worker,
            wires,
            idle: Arc::default(),
        }
    }

    /// Whether the callback has closed an idle connection that now carries a request.
    fn has_closed_it(&self) -> bool {
        self.plan.closes > 0 && self.dice.percent(self.plan.closes)
    }

    fn react(&self, event: Event) -> Reaction {
        let time = {
            let mut times = self.times.lock().expect("no holder panics");
            let time = times.entry(event).or_default();
            *time += 1;
            *time
        };
        let quick = Duration::from_millis(self.dice.one_of(&[0, 1, 20, 300]));
        match self.plan.groups[event.group].events[event.n - 1] {
            Behaviour::Accept => Reaction::Answers(quick, 200),
            Behaviour::AcceptAfter(after) => Reaction::Answers(after, 201),
            Behaviour::Reject(status) => Reaction::Answers(quick, status),
            Behaviour::Recover(times) if time <= times => Reaction::Answers(quick, 503),
            Behaviour::Whim if self.dice.percent(60) => Reaction::Answers(quick, 500),
            Behaviour::Stall(times) if time <= times => Reaction::Stalls,
            Behaviour::Reset(times) if time <= times => Reaction::BreaksBefore,
            Behaviour::Kills => Reaction::Kills,
            Behaviour::LoseTheAnswer if time == 1 => Reaction::BreaksAfter,
            Behaviour::AcceptTooLate(times) if time <= times => {
                Reaction::AcceptsTooLate(self.dice.millis(10_001..=40_000))
            }
            _ => Reaction::Answers(quick, 200),
        }
    }
}

/// The way of one worker to the callbacks.
pub(crate) struct Way {
    callbacks: Callbacks,
    worker: Worker,
    wires: Wires,
    /// Connections that wait for another request.
    idle: Arc<Mutex<u32>>,
}

impl Post for Way {
    async fn post(&self, request: Request) -> Result<Answer, NoAnswer> {
        let attempted = Attempted {
            way: self,
            number: self.callbacks.log.attempted(),
            held: Mutex::default(),
        };
        let outcome = attempt(&attempted, &request).await;
        self.callbacks.log.seen().attempted[attempted.number].is_over = true;
        outcome
    }
}

/// One attempt, over one connection or two.
struct Attempted<'a> {
    way: &'a Way,
    number: usize,
    /// How long the worker has stood still in it, before the callback had the request.
    held: Mutex<Duration>,
}

impl Attempted<'_> {
    /// Crosses the wires; how long the worker has stood still in this attempt.
    async fn cross(&self) -> Duration {
        let more = self.way.wires.cross().await;
        let mut held = self.held.lock().expect("no holder panics");
        *held += more;
        *held
    }
}

impl Carrier for Attempted<'_> {
    async fn carry(&self, request: &Request, over: Over, deadline: Instant) -> Carried {
        let held = self.cross().await;
        let was_reused = over == Over::AnyConnection && self.way.takes_an_idle_one();
        let is_lost = was_reused && self.way.callbacks.has_closed_it();
        let new_only = over == Over::NewConnection;
        let carry = log::Carry { new_only, is_lost };
        self.way.callbacks.log.seen().attempted[self.number]
            .carries
            .push(carry);
        let outcome = if is_lost {
            self.cross().await;
            Err(failure(FailureKind::Reset))
        } else {
            self.way.carry(request, held, deadline).await
        };
        Carried {
            outcome: outcome.map_err(NoAnswer::Failed),
            was_reused,
            ended_unanswered: is_lost,
        }
    }
}

impl Way {
    fn takes_an_idle_one(&self) -> bool {
        let mut idle = self.idle.lock().expect("no holder panics");
        let is_there = *idle > 0;
        *idle -= u32::from(is_there);
        is_there
    }

    /// Carries a request to the callback; what it answers leaves the connection for another one.
    async fn carry(
        &self,
        request: &Request,
        held: Duration,
        deadline: Instant,
    ) -> Result<Answer, Failure> {
        let noted = self.note(request, held);
        let answer = timeout_at(deadline, self.exchange(&noted)).await;
        self.wires.cross().await;
        let answer = answer.unwrap_or_else(|_| Err(failure(FailureKind::Timeout)));
        noted.over(&answer);
        if answer.is_ok() {
            *self.idle.lock().expect("no holder panics") += 1;
        }
        answer
    }

    async fn exchange(&self, noted: &Noted) -> Result<Answer, Failure> {
        let broken = || Err(failure(FailureKind::Reset));
        match self.callbacks.react(noted.event) {
            Reaction::Answers(after, status) => {
                sleep(after).await;
                if matches!(status, 200 | 201) {
                    noted.accepted();
                }
                Ok(Answer {
                    status,
                    retry_after: None,
                    excerpt: String::new(),
                })
            }
            Reaction::BreaksBefore => broken(),
            Reaction::BreaksAfter => {
                noted.accepted();
                broken()
            }
            Reaction::Stalls => pending().await,
            Reaction::Kills => {
                self.wires.cut();
                pending().await
            }
            Reaction::AcceptsTooLate(after) => {
                let (log, number) = (noted.log.clone(), noted.number);
                tokio::spawn(async move {
                    sleep(after).await;
                    log.accepted(number);
                });
                pending().await
            }
        }
    }

    fn note(&self, request: &Request, held: Duration) -> Noted {
        let header = |name: &str| {
            let found = request
                .headers
                .iter()
                .find(|h| h.0.eq_ignore_ascii_case(name));
            found.map(|h| h.1.clone()).unwrap_or_default()
        };
        let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let event = Event::parse(body["msg_id"].as_str().unwrap_or_default());
        let event = event.expect("every event of a history has a msg_id");
        let log = self.callbacks.log.clone();
        let number = {
            let mut seen = log.seen();
            seen.requests.push(log::Request {
                event,
                worker: self.worker,
                at: log.now(),
                decided: log.now() - held,
                attempt: header("X-Hooklane-Attempt").parse().unwrap_or(0),
                webhook_id: header("webhook-id"),
                body: request.body.to_vec(),
                sequence_number: header("X-Hooklane-Sequence"),
                is_replay: header("X-Hooklane-Replay") == "true",
                // A lease outlasts the timeout; what did not last so long excuses nothing.
                is_stale: held >= request.timeout,
                accepted: None,
                answered: None,
                status: None,
                dropped: None,
            });
            seen.requests.len() - 1
        };
        log.note(Line::Requested(number));
        Noted { event, number, log }
    }
}

/// A request that was noted. Dropped before its answer, the worker gave it up.
struct Noted {
    event: Event,
    number: usize,
    log: Log,
}

impl Noted {
    fn accepted(&self) {
        self.log.accepted(self.number);
    }

    fn over(&self, answer: &Result<Answer, Failure>) {
        let taken = match answer {
            Ok(Answer {
                status: 200 | 201, ..
            }) => Taken::Accepted,
            _ => Taken::Failed,
        };
        let now = self.log.now();
        {
            let request = &mut self.log.seen().requests[self.number];
            request.answered = Some((now, taken));
            request.status = answer.as_ref().ok().map(|answer| answer.status);
        }
        self.log.note(Line::Over(self.number));
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        let now = self.log.now();
        let request = &mut self.log.seen().requests[self.number];
        if request.answered.is_none() {
            request.dropped = Some(now);
        }
    }
}

fn failure(kind: FailureKind) -> Failure {
    Failure {
        kind,
        detail: kind.to_string(),
    }
}
