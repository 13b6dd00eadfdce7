//! Runs one lane: visit after visit, until it is empty or has to wait. The decisions are `delivery`'s.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use delivery::{Hide, Lane};
use futures_util::FutureExt as _;

use super::end::End;
use super::running::{LaneRun, Settled};
use crate::breakage::Breakage;
use crate::lanes::lease::{Held, Lease};
use crate::lanes::left::{Left, Why};
use crate::lanes::settler::{Deletion, Settler};
use crate::lanes::shared::Shared;
use crate::post::Post;
use crate::report;
use crate::tally::Tally;

/// Delivers the messages of one lane in order, and says what is left.
pub(crate) async fn run<P: Post>(
    shared: Arc<Shared<P>>,
    settler: Settler,
    lane: Lane<Held>,
) -> Left {
    let visibility = shared.limits.visibility_timeout;
    let Some(lease) = Lease::of(lane, shared.source.clone(), visibility) else {
        return Left {
            message_ids: Vec::new(),
            why: Why::Settled,
        };
    };
    let head = lease.head().map(|head| &head.message);
    let group = head
        .and_then(|head| shared.ordered_group(head))
        .map(str::to_owned);
    let _turn = match &group {
        Some(group) => Some(shared.starting.turn(group).await),
        None => None,
    };
    let mut run = LaneRun {
        shared: &shared,
        settler: &settler,
        lease,
    };
    let why = match AssertUnwindSafe(run.deliver()).catch_unwind().await {
        Ok(Ok(())) => Why::Settled,
        Ok(Err(end)) => run.leave(end).await,
        // Left alone until its lease ends: whatever is wrong, to have it back at once would be worse.
        Err(panic) => {
            Tally::count(&shared.tally.panics);
            report::panicked(run.lease.head().map(|head| &head.message), &*panic);
            Why::Defect
        }
    };
    let message_ids = run.lease.message_ids();
    Left { message_ids, why }
}

impl<P: Post> LaneRun<'_, P> {
    async fn deliver(&mut self) -> Result<(), End> {
        while self.lease.head().is_some() {
            self.shared.starting.visit()?;
            if Breakage::BadMessageSkipped.is_made()
                && event::Event::parse(&self.head().message.body).is_err()
            {
                self.lease.advance();
                continue;
            }
            match self.visit().await {
                Ok(settled) => self.delete_head(settled).await,
                Err(End::Wait(wait)) if Breakage::NextAfterFailed.is_made() => {
                    self.leave(End::Wait(wait)).await;
                    self.lease.advance();
                }
                Err(end) => return Err(end),
            }
        }
        Ok(())
    }

    /// Puts the delete of the head on its way before the next message is attempted.
    async fn delete_head(&mut self, settled: Settled) {
        let key = self.key();
        let Some(head) = self.lease.advance() else {
            return;
        };
        if !Breakage::AcceptedForgotten.is_made() {
            let mut memory = self.shared.memory();
            memory.done(&head.message.message_id);
        }
        let Held {
            message,
            in_hand,
            bytes,
        } = head;
        let deletion = Deletion {
            fate: self.lease.keep_until_deleted(&message.receipt_handle),
            receipt_handle: message.receipt_handle,
            key,
            ended: settled.ended,
            failed: None,
            _in_hand: in_hand,
            place: None,
        };
        // A delete may take long, and needs neither the body nor room for it.
        drop((message.body, message.attributes, bytes));
        let is_last = self.lease.head().is_none();
        self.settler.delete(deletion, is_last).await;
    }

    async fn leave(&self, end: End) -> Why {
        let gate = &self.shared.gate;
        if matches!(end, End::GiveBack) && Breakage::NothingGivenBack.is_made() {
            return Why::GivenBack;
        }
        let hide = self.lease.leave(|lane| match end {
            End::Wait(wait) => lane.hide_for(wait),
            End::Down if Breakage::GivenBackDuringOutage.is_made() => lane.give_back(),
            End::GiveBack if gate.is_open() => lane.give_back(),
            // The next worker would meet the same outage at once, again and again.
            End::Down | End::Short | End::GiveBack => lane.hide_for(gate.backoff()),
            // Its head may be another worker's by now: only what is behind it is given back.
            End::Lost => Hide {
                head: None,
                ..lane.give_back()
            },
        });
        hide.await;
        match end {
            End::Wait(wait) => {
                gate.wait(wait);
                Why::Waits(wait)
            }
            End::GiveBack => Why::GivenBack,
            End::Down => Why::Down,
            End::Short => Why::Short,
            End::Lost => Why::Lost,
        }
    }
}
