//! The audit log: who changed what in the internal queue, when and why. One structured line for each letter, written
//! where the other logs go, under the target `audit`.

use tracing::{info, warn};

use crate::Letter;
use crate::letter_file::Line;

/// Who changes something, and why.
#[derive(Debug, Clone)]
pub struct Audit {
    /// The person, as far as this program can know.
    pub who: String,
    /// Their reason, if they gave one.
    pub why: Option<String>,
}

impl Audit {
    pub(crate) fn done(&self, action: &'static str, letter: &Letter, place: &str, put: &str) {
        let Self { who, why } = self;
        info!(
            target: "audit",
            action,
            who,
            why,
            id = letter.id(),
            message_id = letter.message.message_id,
            group = letter.group(),
            reason = letter.reason().as_str(),
            to = place,
            put_as = put,
            "dead letter: {action} done"
        );
    }

    pub(crate) fn failed(&self, action: &'static str, letter: &Letter, error: &str) {
        let Self { who, why } = self;
        warn!(
            target: "audit",
            action,
            who,
            why,
            id = letter.id(),
            message_id = letter.message.message_id,
            group = letter.group(),
            error,
            "dead letter: {action} failed"
        );
    }

    /// A letter was put back into the queue at `place`, as the message `put`.
    pub(crate) fn imported(&self, line: &Line, place: &str, put: &str) {
        let Self { who, why } = self;
        info!(
            target: "audit",
            action = "import",
            who,
            why,
            id = line.id,
            message_id = line.message_id,
            group = line.group,
            reason = line.reason.as_str(),
            to = place,
            put_as = put,
            "dead letter: import done"
        );
    }
}
