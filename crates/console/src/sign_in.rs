//! Signing in with the token and a name, and out again.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use maud::html;
use tokio::time::Instant;
use url::form_urlencoded;

use super::door::TokenCheck;
use super::form::{Fields, local_address};
use super::layout::{self, Page, Tab};
use super::session::{self, Session};
use super::{Console, guard};

/// The longest name, in characters.
const LONGEST_NAME: usize = 64;

/// The address at which to sign in and then go on to another.
pub(super) fn address(then: &str) -> String {
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("next", local_address(then))
        .finish();
    format!("/sign-in?{query}")
}

pub(super) async fn show(State(console): State<Arc<Console>>, request: Request) -> Response {
    let fields = Fields::of_query(request.uri().query());
    let next = local_address(fields.get("next"));
    if console.settings.token.is_none() {
        return Redirect::to(next).into_response();
    }
    form(StatusCode::OK, next, "", None)
}

pub(super) async fn enter(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    // There is no session yet whose token the form could carry. Another site that makes a browser sign in would
    // need to know the token.
    if !guard::is_from_our_page(&head.headers) {
        return layout::refusal(
            StatusCode::FORBIDDEN,
            None,
            "Not from a page of ours",
            "Another site tried to sign you in.",
        );
    }
    let fields = Fields::of_body(body).await.unwrap_or_default();
    let next = local_address(fields.get("next"));
    let Some(token) = &console.settings.token else {
        return Redirect::to(next).into_response();
    };
    let name = fields.get("name").trim();
    if !is_name(name) {
        let problem = format!("Write your name, of at most {LONGEST_NAME} characters.");
        return form(StatusCode::UNPROCESSABLE_ENTITY, next, name, Some(&problem));
    }
    match console.door.try_token(token, fields.get("token")).await {
        TokenCheck::Right => {
            let session = console.sessions().open(name, true, Instant::now());
            tracing::info!(who = name, "signed in");
            let mut response = Redirect::to(next).into_response();
            layout::set_cookie(&mut response, &session.cookie(&head.headers));
            response
        }
        TokenCheck::Wrong => {
            tracing::warn!(who = name, "a wrong token was given");
            let problem =
                "This is not the token. It is what console.token names in the configuration.";
            form(StatusCode::FORBIDDEN, next, name, Some(problem))
        }
        TokenCheck::Busy => {
            let problem = "Too many are signing in at the same time. Try again in a moment.";
            form(StatusCode::TOO_MANY_REQUESTS, next, name, Some(problem))
        }
    }
}

pub(super) async fn leave(
    State(console): State<Arc<Console>>,
    Extension(session): Extension<Arc<Session>>,
    request: Request,
) -> Response {
    console.sessions().close(&session);
    let mut response = Redirect::to("/sign-in").into_response();
    layout::set_cookie(&mut response, &session::no_cookie(request.headers()));
    response
}

/// A name stands in a line of the audit log.
fn is_name(name: &str) -> bool {
    let length = name.chars().count();
    (1..=LONGEST_NAME).contains(&length)
        && !super::text::hides(name)
        && !name.contains(['\n', '\t'])
}

fn form(status: StatusCode, next: &str, name: &str, problem: Option<&str>) -> Response {
    let content = html! {
        form #sign-in .narrow.card method="post" action="/sign-in" {
            h1 { "Sign in" }
            @if let Some(problem) = problem {
                p #problem .problem role="alert" { (problem) }
            }
            input type="hidden" name="next" value=(next);
            div.field {
                label for="name" { "Your name" }
                input #name type="text" autofocus[name.is_empty()] name="name" required maxlength=(LONGEST_NAME) autocomplete="username"
                    value=(name) dir="auto" aria-describedby="name-hint";
                p #name-hint .hint { "It stands in the audit log beside everything you change." }
            }
            div.field {
                label for="token" { "Token" }
                input #token type="password" name="token" required autocomplete="current-password" autofocus[!name.is_empty()]
                    aria-describedby="token-hint";
                p #token-hint .hint { "What " code { "console.token" } " names in the configuration." }
            }
            button.primary type="submit" { "Sign in" }
        }
    };
    Page {
        session: None,
        tab: Tab::None,
        title: "Sign in",
        reload: None,
        content,
    }
    .respond(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_fits_a_line_of_the_audit_log() {
        for name in ["ada", "Zoë Ångström", "عائشة"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "a\nb", "a\u{202e}b", "a\u{1b}[2J", &"x".repeat(65)] {
            assert!(!is_name(name), "{name:?}");
        }
    }

    #[test]
    fn the_way_back_stays_on_this_site() {
        assert_eq!(
            address("/letters?group=a"),
            "/sign-in?next=%2Fletters%3Fgroup%3Da"
        );
        assert_eq!(address("//evil.example"), "/sign-in?next=%2F");
    }
}
