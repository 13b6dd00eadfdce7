//! What every page has around its content, and the small parts they share.

use std::time::Duration;

use axum::http::StatusCode;
use axum::http::header::{self, HeaderValue};
use axum::response::{IntoResponse, Response};
use event::Timestamp;
use maud::{DOCTYPE, Markup, Render, html};

use super::session::Session;
use super::text::Strange;

/// The field that carries a session's token in every form.
pub(super) const FORM_TOKEN: &str = "form_token";

/// Which part of the site a page belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Tab {
    Overview,
    Letters,
    Jobs,
    None,
}

/// A whole page.
pub(super) struct Page<'a> {
    pub(super) session: Option<&'a Session>,
    pub(super) tab: Tab,
    pub(super) title: &'a str,
    /// After how long browsers without scripts load the page again by themselves.
    pub(super) reload: Option<Duration>,
    pub(super) content: Markup,
}

impl Page<'_> {
    pub(super) fn respond(self, status: StatusCode) -> Response {
        let head = html! {
            @if let Some(every) = self.reload {
                noscript { meta http-equiv="refresh" content=(every.as_secs()); }
            }
        };
        (status, page_headers(), self.render(&head).into_string()).into_response()
    }

    fn render(&self, head: &Markup) -> Markup {
        let tab_link = |address, title, tab| {
            html! { a href=(address) aria-current=[(self.tab == tab).then_some("page")] { (title) } }
        };
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    title { (self.title) " · Hooklane" }
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    (head)
                    link rel="stylesheet" href="/assets/console.css";
                    link rel="icon" href="/assets/icon.svg" type="image/svg+xml";
                    script src="/assets/console.js" defer {}
                }
                body {
                    a.skip href="#main" { "Skip to the content" }
                    header.top {
                        a.brand href="/" { "Hooklane" }
                        @if let Some(session) = self.session {
                            nav aria-label="Pages" {
                                (tab_link("/", "Overview", Tab::Overview))
                                (tab_link("/letters", "Dead letters", Tab::Letters))
                                (tab_link("/jobs", "Jobs", Tab::Jobs))
                            }
                            div.who {
                                span.name { (Strange(&session.name)) }
                                @if session.signed_in {
                                    form method="post" action="/sign-out" {
                                        (form_token(session))
                                        button #sign-out.quiet type="submit" { "Sign out" }
                                    }
                                }
                            }
                        }
                    }
                    main #main tabindex="-1" { (self.content) }
                }
            }
        }
    }
}

fn page_headers() -> [(header::HeaderName, &'static str); 1] {
    [(header::CONTENT_TYPE, "text/html; charset=utf-8")]
}

/// A piece of a page, which its script puts in the place of the one before.
pub(super) fn fragment(content: Markup) -> Response {
    (page_headers(), content.into_string()).into_response()
}

/// A page that says why something was refused.
pub(super) fn refusal(
    status: StatusCode,
    session: Option<&Session>,
    title: &str,
    why: &str,
) -> Response {
    let content = html! {
        div.narrow.card {
            h1 { (title) }
            p { (why) }
            p { a href="/" { "To the overview" } }
        }
    };
    Page {
        session,
        tab: Tab::None,
        title,
        reload: None,
        content,
    }
    .respond(status)
}

/// The answer to somebody who followed a link from another site: browsers then send no `SameSite=Strict`
/// cookie, so the page asks for itself once more, now from here.
pub(super) fn bounce() -> Response {
    let head = html! { meta http-equiv="refresh" content="0"; };
    let content = html! {
        div.narrow.card { p { "One moment. " a href="" { "Go on" } } }
    };
    let page = Page {
        session: None,
        tab: Tab::None,
        title: "One moment",
        reload: None,
        content,
    };
    (page_headers(), page.render(&head).into_string()).into_response()
}

pub(super) fn set_cookie(response: &mut Response, cookie: &str) {
    if let Ok(cookie) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}

/// The field that shows that a form is of this session.
pub(super) fn form_token(session: &Session) -> Markup {
    html! { input type="hidden" name=(FORM_TOKEN) value=(session.form_token); }
}

/// A text that came from elsewhere.
pub(super) fn strange(text: &str) -> Markup {
    Strange(text).render()
}

/// A moment, in UTC, with how long ago it was.
pub(super) fn moment(at: Timestamp, now: Timestamp) -> Markup {
    html! {
        time datetime=(at.to_string()) {
            span.at { (short(at)) } " "
            span.ago data-ago=(at.as_millis()) { (ago(at, now)) }
        }
    }
}

/// `2026-11-20 10:00:05`: to the second, in UTC.
pub(super) fn short(at: Timestamp) -> String {
    at.event_datetime().replacen('T', " ", 1)
}

/// How long ago a moment was, in the largest unit that fits. The script counts on in the same words.
pub(super) fn ago(at: Timestamp, now: Timestamp) -> String {
    let seconds = at.until(now).as_secs();
    match seconds {
        _ if at > now => "in the future".to_owned(),
        0..5 => "just now".to_owned(),
        5..60 => format!("{seconds} s ago"),
        60..3_600 => format!("{} min ago", seconds / 60),
        3_600..172_800 => format!("{} h ago", seconds / 3_600),
        _ => format!("{} d ago", seconds / 86_400),
    }
}

/// A status with its usual name: `502 Bad Gateway`.
pub(super) fn status_name(status: u16) -> String {
    let known = StatusCode::from_u16(status).ok();
    match known.and_then(|status| status.canonical_reason()) {
        Some(name) => format!("{status} {name}"),
        None => status.to_string(),
    }
}

/// A number with its digits in threes.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `1 dead letter`, `2,000 dead letters`.
pub(super) fn counted(number: usize, one: &str, many: &str) -> String {
    match number {
        1 => format!("1 {one}"),
        _ => format!("{} {many}", grouped(number as u64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_threes() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (12_345_678, "12,345,678"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn how_long_ago_is_told_in_the_largest_unit_that_fits() {
        let now = Timestamp::from_millis(1_739_370_645_000);
        let before = |seconds: u64| Timestamp::from_millis(now.as_millis() - seconds * 1_000);
        for (seconds, text) in [
            (0, "just now"),
            (59, "59 s ago"),
            (60, "1 min ago"),
            (3_599, "59 min ago"),
            (47 * 3_600, "47 h ago"),
            (48 * 3_600, "2 d ago"),
        ] {
            assert_eq!(ago(before(seconds), now), text);
        }
        assert_eq!(ago(now.plus(Duration::from_secs(9)), now), "in the future");
    }
}
