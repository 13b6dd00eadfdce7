//! The lanes: what delivers the messages of a receive, each group in order, whoever received them.
//!
//! `lane` runs one lane to its end, `visit` is one visit of its head, `records` what the two read from the ledger and write
//! to it, `running` what all three work on.

pub(crate) mod bytes;
mod dead_letters;
pub(crate) mod denials;
mod end;
pub(crate) mod gate;
mod lane;
pub(crate) mod lease;
pub(crate) mod left;
mod memory;
pub(crate) mod notes;
mod records;
mod running;
pub(crate) mod settler;
pub(crate) mod shared;
pub(crate) mod standstill;
mod starting;
mod visit;

pub(crate) use lane::run;
