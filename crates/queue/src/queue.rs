//! One queue: send, receive, settle, count.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sqs::types::{
    BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry,
    DeleteMessageBatchRequestEntry, MessageSystemAttributeName, QueueAttributeName,
    SendMessageBatchRequestEntry,
};
use uuid::Uuid;

use crate::attributes::QueueAttributes;
use crate::error::{EntryError, QueueError};
use crate::message::{Outgoing, Received, Sent};
use crate::{Clock, MAX_BATCH, MAX_WAIT_S, Sqs};

/// The API actions.
const SEND: &str = "SendMessageBatch";
const RECEIVE: &str = "ReceiveMessage";
const DELETE: &str = "DeleteMessageBatch";
const HIDE: &str = "ChangeMessageVisibilityBatch";
const COUNT: &str = "GetQueueAttributes";

/// A receipt handle of no message.
const NO_HANDLE: &str = "hooklane-check";

/// A queue, opened: it existed and its attributes were read. Cheap to clone.
#[derive(Clone)]
pub struct Queue {
    sqs: Sqs,
    inner: Arc<Inner>,
    on_denied: Option<Arc<OnDenied>>,
}

type OnDenied = dyn Fn(&QueueError) + Send + Sync;

struct Inner {
    url: String,
    attributes: QueueAttributes,
}

/// How to ask for messages.
#[derive(Debug, Clone, Copy)]
pub struct ReceiveOptions {
    /// At most so many messages, 1 to 10.
    pub max: usize,
    /// How long SQS may wait for one to come, up to 20 s.
    pub wait: Duration,
    /// For how long what is handed out is hidden from others.
    pub visibility: Duration,
}

/// How many messages a queue holds, roughly: SQS says "approximate".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Ready to be received (a message behind a locked group counts here too).
    pub visible: u64,
    /// Received and neither deleted nor given back.
    pub not_visible: u64,
    /// Not yet receivable because of the queue's delay.
    pub delayed: u64,
}

impl Counts {
    /// Everything the queue holds.
    pub fn total(&self) -> u64 {
        self.visible + self.not_visible + self.delayed
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Queue").field(&self.inner.url).finish()
    }
}

impl Queue {
    /// Opens a queue by its URL and reads its attributes.
    ///
    /// # Errors
    /// When the queue does not exist or cannot be reached.
    pub async fn open(sqs: &Sqs, url: &str) -> Result<Self, QueueError> {
        let raw = read_attributes(sqs, url, QueueAttributeName::All).await?;
        Ok(Self {
            sqs: sqs.clone(),
            inner: Arc::new(Inner {
                url: url.to_owned(),
                attributes: QueueAttributes::from_raw(raw),
            }),
            on_denied: None,
        })
    }

    /// Tells `on_denied` of each call of this queue and its clones that AWS refuses, before the call returns: what
    /// many callers meet can so be said once.
    #[must_use]
    pub fn watched(mut self, on_denied: impl Fn(&QueueError) + Send + Sync + 'static) -> Self {
        self.on_denied = Some(Arc::new(on_denied));
        self
    }

    /// The queue's URL.
    pub fn url(&self) -> &str {
        &self.inner.url
    }

    /// The clock that knows SQS's time: the one of the connection.
    pub fn clock(&self) -> &Clock {
        self.sqs.clock()
    }

    /// The attributes as they were when the queue was opened.
    pub fn attributes(&self) -> &QueueAttributes {
        &self.inner.attributes
    }

    /// Reads the attributes as they are now.
    ///
    /// # Errors
    /// When the queue is gone or cannot be reached.
    pub async fn attributes_now(&self) -> Result<QueueAttributes, QueueError> {
        let raw = read_attributes(&self.sqs, self.url(), QueueAttributeName::All).await?;
        Ok(QueueAttributes::from_raw(raw))
    }

    /// Whether this is a FIFO queue.
    pub fn is_fifo(&self) -> bool {
        self.inner.attributes.fifo
    }

    /// Sends up to [`MAX_BATCH`] messages in one call; answers for each, in the order given.
    ///
    /// # Errors
    /// When the call as a whole failed: then nothing is known of any entry.
    pub async fn send_batch(
        &self,
        messages: &[Outgoing],
    ) -> Result<Vec<Result<Sent, EntryError>>, QueueError> {
        debug_assert!(messages.len() <= MAX_BATCH);
        let entries = messages.iter().enumerate().map(|(position, message)| {
            let attributes = message
                .attributes
                .iter()
                .map(|(name, a)| (name.clone(), a.to_sdk()));
            let attributes = (!message.attributes.is_empty()).then(|| attributes.collect());
            SendMessageBatchRequestEntry::builder()
                .id(position.to_string())
                .message_body(&message.body)
                .set_message_group_id(message.group.clone())
                .set_message_deduplication_id(message.deduplication_id.clone())
                .set_message_attributes(attributes)
                .build()
                .expect("id and body are set above")
        });
        let request = self.sqs.calling.send_message_batch().queue_url(self.url());
        let answer = request
            .set_entries(Some(entries.collect()))
            .send()
            .await
            .map_err(|e| self.error(SEND, e))?;
        self.note_denials(SEND, &answer.failed);
        let sent = answer.successful.into_iter().map(|entry| {
            let sent = Sent {
                message_id: entry.message_id,
                sequence_number: entry.sequence_number,
            };
            (entry.id, sent)
        });
        Ok(by_position(messages.len(), sent, &answer.failed))
    }

    /// The error of the whole call that an entry of [`Queue::send_batch`] stands for, if AWS refuses us: then it
    /// refuses whatever we send.
    pub fn denial_of_send(&self, entry: &EntryError) -> Option<QueueError> {
        entry.denial(SEND, self.url())
    }

    /// Asks for messages. One logical poll: the SDK's own retries carry the same attempt id, so an answer
    /// that was lost is given again ([`ReceiveRequestAttemptId`]).
    ///
    /// Do not drop this future while it runs: what SQS handed out would stay hidden and lock its groups.
    ///
    /// [`ReceiveRequestAttemptId`]: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
    ///
    /// # Errors
    /// When the call failed.
    pub async fn receive(&self, options: ReceiveOptions) -> Result<Vec<Received>, QueueError> {
        let lease_until = self.clock().uptime() + options.visibility;
        let attempt_id = self.is_fifo().then(|| Uuid::new_v4().to_string());
        let answer = self
            .sqs
            .receiving
            .receive_message()
            .queue_url(self.url())
            .max_number_of_messages(options.max.clamp(1, MAX_BATCH) as i32)
            .wait_time_seconds(options.wait.as_secs().min(MAX_WAIT_S) as i32)
            .visibility_timeout(options.visibility.as_secs() as i32)
            .set_receive_request_attempt_id(attempt_id)
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .message_attribute_names("All")
            .send()
            .await
            .map_err(|e| self.error(RECEIVE, e))?;
        let messages = answer.messages.unwrap_or_default().into_iter();
        Ok(messages
            .filter_map(|m| Received::from_sdk(m, lease_until))
            .collect())
    }

    /// Deletes up to [`MAX_BATCH`] messages in one call; answers for each, in the order given.
    ///
    /// # Errors
    /// When the call as a whole failed: then nothing is known of any entry.
    pub async fn delete_batch(
        &self,
        handles: &[&str],
    ) -> Result<Vec<Result<(), EntryError>>, QueueError> {
        debug_assert!(handles.len() <= MAX_BATCH);
        let entries = handles.iter().enumerate().map(|(position, handle)| {
            DeleteMessageBatchRequestEntry::builder()
                .id(position.to_string())
                .receipt_handle(*handle)
                .build()
                .expect("id and handle are set above")
        });
        let request = self
            .sqs
            .calling
            .delete_message_batch()
            .queue_url(self.url());
        let answer = request
            .set_entries(Some(entries.collect()))
            .send()
            .await
            .map_err(|e| self.error(DELETE, e))?;
        self.note_denials(DELETE, &answer.failed);
        let deleted = answer.successful.into_iter().map(|entry| (entry.id, ()));
        Ok(by_position(handles.len(), deleted, &answer.failed))
    }

    /// Sets for how long, from now, up to [`MAX_BATCH`] messages stay hidden (whole seconds, rounded up; 0
    /// gives a message back); answers for each, in the order given.
    ///
    /// # Errors
    /// When the call as a whole failed: then nothing is known of any entry.
    pub async fn change_visibility_batch(
        &self,
        changes: &[(&str, Duration)],
    ) -> Result<Vec<Result<(), EntryError>>, QueueError> {
        debug_assert!(changes.len() <= MAX_BATCH);
        let entries = changes
            .iter()
            .enumerate()
            .map(|(position, (handle, visibility))| {
                ChangeMessageVisibilityBatchRequestEntry::builder()
                    .id(position.to_string())
                    .receipt_handle(*handle)
                    .visibility_timeout(ceil_secs(*visibility))
                    .build()
                    .expect("id and handle are set above")
            });
        let request = self
            .sqs
            .calling
            .change_message_visibility_batch()
            .queue_url(self.url());
        let answer = request
            .set_entries(Some(entries.collect()))
            .send()
            .await
            .map_err(|e| self.error(HIDE, e))?;
        self.note_denials(HIDE, &answer.failed);
        let changed = answer.successful.into_iter().map(|entry| (entry.id, ()));
        Ok(by_position(changes.len(), changed, &answer.failed))
    }

    /// Asks whether messages of this queue may be hidden and given back: with a receipt handle that is none, since
    /// AWS looks at rights before it looks at handles. Changes nothing.
    ///
    /// # Errors
    /// [`QueueError::Denied`] when they may not. Whatever else comes back says nothing of our rights.
    pub async fn check_may_hide(&self) -> Result<(), QueueError> {
        let answers = match self
            .change_visibility_batch(&[(NO_HANDLE, Duration::ZERO)])
            .await
        {
            Err(error) if error.is_denied() => return Err(error),
            Err(_) => return Ok(()),
            Ok(answers) => answers,
        };
        let mut failed = answers.into_iter().filter_map(Result::err);
        match failed.find_map(|entry| entry.denial(HIDE, self.url())) {
            Some(denied) => Err(denied),
            None => Ok(()),
        }
    }

    /// Reads how many messages the queue holds.
    ///
    /// # Errors
    /// When the call failed.
    pub async fn counts(&self) -> Result<Counts, QueueError> {
        let raw = read_attributes(&self.sqs, self.url(), QueueAttributeName::All).await;
        let raw = raw.inspect_err(|error| self.note(error))?;
        let number = |name: &str| raw.get(name).and_then(|v| v.parse().ok()).unwrap_or(0);
        Ok(Counts {
            visible: number("ApproximateNumberOfMessages"),
            not_visible: number("ApproximateNumberOfMessagesNotVisible"),
            delayed: number("ApproximateNumberOfMessagesDelayed"),
        })
    }

    fn error<E, R>(
        &self,
        action: &'static str,
        error: aws_sdk_sqs::error::SdkError<E, R>,
    ) -> QueueError
    where
        E: std::error::Error + aws_sdk_sqs::error::ProvideErrorMetadata + 'static,
        R: fmt::Debug + 'static,
    {
        let error = QueueError::from_sdk(action, self.url(), error);
        self.note(&error);
        error
    }

    /// AWS answered the call, but may refuse its entries.
    fn note_denials(&self, action: &'static str, failed: &[BatchResultErrorEntry]) {
        let mut failed = failed.iter().map(EntryError::from);
        if let Some(denied) = failed.find_map(|entry| entry.denial(action, self.url())) {
            self.note(&denied);
        }
    }

    fn note(&self, error: &QueueError) {
        if let Some(on_denied) = &self.on_denied
            && error.is_denied()
        {
            on_denied(error);
        }
    }
}

pub(crate) async fn read_attributes(
    sqs: &Sqs,
    url: &str,
    names: QueueAttributeName,
) -> Result<BTreeMap<String, String>, QueueError> {
    let request = sqs
        .calling
        .get_queue_attributes()
        .queue_url(url)
        .attribute_names(names);
    let answer = request.send().await;
    let answer = answer.map_err(|e| QueueError::from_sdk(COUNT, url, e))?;
    let attributes = answer.attributes.unwrap_or_default().into_iter();
    Ok(attributes
        .map(|(name, value)| (name.as_str().to_owned(), value))
        .collect())
}

/// Puts the answers to a batch in the order of its entries, whose ids are their positions (never message
/// ids or timestamps: those have broken batches elsewhere, spring-cloud-aws#1634).
fn by_position<T>(
    entries: usize,
    successful: impl Iterator<Item = (String, T)>,
    failed: &[BatchResultErrorEntry],
) -> Vec<Result<T, EntryError>> {
    let mut answers: Vec<_> = (0..entries)
        .map(|_| Err(EntryError::unanswered()))
        .collect();
    for entry in failed {
        if let Some(answer) = entry
            .id()
            .parse()
            .ok()
            .and_then(|p: usize| answers.get_mut(p))
        {
            *answer = Err(EntryError::from(entry));
        }
    }
    for (id, value) in successful {
        if let Some(answer) = id.parse().ok().and_then(|p: usize| answers.get_mut(p)) {
            *answer = Ok(value);
        }
    }
    answers
}

fn ceil_secs(duration: Duration) -> i32 {
    let secs = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    i32::try_from(secs).unwrap_or(i32::MAX)
}
