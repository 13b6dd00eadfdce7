//! Says of a queue pair what the names in the configuration could not tell.

use delivery::RetrySchedule;
use queue::Queue;
use queue::admin::{
    LEAST_RECEIVE_COUNT, NotUsable, Warning, is_pair, source_retention_s, usable_pair,
};
use queue::limits::{MAX_RECEIVE_COUNT, MAX_RETENTION_S};
use tracing::warn;

use crate::exit::Usage;

/// Refuses a pair that is none, for whoever only looks and sends letters back.
pub(super) fn check_kind(source: &Queue, dead_letters: &Queue) -> anyhow::Result<()> {
    is_pair(source, dead_letters).map_err(|why| anyhow::anyhow!(named(source, dead_letters, why)))
}

/// Refuses what would lose or reorder events, and warns of what is amiss besides.
pub(super) fn check(
    source: &Queue,
    dead_letters: &Queue,
    schedule: &RetrySchedule,
) -> anyhow::Result<()> {
    match usable_pair(source, dead_letters, schedule.longest_life()) {
        Ok(warnings) => {
            for warning in warnings {
                warn!("{}", warned(source, dead_letters, warning));
            }
            Ok(())
        }
        Err(NotUsable::Dropped) => Err(Usage(dropped(source, schedule)).into()),
        Err(why) => Err(anyhow::anyhow!(named(source, dead_letters, why))),
    }
}

fn named(source: &Queue, dead_letters: &Queue, why: NotUsable) -> String {
    match why {
        NotUsable::OneQueue => "queue.url and queue.dead_letter_url are the same queue: the internal queue must be another one".to_owned(),
        NotUsable::Swapped => format!(
            "queue.url and queue.dead_letter_url are swapped: the native redrive of {} leads to {}",
            dead_letters.url(),
            source.url()
        ),
        NotUsable::TwoKinds => "the source queue and the internal queue must be of one kind, both FIFO or both standard".to_owned(),
        NotUsable::TakenAway(count) => format!(
            "the source queue moves a message away after {count} receives (maxReceiveCount), and a receive is not an attempt: set it to {MAX_RECEIVE_COUNT}, at least {LEAST_RECEIVE_COUNT}"
        ),
        NotUsable::Dropped => format!(
            "the source queue keeps a message for {} s (MessageRetentionPeriod), which is too short",
            source.attributes().retention_s
        ),
    }
}

/// SQS drops what is older than the retention, whatever it waits for, and tells nobody.
fn dropped(source: &Queue, schedule: &RetrySchedule) -> String {
    let kept_s = source.attributes().retention_s;
    let (attempts, timeout_s) = (schedule.attempts(), schedule.timeout().as_secs_f64());
    let needed_s = schedule.longest_life().as_secs_f64();
    let waits_s = needed_s - f64::from(attempts) * timeout_s;
    format!(
        "the source queue keeps a message for {kept_s} s (MessageRetentionPeriod), and an event may need {needed_s} s: waits of {waits_s} s and {attempts} attempts of up to {timeout_s} s; SQS would drop it in silence, with attempts left: set MessageRetentionPeriod to {MAX_RETENTION_S} (14 days, the most there is), or shorten retry.delays"
    )
}

fn warned(source: &Queue, dead_letters: &Queue, warning: Warning) -> String {
    match warning {
        Warning::TakenAway(count) => format!(
            "the source queue moves a message away after {count} receives (maxReceiveCount); set it to {MAX_RECEIVE_COUNT}, since a receive is not an attempt"
        ),
        Warning::SourceKeepsShort => format!(
            "the source queue keeps a message for {} s (MessageRetentionPeriod), and then SQS drops it in silence, with its attempts or behind others of its group; set it to {}",
            source.attributes().retention_s,
            source_retention_s(source.is_fifo())
        ),
        Warning::InternalKeepsShort => format!(
            "the internal queue keeps a message for {} s (MessageRetentionPeriod), and then SQS drops it in silence; set it to {MAX_RETENTION_S}",
            dead_letters.attributes().retention_s
        ),
    }
}
