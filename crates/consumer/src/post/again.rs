//! When a request goes out a second time: the one retry that is no attempt.
//!
//! A receiver may close a connection at any moment between two requests (a reload, a limit of its own), and a request
//! that meets such a close on its way is lost without the receiver's doing. It shows by a reused connection that ends
//! before the first byte of an answer, or by a `408` in its place, with which some receivers say why they close
//! ([RFC 9110](https://www.rfc-editor.org/rfc/rfc9110#section-15.5.9)). Receivers know events that come twice by their
//! `webhook-id`.

use std::future::Future;

use delivery::{Answer, Failure, FailureKind};
use tokio::time::Instant;
use tracing::debug;

use super::{NoAnswer, Request};
use crate::breakage::Breakage;

/// Which connections may carry a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// One that carried others before, if there is one.
    AnyConnection,
    /// None that did.
    NewConnection,
}

/// What came of carrying a request over one connection.
#[derive(Debug)]
pub struct Carried {
    /// What the caller gets.
    pub outcome: Result<Answer, NoAnswer>,
    /// The connection had carried a request before.
    pub was_reused: bool,
    /// The connection ended, by the receiver's side or the network's, before a byte of an answer came, or a `408` came
    /// with which the receiver closes it. Not so when the time was up.
    pub ended_unanswered: bool,
}

/// What carries a request over a connection.
pub trait Carrier: Sync {
    /// Carries it once, until `deadline` at the latest.
    fn carry(
        &self,
        request: &Request,
        over: Over,
        deadline: Instant,
    ) -> impl Future<Output = Carried> + Send;
}

/// Makes one attempt: the request goes out once, and once more on a new connection if the first was lost with a
/// connection that the receiver had closed; all of it within the request's timeout.
///
/// # Errors
/// See [`super::Post::post`].
pub async fn attempt(carrier: &impl Carrier, request: &Request) -> Result<Answer, NoAnswer> {
    let deadline = Instant::now() + request.timeout;
    let over = if request.new_connection {
        Over::NewConnection
    } else {
        Over::AnyConnection
    };
    let first = carrier.carry(request, over, deadline).await;
    if !first.is_lost() {
        return first.outcome.map_err(|error| {
            if first.was_reused {
                said("on a reused connection", error)
            } else {
                error
            }
        });
    }
    debug!(
        host = request.url.host_str(),
        "the receiver had closed the connection: the request goes out again on a new one"
    );
    let over = if Breakage::SentAgainOnAnyConnection.is_made() {
        Over::AnyConnection
    } else {
        Over::NewConnection
    };
    let mut again = carrier.carry(request, over, deadline).await;
    if Breakage::SentAgainAndAgain.is_made() && again.outcome.is_err() {
        again = carrier.carry(request, over, deadline).await;
    }
    again
        .outcome
        .map_err(|error| said("sent again, after a reused connection had ended", error))
}

impl Carried {
    /// The request met a connection that the receiver had closed.
    fn is_lost(&self) -> bool {
        if Breakage::SentAgainAfterTimeout.is_made()
            && let Err(NoAnswer::Failed(failure)) = &self.outcome
            && failure.kind == FailureKind::Timeout
        {
            return true;
        }
        self.was_reused && self.ended_unanswered && !Breakage::NeverSentAgain.is_made()
    }
}

/// Says of a failure how its request went out: first, so that it is not cut off.
fn said(how: &str, error: NoAnswer) -> NoAnswer {
    match error {
        NoAnswer::Failed(Failure { kind, detail }) => {
            super::failure::failure(kind, format!("{how}: {detail}")).into()
        }
        shortage => shortage,
    }
}
