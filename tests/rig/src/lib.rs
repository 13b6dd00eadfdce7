//! What the tests of several crates need. Never part of what ships: crates have it as a dev-dependency.

pub mod emulator;
pub mod ledger;
pub mod letters;
pub mod network;
pub mod program;
pub mod receiver;
pub mod request;
pub mod sqs;
pub mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A switch that a test throws while its world runs.
#[derive(Clone, Default)]
pub struct Switch(Arc<AtomicBool>);

impl Switch {
    /// Throws it.
    pub fn set(&self, on: bool) {
        self.0.store(on, Ordering::Relaxed);
    }

    /// How it stands; off at first.
    pub fn is_on(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
