//! The page through its router, on an internal queue on virtual time.

mod actions;
mod guard;
mod pages;
mod visitor;

use delivery::DeadLetter;
use queue::Outgoing;
use rig::letters::{World, letter, record};

/// A dead letter of this world's source queue, so that it can go back there.
fn own_record(world: &World, n: u32) -> DeadLetter {
    DeadLetter {
        source_queue: world.source.url().to_owned(),
        ..record(n)
    }
}

/// So many dead letters of a group, the first to be sent first.
fn of_group(world: &World, group: &str, numbers: std::ops::Range<u32>) -> Vec<Outgoing> {
    let letters = numbers.map(|n| {
        let mut record = own_record(world, n);
        record.origin.group = Some(group.to_owned());
        letter(
            &record,
            &format!(r#"{{"msg_id":"e-{n}","MessageGroupId":"{group}"}}"#),
        )
    });
    letters.collect()
}
