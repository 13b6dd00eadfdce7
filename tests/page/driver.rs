//! The driver of Chromium as a process, and how it is to start Chromium.

use std::env;
use std::path::Path;
use std::process::{Command, Stdio};

use rig::program::{Ended, Service};
use serde_json::json;
use thirtyfour::Capabilities;

/// Chromium goes to no address but the test's, and ends with its driver, however that ends: the two speak over a pipe.
const ARGUMENTS: &[&str] = &[
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--disable-features=Translate,OptimizationHints,MediaRouter,PreloadTopChromeWebUI",
    "--no-default-browser-check",
    "--no-first-run",
    "--no-proxy-server",
    "--remote-debugging-pipe",
    "--force-color-profile=srgb",
    "--hide-scrollbars",
    "--lang=en-US",
];

/// The driver takes a free port of `[::1]` and then the same of `127.0.0.1`, which another program may have: then another is
/// started. So often would not be chance.
const PORTS: usize = 20;

/// Starts the driver on a port that it takes itself. What it and Chromium leave behind is in the folder.
pub(crate) fn start(folder: &Path) -> (Service, u16) {
    for _ in 0..PORTS {
        match start_once(folder) {
            Ok(started) => return started,
            Err(ended) if ended.stderr.contains("Address already in use") => {}
            Err(ended) => panic!("chromedriver: {} {}", ended.stdout, ended.stderr),
        }
    }
    panic!("chromedriver found no port that is free of both families, {PORTS} times");
}

fn start_once(folder: &Path) -> Result<(Service, u16), Ended> {
    let child = Command::new(program("CHROMEDRIVER", "/usr/bin/chromedriver"))
        .arg("--port=0")
        .envs([("TMPDIR", folder), ("HOME", folder)])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("chromedriver starts; scripts/chromium installs it (make test does)");
    let mut driver = Service::of(child);
    // After a line or two with its version.
    while let Some(line) = driver.try_line() {
        if let Some((_, port)) = line.split_once("started successfully on port ") {
            let port = port.trim_end_matches('.').parse().expect("a port");
            return Ok((driver, port));
        }
    }
    Err(driver.wait())
}

/// How Chromium is to be started, with a profile in the folder.
pub(crate) fn capabilities(folder: &Path) -> Capabilities {
    let profile = format!("--user-data-dir={}", folder.join("profile").display());
    let arguments = ARGUMENTS.iter().copied().chain([profile.as_str()]);
    let capabilities = json!({
        "browserName": "chrome",
        "goog:loggingPrefs": {"browser": "ALL"},
        "goog:chromeOptions": {
            "binary": program("CHROMIUM", "/usr/bin/chromium"),
            "args": arguments.collect::<Vec<_>>(),
        },
    });
    serde_json::from_value(capabilities).expect("an object")
}

/// Debian's, or the one that a variable names (`scripts/chromium`).
fn program(variable: &str, usual: &str) -> String {
    env::var(variable).unwrap_or_else(|_| usual.to_owned())
}
