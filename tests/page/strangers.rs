//! What strangers wrote: bodies, answers, names and ids are text on every page, whatever they hold.

use delivery::Reason;

use crate::desk::Desk;
use crate::letters::{Letter, answer};

/// Would be noticed on each page that let it be markup.
const SCRIPT: &str = "<script>window.ran='script'</script>";
const IMAGE: &str = r#""><img src=x onerror="window.ran='image'">"#;

/// A letter of which everything that others choose is an attack.
fn hostile() -> Letter {
    Letter {
        id: format!("o'1\"{SCRIPT}"),
        // What SQS lets stand in a group.
        group: SCRIPT.to_owned(),
        event: Some(format!("{SCRIPT}{IMAGE}")),
        reason: Reason::Exhausted,
        detail: Some(format!("{IMAGE}{SCRIPT}")),
        callback: Some(format!("https://{SCRIPT}.example/{IMAGE}")),
        attempts: vec![answer(500, &format!("{SCRIPT}{IMAGE}</bdi></td></table>")); 4],
        body: format!(
            r#"{{"msg_id":"</pre>{SCRIPT}","html":"</textarea>{SCRIPT}<img src=x onerror='window.ran=1'>"}}"#
        ),
        ..Letter::nth(0)
    }
}

/// Fails if anything but the page's own script ran, or if the browser had to stop something.
fn assert_calm(desk: &Desk, page: &str) {
    let ran = desk.browser.script(
        "return [window.ran ?? null, document.scripts.length, document.images.length];",
        vec![],
    );
    assert_eq!(ran, serde_json::json!([null, 1, 0]), "{page}");
    // A refusal of ours, which the browser mentions.
    let refused = |said: &String| {
        said.contains("Failed to load resource: the server responded with a status of 4")
    };
    let said = desk.browser.console();
    assert_eq!(said.into_iter().find(|said| !refused(said)), None, "{page}");
}

#[test]
fn what_strangers_wrote_is_shown_as_text_on_every_page() {
    let desk = Desk::with(&[hostile(), Letter::nth(1)]);
    desk.scan();
    assert_calm(&desk, "overview");
    assert_eq!(
        desk.browser.texts("#by-group .label")[0].replace('\u{a0}', " "),
        SCRIPT
    );

    desk.open("/letters");
    assert_calm(&desk, "list");
    desk.browser.wait_for_text(SCRIPT);
    assert_eq!(
        desk.browser.texts("#letters .event")[0],
        format!("{SCRIPT}{IMAGE}")
    );

    // What somebody was sent as a link, too.
    desk.open(
        "/letters?contains=%3Cscript%3Ewindow.ran%3D1%3C%2Fscript%3E&status=%22%3E%3Cscript%3E",
    );
    assert_calm(&desk, "list by a hostile address");
    desk.open("/letters/%3Cscript%3Ewindow.ran%3D1%3C%2Fscript%3E");
    assert_calm(&desk, "a letter that is not there");

    desk.open("/letters");
    desk.browser.follow_in("#letters tbody tr", "o'1");
    desk.browser.wait_for_url("/letters/o");
    assert_calm(&desk, "letter");
    for text in [
        SCRIPT,
        "</textarea>",
        "onerror='window.ran=1'",
        "</bdi></td></table>",
    ] {
        desk.browser.wait_for_text(text);
    }
}
