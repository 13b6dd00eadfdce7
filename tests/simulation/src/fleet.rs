//! The lives of workers: started, held still, killed, stopped and replaced, as the plan says.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use consumer::{Health, Mode, Settings, Summary, Wiring};
use delivery::{Authentication, Callback, RetrySchedule, ScheduleSettings};
use queue::admin::Pair;
use queue::{Clock, Queue};
use store::{Backend, Ledger};
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::callback::Callbacks;
use crate::dice::Dice;
use crate::history::START;
use crate::ledger;
use crate::log::{Caller, Log, Turn, Worker};
use crate::network::Network;
use crate::plan::{End, Life, Moment, Plan};
use crate::wires::Wires;

/// How long one attempt may take; leases must outlast it.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(10);

/// How long a worker may go on after it was told to stop.
pub(crate) const SHUTDOWN_GRACE: Duration = Duration::from_secs(25);

/// SQS keeps messages so long by default.
const RETENTION: Duration = Duration::from_secs(14 * 24 * 3600);

/// Between two looks whether a worker is ready.
const LOOK: Duration = Duration::from_secs(1);

/// What all workers of a history have in common.
pub(crate) struct Fleet {
    pub(crate) plan: Arc<Plan>,
    pub(crate) pair: Pair,
    /// The source queue, over a line without faults.
    pub(crate) source: Queue,
    pub(crate) network: Network,
    pub(crate) ledger: Arc<dyn Backend>,
    pub(crate) callbacks: Callbacks,
    pub(crate) dice: Dice,
    pub(crate) trouble: Arc<AtomicBool>,
    pub(crate) log: Log,
    /// The end of the history: all workers stop.
    pub(crate) ending: CancellationToken,
    pub(crate) tasks: TaskTracker,
}

struct Running {
    worker: Worker,
    wires: Wires,
    health: Health,
    stop: CancellationToken,
    task: JoinHandle<Summary>,
}

impl Fleet {
    /// Lives all lives of one worker, the last one until the history ends.
    pub(crate) async fn live(self: Arc<Self>, slot: usize) {
        let lives = &self.plan.workers[slot];
        let mut next = None;
        for (number, life) in lives.iter().enumerate() {
            let worker = Worker { slot, life: number };
            let running = match next.take() {
                Some(running) => running,
                None => self.start(worker, life).await,
            };
            match life.end {
                End::Never => {
                    self.ending.cancelled().await;
                    return self.stop(running).await;
                }
                End::Stopped(after, overlap) => {
                    sleep(after).await;
                    // As a deploy does it: the next one starts, then the one before is told to stop.
                    let successor = Worker {
                        slot,
                        life: number + 1,
                    };
                    next = Some(self.start(successor, &lives[number + 1]).await);
                    sleep(overlap).await;
                    let fleet = self.clone();
                    self.tasks.spawn(async move { fleet.stop(running).await });
                }
                End::Killed(Moment::After(after)) => {
                    sleep(after).await;
                    running.wires.cut();
                    self.bury(running, life.gap).await;
                }
                End::Killed(Moment::Crossing(_)) => {
                    tokio::select! {
                        biased;
                        () = running.wires.until_cut() => self.bury(running, life.gap).await,
                        () = self.ending.cancelled() => return self.stop(running).await,
                    }
                }
            }
        }
    }

    /// One more worker, which nothing happens to, works until the queue is empty.
    pub(crate) async fn drain(self: Arc<Self>) {
        let worker = Worker {
            slot: self.plan.workers.len(),
            life: 0,
        };
        let life = Life {
            end: End::Never,
            pause: None,
            gap: Duration::ZERO,
        };
        let running = self.start_to(Mode::Drain, worker, &life).await;
        let summary = running.task.await.expect("a worker does not panic");
        running.stop.cancel();
        self.ended(worker, &running.health, summary);
        let left = self.source.counts().await.expect("counts").total();
        self.log.turn(worker, Turn::Drained(left));
    }

    async fn start(&self, worker: Worker, life: &Life) -> Running {
        self.start_to(Mode::Serve, worker, life).await
    }

    async fn start_to(&self, mode: Mode, worker: Worker, life: &Life) -> Running {
        let cut_at = match life.end {
            End::Killed(Moment::Crossing(crossing)) => Some(crossing),
            _ => None,
        };
        let hold_at = match life.pause {
            Some((Moment::Crossing(crossing), _)) => Some(crossing),
            _ => None,
        };
        let wires = Wires::new(cut_at, hold_at);
        let network = Network {
            caller: Caller::Worker(worker),
            wires: wires.clone(),
            dice: self.dice.fork(),
            ..self.network.clone()
        };
        let clock = self.clock_of(worker);
        let (source, dead_letters) = network.queues(&self.pair, clock.clone()).await;
        let ledger = ledger::Way {
            to: self.ledger.clone(),
            worker,
            wires: wires.clone(),
            faults: self.plan.ledger.clone(),
            trouble: self.trouble.clone(),
            dice: self.dice.fork(),
            log: self.log.clone(),
        };
        let wiring = Wiring {
            source,
            dead_letters,
            ledger: Ledger::over(Arc::new(ledger), RETENTION),
            post: self.callbacks.of(worker, wires.clone()),
            clock,
        };
        let program = consumer::Worker::new(self.settings(), wiring);
        let (health, stop) = (program.health(), CancellationToken::new());
        self.log.turn(worker, Turn::Started);
        wires.arm();
        if let Some((from, lasting)) = life.pause {
            self.pause(worker, wires.clone(), from, lasting);
        }
        let task = tokio::spawn(program.run(mode, stop.clone()));
        self.watch(worker, health.clone(), wires.clone(), stop.clone());
        Running {
            worker,
            wires,
            health,
            task,
            stop,
        }
    }

    /// Notes when it becomes ready and when it no longer is, while it works.
    fn watch(&self, worker: Worker, health: Health, wires: Wires, stop: CancellationToken) {
        let log = self.log.clone();
        let look = async move {
            let mut was_ready = true;
            loop {
                let is_ready = health.is_ready();
                if is_ready != was_ready {
                    log.turn(worker, Turn::Ready(is_ready));
                }
                was_ready = is_ready;
                sleep(LOOK).await;
            }
        };
        tokio::spawn(async move {
            tokio::select! {
                biased;
                () = wires.until_cut() => {}
                () = stop.cancelled() => {}
                () = look => {}
            }
        });
    }

    fn ended(&self, worker: Worker, health: &Health, summary: Summary) {
        let now = self.log.now();
        self.log.seen().summaries.push((now, worker, summary));
        self.log.turn(worker, Turn::Stopped(in_hand(health)));
    }

    /// The clock of a worker's machine: it may be off, until somebody sets it right.
    fn clock_of(&self, worker: Worker) -> Clock {
        let now = self.log.now();
        let clock = Clock::virtual_from(START.plus(now));
        let Some(wrong) = self.plan.clocks.get(worker.slot) else {
            return clock;
        };
        if now < wrong.until {
            clock.set_forward(wrong.ahead_ms);
            let (clock, wrong) = (clock.clone(), *wrong);
            tokio::spawn(async move {
                sleep(wrong.until - now).await;
                clock.set_forward(-wrong.ahead_ms);
            });
        }
        clock
    }

    fn settings(&self) -> Settings {
        let schedule = ScheduleSettings {
            timeout: TIMEOUT,
            delays: self.plan.delays.clone(),
            ..RetrySchedule::avionte()
        };
        Settings {
            callback: Callback {
                url: Some("https://hooks.example.com/workn".parse().expect("a URL")),
                events: Default::default(),
                authentication: Authentication::None,
            },
            schedule: RetrySchedule::new(schedule).expect("a schedule"),
            max_in_flight: self.plan.max_in_flight,
            visibility_timeout: self.plan.visibility,
            max_bytes_in_flight: 256 * 1024 * 1024,
            shutdown_grace: SHUTDOWN_GRACE,
        }
    }

    fn pause(&self, worker: Worker, wires: Wires, from: Moment, lasting: Duration) {
        let log = self.log.clone();
        tokio::spawn(async move {
            match from {
                Moment::Crossing(_) => wires.until_held().await,
                Moment::After(from) => {
                    sleep(from).await;
                    if !wires.hold() {
                        return;
                    }
                }
            }
            log.turn(worker, Turn::Paused);
            sleep(lasting).await;
            if wires.release() {
                log.turn(worker, Turn::Resumed);
            }
        });
    }

    async fn stop(&self, running: Running) {
        self.log.turn(running.worker, Turn::ToldToStop);
        running.stop.cancel();
        tokio::select! {
            biased;
            ended = running.task => {
                self.ended(running.worker, &running.health, ended.expect("a worker does not panic"));
            }
            () = running.wires.until_cut() => self.log.turn(running.worker, Turn::Killed),
        }
    }

    /// Its wires are cut: it is dead. Its tasks come to nothing and end.
    async fn bury(&self, running: Running, gap: Duration) {
        self.log.turn(running.worker, Turn::Killed);
        running.stop.cancel();
        running.task.abort();
        sleep(gap).await;
    }
}

fn in_hand(health: &Health) -> u64 {
    let metrics = health.metrics();
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix("hooklane_messages_in_hand "));
    line.and_then(|count| count.parse().ok())
        .expect("a gauge of what is in hand")
}
