//! Sign-in attempts: taken one at a time, and a wrong one holds up the next.

use std::sync::Arc;
use std::time::Duration;

use delivery::Secret;
use tokio::sync::Semaphore;

/// How long a wrong token holds up whoever comes next: nobody tries more than one a second.
const AFTER_A_WRONG_ONE: Duration = Duration::from_secs(1);

/// The most attempts that wait for their turn.
const QUEUE: usize = 16;

/// Where tokens are checked.
#[derive(Debug)]
pub(super) struct Door {
    places: Arc<Semaphore>,
    turn: Arc<Semaphore>,
}

/// What came of an attempt.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum TokenCheck {
    /// The token is right.
    Right,
    /// It is not.
    Wrong,
    /// Too many are waiting: it was not looked at.
    Busy,
}

impl Default for Door {
    fn default() -> Self {
        Self {
            places: Arc::new(Semaphore::new(QUEUE)),
            turn: Arc::new(Semaphore::new(1)),
        }
    }
}

impl Door {
    /// Compares a token, in a time that does not depend on where it differs.
    pub(super) async fn try_token(&self, token: &Secret, given: &str) -> TokenCheck {
        let Ok(place) = self.places.clone().try_acquire_owned() else {
            return TokenCheck::Busy;
        };
        let Ok(turn) = self.turn.clone().acquire_owned().await else {
            return TokenCheck::Busy;
        };
        if *token == Secret::new(given) {
            return TokenCheck::Right;
        }
        // A task of its own: hanging up does not shorten it.
        let pause = tokio::spawn(async move {
            tokio::time::sleep(AFTER_A_WRONG_ONE).await;
            drop((turn, place));
        });
        let _ = pause.await;
        TokenCheck::Wrong
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, timeout};

    use super::*;

    fn token() -> Secret {
        Secret::new("the right token")
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_right_token_opens() {
        let door = Door::default();
        assert_eq!(
            door.try_token(&token(), "the right token").await,
            TokenCheck::Right
        );
        for wrong in ["", "the right toke", "the right token "] {
            assert_eq!(
                door.try_token(&token(), wrong).await,
                TokenCheck::Wrong,
                "{wrong:?}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn hanging_up_does_not_shorten_the_pause_after_a_wrong_token() {
        let (door, token, began) = (Door::default(), token(), Instant::now());
        for _ in 0..5 {
            let hung_up = timeout(Duration::from_millis(1), door.try_token(&token, "wrong"));
            let _ = hung_up.await;
        }
        assert_eq!(
            door.try_token(&token, "the right token").await,
            TokenCheck::Right
        );
        assert!(
            began.elapsed() >= AFTER_A_WRONG_ONE,
            "{:?}",
            began.elapsed()
        );
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_attempts_wait_than_there_are_places() {
        let door = Arc::new(Door::default());
        let attempts: Vec<_> = (0..QUEUE + 1)
            .map(|_| {
                let door = door.clone();
                tokio::spawn(async move { door.try_token(&token(), "wrong").await })
            })
            .collect();
        let mut busy = 0;
        for attempt in attempts {
            busy += usize::from(attempt.await.unwrap() == TokenCheck::Busy);
        }
        assert_eq!(busy, 1);
    }
}
