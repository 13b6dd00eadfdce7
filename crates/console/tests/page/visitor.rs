//! The page as a browser sees it, without a socket: requests to the router, a cookie, the token of the forms.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use console::{Console, Queues, Settings};
use delivery::Secret;
use queue::Clock;
use rig::letters::{START, World};
use store::LedgerSpec;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use url::form_urlencoded;

pub(crate) const TOKEN: &str = "0123456789abcdef";

/// What everything here takes at most, on virtual time.
const PATIENCE: Duration = Duration::from_secs(600);

/// A console on a world, and a directory for what it drops.
pub(crate) struct Site {
    pub(crate) console: Arc<Console>,
    pub(crate) directory: tempfile::TempDir,
    router: Router,
}

impl Site {
    /// Everybody on this machine is let in.
    pub(crate) fn open(world: &World) -> Self {
        Self::with(world, |_| ())
    }

    /// Whoever knows [`TOKEN`] is.
    pub(crate) fn guarded(world: &World) -> Self {
        Self::with(world, |settings| settings.token = Some(Secret::new(TOKEN)))
    }

    pub(crate) fn with(world: &World, change: impl FnOnce(&mut Settings)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut settings = Settings {
            token: None,
            name: "ada@here".to_owned(),
            ledger: LedgerSpec::Sqlite(directory.path().join("ledger.db")),
            drop_dir: directory.path().to_owned(),
            authentication_header: Some("X-Payload-Signature"),
            loopback: true,
        };
        change(&mut settings);
        let queues = Queues {
            source: world.source.clone(),
            dead_letters: world.dead.clone(),
        };
        // An hour after the first deaths.
        let clock = Clock::virtual_from(START.plus(Duration::from_secs(3_600)));
        let console = Console::new(queues, settings, clock, CancellationToken::new());
        Self {
            router: console.clone().router(),
            console,
            directory,
        }
    }

    pub(crate) fn visitor(&self) -> Visitor {
        Visitor {
            router: self.router.clone(),
            cookie: None,
            form_token: String::new(),
            headers: vec![("host", "127.0.0.1:9465".to_owned())],
        }
    }
}

/// Somebody with a browser.
#[derive(Clone)]
pub(crate) struct Visitor {
    router: Router,
    pub(crate) cookie: Option<String>,
    pub(crate) form_token: String,
    pub(crate) headers: Vec<(&'static str, String)>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Where it sends the browser.
    pub(crate) fn location(&self) -> &str {
        assert_eq!(self.status, StatusCode::SEE_OTHER, "{}", self.body);
        self.header("location").unwrap()
    }

    /// What stands between two texts.
    pub(crate) fn between(&self, before: &str, after: &str) -> &str {
        let (_, rest) = self
            .body
            .split_once(before)
            .unwrap_or_else(|| panic!("no {before} in {}", self.body));
        rest.split_once(after).unwrap().0
    }

    #[track_caller]
    pub(crate) fn says(&self, text: &str) -> &Self {
        assert!(self.body.contains(text), "{text:?} is not in {}", self.body);
        self
    }

    /// It does not say this.
    pub(crate) fn says_not(&self, text: &str) -> &Self {
        assert!(!self.body.contains(text), "{text}: {}", self.body);
        self
    }

    #[track_caller]
    pub(crate) fn is(&self, status: u16) -> &Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        self
    }
}

impl Visitor {
    /// The same browser, sending another header too.
    pub(crate) fn sending(&self, name: &'static str, value: &str) -> Self {
        let mut other = self.clone();
        other.headers.retain(|(n, _)| *n != name);
        other.headers.push((name, value.to_owned()));
        other
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.ask(Method::GET, path, Body::empty()).await
    }

    /// Sends a form of a page, with the token that such a form has.
    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let token = self.form_token.clone();
        let fields = fields
            .iter()
            .copied()
            .chain([("form_token", token.as_str())]);
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        self.ask(Method::POST, path, Body::from(form)).await
    }

    pub(crate) async fn ask(&mut self, method: Method, path: &str, body: Body) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        let request = request.body(body).unwrap();
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = answer.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        let answer = Answer {
            status: head.status,
            headers: head.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        };
        if let Some(cookie) = answer.header("set-cookie") {
            self.cookie = cookie.split(';').next().map(str::to_owned);
        }
        let token = answer.body.split_once(r#"name="form_token" value=""#);
        if let Some((_, rest)) = token {
            self.form_token = rest.split_once('"').unwrap().0.to_owned();
        }
        answer
    }

    /// Signs in with the right token.
    pub(crate) async fn sign_in(&mut self, name: &str) {
        let signed_in = self
            .post("/sign-in", &[("token", TOKEN), ("name", name)])
            .await;
        assert_eq!(signed_in.location(), "/");
        self.get("/").await;
    }

    /// Scans, and waits until that has ended.
    pub(crate) async fn scan(&mut self) {
        self.get("/").await;
        self.post("/scan", &[]).await.location();
        self.until_over("/scan").await;
    }

    /// Waits until a piece that refreshes itself asks for the whole page.
    pub(crate) async fn until_over(&mut self, path: &str) {
        let waited = tokio::time::timeout(PATIENCE, async {
            while self.get(path).await.status != StatusCode::RESET_CONTENT {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        waited.await.unwrap();
    }

    /// Previews, confirms, and waits for the result.
    pub(crate) async fn carry_out(
        &mut self,
        action: &str,
        chosen: &[(&str, &str)],
        more: &[(&str, &str)],
    ) -> Answer {
        let preview = self.post(&format!("{action}/preview"), chosen).await;
        let job = self
            .confirm(action, &preview, more)
            .await
            .location()
            .to_owned();
        self.until_over(&format!("{job}/progress")).await;
        self.get(&job).await
    }

    /// Confirms what a preview shows, and accepts whatever it warns of.
    pub(crate) async fn confirm(
        &mut self,
        action: &str,
        preview: &Answer,
        more: &[(&str, &str)],
    ) -> Answer {
        let boxes = preview.body.split(r#"name="accept" value=""#).skip(1);
        let accepted = boxes.filter_map(|rest| rest.split('"').next());
        let accepted: Vec<_> = accepted.map(|name| ("accept", name)).collect();
        self.confirm_only(action, preview, &[more, &accepted].concat())
            .await
    }

    /// Confirms what a preview shows, and accepts nothing.
    pub(crate) async fn confirm_only(
        &mut self,
        action: &str,
        preview: &Answer,
        more: &[(&str, &str)],
    ) -> Answer {
        let plan = preview.between(r#"name="plan" value=""#, "\"").to_owned();
        let fields = [more, &[("plan", plan.as_str())]].concat();
        self.post(action, &fields).await
    }
}
