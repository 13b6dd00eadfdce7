//! How far a command is that goes through the internal queue: on a terminal, on standard error.

use indicatif::{ProgressBar, ProgressStyle};
use letters::Progress;

use crate::logging;

const MOVING: &str = "{bar:30} {pos} of {len} {msg}, {eta} left";

pub(super) struct Meter {
    bar: ProgressBar,
}

impl Meter {
    /// Begins with a scan. Drawn only if standard error is a terminal.
    pub(super) fn start() -> Self {
        let bar = ProgressBar::new_spinner().with_message("dead letters seen");
        logging::share_terminal_with(bar.clone());
        Self { bar }
    }

    pub(super) fn seen(&self, count: usize) {
        self.bar.set_position(count as u64);
        self.bar.set_message(format!("{count} dead letters seen"));
    }

    /// Goes on with what is done to the letters.
    pub(super) fn moving(&self, verb: &'static str) {
        if let Ok(style) = ProgressStyle::with_template(MOVING) {
            self.bar.set_style(style);
        }
        // It was ended, and is drawn no more, if a question was asked meanwhile.
        self.bar.reset();
        self.bar.set_message(verb);
    }

    pub(super) fn show(&self, progress: Progress) {
        self.bar.set_length(progress.selected as u64);
        self.bar.set_position(progress.done as u64);
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
