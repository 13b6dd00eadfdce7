//! The summary: what a person reads at the end. Pure.

use std::fmt::Write;
use std::time::Duration;

use delivery::Attempt;

use super::Ending;
use super::observations::{Letter, Observations};
use super::paint::Paint;
use super::proofs::Proof;
use super::scenario::UPSTREAM;
use crate::output::printable;

/// Faults of one proof that are told one by one.
const TOLD: usize = 5;

/// Characters of a detail: as wide as four attempts.
const DETAIL: usize = 48;

/// The figures, the dead letters and the proofs.
pub(super) fn text(
    observations: &Observations,
    proofs: &[Proof],
    took: Duration,
    paint: Paint,
) -> String {
    let figures = figures(observations, took, paint);
    let dead_letters = dead_letters(&observations.letters, paint);
    let proved = proved(proofs, paint);
    format!("\n{figures}\n{dead_letters}\n{proved}")
}

fn figures(observations: &Observations, took: Duration, paint: Paint) -> String {
    let Observations {
        sent,
        requests,
        letters,
        ..
    } = observations;
    let upstream = UPSTREAM.groups();
    let upstream = sent.iter().filter(|s| upstream.contains(&s.group)).count();
    let accepted = requests.iter().filter(|r| r.is_accepted());
    let recovered = accepted.clone().filter(|r| r.nth > 1).count();
    let rows = [
        (
            sent.len(),
            "events sent",
            format!("{upstream} of them by an upstream system, without our producer"),
        ),
        (
            accepted.count(),
            "accepted",
            format!("{recovered} of them at the third attempt"),
        ),
        (
            letters.len(),
            "dead letters",
            "in the internal queue".to_owned(),
        ),
        (
            requests.len(),
            "attempts",
            "the requests that the receivers saw".to_owned(),
        ),
    ];
    let mut text = paint.bold(&format!("Done in {:.1} s", took.as_secs_f64()));
    text.push('\n');
    for (n, what, more) in rows {
        let _ = writeln!(text, "  {n:>4} {what:<14} {}", paint.dim(&more));
    }
    text
}

/// One line for each dead letter.
fn dead_letters(letters: &[Letter], paint: Paint) -> String {
    let mut letters: Vec<_> = letters.iter().collect();
    letters.sort_by_key(|letter| (letter.reason, &letter.id));
    let mut text = paint.bold("Dead letters");
    text.push_str(
        &paint.dim("     each attempt: when (UTC), or the wait before it, and the answer"),
    );
    text.push('\n');
    for letter in letters {
        let told = if letter.attempts.is_empty() {
            never_posted(letter)
        } else {
            attempts(&letter.attempts)
        };
        let (id, reason) = (short(&letter.id), letter.reason.as_str());
        let _ = writeln!(text, "  {id:<10} {reason:<14} {told}");
    }
    text
}

fn attempts(attempts: &[Attempt]) -> String {
    let mut told = Vec::new();
    let mut earlier: Option<&Attempt> = None;
    for attempt in attempts {
        let when = match earlier {
            // The time of day.
            None => attempt.at.event_datetime().split_off(11),
            Some(earlier) => {
                let ended = earlier.at.plus(Duration::from_millis(earlier.duration_ms));
                format!("+{:.1} s", ended.until(attempt.at).as_secs_f64())
            }
        };
        let answer = match (attempt.status, attempt.error) {
            (Some(status), _) => status.to_string(),
            (None, Some(error)) => error.as_str().to_owned(),
            (None, None) => "?".to_owned(),
        };
        told.push(format!("{when} {answer}"));
        earlier = Some(attempt);
    }
    told.join("  ")
}

fn never_posted(letter: &Letter) -> String {
    let detail = letter.detail.as_deref().unwrap_or("no reason is recorded");
    cut(&format!("never POSTed: {}", printable(detail)), DETAIL)
}

/// A MessageId is long, and its beginning tells it apart.
fn short(id: &str) -> String {
    cut(&printable(id), 10)
}

fn cut(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        None => text.to_owned(),
        Some(_) => {
            let kept: String = text.chars().take(characters - 1).collect();
            format!("{}…", kept.trim_end())
        }
    }
}

fn proved(proofs: &[Proof], paint: Paint) -> String {
    let mut text = paint.bold("Proofs");
    text.push_str(&paint.dim("           from what the receivers saw and what the queues hold"));
    text.push('\n');
    for Proof { claim, result } in proofs {
        let (verdict, told) = match result {
            Ok(finding) => (paint.green("ok  "), finding.clone()),
            Err(faults) => (paint.red("FAIL"), first_few(faults)),
        };
        let _ = writeln!(text, "  {verdict} {claim:<15} {told}");
    }
    text
}

/// The first few, one below the other.
fn first_few(faults: &[String]) -> String {
    let mut told: Vec<String> = faults.iter().take(TOLD).map(|f| printable(f)).collect();
    if faults.len() > TOLD {
        told.push(format!("and {} more", faults.len() - TOLD));
    }
    told.join(&format!("\n{:23}", ""))
}

/// What to do next; `program` is how this one was called.
pub(super) fn next(program: &str, ending: Ending, paint: Paint) -> String {
    let commands: &[(&str, &str)] = match ending {
        Ending::Disproved => &[("demo --verbose", "with every attempt in the log")],
        _ => &[
            ("demo --minute 1m", "with the true minute (2 min in all)"),
            ("local-sqs", "a queue to try things with"),
            ("--help", "every command"),
        ],
    };
    let mut text = paint.bold("Next");
    for (command, what) in commands {
        let _ = write!(text, "\n  {program} {command:<16}   {}", paint.dim(what));
    }
    text
}

#[cfg(test)]
mod tests {
    use delivery::{Answer, Reason};
    use event::Timestamp;

    use super::*;
    use crate::demo::observations::{Request, Sent};
    use crate::demo::scenario::Part;

    fn attempt(n: u32, at_ms: u64) -> Attempt {
        let answer = Ok(Answer {
            status: 500,
            retry_after: None,
            excerpt: String::new(),
        });
        let start = Timestamp::from_millis(1_739_370_645_000);
        let at = start.plus(Duration::from_millis(at_ms));
        Attempt::new(0, n, at, Duration::from_millis(10), &answer)
    }

    fn observations() -> Observations {
        let sent = Sent {
            id: "evt-22-03".to_owned(),
            group: "EventSetup_22".to_owned(),
            part: Part::Down,
        };
        let request = Request {
            id: sent.id.clone(),
            group: sent.group.clone(),
            nth: 1,
            attempt: Some(1),
            arrived: Duration::ZERO,
            answered: Some((Duration::ZERO, 500)),
            signed: true,
        };
        let exhausted = Letter {
            id: sent.id.clone(),
            reason: Reason::Exhausted,
            detail: None,
            attempts: [0, 11, 3_040, 3_051]
                .iter()
                .zip(1..)
                .map(|(at, n)| attempt(n, *at))
                .collect(),
        };
        let invalid = Letter {
            id: "1f2e3d4c-5b6a-7988-a1b2-c3d4e5f60718".to_owned(),
            reason: Reason::InvalidEvent,
            detail: Some("not valid JSON at byte 0: expected value\x1b[2J".to_owned()),
            attempts: Vec::new(),
        };
        Observations {
            sent: vec![sent],
            requests: vec![request],
            letters: vec![exhausted, invalid],
            left: 0,
            waits: Vec::new(),
        }
    }

    fn proof(result: Result<String, Vec<String>>) -> Proof {
        Proof {
            claim: "order kept",
            result,
        }
    }

    #[test]
    fn a_dead_letter_shows_every_attempt_with_its_time_wait_and_answer() {
        let text = dead_letters(&observations().letters, Paint::PLAIN);
        let line = "  evt-22-03  exhausted      14:30:45 500  +0.0 s 500  +3.0 s 500  +0.0 s 500\n";
        assert!(text.contains(line), "{text}");
    }

    #[test]
    fn what_was_never_posted_says_why_and_cannot_reach_the_terminal() {
        let text = dead_letters(&observations().letters, Paint::PLAIN);
        let line = "  1f2e3d4c-… invalid-event  never POSTed: not valid JSON at byte 0: expecte…\n";
        assert!(text.contains(line) && !text.contains('\x1b'), "{text}");
    }

    #[test]
    fn a_failed_proof_names_its_events_but_not_hundreds() {
        let faults = (1..=7).map(|n| format!("evt-01-{n:02}: late")).collect();
        let text = proved(&[proof(Err(faults))], Paint::PLAIN);
        assert!(
            text.contains("  FAIL order kept      evt-01-01: late\n"),
            "{text}"
        );
        assert!(text.contains("evt-01-05: late\n") && text.contains(" and 2 more\n"));
        assert!(!text.contains("evt-01-06"), "{text}");
    }

    #[test]
    fn the_summary_fits_a_terminal_of_80_columns() {
        let proofs = [proof(Ok("25 groups".to_owned()))];
        let took = Duration::from_secs(12);
        let text = text(&observations(), &proofs, took, Paint::PLAIN);
        let next = next("target/release/hooklane", Ending::Proved, Paint::PLAIN);
        for line in text.lines().chain(next.lines()) {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
}
