//! The lives of workers: started, held still, killed, stopped and replaced, as the plan says.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use consumer::{Health, Mode, Settings, Summary, Wiring};
use delivery::{Authentication, Callback, RetrySchedule, ScheduleSettings};
use queue::Clock;
use queue::admin::Pair;
use store::{Backend, Ledger};
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::callback::Callbacks;
use crate::dice::Dice;
use crate::ledger;
use crate::log::{Caller, Log, Turn, Worker};
use crate::network::Network;
use crate::plan::{End, Life, Moment, Plan};
use crate::wires::Wires;

/// How long one attempt may take; leases must outlast it.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(10);

/// SQS keeps messages so long by default.
const RETENTION: Duration = Duration::from_secs(14 * 24 * 3600);

/// What all workers of a history have in common.
pub(crate) struct Fleet {
    pub(crate) plan: Arc<Plan>,
    pub(crate) pair: Pair,
    pub(crate) network: Network,
    pub(crate) ledger: Arc<dyn Backend>,
    pub(crate) callbacks: Callbacks,
    pub(crate) clock: Clock,
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

    async fn start(&self, worker: Worker, life: &Life) -> Running {
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
        let (source, dead_letters) = network.queues(&self.pair).await;
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
            clock: self.clock,
        };
        let program = consumer::Worker::new(self.settings(), wiring);
        let (health, stop) = (program.health(), CancellationToken::new());
        self.log.turn(worker, Turn::Started);
        wires.arm();
        if let Some((from, lasting)) = life.pause {
            self.pause(worker, wires.clone(), from, lasting);
        }
        Running {
            worker,
            wires,
            health,
            task: tokio::spawn(program.run(Mode::Serve, stop.clone())),
            stop,
        }
    }

    fn settings(&self) -> Settings {
        let schedule = ScheduleSettings {
            timeout: TIMEOUT,
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
            shutdown_grace: Duration::from_secs(25),
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
                ended.expect("a worker does not panic");
                self.log.turn(running.worker, Turn::Stopped(in_hand(&running.health)));
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
