//! Headless Chromium, driven over WebDriver the way a person uses it: by the names of links, buttons and fields, by
//! keys, by what the page says. Nothing here sleeps for a result: everything looks until it is there, within a bound.

use std::future::Future;
use std::time::Duration;

use rig::program::Service;
use serde_json::{Value, json};
use tempfile::TempDir;
use thirtyfour::TypingData;
use thirtyfour::prelude::*;
use tokio::runtime::Runtime;
use tokio::time::{Instant, sleep};

use crate::driver;

/// Longer than anything on the page takes, even on a machine that is busy: only a failing test waits so long.
const PATIENCE: Duration = Duration::from_secs(30);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// Of a page that is not as a test wants it, so much is told.
const TOLD: usize = 6_000;

/// The name of a link, button or field as a reader sees or hears it.
const NAME: &str = r"
    const squeezed = text => (text || '').replace(/\s+/g, ' ').trim();
    const labelled = element => {
        if (!element.labels || !element.labels.length) return '';
        const label = element.labels[0].cloneNode(true);
        label.querySelectorAll('input, select, textarea, small').forEach(part => part.remove());
        return label.textContent;
    };
    const nameOf = element => squeezed(
        element.getAttribute('aria-label') || labelled(element) || element.textContent || element.value);
";

const NAMED: &str = r"
    const [kind, name] = arguments;
    const candidates = {
        link: 'a[href]',
        button: 'button, input[type=submit], summary',
        field: 'input:not([type=hidden]), select, textarea',
    }[kind];
    return [...document.querySelectorAll(candidates)]
        .find(element => element.checkVisibility() && nameOf(element) === name) || null;
";

const FOCUS: &str = r"
    const element = document.activeElement;
    const style = getComputedStyle(element);
    return [nameOf(element), element === document.body
        || style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2];
";

/// A browser of its own, with a profile of its own, for one test.
pub(crate) struct Browser {
    session: WebDriver,
    runtime: Runtime,
    /// Ends before the folder is removed.
    _driver: Service,
    _folder: TempDir,
}

impl Browser {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().expect("a directory");
        let (driver, port) = driver::start(folder.path());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        // Whatever proxy is set, the driver is on this machine.
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE);
        let session = runtime.block_on(async {
            let client = client.build().expect("a client");
            WebDriver::builder(
                format!("http://127.0.0.1:{port}"),
                driver::capabilities(folder.path()),
            )
            .client(client)
            .await
        });
        let browser = Self {
            session: session.expect("Chromium starts; scripts/chromium installs it"),
            runtime,
            _driver: driver,
            _folder: folder,
        };
        browser.desktop();
        browser
    }

    /// Goes to an address and waits until the page is loaded.
    pub(crate) fn open(&self, url: &str) {
        self.wait(self.session.goto(url));
    }

    /// Goes back in the history.
    pub(crate) fn back(&self) {
        self.wait(self.session.back());
    }

    /// The address that is open.
    pub(crate) fn url(&self) -> url::Url {
        self.wait(self.session.current_url())
    }

    pub(crate) fn title(&self) -> String {
        self.wait(self.session.title())
    }

    /// Clicks on the first element that a CSS selector finds.
    pub(crate) fn click(&self, css: &str) {
        self.act(css, async || {
            self.session.find(By::Css(css)).await?.click().await
        });
    }

    /// Follows a link by its name.
    pub(crate) fn follow(&self, link: &str) {
        self.act(&format!("the link {link:?}"), async || {
            self.named("link", link).await?.click().await
        });
    }

    /// Presses a button by its name.
    pub(crate) fn press(&self, button: &str) {
        self.act(&format!("the button {button:?}"), async || {
            self.named("button", button).await?.click().await
        });
    }

    /// Follows the first link, within what a CSS selector finds, whose text holds this.
    pub(crate) fn follow_in(&self, css: &str, part: &str) {
        self.act(&format!("a link with {part:?} in {css}"), async || {
            let script = "return [...document.querySelector(arguments[0]).querySelectorAll('a')]
                .find(link => link.textContent.includes(arguments[1]));";
            let arguments = vec![json!(css), json!(part)];
            let link = self.session.execute(script, arguments).await?.element()?;
            link.click().await
        });
    }

    /// Writes into a field by its label, in place of what stands there.
    pub(crate) fn fill(&self, field: &str, text: &str) {
        self.act(&format!("the field {field:?}"), async || {
            let element = self.named("field", field).await?;
            element.clear().await?;
            element.send_keys(text).await
        });
    }

    /// Ticks a box by its label.
    pub(crate) fn tick(&self, field: &str) {
        self.act(&format!("the box {field:?}"), async || {
            self.named("field", field).await?.click().await
        });
    }

    /// What stands in a field, by its label.
    pub(crate) fn value(&self, field: &str) -> String {
        self.look(&format!("the field {field:?}"), async || {
            self.named("field", field).await?.prop("value").await
        })
    }

    /// Whether a link, button or field of this name can be seen now.
    pub(crate) fn has(&self, kind: &str, name: &str) -> bool {
        !self
            .script(&format!("{NAME}{NAMED}"), vec![json!(kind), json!(name)])
            .is_null()
    }

    /// Types keys to whatever has the focus.
    pub(crate) fn keys(&self, keys: impl Into<TypingData>) {
        self.wait(self.session.action_chain().send_keys(keys).perform());
    }

    /// The text that a reader sees of the first element that a CSS selector finds.
    pub(crate) fn text(&self, css: &str) -> String {
        self.look(css, async || {
            self.session
                .find(By::Css(css))
                .await?
                .text()
                .await
                .map(Some)
        })
    }

    /// The texts that a reader sees of all that a CSS selector finds now.
    pub(crate) fn texts(&self, css: &str) -> Vec<String> {
        let script = "return [...document.querySelectorAll(arguments[0])].map(found => found.innerText.trim());";
        let texts = self.script(script, vec![json!(css)]);
        serde_json::from_value(texts).expect("texts")
    }

    /// How many elements a CSS selector finds now.
    pub(crate) fn count(&self, css: &str) -> usize {
        self.texts(css).len()
    }

    /// Waits until the page says this somewhere.
    pub(crate) fn wait_for_text(&self, text: &str) {
        self.look(&format!("the text {text:?}"), async || {
            let says = "return document.body.innerText.includes(arguments[0]);";
            let says = self.session.execute(says, vec![json!(text)]).await?;
            Ok((says.json() == true).then_some(()))
        });
    }

    /// Waits until the first element that a CSS selector finds says exactly this.
    pub(crate) fn wait_for(&self, css: &str, text: &str) {
        self.look(&format!("{text:?} in {css}"), async || {
            let found = self.session.find(By::Css(css)).await?.text().await?;
            Ok((found == text).then_some(()))
        });
    }

    /// Waits until the address holds this.
    pub(crate) fn wait_for_url(&self, part: &str) {
        self.look(&format!("an address with {part:?}"), async || {
            let url = self.session.current_url().await?;
            Ok(url.as_str().contains(part).then_some(()))
        });
    }

    /// The name of the link, button or field that has the focus, and whether a ring shows it.
    pub(crate) fn focused(&self) -> (String, bool) {
        let focus = self.script(&format!("{NAME}{FOCUS}"), vec![]);
        serde_json::from_value(focus).expect("a name and a truth")
    }

    /// Presses Tab until the focus is on this, at most so often.
    pub(crate) fn tab_to(&self, name: &str, most: usize) {
        let mut met = Vec::new();
        for _ in 0..most {
            self.keys(Key::Tab);
            let (focused, ring) = self.focused();
            assert!(ring, "the focus on {focused:?} cannot be seen");
            if focused == name {
                return;
            }
            met.push(focused);
        }
        panic!("{name:?} is not met with {most} presses of Tab: {met:?}");
    }

    /// Waits until a script says true.
    pub(crate) fn wait_until(&self, condition: &str) {
        let script = format!("return Boolean({condition});");
        self.look(condition, async || {
            let answer = self.session.execute(script.as_str(), Vec::new()).await?;
            Ok((answer.json() == true).then_some(()))
        });
    }

    /// Runs a script and returns what it does, a promise's value if it returns one.
    pub(crate) fn script(&self, script: &str, arguments: Vec<Value>) -> Value {
        self.wait(self.session.execute(script, arguments))
            .json()
            .clone()
    }

    /// What the page wrote to the console since the last call, and what the browser complained of there.
    pub(crate) fn console(&self) -> Vec<String> {
        let entries = self.wait(self.session.browser_log());
        entries.into_iter().map(|entry| entry.message).collect()
    }

    /// Names and roles of all that a screen reader meets: `(role, name)`.
    pub(crate) fn spoken(&self) -> Vec<(String, String)> {
        let tree = self.devtools("Accessibility.getFullAXTree", json!({}));
        let nodes = tree["nodes"].as_array().expect("nodes");
        let said = |node: &Value, what: &str| {
            let said = node[what]["value"].as_str().unwrap_or_default();
            said.to_owned()
        };
        let heard = nodes.iter().filter(|node| node["ignored"] == false);
        heard
            .map(|node| (said(node, "role"), said(node, "name")))
            .collect()
    }

    /// Lets pages read and write the clipboard without a question.
    pub(crate) fn allow_clipboard(&self) {
        let permissions = json!({"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]});
        self.devtools("Browser.grantPermissions", permissions);
    }

    /// Runs no script of any page from now on.
    pub(crate) fn without_scripts(&self) {
        self.devtools(
            "Emulation.setScriptExecutionDisabled",
            json!({"value": true}),
        );
    }

    /// A command of the DevTools protocol.
    pub(crate) fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.wait(self.session.cdp().send_raw(command, parameters))
    }

    async fn named(&self, kind: &str, name: &str) -> WebDriverResult<WebElement> {
        let arguments = vec![json!(kind), json!(name)];
        let script = format!("{NAME}{NAMED}");
        self.session.execute(script, arguments).await?.element()
    }

    /// Waits for a call that must succeed.
    fn wait<T>(&self, call: impl Future<Output = WebDriverResult<T>>) -> T {
        match self.runtime.block_on(call) {
            Ok(done) => done,
            Err(error) => panic!("the browser: {error}"),
        }
    }

    /// Does it as soon as it can be done.
    fn act(&self, what: &str, mut action: impl AsyncFnMut() -> WebDriverResult<()>) {
        self.look(what, async || action().await.map(Some));
    }

    /// Looks until it is there. What stands in the way may go: a page is loading, an element has been replaced.
    fn look<T>(&self, what: &str, mut look: impl AsyncFnMut() -> WebDriverResult<Option<T>>) -> T {
        let found = self.runtime.block_on(async {
            let deadline = Instant::now() + PATIENCE;
            loop {
                let why = match look().await {
                    Ok(Some(found)) => return Ok(found),
                    Ok(None) => String::new(),
                    Err(error) => error.to_string(),
                };
                if Instant::now() >= deadline {
                    return Err(why);
                }
                sleep(PAUSE).await;
            }
        });
        found.unwrap_or_else(|why| panic!("not there: {what}\n{why}\n{}", self.state()))
    }

    /// Where a test stands that fails.
    fn state(&self) -> String {
        let text = self.script("return document.body && document.body.innerText;", vec![]);
        let text: String = text
            .as_str()
            .unwrap_or_default()
            .chars()
            .take(TOLD)
            .collect();
        format!("{}\n{text}\nconsole: {:?}", self.url(), self.console())
    }
}

/// Chromium ends with its session; if that hangs, with its driver.
impl Drop for Browser {
    fn drop(&mut self) {
        let session = self.session.clone();
        let quit = async { tokio::time::timeout(PATIENCE, session.quit()).await };
        let _ = self.runtime.block_on(quit);
    }
}
