//! The worker and its lanes against a local queue in process, on virtual time.

mod batch;
mod bytes;
mod calls;
mod clocks;
mod deletes;
mod delivery;
mod denied;
mod expiring;
mod fair_queues;
mod faults;
mod internal_queue;
mod lease_ends;
mod leases;
mod ledger_calls;
mod notes;
mod races;
mod receives;
mod replays;
mod stopping;
mod world;
