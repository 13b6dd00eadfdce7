//! `console`: where it listens, whom it needs a token from, how it stops.

use rig::program::{Home, LocalSqs, Service, address, assert_told, get, post, taken_port};

fn started(home: &Home, arguments: &[&str]) -> (Service, std::net::SocketAddr) {
    let arguments = [&["console", "--listen", "127.0.0.1:0"], arguments].concat();
    let mut service = home.start(&arguments);
    let first = service.line();
    assert!(
        first.starts_with("listening on http://127.0.0.1:"),
        "{first}"
    );
    let address = address(&first);
    (service, address)
}

#[test]
fn the_first_line_says_where_the_page_is_and_sigterm_ends_it_well() {
    let local = LocalSqs::start(&[]);
    let home = local.home("events");
    let (service, at) = started(&home, &[]);
    let page = get(at, "/");
    assert!(
        page.starts_with("HTTP/1.1 200 ") && page.contains("events-internal.fifo"),
        "{page}"
    );
    assert!(
        page.contains("content-security-policy: default-src 'none'"),
        "{page}"
    );
    assert_eq!(post(at, "/scan", &[], b""), 403);
    assert_eq!(service.stop().code, Some(0));
}

#[test]
fn whoever_does_not_know_the_token_is_asked_for_it() {
    let local = LocalSqs::start(&[]);
    let mut home = local.home("events");
    home.set("HOOKLANE_CONSOLE__TOKEN", "env:PAGE_TOKEN");
    home.set("PAGE_TOKEN", "a token of the page");
    let (service, at) = started(&home, &["--log-format", "json"]);
    let page = get(at, "/letters");
    assert!(
        page.starts_with("HTTP/1.1 303 ") && page.contains("location: /sign-in?next=%2Fletters"),
        "{page}"
    );
    let from = [("Content-Type", "application/x-www-form-urlencoded")];
    assert_eq!(post(at, "/sign-in", &from, b"token=wrong&name=ada"), 403);
    assert_eq!(
        post(at, "/sign-in", &from, b"token=a+token+of+the+page&name=ada"),
        303
    );
    let ended = service.stop();
    assert_eq!(ended.code, Some(0));
    assert!(
        ended.stderr.contains("signed in") && !ended.stderr.contains("a token of"),
        "{}",
        ended.stderr
    );
}

#[test]
fn on_an_address_that_others_reach_it_does_not_start_without_a_token() {
    let local = LocalSqs::start(&[]);
    let mut home = local.home("events");
    let ended = home.run(&["console", "--listen", "0.0.0.0:0"]);
    assert_told(
        &ended,
        2,
        &["console.token: missing", "0.0.0.0:0", "loopback"],
    );
    home.set("HOOKLANE_CONSOLE__TOKEN", "env:PAGE_TOKEN");
    home.set("PAGE_TOKEN", "too short");
    let ended = home.run(&["console", "--listen", "0.0.0.0:0"]);
    assert_told(
        &ended,
        2,
        &[
            "console.token: env:PAGE_TOKEN is too short",
            "16 characters",
        ],
    );
    assert!(!ended.stderr.contains("too short\""), "{}", ended.stderr);
}

#[test]
fn an_address_that_is_taken_is_told_with_the_mend() {
    let local = LocalSqs::start(&[]);
    let home = local.home("events");
    let (_listener, port) = taken_port();
    let ended = home.run(&["console", "--listen", &format!("127.0.0.1:{port}")]);
    assert_told(&ended, 1, &["console.listen: cannot listen on", "port 0"]);
}

#[test]
fn the_settings_of_the_page_are_checked_with_the_others() {
    let home = Home::with(
        "[console]\nlisten = \"nowhere\"\ntoken = \"written out\"\ndrop_dir = \"nowhere\"\n",
    );
    let ended = home.run(&["config", "check"]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    for key in ["console.listen", "console.token", "console.drop_dir"] {
        assert!(
            ended.stdout.contains(key) || ended.stderr.contains(key),
            "{key}: {ended:?}"
        );
    }
    assert!(!format!("{ended:?}").contains("written out"), "{ended:?}");
}

#[test]
fn a_pair_that_is_swapped_is_not_shown() {
    let local = LocalSqs::start(&[]);
    let home = local.home("events");
    let pair = std::fs::read_to_string(home.path("hooklane.toml")).expect("written");
    let swapped = pair
        .replace("dead_letter_url", "x")
        .replace("url", "dead_letter_url")
        .replace("x =", "url =");
    home.write("hooklane.toml", swapped);
    let ended = home.run(&["console", "--listen", "127.0.0.1:0"]);
    assert_told(&ended, 1, &["are swapped"]);
}
