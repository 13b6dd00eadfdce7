//! URLs: of queues, and of callbacks.

use queue::is_same_url;
use queue::limits::MAX_NAME;
use url::Url;

use super::{Setting, quoted};
use crate::tree::Node;

/// The URL of a queue, as SQS answers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct QueueUrl(Url);

impl QueueUrl {
    pub(crate) fn into_string(self) -> String {
        self.0.into()
    }

    pub(crate) fn is_fifo(&self) -> bool {
        self.0.path().ends_with(".fifo")
    }

    pub(crate) fn is_same_queue(&self, other: &Self) -> bool {
        is_same_url(self.0.as_str(), other.0.as_str())
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

/// The URL of a callback. What it may be is a matter of policy.
pub(crate) struct CallbackUrl(pub(crate) Url);

impl Setting for CallbackUrl {
    // No message quotes the URL: it may hold a password or a token.
    fn parse(node: &Node) -> Result<Self, String> {
        Url::parse(&String::parse(node)?)
            .map(Self)
            .map_err(|error| {
                format!("not a URL ({error}): write for example https://hooks.example.com/events")
            })
    }

    fn show(&self) -> toml::Value {
        delivery::masked(&self.0).into()
    }
}
