//! Carries a plan out on real processes and gathers what was observed.

use std::collections::HashMap;
use std::io::Write;
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use aws_sdk_sqs::types::QueueAttributeName;
use delivery::{DEAD_LETTER, DeadLetter};
use rig::program::{Service, address};
use rig::world::{World, done, event, only};

use crate::history::{History, Letter, Sent};
use crate::journal::Began;
use crate::plan::{Act, Part, Plan, Planned, WORKERS};
use crate::proxy::Proxy;
use crate::receiver::{Answer, Receiver};
use crate::workers::Workers;

/// How long an attempt may take.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(2);

/// The lease asked for on each receive: the shortest that the configuration allows with this timeout.
pub(crate) const LEASE: Duration = Duration::from_secs(12);

/// After the trouble: how long until every event must be somewhere. A few leases and retry waits one after the
/// other, and a gate that opens again.
const PATIENCE: Duration = Duration::from_secs(80);

/// Between two readings of the source queue.
const LOOK: Duration = Duration::from_millis(250);

pub(crate) struct Run {
    pub(crate) history: History,
    pub(crate) calls: usize,
    pub(crate) took: Duration,
}

/// A world whose workers can reach SQS through a proxy.
pub(crate) fn world(began: Began) -> (World, Proxy) {
    let world = World::fifo();
    // The URL of each worker names its life.
    world.configure("[callback.production]\nshared_secret = \"env:WORKN_SECRET\"\n");
    let proxy = Proxy::start(began, address(world.sqs.endpoint()));
    (world, proxy)
}

fn hurry(world: &mut World, wait: Duration) {
    let seconds = |duration: Duration| format!("{}s", duration.as_secs());
    world.delays(&["0s", &seconds(wait), "0s"]);
    world
        .home
        .set("HOOKLANE_RETRY__TIMEOUT", &seconds(TIMEOUT))
        .set("HOOKLANE_WORKER__VISIBILITY_TIMEOUT", &seconds(LEASE));
}

/// Carries the plan out; ends when every event is somewhere, or after a bounded time.
pub(crate) fn run(plan: &Plan) -> Run {
    let began = Began::now();
    let (mut world, proxy) = world(began);
    hurry(&mut world, plan.size.wait);
    let receiver = Receiver::start(began, script(&plan.events));
    let mut producer = Producer::start(&world, began, plan.size.events);
    world.home.set("AWS_ENDPOINT_URL", &proxy.url);
    let mut workers = Workers::start(&world.home, began, receiver.address, WORKERS);

    let start = began.elapsed();
    for (at, act) in &plan.acts {
        // The moments are the plan's: nothing to wait for but the time.
        sleep((start + *at).saturating_sub(began.elapsed()));
        match *act {
            Act::Send(place) => producer.send(&plan.events[place]),
            Act::Kill(place) => workers.kill(place),
            Act::Stop(place) => workers.stop(place),
            Act::ReceiverDown => receiver.set_up(false),
            Act::ReceiverUp => receiver.set_up(true),
            Act::SqsDown => proxy.set_up(false),
            Act::SqsUp => proxy.set_up(true),
        }
    }
    let events = producer.end();
    let left = emptied(&world);
    let lives = workers.end();
    let (requests, receiver_down) = receiver.seen();

    world.home.set("AWS_ENDPOINT_URL", world.sqs.endpoint());
    let listed = world.dead_letters();
    let history = History {
        began,
        wait: plan.size.wait,
        events,
        requests,
        lives,
        letters: letters(&world),
        listed: listed
            .iter()
            .map(|line| line["msg_id"].as_str().unwrap_or_default().to_owned())
            .collect(),
        receiver_down,
        sqs_down: proxy.down(),
        left,
    };
    Run {
        history,
        calls: proxy.calls().values().sum(),
        took: began.elapsed(),
    }
}

/// How the receiver answers the requests of each event.
fn script(events: &[Planned]) -> impl Fn(&str, usize) -> Answer + Send + Sync + 'static {
    let parts: HashMap<String, Part> = events.iter().map(|e| (e.id.clone(), e.part)).collect();
    let at_once = |status| Answer::Status(Duration::ZERO, status);
    move |id, before| match parts.get(id) {
        None => at_once(404),
        Some(Part::Accepts(after)) => Answer::Status(*after, 200),
        Some(Part::Fails) => at_once(500),
        Some(Part::Recovers(failures)) if before < *failures => at_once(503),
        Some(Part::Stalls) if before == 0 => Answer::Nothing,
        Some(Part::Resets) if before == 0 => Answer::Reset,
        Some(Part::Breaks) if before == 0 => Answer::Half,
        Some(_) => at_once(201),
    }
}

/// A running `hooklane send -`, straight to SQS.
struct Producer {
    service: Service,
    input: std::process::ChildStdin,
    began: Began,
    sent: Vec<Sent>,
}

impl Producer {
    fn start(world: &World, began: Began, events: usize) -> Self {
        let mut command = world.home.command(&["send", "-", "--json"]);
        let mut child = command.stdin(Stdio::piped()).spawn().expect("started");
        Self {
            input: child.stdin.take().expect("piped"),
            service: Service::of(child),
            began,
            sent: Vec::with_capacity(events),
        }
    }

    fn send(&mut self, planned: &Planned) {
        let line = event(planned.setup as u32, &planned.id);
        writeln!(self.input, "{line}").expect("it reads");
        self.sent.push(Sent {
            id: planned.id.clone(),
            group: format!("EventSetup_{}", planned.setup),
            at: self.began.elapsed(),
        });
    }

    /// Waits until all is sent.
    fn end(self) -> Vec<Sent> {
        drop(self.input);
        let ended = self.service.wait();
        assert_eq!(only(done(&ended))["sent"], self.sent.len(), "{ended:?}");
        self.sent
    }
}

/// Waits until the source queue holds nothing, and gives what it holds if that takes too long.
pub(crate) fn emptied(world: &World) -> u64 {
    let patience = std::time::Instant::now() + PATIENCE;
    loop {
        let left = held(world);
        if left == 0 || std::time::Instant::now() > patience {
            return left;
        }
        sleep(LOOK);
    }
}

/// The messages of the source queue, visible or not.
fn held(world: &World) -> u64 {
    let attributes = world.client.get_queue_attributes();
    let attributes = attributes
        .queue_url(&world.queue_url)
        .attribute_names(QueueAttributeName::All);
    let answer = world.wait(attributes.send()).expect("attributes");
    let attributes = answer.attributes.unwrap_or_default();
    let count = |name| {
        let count = attributes.get(&name).and_then(|text| text.parse().ok());
        count.unwrap_or(0)
    };
    count(QueueAttributeName::ApproximateNumberOfMessages)
        + count(QueueAttributeName::ApproximateNumberOfMessagesNotVisible)
        + count(QueueAttributeName::ApproximateNumberOfMessagesDelayed)
}

/// Every message of the internal queue, and what it says of itself.
fn letters(world: &World) -> Vec<Letter> {
    let mut letters = Vec::new();
    loop {
        let batch = world.raw_dead_letters();
        if batch.is_empty() {
            return letters;
        }
        for message in batch {
            let body: serde_json::Value =
                serde_json::from_str(message.body().unwrap_or_default()).unwrap_or_default();
            let attributes = message.message_attributes.unwrap_or_default();
            let record = attributes.get(DEAD_LETTER).and_then(|a| a.string_value());
            letters.push(Letter {
                id: body["msg_id"].as_str().unwrap_or_default().to_owned(),
                record: record.and_then(|text| DeadLetter::parse(text).ok()),
            });
        }
    }
}
