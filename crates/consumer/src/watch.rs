//! Looks from time to time whether the queues are still what they were when the worker started: somebody may change
//! one under a running worker, and SQS tells nobody. What has become worse is said once, and once that it is over.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use queue::admin::{
    Backstop, Keeping, LEAST_RECEIVE_COUNT, Problem, backstop, check_named, keeping,
};
use queue::limits::{MAX_RECEIVE_COUNT, MAX_RETENTION_S};
use queue::{Queue, QueueAttributes, QueueError};
use tracing::{debug, error, info, warn};

/// Between two looks. One costs two calls of `GetQueueAttributes`: 86,400 a month for a worker, some four cents.
pub(crate) const BETWEEN_LOOKS: Duration = Duration::from_secs(60);

/// What the worker knows of the two queues.
pub(crate) struct Watch {
    source: Queue,
    dead_letters: Queue,
    /// How long an event may need for all its attempts.
    needed: Duration,
    retention_s: AtomicU64,
    known: Mutex<Known>,
    clock_is_off: AtomicBool,
}

struct Known {
    source: OneQueue,
    dead: OneQueue,
    /// What was wrong when the worker started, and was said then if it matters.
    from_the_start: Vec<Problem>,
    /// What is wrong now and has been said.
    said: Vec<Finding>,
}

/// What the last look found of one queue; where it did not find out, the one before.
struct OneQueue {
    attributes: QueueAttributes,
    is_gone: bool,
}

/// Something about a queue that became worse.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Finding {
    /// It does not exist any more.
    Gone(String),
    /// It was deleted and made anew.
    Anew(String),
    /// The native redrive takes away events that have attempts left.
    TakesAway(u32),
    /// Events are dropped that have attempts left.
    KeptTooShort { kept_s: u64, needed_s: u64 },
    /// `queues check` would say this.
    Wrong(Problem),
}

/// What one look found that the look before had not.
#[derive(Debug, Default, PartialEq, Eq)]
struct News {
    new: Vec<Finding>,
    over: Vec<Finding>,
}

impl Watch {
    pub(crate) fn new(source: &Queue, dead_letters: &Queue, needed: Duration) -> Self {
        let (of_source, of_dead) = (source.attributes(), dead_letters.attributes());
        let one = |attributes: &QueueAttributes| OneQueue {
            attributes: attributes.clone(),
            is_gone: false,
        };
        let known = Known {
            from_the_start: check_named((source.url(), of_source), (dead_letters.url(), of_dead)),
            source: one(of_source),
            dead: one(of_dead),
            said: Vec::new(),
        };
        Self {
            retention_s: AtomicU64::new(of_source.retention_s),
            source: source.clone(),
            dead_letters: dead_letters.clone(),
            needed,
            known: Mutex::new(known),
            clock_is_off: AtomicBool::new(false),
        }
    }

    /// How long the source queue keeps a message, as the last look found it.
    pub(crate) fn retention(&self) -> Duration {
        Duration::from_secs(self.retention_s.load(Relaxed))
    }

    /// Says it once if this machine's clock is not SQS's, and once that it is again.
    pub(crate) fn look_at_the_clock(&self) {
        let off_ms = self.source.clock().off_ms();
        let was_off = self.clock_is_off.swap(off_ms.is_some(), Relaxed);
        match off_ms {
            Some(off_ms) if !was_off => warn!(
                "this machine's clock is {:.1} s {} SQS's: the worker goes by SQS's time; set the clock right (NTP)",
                off_ms.abs() as f64 / 1_000.0,
                if off_ms > 0 { "ahead of" } else { "behind" }
            ),
            None if was_off => info!("this machine's clock agrees with SQS's again"),
            _ => {}
        }
    }

    /// Looks at both queues and says what has changed.
    pub(crate) async fn look(&self) {
        let news = self.news().await;
        news.new.iter().for_each(Finding::say);
        news.over.iter().for_each(Finding::say_over);
    }

    /// Looks at both queues: what has changed since the last look.
    async fn news(&self) -> News {
        let (source, dead) = tokio::join!(
            self.source.attributes_now(),
            self.dead_letters.attributes_now()
        );
        let mut known = self.known();
        let anew = [
            known.source.take(&self.source, source),
            known.dead.take(&self.dead_letters, dead),
        ];
        let kept_s = known.source.attributes.retention_s;
        self.retention_s.store(kept_s, Relaxed);
        let found = self.judge(&known);
        let mut news = known.compare(found);
        news.new.extend(anew.into_iter().flatten());
        news
    }

    fn judge(&self, known: &Known) -> Vec<Finding> {
        let queues = [
            (&self.source, &known.source),
            (&self.dead_letters, &known.dead),
        ];
        let gone = queues.iter().filter(|(_, one)| one.is_gone);
        let mut found: Vec<_> = gone
            .map(|(queue, _)| Finding::Gone(queue.url().to_owned()))
            .collect();
        let [source, dead] = queues.map(|(queue, one)| (queue.url(), &one.attributes));
        if let Backstop::TooLow(count) = backstop(source.1) {
            found.push(Finding::TakesAway(count));
        }
        if keeping(source.1, self.needed) == Keeping::TooShort {
            found.push(Finding::KeptTooShort {
                kept_s: source.1.retention_s,
                needed_s: self.needed.as_secs(),
            });
        }
        let new = check_named(source, dead)
            .into_iter()
            .filter(|problem| !known.from_the_start.contains(problem));
        found.extend(new.map(Finding::Wrong));
        found
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().expect("no holder panics")
    }
}

impl OneQueue {
    /// Takes over what SQS says of the queue now.
    fn take(&mut self, queue: &Queue, now: Result<QueueAttributes, QueueError>) -> Option<Finding> {
        match now {
            Ok(now) => {
                self.is_gone = false;
                let then = std::mem::replace(&mut self.attributes, now);
                let is_another = self.attributes.is_another(&then);
                is_another.then(|| Finding::Anew(queue.url().to_owned()))
            }
            Err(QueueError::NotFound { .. }) => {
                self.is_gone = true;
                None
            }
            Err(error) => {
                debug!(%error, "a queue could not be looked at");
                None
            }
        }
    }
}

impl Known {
    /// What was not there at the last look, and what was and is no more.
    fn compare(&mut self, found: Vec<Finding>) -> News {
        let said = std::mem::replace(&mut self.said, found);
        let new = self.said.iter().filter(|finding| !said.contains(finding));
        let over = said.iter().filter(|finding| !self.said.contains(finding));
        News {
            new: new.cloned().collect(),
            over: over.cloned().collect(),
        }
    }
}

impl Finding {
    fn say(&self) {
        match self {
            Self::Gone(queue) => error!(
                queue,
                "the queue does not exist any more: somebody deleted it, with what lay in it"
            ),
            Self::Anew(queue) => error!(
                queue,
                "the queue was deleted and made anew: what lay in the old one is gone with it; the worker goes on with the new one"
            ),
            Self::TakesAway(count) => error!(
                "the source queue now moves a message away after {count} receives (maxReceiveCount), and a receive is not an attempt: events go to the internal queue unattempted; set it to {MAX_RECEIVE_COUNT}, at least {LEAST_RECEIVE_COUNT}"
            ),
            Self::KeptTooShort { kept_s, needed_s } => error!(
                "the source queue now keeps a message for {kept_s} s (MessageRetentionPeriod), and an event may need {needed_s} s for all its attempts: SQS drops the others in silence; set it to {MAX_RETENTION_S}"
            ),
            Self::Wrong(problem) => warn!(
                queue = problem.queue,
                "a queue was changed: {} is {}, should be {}: {}",
                problem.attribute,
                problem.found,
                problem.expected,
                problem.why
            ),
        }
    }

    fn say_over(&self) {
        match self {
            Self::Gone(queue) => info!(queue, "the queue is there again"),
            // Happens, and does not last.
            Self::Anew(_) => {}
            Self::TakesAway(_) => {
                info!("the source queue leaves messages where they are again (maxReceiveCount)");
            }
            Self::KeptTooShort { .. } => {
                info!("the source queue keeps its messages long enough again");
            }
            Self::Wrong(problem) => info!(
                queue = problem.queue,
                "{} of the queue was changed again", problem.attribute
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use local_sqs::{Limits, LocalSqs};
    use queue::Sqs;
    use queue::admin::{Kind, create_pair};
    use serde_json::json;

    use super::*;

    struct Rig {
        local: LocalSqs,
        sqs: Sqs,
        watch: Watch,
    }

    async fn rig() -> Rig {
        let local = LocalSqs::new(Limits::default());
        let sqs = Sqs::in_process(local.http_client());
        let pair = create_pair(&sqs, "events", Kind::Fifo).await.unwrap();
        let source = Queue::open(&sqs, &pair.source_url).await.unwrap();
        let dead_letters = Queue::open(&sqs, &pair.dead_letter_url).await.unwrap();
        let watch = Watch::new(&source, &dead_letters, Duration::from_secs(180));
        Rig { local, sqs, watch }
    }

    impl Rig {
        async fn set(&self, queue: &Queue, name: &str, value: &str) {
            let request = json!({"QueueUrl": queue.url(), "Attributes": {name: value}});
            self.local
                .ask("SetQueueAttributes", &request.to_string())
                .await;
        }

        async fn set_receive_count(&self, count: u32) {
            let target = &self.watch.dead_letters.attributes().arn;
            let policy = json!({"deadLetterTargetArn": target, "maxReceiveCount": count});
            self.set(&self.watch.source, "RedrivePolicy", &policy.to_string())
                .await;
        }

        async fn delete(&self, queue: &Queue) {
            let request = json!({"QueueUrl": queue.url()});
            self.local.ask("DeleteQueue", &request.to_string()).await;
        }

        /// What is new, in short.
        async fn short_news(&self) -> Vec<String> {
            let news = self.watch.news().await;
            let short = |finding: &Finding| match finding {
                Finding::Wrong(problem) => format!("{} is {}", problem.attribute, problem.found),
                finding => format!("{finding:?}"),
            };
            let over = news
                .over
                .iter()
                .map(|finding| format!("over: {}", short(finding)));
            news.new.iter().map(short).chain(over).collect()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_pair_that_stays_as_it_was_gives_no_news() {
        let rig = rig().await;
        for _ in 0..3 {
            assert_eq!(rig.watch.news().await, News::default());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_receive_count_that_is_lowered_is_said_once_and_once_that_it_is_right_again() {
        let rig = rig().await;
        rig.set_receive_count(500).await;
        let new = rig.short_news().await;
        assert_eq!(new.len(), 1, "{new:?}");
        assert!(new[0].starts_with("RedrivePolicy is "), "{new:?}");
        rig.set_receive_count(3).await;
        assert!(rig.short_news().await.contains(&"TakesAway(3)".to_owned()));
        assert_eq!(rig.watch.news().await, News::default());
        rig.set_receive_count(1_000).await;
        assert!(
            rig.short_news()
                .await
                .contains(&"over: TakesAway(3)".to_owned())
        );
        assert_eq!(rig.watch.news().await, News::default());
    }

    #[tokio::test(start_paused = true)]
    async fn a_retention_that_is_shortened_is_said_of_either_queue_and_known_from_then_on() {
        let rig = rig().await;
        assert_eq!(rig.watch.retention(), Duration::from_secs(1_209_600));
        rig.set(&rig.watch.source, "MessageRetentionPeriod", "345600")
            .await;
        assert_eq!(rig.short_news().await, ["MessageRetentionPeriod is 345600"]);
        assert_eq!(rig.watch.retention(), Duration::from_secs(345_600));
        rig.set(&rig.watch.dead_letters, "MessageRetentionPeriod", "86400")
            .await;
        assert_eq!(rig.short_news().await, ["MessageRetentionPeriod is 86400"]);
        rig.set(&rig.watch.source, "MessageRetentionPeriod", "60")
            .await;
        let new = rig.short_news().await;
        let too_short = "KeptTooShort { kept_s: 60, needed_s: 180 }".to_owned();
        assert!(new.contains(&too_short), "{new:?}");
        assert_eq!(rig.watch.news().await, News::default());
    }

    #[tokio::test(start_paused = true)]
    async fn a_queue_that_is_deleted_and_made_anew_is_said() {
        let rig = rig().await;
        for queue in [&rig.watch.source, &rig.watch.dead_letters] {
            rig.delete(queue).await;
            assert_eq!(rig.short_news().await, [format!("Gone({:?})", queue.url())]);
            assert_eq!(rig.watch.news().await, News::default());
            // SQS forgets a name for a minute.
            tokio::time::advance(Duration::from_secs(61)).await;
            create_pair(&rig.sqs, "events", Kind::Fifo).await.unwrap();
            let new = rig.short_news().await;
            assert!(new.contains(&format!("Anew({:?})", queue.url())), "{new:?}");
            assert!(new.contains(&format!("over: Gone({:?})", queue.url())));
            assert_eq!(rig.watch.news().await, News::default());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_queue_that_was_made_anew_between_two_looks_is_said() {
        let rig = rig().await;
        rig.delete(&rig.watch.source).await;
        tokio::time::advance(Duration::from_secs(61)).await;
        create_pair(&rig.sqs, "events", Kind::Fifo).await.unwrap();
        let new = rig.short_news().await;
        assert_eq!(new, [format!("Anew({:?})", rig.watch.source.url())]);
    }
}
