//! The routes, and what every request goes through first: is it for us, from whom, and may it change anything.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::{self, HeaderValue};
use axum::http::{HeaderName, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use serve::Limits;
use tokio::net::TcpListener;
use tokio::time::Instant;

use super::form::Fields;
use super::session::Session;
use super::{
    Console, actions, assets, counts, detail, guard, layout, list, overview, preview, scan, sign_in,
};

/// How long answers that are being written may take after the stop.
const GRACE: Duration = Duration::from_secs(2);

/// On every answer, errors included. Nothing but our own two files may run or style; no other site may frame,
/// read or keep a page.
const HEADERS: [(HeaderName, HeaderValue); 8] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
             form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        ),
    ),
    (
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    ),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    ),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (
        HeaderName::from_static("x-robots-tag"),
        HeaderValue::from_static("noindex"),
    ),
];

/// What browsers may take. No call to SQS, and so no answer, takes as long as a standstill.
const LIMITS: Limits = Limits {
    connections: 256,
    head: Duration::from_secs(10),
    standstill: Duration::from_secs(60),
};

/// Serves the page until it is told to stop; then scans and jobs give back what they hold, which is waited for.
pub async fn serve(listener: TcpListener, console: Arc<Console>) {
    let stop = console.stop.clone();
    let late = async {
        stop.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        () = serve::serve(listener, console.clone().router(), LIMITS, stop.clone()) => {}
        () = late => {}
    }
    console.finish().await;
}

impl Console {
    /// Stops what runs and waits until it has given back what it holds.
    pub async fn finish(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Everything that can be asked for.
    pub fn router(self: Arc<Self>) -> Router {
        Router::new()
            .route("/", get(overview::show))
            .route("/counts", get(counts::show))
            .route("/scan", get(scan::progress).post(scan::start))
            .route("/scan/stop", post(scan::stop))
            .route("/letters", get(list::show))
            .route("/letters/{id}", get(detail::show))
            .route("/letters/{id}/body", get(detail::raw_body))
            .route("/letters/{id}/request-body", get(detail::request_body))
            .route("/replay/preview", post(preview::replay))
            .route("/drop/preview", post(preview::drop))
            .route("/replay", post(actions::replay))
            .route("/drop", post(actions::drop))
            .route("/jobs", get(actions::all))
            .route("/jobs/{id}", get(actions::show))
            .route("/jobs/{id}/progress", get(actions::progress))
            .route("/jobs/{id}/stop", post(actions::stop))
            .route("/sign-out", post(sign_in::leave))
            .fallback(nothing_here)
            .method_not_allowed_fallback(not_so)
            .layer(from_fn_with_state(self.clone(), admit))
            // In front of the sessions.
            .route("/sign-in", get(sign_in::show).post(sign_in::enter))
            .route("/assets/{name}", get(assets::show))
            .layer(from_fn_with_state(self.clone(), harden))
            .with_state(self)
    }
}

/// Refuses what is not for us, and puts the headers on whatever is answered.
async fn harden(State(console): State<Arc<Console>>, request: Request, next: Next) -> Response {
    let mut response = if console.is_for_us(&request) {
        next.run(request).await
    } else {
        layout::refusal(
            StatusCode::MISDIRECTED_REQUEST,
            None,
            "This name is not ours",
            "The page listens on this machine only: open it at the address that it printed, or as http://localhost with its port.",
        )
    };
    response.headers_mut().extend(HEADERS);
    response
}

impl Console {
    fn is_for_us(&self, request: &Request) -> bool {
        // A proxy may keep the name it was asked for. Without a token nobody has a reason to put one before us.
        let behind_proxy = self.settings.token.is_some() && guard::was_forwarded(request.headers());
        !self.settings.loopback || behind_proxy || guard::names_loopback(request.headers())
    }
}

/// Finds the session, or opens one, or asks to sign in; lets a change pass only from a form of that session.
async fn admit(State(console): State<Arc<Console>>, request: Request, next: Next) -> Response {
    let known = console.sessions().of(request.headers(), Instant::now());
    match known {
        Some(session) => with_session(session, request, next).await,
        None if !request.method().is_safe() => signed_out(),
        None if guard::is_cross_site(request.headers()) => layout::bounce(),
        None if console.settings.token.is_some() => ask_to_sign_in(&request),
        None => {
            let name = &console.settings.name;
            let session = console.sessions().open(name, false, Instant::now());
            let cookie = session.cookie(request.headers());
            let mut response = with_session(session, request, next).await;
            layout::set_cookie(&mut response, &cookie);
            response
        }
    }
}

async fn with_session(session: Arc<Session>, mut request: Request, next: Next) -> Response {
    if !request.method().is_safe() {
        let (head, body) = request.into_parts();
        let Some(form) = Fields::of_body(body).await else {
            return layout::refusal(
                StatusCode::PAYLOAD_TOO_LARGE,
                Some(&session),
                "Too much",
                "What was sent is too large or did not come in time. Nothing was changed.",
            );
        };
        if !guard::is_from_our_page(&head.headers) || !session.sent(form.get(layout::FORM_TOKEN)) {
            return layout::refusal(
                StatusCode::FORBIDDEN,
                Some(&session),
                "Not from a page of ours",
                "What was sent does not carry the token of your session. Nothing was changed. If you did this \
                 yourself, go back, load the page again and repeat it.",
            );
        }
        request = Request::from_parts(head, axum::body::Body::empty());
        request.extensions_mut().insert(form);
    }
    request.extensions_mut().insert(session);
    next.run(request).await
}

fn signed_out() -> Response {
    layout::refusal(
        StatusCode::FORBIDDEN,
        None,
        "You are signed out",
        "Your session has ended, or the console was started anew. Nothing was changed.",
    )
}

fn ask_to_sign_in(request: &Request) -> Response {
    // A piece of a page that refreshes itself: a redirect would put the sign-in page into it.
    if request.headers().contains_key("x-hooklane-refresh") {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let wanted = request
        .uri()
        .path_and_query()
        .map_or("/", |wanted| wanted.as_str());
    Redirect::to(&sign_in::address(wanted)).into_response()
}

async fn nothing_here(Extension(session): Extension<Arc<Session>>) -> Response {
    layout::refusal(
        StatusCode::NOT_FOUND,
        Some(&session),
        "Nothing here",
        "There is no such page.",
    )
}

/// A form's address in the address bar, say, or after signing in again.
async fn not_so(Extension(session): Extension<Arc<Session>>) -> Response {
    layout::refusal(
        StatusCode::METHOD_NOT_ALLOWED,
        Some(&session),
        "Nothing to look at here",
        "This address takes a form only. Nothing was changed.",
    )
}
