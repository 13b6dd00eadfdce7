//! The list: the letters of the snapshot that the criteria in the address mean, a page at a time.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use event::Timestamp;
use maud::{Markup, html};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::form_urlencoded;

use super::form::Fields;
use super::layout::{self, Page, Tab, counted, grouped, moment, strange};
use super::session::Session;
use super::snapshot::{self, Snapshot};
use super::text::cut;
use super::{Console, overview};
use crate::{Filter, Letter};

/// Letters on one page.
const PER_PAGE: usize = 100;

/// The most characters of a value in a row; all of it is on the letter's own page.
const CELL_CHARS: usize = 120;

/// What may stand in a path as it is (RFC 3986, unreserved).
const SEGMENT: AsciiSet = NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The criteria: name, what the form calls it, and an example.
const CRITERIA: [(&str, &str, &str); 8] = [
    ("group", "Message group", "EventSetup_42"),
    ("event", "Event", "talent_created"),
    ("reason", "Reason", "exhausted"),
    ("status", "Last answer", "500, 5xx, timeout"),
    ("host", "Callback host", "hooks.example.com"),
    ("since", "Died since", "2h or 2026-11-20 10:00"),
    ("until", "Died before", "30m or 2026-11-20"),
    ("contains", "Contains", "text of the body, id or answer"),
];

/// What stands in the address.
#[derive(Debug, Default)]
pub(super) struct Query {
    pub(super) filter: Filter,
    /// What was typed, by criterion.
    typed: Vec<(&'static str, String)>,
    /// Which criteria cannot be used, and what may stand there.
    problems: Vec<(&'static str, String)>,
    newest_first: bool,
    /// From 0.
    page: usize,
}

impl Query {
    /// Reads an address or the fields of a form.
    pub(super) fn of(fields: &Fields, now: Timestamp) -> Self {
        let mut query = Self::default();
        for (name, _, _) in CRITERIA {
            let text = fields.get(name);
            if text.trim().is_empty() {
                continue;
            }
            if let Err(error) = query.filter.set(name, text, now) {
                query.problems.push((name, error.to_string()));
            }
            query.typed.push((name, text.to_owned()));
        }
        if query.problems.is_empty()
            && let Err(error) = query.filter.check()
        {
            query.problems.push(("since", error.to_string()));
        }
        query.newest_first = fields.get("order") == "newest";
        query.page = fields.get("page").parse().unwrap_or(1).max(1) - 1;
        query
    }

    /// Says whether every criterion can be used.
    pub(super) fn is_usable(&self) -> bool {
        self.problems.is_empty()
    }

    fn typed(&self, name: &str) -> &str {
        let typed = self.typed.iter().find(|(n, _)| *n == name);
        typed.map_or("", |(_, text)| text)
    }

    fn problem(&self, name: &str) -> Option<&str> {
        let problem = self.problems.iter().find(|(n, _)| *n == name);
        problem.map(|(_, problem)| problem.as_str())
    }

    fn address(&self, newest_first: bool, page: usize) -> String {
        let order = newest_first.then(|| ("order", "newest".to_owned()));
        let page = (page > 0).then(|| ("page", (page + 1).to_string()));
        let more = order.into_iter().chain(page);
        address_of(self.filter.to_pairs().into_iter().chain(more))
    }
}

/// The list of the letters that a filter means.
pub(super) fn address(filter: &Filter) -> String {
    address_of(filter.to_pairs())
}

fn address_of(pairs: impl IntoIterator<Item = (&'static str, String)>) -> String {
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish();
    match query.is_empty() {
        true => "/letters".to_owned(),
        false => format!("/letters?{query}"),
    }
}

/// The page of a letter, under the id that people know.
pub(super) fn letter_address(letter: &Letter) -> String {
    // Not under one that is endless or dots, which browsers take for a way up.
    match letter.id() {
        id if id.len() > 128 || id.bytes().all(|byte| byte == b'.') => present_address(letter),
        id => address_of_id(id),
    }
}

/// The page of a letter, under the id that no other letter has.
pub(super) fn present_address(letter: &Letter) -> String {
    address_of_id(&letter.message.message_id)
}

pub(super) fn address_of_id(id: &str) -> String {
    format!("/letters/{}", utf8_percent_encode(id, &SEGMENT))
}

/// What a letter is called where there is room for one line only.
pub(super) fn label(letter: &Letter) -> String {
    cut(letter.id(), CELL_CHARS)
}

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
        (snapshot::bar(&console, &session, &here).await)
        (filter_form(&query))
        @if let Some(snapshot) = snapshot.filter(|_| query.is_usable()) {
            (found(&snapshot, &query, &session, now))
        }
    };
    let status = match query.is_usable() {
        true => StatusCode::OK,
        false => StatusCode::UNPROCESSABLE_ENTITY,
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

fn filter_form(query: &Query) -> Markup {
    html! {
        form #filters .card role="search" method="get" action="/letters" aria-label="Choose dead letters" {
            div.fields {
                @for (name, title, example) in CRITERIA {
                    @let problem = query.problem(name);
                    div.field {
                        label for=(name) { (title) }
                        input id=(name) name=(name) type="text" value=(query.typed(name)) placeholder=(example)
                            dir="auto" autocomplete="off" spellcheck="false" maxlength="512"
                            aria-invalid=[problem.map(|_| "true")]
                            aria-describedby=[problem.map(|_| format!("{name}-problem"))];
                        @if let Some(problem) = problem {
                            p.problem id=(format!("{name}-problem")) role="alert" { (strange(problem)) }
                        }
                    }
                }
            }
            @if query.newest_first { input type="hidden" name="order" value="newest"; }
            div.buttons {
                button #apply.primary type="submit" { "Show" }
                @if !query.typed.is_empty() { a #clear.button href="/letters" { "Show all" } }
            }
        }
    }
}

/// The letters a filter means, in the order of the snapshot.
pub(super) fn matching<'a>(
    snapshot: &'a Snapshot,
    filter: &Filter,
) -> impl Iterator<Item = &'a Arc<Letter>> {
    let letters = snapshot.letters.iter();
    letters.filter(|letter| filter.matches(letter))
}

fn found(snapshot: &Snapshot, query: &Query, session: &Session, now: Timestamp) -> Markup {
    let mut letters: Vec<_> = matching(snapshot, &query.filter).collect();
    if query.newest_first {
        letters.reverse();
    }
    if letters.is_empty() {
        return html! {
            p #no-match .empty { "No dead letter of the snapshot matches." }
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
            }
            (actions(letters.len()))
            (rows(&letters[from..to], query, now))
            (paging(query, page, pages))
        }
    }
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

fn rows(letters: &[&Arc<Letter>], query: &Query, now: Timestamp) -> Markup {
    let (other_order, arrow, sorted) = match query.newest_first {
        true => (query.address(false, 0), "▼", "descending"),
        false => (query.address(true, 0), "▲", "ascending"),
    };
    html! {
        table #letters .letters {
            caption.unseen { "Dead letters, by time of death" }
            thead {
                tr {
                    th.check scope="col" { span.unseen { "Choose" } }
                    th scope="col" aria-sort=(sorted) {
                        a href=(other_order) { "Died" span aria-hidden="true" { " " (arrow) } }
                    }
                    th scope="col" { "Event" }
                    th scope="col" { "Message group" }
                    th scope="col" { "Reason" }
                    th scope="col" { "Last answer" }
                    th.number scope="col" { "Attempts" }
                    th scope="col" { "Callback host" }
                }
            }
            tbody { @for letter in letters { (row(letter, now)) } }
        }
    }
}

fn row(letter: &Letter, now: Timestamp) -> Markup {
    let present = &letter.message.message_id;
    let (answer, _) = overview::by_status(letter);
    html! {
        tr data-id=(letter.id()) {
            td.check {
                input type="checkbox" name="id" value=(present) aria-label=(format!("Choose {}", label(letter)));
            }
            td data-label="Died" {
                @match letter.dead_at() {
                    Some(at) => (moment(at, now)),
                    None => "not known",
                }
            }
            td.what data-label="Event" {
                @if let Some(event) = letter.event() { div.event { (strange(&cut(event, CELL_CHARS))) } }
                a.id href=(letter_address(letter)) { (strange(&label(letter))) }
            }
            td data-label="Message group" { (strange(&cut(letter.group().unwrap_or("none"), CELL_CHARS))) }
            td data-label="Reason" { (letter.reason().as_str()) }
            td data-label="Last answer" { (answer) }
            td.number data-label="Attempts" { (letter.attempts_made()) }
            td data-label="Callback host" {
                (strange(&cut(letter.callback_host().as_deref().unwrap_or("not known"), CELL_CHARS)))
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Sample;

    fn query(address: &str) -> Query {
        let now = Timestamp::from_millis(1_739_370_645_123);
        Query::of(&Fields::of_query(Some(address)), now)
    }

    #[test]
    fn the_address_of_a_list_is_read_back() {
        let first = query("group=EventSetup_7&since=2h&contains=a%26b&order=newest&page=3");
        let address = first.address(true, 2);
        let again = query(address.strip_prefix("/letters?").unwrap());
        assert_eq!(again.filter, first.filter);
        assert_eq!((again.newest_first, again.page), (true, 2));
        assert!(
            address.contains("since=2025-02-12T12%3A30%3A45.123Z"),
            "{address}"
        );
        assert_eq!(query("").address(false, 0), "/letters");
    }

    #[test]
    fn a_criterion_that_cannot_be_used_is_told_and_kept_as_it_was_typed() {
        let query = query("status=6xx&group=a&page=none");
        assert!(!query.is_usable());
        assert!(query.problem("status").unwrap().contains("5xx"));
        assert_eq!(
            (query.typed("status"), query.typed("group"), query.page),
            ("6xx", "a", 0)
        );
        let backwards = self::query("since=1h&until=2h");
        assert!(backwards.problem("since").is_some());
    }

    #[test]
    fn an_id_of_any_characters_leads_to_its_letter_and_nowhere_else() {
        for (id, address) in [
            ("5fea-7756", "/letters/5fea-7756"),
            ("a/../b?c#d", "/letters/a%2F..%2Fb%3Fc%23d"),
            ("..", "/letters/present-1"),
            ("", "/letters/present-1"),
            (&"x".repeat(129), "/letters/present-1"),
        ] {
            let sample = Sample {
                id,
                ..Sample::default()
            };
            assert_eq!(letter_address(&sample.letter()), address);
        }
    }
}
