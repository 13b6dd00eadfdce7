//! Making a queue pair.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_sqs::types::QueueAttributeName as Name;

use crate::admin::source_retention_s;
use crate::limits::{MAX_MESSAGE_BYTES, MAX_NAME, MAX_RECEIVE_COUNT, MAX_RETENTION_S};
use crate::{Queue, QueueAttributes, QueueError, Sqs};

const FIFO: &str = ".fifo";
const INTERNAL: &str = "-internal";

/// A queue may be used a second after it was made (API reference, `CreateQueue`); so often and so far apart
/// we ask.
const TRIES: u32 = 20;
const BETWEEN_TRIES: Duration = Duration::from_millis(500);

/// The kind of both queues of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Ordered within message groups, deduplicated.
    Fifo,
    /// Neither.
    Standard,
}

/// A queue pair that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// The URL of the source queue.
    pub source_url: String,
    /// The URL of the internal queue.
    pub dead_letter_url: String,
}

/// Why there is no such pair now.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CreateError {
    /// The name cannot be used.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A queue of that name is there, but it is another one.
    #[error(
        "queue {name} exists already with other attributes: {differences}; it is left as it is"
    )]
    Differs {
        /// The queue's name.
        name: String,
        /// Each attribute with what it is and what it should be.
        differences: String,
    },
    /// SQS.
    #[error(transparent)]
    Queue(#[from] QueueError),
}

/// A name that cannot name a pair.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not what SQS takes.
    #[error("{0:?} cannot name a queue: use letters, digits, hyphens and underscores")]
    Characters(String),
    /// The name of the internal queue would be longer than SQS takes.
    #[error("the queue name has {length} characters, at most {most} leave room for {INTERNAL}")]
    TooLong {
        /// Characters found, `.fifo` left out.
        length: usize,
        /// The most there may be.
        most: usize,
    },
    /// `.fifo` and standard exclude each other.
    #[error("{0} ends in .fifo, which names a FIFO queue: leave out the ending or --standard")]
    FifoName(String),
}

/// Makes a source queue and its internal queue, or finds them as they should be. `NAME` (with `.fifo` or
/// without) makes `NAME.fifo` and `NAME-internal.fifo`, or `NAME` and `NAME-internal` of kind standard.
///
/// # Errors
/// When the name cannot be used, a queue of that name has other attributes, or SQS refuses.
pub async fn create_pair(sqs: &Sqs, name: &str, kind: Kind) -> Result<Pair, CreateError> {
    let (source_name, dead_name) = names(name, kind)?;
    let dead = ensure(sqs, &dead_name, attributes(kind, MAX_RETENTION_S)).await?;

    let mut wanted = attributes(kind, source_retention_s(kind == Kind::Fifo));
    wanted.insert(Name::RedrivePolicy, redrive_policy(&dead));
    let source = ensure(sqs, &source_name, wanted).await?;

    allow_redrive(sqs, &source, &dead).await?;
    Ok(Pair {
        source_url: source.url().to_owned(),
        dead_letter_url: dead.url().to_owned(),
    })
}

fn names(name: &str, kind: Kind) -> Result<(String, String), NameError> {
    let stem = name.strip_suffix(FIFO).unwrap_or(name);
    let ending = match kind {
        Kind::Fifo => FIFO,
        Kind::Standard if name.ends_with(FIFO) => return Err(NameError::FifoName(name.to_owned())),
        Kind::Standard => "",
    };
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if stem.is_empty() || !stem.chars().all(allowed) {
        return Err(NameError::Characters(name.to_owned()));
    }
    let (length, most) = (stem.len(), MAX_NAME - INTERNAL.len() - ending.len());
    if length > most {
        return Err(NameError::TooLong { length, most });
    }
    Ok((
        format!("{stem}{ending}"),
        format!("{stem}{INTERNAL}{ending}"),
    ))
}

type Attributes = HashMap<Name, String>;

fn attributes(kind: Kind, retention_s: u64) -> Attributes {
    let mut attributes = HashMap::from([
        (Name::MaximumMessageSize, MAX_MESSAGE_BYTES.to_string()),
        (Name::MessageRetentionPeriod, retention_s.to_string()),
        (
            Name::ReceiveMessageWaitTimeSeconds,
            crate::MAX_WAIT_S.to_string(),
        ),
        (Name::SqsManagedSseEnabled, true.to_string()),
    ]);
    if kind == Kind::Fifo {
        attributes.extend([
            (Name::FifoQueue, true.to_string()),
            (Name::DeduplicationScope, "messageGroup".to_owned()),
            (Name::FifoThroughputLimit, "perMessageGroupId".to_owned()),
        ]);
    }
    attributes
}

fn redrive_policy(dead: &Queue) -> String {
    let target = &dead.attributes().arn;
    serde_json::json!({"deadLetterTargetArn": target, "maxReceiveCount": MAX_RECEIVE_COUNT})
        .to_string()
}

/// Makes a queue, or takes the one that is there if all `wanted` attributes are as wanted.
async fn ensure(sqs: &Sqs, name: &str, wanted: Attributes) -> Result<Queue, CreateError> {
    match patiently(async || create(sqs, name, &wanted).await).await {
        Ok(url) => Ok(opened(sqs, &url).await?),
        Err(error) if exists(&error) => {
            let url = url_of(sqs, name).await?;
            let queue = opened(sqs, &url).await?;
            let differences = differences(queue.attributes(), &wanted);
            if differences.is_empty() {
                Ok(queue)
            } else {
                Err(CreateError::Differs {
                    name: name.to_owned(),
                    differences: differences.join(", "),
                })
            }
        }
        Err(error) => Err(error.into()),
    }
}

async fn opened(sqs: &Sqs, url: &str) -> Result<Queue, QueueError> {
    patiently(async || Queue::open(sqs, url).await).await
}

/// Asks again while a queue just made is not known everywhere yet.
async fn patiently<T>(ask: impl AsyncFn() -> Result<T, QueueError>) -> Result<T, QueueError> {
    for _ in 1..TRIES {
        match ask().await {
            Err(error) if not_there_yet(&error) => tokio::time::sleep(BETWEEN_TRIES).await,
            answer => return answer,
        }
    }
    ask().await
}

fn not_there_yet(error: &QueueError) -> bool {
    match error {
        QueueError::NotFound { .. } => true,
        // A redrive to the internal queue of a moment ago.
        QueueError::Rejected { message, .. } => {
            message.contains("Dead letter target does not exist")
        }
        _ => false,
    }
}

fn exists(error: &QueueError) -> bool {
    let code = error.code().unwrap_or_default();
    code.contains("QueueAlreadyExists") || code.contains("QueueNameExists")
}

fn differences(found: &QueueAttributes, wanted: &Attributes) -> Vec<String> {
    let mut differences: Vec<_> = wanted
        .iter()
        .filter(|(name, value)| match name {
            Name::RedrivePolicy => found.redrive != redrive_of(value),
            _ => found.raw.get(name.as_str()) != Some(value),
        })
        .map(|(name, value)| {
            let found = found.raw.get(name.as_str());
            let found = found.map_or("absent", String::as_str);
            format!("{name} is {found} and should be {value}")
        })
        .collect();
    differences.sort();
    differences
}

fn redrive_of(policy: &str) -> Option<(u32, String)> {
    let raw = [("RedrivePolicy".to_owned(), policy.to_owned())];
    QueueAttributes::from_raw(raw.into()).redrive
}

async fn create(sqs: &Sqs, name: &str, wanted: &Attributes) -> Result<String, QueueError> {
    let request = sqs.calling.create_queue().queue_name(name);
    let answer = request.set_attributes(Some(wanted.clone())).send().await;
    let answer = answer.map_err(|e| QueueError::from_sdk("CreateQueue", name, e))?;
    Ok(answer.queue_url.unwrap_or_default())
}

async fn url_of(sqs: &Sqs, name: &str) -> Result<String, QueueError> {
    let answer = sqs.calling.get_queue_url().queue_name(name).send().await;
    let answer = answer.map_err(|e| QueueError::from_sdk("GetQueueUrl", name, e))?;
    Ok(answer.queue_url.unwrap_or_default())
}

/// Lets the source alone redrive to its internal queue. Set afterwards: the source's ARN is known only then.
async fn allow_redrive(sqs: &Sqs, source: &Queue, dead: &Queue) -> Result<(), QueueError> {
    let policy = serde_json::json!({
        "redrivePermission": "byQueue",
        "sourceQueueArns": [source.attributes().arn],
    });
    let request = sqs.calling.set_queue_attributes().queue_url(dead.url());
    let request = request.attributes(Name::RedriveAllowPolicy, policy.to_string());
    let answer = request.send().await;
    answer.map_err(|e| QueueError::from_sdk("SetQueueAttributes", dead.url(), e))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(name: &str) -> (String, String) {
        (format!("{name}.fifo"), format!("{name}-internal.fifo"))
    }

    #[test]
    fn a_pair_is_named_with_or_without_its_ending() {
        assert_eq!(names("events", Kind::Fifo), Ok(pair("events")));
        assert_eq!(names("events.fifo", Kind::Fifo), Ok(pair("events")));
        let standard = ("events".to_owned(), "events-internal".to_owned());
        assert_eq!(names("events", Kind::Standard), Ok(standard));
    }

    #[test]
    fn a_name_that_sqs_would_refuse_is_refused() {
        for name in [
            "",
            ".fifo",
            "a b",
            "a.b",
            "https://sqs/1/events",
            "événements",
        ] {
            let refused = Err(NameError::Characters(name.to_owned()));
            assert_eq!(names(name, Kind::Fifo), refused);
        }
        assert!(names(&"e".repeat(66), Kind::Fifo).is_ok());
        let too_long = NameError::TooLong {
            length: 67,
            most: 66,
        };
        assert_eq!(names(&"e".repeat(67), Kind::Fifo), Err(too_long));
        assert!(names(&"e".repeat(71), Kind::Standard).is_ok());
        let contradiction = NameError::FifoName("events.fifo".to_owned());
        assert_eq!(names("events.fifo", Kind::Standard), Err(contradiction));
    }

    #[test]
    fn what_differs_from_what_is_wanted_is_named() {
        let wanted = attributes(Kind::Fifo, MAX_RETENTION_S);
        let mut raw: std::collections::BTreeMap<_, _> = wanted
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), value.clone()))
            .collect();
        assert!(differences(&QueueAttributes::from_raw(raw.clone()), &wanted).is_empty());
        raw.insert("MaximumMessageSize".to_owned(), "262144".to_owned());
        raw.remove("DeduplicationScope");
        let expected = [
            "DeduplicationScope is absent and should be messageGroup",
            "MaximumMessageSize is 262144 and should be 1048576",
        ];
        assert_eq!(
            differences(&QueueAttributes::from_raw(raw), &wanted),
            expected
        );
    }
}
