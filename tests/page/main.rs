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
#[path = "../e2e/receiver.rs"]
#[allow(dead_code, reason = "shared with the end-to-end tests")]
mod receiver;
mod replaying;
#[path = "../e2e/request.rs"]
#[allow(dead_code, reason = "shared with the end-to-end tests")]
mod request;
#[allow(dead_code, reason = "pictures need more of it")]
mod screen;
#[path = "../e2e/sqs.rs"]
#[allow(dead_code, reason = "shared with the end-to-end tests")]
mod sqs;
mod strangers;
#[path = "../cli/support.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "shared with the tests of the command line"
)]
mod support;
#[path = "../e2e/world.rs"]
#[allow(dead_code, reason = "shared with the end-to-end tests")]
mod world;
