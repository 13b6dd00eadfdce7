//! The lanes for a shell that receives by itself, a function say: a batch at a time, each to its end.

use std::sync::Arc;

use delivery::Lane;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use queue::Received;
use tokio_util::task::TaskTracker;

use crate::lanes;
use crate::lanes::bytes::Part;
use crate::lanes::lease::Held;
use crate::lanes::left::Left;
use crate::lanes::settler::Settler;
use crate::lanes::shared::{Shared, Wiring};
use crate::post::Post;
use crate::settings::Settings;
use crate::tally::InHand;

/// Delivers batches, one after the other. What it learnt of one it knows for the next: an outage, what could not be
/// written, what is done.
pub struct Batches<P> {
    shared: Arc<Shared<P>>,
}

impl<P: Post> Batches<P> {
    /// Puts together what batches need; nothing runs yet.
    pub fn new(settings: Settings, wiring: Wiring<P>) -> Self {
        Self {
            shared: Arc::new(Shared::new(settings, wiring)),
        }
    }

    /// Delivers what one receive brought, each group in order and the groups side by side, `max_in_flight` at a time. When
    /// this returns, nothing of the batch goes on: every delete is answered or noted in the ledger.
    ///
    /// Gives what each lane leaves in the queue, and why; a message that is left by none is settled.
    pub async fn deliver(&self, messages: Vec<Received>) -> Vec<Left> {
        let shared = &self.shared;
        if !shared.gate.is_open() {
            shared.try_gate().await;
        }
        let held = messages.into_iter().map(|message| Held {
            message,
            in_hand: InHand::new(&shared.tally),
            bytes: Part::of_no_room(),
        });
        let group_of = |held: &Held| shared.ordered_group(&held.message).map(str::to_owned);
        let lanes = Lane::split(held.collect(), group_of);
        let settling = TaskTracker::new();
        let settler = Settler::start(shared, &settling);
        let running = lanes.into_iter().map(async |lane| {
            let _room = shared.starting.lane().await;
            lanes::run(shared.clone(), settler.clone(), lane).await
        });
        let left: FuturesUnordered<_> = running.collect();
        let left = left.filter(|left| std::future::ready(!left.message_ids.is_empty()));
        let left = left.collect().await;
        // The last owner of the settler: dropping it makes the settler finish.
        drop(settler);
        settling.close();
        settling.wait().await;
        shared.notes.write_once().await;
        left
    }
}
