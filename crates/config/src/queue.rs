//! `[queue]`: the source queue and the internal queue.

use url::Url;

use super::reader::Reader;
use super::tree::Node;
use super::values::{Setting, any, quoted};

const SOURCE: &str = "queue.url";
const DEAD_LETTER: &str = "queue.dead_letter_url";

/// The longest name a queue can have, `.fifo` included (API reference, `CreateQueue`).
const MAX_NAME: usize = 80;

/// The source queue and its internal queue: two different queues of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuePair {
    /// The queue events are received from.
    pub url: String,
    /// The internal queue, for events that could not be delivered.
    pub dead_letter_url: String,
}

/// The URL of a queue, as SQS answers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct QueueUrl(Url);

impl QueueUrl {
    pub(super) fn into_string(self) -> String {
        self.0.into()
    }

    fn is_fifo(&self) -> bool {
        self.0.path().ends_with(".fifo")
    }

    fn is_same_queue(&self, other: &Self) -> bool {
        // The scheme says how to get there, not which queue it is.
        let queue = |url: &Url| {
            (
                url.host_str().map(str::to_owned),
                url.port_or_known_default(),
                url.path().to_owned(),
            )
        };
        queue(&self.0) == queue(&other.0)
    }
}

impl Setting for QueueUrl {
    fn parse(node: &Node) -> Result<Self, String> {
        const SHAPE: &str = "write the URL that SQS shows, as in https://sqs.us-east-1.amazonaws.com/123456789012/events.fifo";
        let text = String::parse(node)?;
        let url = Url::parse(&text).map_err(|error| format!("not a URL ({error}): {SHAPE}"))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(format!("not the URL of a queue: {SHAPE}"));
        }
        if !url.username().is_empty()
            || url.password().is_some()
            || url.query().is_some()
            || url.fragment().is_some()
        {
            return Err(format!(
                "a queue URL has no user, query or fragment: {SHAPE}"
            ));
        }
        let name = url.path().rsplit('/').next().unwrap_or_default();
        let stem = name.strip_suffix(".fifo").unwrap_or(name);
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if stem.is_empty() || name.len() > MAX_NAME || !stem.chars().all(allowed) {
            return Err(format!(
                "{} is not the name of a queue: {SHAPE}",
                quoted(name)
            ));
        }
        Ok(Self(url))
    }

    fn show(&self) -> toml::Value {
        self.0.as_str().into()
    }
}

pub(super) fn source_url(reader: &mut Reader<'_>) -> Option<QueueUrl> {
    reader.required(SOURCE, any)
}

pub(super) fn dead_letter_url(reader: &mut Reader<'_>) -> Option<QueueUrl> {
    reader.required(DEAD_LETTER, any)
}

pub(super) fn pair(reader: &mut Reader<'_>) -> Option<QueuePair> {
    let (url, dead_letter_url) = (source_url(reader), dead_letter_url(reader));
    let (url, dead_letter_url) = (url?, dead_letter_url?);
    let problem = if url.is_same_queue(&dead_letter_url) {
        "the same queue as queue.url: the internal queue must be another one"
    } else {
        match (url.is_fifo(), dead_letter_url.is_fifo()) {
            (true, false) => {
                "a standard queue behind a FIFO source: name a queue that ends in .fifo"
            }
            (false, true) => "a FIFO queue behind a standard source: name a standard queue",
            _ => "",
        }
    };
    if !problem.is_empty() {
        reader.problem(DEAD_LETTER, problem);
        return None;
    }
    Some(QueuePair {
        url: url.into_string(),
        dead_letter_url: dead_letter_url.into_string(),
    })
}
