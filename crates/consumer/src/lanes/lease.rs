//! What one lane holds of the source queue: its messages, their common lease, and the calls that extend,
//! hide and give back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::time::Duration;

use delivery::{Hide, Lane};
use queue::{EntryErrorKind, Queue, Received, Uptime};
use tokio::time::{sleep, timeout};
use tracing::debug;

use crate::breakage::Breakage;
use crate::lanes::bytes::Part;
use crate::tally::InHand;

/// A received message, in hand until it is settled.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) message: Received,
    pub(crate) in_hand: InHand,
    pub(crate) bytes: Part,
}

/// The lease is over or refused: another worker may have the message. Nothing more may be POSTed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LeaseLost;

/// Tries of a visibility call, with waits that double from 100 ms: under a second in all, since leases run.
const TRIES: u32 = 4;

/// A lane and the lease of everything it holds. All messages of a lane came with one receive and are extended
/// together, so one deadline serves. It runs on while the machine is suspended.
#[derive(Debug)]
pub(crate) struct Lease {
    lane: Lane<Held>,
    queue: Queue,
    visibility: Duration,
    until: Uptime,
    deletes: Vec<OnItsWay>,
}

/// A message of the lane whose delete is not confirmed: were it to become visible, it would come again.
#[derive(Debug)]
struct OnItsWay {
    receipt_handle: String,
    fate: Arc<Fate>,
}

/// What SQS said to a delete.
#[derive(Debug, Default)]
pub(crate) struct Fate(AtomicU8);

const CONFIRMED: u8 = 1;
const HANDLE_LOST: u8 = 2;

impl Fate {
    /// The message is gone.
    pub(crate) fn confirm(&self) {
        self.0.store(CONFIRMED, Relaxed);
    }

    /// The handle is no longer ours, and so neither is the rest of the lane.
    pub(crate) fn lose(&self) {
        self.0.store(HANDLE_LOST, Relaxed);
    }

    fn is(&self, what: u8) -> bool {
        self.0.load(Relaxed) == what
    }
}

impl Lease {
    /// The lease of a lane as it was received; none of an empty one.
    pub(crate) fn of(lane: Lane<Held>, queue: Queue, visibility: Duration) -> Option<Self> {
        let until = lane.head()?.message.lease_until;
        Some(Self {
            lane,
            queue,
            visibility,
            until,
            deletes: Vec::new(),
        })
    }

    /// The message at the head of the lane; none once all are settled.
    pub(crate) fn head(&self) -> Option<&Held> {
        self.lane.head()
    }

    /// The MessageIds of what the lane still has, in order.
    pub(crate) fn message_ids(&self) -> Vec<String> {
        let ids = self.lane.iter().map(|held| &held.message.message_id);
        ids.cloned().collect()
    }

    /// Takes the head out: what is behind it is the head now.
    pub(crate) fn advance(&mut self) -> Option<Held> {
        self.lane.advance()
    }

    /// Counts a message whose delete is on its way as held, until SQS has answered.
    pub(crate) fn keep_until_deleted(&mut self, receipt_handle: &str) -> Arc<Fate> {
        let fate = Arc::<Fate>::default();
        self.deletes.push(OnItsWay {
            receipt_handle: receipt_handle.to_owned(),
            fate: fate.clone(),
        });
        fate
    }

    /// Sees to it that the lease outlasts `needed`, extending everything held if it does not.
    pub(crate) async fn outlast(&mut self, needed: Duration) -> Result<(), LeaseLost> {
        // An expired handle of one tells of all: they came with one receive.
        if self.deletes.iter().any(|d| d.fate.is(HANDLE_LOST)) {
            return Err(LeaseLost);
        }
        if self.remaining() >= needed || Breakage::NoLeaseCheck.is_made() {
            return Ok(());
        }
        // Once it is over, the group may be with another worker; an extension could still be accepted.
        if self.is_over() {
            return Err(LeaseLost);
        }
        self.renew(self.visibility).await?;
        if self.remaining() >= needed {
            Ok(())
        } else {
            Err(LeaseLost)
        }
    }

    /// Sees to it that everything held comes back within `longest` should this worker die.
    pub(crate) async fn at_most(&mut self, longest: Duration) -> Result<(), LeaseLost> {
        match self.remaining() {
            Duration::ZERO => Err(LeaseLost),
            left if left > longest => self.renew(longest).await,
            _ => Ok(()),
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.remaining().is_zero()
    }

    fn now(&self) -> Uptime {
        self.queue.clock().uptime()
    }

    fn remaining(&self) -> Duration {
        self.now().until(self.until)
    }

    async fn renew(&mut self, visibility: Duration) -> Result<(), LeaseLost> {
        self.deletes.retain(|d| !d.fate.is(CONFIRMED));
        let held = self.lane.iter().map(|h| h.message.receipt_handle.as_str());
        let deletes = self.deletes.iter().map(|d| d.receipt_handle.as_str());
        let changes: Vec<_> = held
            .chain(deletes)
            .map(|handle| (handle, visibility))
            .collect();
        let until = self.now() + visibility;
        // Half of what is left stays for whoever has attempts to write down, should this come to nothing.
        let half = self.remaining() / 2;
        let Ok(refused) = timeout(half, set_visibility(&self.queue, &changes, self.until)).await
        else {
            return Err(LeaseLost);
        };
        // A refusal for a message that is being deleted says only that the delete came first.
        if refused.iter().any(|&position| position < self.lane.len()) {
            return Err(LeaseLost);
        }
        self.until = until;
        Ok(())
    }

    /// Hides or gives back what the lane still holds. Best effort: what fails stays hidden until its lease
    /// ends, and the ledger keeps it from being attempted before its time.
    pub(crate) async fn leave(&self, hide: impl FnOnce(&Lane<Held>) -> Hide<'_, Held>) {
        let hide = hide(&self.lane);
        let handle =
            |(held, wait): &(&Held, Duration)| (held.message.receipt_handle.clone(), *wait);
        for changes in [
            hide.followers.iter().map(handle).collect::<Vec<_>>(),
            hide.head.iter().map(handle).collect(),
        ] {
            let changes: Vec<_> = changes
                .iter()
                .map(|(h, wait)| (h.as_str(), *wait))
                .collect();
            if !changes.is_empty() {
                set_visibility(&self.queue, &changes, self.until).await;
            }
        }
    }
}

/// Sets visibilities, trying again while that may help and the lease lasts; gives the positions refused.
async fn set_visibility(queue: &Queue, changes: &[(&str, Duration)], until: Uptime) -> Vec<usize> {
    let mut open: Vec<usize> = (0..changes.len()).collect();
    let mut refused = Vec::new();
    let mut wait = Duration::from_millis(100);
    for _ in 0..TRIES {
        let batch: Vec<_> = open.iter().map(|&position| changes[position]).collect();
        match queue.change_visibility_batch(&batch).await {
            Ok(answers) => {
                let mut again = Vec::new();
                for (position, answer) in open.into_iter().zip(answers) {
                    match answer {
                        Ok(()) => {}
                        Err(error) if error.is_transient() => again.push(position),
                        Err(error) => {
                            if error.kind() != EntryErrorKind::HandleLost {
                                debug!(%error, "a visibility change was refused");
                            }
                            refused.push(position);
                        }
                    }
                }
                open = again;
            }
            Err(error) => debug!(%error, "a visibility call failed"),
        }
        if open.is_empty() || queue.clock().uptime() + wait >= until {
            break;
        }
        sleep(wait).await;
        wait *= 2;
    }
    refused.extend(open);
    refused
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use local_sqs::{Limits, LocalSqs};
    use queue::admin::{Kind, create_pair};
    use queue::{Outgoing, ReceiveOptions, Sqs};

    use super::*;
    use crate::lanes::bytes::Room;
    use crate::tally::Tally;

    const VISIBILITY: Duration = Duration::from_secs(60);

    /// A lane of one message, just received for a minute.
    async fn held_lane() -> Lease {
        let sqs = Sqs::in_process(LocalSqs::new(Limits::default()).http_client());
        let pair = create_pair(&sqs, "events", Kind::Fifo).await.unwrap();
        let queue = Queue::open(&sqs, &pair.source_url).await.unwrap();
        let outgoing = Outgoing {
            body: "{}".to_owned(),
            group: Some("g".to_owned()),
            deduplication_id: Some("1".to_owned()),
            attributes: BTreeMap::new(),
        };
        queue.send_batch(&[outgoing]).await.unwrap();
        let options = ReceiveOptions {
            max: 1,
            wait: Duration::ZERO,
            visibility: VISIBILITY,
        };
        let message = queue.receive(options).await.unwrap().remove(0);
        let in_hand = InHand::new(&Arc::new(Tally::default()));
        let (_, mut reserved) = Room::new(1024, 1024).reserve(1).await;
        let bytes = reserved.part(&message);
        let held = vec![Held {
            message,
            in_hand,
            bytes,
        }];
        let lane = Lane::split(held, |h| h.message.group.clone()).remove(0);
        Lease::of(lane, queue, VISIBILITY).expect("a lane of one")
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_is_over_is_lost_even_if_sqs_would_still_extend_it() {
        let mut lease = held_lane().await;
        tokio::time::advance(VISIBILITY).await;
        assert_eq!(lease.outlast(Duration::from_secs(32)).await, Err(LeaseLost));
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_runs_on_while_the_machine_is_suspended() {
        let mut lease = held_lane().await;
        lease.queue.clock().suspend(VISIBILITY);
        assert!(lease.is_over());
        let enough = Duration::from_secs(1);
        assert_eq!(lease.outlast(enough).await, Err(LeaseLost));
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_is_too_short_is_extended_and_one_that_is_not_is_left_alone() {
        let mut lease = held_lane().await;
        let until = lease.until;
        lease.outlast(Duration::from_secs(60)).await.unwrap();
        assert_eq!(lease.until, until);
        tokio::time::advance(Duration::from_secs(40)).await;
        lease.outlast(Duration::from_secs(32)).await.unwrap();
        assert_eq!(lease.until, until + Duration::from_secs(40));
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_is_too_long_is_shortened_and_one_that_is_over_stays_lost() {
        let mut lease = held_lane().await;
        let longest = Duration::from_secs(20);
        lease.at_most(longest).await.unwrap();
        assert_eq!(lease.remaining(), longest);
        tokio::time::advance(longest).await;
        assert_eq!(lease.at_most(longest).await, Err(LeaseLost));
    }

    #[tokio::test(start_paused = true)]
    async fn no_extension_makes_a_lease_longer_than_one_visibility_timeout() {
        let mut lease = held_lane().await;
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(lease.outlast(VISIBILITY * 2).await, Err(LeaseLost));
    }
}
