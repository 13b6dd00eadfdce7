//! The main job in one process: a local queue, our producer and an upstream system, one worker, and receivers
//! that accept, are slow, recover or are down. What the receivers saw and what the queues hold in the end is
//! then held against what was sent.
//!
//! [`scenario`] is what is played, [`stage`] plays it, [`receivers`] write down what they see, and [`proofs`]
//! and [`summary`] are functions of what was observed.

mod observations;
mod paint;
mod progress;
mod proofs;
mod receivers;
mod scenario;
mod stage;
mod summary;
mod upstream;

use std::fmt::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::output;
use event::duration;
use paint::Paint;
use progress::View;
use proofs::Proof;
use scenario::{RECEIVERS, Receiver, UPSTREAM};
use stage::{Snapshot, Stage};

/// How a demo ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Every proof holds.
    Proved,
    /// One does not.
    Disproved,
    /// It was told to stop, so nothing can be proved.
    Stopped,
}

/// Plays the demo, tells how it goes and sums it up. The wait before the third attempt is `minute`.
///
/// # Errors
/// When the stage cannot be set: no socket, a wait longer than a queue keeps its messages.
pub(crate) async fn run(minute: Duration, stop: CancellationToken) -> anyhow::Result<Ending> {
    let began = Instant::now();
    let paint = Paint::of_stdout();
    let (stage, worker) = Stage::set(minute).await?;
    output::print(&introduction(minute, paint))?;

    let mut view = View::new(began, scenario::events(), minute);
    let played = tokio::select! {
        played = stage.play(worker, &stop) => played,
        error = progress::follow(&stage, &mut view) => Err(error),
    };
    let end = stage.snapshot().await;
    view.finish(end)?;
    let sent = played?;
    if stop.is_cancelled() {
        output::line(&stopped(end, began.elapsed()))?;
        return Ok(Ending::Stopped);
    }

    let observations = stage.observe(sent).await?;
    let proofs = proofs::all(&observations);
    output::line(&summary::text(
        &observations,
        &proofs,
        began.elapsed(),
        paint,
    ))?;
    let ending = ending(&proofs);
    output::line(&summary::next(&program(), ending, paint))?;
    Ok(ending)
}

fn ending(proofs: &[Proof]) -> Ending {
    if proofs.iter().all(Proof::holds) {
        Ending::Proved
    } else {
        Ending::Disproved
    }
}

/// What there is to see, and who takes part.
fn introduction(minute: Duration, paint: Paint) -> String {
    let title = paint.bold("hooklane demo");
    let minute = if minute == Duration::from_secs(60) {
        "after a minute".to_owned()
    } else {
        format!("after a minute (here {})", duration::format(minute))
    };
    let mut text = format!(
        "{title}: a local queue, a producer, a worker and receivers, one process.
Attempts: at once, at once again, {minute}, at once again;
then an event goes to the internal queue.

"
    );
    for receiver in RECEIVERS.iter().chain([&UPSTREAM]) {
        let Receiver { event, does, .. } = receiver;
        let setups = match receiver.groups().len() {
            1 => " 1 event setup".to_owned(),
            n => format!("{n:>2} event setups"),
        };
        let _ = writeln!(text, "  {event:<19} {setups:<16} {}", paint.dim(does));
    }
    text
}

fn stopped(at: Snapshot, after: Duration) -> String {
    format!(
        "\nStopped after {:.1} s: {} events sent, {} accepted, {} set aside.\nThe proofs need a whole run.",
        after.as_secs_f64(),
        at.sent,
        at.seen.accepted,
        at.dead_letters
    )
}

/// How this program was called, so that the next command can be called the same way.
fn program() -> String {
    let called = std::env::args_os().next().unwrap_or_default();
    let called = called.to_string_lossy().into_owned();
    let here = std::env::current_dir().unwrap_or_default();
    match Path::new(&called).strip_prefix(here) {
        // A name alone would be looked for elsewhere.
        Ok(below) if below.components().count() > 1 => below.display().to_string(),
        _ => called,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_proof_that_fails_fails_the_demo() {
        let proof = |result| Proof {
            claim: "a claim",
            result,
        };
        let holds = || proof(Ok("fine".to_owned()));
        let fails = || proof(Err(vec!["evt-01-01: missing".to_owned()]));
        assert_eq!(ending(&[holds(), holds()]), Ending::Proved);
        assert_eq!(ending(&[holds(), fails(), holds()]), Ending::Disproved);
    }

    #[test]
    fn the_introduction_fits_a_terminal_of_80_columns() {
        let text = introduction(Duration::from_millis(2_500), Paint::PLAIN);
        assert!(
            text.lines().all(|line| line.chars().count() <= 80),
            "{text}"
        );
    }

    #[test]
    fn the_introduction_says_how_long_the_minute_is() {
        let text = |seconds| introduction(Duration::from_secs(seconds), Paint::PLAIN);
        assert!(text(3).contains("after a minute (here 3s)"));
        assert!(text(60).contains("again, after a minute, at once"));
    }
}
