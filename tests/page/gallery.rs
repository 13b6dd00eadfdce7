//! A page to take pictures of: queues and page in this process, since their clock and their ids must be the same each
//! time.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use console::{Console, Queues, Settings, serve};
use delivery::Secret;
use event::Timestamp;
use local_sqs::{Limits, LocalSqs};
use queue::admin::{Kind, create_pair};
use queue::{Clock, Queue, Sqs};
use store::{Ledger, LedgerSpec};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::browser::Browser;
use crate::letters::{Letter, MORNING, note, put};

/// How long the ledger keeps what it knows; longer than anybody takes pictures.
const RETENTION: Duration = Duration::from_secs(24 * 3600);

/// Lets everything that happened while pictures were taken have happened at their moment.
const AT_ONCE: &str = "
    const [now, text] = arguments;
    for (const time of document.querySelectorAll('time')) {
        const [at, ago] = ['.at', '.ago'].map(part => time.querySelector(part));
        if (!at || !ago || Date.parse(time.dateTime) < now) continue;
        [at.textContent, ago.textContent] = [text, 'just now'];
    }
";

/// When the pictures are taken: the day after the first events were sent, 2026-11-21T10:00:00Z.
fn now() -> Timestamp {
    MORNING.plus(Duration::from_secs(26 * 3600))
}

pub(crate) struct Gallery {
    pub(crate) browser: Browser,
    url: String,
    stop: CancellationToken,
    serving: Option<JoinHandle<()>>,
    _files: TempDir,
}

impl Gallery {
    /// The page of an internal queue with these letters.
    pub(crate) fn of(letters: &[Letter]) -> Self {
        Self::with(letters, None)
    }

    /// One at which people have to sign in.
    pub(crate) fn guarded(token: &str) -> Self {
        Self::with(&[], Some(Secret::new(token)))
    }

    fn with(letters: &[Letter], token: Option<Secret>) -> Self {
        let files = tempfile::tempdir().expect("a directory");
        let settings = Settings {
            token,
            name: "ada".to_owned(),
            ledger: LedgerSpec::Sqlite(files.path().join("hooklane.db")),
            drop_dir: PathBuf::from("/var/lib/hooklane"),
            authentication_header: Some("X-Payload-Signature"),
            loopback: true,
        };
        let stop = CancellationToken::new();
        let (serving, url) = start(letters.to_vec(), settings, stop.clone());
        let browser = Browser::start();
        browser.stop_clock(now());
        Self {
            browser,
            url,
            stop,
            serving: Some(serving),
            _files: files,
        }
    }

    pub(crate) fn open(&self, path: &str) {
        self.browser.open(&format!("{}{path}", self.url));
    }

    pub(crate) fn scan(&self) {
        self.open("/");
        self.browser.press("Scan the internal queue");
        self.browser.wait_for_text("as scanned");
    }

    /// Takes a picture of the page that is open: all of it, or what the window shows.
    pub(crate) fn picture(&self, file: &Path, scheme: &str, all: bool) {
        self.browser.prefer(scheme);
        let shown = now().event_datetime().replacen('T', " ", 1);
        let arguments = vec![now().as_millis().into(), shown.into()];
        self.browser.script(AT_ONCE, arguments);
        self.browser.picture(file, all);
    }
}

impl Drop for Gallery {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(serving) = self.serving.take() {
            let _ = serving.join();
        }
    }
}

/// Serves the page in a thread of its own until it is told to stop, and says where.
fn start(
    letters: Vec<Letter>,
    settings: Settings,
    stop: CancellationToken,
) -> (JoinHandle<()>, String) {
    let (listening, address) = channel();
    let serving = thread::spawn(move || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime")
            .block_on(serve_letters(letters, settings, stop, listening));
    });
    (serving, address.recv().expect("it listens"))
}

async fn serve_letters(
    letters: Vec<Letter>,
    settings: Settings,
    stop: CancellationToken,
    listening: Sender<String>,
) {
    let local = LocalSqs::seeded(Limits::default(), 7);
    let sqs = Sqs::in_process(local.http_client());
    let pair = create_pair(&sqs, "events", Kind::Fifo).await;
    let pair = pair.expect("a queue pair");
    let open = async |url: &str| Queue::open(&sqs, url).await.expect("opened");
    let queues = Queues {
        source: open(&pair.source_url).await,
        dead_letters: open(&pair.dead_letter_url).await,
    };
    let messages = letters
        .iter()
        .map(|letter| letter.message(queues.source.url()));
    put(&queues.dead_letters, messages.collect()).await;
    // As if workers had run with it.
    let ledger = Ledger::open(&settings.ledger, RETENTION).await;
    let ledger = ledger.expect("opened");
    note(&ledger, queues.source.url(), &letters).await;

    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    listening.send(url).expect("waited for");
    let console = Console::new(queues, settings, Clock::virtual_from(now()), stop);
    serve(listener, console).await;
}
