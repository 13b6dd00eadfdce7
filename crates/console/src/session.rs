//! Who is looking: sessions, each with a name for the audit log and a token that its forms carry.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::header::COOKIE;
use subtle::{Choice, ConstantTimeEq};
use tokio::time::Instant;
use uuid::Uuid;

use super::guard;

/// What the cookie that holds the id of a session is called; a port is added, see [`cookie_name`].
const COOKIE_NAME: &str = "hooklane_session";

/// The most sessions at the same time. The oldest to which nobody came back makes room, else the oldest: callers
/// that keep no cookie get a new one each time, and would push out people.
const MOST: usize = 64;

/// How long a session lasts.
const LASTS: Duration = Duration::from_secs(12 * 3600);

/// One session. Its id is what the cookie holds; `Debug` shows neither of its secrets.
pub(super) struct Session {
    id: String,
    /// What every form of this session carries.
    pub(super) form_token: String,
    /// Who it is, for the audit log.
    pub(super) name: String,
    /// Whether somebody signed in, rather than being let in.
    pub(super) signed_in: bool,
    ends: Instant,
    /// Whether somebody came back with its cookie.
    is_kept: AtomicBool,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Session {
    /// The cookie to set: for this site only, out of reach of scripts, never sent along from elsewhere.
    pub(super) fn cookie(&self, request: &HeaderMap) -> String {
        set_cookie(&self.id, LASTS, request)
    }

    /// Says whether a form carries this session's token, in a time that does not depend on the answer.
    pub(super) fn sent(&self, form_token: &str) -> bool {
        self.form_token
            .as_bytes()
            .ct_eq(form_token.as_bytes())
            .into()
    }
}

/// The cookie that takes the session's away.
pub(super) fn no_cookie(request: &HeaderMap) -> String {
    set_cookie("", Duration::ZERO, request)
}

/// Browsers send a cookie to every port of a machine: two consoles on one would take each other's away.
fn cookie_name(request: &HeaderMap) -> String {
    match guard::port(request) {
        Some(port) => format!("{COOKIE_NAME}_{port}"),
        None => COOKIE_NAME.to_owned(),
    }
}

fn set_cookie(value: &str, lasts: Duration, request: &HeaderMap) -> String {
    let secure = if guard::is_https(request) {
        "; Secure"
    } else {
        ""
    };
    let name = cookie_name(request);
    format!(
        "{name}={value}; Path=/; Max-Age={}; HttpOnly; SameSite=Strict{secure}",
        lasts.as_secs()
    )
}

/// The sessions that are open, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    open: VecDeque<Arc<Session>>,
}

impl Sessions {
    /// Opens a session.
    pub(super) fn open(&mut self, name: &str, signed_in: bool, now: Instant) -> Arc<Session> {
        self.open.retain(|session| session.ends > now);
        while self.open.len() >= MOST {
            let kept = |session: &Arc<Session>| session.is_kept.load(Ordering::Relaxed);
            let first = self.open.iter().position(|session| !kept(session));
            self.open.remove(first.unwrap_or(0));
        }
        let session = Arc::new(Session {
            id: random(),
            form_token: random(),
            name: name.to_owned(),
            signed_in,
            ends: now + LASTS,
            is_kept: AtomicBool::new(false),
        });
        self.open.push_back(session.clone());
        session
    }

    /// The session that a request's cookie names.
    pub(super) fn of(&self, headers: &HeaderMap, now: Instant) -> Option<Arc<Session>> {
        let given = cookie(headers)?;
        let mut found = None;
        // All are compared, each in constant time: how long this takes says nothing about them.
        for session in &self.open {
            let same: Choice = session.id.as_bytes().ct_eq(given.as_bytes());
            if bool::from(same) && session.ends > now {
                found = Some(session.clone());
            }
        }
        if let Some(session) = &found {
            session.is_kept.store(true, Ordering::Relaxed);
        }
        found
    }

    /// Ends a session.
    pub(super) fn close(&mut self, session: &Arc<Session>) {
        self.open.retain(|open| !Arc::ptr_eq(open, session));
    }
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let name = cookie_name(headers);
    let cookies = headers.get_all(COOKIE).iter();
    cookies
        .filter_map(|header| header.to_str().ok())
        .flat_map(|header| header.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(name.as_str())?.strip_prefix('='))
}

/// 244 random bits of the operating system, as text.
pub(super) fn random() -> String {
    format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple())
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn request(cookies: &str) -> HeaderMap {
        HeaderMap::from_iter([(COOKIE, cookies.parse().unwrap())])
    }

    fn request_of(session: &Session) -> HeaderMap {
        request(&format!("other=1; {COOKIE_NAME}={}", session.id))
    }

    #[test]
    fn a_session_is_found_by_its_cookie_and_by_no_other() {
        let (mut sessions, now) = (Sessions::default(), Instant::now());
        let ada = sessions.open("ada", true, now);
        let bob = sessions.open("bob", true, now);
        let found = sessions.of(&request_of(&bob), now).unwrap();
        assert!(Arc::ptr_eq(&found, &bob));
        assert!(bob.sent(&bob.form_token) && !bob.sent(&ada.form_token) && !bob.sent(""));
        for cookies in ["", "hooklane_session=", "hooklane_session", "x=1"] {
            assert!(sessions.of(&request(cookies), now).is_none(), "{cookies}");
        }
        let longer = request(&format!("{COOKIE_NAME}={}0", bob.id));
        assert!(sessions.of(&longer, now).is_none());
    }

    #[test]
    fn a_session_ends_after_twelve_hours_or_when_it_is_closed() {
        let (mut sessions, now) = (Sessions::default(), Instant::now());
        let session = sessions.open("ada", true, now);
        let cookie = request_of(&session);
        let almost = now + LASTS - Duration::from_secs(1);
        assert!(sessions.of(&cookie, almost).is_some());
        assert!(sessions.of(&cookie, now + LASTS).is_none());
        sessions.close(&session);
        assert!(sessions.of(&cookie, now).is_none());
    }

    #[test]
    fn there_are_at_most_64_sessions_and_the_oldest_goes() {
        let (mut sessions, now) = (Sessions::default(), Instant::now());
        let opened: Vec<_> = (0..65)
            .map(|n| sessions.open(&n.to_string(), true, now))
            .collect();
        assert_eq!(sessions.open.len(), 64);
        assert!(sessions.of(&request_of(&opened[0]), now).is_none());
        assert!(sessions.of(&request_of(&opened[1]), now).is_some());
    }

    #[test]
    fn the_cookie_is_out_of_reach_of_scripts_and_of_other_sites() {
        let session = Sessions::default().open("ada", true, Instant::now());
        let cookie = session.cookie(&HeaderMap::new());
        assert!(
            cookie.ends_with("; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict"),
            "{cookie}"
        );
        let https = HeaderMap::from_iter([(
            HeaderName::from_static("x-forwarded-proto"),
            HeaderValue::from_static("https"),
        )]);
        assert!(
            session
                .cookie(&https)
                .ends_with("; SameSite=Strict; Secure")
        );
        assert!(no_cookie(&HeaderMap::new()).starts_with("hooklane_session=; Path=/; Max-Age=0;"));
        assert!(session.id.len() == 64 && session.id != session.form_token);
    }

    #[test]
    fn debug_shows_no_secret_of_a_session() {
        let session = Sessions::default().open("ada", true, Instant::now());
        assert_eq!(format!("{session:?}"), "Session { name: \"ada\", .. }");
    }
}
