//! What the pages show of the internal queue: the letters of the last scan, and how old they are.
//!
//! A scan hides the queue from others, so it runs only when somebody asks for it, one at a time. The letters
//! stay in memory until the next, up to [`MOST_BYTES`]; those that a job changes are taken out.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use event::Timestamp;
use letters::{End, Letter, MOST_BYTES, Report, ScanOptions, scan};
use maud::{Markup, html};
use tokio_util::sync::CancellationToken;

use super::Console;
use super::form::{Fields, local_address};
use super::job::Jobs;
use super::layout::{self, counted, grouped, moment};
use super::plan::Plans;
use super::session::Session;

/// The letters of one scan.
#[derive(Debug)]
pub(super) struct Snapshot {
    /// By time of death, those that died together as they were sent.
    pub(super) letters: Vec<Arc<Letter>>,
    /// When the scan ended.
    pub(super) taken_at: Timestamp,
    /// What came of the scan.
    pub(super) report: Arc<Report>,
    /// How many letters have been replayed or dropped since, and are not here any more.
    pub(super) changed: usize,
    /// Where the letters are that have an id, the event's first or the present one.
    places: HashMap<String, Vec<usize>>,
}

impl Snapshot {
    fn new(
        letters: Vec<Arc<Letter>>,
        taken_at: Timestamp,
        report: Arc<Report>,
        changed: usize,
    ) -> Self {
        let mut places = HashMap::<_, Vec<_>>::with_capacity(letters.len() * 2);
        for (place, letter) in letters.iter().enumerate() {
            let (first, present) = (letter.id(), letter.message.message_id.as_str());
            places.entry(first.to_owned()).or_default().push(place);
            if first != present {
                places.entry(present.to_owned()).or_default().push(place);
            }
        }
        Self {
            letters,
            taken_at,
            report,
            changed,
            places,
        }
    }

    /// The letters that have this id; several if a fault left copies of one event.
    pub(super) fn find(&self, id: &str) -> impl ExactSizeIterator<Item = &Arc<Letter>> {
        let places = self.places.get(id).map_or(&[][..], Vec::as_slice);
        places.iter().map(|place| &self.letters[*place])
    }

    /// The letter that has this MessageId now; no other has.
    pub(super) fn present(&self, id: &str) -> Option<&Arc<Letter>> {
        self.find(id).find(|letter| letter.message.message_id == id)
    }

    /// The letter that has been here longest, of those that say since when.
    pub(super) fn oldest(&self) -> Option<(&Letter, Timestamp)> {
        let mut letters = self.letters.iter();
        letters.find_map(|letter| Some((&**letter, letter.dead_at()?)))
    }

    /// The snapshot without letters that are gone, by their present MessageIds.
    pub(super) fn without(&self, gone: &HashSet<String>) -> Self {
        let left = self.letters.iter();
        let left = left.filter(|letter| !gone.contains(&letter.message.message_id));
        let left: Vec<_> = left.cloned().collect();
        let changed = self.changed + self.letters.len() - left.len();
        Self::new(left, self.taken_at, self.report.clone(), changed)
    }
}

/// A scan that runs.
#[derive(Debug)]
pub(super) struct Scanning {
    seen: AtomicUsize,
    stop: CancellationToken,
}

/// What all pages share: the snapshot and what is going on.
#[derive(Debug, Default)]
pub(super) struct Desk {
    pub(super) snapshot: Option<Arc<Snapshot>>,
    pub(super) scanning: Option<Arc<Scanning>>,
    /// Why the last scan saw nothing at all.
    scan_error: Option<String>,
    pub(super) plans: Plans,
    pub(super) jobs: Jobs,
}

impl Console {
    pub(super) fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.desk().snapshot.clone()
    }

    /// Says whether a scan is running.
    pub(super) fn is_scanning(&self) -> bool {
        self.desk().scanning.is_some()
    }

    /// Starts a scan unless one is running. Says whether one is now: beside a job, none begins.
    fn start_scan(self: &Arc<Self>) -> bool {
        let mut desk = self.desk();
        if desk.scanning.is_some() {
            return true;
        }
        if desk.jobs.running().is_some() {
            return false;
        }
        let scanning = Arc::new(Scanning {
            seen: AtomicUsize::new(0),
            stop: self.stop.child_token(),
        });
        desk.scanning = Some(scanning.clone());
        let console = self.clone();
        self.tasks
            .spawn(async move { console.scan(&scanning).await });
        true
    }

    async fn scan(&self, scanning: &Scanning) {
        let (mut letters, mut bytes) = (Vec::new(), 0);
        let look = |letter: Letter| {
            bytes += letter.size();
            letters.push(Arc::new(letter));
            scanning.seen.store(letters.len(), Ordering::Relaxed);
            match bytes > MOST_BYTES {
                true => ControlFlow::Break(End::Full),
                false => ControlFlow::Continue(()),
            }
        };
        let queue = &self.queues.dead_letters;
        let report = scan(queue, ScanOptions::default(), &scanning.stop, look).await;
        let report = match report {
            Ok(report) => report,
            Err(error) => {
                tracing::warn!(%error, "the internal queue cannot be scanned");
                let mut desk = self.desk();
                desk.scan_error = Some(error.to_string());
                desk.scanning = None;
                return;
            }
        };
        letters.sort_by_cached_key(|letter: &Arc<Letter>| letter.order());
        self.forget_counts().await;
        let snapshot = Snapshot::new(letters, self.clock.now(), Arc::new(report), 0);
        let mut desk = self.desk();
        desk.snapshot = Some(Arc::new(snapshot));
        desk.scan_error = None;
        desk.scanning = None;
    }
}

/// Starts a scan and goes back to where it was asked for.
pub(super) async fn start(
    State(console): State<Arc<Console>>,
    Extension(session): Extension<Arc<Session>>,
    Extension(form): Extension<Fields>,
) -> Response {
    match console.start_scan() {
        true => Redirect::to(local_address(form.get("next"))).into_response(),
        false => layout::refusal(
            StatusCode::CONFLICT,
            Some(&session),
            "One thing at a time",
            "A job is running, and holds what a scan would want to see. Scan when it has ended.",
        ),
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
    let counts = match is_counted {
        true => console.counts().await.dead_letters.ok(),
        false => None,
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
            Some(snapshot) => {
                section #snapshot .card.bar aria-label="Snapshot" {
                    div.grow {
                        p.facts {
                            strong #snapshot-count {
                                (counted(snapshot.letters.len(), "dead letter", "dead letters"))
                            }
                            " as scanned " (moment(snapshot.taken_at, console.clock.now()))
                            @if snapshot.changed > 0 {
                                ", " (grouped(snapshot.changed as u64)) " replayed or dropped since"
                            }
                        }
                        (more(snapshot))
                        @for note in &snapshot.report.notes() { p.note { (layout::strange(note)) } }
                    }
                    (scan_button(session, next, "Scan again"))
                }
            }
            None => {
                section #snapshot .card.empty {
                    h2 { "Nothing scanned yet" }
                    p {
                        "The letters in the internal queue are shown once you scan it. While a scan runs, others \
                         do not see what it has read; when it ends, everything is given back, and nothing is \
                         taken out."
                    }
                    @if of > 0 {
                        p { "The queue holds about " strong { (grouped(of)) } " now." }
                    }
                    (scan_button(session, next, "Scan the internal queue"))
                }
            }
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
