//! The page that shows what a person is about to do, before it is done.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use event::Timestamp;
use letters::{Consent, Letter, Preview};
use maud::{Markup, html};

use super::form::Fields;
use super::layout::{self, Page, Tab, counted, form_token, grouped, moment, short, strange};
use super::plan::{Kind, LONGEST_WHY, Plan, chosen, name_of};
use super::session::Session;
use super::snapshot::Snapshot;
use super::text::cut;
use super::{Console, address, counts};

/// The most groups, or refused letters, that are shown.
const SHOWN: usize = 50;

pub(super) async fn replay(
    State(console): State<Arc<Console>>,
    Extension(session): Extension<Arc<Session>>,
    Extension(form): Extension<Fields>,
) -> Response {
    preview(&console, &session, &form, Kind::Replay).await
}

pub(super) async fn drop(
    State(console): State<Arc<Console>>,
    Extension(session): Extension<Arc<Session>>,
    Extension(form): Extension<Fields>,
) -> Response {
    preview(&console, &session, &form, Kind::Drop).await
}

async fn preview(console: &Console, session: &Session, form: &Fields, kind: Kind) -> Response {
    let now = console.clock.now();
    let Some(snapshot) = console.snapshot() else {
        return nothing_chosen(
            session,
            "There is no snapshot: scan the internal queue first.",
        );
    };
    let letters = match chosen(&snapshot, form, now) {
        Ok(letters) => letters,
        Err(why) => return nothing_chosen(session, &why),
    };
    let make = |consents| {
        let ids = letters.iter().map(|l| l.message.message_id.clone());
        let mut desk = console.desk();
        desk.plans.make(kind, ids.collect(), consents, now)
    };
    let content = match kind {
        Kind::Replay => {
            let by_filter = form.get("scope") == "all";
            let preview = console.preview_replay(letters.clone(), &snapshot, by_filter);
            let preview = preview.await;
            let plan = make(preview.consents());
            replay_page(console, session, &snapshot, &plan, &preview, now)
        }
        Kind::Drop => {
            let plan = make(BTreeSet::new());
            drop_page(console, session, &snapshot, &plan, &letters, now)
        }
    };
    Page {
        session: Some(session),
        tab: Tab::Letters,
        title: kind.verb(),
        reload: None,
        content,
    }
    .respond(StatusCode::OK)
}

fn nothing_chosen(session: &Session, why: &str) -> Response {
    let content = html! {
        div.narrow.card {
            h1 { "Nothing to do" }
            p #problem .problem role="alert" { (why) }
            p { a.button href="/letters" { "To the list" } }
        }
    };
    Page {
        session: Some(session),
        tab: Tab::Letters,
        title: "Nothing to do",
        reload: None,
        content,
    }
    .respond(StatusCode::UNPROCESSABLE_ENTITY)
}

fn replay_page(
    console: &Console,
    session: &Session,
    snapshot: &Snapshot,
    plan: &Plan,
    preview: &Preview,
    now: Timestamp,
) -> Markup {
    let rows: Vec<_> = preview
        .groups
        .iter()
        .map(|group| Row {
            group: group.group.as_deref(),
            count: group.count,
            span: group.first_sent_at.zip(group.last_sent_at),
            overtaken: group.overtaken,
            unknown: group.unknown,
        })
        .collect();
    html! {
        h1 { (title(plan)) }
        p.lead {
            "To " strong { (strange(counts::name(&console.queues.source))) }
            ", in the order in which the events were first sent, each into its own message group. A letter is \
             deleted from the internal queue once its event is in the other."
        }
        div #warnings {
            @for warning in &preview.warnings { p.problem role="alert" { (strange(&warning.text)) } }
        }
        (age(snapshot, now))
        @for remark in &preview.remarks { p.note { (strange(remark)) } }
        (groups(&rows))
        @if !preview.refused.is_empty() {
            section #refused .card {
                h2 { (counted(preview.refused.len(), "letter", "letters")) " cannot go" }
                p.hint { "Nor can what is behind one of them in its group." }
                ul {
                    @for refused in preview.refused.iter().take(SHOWN) {
                        li {
                            a href=(address::of_id(&refused.message_id)) { (strange(&cut(&refused.id, 120))) }
                            ": " (strange(&refused.why))
                        }
                    }
                    (and_more(preview.refused.len()))
                }
            }
        }
        (confirm(session, plan, html! {
            @for consent in &plan.consents { (accepting(*consent)) }
            div.field {
                label for="why" { "Reason, for the audit log " span.hint { "(may stay empty)" } }
                input #why name="why" type="text" maxlength=(LONGEST_WHY) dir="auto" autocomplete="off";
            }
            div.field.short {
                label for="rate" { "At most so many a second " span.hint { "(may stay empty)" } }
                input #rate name="rate" type="number" min="1" max="10000" step="1" inputmode="numeric";
            }
        }))
    }
}

fn drop_page(
    console: &Console,
    session: &Session,
    snapshot: &Snapshot,
    plan: &Plan,
    letters: &[Letter],
    now: Timestamp,
) -> Markup {
    let mut rows: Vec<Row<'_>> = Vec::new();
    let mut places = BTreeMap::new();
    for letter in letters {
        let place = *places.entry(letter.group()).or_insert(rows.len());
        if place == rows.len() {
            rows.push(Row {
                group: letter.group(),
                count: 0,
                span: None,
                overtaken: 0,
                unknown: 0,
            });
        }
        rows[place].add(letter);
    }
    html! {
        h1 { (title(plan)) }
        p.lead {
            "They are written to a file in " code { (strange(&console.settings.drop_dir.display().to_string())) }
            " first, and then deleted from " strong { (strange(counts::name(&console.queues.dead_letters))) }
            ". They are not delivered. " code { "hooklane dlq import FILE" } " puts them back."
        }
        (about_snapshot(snapshot, now))
        (groups(&rows))
        (confirm(session, plan, html! {
            div.field {
                label for="why" { "Reason, for the audit log" }
                input #why name="why" type="text" required maxlength=(LONGEST_WHY) dir="auto" autocomplete="off";
            }
        }))
    }
}

fn title(plan: &Plan) -> String {
    let letters = counted(plan.letters.len(), "dead letter", "dead letters");
    format!("{} {letters}?", plan.kind.verb())
}

fn about_snapshot(snapshot: &Snapshot, now: Timestamp) -> Markup {
    html! {
        @for remark in &snapshot.report.remarks() { p.note { (strange(remark)) } }
        (age(snapshot, now))
    }
}

fn age(snapshot: &Snapshot, now: Timestamp) -> Markup {
    html! {
        p.hint { "From the snapshot of " (moment(snapshot.taken_at, now)) }
    }
}

/// One group of a preview.
struct Row<'a> {
    group: Option<&'a str>,
    count: usize,
    /// When the first and the last of the events were sent.
    span: Option<(Timestamp, Timestamp)>,
    overtaken: usize,
    unknown: usize,
}

impl Row<'_> {
    fn add(&mut self, letter: &Letter) {
        self.count += 1;
        if let Some(at) = letter.sent_at() {
            let (first, last) = self.span.unwrap_or((at, at));
            self.span = Some((first.min(at), last.max(at)));
        }
    }
}

fn groups(rows: &[Row<'_>]) -> Markup {
    let overtaken = rows.iter().any(|row| row.overtaken > 0);
    let unknown = rows.iter().any(|row| row.unknown > 0);
    html! {
        section #preview .card aria-labelledby="groups-title" {
            h2 #groups-title { (counted(rows.len(), "message group", "message groups")) }
            div {
                table.plain.wide {
                    thead {
                        tr {
                            th scope="col" { "Message group" }
                            th.number scope="col" { "Letters" }
                            th scope="col" { "Events sent (UTC)" }
                            @if overtaken { th.number scope="col" { "Overtaken" } }
                            @if unknown { th.number scope="col" { "Perhaps overtaken" } }
                        }
                    }
                    tbody {
                        @for row in rows.iter().take(SHOWN) {
                            tr {
                                td { (strange(&cut(row.group.unwrap_or("no group"), 128))) }
                                td.number { (grouped(row.count as u64)) }
                                td {
                                    @match row.span {
                                        Some((first, last)) if first == last => span.at { (short(first)) },
                                        Some((first, last)) => {
                                            span.at { (short(first)) } " to " span.at { (short(last)) }
                                        },
                                        None => "not known",
                                    }
                                }
                                @if overtaken { td.number { (grouped(row.overtaken as u64)) } }
                                @if unknown { td.number { (grouped(row.unknown as u64)) } }
                            }
                        }
                    }
                }
            }
            @if rows.len() > SHOWN { p.hint { "and " (grouped((rows.len() - SHOWN) as u64)) " more groups" } }
        }
    }
}

fn and_more(count: usize) -> Markup {
    html! { @if count > SHOWN { li { "and " (grouped((count - SHOWN) as u64)) " more" } } }
}

/// A box of its own for each thing to accept: the form is not sent before it is ticked, and not taken either.
fn accepting(consent: Consent) -> Markup {
    let name = name_of(consent);
    html! {
        div.field {
            label {
                input id=(format!("accept-{name}")) type="checkbox" name="accept" value=(name) required;
                " " (wording(consent))
            }
        }
    }
}

/// What is accepted.
pub(super) fn wording(consent: Consent) -> &'static str {
    match consent {
        Consent::Order => {
            "Replay although newer events of a group were delivered since, or may have been"
        }
        Consent::Hidden => "Replay although letters of the same groups are hidden, or may be",
    }
}

fn confirm(session: &Session, plan: &Plan, fields: Markup) -> Markup {
    let warned = !plan.consents.is_empty();
    let title = if warned {
        format!("{} nevertheless", plan.kind.verb())
    } else {
        plan.kind.verb().to_owned()
    };
    html! {
        form #confirm-form .card method="post" action=(plan.kind.action()) {
            (form_token(session))
            input type="hidden" name="plan" value=(plan.id);
            (fields)
            div.buttons {
                button #confirm .primary .danger[warned || plan.kind == Kind::Drop] type="submit" { (title) }
                a #cancel .button href="/letters" { "Cancel" }
            }
        }
    }
}

/// A plan that cannot be carried out any more.
pub(super) fn expired(session: &Session) -> Response {
    layout::refusal(
        StatusCode::CONFLICT,
        Some(session),
        "This preview is too old",
        "Nothing was changed. Choose the letters again and look at a new one.",
    )
}
