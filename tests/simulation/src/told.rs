//! The receive counts that workers are told of: others may have received a message besides, and done nothing with it; and a
//! count may lag.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::dice::Dice;
use crate::plan::Counts;

/// What all workers of a history are told.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    counts: Counts,
    dice: Dice,
    /// How often others received each message.
    others: Arc<Mutex<HashMap<String, u64>>>,
}

impl Told {
    pub(crate) fn new(counts: Counts, dice: Dice) -> Self {
        Self {
            counts,
            dice,
            others: Arc::default(),
        }
    }

    /// An answer of ReceiveMessage as a worker is told it.
    pub(crate) fn answer(&self, answered: &[u8]) -> Option<Vec<u8>> {
        if self.counts.others == 0 && self.counts.lagging == 0 {
            return None;
        }
        let mut answered: Value = serde_json::from_slice(answered).ok()?;
        for message in answered["Messages"].as_array_mut()? {
            let id = message["MessageId"].as_str()?.to_owned();
            let count = message["Attributes"]["ApproximateReceiveCount"].as_str()?;
            let count: u64 = count.parse().ok()?;
            let count = self.lagging(count + self.by_others(id));
            message["Attributes"]["ApproximateReceiveCount"] = count.to_string().into();
        }
        Some(answered.to_string().into_bytes())
    }

    fn lagging(&self, count: u64) -> u64 {
        if self.dice.percent(self.counts.lagging) {
            self.dice.within(1..=count)
        } else {
            count
        }
    }

    fn by_others(&self, message_id: String) -> u64 {
        let mut others = self.others.lock().expect("no holder panics");
        let times = others.entry(message_id).or_default();
        if self.dice.percent(self.counts.others) {
            *times += self.counts.times;
        }
        *times
    }
}
