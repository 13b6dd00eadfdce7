//! The list, by form and by address.

use crate::desk::Desk;
use crate::letters::{Letter, answer};

/// Four letters of EventSetup_7, n refused with 500; two of EventSetup_8, refused with 401.
fn letters() -> Vec<Letter> {
    let eight = |n| Letter {
        group: "EventSetup_8".to_owned(),
        attempts: vec![answer(401, "signature does not match"); 4],
        ..Letter::nth(n)
    };
    let letters = (0..4).map(Letter::nth);
    letters.chain([4, 5].map(eight)).collect()
}

fn ids(desk: &Desk) -> Vec<String> {
    desk.browser.texts("#letters tbody .id")
}

#[test]
fn all_dead_letters_are_listed_by_time_of_death_either_way_round() {
    let desk = Desk::with(&letters());
    desk.scan();
    desk.browser.follow("Dead letters");
    let mut expected: Vec<_> = (0..6).map(|n| format!("origin-{n}")).collect();
    assert_eq!(ids(&desk), expected);
    desk.browser.follow("newest first");
    desk.browser.wait_for_url("order=newest");
    expected.reverse();
    assert_eq!(ids(&desk), expected);
}

#[test]
fn the_form_filters_and_its_address_can_be_sent_to_a_colleague() {
    let desk = Desk::with(&letters());
    desk.scan();
    desk.open("/letters");
    desk.browser.fill("Message group", "EventSetup_8");
    desk.browser.fill("Last answer", "4xx");
    desk.browser.press("Show");
    desk.browser.wait_for_url("group=EventSetup_8");
    assert_eq!(ids(&desk), ["origin-4", "origin-5"]);

    let address = desk.browser.url();
    desk.open("/");
    desk.browser.open(address.as_str());
    assert_eq!(ids(&desk), ["origin-4", "origin-5"]);
    assert_eq!(desk.browser.value("Message group"), "EventSetup_8");
    assert_eq!(desk.browser.value("Last answer"), "4xx");
    desk.browser.follow("Show all");
    desk.browser.wait_for("#matches strong", "6 dead letters");
}

#[test]
fn an_answer_a_body_and_a_time_are_found_by_address() {
    let desk = Desk::with(&letters());
    desk.scan();
    for (address, expected) in [
        (
            "/letters?contains=does+NOT+match",
            vec!["origin-4", "origin-5"],
        ),
        ("/letters?contains=event-2", vec!["origin-2"]),
        (
            "/letters?since=2026-11-20T08:04:00Z",
            vec!["origin-3", "origin-4", "origin-5"],
        ),
        (
            "/letters?until=2026-11-20T08:02:00Z&status=5xx",
            vec!["origin-0"],
        ),
        ("/letters?group=EventSetup_9", vec![]),
    ] {
        desk.open(address);
        assert_eq!(ids(&desk), expected, "{address}");
    }
    desk.browser
        .wait_for_text("No dead letter of the snapshot matches");
}

#[test]
fn a_criterion_that_means_nothing_is_told_beside_its_field() {
    let desk = Desk::with(&letters());
    desk.scan();
    desk.open("/letters?status=0xx&group=EventSetup_7");
    assert!(desk.browser.text("#status-problem").contains("5xx"));
    assert_eq!(desk.browser.value("Last answer"), "0xx");
    assert_eq!(desk.browser.value("Message group"), "EventSetup_7");
    assert_eq!(ids(&desk), Vec::<String>::new());
}

#[test]
fn a_long_list_is_turned_page_by_page() {
    let letters: Vec<_> = (0..250).map(Letter::nth).collect();
    let desk = Desk::with(&letters);
    desk.scan();
    desk.open("/letters?group=EventSetup_7");
    desk.browser.wait_for("#matches strong", "250 dead letters");
    desk.browser.wait_for_text("1 to 100 shown");
    desk.browser.follow("Next");
    desk.browser.wait_for_text("101 to 200 shown");
    desk.browser.follow("Last");
    desk.browser.wait_for_text("201 to 250 shown");
    assert_eq!(ids(&desk)[0], "origin-200");
    desk.browser.back();
    desk.browser.wait_for_text("101 to 200 shown");
}
