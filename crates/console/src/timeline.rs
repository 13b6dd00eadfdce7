//! The attempts of a letter, each life on its own: drawn by time, and as a list.

use delivery::Attempt;
use maud::{Markup, html};

use super::layout::{self, short, strange};

/// Dots are at least so far apart, in percent of the width, however close the attempts were.
const LEAST_APART: f64 = 5.0;

/// The drawing keeps this much free at both ends, in percent.
const MARGIN: f64 = 2.0;

/// The most characters of an excerpt; the worker keeps 512.
const EXCERPT_CHARS: usize = 2_000;

/// Every life with its attempts.
pub(super) fn render(attempts: &[Attempt]) -> Markup {
    let lives: Vec<&[Attempt]> = attempts.chunk_by(|a, b| a.life == b.life).collect();
    html! {
        @for life in &lives {
            section.life {
                @if let (Some(first), Some(last)) = (life.first(), life.last()) {
                    @if lives.len() > 1 { h3 { (name(first.life)) } }
                    p.hint { (summary(first, last, life.len())) }
                }
                (drawing(life))
                ol.attempts {
                    @for (at, attempt) in life.iter().enumerate() {
                        (item(attempt, at.checked_sub(1).map(|before| &life[before])))
                    }
                }
            }
        }
    }
}

fn name(life: u32) -> String {
    match life {
        0 => "First life".to_owned(),
        replay => format!("After replay {replay}"),
    }
}

fn summary(first: &Attempt, last: &Attempt, count: usize) -> String {
    let over = match first.at.until(last.at).as_millis() {
        0 => String::new(),
        ms => format!(" over {}", span(ms as u64)),
    };
    let attempts = layout::counted(count, "attempt", "attempts");
    format!("{attempts} from {}{over}", short(first.at))
}

/// Where the dots are, in percent of the width: by time, but never on top of each other.
fn places(life: &[Attempt]) -> Vec<f64> {
    let millis = |attempt: &Attempt| attempt.at.as_millis();
    let first = life.first().map_or(0, millis);
    let total = life.last().map_or(0, millis).saturating_sub(first).max(1);
    let room = 100.0 - 2.0 * MARGIN;
    let apart = LEAST_APART.min(room / life.len().max(1) as f64);
    let mut places = Vec::with_capacity(life.len());
    for attempt in life {
        let by_time = MARGIN + room * (millis(attempt).saturating_sub(first)) as f64 / total as f64;
        let least = places.last().map_or(MARGIN, |before| before + apart);
        places.push(by_time.max(least));
    }
    // What was pushed over the end pushes back.
    let mut most = 100.0 - MARGIN;
    for place in places.iter_mut().rev() {
        *place = place.min(most);
        most = *place - apart;
    }
    places
}

fn drawing(life: &[Attempt]) -> Markup {
    let percent = |place: f64| format!("{place:.2}%");
    html! {
        svg.track width="100%" height="44" aria-hidden="true" focusable="false" {
            line.grid x1="0" x2="100%" y1="14" y2="14" {}
            @for (attempt, place) in life.iter().zip(places(life)) {
                g {
                    title { "Attempt " (attempt.n) ", " (short(attempt.at)) ": " (result(attempt)) }
                    circle.dot.answered[attempt.status.is_some()] cx=(percent(place)) cy="14" r="6" {}
                    text.tick x=(percent(place)) y="38" text-anchor="middle" { (attempt.n) }
                }
            }
        }
    }
}

fn item(attempt: &Attempt, before: Option<&Attempt>) -> Markup {
    html! {
        li value=(attempt.n) {
            div.facts {
                strong.result { (result(attempt)) }
                " after " (span(attempt.duration_ms))
                ", " time datetime=(attempt.at.to_string()) { (short(attempt.at)) }
                @if let Some(before) = before {
                    span.wait { " (+" (span(before.at.until(attempt.at).as_millis() as u64)) ")" }
                }
            }
            @if !attempt.excerpt.is_empty() {
                blockquote.excerpt dir="auto" { (strange(&super::text::cut(&attempt.excerpt, EXCERPT_CHARS))) }
            }
        }
    }
}

/// How an attempt ended.
pub(super) fn result(attempt: &Attempt) -> String {
    match (attempt.status, attempt.error) {
        (Some(status), _) => layout::status_name(status),
        (None, Some(kind)) => format!("no answer: {kind}"),
        (None, None) => "not known".to_owned(),
    }
}

/// A span of time in the unit that fits.
fn span(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..120_000 => format!("{:.1} s", ms as f64 / 1_000.0),
        120_000..7_200_000 => format!("{:.1} min", ms as f64 / 60_000.0),
        7_200_000..172_800_000 => format!("{:.1} h", ms as f64 / 3_600_000.0),
        _ => format!("{:.1} d", ms as f64 / 86_400_000.0),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use event::Timestamp;

    use super::*;
    use crate::sample::{answer, failure};

    fn attempts(seconds: &[u64]) -> Vec<Attempt> {
        let start = Timestamp::from_millis(1_739_370_645_000);
        let outcome = answer(500, "<b>no</b>");
        let attempt = |(n, s): (usize, &u64)| {
            let at = start.plus(Duration::from_secs(*s));
            Attempt::new(0, n as u32 + 1, at, Duration::from_millis(8), &outcome)
        };
        seconds.iter().enumerate().map(attempt).collect()
    }

    #[test]
    fn dots_stand_by_time_and_never_on_top_of_each_other() {
        assert_eq!(places(&attempts(&[0, 30, 60])), [2.0, 50.0, 98.0]);
        assert_eq!(places(&attempts(&[0, 0, 60, 60])), [2.0, 7.0, 93.0, 98.0]);
        assert_eq!(places(&attempts(&[5])), [2.0]);
        let many = places(&attempts(&[7; 500]));
        assert!(many.is_sorted() && many[0] >= 0.0 && many[499] <= 98.0);
        // A clock that was set back in between.
        let back = places(&attempts(&[60, 0, 30]));
        assert!(
            back.is_sorted() && back.iter().all(|place| (0.0..=98.0).contains(place)),
            "{back:?}"
        );
    }

    #[test]
    fn both_lives_are_told_apart() {
        let mut both = attempts(&[0, 60]);
        let mut second = attempts(&[3_600]);
        second[0].life = 1;
        both.extend(second);
        let shown = render(&both).into_string();
        assert!(
            shown.contains("<h3>First life</h3>") && shown.contains("<h3>After replay 1</h3>"),
            "{shown}"
        );
        assert!(
            shown.contains("2 attempts from 2025-02-12 14:30:45 over 60.0 s"),
            "{shown}"
        );
        assert!(!shown.contains("<b>no"), "{shown}");
    }

    #[test]
    fn an_attempt_without_an_answer_says_what_happened() {
        let failed = failure(delivery::FailureKind::Timeout);
        let attempt = Attempt::new(0, 1, Timestamp::default(), Duration::from_secs(30), &failed);
        assert_eq!(result(&attempt), "no answer: timeout");
        assert_eq!(span(30_000), "30.0 s");
    }
}
