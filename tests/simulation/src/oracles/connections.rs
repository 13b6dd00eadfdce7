//! How requests go out: over which connections, and how often.

use super::{Found, View};
use crate::log::{Attempted, Carry};

pub(super) fn once_again(view: &View<'_>) -> Found {
    view.seen.attempted.iter().filter_map(wrong).collect()
}

fn wrong(attempted: &Attempted) -> Option<String> {
    let found = match attempted.carries[..] {
        [] | [Carry { is_lost: false, .. }] => return None,
        [Carry { is_lost: true, .. }] if !attempted.is_over => return None,
        [Carry { is_lost: true, .. }] => "a request that no callback saw is an attempt",
        [Carry { is_lost: false, .. }, ..] => "a request goes out again though it was not lost",
        [
            _,
            Carry {
                new_only: false, ..
            },
            ..,
        ] => "a request goes out again on any connection",
        [_, _] => return None,
        [..] => "a request goes out more than twice",
    };
    Some(format!("{found}: {:?}", attempted.carries))
}
