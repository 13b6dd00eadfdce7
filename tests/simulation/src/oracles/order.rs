//! Order within each group.

use super::{At, Found, View};
use crate::log::{Event, Request};

pub(super) fn first_deliveries(view: &View<'_>) -> Found {
    let mut found = Vec::new();
    if !view.plan().is_fifo() {
        return found;
    }
    for (group, plan) in view.plan().groups.iter().enumerate() {
        let mut last = None;
        for event in (1..=plan.events.len()).map(|n| Event { group, n }) {
            let Some(at) = view.accepted(event).filter(|_| !view.is_dead(event)) else {
                continue;
            };
            if let Some((before, earlier)) = last.filter(|(_, earlier)| *earlier > at) {
                found.push(format!(
                    "{event} at {}, before {before} at {}",
                    At(at),
                    At(earlier)
                ));
            }
            last = Some((event, at));
        }
    }
    found
}

pub(super) fn one_after_the_other(view: &View<'_>) -> Found {
    let mut found = Vec::new();
    if !view.plan().is_fifo() {
        return found;
    }
    for event in view.events().filter(|event| event.n > 1) {
        let before = Event {
            n: event.n - 1,
            ..event
        };
        let ended = [view.accepted(before), view.exhausted(before)]
            .into_iter()
            .flatten()
            .min();
        let Some(first) = view.requests(event).first().map(|request| request.at) else {
            continue;
        };
        if ended.is_none_or(|ended| ended > first) {
            found.push(format!(
                "{event} POSTed at {}, {before} ended at {:?}",
                At(first),
                ended
            ));
        }
    }
    found
}

pub(super) fn one_at_a_time(view: &View<'_>) -> Found {
    let mut found = Vec::new();
    for group in 0..view.plan().groups.len() {
        let of_group = view
            .seen
            .requests
            .iter()
            .filter(|request| request.event.group == group);
        let requests: Vec<&Request> = of_group.collect();
        for (position, request) in requests.iter().enumerate() {
            for later in &requests[position + 1..] {
                // On a standard queue each event is its own group.
                if !view.plan().is_fifo() && later.event != request.event {
                    continue;
                }
                let is_over = request.over().is_some_and(|over| over <= later.at);
                if is_over || later.is_stale || view.was_struck(request, later.at) {
                    continue;
                }
                found.push(format!(
                    "{} of {:?} at {} and {} of {:?} at {}",
                    request.event,
                    request.worker,
                    At(request.at),
                    later.event,
                    later.worker,
                    At(later.at)
                ));
            }
        }
    }
    found
}
