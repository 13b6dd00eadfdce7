//! The attempt ledger: what holds wherever it is kept, and what is particular to each place.

mod dynamodb;
mod every_place;
mod formats;
mod network;
mod place;
mod processes;
mod sqlite;

use std::time::{Duration, SystemTime};

use delivery::{Attempt, FailureKind, Record, RecordState};
use event::Timestamp;
use store::{Key, Ledger, Seen, WriteError};

const DAY: Duration = Duration::from_secs(24 * 3600);
const RETENTION: Duration = DAY.saturating_mul(4);

/// The time of day: the emulator removes what expired by its own clock.
fn now() -> Timestamp {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Timestamp::from_millis(now.unwrap().as_millis() as u64)
}

fn key(message_id: impl ToString) -> Key {
    Key {
        queue: "https://sqs.us-east-1.amazonaws.com/123456789012/events.fifo".to_owned(),
        message_id: message_id.to_string(),
        group: Some("EventSetup_7".to_owned()),
    }
}

fn record(attempts: u32) -> Record {
    let at = Timestamp::from_millis(1_739_370_645_123);
    let refused = Err(delivery::Failure {
        kind: FailureKind::Connect,
        detail: "refused".to_owned(),
    });
    let attempt = |n| Attempt::new(0, n, at, Duration::from_millis(8), &refused);
    Record {
        attempts: (1..=attempts).map(attempt).collect(),
        state: RecordState::waiting(at, Duration::ZERO),
        receives: 1,
        begun: 0,
    }
}

/// Writes a record of so many attempts.
async fn write(
    ledger: &Ledger,
    id: impl ToString,
    seen: Option<&Seen>,
    attempts: u32,
) -> Result<Seen, WriteError> {
    let record = record(attempts);
    ledger.write(&key(id), seen, &record, now()).await
}

/// Runs them all at once.
async fn together<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    count: usize,
    start: impl Fn(usize) -> F,
) -> Vec<T> {
    let tasks: Vec<_> = (0..count).map(|n| tokio::spawn(start(n))).collect();
    let mut done = Vec::new();
    for task in tasks {
        done.push(task.await.unwrap());
    }
    done
}
