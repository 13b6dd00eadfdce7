//! Drops: with a reason, into a file, and back again.

use std::fs;

use rig::world::done;
use serde_json::json;

use crate::desk::Desk;
use crate::letters::Letter;

fn letters() -> Vec<Letter> {
    (0..3).map(Letter::nth).collect()
}

/// The files of dropped letters, in the directory that the console was started in.
fn files(desk: &Desk) -> Vec<String> {
    let entries = fs::read_dir(desk.home.path(".")).expect("a directory");
    let names = entries.map(|entry| {
        entry
            .expect("an entry")
            .file_name()
            .to_string_lossy()
            .into_owned()
    });
    names.filter(|name| name.starts_with("dropped-")).collect()
}

#[test]
fn a_drop_with_a_reason_writes_a_file_first_that_brings_it_back() {
    let mut desk = Desk::with(&letters());
    desk.scan();
    desk.open("/letters?contains=event-1");
    desk.browser.press("Drop all 1…");
    desk.browser.wait_for("h1", "Drop 1 dead letter?");
    desk.browser
        .fill("Reason, for the audit log", "a test of ours, not an event");
    desk.browser.press("Drop");
    desk.browser.wait_for_url("/jobs/");
    desk.browser
        .wait_for("#summary", "1 of 1 dead letter dropped");
    assert_eq!(desk.counts().total(), 2);

    let audit = desk.console.wait_for_log("origin-1");
    assert!(audit.contains("a test of ours, not an event"), "{audit}");
    let names = files(&desk);
    let [name] = &names[..] else {
        panic!("{names:?}")
    };
    assert!(
        desk.browser.text("#file").ends_with(name.as_str()),
        "{name}"
    );
    let line = fs::read_to_string(desk.home.path(name)).expect("read");
    assert_eq!(
        (line.lines().count(), line.contains("origin-1")),
        (1, true),
        "{line}"
    );

    done(&desk.home.run(&["dlq", "import", name]));
    assert_eq!(desk.counts().total(), 3);
    desk.scan_again();
    desk.open("/letters/origin-1");
    desk.browser.wait_for_text("event-1");
}

#[test]
fn a_drop_without_a_reason_is_refused() {
    let desk = Desk::with(&letters());
    desk.scan();
    desk.open("/letters/origin-1");
    desk.browser.press("Drop…");
    desk.browser.wait_for("h1", "Drop 1 dead letter?");
    // The browser does not send the form.
    desk.browser.press("Drop");
    assert_eq!(desk.browser.url().path(), "/drop/preview");
    assert_eq!(
        desk.browser.script(
            "return document.querySelector('#why').validity.valueMissing;",
            vec![]
        ),
        true
    );
    // Whoever sends it all the same is refused.
    for why in ["", "  ", "two\nlines"] {
        desk.open("/letters/origin-1");
        desk.browser.press("Drop…");
        desk.browser.wait_for("h1", "Drop 1 dead letter?");
        desk.browser.script(
            "const form = document.querySelector('#confirm-form');
             form.why.outerHTML = '<textarea name=why></textarea>';
             form.why.value = arguments[0];
             form.submit();",
            vec![json!(why)],
        );
        desk.browser.wait_for_text("Nothing was changed");
    }
    assert_eq!((desk.counts().total(), files(&desk).len()), (3, 0));
    assert_eq!(desk.receive_counts(), [2; 3], "the scan's, and this");
}
