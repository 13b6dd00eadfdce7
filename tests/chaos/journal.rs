//! Time since the run began, on one clock for everything that is observed.

use std::time::{Duration, Instant};

use event::Timestamp;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Began {
    at: Instant,
    on_the_wall: Timestamp,
}

/// From when until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) from: Duration,
    pub(crate) until: Duration,
}

impl Began {
    pub(crate) fn now() -> Self {
        Self {
            at: Instant::now(),
            on_the_wall: queue::Clock::system().now(),
        }
    }

    pub(crate) fn elapsed(self) -> Duration {
        self.at.elapsed()
    }

    /// What a worker writes down of a moment.
    pub(crate) fn at(self, since: Duration) -> Timestamp {
        self.on_the_wall.plus(since)
    }

    /// A moment that a worker wrote down, in whole milliseconds.
    pub(crate) fn since(self, at: Timestamp) -> Duration {
        self.on_the_wall.until(at)
    }
}

impl Span {
    pub(crate) fn new(from: Duration, until: Duration) -> Self {
        Self { from, until }
    }

    pub(crate) fn meets(self, other: Self) -> bool {
        self.from <= other.until && other.from <= self.until
    }
}

/// Windows in which something is down.
#[derive(Debug, Default)]
pub(crate) struct Windows(Vec<Span>);

impl Windows {
    /// It goes down; until it is up again the window has no end.
    pub(crate) fn open(&mut self, at: Duration) {
        self.0.push(Span::new(at, Duration::MAX));
    }

    pub(crate) fn close(&mut self, at: Duration) {
        if let Some(window) = self.0.last_mut() {
            window.until = at;
        }
    }

    pub(crate) fn taken(&self) -> Vec<Span> {
        self.0.clone()
    }
}
