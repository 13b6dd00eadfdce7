//! Who may see the page, and who may change something.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use rig::receiver::accept;
use serde_json::json;

use crate::desk::{Desk, configured, fill};
use crate::letters::Letter;

const TOKEN: &str = "a token of more than sixteen characters";

/// A desk at which one has to sign in.
fn guarded() -> Desk {
    let mut world = configured("[console]\ntoken = \"env:CONSOLE_TOKEN\"\n");
    world.home.set("CONSOLE_TOKEN", TOKEN);
    fill(&world, &[Letter::nth(0)]);
    Desk::of(world, &[])
}

fn sign_in(desk: &Desk, token: &str) {
    desk.browser.fill("Token", token);
    desk.browser.fill("Your name", "Ada");
    desk.browser.press("Sign in");
}

/// Posts from the page that is open, and returns the status and what the answer says.
fn post(desk: &Desk, path: &str, fields: &[(&str, &str)]) -> (u64, String) {
    let script = "
        const [path, fields] = arguments;
        const answer = await fetch(path, { method: 'POST', body: new URLSearchParams(fields) });
        return [answer.status, await answer.text()];
    ";
    let answer = desk
        .browser
        .script(script, vec![json!(path), json!(fields)]);
    let status = answer[0].as_u64().expect("a status");
    (status, answer[1].as_str().expect("a text").to_owned())
}

#[test]
fn without_the_token_nothing_is_shown_and_with_it_the_page_that_was_asked_for() {
    let mut desk = guarded();
    for path in ["/", "/letters", "/letters/origin-0", "/jobs", "/counts"] {
        desk.open(path);
        desk.browser.wait_for_url("/sign-in");
        assert!(!desk.browser.has("link", "Dead letters"), "{path}");
        assert_eq!(desk.browser.count("#queue-internal, #letters"), 0, "{path}");
    }
    desk.open("/letters?group=EventSetup_7");
    sign_in(&desk, "a token that somebody has guessed");
    desk.browser.wait_for_text("This is not the token");
    assert!(desk.browser.has("field", "Token"));
    assert_eq!(desk.browser.value("Token"), "");

    sign_in(&desk, TOKEN);
    desk.browser.wait_for_url("/letters?group=EventSetup_7");
    assert_eq!(desk.browser.text(".who .name"), "Ada");
    let log = desk.console.wait_for_log("signed in");
    assert!(log.contains("Ada") && !log.contains(TOKEN), "{log}");

    // No script can read the session.
    assert_eq!(desk.browser.script("return document.cookie;", vec![]), "");
    desk.browser.press("Sign out");
    desk.browser.wait_for_url("/sign-in");
    desk.open("/letters");
    desk.browser.wait_for_url("/sign-in");
}

#[test]
fn a_change_without_the_token_of_the_form_is_refused() {
    let desk = Desk::with(&[Letter::nth(0)]);
    desk.open("/");
    let forms = "return document.querySelector('#snapshot [name=form_token]').value;";
    let token = desk.browser.script(forms, vec![]);
    let token = token.as_str().expect("a token").to_owned();
    for path in [
        "/scan",
        "/scan/stop",
        "/replay/preview",
        "/replay",
        "/drop",
        "/sign-out",
    ] {
        for wrong in [
            vec![],
            vec![("form_token", "")],
            vec![("form_token", "guessed")],
        ] {
            let (status, text) = post(&desk, path, &wrong);
            assert_eq!(status, 403, "{path} {wrong:?}");
            assert!(
                text.contains("Nothing was changed"),
                "{path} {wrong:?}: {text}"
            );
        }
    }
    // Nothing was scanned, replayed or dropped.
    assert_eq!(desk.receive_counts(), [1]);
    let (status, _) = post(&desk, "/scan", &[("form_token", &token), ("next", "/")]);
    assert_eq!(status, 200);
}

#[test]
fn another_site_cannot_make_the_browser_change_anything() {
    let desk = Desk::with(&[Letter::nth(0)]);
    // There is a session, and its cookie is sent: to the browser another port is the same site.
    desk.open("/");
    let page = format!(
        "<form method=post action='{}/scan'><input name=form_token value=guessed><button>Win</button></form>",
        desk.url
    );
    let elsewhere = accept(move |stream| serve(&stream, &page));
    desk.browser.open(&format!("http://{elsewhere}/"));
    desk.browser.press("Win");
    desk.browser.wait_for_text("Not from a page of ours");
    assert_eq!(desk.receive_counts(), [1]);
}

/// Answers every request with a page.
fn serve(mut stream: &TcpStream, page: &str) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        line.clear();
    }
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{page}",
        page.len()
    )
}
