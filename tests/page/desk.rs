//! An engineer's desk: a queue pair with dead letters, `hooklane console` running on it, and a browser.

use std::ops::Deref;
use std::time::Duration;

use aws_sdk_sqs::types::MessageSystemAttributeName;
use queue::{Counts, Queue, Sqs};
use rig::program::Service;
use rig::world::World;
use store::{Ledger, LedgerSpec};

use crate::browser::Browser;
use crate::letters::{Letter, note, put};

pub(crate) struct Desk {
    pub(crate) browser: Browser,
    /// `http://ADDRESS` of the page.
    pub(crate) url: String,
    /// The internal queue.
    pub(crate) dead: Queue,
    pub(crate) world: World,
    pub(crate) console: Service,
}

/// The world's commands and queues are the desk's.
impl Deref for Desk {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

impl Desk {
    /// With these dead letters.
    pub(crate) fn with(letters: &[Letter]) -> Self {
        let world = configured("");
        fill(&world, letters);
        Self::of(world, &[])
    }

    /// In a world that has its queues and dead letters already.
    pub(crate) fn of(world: World, arguments: &[&str]) -> Self {
        let (console, url) = start_console(&world, arguments);
        Self {
            browser: Browser::start(),
            dead: dead_letters(&world),
            url,
            world,
            console,
        }
    }

    /// Opens an address of the page, from `/`.
    pub(crate) fn open(&self, path: &str) {
        self.browser.open(&format!("{}{path}", self.url));
    }

    /// Scans the internal queue and waits until the letters are there.
    pub(crate) fn scan(&self) {
        self.open("/");
        self.browser.press("Scan the internal queue");
        self.browser.wait_for_text("as scanned");
    }

    /// Scans once more, and waits until the new letters are there.
    pub(crate) fn scan_again(&self) {
        let time = "document.querySelector('#snapshot time')?.dateTime";
        self.open("/");
        let before = self.browser.script(&format!("return {time};"), vec![]);
        self.browser.press("Scan again");
        self.browser
            .wait_until(&format!("{time} && {time} !== {before}"));
    }

    /// What SQS counts in the internal queue.
    pub(crate) fn counts(&self) -> Counts {
        self.world.wait(self.dead.counts()).expect("counted")
    }

    /// How often each message of the internal queue has been received, of at most ten; this time counts.
    pub(crate) fn receive_counts(&self) -> Vec<u32> {
        let letters = self.world.raw_dead_letters();
        let counts = letters.iter().map(|letter| {
            let attributes = letter.attributes.as_ref().expect("attributes");
            let count = &attributes[&MessageSystemAttributeName::ApproximateReceiveCount];
            count.parse().expect("a number")
        });
        counts.collect()
    }
}

/// A queue pair and a configuration that names it, and this.
pub(crate) fn configured(rest: &str) -> World {
    let world = World::fifo();
    world.configure(rest);
    world
}

/// Puts letters into the internal queue, their deaths noted in the worker's ledger.
pub(crate) fn fill(world: &World, letters: &[Letter]) {
    let messages = letters
        .iter()
        .map(|letter| letter.message(&world.queue_url));
    world.wait(put(&dead_letters(world), messages.collect()));
    let ledger = LedgerSpec::Sqlite(world.home.path("hooklane.db"));
    world.wait(async {
        let ledger = Ledger::open(&ledger, Duration::from_secs(3_600)).await;
        note(&ledger.expect("opened"), &world.queue_url, letters).await;
    });
}

fn dead_letters(world: &World) -> Queue {
    let sqs = Sqs::at(world.sqs.endpoint());
    world
        .wait(Queue::open(&sqs, &world.dead_letter_url))
        .expect("opened")
}

/// Starts `hooklane console` on a port that the system chooses; its first line says which.
fn start_console(world: &World, arguments: &[&str]) -> (Service, String) {
    let arguments = [&["console", "--listen", "127.0.0.1:0"], arguments].concat();
    let mut console = world.home.start(&arguments);
    let line = console.line();
    let at = line
        .find("http://")
        .unwrap_or_else(|| panic!("no address: {line}"));
    let url = line[at..].trim_end_matches('/').to_owned();
    (console, url)
}
