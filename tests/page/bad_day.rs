//! The whole way of a bad day that ends well: real events die, the receiver recovers, the page sends one group again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rig::receiver::Receiver;
use rig::request::{Request, first_attempts};
use rig::world::{World, callback, event};

use crate::desk::Desk;

#[test]
fn a_receiver_that_has_recovered_gets_the_300_dead_events_of_one_group_in_order() {
    let well = Arc::new(AtomicBool::new(false));
    let recovered = well.clone();
    let receiver = Receiver::start(move |_, _| {
        if recovered.load(Ordering::SeqCst) {
            200
        } else {
            503
        }
    });
    let mut world = World::fifo();
    world.delays(&[]);
    world.configure(&callback(&receiver.url));
    world.send(&five_hundred(), &[]);
    assert_eq!(world.drain()["dead_lettered"], 500);
    let before = receiver.requests();
    assert_eq!(before.len(), 500);

    let desk = Desk::of(world, &[]);
    desk.scan();
    assert_eq!(desk.browser.text("#snapshot-count"), "500 dead letters");
    well.store(true, Ordering::SeqCst);
    desk.browser.follow_in("#by-group", "EventSetup_1");
    desk.browser.wait_for("#matches strong", "300 dead letters");
    desk.browser.press("Replay all 300…");
    desk.browser.wait_for("h1", "Replay 300 dead letters?");
    assert_eq!(
        desk.browser.texts("#preview tbody td")[..2],
        ["EventSetup_1", "300"]
    );
    desk.browser.press("Replay");
    desk.browser
        .wait_for("#summary", "300 of 300 dead letters replayed");

    assert_eq!(desk.drain()["delivered"], 300);
    let after = &receiver.requests()[500..];
    assert_eq!(after.len(), 300);
    let is_replay = |request: &Request| request.header("x-hooklane-replay") == "true";
    assert!(after.iter().all(is_replay));
    assert!(
        !before
            .iter()
            .any(|request| request.headers.contains_key("x-hooklane-replay"))
    );
    // The same ids, in the order in which they were sent.
    let group = |requests: &[Request]| first_attempts(requests)["EventSetup_1"].clone();
    let sent: Vec<_> = (0..300).map(|n| format!("event-1-{n:03}")).collect();
    assert_eq!((group(&before), group(after)), (sent.clone(), sent));

    // The others are where they were.
    let counts = desk.counts();
    assert_eq!((counts.visible, counts.not_visible), (200, 0));
    desk.scan_again();
    assert_eq!(desk.browser.text("#snapshot-count"), "200 dead letters");
    assert_eq!(desk.browser.count("#by-group li"), 6);
}

/// Events of seven groups, 300 of them of the first, mixed.
fn five_hundred() -> Vec<String> {
    let mut counts = [0_u32; 8];
    let mut lines = Vec::new();
    for n in 0..500_u32 {
        // Three of five are of the first.
        let setup = if n % 5 < 3 { 1 } else { 2 + n % 6 };
        let count = &mut counts[setup as usize];
        lines.push(event(setup, &format!("event-{setup}-{count:03}")));
        *count += 1;
    }
    assert_eq!(
        (counts[1], counts.iter().filter(|count| **count > 0).count()),
        (300, 7)
    );
    lines
}
