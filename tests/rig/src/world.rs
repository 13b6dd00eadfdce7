//! A queue pair, a directory with a configuration, and what an upstream system sends without our producer.

use std::collections::HashMap;
use std::future::Future;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::{Message, MessageAttributeValue, QueueAttributeName};
use serde_json::{Value, json};

use crate::program::{Ended, Home, documents};
use crate::sqs::Sqs;

/// The secret of every world. Distinctive, so that it can be searched for.
pub const SECRET: &str = "correct-horse-battery-staple";

/// Plain http to this machine, and a port of the system's choice for the worker's state.
const LOCAL: &str = r#"
[worker]
admin_listen = "127.0.0.1:0"
[endpoint]
allow_http = true
allow_networks = ["127.0.0.0/8"]
"#;

/// A queue pair and where its commands run.
pub struct World {
    /// The directory and the environment that lead to the queues.
    pub home: Home,
    /// Where the queues are.
    pub sqs: Sqs,
    /// The source queue.
    pub queue_url: String,
    /// The internal queue.
    pub dead_letter_url: String,
    /// The SDK, for what the program does not do.
    pub client: Client,
    runtime: tokio::runtime::Runtime,
}

impl World {
    /// A pair of FIFO queues.
    pub fn fifo() -> Self {
        Self::with(&[])
    }

    /// A pair of standard queues.
    pub fn standard() -> Self {
        Self::with(&["--standard"])
    }

    fn with(create: &[&str]) -> Self {
        let sqs = Sqs::reach();
        let mut home = Home::new();
        for (name, value) in sqs.variables() {
            home.set(&name, &value);
        }
        home.set("WORKN_SECRET", SECRET);
        let name = sqs.queue_name();
        let create = [&["queues", "create", &name, "--json"], create].concat();
        let created = only(done(&home.run(&create)));
        let url = |field: &str| created[field].as_str().expect("a URL").to_owned();
        Self {
            queue_url: url("queue_url"),
            dead_letter_url: url("dead_letter_url"),
            client: client(sqs.endpoint()),
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime"),
            home,
            sqs,
        }
    }

    /// Writes the configuration: the queues, plain http to this machine, and this.
    pub fn configure(&self, rest: &str) {
        let Self {
            queue_url,
            dead_letter_url,
            ..
        } = self;
        let queue =
            format!("[queue]\nurl = \"{queue_url}\"\ndead_letter_url = \"{dead_letter_url}\"\n");
        self.home.write("hooklane.toml", queue + LOCAL + rest);
    }

    /// The waits before attempts 2, 3 and so on.
    pub fn delays(&mut self, delays: &[&str]) {
        self.home
            .set("HOOKLANE_RETRY__DELAYS", &format!("{delays:?}"));
    }

    /// Sends the lines, and fails unless all were sent.
    pub fn send(&self, lines: &[String], arguments: &[&str]) {
        let arguments = [&["send", "-", "--json"], arguments].concat();
        let ended = self.home.run_with(&arguments, lines.join("\n").as_bytes());
        assert_eq!(only(done(&ended))["sent"], lines.len(), "{ended:?}");
    }

    /// Works until the queue is empty, and returns the summary.
    pub fn drain(&self) -> Value {
        only(done(&self.home.run(&["work", "--drain", "--json"])))
    }

    /// What `dlq ls` lists.
    pub fn dead_letters(&self) -> Vec<Value> {
        documents(&done(&self.home.run(&["dlq", "ls", "--json"])).stdout)
    }

    /// What `dlq show` shows of a line of `dlq ls`.
    pub fn show(&self, letter: &Value) -> Value {
        let id = letter["id"].as_str().expect("an id");
        only(done(&self.home.run(&["dlq", "show", id, "--json"])))
    }

    /// Waits for a call of the SDK.
    pub fn wait<T>(&self, call: impl Future<Output = T>) -> T {
        self.runtime.block_on(call)
    }

    /// Sends a message as an upstream system does; the first line on a FIFO queue names group and deduplication id.
    pub fn send_plainly(
        &self,
        fifo: Option<(&str, &str)>,
        body: &str,
        attributes: &[(&str, MessageAttributeValue)],
    ) {
        let attributes: HashMap<_, _> = attributes
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        let request = self
            .client
            .send_message()
            .queue_url(&self.queue_url)
            .message_body(body)
            .set_message_attributes(Some(attributes))
            .set_message_group_id(fifo.map(|(group, _)| group.to_owned()))
            .set_message_deduplication_id(fifo.map(|(_, id)| id.to_owned()));
        self.wait(request.send()).expect("sent");
    }

    /// Changes after how many receives SQS itself moves a message away.
    pub fn set_max_receive_count(&self, count: u32) {
        let attributes = self
            .client
            .get_queue_attributes()
            .queue_url(&self.dead_letter_url);
        let attributes = attributes
            .attribute_names(QueueAttributeName::QueueArn)
            .send();
        let attributes = self
            .wait(attributes)
            .expect("attributes")
            .attributes
            .unwrap_or_default();
        let policy = json!({
            "deadLetterTargetArn": attributes[&QueueAttributeName::QueueArn],
            "maxReceiveCount": count,
        });
        let change = self
            .client
            .set_queue_attributes()
            .queue_url(&self.queue_url);
        let change = change.attributes(QueueAttributeName::RedrivePolicy, policy.to_string());
        self.wait(change.send()).expect("set");
    }

    /// The messages of the internal queue, at most ten, with everything on them.
    pub fn raw_dead_letters(&self) -> Vec<Message> {
        let request = self
            .client
            .receive_message()
            .queue_url(&self.dead_letter_url)
            .max_number_of_messages(10)
            .wait_time_seconds(1)
            .message_attribute_names("All")
            .message_system_attribute_names(aws_sdk_sqs::types::MessageSystemAttributeName::All);
        self.wait(request.send())
            .expect("received")
            .messages
            .unwrap_or_default()
    }
}

/// An emulator that goes on keeps nothing of a world.
impl Drop for World {
    fn drop(&mut self) {
        if matches!(self.sqs, Sqs::Shared { .. }) {
            for url in [&self.queue_url, &self.dead_letter_url] {
                // What fails here is no failure of the test.
                let _ = self.wait(self.client.delete_queue().queue_url(url).send());
            }
        }
    }
}

fn client(endpoint: &str) -> Client {
    Client::from_conf(
        aws_sdk_sqs::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .endpoint_url(endpoint)
            .region(Region::from_static("us-east-1"))
            .credentials_provider(Credentials::new("local", "local", None, None, "tests"))
            .build(),
    )
}

/// A callback for all events, signed.
pub fn callback(url: &str) -> String {
    format!("[callback.production]\nurl = \"{url}\"\nshared_secret = \"env:WORKN_SECRET\"\n")
}

/// An attribute of a type such as `String` or `Number`.
pub fn attribute(data_type: &str, value: &str) -> MessageAttributeValue {
    let attribute = MessageAttributeValue::builder()
        .data_type(data_type)
        .string_value(value);
    attribute.build().expect("an attribute")
}

/// A binary attribute.
pub fn binary(bytes: &[u8]) -> MessageAttributeValue {
    let attribute = MessageAttributeValue::builder()
        .data_type("Binary")
        .binary_value(Blob::new(bytes));
    attribute.build().expect("an attribute")
}

/// Fails unless the run did what it was asked to.
pub fn done(ended: &Ended) -> &Ended {
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended
}

/// The one JSON document on standard output.
pub fn only(ended: &Ended) -> Value {
    match &documents(&ended.stdout)[..] {
        [document] => document.clone(),
        _ => panic!("not one document: {ended:?}"),
    }
}

/// An event as a line of a file.
pub fn event(setup: u32, msg_id: &str) -> String {
    format!(r#"{{"mkt_id":4,"msg_id":"{msg_id}","MessageGroupId":"EventSetup_{setup}"}}"#)
}
