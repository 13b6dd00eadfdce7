//! The engine against a model too simple to be wrong: one list of messages in order of arrival, searched from the front.

use std::collections::HashSet;

use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

use super::*;

const MAX_RECEIVES: u32 = 4;
const RETENTION_S: u64 = 90;

#[derive(Debug, Clone)]
enum Op {
    Send {
        group: u8,
        deduplication: u8,
    },
    Receive {
        max: i64,
        visibility_s: i64,
    },
    /// The handles are those of all receives so far, stale and expired ones included.
    Delete {
        handle: prop::sample::Index,
    },
    Hide {
        handle: prop::sample::Index,
        seconds: i64,
    },
    Pass {
        ms: u64,
    },
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (0..4u8, 0..60u8).prop_map(|(group, deduplication)| Op::Send { group, deduplication }),
        4 => (1..=10i64, 0..30i64).prop_map(|(max, visibility_s)| Op::Receive { max, visibility_s }),
        4 => any::<prop::sample::Index>().prop_map(|handle| Op::Delete { handle }),
        3 => (any::<prop::sample::Index>(), prop_oneof![Just(0), 0..40i64])
            .prop_map(|(handle, seconds)| Op::Hide { handle, seconds }),
        3 => prop_oneof![0..5_000u64, 5_000..40_000u64].prop_map(|ms| Op::Pass { ms }),
    ]
}

#[derive(Debug, Clone)]
struct Known {
    body: String,
    group: String,
    enqueued_at: UnixMs,
    hidden_until: Option<UnixMs>,
    receives: u32,
    handle: String,
}

/// What must be in the queues, by the rules alone.
#[derive(Default)]
struct Model {
    queue: Vec<Known>,
    dead: Vec<Known>,
    /// Deduplication id and when it is forgotten.
    remembered: Vec<(String, UnixMs)>,
}

impl Model {
    fn pass(&mut self, now: UnixMs) {
        for message in &mut self.queue {
            message.hidden_until = message.hidden_until.filter(|until| *until > now);
        }
        let fresh = |m: &Known| m.enqueued_at + RETENTION_S * 1000 > now;
        self.queue.retain(fresh);
        self.remembered.retain(|(_, until)| *until > now);
    }

    /// Messages with no invisible message before them in their group, themselves included.
    fn deliverable(&self) -> Vec<&Known> {
        let mut locked = HashSet::new();
        let mut open = Vec::new();
        for message in &self.queue {
            if message.hidden_until.is_some() {
                locked.insert(&message.group);
            }
            if !locked.contains(&message.group) {
                open.push(message);
            }
        }
        open
    }

    fn by_handle(&mut self, handle: &str) -> Option<&mut Known> {
        let held = |m: &&mut Known| m.handle == handle && m.hidden_until.is_some();
        self.queue.iter_mut().find(held)
    }
}

struct Run {
    world: World,
    model: Model,
    /// Handle and body of every receive so far.
    handles: Vec<(String, String)>,
    sends: u32,
}

impl Run {
    fn new() -> Self {
        let mut world = World::new();
        world.create("dead.fifo", &[]);
        let policy = redrive_policy("dead.fifo", MAX_RECEIVES);
        let retention = RETENTION_S.to_string();
        let attributes = [
            ("RedrivePolicy", policy.as_str()),
            ("MessageRetentionPeriod", retention.as_str()),
        ];
        world.create("q.fifo", &attributes);
        Self {
            world,
            model: Model::default(),
            handles: Vec::new(),
            sends: 0,
        }
    }

    fn step(&mut self, op: &Op) -> TestCaseResult {
        match op {
            Op::Send {
                group,
                deduplication,
            } => self.send(*group, *deduplication)?,
            Op::Receive { max, visibility_s } => self.receive(*max, *visibility_s)?,
            Op::Delete { handle } if !self.handles.is_empty() => self.delete(handle)?,
            Op::Hide { handle, seconds } if !self.handles.is_empty() => {
                self.hide(handle, *seconds)?;
            }
            Op::Delete { .. } | Op::Hide { .. } => {}
            Op::Pass { ms } => {
                self.world.pass_ms(*ms);
                self.model.pass(self.world.now);
            }
        }
        self.compare()
    }

    fn send(&mut self, group: u8, deduplication: u8) -> TestCaseResult {
        self.sends += 1;
        let (now, body) = (self.world.now, self.sends.to_string());
        let (group, id) = (format!("g{group}"), format!("d{deduplication}"));
        self.world.send_as(&group, &body, &id);
        if self.model.remembered.iter().all(|(known, _)| *known != id) {
            self.model
                .remembered
                .push((id, now + DEDUPLICATION_INTERVAL_MS));
            self.model.queue.push(Known {
                body,
                group,
                enqueued_at: now,
                hidden_until: None,
                receives: 0,
                handle: String::new(),
            });
        }
        Ok(())
    }

    fn receive(&mut self, max: i64, visibility_s: i64) -> TestCaseResult {
        let now = self.world.now;
        let receive = Receive {
            max: Some(max),
            visibility_s: Some(visibility_s),
            attempt_id: None,
        };
        let before: Vec<Known> = self.model.deliverable().into_iter().cloned().collect();
        let deliveries = self.world.engine.receive("q.fifo", &receive, now).unwrap();
        let received: Vec<&str> = bodies(&deliveries);

        // Whoever died had been received often enough and stood in the open part of its group.
        let left = self.world.engine.queues["q.fifo"].bodies();
        let died: Vec<Known> = before
            .iter()
            .filter(|m| !left.contains(&m.body))
            .cloned()
            .collect();
        for dead in &died {
            prop_assert_eq!(dead.receives, MAX_RECEIVES, "{} died early", dead.body);
        }
        self.model.queue.retain(|m| left.contains(&m.body));
        // Each group was delivered from its front, without gaps, in order.
        let open: Vec<&Known> = before.iter().filter(|m| left.contains(&m.body)).collect();
        let groups: HashSet<&str> = open.iter().map(|m| m.group.as_str()).collect();
        let mut partial = 0;
        for group in groups {
            let of_group: Vec<&str> = open
                .iter()
                .filter(|m| m.group == group)
                .map(|m| m.body.as_str())
                .collect();
            let taken: Vec<&str> = received
                .iter()
                .copied()
                .filter(|body| of_group.contains(body))
                .collect();
            prop_assert_eq!(&taken[..], &of_group[..taken.len()], "group {}", group);
            partial += usize::from(!taken.is_empty() && taken.len() < of_group.len());
        }
        prop_assert!(partial <= 1, "two groups were left half taken");
        prop_assert_eq!(
            received.len(),
            open.len().min(max as usize),
            "as many as there are"
        );

        self.model.dead.extend(died);
        for delivery in &deliveries {
            let body = &delivery.message.content.body;
            let known = self
                .model
                .queue
                .iter_mut()
                .find(|m| m.body == *body)
                .unwrap();
            prop_assert!(known.receives < MAX_RECEIVES, "{} lives too long", body);
            known.receives += 1;
            known.handle.clone_from(&delivery.handle);
            known.hidden_until = Some(now + visibility_s as u64 * 1000);
            prop_assert_eq!(delivery.message.receive_count, known.receives);
            self.handles.push((delivery.handle.clone(), body.clone()));
        }
        self.model.pass(now);
        Ok(())
    }

    fn delete(&mut self, handle: &prop::sample::Index) -> TestCaseResult {
        let (handle, body) = handle.get(&self.handles).clone();
        let done = self.world.engine.delete("q.fifo", &handle, self.world.now);
        let there = self.model.queue.iter().any(|m| m.body == body);
        let held = self.model.by_handle(&handle).is_some();
        prop_assert_eq!(done.is_ok(), held || !there);
        if held {
            self.model.queue.retain(|m| m.body != body);
        }
        Ok(())
    }

    fn hide(&mut self, handle: &prop::sample::Index, seconds: i64) -> TestCaseResult {
        let (handle, _) = handle.get(&self.handles).clone();
        let now = self.world.now;
        let done = self
            .world
            .engine
            .change_visibility("q.fifo", &handle, seconds, now);
        let held = self.model.by_handle(&handle);
        prop_assert_eq!(done.is_ok(), held.is_some());
        if let Some(held) = held {
            held.hidden_until = Some(now + seconds as u64 * 1000);
        }
        self.model.pass(now);
        Ok(())
    }

    fn compare(&mut self) -> TestCaseResult {
        let expected: Vec<&str> = self.model.queue.iter().map(|m| m.body.as_str()).collect();
        let hidden = self
            .model
            .queue
            .iter()
            .filter(|m| m.hidden_until.is_some())
            .count();
        prop_assert_eq!(
            self.world.counts("q.fifo"),
            (expected.len() - hidden, hidden, 0)
        );
        prop_assert_eq!(self.world.engine.queues["q.fifo"].bodies(), expected);

        let mut dead = self.world.engine.queues["dead.fifo"].bodies();
        let mut expected: Vec<&str> = self.model.dead.iter().map(|m| m.body.as_str()).collect();
        dead.sort();
        expected.sort_unstable();
        prop_assert_eq!(dead, expected);

        let timers = self.model.queue.iter().filter_map(|m| m.hidden_until);
        let ages = self
            .model
            .queue
            .iter()
            .map(|m| m.enqueued_at + RETENTION_S * 1000);
        prop_assert_eq!(
            self.world.engine.next_due("q.fifo"),
            timers.chain(ages).min()
        );

        let (messages, remembered) = (&self.model.queue, self.model.remembered.len());
        let bodies: usize = messages.iter().map(|m| m.body.len()).sum();
        let held = (messages.len(), bodies + remembered * dedup::ENTRY_BYTES);
        prop_assert_eq!(self.world.engine.queues["q.fifo"].held(), held);

        let all: (usize, usize) = self
            .world
            .engine
            .queues
            .values()
            .map(Queue::held)
            .fold((0, 0), |sum, held| (sum.0 + held.0, sum.1 + held.1));
        prop_assert_eq!(self.world.engine.held, all);
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_engine_does_what_the_rules_say(ops in prop::collection::vec(op(), 1..150)) {
        let mut run = Run::new();
        for op in &ops {
            run.step(op)?;
        }
    }
}
