//! Deliberate mistakes, which the simulation must catch, each of them.

use delivery::{Reason, Record, Visit};

::breakage::breakages! {
    /// A mistake that a worker could make.
    pub enum Breakage {
        /// A dead event is deleted before it is sent to the internal queue.
        DeleteBeforeDeadLetter,
        /// A dead letter gets a new deduplication id each time it is sent.
        FreshDeadLetterId,
        /// An event found exhausted is attempted again.
        ExhaustedAgain,
        /// A retry does not wait for its `not_before`.
        TooEarly,
        /// A lease is taken to last for ever.
        NoLeaseCheck,
        /// Receives are counted as attempts.
        ReceivesAsAttempts,
        /// `Failed` of a batch of deletes is not read.
        FailedDeletesIgnored,
        /// What was accepted is not remembered when its delete fails.
        AcceptedForgotten,
        /// The lane goes on with the next event while its head waits for a retry.
        NextAfterFailed,
        /// A bad message is left where it is, and its followers are delivered.
        BadMessageSkipped,
        /// While the ledger is down, what is held is given back at once.
        GivenBackDuringOutage,
        /// A worker that stops gives nothing back.
        NothingGivenBack,
        /// Attempts that the ledger did not take are forgotten.
        UnwrittenForgotten,
        /// The message is attempted although the ledger was lost to another worker.
        LostRaceIgnored,
        /// A replay that is accepted is noted under the sequence number that it came back with.
        PresentNumberNoted,
        /// A request that was lost with a closed connection is a failed attempt.
        NeverSentAgain,
        /// It goes out again until there is an answer.
        SentAgainAndAgain,
        /// A request goes out again after a timeout.
        SentAgainAfterTimeout,
        /// A request goes out again on a connection that carried others before.
        SentAgainOnAnyConnection,
        /// Receives that no visit followed are held against an event.
        UnvisitedReceivesCount,
        /// That a visit of a watched event begins is not written down.
        BeginningsForgotten,
        /// A burial is remembered by the worker alone, and not noted in the ledger.
        BurialNotNoted,
        /// A receive count is believed on a standard queue too.
        LaggingCountBelieved,
        /// What the queue would drop is left to it.
        LeftToExpire,
        /// What waits for a place among the deletes is not noted.
        NotNotedWithoutPlace,
    }
}

/// What a visit becomes by a mistake.
pub(crate) fn visit(visit: Visit, record: Option<&Record>, receive_count: u32) -> Visit {
    let made = record.map_or(0, |record| record.attempts.len() as u32);
    match visit {
        Visit::Decided { .. } if Breakage::ExhaustedAgain.is_made() => Visit::Attempt { n: 4 },
        Visit::TooEarly { .. } if Breakage::TooEarly.is_made() => Visit::Attempt { n: made + 1 },
        Visit::Watch { .. } if Breakage::UnvisitedReceivesCount.is_made() => Visit::SetAside {
            reason: Reason::ReceiveCountExceeded,
        },
        Visit::Watch { n } if Breakage::BeginningsForgotten.is_made() => Visit::Attempt { n },
        Visit::SetAside {
            reason: Reason::Expiring,
        } if Breakage::LeftToExpire.is_made() => Visit::Attempt { n: made + 1 },
        Visit::Attempt { .. } if Breakage::ReceivesAsAttempts.is_made() => match receive_count {
            n @ 1..=4 => Visit::Attempt { n },
            _ => Visit::SetAside {
                reason: Reason::Exhausted,
            },
        },
        visit => visit,
    }
}
