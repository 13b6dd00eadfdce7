//! The list: the letters of the snapshot that the criteria in the address mean, a page at a time.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use event::Timestamp;
use letters::Letter;
use maud::{Markup, html};

use super::address::{self, label};
use super::form::Fields;
use super::layout::{self, Page, Tab, counted, grouped, moment, strange};
use super::query::Query;
use super::session::Session;
use super::snapshot::Snapshot;
use super::text::{cut, plain};
use super::{Console, overview, scan};

/// Letters on one page.
const PER_PAGE: usize = 100;

/// The most characters of a value in a row; all of it is on the letter's own page.
const CELL_CHARS: usize = 80;

pub(super) async fn show(
    State(console): State<Arc<Console>>,
    Extension(session): Extension<Arc<Session>>,
    request: Request,
) -> Response {
    let fields = Fields::of_query(request.uri().query());
    let now = console.clock.now();
    let query = Query::of(&fields, now);
    let here = query.address(query.newest_first, query.page);
    let snapshot = console.snapshot();
    let content = html! {
        h1 { "Dead letters" }
        (scan::bar(&console, &session, &here).await)
        (query.form(snapshot.as_deref()))
        @if let Some(snapshot) = snapshot.filter(|_| query.is_usable()) {
            (found(&snapshot, &query, &session, now))
        }
    };
    let status = if query.is_usable() {
        StatusCode::OK
    } else {
        StatusCode::UNPROCESSABLE_ENTITY
    };
    Page {
        session: Some(&session),
        tab: Tab::Letters,
        title: "Dead letters",
        reload: console.is_scanning().then_some(Duration::from_secs(2)),
        content,
    }
    .respond(status)
}

fn found(snapshot: &Snapshot, query: &Query, session: &Session, now: Timestamp) -> Markup {
    let mut letters: Vec<_> = snapshot.matching(&query.filter).collect();
    if query.newest_first {
        letters.reverse();
    }
    if letters.is_empty() {
        return html! {
            p #no-match .empty {
                @if snapshot.letters.is_empty() { "There are no dead letters." }
                @else { "No dead letter of the snapshot matches." }
            }
        };
    }
    let pages = letters.len().div_ceil(PER_PAGE);
    let page = query.page.min(pages - 1);
    let (from, to) = (page * PER_PAGE, letters.len().min((page + 1) * PER_PAGE));
    html! {
        form #chosen method="post" action="/replay/preview" {
            (layout::form_token(session))
            @for (name, text) in query.filter.to_pairs() {
                input type="hidden" name=(name) value=(text);
            }
            p #matches .facts role="status" {
                strong { (counted(letters.len(), "dead letter", "dead letters")) }
                @if pages > 1 { ", " (grouped(from as u64 + 1)) " to " (grouped(to as u64)) " shown" }
                @if letters.len() > 1 { ", " (order(query)) }
            }
            (actions(letters.len()))
            (rows(snapshot, &letters[from..to], query, now))
            (paging(query, page, pages))
        }
    }
}

fn order(query: &Query) -> Markup {
    let (now, other) = if query.newest_first {
        ("the newest first", "oldest first")
    } else {
        ("the oldest first", "newest first")
    };
    html! { (now) " (" a #order href=(query.address(!query.newest_first, 0)) { (other) } ")" }
}

fn actions(all: usize) -> Markup {
    let all = grouped(all as u64);
    html! {
        div #actions .buttons {
            label.choose-all .script-only { input #select-page type="checkbox"; " Select this page" }
            button #replay-selected type="submit" name="scope" value="chosen" data-needs-choice { "Replay selected…" }
            button #drop-selected.danger type="submit" name="scope" value="chosen" formaction="/drop/preview"
                data-needs-choice { "Drop selected…" }
            span #chosen-count .hint role="status" {}
            span.gap {}
            button #replay-all type="submit" name="scope" value="all" { "Replay all " (all) "…" }
            button #drop-all.danger type="submit" name="scope" value="all" formaction="/drop/preview" {
                "Drop all " (all) "…"
            }
        }
    }
}

fn rows(snapshot: &Snapshot, letters: &[&Arc<Letter>], query: &Query, now: Timestamp) -> Markup {
    let (arrow, sorted) = if query.newest_first {
        ("▼", "descending")
    } else {
        ("▲", "ascending")
    };
    html! {
        // The roles are said, since on a phone the style takes the rows apart.
        table #letters .letters role="table" {
            caption.unseen { "Dead letters, by time of death" }
            thead role="rowgroup" {
                tr role="row" {
                    th.check scope="col" role="columnheader" { span.unseen { "Choose" } }
                    th.died scope="col" role="columnheader" aria-sort=(sorted) {
                        "Died" span aria-hidden="true" { " " (arrow) }
                    }
                    th scope="col" role="columnheader" { "Event" }
                    th.group scope="col" role="columnheader" { "Message group, callback host" }
                    th.answer scope="col" role="columnheader" { "Last answer, reason" }
                    th.number scope="col" role="columnheader" { "Attempts" }
                }
            }
            tbody role="rowgroup" { @for letter in letters { (row(snapshot, letter, now)) } }
        }
    }
}

fn row(snapshot: &Snapshot, letter: &Letter, now: Timestamp) -> Markup {
    let present = &letter.message.message_id;
    let (answer, _) = overview::by_status(letter);
    let host = letter.callback_host();
    let address = match snapshot.find(letter.id()).len() {
        1 => address::of_letter(letter),
        _ => address::of_present(letter),
    };
    html! {
        tr data-id=(letter.id()) role="row" {
            td.check role="cell" {
                input type="checkbox" name="id" value=(present) aria-label=(format!("Choose {}", plain(&label(letter))));
            }
            td.died data-label="Died" role="cell" {
                @match letter.dead_at() {
                    Some(at) => (moment(at, now)),
                    None => "not known",
                }
            }
            td.what data-label="Event" role="cell" {
                @if let Some(event) = letter.event() { div.event { (strange(&cut(event, CELL_CHARS))) } }
                a.id href=(address) { (strange(&label(letter))) }
            }
            td data-label="Group" role="cell" {
                div {
                    div { (strange(&cut(letter.group().unwrap_or("no group"), CELL_CHARS))) }
                    div.hint { (strange(&cut(host.as_deref().unwrap_or("no callback known"), CELL_CHARS))) }
                }
            }
            td data-label="Answer" role="cell" {
                div {
                    div { (answer) }
                    div.hint { (letter.reason().as_str()) }
                }
            }
            td.number data-label="Attempts" role="cell" { (letter.attempts_made()) }
        }
    }
}

fn paging(query: &Query, page: usize, pages: usize) -> Markup {
    let link = |page: usize, title: &str| {
        html! { a.button href=(query.address(query.newest_first, page)) { (title) } }
    };
    html! {
        @if pages > 1 {
            nav #paging .buttons aria-label="Pages of the list" {
                @if page > 0 { (link(0, "First")) (link(page - 1, "Previous")) }
                span.here { "Page " (grouped(page as u64 + 1)) " of " (grouped(pages as u64)) }
                @if page + 1 < pages { (link(page + 1, "Next")) (link(pages - 1, "Last")) }
            }
        }
    }
}
