//! The overview: counts, a scan and what it found.

use crate::desk::{Desk, fill};
use crate::letters::{Letter, answer};

/// Three letters of one group, one of another that was refused otherwise.
fn letters() -> Vec<Letter> {
    let other = Letter {
        group: "EventSetup_8".to_owned(),
        callback: Some("https://other.example.com/in".to_owned()),
        attempts: vec![answer(401, "who are you"); 4],
        ..Letter::nth(3)
    };
    (0..3).map(Letter::nth).chain([other]).collect()
}

#[test]
fn the_counts_refresh_by_themselves_and_nothing_is_received_for_them() {
    let desk = Desk::with(&letters());
    desk.open("/");
    let visible = "#queue-internal .visible dd";
    assert_eq!(desk.browser.text(visible), "4");
    desk.browser.script("window.same = true;", vec![]);
    fill(&desk, &[Letter::nth(4), Letter::nth(5)]);
    desk.browser.wait_for(visible, "6");
    assert_eq!(desk.browser.script("return window.same;", vec![]), true);
    assert_eq!(desk.receive_counts(), [1; 6]);
}

#[test]
fn a_scan_runs_when_asked_for_and_is_shown_with_its_age_and_by_kind() {
    let desk = Desk::with(&letters());
    desk.open("/");
    desk.browser.wait_for_text("Nothing scanned yet");
    desk.scan();
    assert_eq!(desk.browser.text("#snapshot-count"), "4 dead letters");
    assert!(
        desk.browser.text("#snapshot .ago").ends_with(" ago")
            || desk.browser.text("#snapshot .ago") == "just now"
    );
    let bars = |id: &str| desk.browser.texts(&format!("#{id} li"));
    let in_words = |bars: Vec<String>| {
        bars.iter()
            .map(|bar| bar.replace('\n', " "))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        in_words(bars("by-status")),
        ["500 Internal Server Error 3", "401 Unauthorized 1"]
    );
    assert_eq!(in_words(bars("by-reason")), ["exhausted 4"]);
    assert_eq!(
        in_words(bars("by-host")),
        ["hooks.example.com 3", "other.example.com 1"]
    );

    // Everything was given back, once.
    let counts = desk.counts();
    assert_eq!((counts.visible, counts.not_visible), (4, 0));
    assert_eq!(desk.receive_counts(), [2; 4]);
}

#[test]
fn a_bar_leads_to_its_letters() {
    let desk = Desk::with(&letters());
    desk.scan();
    desk.browser.follow_in("#by-status", "401");
    desk.browser.wait_for_url("/letters?status=401");
    assert_eq!(desk.browser.count("#letters tbody tr"), 1);
}

#[test]
fn an_empty_internal_queue_is_good_news() {
    let desk = Desk::with(&[]);
    desk.scan();
    desk.browser
        .wait_for_text("Everything that was sent has been delivered or is still on its way.");
    desk.open("/letters");
    desk.browser
        .wait_for("#no-match", "There are no dead letters.");
}
