//! Who may start. All of it is asked before a lease is looked at: whoever has to wait waits on no lease that was found long
//! enough before (`docs/DECISIONS.md`, "Never POST on borrowed time"). A bound on what one host gets at a time belongs here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use tokio::sync::{OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::end::End;
use crate::lanes::gate::Gate;

/// How long is waited for room for all lanes that are asked for, where there is room for some.
const FOR_ALL: Duration = Duration::from_millis(50);

/// Room for lanes, the turns of groups, and whether anything new is begun.
#[derive(Debug)]
pub(crate) struct Starting {
    /// One permit a lane.
    room: Arc<Semaphore>,
    turns: Turns,
    gate: Arc<Gate>,
    stop: CancellationToken,
}

impl Starting {
    /// `most` lanes at the same time; none once `stop` is cancelled or while the gate is closed.
    pub(crate) fn new(most: usize, gate: Arc<Gate>, stop: CancellationToken) -> Self {
        Self {
            room: Arc::new(Semaphore::new(most)),
            turns: Turns::default(),
            gate,
            stop,
        }
    }

    /// Waits for room for a lane.
    pub(crate) async fn lane(&self) -> OwnedSemaphorePermit {
        let room = self.room.clone().acquire_owned().await;
        room.expect("never closed")
    }

    /// Waits for room for a lane, and for so many if that comes soon: a permit each.
    pub(crate) async fn lanes(&self, many: u32) -> OwnedSemaphorePermit {
        let all = self.room.clone().acquire_many_owned(many);
        if let Ok(Ok(room)) = timeout(FOR_ALL, all).await {
            return room;
        }
        let mut room = self.lane().await;
        while room.num_permits() < many as usize {
            match self.room.clone().try_acquire_owned() {
                Ok(one) => room.merge(one),
                Err(_) => break,
            }
        }
        room
    }

    /// Waits for the group's turn, which lasts until the guard is dropped. One lane of a group at a time: SQS sees to
    /// that while leases hold; this covers the moment in which one ran out and the group came again.
    pub(crate) async fn turn(&self, group: &str) -> OwnedMutexGuard<()> {
        self.turns.take(group).await
    }

    /// Whether the head of a lane may be visited.
    pub(super) fn visit(&self) -> Result<(), End> {
        self.again()?;
        if self.gate.is_open() {
            Ok(())
        } else {
            Err(End::Down)
        }
    }

    /// Whether a visit may make another attempt at once.
    pub(super) fn again(&self) -> Result<(), End> {
        if self.stop.is_cancelled() {
            Err(End::GiveBack)
        } else {
            Ok(())
        }
    }
}

/// A lock a group.
#[derive(Debug, Default)]
struct Turns(Mutex<Groups>);

type Turn = tokio::sync::Mutex<()>;

#[derive(Debug, Default)]
struct Groups {
    turns: HashMap<String, Weak<Turn>>,
    /// Past groups are swept out when there are so many: twice what was left after the last sweep.
    sweep_at: usize,
}

/// Not worth a sweep.
const FEW_GROUPS: usize = 1_024;

impl Turns {
    async fn take(&self, group: &str) -> OwnedMutexGuard<()> {
        let turn = self.0.lock().expect("no holder panics").turn_of(group);
        turn.lock_owned().await
    }
}

impl Groups {
    fn turn_of(&mut self, group: &str) -> Arc<Turn> {
        if let Some(turn) = self.turns.get(group).and_then(Weak::upgrade) {
            return turn;
        }
        if self.turns.len() >= self.sweep_at.max(FEW_GROUPS) {
            self.turns.retain(|_, turn| turn.strong_count() > 0);
            self.sweep_at = 2 * self.turns.len();
        }
        let turn = Arc::new(Turn::default());
        self.turns.insert(group.to_owned(), Arc::downgrade(&turn));
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn two_lanes_of_one_group_take_turns_and_two_groups_do_not_wait_for_each_other() {
        let turns = Turns::default();
        let first = turns.take("a").await;
        let _other = turns.take("b").await;
        let mut second = std::pin::pin!(turns.take("a"));
        assert!(futures_util::poll!(&mut second).is_pending());
        drop(first);
        assert!(futures_util::poll!(&mut second).is_ready());
    }

    #[test]
    fn groups_that_are_past_do_not_pile_up() {
        let mut groups = Groups::default();
        for group in 0..10 * FEW_GROUPS {
            groups.turn_of(&group.to_string());
        }
        assert!(groups.turns.len() <= FEW_GROUPS);
    }
}
