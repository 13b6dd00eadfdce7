//! Replays: one, those chosen, all that match.

use rig::receiver::Receiver;
use rig::world::{World, callback, event};

use crate::desk::{Desk, configured, fill};
use crate::letters::Letter;

/// A desk whose worker delivers to a receiver that accepts everything.
fn desk(letters: &[Letter]) -> (Desk, Receiver) {
    let receiver = Receiver::start(|_, _| 200);
    let world = configured(&callback(&receiver.url));
    fill(&world, letters);
    let desk = Desk::of(world, &[]);
    desk.scan();
    (desk, receiver)
}

/// The ids of the events that came, in order; all of them replays.
fn replayed(receiver: &Receiver) -> Vec<String> {
    let requests = receiver.requests();
    let ids = requests.iter().map(|request| {
        assert_eq!(request.header("x-hooklane-replay"), "true");
        request.webhook_id().to_owned()
    });
    ids.collect()
}

/// Confirms what the preview shows.
fn confirm(desk: &Desk) {
    desk.browser.click("#confirm");
    desk.browser.wait_for_url("/jobs/");
}

#[test]
fn one_letter_is_replayed_from_its_own_page() {
    let (desk, receiver) = desk(&[Letter::nth(0), Letter::nth(1)]);
    desk.open("/letters/origin-1");
    desk.browser.press("Replay…");
    desk.browser.wait_for("h1", "Replay 1 dead letter?");
    desk.browser.fill(
        "Reason, for the audit log (may stay empty)",
        "they have mended it",
    );
    confirm(&desk);
    desk.browser
        .wait_for("#summary", "1 of 1 dead letter replayed");
    desk.browser.wait_for_text("Reason: they have mended it");

    // The list knows.
    desk.browser.follow("To the list");
    desk.browser.wait_for("#matches strong", "1 dead letter");
    desk.browser.wait_for_text("1 replayed or dropped since");
    assert_eq!(desk.counts().visible, 1);
    desk.drain();
    assert_eq!(replayed(&receiver), ["event-1"]);
}

#[test]
fn the_letters_that_are_chosen_are_replayed_and_no_others() {
    let letters: Vec<_> = (0..4).map(Letter::nth).collect();
    let (desk, receiver) = desk(&letters);
    desk.open("/letters");
    desk.browser.tick("Choose origin-3");
    desk.browser.tick("Choose origin-1");
    desk.browser.press("Replay selected…");
    desk.browser.wait_for("h1", "Replay 2 dead letters?");
    confirm(&desk);
    desk.browser
        .wait_for("#summary", "2 of 2 dead letters replayed");
    desk.drain();
    assert_eq!(replayed(&receiver), ["event-1", "event-3"]);
}

#[test]
fn all_that_match_are_shown_first_and_nothing_is_done_until_it_is_confirmed() {
    let other = Letter {
        group: "EventSetup_8".to_owned(),
        ..Letter::nth(5)
    };
    let letters: Vec<_> = (0..3).map(Letter::nth).chain([other]).collect();
    let (desk, receiver) = desk(&letters);
    desk.open("/letters?group=EventSetup_7");
    desk.browser.press("Replay all 3…");
    desk.browser.wait_for("h1", "Replay 3 dead letters?");
    assert_eq!(
        desk.browser.texts("#preview tbody td"),
        [
            "EventSetup_7",
            "3",
            "2026-11-20 08:00:00 to 2026-11-20 08:02:00"
        ]
    );
    desk.browser.follow("Cancel");
    desk.browser.wait_for_url("/letters");
    assert_eq!(desk.counts().visible, 4);

    desk.open("/letters?group=EventSetup_7");
    desk.browser.press("Replay all 3…");
    confirm(&desk);
    desk.browser
        .wait_for("#summary", "3 of 3 dead letters replayed");
    desk.drain();
    assert_eq!(replayed(&receiver), ["event-0", "event-1", "event-2"]);
    assert_eq!(desk.counts().visible, 1);
}

#[test]
fn a_replay_that_comes_after_newer_events_is_warned_of() {
    let receiver = Receiver::start(|request, _| {
        if request.event()["msg_id"] == "late" {
            503
        } else {
            200
        }
    });
    let mut world = World::fifo();
    world.delays(&[]);
    world.configure(&callback(&receiver.url));
    world.send(&[event(7, "late"), event(7, "newer")], &[]);
    assert_eq!(world.drain()["dead_lettered"], 1);

    let desk = Desk::of(world, &[]);
    desk.scan();
    desk.open("/letters");
    desk.browser.press("Replay all 1…");
    desk.browser.wait_for("h1", "Replay 1 dead letter?");
    let warning = desk.browser.text("#warnings");
    assert!(warning.contains("EventSetup_7"), "{warning}");
    assert!(desk.browser.has("button", "Replay nevertheless"));
    assert!(!desk.browser.has("button", "Replay"));

    // Chromium does not send the form before what is warned of is accepted.
    desk.browser.click("#confirm");
    assert_eq!(desk.browser.url().path(), "/replay/preview");
    assert_eq!(desk.browser.count("#accept-order"), 1);
    assert_eq!(desk.browser.count("#accept-hidden"), 0);
    desk.browser.click("#accept-order");
    confirm(&desk);
    desk.browser
        .wait_for("#summary", "1 of 1 dead letter replayed");
}

#[test]
fn a_replay_that_is_stopped_leaves_the_rest_where_it_is() {
    let letters: Vec<_> = (0..40).map(Letter::nth).collect();
    let (desk, receiver) = desk(&letters);
    desk.open("/letters");
    desk.browser.press("Replay all 40…");
    desk.browser.wait_for("h1", "Replay 40 dead letters?");
    desk.browser
        .fill("At most so many a second (may stay empty)", "2");
    confirm(&desk);
    desk.browser.wait_for_text(" of 40 replayed");
    desk.browser.press("Stop");
    desk.browser
        .wait_for_text("It was stopped. What was left is as it was.");
    desk.browser.follow("Jobs");
    desk.browser.follow("Replay of 40 dead letters");
    let summary = desk.browser.text("#summary");

    desk.drain();
    let done = replayed(&receiver);
    let expected: Vec<_> = (0..done.len()).map(|n| format!("event-{n}")).collect();
    assert_eq!(done, expected);
    let left = 40 - done.len();
    let said = format!(
        "{} of 40 dead letters replayed, {left} left as they were",
        done.len()
    );
    assert_eq!((summary, desk.counts().visible as usize), (said, left));
}
