//! How far a send is: a bar on a terminal, a log line now and then otherwise.

use std::cell::Cell;
use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use producer::Progress;

use crate::logging;

/// How often progress is logged where there is no terminal.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// Shows progress until it is dropped.
pub(super) struct Meter {
    bar: Option<ProgressBar>,
    logged: Cell<Instant>,
}

impl Meter {
    /// Begins with an input of so many bytes, if that is known.
    pub(super) fn start(bytes: Option<u64>) -> Self {
        let bar = stderr().is_terminal().then(|| match bytes {
            Some(bytes) => ProgressBar::new(bytes).with_style(style(
                "{bar:30} {percent:>3} %  {msg}  {per_sec}, {eta} left",
            )),
            None => ProgressBar::new_spinner().with_style(style("{spinner} {msg}  {elapsed}")),
        });
        if let Some(bar) = &bar {
            logging::share_terminal_with(bar.clone());
        }
        Self {
            bar,
            logged: Cell::new(Instant::now()),
        }
    }

    pub(super) fn show(&self, progress: &Progress<'_>) {
        let Progress {
            sent,
            rejected,
            bytes,
            ..
        } = *progress;
        match &self.bar {
            Some(bar) => {
                bar.set_position(bytes);
                bar.set_message(match (progress.failing, rejected) {
                    (Some(_), _) => format!("{sent} sent, sending fails, trying again"),
                    (None, 0) => format!("{sent} sent"),
                    (None, rejected) => format!("{sent} sent, {rejected} rejected"),
                });
            }
            None if self.logged.get().elapsed() >= LOG_EVERY => {
                self.logged.set(Instant::now());
                tracing::info!(lines = progress.lines, sent, rejected, "sending");
            }
            None => {}
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the template is a constant that a test reads")
}
