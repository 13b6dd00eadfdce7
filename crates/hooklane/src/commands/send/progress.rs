//! How far a send is: a bar on a terminal, a log line now and then otherwise.

use std::cell::Cell;
use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use producer::Progress;

use crate::logging;

/// How often progress is logged where there is no terminal.
const LOG_EVERY: Duration = Duration::from_secs(10);

const OF_A_FILE: &str = "{bar:30} {percent:>3} %  {msg}, {eta} left";
const OF_A_STREAM: &str = "{spinner} {msg}, {elapsed}";

/// Shows progress until it is dropped.
pub(super) struct Meter {
    bar: Option<ProgressBar>,
    started: Instant,
    logged: Cell<Instant>,
}

impl Meter {
    /// Begins with an input of so many bytes, if that is known.
    pub(super) fn start(bytes: Option<u64>) -> Self {
        let bar = stderr().is_terminal().then(|| match bytes {
            Some(bytes) => ProgressBar::new(bytes).with_style(style(OF_A_FILE)),
            None => ProgressBar::new_spinner().with_style(style(OF_A_STREAM)),
        });
        if let Some(bar) = &bar {
            logging::share_terminal_with(bar.clone());
        }
        Self {
            bar,
            started: Instant::now(),
            logged: Cell::new(Instant::now()),
        }
    }

    pub(super) fn show(&self, progress: &Progress<'_>) {
        let Progress {
            lines,
            sent,
            rejected,
            ..
        } = *progress;
        if let Some(bar) = &self.bar {
            bar.set_position(progress.bytes);
            bar.set_message(pace(progress, self.started.elapsed()));
        } else if self.logged.get().elapsed() >= LOG_EVERY {
            self.logged.set(Instant::now());
            tracing::info!(lines, sent, rejected, "sending");
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

fn pace(progress: &Progress<'_>, elapsed: Duration) -> String {
    let Progress { sent, rejected, .. } = *progress;
    let per_s = sent as f64 / elapsed.as_secs_f64().max(0.001);
    match (progress.failing, rejected) {
        (Some(_), _) => format!("{sent} sent, sending fails, trying again"),
        (None, 0) => format!("{sent} sent, {per_s:.0}/s"),
        (None, rejected) => format!("{sent} sent, {rejected} rejected, {per_s:.0}/s"),
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates are constants that a test reads")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_can_be_read() {
        style(OF_A_FILE);
        style(OF_A_STREAM);
    }

    #[test]
    fn progress_tells_what_was_sent_how_fast_and_what_is_wrong() {
        let mut progress = Progress {
            lines: 10,
            bytes: 100,
            sent: 8,
            rejected: 0,
            look_ahead: 0,
            failing: None,
        };
        let pace = |progress: &Progress<'_>| super::pace(progress, Duration::from_secs(2));
        assert_eq!(pace(&progress), "8 sent, 4/s");
        progress.rejected = 2;
        assert_eq!(pace(&progress), "8 sent, 2 rejected, 4/s");
        progress.failing = Some("throttled");
        assert_eq!(pace(&progress), "8 sent, sending fails, trying again");
    }
}
