//! Pictures of the page (`make screenshots`): those of the README into `docs/`, and many more to look at into
//! `target/screenshots/`: every page in light and dark, on a computer and on a phone, full and empty, with one and
//! with 10,000 dead letters, with very long values and right-to-left text.

#[allow(dead_code, reason = "shared with the tests of the page")]
mod browser;
mod driver;
mod gallery;
#[allow(dead_code, reason = "shared with the tests of the page")]
mod letters;
mod samples;
#[allow(dead_code, reason = "shared with the tests of the page")]
mod screen;

use std::collections::BTreeSet;

use rig::program::repository;

use crate::gallery::Gallery;
use crate::letters::Letter;

/// The height of the README's longest pictures, in CSS pixels.
const README_HEIGHT: u32 = 860;

fn main() {
    readme();
    bad_week();
    nothing();
    guarded();
    odd();
    set("one", &[Letter::nth(0)]);
    set("many", &samples::many(10_000));
}

/// The pictures of the README: narrow, since they are shown small.
fn readme() {
    let letters = samples::bad_week();
    let gallery = Gallery::of(&letters);
    let take = |name: &str, scheme: &str, all: bool| {
        let file = repository()
            .join("docs")
            .join(format!("console-{name}.png"));
        gallery.picture(&file, scheme, all);
    };
    gallery.scan();
    gallery.browser.window(1200, README_HEIGHT);
    for (name, scheme) in [("overview", "light"), ("overview-dark", "dark")] {
        gallery.open("/");
        take(name, scheme, true);
    }
    gallery.open("/letters?status=5xx&order=newest");
    take("list", "light", false);
    let twice_dead = letters.last().expect("letters");
    gallery.open(&format!("/letters/{}", twice_dead.id));
    take("letter", "light", false);
    gallery.browser.window(1200, 1);
    gallery.open("/letters?group=EventSetup_42");
    gallery.browser.press("Replay all 58…");
    gallery.browser.text("#confirm");
    take("replay", "light", true);
}

impl Gallery {
    /// Takes pictures of the whole page that is open, on a computer and on a phone, in light and in dark.
    fn shown(&self, name: &str) {
        let folder = repository().join("target/screenshots");
        std::fs::create_dir_all(&folder).expect("a directory");
        for device in ["computer", "phone"] {
            match device {
                "phone" => self.browser.phone(),
                _ => self.browser.desktop(),
            }
            for scheme in ["light", "dark"] {
                let file = folder.join(format!("{name}-{device}-{scheme}.png"));
                self.picture(&file, scheme, true);
            }
        }
        self.browser.desktop();
    }

    fn page(&self, name: &str, path: &str) {
        self.open(path);
        self.shown(name);
    }
}

/// Every page of an ordinary trouble.
fn bad_week() {
    let letters = samples::bad_week();
    let gallery = Gallery::of(&letters);
    for (name, path) in [("overview", "/"), ("list", "/letters"), ("jobs", "/jobs")] {
        gallery.page(&format!("new-{name}"), path);
    }
    gallery.scan();
    for (name, path) in [
        ("overview", "/"),
        ("list", "/letters"),
        ("bad-filter", "/letters?status=6xx&since=yesterday"),
        ("no-match", "/letters?group=EventSetup_9"),
        ("no-letter", "/letters/nobody"),
    ] {
        gallery.page(&format!("week-{name}"), path);
    }
    letter_of_each_group(&gallery, "week", &letters);
    jobs(&gallery);
}

/// Previews, progress and results.
fn jobs(gallery: &Gallery) {
    let browser = &gallery.browser;
    let group = "/letters?group=EventSetup_42";
    gallery.open(group);
    browser.press("Replay all 58…");
    browser.text("#confirm");
    gallery.shown("replay-preview");
    browser.fill("At most so many a second (may stay empty)", "1");
    browser.fill(
        "Reason, for the audit log (may stay empty)",
        "northwind is up again",
    );
    browser.click("#confirm");
    browser.wait_for_text("of 58 replayed");
    gallery.shown("replay-running");
    browser.press("Stop");
    browser.wait_for_text("It was stopped");
    gallery.shown("replay-stopped");

    gallery.open(group);
    browser.click("#replay-all");
    browser.click("#confirm");
    browser.text("#summary");
    gallery.shown("replay-done");

    gallery.open("/letters?reason=invalid-event");
    browser.press("Drop all 2…");
    browser.text("#confirm");
    gallery.shown("drop-preview");
    gallery.page("week-jobs", "/jobs");
    gallery.page("week-overview-after", "/");
}

/// An internal queue without letters.
fn nothing() {
    let gallery = Gallery::of(&[]);
    gallery.scan();
    gallery.page("empty-overview", "/");
    gallery.page("empty-list", "/letters");
}

/// The door.
fn guarded() {
    let gallery = Gallery::guarded("a token of sixteen or more");
    gallery.page("sign-in", "/");
    gallery.browser.fill("Token", "a guess");
    gallery.browser.fill("Your name", "Ada");
    gallery.browser.press("Sign in");
    gallery.browser.wait_for_text("This is not the token");
    gallery.shown("sign-in-wrong");
}

/// What a page has to bear.
fn odd() {
    let letters = samples::odd();
    let gallery = set("odd", &letters);
    for (n, letter) in letters.iter().enumerate() {
        gallery.page(
            &format!("odd-letter-{n}"),
            &format!("/letters/{}", letter.id),
        );
    }
}

/// The pages that show several letters.
fn set(name: &str, letters: &[Letter]) -> Gallery {
    let gallery = Gallery::of(letters);
    gallery.scan();
    gallery.page(&format!("{name}-overview"), "/");
    gallery.page(&format!("{name}-list"), "/letters");
    gallery.browser.click("#replay-all");
    gallery.browser.text("#confirm");
    gallery.shown(&format!("{name}-replay-preview"));
    gallery
}

fn letter_of_each_group(gallery: &Gallery, name: &str, letters: &[Letter]) {
    let mut groups = BTreeSet::new();
    for letter in letters {
        if groups.insert(&letter.group) {
            let path = format!("/letters/{}", letter.id);
            gallery.page(&format!("{name}-{}", letter.group), &path);
        }
    }
}
