//! What is printed of a run.

use std::fmt::Write;
use std::time::Duration;

use crate::checks::{Verdict, duplicates};
use crate::history::{End, History, by_group};
use crate::plan::{Plan, WORKERS};
use crate::run::Run;

/// Violations of one check that are printed before they are counted only.
const PRINTED: usize = 20;

/// Traces of events that are printed.
const TRACED: usize = 5;

/// One table: what happened, and how many violations of each promise there were.
pub(crate) fn table(plan: &Plan, run: &Run, verdicts: &[Verdict]) -> String {
    let history = &run.history;
    let stories = history.stories();
    let killed = history
        .lives
        .iter()
        .filter(|l| matches!(l.end, End::Killed(_)));
    let killed = killed.count();
    let accepted = stories.iter().filter(|s| s.first_delivery().is_some());
    let repeated: usize = stories.iter().map(|story| duplicates(story).count()).sum();
    let (longest, group) = longest_stand_still(history);
    let facts = [
        ("seed", plan.seed.to_string()),
        ("events", history.events.len().to_string()),
        ("groups", by_group(&stories).len().to_string()),
        ("SIGKILL", killed.to_string()),
        (
            "SIGTERM",
            format!(
                "{}, and {WORKERS} at the end",
                history.lives.len() - killed - WORKERS
            ),
        ),
        ("receiver restarts", history.receiver_down.len().to_string()),
        ("windows of 503", history.sqs_down.len().to_string()),
        ("accepted", accepted.count().to_string()),
        ("dead letters", history.letters.len().to_string()),
        ("requests", history.requests.len().to_string()),
        ("duplicates seen", repeated.to_string()),
        ("calls to SQS", run.calls.to_string()),
        (
            "longest stand-still",
            format!("{:.1} s, {group}", longest.as_secs_f64()),
        ),
        ("duration", format!("{:.1} s", run.took.as_secs_f64())),
    ];
    let mut table = String::new();
    for (name, fact) in facts {
        let _ = writeln!(table, "  {name:34} {fact}");
    }
    let _ = writeln!(table, "  violations");
    for verdict in verdicts {
        let _ = writeln!(
            table,
            "    {:32} {}",
            verdict.promise,
            verdict.violations.len()
        );
    }
    table
}

/// The longest time in which nothing came of a group that had something to come.
fn longest_stand_still(history: &History) -> (Duration, String) {
    let stories = history.stories();
    let stand_stills = by_group(&stories).into_iter().flat_map(|group| {
        let mut requests: Vec<_> = group
            .iter()
            .flat_map(|story| story.requests.iter().map(|r| (r.arrived, story.sent)))
            .collect();
        requests.sort_by_key(|(arrived, _)| *arrived);
        let mut last = Duration::ZERO;
        requests.into_iter().map(move |(arrived, sent)| {
            let still = arrived.saturating_sub(last.max(sent.at));
            last = arrived;
            (still, sent.group.clone())
        })
    });
    stand_stills.max().unwrap_or_default()
}

/// Every violation; and of the first events everything that was seen of them and that workers logged of them. Empty
/// if there is none.
pub(crate) fn violations(run: &Run, verdicts: &[Verdict]) -> String {
    let mut text = String::new();
    let mut events = Vec::new();
    for Verdict {
        promise,
        violations,
    } in verdicts.iter().filter(|v| !v.violations.is_empty())
    {
        let _ = writeln!(text, "{promise}: {} violations", violations.len());
        for violation in violations.iter().take(PRINTED) {
            let event = violation.event.as_deref().unwrap_or_default();
            let _ = writeln!(text, "  {event} {}", violation.what);
            if !event.is_empty() && !events.contains(&event) {
                events.push(event);
            }
        }
    }
    for event in events.into_iter().take(TRACED) {
        text += &trace(&run.history, event);
    }
    text
}

fn trace(history: &History, event: &str) -> String {
    let mut text = format!("trace of {event}\n");
    for request in history.requests.iter().filter(|r| r.webhook_id == event) {
        let _ = writeln!(
            text,
            "  attempt {} by worker {} from {:?} {:?}; the worker {:?}",
            request.attempt,
            request.life,
            request.arrived,
            request.ended,
            history.lives.get(request.life).map(|life| life.end)
        );
    }
    for letter in history.letters.iter().filter(|letter| letter.id == event) {
        let _ = writeln!(text, "  dead letter {:?}", letter.record);
    }
    for (life, lived) in history.lives.iter().enumerate() {
        for line in lived.log.lines().filter(|line| line.contains(event)) {
            let _ = writeln!(text, "  worker {life}: {line}");
        }
    }
    text
}
