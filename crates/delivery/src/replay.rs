//! What an event that is sent back to the source queue carries of its earlier lives.

use serde::{Deserialize, Serialize};

use crate::dead_letter::{VERSION, json_within, shed_attempt, shed_excerpt};
use crate::{Attempt, DeadLetter, Origin};

/// The message attribute of a replayed message: a [`Replay`] as JSON.
pub const REPLAY: &str = "hooklane.replay";

/// What a replayed message carries of its earlier lives (`docs/DECISIONS.md`, "A replay keeps its first life").
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replay {
    /// The version of this format, 1.
    pub v: u32,
    /// How many times the event has been replayed, this time included.
    pub replays: u32,
    /// Who it was at first.
    pub origin: Origin,
    /// Every attempt of its earlier lives, oldest first.
    pub attempts: Vec<Attempt>,
    /// Whether excerpts or attempts were left out so that the message fits its queue.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub trimmed: bool,
}

impl Replay {
    /// An event of which no attempt is known.
    pub fn new(replays: u32, origin: Origin) -> Self {
        Self {
            v: VERSION,
            replays,
            origin,
            attempts: Vec::new(),
            trimmed: false,
        }
    }

    /// The next life of a dead letter: one more replay, with all that was attempted and the identity it had at
    /// first.
    pub fn of(letter: DeadLetter) -> Self {
        Self {
            attempts: letter.attempts,
            trimmed: letter.trimmed,
            ..Self::new(letter.replays.saturating_add(1), letter.origin)
        }
    }

    /// Reads what a replayed message carries.
    ///
    /// # Errors
    /// When the text is not such a record.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// The record as JSON of at most `room` bytes: trimmed where it must be, oldest excerpts first, then whole
    /// attempts, oldest first. None if not even the origin alone fits.
    pub fn to_json_within(&self, room: usize) -> Option<String> {
        json_within(self.clone(), room, |replay| {
            replay.trimmed = true;
            shed_excerpt(&mut replay.attempts) || shed_attempt(&mut replay.attempts)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use event::Timestamp;

    use super::*;
    use crate::{Answer, Death, Reason};

    const AT: Timestamp = Timestamp::from_millis(1_739_370_645_123);

    fn origin(message_id: &str) -> Origin {
        Origin {
            message_id: message_id.to_owned(),
            sequence_number: Some("00000000000000000001".to_owned()),
            deduplication_id: Some("2025-02-12T14:30:45.123".to_owned()),
            group: Some("EventSetup_7".to_owned()),
            sent_at: AT,
        }
    }

    /// An event that came as message `message_id` dies after four attempts.
    fn death_of(message_id: &str, earlier: Option<Replay>) -> DeadLetter {
        let death = Death {
            reason: Reason::Exhausted,
            detail: Some("of its own".to_owned()),
            dead_at: AT,
            callback: Some("https://hooks.example.com/workn".to_owned()),
        };
        let life = earlier.as_ref().map_or(0, |replay| replay.replays);
        let outcome = Ok(Answer {
            status: 500,
            retry_after: None,
            excerpt: "x".repeat(512),
        });
        let attempts = (1..=4).map(|n| Attempt::new(life, n, AT, Duration::ZERO, &outcome));
        let origin = origin(message_id);
        DeadLetter::new(
            "https://sqs/q.fifo",
            death,
            origin,
            earlier,
            attempts.collect(),
        )
    }

    fn lives(attempts: &[Attempt]) -> Vec<u32> {
        attempts.iter().map(|attempt| attempt.life).collect()
    }

    #[test]
    fn a_second_death_shows_both_lives_and_the_first_identity() {
        let replay = Replay::of(death_of("m-0", None));
        assert_eq!((replay.v, replay.replays), (1, 1));
        assert_eq!(replay.origin, origin("m-0"));
        let second = death_of("m-1", Some(replay));
        assert_eq!(second.origin, origin("m-0"));
        assert_eq!(second.replays, 1);
        assert_eq!(lives(&second.attempts), [0, 0, 0, 0, 1, 1, 1, 1]);
    }

    #[test]
    fn each_replay_counts_one_more() {
        let second = Replay::of(death_of("m-1", Some(Replay::of(death_of("m-0", None)))));
        assert_eq!((second.replays, second.attempts.len()), (2, 8));
        let mut endless = death_of("m-0", None);
        endless.replays = u32::MAX;
        assert_eq!(Replay::of(endless).replays, u32::MAX);
    }

    #[test]
    fn a_replay_that_does_not_fit_loses_its_oldest_excerpts_first_and_says_so() {
        let replay = Replay::of(death_of("m-0", None));
        let full = replay.to_json_within(usize::MAX).unwrap();
        assert_eq!(Replay::parse(&full).unwrap(), replay);
        let trimmed = replay.to_json_within(full.len() - 1).unwrap();
        let trimmed = Replay::parse(&trimmed).unwrap();
        assert!(trimmed.trimmed);
        let excerpts: Vec<_> = trimmed.attempts.iter().map(|a| a.excerpt.len()).collect();
        assert_eq!(excerpts, [0, 512, 512, 512]);
    }

    #[test]
    fn a_trimmed_replay_fits_whatever_the_room_and_keeps_its_origin_and_its_newest_attempts() {
        let replay = Replay::of(death_of("m-0", None));
        let bare = Replay {
            trimmed: true,
            ..Replay::new(1, origin("m-0"))
        };
        let least = serde_json::to_string(&bare).unwrap().len();
        assert_eq!(replay.to_json_within(least - 1), None);
        for room in least..3_000 {
            let text = replay.to_json_within(room).unwrap();
            assert!(text.len() <= room);
            let read = Replay::parse(&text).unwrap();
            assert_eq!((read.replays, read.origin), (1, origin("m-0")));
            let numbers: Vec<_> = read.attempts.iter().map(|a| a.n).collect();
            assert_eq!(numbers, [1, 2, 3, 4][4 - numbers.len()..]);
        }
    }

    #[test]
    fn a_death_after_a_trimmed_replay_still_says_that_something_is_missing() {
        let replay = Replay::of(death_of("m-0", None));
        let trimmed = Replay::parse(&replay.to_json_within(400).unwrap()).unwrap();
        let second = death_of("m-1", Some(trimmed));
        assert!(second.trimmed);
        assert!(Replay::of(second).trimmed);
    }

    #[test]
    fn a_replay_reads_as_the_contract_says() {
        let json = Replay::new(1, origin("m-0")).to_json_within(9000).unwrap();
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        let expected = serde_json::json!({
            "v": 1,
            "replays": 1,
            "origin": {
                "message_id": "m-0",
                "sequence_number": "00000000000000000001",
                "deduplication_id": "2025-02-12T14:30:45.123",
                "group": "EventSetup_7",
                "sent_at": "2025-02-12T14:30:45.123Z"
            },
            "attempts": []
        });
        assert_eq!(json, expected);
    }
}
