//! The rules, one test each, on time moved by hand.

mod model;
mod move_tasks;
mod queues;
mod receiving;
mod redrive;
mod sending;
mod settling;

use std::collections::BTreeMap;

use super::*;

const START: UnixMs = 1_000_000;

/// An engine, the time, and shorthand.
struct World {
    engine: Engine,
    now: UnixMs,
    sends: u32,
}

impl World {
    fn new() -> Self {
        Self::limited(Limits::default())
    }

    fn limited(limits: Limits) -> Self {
        Self {
            engine: Engine::new(limits, 7),
            now: START,
            sends: 0,
        }
    }

    /// A world with the FIFO queue `q.fifo`.
    fn fifo(attributes: &[(&str, &str)]) -> Self {
        let mut world = Self::new();
        world.create("q.fifo", attributes);
        world
    }

    /// A world with the standard queue `q`.
    fn standard(attributes: &[(&str, &str)]) -> Self {
        let mut world = Self::new();
        world.create("q", attributes);
        world
    }

    /// A world with `q.fifo`, whose messages go to `dead.fifo` after so many receives.
    fn redriving(max_receive_count: u32) -> Self {
        let mut world = Self::new();
        world.create("dead.fifo", &[]);
        let policy = redrive_policy("dead.fifo", max_receive_count);
        world.create("q.fifo", &[("RedrivePolicy", &policy)]);
        world
    }

    fn create(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.try_create(name, attributes).unwrap();
    }

    fn try_create(&mut self, name: &str, attributes: &[(&str, &str)]) -> Result<(), SqsError> {
        let mut attributes = strings(attributes);
        if name.ends_with(".fifo") {
            attributes.insert("FifoQueue".into(), "true".into());
        }
        self.engine
            .create_queue(name, &attributes, &BTreeMap::new(), self.now)
    }

    fn set(&mut self, name: &str, attributes: &[(&str, &str)]) -> Result<(), SqsError> {
        self.engine
            .set_queue_attributes(name, &strings(attributes), self.now)
    }

    fn attribute(&mut self, name: &str, attribute: &str) -> Option<String> {
        let names = [attribute.to_owned()];
        let mut found = self
            .engine
            .queue_attributes(name, &names, self.now)
            .unwrap();
        found.remove(attribute)
    }

    fn pass(&mut self, seconds: u64) {
        self.pass_ms(seconds * 1000);
    }

    fn pass_ms(&mut self, milliseconds: u64) {
        self.now += milliseconds;
    }

    /// Sends to `q.fifo` with a deduplication id of its own.
    fn send(&mut self, group: &str, body: &str) -> Sent {
        self.sends += 1;
        self.send_as(group, body, &format!("send-{}", self.sends))
    }

    fn send_as(&mut self, group: &str, body: &str, deduplication_id: &str) -> Sent {
        self.try_send("q.fifo", message(group, body, deduplication_id))
            .unwrap()
    }

    fn try_send(&mut self, name: &str, outgoing: Outgoing) -> Result<Sent, SqsError> {
        self.engine.send(name, outgoing, self.now)
    }

    /// Receives up to ten messages of `q.fifo`.
    fn receive(&mut self) -> Vec<Delivery> {
        self.receive_from("q.fifo", 10)
    }

    fn receive_one(&mut self) -> Delivery {
        self.receive_from("q.fifo", 1).remove(0)
    }

    fn receive_from(&mut self, name: &str, max: i64) -> Vec<Delivery> {
        let receive = Receive {
            max: Some(max),
            ..Receive::default()
        };
        self.engine.receive(name, &receive, self.now).unwrap()
    }

    fn receive_attempt(&mut self, id: &str) -> Vec<Delivery> {
        let receive = Receive {
            max: Some(10),
            attempt_id: Some(id.to_owned()),
            ..Receive::default()
        };
        self.engine.receive("q.fifo", &receive, self.now).unwrap()
    }

    /// Receives and deletes until nothing comes, and tells the bodies.
    fn drain(&mut self, name: &str) -> Vec<String> {
        let mut all = Vec::new();
        loop {
            let deliveries = self.receive_from(name, 10);
            if deliveries.is_empty() {
                return all;
            }
            for delivery in &deliveries {
                self.engine
                    .delete(name, &delivery.handle, self.now)
                    .unwrap();
            }
            all.extend(bodies(&deliveries).into_iter().map(str::to_owned));
        }
    }

    fn delete(&mut self, delivery: &Delivery) -> Result<(), SqsError> {
        self.engine.delete("q.fifo", &delivery.handle, self.now)
    }

    fn hide(&mut self, delivery: &Delivery, seconds: i64) -> Result<(), SqsError> {
        self.engine
            .change_visibility("q.fifo", &delivery.handle, seconds, self.now)
    }

    /// Visible, in flight, delayed.
    fn counts(&mut self, name: &str) -> (usize, usize, usize) {
        let counts = self.engine.counts(name, self.now).unwrap();
        (counts.visible, counts.in_flight, counts.delayed)
    }
}

fn message(group: &str, body: &str, deduplication_id: &str) -> Outgoing {
    Outgoing {
        body: body.into(),
        group_id: Some(group.into()),
        deduplication_id: Some(deduplication_id.into()),
        ..Outgoing::default()
    }
}

fn strings(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn redrive_policy(target: &str, max_receive_count: u32) -> String {
    let arn = arn(target);
    format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":{max_receive_count}}}"#)
}

fn arn(name: &str) -> String {
    format!("arn:aws:sqs:us-east-1:000000000000:{name}")
}

fn bodies(deliveries: &[Delivery]) -> Vec<&str> {
    deliveries
        .iter()
        .map(|delivery| delivery.message.content.body.as_str())
        .collect()
}

/// The kind and the text of a refusal.
fn refusal<T: std::fmt::Debug>(result: Result<T, SqsError>) -> (ErrorKind, String) {
    let error = result.unwrap_err();
    (error.kind, error.message)
}
