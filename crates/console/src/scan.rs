//! The scan on the pages: how it is started and stopped, how far it is, and what the last one brought.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use event::Timestamp;
use maud::{Markup, html};

use super::Console;
use super::desk::Scanning;
use super::form::{Fields, local_address};
use super::layout::{self, counted, grouped, moment};
use super::session::Session;
use super::snapshot::Snapshot;

/// Starts a scan and goes back to where it was asked for.
pub(super) async fn start(
    State(console): State<Arc<Console>>,
    Extension(session): Extension<Arc<Session>>,
    Extension(form): Extension<Fields>,
) -> Response {
    if console.start_scan() {
        Redirect::to(local_address(form.get("next"))).into_response()
    } else {
        layout::refusal(
            StatusCode::CONFLICT,
            Some(&session),
            "One thing at a time",
            "A job is running, and holds what a scan would want to see. Scan when it has ended.",
        )
    }
}

/// Stops the scan; what it has seen until then is shown.
pub(super) async fn stop(
    State(console): State<Arc<Console>>,
    Extension(form): Extension<Fields>,
) -> Response {
    let scanning = console.desk().scanning.clone();
    if let Some(scanning) = scanning {
        scanning.stop.cancel();
    }
    Redirect::to(local_address(form.get("next"))).into_response()
}

/// How far the scan is: what an open page refreshes itself with. 205 asks it to load itself anew.
pub(super) async fn progress(State(console): State<Arc<Console>>) -> Response {
    let scanning = console.desk().scanning.clone();
    match scanning {
        Some(scanning) => {
            let of = console.counts().await.dead_letters;
            layout::fragment(render_progress(
                &scanning,
                of.map_or(0, |counts| counts.total()),
            ))
        }
        None => StatusCode::RESET_CONTENT.into_response(),
    }
}

fn render_progress(scanning: &Scanning, of: u64) -> Markup {
    let seen = scanning.seen.load(Ordering::Relaxed) as u64;
    let of = of.max(seen);
    html! {
        label for="scan-progress" { (grouped(seen)) " of about " (grouped(of)) " dead letters seen" }
        progress #scan-progress value=(seen) max=(of.max(1)) {}
    }
}

/// What stands at the head of a page that shows the snapshot: its age, what it cannot have seen, and how to get
/// a new one. `next` is where a scan leads back to.
pub(super) async fn bar(console: &Console, session: &Session, next: &str) -> Markup {
    bar_with(console, session, next, |_| html! {}).await
}

/// The same with more to say of the snapshot.
pub(super) async fn bar_with(
    console: &Console,
    session: &Session,
    next: &str,
    more: impl Fn(&Snapshot) -> Markup,
) -> Markup {
    // A snapshot is shown without waiting for SQS.
    let is_counted = console.is_scanning() || console.snapshot().is_none();
    let counts = if is_counted {
        console.counts().await.dead_letters.ok()
    } else {
        None
    };
    let of = counts.map_or(0, |counts| counts.total());
    let desk = console.desk();
    if let Some(scanning) = &desk.scanning {
        return html! {
            section #snapshot .card.bar aria-label="Scan" {
                div.grow role="status" data-refresh="/scan" data-every="1" { (render_progress(scanning, of)) }
                form method="post" action="/scan/stop" {
                    (layout::form_token(session))
                    input type="hidden" name="next" value=(next);
                    button #stop-scan type="submit" { "Stop" }
                }
            }
        };
    }
    html! {
        @if let Some(error) = &desk.scan_error {
            p.problem role="alert" { "The scan failed: " (layout::strange(error)) }
        }
        @match &desk.snapshot {
            Some(snapshot) => section #snapshot .card.bar aria-label="Snapshot" {
                div.grow {
                    (age(snapshot, console.clock.now()))
                    (more(snapshot))
                    @for remark in &snapshot.report.remarks() { p.note { (layout::strange(remark)) } }
                }
                (scan_button(session, next, "Scan again"))
            },
            None => section #snapshot .card.empty {
                (nothing_scanned(of))
                (scan_button(session, next, "Scan the internal queue"))
            },
        }
    }
}

fn age(snapshot: &Snapshot, now: Timestamp) -> Markup {
    html! {
        p.facts {
            strong #snapshot-count { (counted(snapshot.letters.len(), "dead letter", "dead letters")) }
            " as scanned " (moment(snapshot.taken_at, now))
            @if snapshot.changed > 0 { ", " (grouped(snapshot.changed as u64)) " replayed or dropped since" }
        }
    }
}

/// `count` is about how many letters the queue holds.
fn nothing_scanned(count: u64) -> Markup {
    html! {
        h2 { "Nothing scanned yet" }
        p {
            "The letters in the internal queue are shown once you scan it. While a scan runs, others do not see what \
             it has read; when it ends, everything is given back, and nothing is taken out."
        }
        @if count > 0 {
            p { "The queue holds about " strong { (grouped(count)) } " now." }
        }
    }
}

fn scan_button(session: &Session, next: &str, title: &str) -> Markup {
    html! {
        form method="post" action="/scan" {
            (layout::form_token(session))
            input type="hidden" name="next" value=(next);
            button #scan.primary type="submit" { (title) }
        }
    }
}
