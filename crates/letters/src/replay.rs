//! Sends dead letters back: each is a message of its event's group again, in the order in which the events were
//! first sent.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::time::Duration;

use queue::{Outgoing, Queue};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::breakage::Breakage;
use crate::moves::{self, Place, Put};
use crate::order::{self, Item};
use crate::{Audit, Letter, Outcome, Progress, Taken, Target};

/// Large bodies go in calls of their own, on leases that were looked at once: after so long no other call is begun.
const LONGEST_ROUND: Duration = Duration::from_secs(10);

/// Sends letters in hand to a queue and deletes each once it is there. In a group, one goes after the one ahead of
/// it has arrived; behind one that fails nothing goes. What was not sent is given back.
///
/// A replay that is cut off leaves letters that were sent and not deleted. Within five minutes of the first send a
/// repetition of it is swallowed by SQS, on FIFO queues, and the letter deleted.
///
/// Do not drop this future while it runs: cancel `stop`.
pub async fn replay(
    taken: Taken,
    target: &Target,
    rate: Option<NonZeroU32>,
    audit: &Audit,
    stop: &CancellationToken,
    progress: impl FnMut(Progress),
) -> Outcome {
    moves::run(taken, Replay { target }, rate, audit, stop, progress).await
}

struct Replay<'a> {
    target: &'a Target,
}

impl Place for Replay<'_> {
    const ACTION: &'static str = "replay";

    fn lines(&self, letters: Vec<Letter>) -> Vec<VecDeque<Item>> {
        order::lines(letters)
    }

    async fn put(&mut self, letters: &[&Letter]) -> Vec<Put> {
        let mut answers: Vec<Option<Put>> = vec![None; letters.len()];
        let began = Instant::now();
        let (mut outgoing, mut trouble) = (Vec::new(), None::<String>);
        for (at, letter) in letters.iter().enumerate() {
            match self.target.outgoing(letter) {
                Ok(message) => outgoing.push((at, message)),
                Err(why) => answers[at] = Some(Put::Refused(self.target.in_words(&why))),
            }
        }
        for batch in batches(
            outgoing,
            self.target.queue().attributes().maximum_message_size,
        ) {
            let (places, messages): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
            let sent = match &trouble {
                None if began.elapsed() > LONGEST_ROUND => vec![Put::NotYet; messages.len()],
                None => send(self.target.queue(), &messages).await,
                // Leases run while a call fails: what is left of this round waits for the next.
                Some(why) => vec![Put::Later(why.clone()); messages.len()],
            };
            for (at, answer) in places.into_iter().zip(sent) {
                if let Put::Later(why) | Put::Halt(why) = &answer {
                    trouble = Some(why.clone());
                }
                answers[at] = Some(answer);
            }
        }
        let answers = answers
            .into_iter()
            .map(|answer| answer.expect("each was refused or sent"));
        answers.collect()
    }

    fn name(&self) -> String {
        self.target.queue().url().to_owned()
    }
}

/// Splits what is to be sent so that no call carries more than one message may: SQS sets one limit for both.
fn batches(outgoing: Vec<(usize, Outgoing)>, most: usize) -> Vec<Vec<(usize, Outgoing)>> {
    let mut batches: Vec<Vec<_>> = Vec::new();
    let mut size = 0;
    for (at, message) in outgoing {
        size += message.size();
        match batches.last_mut() {
            Some(batch) if size <= most => batch.push((at, message)),
            _ => {
                size = message.size();
                batches.push(vec![(at, message)]);
            }
        }
    }
    batches
}

async fn send(queue: &Queue, messages: &[Outgoing]) -> Vec<Put> {
    match queue.send_batch(messages).await {
        Ok(answers) => {
            let answers = answers.into_iter().map(|answer| match answer {
                Ok(sent) => Put::Safe(sent.message_id),
                Err(_) if Breakage::FailedSendsIgnored.is_made() => Put::Safe(String::new()),
                Err(error) if error.is_transient() => Put::Later(in_doubt(&error)),
                Err(error) => Put::Refused(format!("SQS refuses it: {error}")),
            });
            answers.collect()
        }
        Err(error) => {
            let put = if error.is_transient() {
                Put::Later(in_doubt(&error))
            } else {
                Put::Halt(error.to_string())
            };
            vec![put; messages.len()]
        }
    }
}

fn in_doubt(error: &dyn std::fmt::Display) -> String {
    format!(
        "{error}; it is not known whether the last ones were sent: repeat this within five minutes, and SQS drops \
         what it has already"
    )
}
