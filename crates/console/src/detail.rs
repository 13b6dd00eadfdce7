//! One letter: what it is, every attempt, its body, and the request as a command.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use event::Timestamp;
use letters::{Fate, Letter, pretty};
use maud::{Markup, html};

use super::form::Fields;
use super::layout::{self, Page, Tab, form_token, grouped, moment, strange};
use super::session::Session;
use super::snapshot::Snapshot;
use super::text::{cut, json, plain, visible};
use super::{Console, address, curl, scan, timeline};

/// The longest body that is shown whole, laid out; of a longer one the beginning is.
const SHOWN_CHARS: usize = 128 * 1024;

pub(super) async fn show(
    State(console): State<Arc<Console>>,
    Extension(session): Extension<Arc<Session>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let fields = Fields::of_query(request.uri().query());
    let snapshot = console.snapshot();
    let found: Vec<_> = match &snapshot {
        Some(snapshot) => snapshot.find(&id).collect(),
        None => Vec::new(),
    };
    let (status, content) = match found[..] {
        [] => (
            StatusCode::NOT_FOUND,
            html! {
                h1 { "No such dead letter" }
                p.lead { code { (strange(&cut(&id, 200))) } }
                @if snapshot.is_some() {
                    p {
                        "It is not in the snapshot. It may have been replayed or dropped, or have died after the scan."
                    }
                }
                (scan::bar(&console, &session, request.uri().path()).await)
            },
        ),
        _ => (
            StatusCode::OK,
            match snapshot.as_ref().and_then(|snapshot| one_of(snapshot, &id)) {
                Some(letter) => html! {
                    (others(&found, letter))
                    (page(&console, &session, letter, fields.get("url")))
                },
                None => copies(&found, console.clock.now()),
            },
        ),
    };
    Page {
        session: Some(&session),
        tab: Tab::Letters,
        title: &format!("Dead letter {}", plain(&cut(&id, 40))),
        reload: console.is_scanning().then_some(Duration::from_secs(2)),
        content,
    }
    .respond(status)
}

/// The letter that an id means: the one that has it now, else the only one that had it first.
fn one_of<'a>(snapshot: &'a Snapshot, id: &str) -> Option<&'a Arc<Letter>> {
    let mut found = snapshot.find(id);
    let only = found.next().filter(|_| found.len() == 0);
    snapshot.present(id).or(only)
}

/// The letters that had the present id of this one first.
fn others(found: &[&Arc<Letter>], letter: &Arc<Letter>) -> Markup {
    let others = found.iter().filter(|other| !Arc::ptr_eq(other, letter));
    html! {
        @for other in others {
            p.note {
                "Another dead letter is of this event too: "
                a href=(address::of_present(other)) { code { (other.message.message_id) } }
            }
        }
    }
}

/// Two faults at once can leave an event in the internal queue twice.
fn copies(letters: &[&Arc<Letter>], now: Timestamp) -> Markup {
    html! {
        h1 { (grouped(letters.len() as u64)) " dead letters have this id" }
        ul {
            @for letter in letters {
                li {
                    a href=(address::of_present(letter)) { code { (letter.message.message_id) } }
                    @if let Some(at) = letter.dead_at() { ", died " (moment(at, now)) }
                }
            }
        }
    }
}

fn page(console: &Console, session: &Session, letter: &Letter, url: &str) -> Markup {
    let now = console.clock.now();
    html! {
        div.head {
            div.grow {
                h1 dir="auto" { (strange(&cut(letter.event().unwrap_or("Dead letter"), 200))) }
                p.lead { code #id { (strange(letter.id())) } }
            }
            (actions(session, letter))
        }
        (verdict(letter))
        div.columns {
            section #facts .card aria-labelledby="facts-title" {
                h2 #facts-title { "What it is" }
                (facts(letter, now))
            }
            section #attempts .card aria-labelledby="attempts-title" {
                h2 #attempts-title { "Attempts" }
                @if letter.attempts().is_empty() {
                    p.empty { "No attempts on record." }
                } @else {
                    (timeline::render(letter.attempts()))
                }
                @if matches!(&letter.fate, Fate::Recorded(record) if record.trimmed) {
                    p.hint { "Excerpts or attempts were left out so that the message fits its queue." }
                }
            }
        }
        (body(letter))
        (command(letter, url, console.settings.authentication_header, now))
    }
}

fn actions(session: &Session, letter: &Letter) -> Markup {
    html! {
        form.buttons method="post" action="/replay/preview" {
            (form_token(session))
            input type="hidden" name="id" value=(letter.message.message_id);
            button #replay.primary type="submit" { "Replay…" }
            button #drop.danger type="submit" formaction="/drop/preview" { "Drop…" }
        }
    }
}

/// Why it is here, in words.
fn verdict(letter: &Letter) -> Markup {
    let reason = letter.reason();
    let why = match &letter.fate {
        Fate::Recorded(record) => match (&record.detail, letter.attempts().last()) {
            (Some(detail), _) => detail.clone(),
            (None, Some(last)) => format!("the last attempt ended with {}", timeline::result(last)),
            (None, None) => "it was never POSTed".to_owned(),
        },
        Fate::Backstop(_) => "the native redrive moved it here, which writes no record".to_owned(),
        Fate::Unreadable(problem) => problem.clone(),
    };
    html! {
        p #verdict .problem { strong { (reason.as_str()) } ": " (strange(&why)) }
    }
}

fn facts(letter: &Letter, now: Timestamp) -> Markup {
    let message = &letter.message;
    let fact = |name: &str, value: Option<&str>| {
        html! { @if let Some(value) = value { dt { (name) } dd dir="auto" { (strange(value)) } } }
    };
    let time = |name: &str, at: Option<Timestamp>| {
        html! { @if let Some(at) = at { dt { (name) } dd { (moment(at, now)) } } }
    };
    let record = match &letter.fate {
        Fate::Recorded(record) => Some(record),
        _ => None,
    };
    let origin = record.map(|record| &record.origin);
    let replays = letter.replays();
    html! {
        dl.list {
            (fact("Event", letter.event()))
            (fact("msg_id", letter.msg_id().as_deref()))
            (fact("Message group", letter.group()))
            (fact("Callback", letter.callback()))
            (time("Sent", letter.sent_at()))
            (time("Died", letter.dead_at()))
            @if replays > 0 { dt { "Replays" } dd { (replays) } }
            (fact("Sequence number", origin.and_then(|origin| origin.sequence_number.as_deref())))
            (fact("Deduplication id", origin.and_then(|origin| origin.deduplication_id.as_deref())))
            (fact("Source queue", record.map(|record| record.source_queue.as_str())))
            (fact("MessageId now", Some(&message.message_id)))
            dt { "Receives" } dd { (message.receive_count) span.hint { ", views included" } }
        }
    }
}

fn body(letter: &Letter) -> Markup {
    let bytes = &letter.message.body;
    let laid_out = pretty(&String::from_utf8_lossy(bytes));
    let shown = cut(&laid_out, SHOWN_CHARS);
    let download = format!("{}/body", address::of_present(letter));
    html! {
        section #body-section .card aria-labelledby="body-title" {
            div.head {
                h2.grow #body-title { "Body, " (layout::counted(bytes.len(), "byte", "bytes")) }
                div.buttons {
                    button #copy-body .script-only type="button" data-copy-from=(download) { "Copy" }
                    a #download-body .button href=(download) download { "Download" }
                }
            }
            p.hint { "Laid out for reading. Copy and download give the bytes as they lie in the queue." }
            @if shown.len() < laid_out.len() {
                p.note { "Only its beginning is shown: download it to see all of it." }
            }
            @if laid_out.starts_with(['{', '[']) {
                pre #body tabindex="0" dir="ltr" { (json(&shown)) }
            } @else {
                pre #body tabindex="0" dir="auto" { (visible(&shown)) }
            }
        }
    }
}

fn command(
    letter: &Letter,
    typed: &str,
    authentication: Option<&'static str>,
    now: Timestamp,
) -> Markup {
    let (url, problem) = match curl::parse_url(typed) {
        Ok(url) => (url, None),
        Err(problem) => (None, Some(problem)),
    };
    let command = curl::command(letter, url.as_ref(), authentication, now);
    let address = address::of_present(letter);
    html! {
        section #curl-section .card aria-labelledby="curl-title" {
            h2 #curl-title { "The same request, by hand" }
            form.inline method="get" action=(format!("{address}#curl-section")) {
                div.field.grow {
                    label for="url" { "URL to send it to" }
                    input #url name="url" type="url" value=(typed) placeholder="https://receiver.example/hook"
                        maxlength="4096" aria-invalid=[problem.map(|_| "true")]
                        aria-describedby=[problem.map(|_| "url-problem")];
                    @if let Some(problem) = problem { p #url-problem .problem role="alert" { (problem) } }
                }
                button #make-curl type="submit" { "Make the command" }
            }
            div.head {
                p.hint.grow {
                    @if command.reads_file {
                        "The body is read from a file: "
                        a #download-request href=(format!("{address}/request-body")) download { (curl::BODY_FILE) }
                        ". "
                    }
                    @if authentication.is_some() {
                        "The secret is left out: set " code { "SIGNATURE" } " to what the receiver is to see."
                    }
                }
                button #copy-curl .script-only type="button" data-copy="#curl" { "Copy" }
            }
            pre #curl tabindex="0" dir="ltr" { (command.text) }
        }
    }
}

/// The body as it lies in the queue.
pub(super) async fn raw_body(
    State(console): State<Arc<Console>>,
    Path(id): Path<String>,
) -> Response {
    download(&console, &id, |letter| letter.message.body.to_vec())
}

/// The body as it is POSTed.
pub(super) async fn request_body(
    State(console): State<Arc<Console>>,
    Path(id): Path<String>,
) -> Response {
    download(&console, &id, |letter| {
        curl::posted_body(letter).into_owned()
    })
}

fn download(console: &Console, id: &str, bytes: impl FnOnce(&Letter) -> Vec<u8>) -> Response {
    let snapshot = console.snapshot();
    let letter = snapshot
        .as_ref()
        .and_then(|snapshot| snapshot.present(id).or_else(|| snapshot.find(id).next()));
    let Some(letter) = letter else {
        return (StatusCode::NOT_FOUND, "not in the snapshot\n").into_response();
    };
    // Never shown by the browser, whatever it is.
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{}\"", curl::BODY_FILE),
        ),
    ];
    (headers, bytes(letter)).into_response()
}
