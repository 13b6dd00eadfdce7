//! The page, as an engineer uses it: `hooklane console` and a `hooklane local-sqs` as real processes, and headless Chromium.
//!
//! Each test has queues, a console and a browser of its own, on ports that the system chooses. `scripts/chromium`
//! installs the browser (`make test` does).

mod access;
mod bad_day;
mod browser;
mod desk;
mod driver;
mod dropping;
mod letter;
mod letters;
mod list;
mod overview;
mod reading;
mod replaying;
#[allow(dead_code, reason = "pictures need more of it")]
mod screen;
mod strangers;
