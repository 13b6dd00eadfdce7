//! Carrying out a plan, and the pages of jobs.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use letters::Audit;
use maud::{Markup, html};

use super::Console;
use super::address;
use super::form::Fields;
use super::job::{self, Done, Ended, Job, Nothing, Order, Refused, State as JobState};
use super::layout::{self, Page, Tab, counted, form_token, grouped, moment, strange};
use super::plan::{Kind, LONGEST_WHY};
use super::preview;
use super::session::Session;
use super::text::{cut, hides};

pub(super) async fn replay(
    State(console): State<Arc<Console>>,
    Extension(session): Extension<Arc<Session>>,
    Extension(form): Extension<Fields>,
) -> Response {
    carry_out(&console, &session, &form, Kind::Replay)
}

pub(super) async fn drop(
    State(console): State<Arc<Console>>,
    Extension(session): Extension<Arc<Session>>,
    Extension(form): Extension<Fields>,
) -> Response {
    carry_out(&console, &session, &form, Kind::Drop)
}

fn carry_out(console: &Arc<Console>, session: &Session, form: &Fields, kind: Kind) -> Response {
    let (why, rate) = match (reason(form, kind), rate(form)) {
        (Ok(why), Ok(rate)) => (why, rate),
        (Err(problem), _) | (_, Err(problem)) => {
            return layout::refusal(
                StatusCode::UNPROCESSABLE_ENTITY,
                Some(session),
                "Something is missing",
                &format!("{problem} Nothing was changed: go back and repeat it."),
            );
        }
    };
    let order = Order {
        plan: form.get("plan").to_owned(),
        kind,
        audit: Audit {
            who: session.name.clone(),
            why,
        },
        rate,
        accepted: form.all("accept").map(str::to_owned).collect(),
    };
    match console.begin(order) {
        Ok(job) => Redirect::to(&address(&job)).into_response(),
        Err(Refused::Expired) => preview::expired(session),
        Err(Refused::NotAccepted(missing)) => {
            let missing: Vec<_> = missing.into_iter().map(preview::wording).collect();
            layout::refusal(
                StatusCode::UNPROCESSABLE_ENTITY,
                Some(session),
                "Something is not accepted",
                &format!(
                    "Nothing was changed. Go back and tick: {}.",
                    missing.join("; ")
                ),
            )
        }
        Err(Refused::Scanning) => busy(
            session,
            html! { "A scan is running. Wait until it has ended." },
        ),
        Err(Refused::Busy(running)) => busy(
            session,
            html! {
                a href=(address(&running)) { "Another job" } " is running, begun by "
                (strange(&running.audit.who)) ". Wait until it has ended."
            },
        ),
    }
}

/// Why it is done, for a line of the audit log.
fn reason(form: &Fields, kind: Kind) -> Result<Option<String>, String> {
    let why = form.get("why").trim();
    if why.is_empty() {
        return match kind {
            Kind::Replay => Ok(None),
            Kind::Drop => Err("A drop needs a reason.".to_owned()),
        };
    }
    if why.chars().count() <= LONGEST_WHY && !hides(why) && !why.contains(['\n', '\t']) {
        Ok(Some(why.to_owned()))
    } else {
        Err(format!(
            "A reason is one line of at most {LONGEST_WHY} visible characters."
        ))
    }
}

fn rate(form: &Fields) -> Result<Option<NonZeroU32>, String> {
    match form.get("rate").trim() {
        "" => Ok(None),
        text => match text.parse() {
            Ok(rate) => Ok(Some(rate)),
            Err(_) => Err("How many a second is a whole number from 1.".to_owned()),
        },
    }
}

fn busy(session: &Session, why: Markup) -> Response {
    let content = html! {
        div.narrow.card {
            h1 { "One thing at a time" }
            p #problem .problem role="alert" { (why) }
            p { "Nothing was changed. The preview stays good for half an hour: go back and confirm it again." }
        }
    };
    page(session, "One thing at a time", None, content).respond(StatusCode::CONFLICT)
}

fn page<'a>(
    session: &'a Session,
    title: &'a str,
    reload: Option<Duration>,
    content: Markup,
) -> Page<'a> {
    Page {
        session: Some(session),
        tab: Tab::Jobs,
        title,
        reload,
        content,
    }
}

fn address(job: &Job) -> String {
    format!("/jobs/{}", job.id)
}

fn title(job: &Job) -> String {
    let verb = job.kind().verb();
    format!(
        "{verb} of {}",
        counted(job.planned(), "dead letter", "dead letters")
    )
}

/// All jobs that are remembered.
pub(super) async fn all(
    State(console): State<Arc<Console>>,
    Extension(session): Extension<Arc<Session>>,
) -> Response {
    let jobs: Vec<_> = console.desk().jobs.iter().cloned().collect();
    let now = console.clock.now();
    let content = html! {
        h1 { "Jobs" }
        @if jobs.is_empty() {
            section.card.empty {
                h2 { "No jobs yet" }
                p { "A replay or a drop begins at the " a href="/letters" { "list of dead letters" } "." }
            }
        }
        ol #jobs .plain {
            @for job in &jobs {
                li.card {
                    h2 { a href=(address(job)) { (title(job)) } }
                    p.facts { "by " (strange(&job.audit.who)) ", " (moment(job.began, now)) }
                    p.facts { (in_short(job)) }
                }
            }
        }
        @if !jobs.is_empty() { p.hint { "The last jobs since the console was started; the audit log has all." } }
    };
    page(&session, "Jobs", None, content).respond(StatusCode::OK)
}

fn in_short(job: &Job) -> String {
    match job.state() {
        JobState::Gathering(_) | JobState::Moving(_) => "running".to_owned(),
        JobState::Ended(ended) => match &ended.result {
            Ok(done) => summary(job.kind(), done),
            Err(_) => "nothing was changed".to_owned(),
        },
    }
}

/// One job: its progress, or what came of it.
pub(super) async fn show(
    State(console): State<Arc<Console>>,
    Extension(session): Extension<Arc<Session>>,
    Path(id): Path<String>,
) -> Response {
    let Some(job) = console.desk().jobs.find(&id) else {
        return layout::refusal(
            StatusCode::NOT_FOUND,
            Some(&session),
            "No such job",
            "The console remembers the last jobs only, and forgets them when it stops. The audit log has all.",
        );
    };
    let now = console.clock.now();
    let state = job.state();
    let content = html! {
        h1 { (title(&job)) }
        p.lead {
            "by " (strange(&job.audit.who)) ", " (moment(job.began, now))
            @if let JobState::Ended(ended) = &state { ", ended " (moment(ended.at, now)) }
            @if let Some(why) = &job.audit.why { br; "Reason: " (strange(why)) }
        }
        @match &state {
            JobState::Ended(ended) => (result(&job, ended)),
            running => {
                section.card {
                    div #progress role="status" data-refresh=(format!("{}/progress", address(&job))) data-every="1" {
                        (render_progress(&job, running))
                    }
                    form.buttons method="post" action=(format!("{}/stop", address(&job))) {
                        (form_token(&session))
                        button #stop type="submit" disabled[job.is_stopping()] { "Stop" }
                    }
                    p.hint { "What is not done when it stops stays in the internal queue, as it was." }
                }
            }
        }
    };
    let reload = job.is_running().then_some(Duration::from_secs(2));
    // Read out when the page loads itself anew at the end.
    let title = match &state {
        JobState::Ended(_) => in_short(&job),
        _ => title(&job),
    };
    page(&session, &title, reload, content).respond(StatusCode::OK)
}

/// How far a job is: what an open page refreshes itself with. 205 asks it to load itself anew.
pub(super) async fn progress(
    State(console): State<Arc<Console>>,
    Path(id): Path<String>,
) -> Response {
    let job = console.desk().jobs.find(&id).filter(|job| job.is_running());
    match job {
        Some(job) => layout::fragment(render_progress(&job, &job.state())),
        None => StatusCode::RESET_CONTENT.into_response(),
    }
}

pub(super) async fn stop(State(console): State<Arc<Console>>, Path(id): Path<String>) -> Response {
    let job = console.desk().jobs.find(&id);
    match job {
        Some(job) => {
            job.stop();
            Redirect::to(&address(&job)).into_response()
        }
        None => Redirect::to("/jobs").into_response(),
    }
}

fn render_progress(job: &Job, state: &JobState) -> Markup {
    let stopping = if job.is_stopping() { "Stopping: " } else { "" };
    html! {
        @match state {
            JobState::Gathering(seen) => {
                label for="bar" { (stopping) "gathering them, " (grouped(*seen as u64)) " dead letters looked at" }
                progress #bar {}
            }
            JobState::Moving(progress) => {
                label for="bar" {
                    (stopping) (grouped(progress.done as u64)) " of " (grouped(progress.selected as u64)) " "
                    (job.kind().done())
                    @if progress.failed > 0 { ", " (grouped(progress.failed as u64)) " failed" }
                }
                progress #bar value=(progress.done + progress.failed) max=(progress.selected.max(1)) {}
            }
            JobState::Ended(_) => {}
        }
    }
}

fn summary(kind: Kind, done: &Done) -> String {
    let (outcome, verb) = (&done.outcome, kind.done());
    let moved = match kind {
        Kind::Replay => outcome.done,
        // They are in the file, and in the queue still.
        Kind::Drop => outcome.done.saturating_sub(done.not_removed),
    };
    let selected = counted(outcome.selected, "dead letter", "dead letters");
    let mut parts = vec![format!("{} of {selected} {verb}", grouped(moved as u64))];
    if done.failed > 0 {
        parts.push(format!("{} failed", grouped(done.failed as u64)));
    }
    if done.left > 0 {
        parts.push(format!("{} left as they were", grouped(done.left as u64)));
    }
    parts.join(", ")
}

fn result(job: &Job, ended: &Ended) -> Markup {
    html! {
        div #result role="status" {
            @match &ended.result {
                Ok(done) => (result_of(job.kind(), done)),
                Err(nothing) => (nothing_changed(nothing)),
            }
        }
        p.buttons {
            a.button.primary href="/letters" { "To the list" }
            a.button href="/" { "To the overview" }
        }
    }
}

fn nothing_changed(nothing: &Nothing) -> Markup {
    html! {
        p.problem { strong { "Nothing was changed. " } (strange(&nothing.why)) }
        @for remark in &nothing.remarks { p.note { (strange(remark)) } }
    }
}

fn result_of(kind: Kind, done: &Done) -> Markup {
    let outcome = &done.outcome;
    let class = if outcome.is_complete() {
        "good"
    } else {
        "problem"
    };
    html! {
        p class=(class) { strong #summary { (summary(kind, done)) } }
        @if let Some(file) = &done.file {
            p {
                "They are kept in " code #file { (strange(&file.display().to_string())) } ". "
                @if done.not_removed == 0 {
                    code { "hooklane dlq import" } " puts them back."
                }
            }
        }
        @if let Some(why) = &outcome.halted { p.problem { (strange(why)) } }
        @if outcome.stopped { p.note { "It was stopped. What was left is as it was." } }
        @if done.left > 0 && done.failed > 0 {
            p.note { "What is behind a letter that failed, in its message group, was not tried." }
        }
        @if done.not_removed > 0 {
            p.problem {
                (counted(done.not_removed, "letter", "letters"))
                " could not be deleted from the internal queue: "
                @match kind {
                    Kind::Replay => {
                        "they were sent, so replay them again within five minutes, and none is sent twice."
                    }
                    Kind::Drop => {
                        "they are in the file too, so drop them again, and do not import the file before."
                    }
                }
            }
        }
        @if outcome.kept > 0 {
            p.note {
                (counted(outcome.kept, "letter", "letters")) " could not be given back: hidden for up to "
                (letters::TAKE_LEASE.as_secs()) " s, then visible again by themselves."
            }
        }
        @if done.of_shared_groups {
            p.note { "Letters of the native redrive were among them: there may be more behind them. Scan again." }
        }
        (failures(done))
    }
}

fn failures(done: &Done) -> Markup {
    let (shown, all) = (job::failures(done).count(), done.failed + done.not_removed);
    html! {
        @if shown > 0 {
            section #failures .card aria-labelledby="failures-title" {
                h2 #failures-title { "What failed" }
                ul {
                    @for failure in job::failures(done) {
                        li {
                            a href=(address::of_id(&failure.message_id)) { (strange(&cut(&failure.id, 120))) }
                            @if let Some(group) = &failure.group { " of " (strange(&cut(group, 128))) }
                            ": " (strange(&failure.why))
                        }
                    }
                }
                @if all > shown { p.hint { "and " (grouped((all - shown) as u64)) " more: see the audit log" } }
            }
        }
    }
}
