//! A request as a receiver saw it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use event::Timestamp;
use serde_json::Value;

/// One attempt, from the other side.
#[derive(Debug, Clone)]
pub struct Request {
    /// When its body was there.
    pub at: Timestamp,
    /// By lower-case name.
    pub headers: BTreeMap<String, String>,
    /// As it came.
    pub body: Vec<u8>,
}

impl Request {
    /// Of a line that `listen --json` printed.
    pub fn listened(line: &Value) -> Self {
        let text = |field: &str| {
            line[field]
                .as_str()
                .unwrap_or_else(|| panic!("{field}: {line}"))
        };
        let headers = line["headers"].as_object().expect("headers");
        let headers = headers
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().expect("a text").to_owned()));
        Self {
            at: Timestamp::parse(text("at")).expect("a time"),
            headers: headers.collect(),
            body: STANDARD.decode(text("body_base64")).expect("base64"),
        }
    }

    /// The value of a header that must be there, by its lower-case name.
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.unwrap_or_else(|| panic!("no header {name}: {:?}", self.headers))
    }

    /// Which attempt of its event it is, from 1.
    pub fn attempt(&self) -> u32 {
        self.header("x-hooklane-attempt").parse().expect("a number")
    }

    /// The `webhook-id`.
    pub fn webhook_id(&self) -> &str {
        self.header("webhook-id")
    }

    /// The body as JSON.
    pub fn event(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }
}

/// The ids of the events, group by group, in the order in which their first attempts came.
pub fn first_attempts(requests: &[Request]) -> BTreeMap<String, Vec<String>> {
    let mut groups = BTreeMap::<String, Vec<String>>::new();
    for request in requests {
        let group = groups
            .entry(request.header("x-hooklane-group").to_owned())
            .or_default();
        let id = request.webhook_id();
        if !group.iter().any(|known| known == id) {
            group.push(id.to_owned());
        }
    }
    groups
}
