//! The workers: each place holds one process, and a new one when that is killed or told to stop.

use std::net::SocketAddr;
use std::process::Stdio;
use std::thread::{self, JoinHandle};

use rig::program::{Home, Service};

use crate::history::{End, Life};
use crate::journal::Began;

pub(crate) struct Workers<'a> {
    home: &'a Home,
    began: Began,
    callback: SocketAddr,
    places: Vec<Running>,
    /// Every life, in the order of their starts; none while it lasts.
    lives: Vec<Option<JoinHandle<Life>>>,
}

struct Running {
    life: usize,
    service: Service,
}

impl<'a> Workers<'a> {
    /// Starts so many workers that POST to this address.
    pub(crate) fn start(home: &'a Home, began: Began, callback: SocketAddr, count: usize) -> Self {
        let mut workers = Self {
            home,
            began,
            callback,
            places: Vec::new(),
            lives: Vec::new(),
        };
        for _ in 0..count {
            let worker = workers.spawn();
            workers.places.push(worker);
        }
        workers
    }

    /// A worker whose requests say by their path which life they come from.
    fn spawn(&mut self) -> Running {
        let life = self.lives.len();
        self.lives.push(None);
        let url = format!("http://{}/life/{life}", self.callback);
        let mut command = self.home.command(&["work"]);
        command
            .stdin(Stdio::null())
            .env("HOOKLANE_CALLBACK__PRODUCTION__URL", url);
        let service = Service::of(command.spawn().expect("started"));
        Running { life, service }
    }

    /// Kills the worker in a place and starts another.
    pub(crate) fn kill(&mut self, place: usize) {
        self.places[place].service.signal("KILL");
        let at = self.began.elapsed();
        let worker = self.spawn();
        let Running { life, service } = std::mem::replace(&mut self.places[place], worker);
        self.lives[life] = Some(thread::spawn(move || Life {
            end: End::Killed(at),
            log: service.wait().stderr,
        }));
    }

    /// Tells the worker in a place to stop and starts another at once, as a deploy does.
    pub(crate) fn stop(&mut self, place: usize) {
        let worker = self.spawn();
        let leaving = std::mem::replace(&mut self.places[place], worker);
        self.tell_to_stop(leaving);
    }

    fn tell_to_stop(&mut self, worker: Running) {
        let Running { life, mut service } = worker;
        // Before its first line it may not listen to signals yet.
        let first = service.wait_for_log("");
        service.signal("TERM");
        let (began, told) = (self.began, self.began.elapsed());
        self.lives[life] = Some(thread::spawn(move || {
            let stopped = service.wait();
            Life {
                end: End::Stopped {
                    told,
                    ended: began.elapsed(),
                    code: stopped.code,
                },
                log: first + "\n" + &stopped.stderr,
            }
        }));
    }

    /// Tells all that still run to stop, and waits for every life to end.
    pub(crate) fn end(mut self) -> Vec<Life> {
        for worker in std::mem::take(&mut self.places) {
            self.tell_to_stop(worker);
        }
        let lives = self.lives.into_iter().flatten();
        lives.map(|life| life.join().expect("it ended")).collect()
    }
}
