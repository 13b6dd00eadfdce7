//! How it goes: bars on a terminal, a line now and then elsewhere.

use std::io::{IsTerminal, stderr, stdout};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::paint;
use super::stage::{Snapshot, Stage};
use crate::{logging, output};
use event::duration;

/// How often the bars move.
const TICK: Duration = Duration::from_millis(100);

/// How far apart two lines are at least.
const BETWEEN_LINES: Duration = Duration::from_secs(1);

/// Shows how far the stage is, until it is dropped.
pub(super) async fn follow(stage: &Stage, view: &mut View) -> anyhow::Error {
    let mut ticks = tokio::time::interval(TICK);
    loop {
        ticks.tick().await;
        if let Err(error) = view.show(stage.snapshot().await) {
            return error;
        }
    }
}

/// Where it is shown.
pub(super) struct View {
    began: Instant,
    events: u64,
    how: How,
}

enum How {
    Bars(Bars),
    Lines { last: Option<(Instant, Snapshot)> },
}

struct Bars {
    /// Keeps them together.
    all: MultiProgress,
    sent: ProgressBar,
    accepted: ProgressBar,
    waiting: ProgressBar,
    dead_letters: ProgressBar,
    minute: String,
}

impl View {
    /// Bars if both outputs are a terminal, which the bars and the texts around them then share.
    pub(super) fn new(began: Instant, events: usize, minute: Duration) -> Self {
        let events = events as u64;
        let terminal = stdout().is_terminal() && stderr().is_terminal() && !paint::is_dumb();
        let how = if terminal {
            How::Bars(Bars::new(events, minute))
        } else {
            How::Lines { last: None }
        };
        Self { began, events, how }
    }

    fn show(&mut self, now: Snapshot) -> anyhow::Result<()> {
        match &mut self.how {
            How::Bars(bars) => bars.show(now, self.events),
            How::Lines { last } => {
                let is_new =
                    last.is_none_or(|(at, before)| at.elapsed() >= BETWEEN_LINES && before != now);
                if is_new && now != Snapshot::default() {
                    let space = if last.is_none() { "\n" } else { "" };
                    *last = Some((Instant::now(), now));
                    output::line(&format!("{space}{}", line(self.began.elapsed(), now)))?;
                }
            }
        }
        Ok(())
    }

    /// Shows the end: the bars go, and the last line is the last word.
    pub(super) fn finish(&mut self, now: Snapshot) -> anyhow::Result<()> {
        match &mut self.how {
            How::Bars(bars) => bars.clear(),
            How::Lines { last } => {
                if last.is_none_or(|(_, before)| before != now) {
                    output::line(&line(self.began.elapsed(), now))?;
                }
            }
        }
        Ok(())
    }
}

impl Bars {
    fn new(events: u64, minute: Duration) -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        let bar = |name: &'static str, style: ProgressStyle| {
            let bar = all.add(ProgressBar::new(events).with_prefix(name));
            bar.set_style(style);
            bar
        };
        let bars = Self {
            sent: bar("sent", counting("\n")),
            accepted: bar("accepted", counting("")),
            waiting: bar("waiting", saying()),
            dead_letters: bar("internal queue", saying()),
            minute: duration::format(minute),
            all,
        };
        logging::share_terminal_with(bars.sent.clone());
        bars
    }

    fn show(&self, now: Snapshot, events: u64) {
        let Snapshot {
            sent,
            seen,
            dead_letters,
        } = now;
        let accepted = seen.accepted as u64;
        self.sent.set_position(sent);
        self.accepted.set_position(accepted);
        self.dead_letters.set_message(dead_letters.to_string());
        self.waiting.set_message(match seen.waiting {
            0 if accepted + dead_letters == events => {
                "none; making sure that the queue stays empty".to_owned()
            }
            0 => "none".to_owned(),
            1 => format!("1 failed twice and waits {}", self.minute),
            waiting => format!("{waiting} failed twice and wait {}", self.minute),
        });
    }

    fn clear(&self) {
        for bar in [
            &self.sent,
            &self.accepted,
            &self.waiting,
            &self.dead_letters,
        ] {
            bar.finish_and_clear();
        }
        // Nothing is left to clear if the terminal is gone.
        let _ = self.all.clear();
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        self.clear();
    }
}

fn counting(before: &str) -> ProgressStyle {
    let template = format!("{before}  {{prefix:<15}} {{bar:40}} {{pos:>4}} of {{len}}");
    style(&template).progress_chars("█▉▊▋▌▍▎▏ ")
}

fn saying() -> ProgressStyle {
    style("  {prefix:<15} {msg}")
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the template is a constant that a test reads")
}

fn line(after: Duration, now: Snapshot) -> String {
    let Snapshot {
        sent,
        seen,
        dead_letters,
    } = now;
    format!(
        "{:>6.1} s  {sent:>3} sent, {:>3} accepted, {:>2} waiting for attempt 3, {dead_letters:>2} set aside",
        after.as_secs_f64(),
        seen.accepted,
        seen.waiting
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::receivers::Seen;

    #[test]
    fn the_templates_can_be_read() {
        counting("\n");
        saying();
    }

    #[test]
    fn a_line_tells_how_far_it_is() {
        let now = Snapshot {
            sent: 246,
            seen: Seen {
                accepted: 17,
                waiting: 3,
            },
            dead_letters: 1,
        };
        assert_eq!(
            line(Duration::from_millis(1_234), now),
            "   1.2 s  246 sent,  17 accepted,  3 waiting for attempt 3,  1 set aside"
        );
    }
}
