//! The overview: both queues, and the snapshot counted in the ways in which a person asks.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use event::Timestamp;
use letters::{Filter, Letter, NO_HOST, StatusFilter};
use maud::{Markup, html};

use super::layout::{self, Page, Tab, grouped, moment};
use super::plot::{self, Histogram};
use super::session::Session;
use super::snapshot::Snapshot;
use super::{Console, address, counts, scan};

/// The most bars of one kind; the rest is a number.
const MOST_BARS: usize = 8;

pub(super) async fn show(
    State(console): State<Arc<Console>>,
    Extension(session): Extension<Arc<Session>>,
) -> Response {
    let snapshot = console.snapshot();
    let now = console.clock.now();
    let content = html! {
        h1 { "Overview" }
        div #counts .cards aria-live="polite" data-refresh="/counts" data-every=(counts::REFRESH_S) {
            (counts::render(&console).await)
        }
        (scan::bar_with(&console, &session, "/", |snapshot| oldest(snapshot, now)).await)
        @if let Some(snapshot) = snapshot {
            @if snapshot.letters.is_empty() { (nothing_dead(&snapshot)) }
            @else { (summary(&snapshot)) }
        }
    };
    Page {
        session: Some(&session),
        tab: Tab::Overview,
        title: "Overview",
        reload: console.is_scanning().then_some(Duration::from_secs(2)),
        content,
    }
    .respond(StatusCode::OK)
}

fn oldest(snapshot: &Snapshot, now: Timestamp) -> Markup {
    html! {
        @if let Some((oldest, at)) = snapshot.oldest() {
            p #oldest .facts {
                "The oldest died " (moment(at, now)) ": "
                a href=(address::of_letter(oldest)) { (layout::strange(&address::label(oldest))) }
            }
        }
    }
}

fn nothing_dead(snapshot: &Snapshot) -> Markup {
    html! {
        @if snapshot.report.remarks().is_empty() {
            section.card.empty {
                h2 { "No dead letters" }
                p { "Everything that was sent has been delivered or is still on its way." }
            }
        }
    }
}

fn summary(snapshot: &Snapshot) -> Markup {
    let letters = &snapshot.letters;
    let deaths = letters.iter().filter_map(|letter| letter.dead_at());
    html! {
        @if let Some(histogram) = Histogram::of(deaths, snapshot.taken_at) { (plot::render(&histogram)) }
        div.cards.small {
            (bars("by-reason", "By reason", letters, by_reason))
            (bars("by-status", "By last answer", letters, by_status))
            (bars("by-host", "By callback host", letters, by_host))
            (bars("by-group", "By message group", letters, by_group))
        }
    }
}

/// What a bar is called, and the filter that finds its letters, if there is one.
type Kind = (String, Option<Filter>);

fn by_reason(letter: &Letter) -> Kind {
    let reason = letter.reason();
    let filter = Filter {
        reason: Some(reason),
        ..Filter::default()
    };
    (reason.as_str().to_owned(), Some(filter))
}

pub(super) fn by_status(letter: &Letter) -> Kind {
    let last = letter.attempts().last();
    let status = last.and_then(|attempt| attempt.status);
    let failure = last.and_then(|attempt| attempt.error);
    let (label, status) = match (status, failure) {
        (Some(status), _) => (layout::status_name(status), StatusFilter::Status(status)),
        (None, Some(kind)) => (kind.as_str().to_owned(), StatusFilter::Failure(kind)),
        (None, None) => ("no attempt".to_owned(), StatusFilter::NoAttempt),
    };
    let filter = Filter {
        status: Some(status),
        ..Filter::default()
    };
    (label, Some(filter))
}

fn by_host(letter: &Letter) -> Kind {
    let host = letter.callback_host();
    let label = host
        .clone()
        .unwrap_or_else(|| "no callback known".to_owned());
    let filter = Filter {
        host: Some(host.unwrap_or_else(|| NO_HOST.to_owned())),
        ..Filter::default()
    };
    (label, Some(filter))
}

fn by_group(letter: &Letter) -> Kind {
    match letter.group() {
        Some(group) => {
            let filter = Filter {
                group: Some(group.to_owned()),
                ..Filter::default()
            };
            (group.to_owned(), Some(filter))
        }
        None => ("no group".to_owned(), None),
    }
}

/// Counts letters by kind, the most frequent first; each bar leads to its letters.
fn bars(id: &str, title: &str, letters: &[Arc<Letter>], kind: fn(&Letter) -> Kind) -> Markup {
    let mut counts = HashMap::<String, (u64, Option<Filter>)>::new();
    for letter in letters {
        let (label, filter) = kind(letter);
        counts.entry(label).or_insert((0, filter)).0 += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by(|(a, (x, _)), (b, (y, _))| y.cmp(x).then_with(|| a.cmp(b)));
    let most = counts.first().map_or(1, |(_, (count, _))| *count);
    let more = counts.split_off(counts.len().min(MOST_BARS));
    html! {
        section.card id=(id) aria-labelledby=(format!("{id}-title")) {
            h2 id=(format!("{id}-title")) { (title) }
            ol.bars {
                @for (label, (count, filter)) in &counts {
                    li {
                        a href=[filter.as_ref().map(address::of_matching)] {
                            span.label { (layout::strange(&super::text::cut(label, 80))) }
                            span.number { (grouped(*count)) }
                            svg width="100%" height="6" aria-hidden="true" focusable="false" {
                                rect.back width="100%" height="6" rx="3" {}
                                rect.bar width=(format!("{:.2}%", *count as f64 * 100.0 / most as f64)) height="6" rx="3" {}
                            }
                        }
                    }
                }
            }
            @if !more.is_empty() {
                p.hint {
                    "and " (grouped(more.iter().map(|(_, (count, _))| count).sum())) " of "
                    (grouped(more.len() as u64)) " more"
                }
            }
        }
    }
}
