//! Whole histories from one seed each: the real producer and workers with the real SDK over an SQS in process, on
//! paused time, with scripted callbacks and with faults at every call. After each history the oracles look for what
//! must not have happened.
//!
//! Nothing of the product lives here. A worker is killed by cutting its wires: none of its calls reaches the world
//! any more, at whatever await it was.

mod callback;
mod cut_off;
mod dice;
mod engineer;
mod fleet;
mod history;
mod ledger;
mod log;
mod network;
mod oracles;
mod plan;
mod producers;
mod report;
mod told;
mod wires;

pub use cut_off::{Cut, CutReport, check_cut_off};
pub use plan::Profile;
pub use producers::{ProducersReport, check_producers};
pub use report::{
    Report, Totals, check, check_crash, check_full_settler, check_killer, check_replays,
};
